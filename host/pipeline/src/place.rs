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
    /// Where in the value, if that is a text of several words: its line and column, from 1.
    pub within: Option<(usize, usize)>,
}

impl Problem {
    /// A problem at `key`, written with dots.
    pub fn at<K: AsRef<str>>(key: &[K], message: impl Into<String>) -> Self {
        Problem {
            key: key.iter().map(|k| k.as_ref().to_owned()).collect(),
            message: message.into(),
            within: None,
        }
    }

    /// The same problem, at a line and column of the value.
    pub(crate) fn within(self, within: Option<(usize, usize)>) -> Self {
        Problem { within, ..self }
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

/// Where a line and column of the text that is the value of `key` stand in the file.
pub(crate) fn locate_within(text: &str, key: &[String], within: Option<(usize, usize)>) -> LineColumn {
    let start = locate(text, key);
    let Some((line, column)) = within else { return start };
    let rest = text.lines().nth(start.line - 1).unwrap_or_default();
    let rest: String = rest.chars().skip(start.column - 1).collect();
    let quotes = if rest.starts_with("\"\"\"") || rest.starts_with("'''") { 3 } else { 1 };
    // A line break right behind three quotes is not part of the text.
    let first = start.line + usize::from(quotes == 3 && rest.trim_end().chars().count() == 3);
    match (line, first == start.line) {
        (1, true) => LineColumn { line: start.line, column: start.column + quotes + column - 1 },
        _ => LineColumn { line: first + line - 1, column },
    }
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
            let at = locate_within(text, &p.key, p.within);
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
    fn a_word_of_a_longer_text_is_found_where_it_stands_in_the_file() {
        let text = "[s]\na = \"SELECT x\"\nb = \"\"\"\nSELECT\n  x\n\"\"\"\nc = \"\"\"SELECT\n x\"\"\"\n";
        let at = |key: &str, line, column| {
            locate_within(text, &["s".to_owned(), key.to_owned()], Some((line, column))).to_string()
        };
        assert_eq!(at("a", 1, 8), "2:13");
        assert_eq!(at("b", 2, 3), "5:3");
        assert_eq!(at("c", 1, 1), "7:8");
        assert_eq!(at("c", 2, 2), "8:2");
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
