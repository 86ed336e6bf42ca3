//! Where in a pipeline file a key or value stands.

use engine::{Error, Kind};
use std::{fmt, path::Path};
use toml::de::{DeArray, DeTable, DeValue};

/// A problem of a pipeline: what is wrong, at which key, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The key, outermost first: `["sources", "events", "files", "path"]`. Empty for the file as a whole.
    pub key: Vec<String>,
    /// What is wrong and what to write instead.
    pub message: String,
}

impl Problem {
    /// A problem at `key`, written with dots.
    pub fn at<K: AsRef<str>>(key: &[K], message: impl Into<String>) -> Self {
        Problem { key: key.iter().map(|k| k.as_ref().to_owned()).collect(), message: message.into() }
    }
}

/// A line and a column, from 1; columns count characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LineColumn {
    /// From 1.
    pub line: usize,
    /// From 1.
    pub column: usize,
}

impl fmt::Display for LineColumn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// The line and column of a byte offset.
pub(crate) fn line_column(text: &str, offset: usize) -> LineColumn {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    LineColumn {
        line: before.matches('\n').count() + 1,
        column: before.get(line_start..).unwrap_or("").chars().count() + 1,
    }
}

/// Where `key` stands in the TOML `text`; if it is not written, the innermost table of it that is. The key of a table of an
/// array is its number, from 0.
pub(crate) fn locate(text: &str, key: &[String]) -> LineColumn {
    let Ok(document) = DeTable::parse(text) else { return LineColumn { line: 1, column: 1 } };
    line_column(text, start_of(key, document.get_ref(), document.span().start))
}

/// Where `key` of a table stands, which itself stands `at`.
fn start_of(key: &[String], table: &DeTable<'_>, at: usize) -> usize {
    let Some((part, rest)) = key.split_first() else { return at };
    let Some((name, value)) = table.iter().find(|(name, _)| name.get_ref().as_ref() == part) else {
        return at;
    };
    match value.get_ref() {
        DeValue::Table(inner) => start_of(rest, inner, name.span().start),
        DeValue::Array(items) => start_of_item(rest, items).unwrap_or(value.span().start),
        _ => value.span().start,
    }
}

fn start_of_item(key: &[String], items: &DeArray<'_>) -> Option<usize> {
    let (index, rest) = key.split_first()?;
    let item = items.get(index.parse::<usize>().ok()?)?;
    let at = item.span().start;
    Some(item.get_ref().as_table().map_or(at, |table| start_of(rest, table, at)))
}

/// Problems as one error, a line each: `pipeline.toml:12:3: what is wrong`.
pub(crate) fn report(file: &Path, text: &str, problems: &[Problem]) -> Error {
    let mut lines: Vec<(LineColumn, String)> = problems
        .iter()
        .map(|p| {
            let at = locate(text, &p.key);
            (at, format!("{}:{at}: {}", file.display(), p.message))
        })
        .collect();
    lines.sort();
    Error::new(Kind::Invalid, lines.into_iter().map(|(_, line)| line).collect::<Vec<_>>().join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_at_its_line_and_column() {
        let text =
            "name = \"x\"\n[sources.events]\nschema = \"a INT\"\n[sources.events.files]\n  path = \"gone\"\n";
        let at = |key: &str| locate(text, &key.split('.').map(str::to_owned).collect::<Vec<_>>()).to_string();
        assert_eq!(at("sources.events.files.path"), "5:10");
        assert_eq!(at("sources.events"), "2:10");
        assert_eq!(at("sources.events.files.format"), "4:17");
        assert_eq!(at("sinks"), "1:1");
    }

    #[test]
    fn a_table_of_an_array_is_found_by_its_number() {
        let text = "name = \"x\"\n[[tests]]\nname = \"a\"\n\n[[tests]]\nname = \"b\"\nexpect = { s = '' }\n";
        let at = |key: &str| locate(text, &key.split('.').map(str::to_owned).collect::<Vec<_>>()).to_string();
        assert_eq!(at("tests.0"), "2:1");
        assert_eq!(at("tests.1"), "5:1");
        assert_eq!(at("tests.1.name"), "6:8");
        assert_eq!(at("tests.1.expect.s"), "7:16");
    }
}
