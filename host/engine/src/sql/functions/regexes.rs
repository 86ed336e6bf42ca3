//! Functions of regular expressions. The expressions are those of the `regex` crate: what matches takes time in proportion to
//! the text, whatever the expression, so there is no look-around and no back-reference.

use super::{
    function::function,
    strings::{as_int, as_text},
};
use crate::sql::types::array_of;
use arrow::{
    array::{Array, ArrayRef, AsArray, BooleanArray, Int32Array, ListBuilder, StringArray, StringBuilder},
    datatypes::{DataType, Int32Type},
};
use datafusion_common::{Result, exec_datafusion_err, exec_err};
use datafusion_expr::ScalarUDF;
use regex::{Captures, Regex};
use std::{cell::Cell, sync::Arc};

pub(super) fn functions() -> Vec<Arc<ScalarUDF>> {
    let text = |_: &[DataType]| DataType::Utf8;
    let int = |_: &[DataType]| DataType::Int32;
    vec![
        function(
            "regexp_like(text, pattern)",
            two,
            |_| DataType::Boolean,
            |columns, _| {
                let rows = each(columns, |text, regex, _| Ok(Some(regex.is_match(text))))?;
                Ok(Arc::new(rows.into_iter().collect::<BooleanArray>()))
            },
        ),
        function("regexp_count(text, pattern)", two, int, |columns, _| {
            let rows = each(columns, |text, regex, _| Ok(i32::try_from(regex.find_iter(text).count()).ok()))?;
            Ok(Arc::new(rows.into_iter().collect::<Int32Array>()))
        }),
        function("regexp_instr(text, pattern)", two, int, |columns, _| {
            let rows = each(columns, |text, regex, _| {
                let before = regex.find(text).map(|found| text.get(..found.start()).unwrap_or_default());
                Ok(i32::try_from(before.map_or(0, |before| before.chars().count() + 1)).ok())
            })?;
            Ok(Arc::new(rows.into_iter().collect::<Int32Array>()))
        }),
        function("regexp_substr(text, pattern)", two, text, |columns, _| {
            let rows =
                each(columns, |text, regex, _| Ok(regex.find(text).map(|found| found.as_str().to_owned())))?;
            Ok(Arc::new(rows.into_iter().collect::<StringArray>()))
        }),
        function("regexp_extract(text, pattern[, group])", two_and_group, text, |columns, _| {
            let rows = each(columns, |text, regex, row| {
                let Some(group) = group(columns, row, regex)? else { return Ok(None) };
                Ok(Some(regex.captures(text).map_or(String::new(), |found| part(&found, group))))
            })?;
            Ok(Arc::new(rows.into_iter().collect::<StringArray>()))
        }),
        function(
            "regexp_extract_all(text, pattern[, group])",
            two_and_group,
            |_| array_of(DataType::Utf8),
            extract_all,
        ),
        function("regexp_replace(text, pattern, with)", three, text, |columns, _| {
            let bytes = Cell::new(0);
            let rows = each(columns, |text, regex, row| {
                let Some(with) = columns.get(2).filter(|with| with.is_valid(row)) else { return Ok(None) };
                let with = replacement(with.as_string::<i32>().value(row));
                replaced(text, regex, &with, &bytes).map(Some)
            })?;
            Ok(Arc::new(rows.into_iter().collect::<StringArray>()))
        }),
    ]
}

/// The text with other parts in the place of those that match. What it takes is added to `bytes`, which has a bound.
fn replaced(text: &str, regex: &Regex, with: &str, bytes: &Cell<u64>) -> Result<String> {
    let mut out = String::new();
    let mut from = 0;
    let refuse = |out: &str| super::bounded::refuse("regexp_replace", bytes.get() + out.len() as u64, false);
    for found in regex.captures_iter(text) {
        let whole = found.get_match();
        out.push_str(text.get(from..whole.start()).unwrap_or_default());
        found.expand(with, &mut out);
        from = whole.end();
        refuse(&out)?;
    }
    out.push_str(text.get(from..).unwrap_or_default());
    refuse(&out)?;
    bytes.set(bytes.get() + out.len() as u64);
    Ok(out)
}

fn two(of: &[DataType]) -> Option<Vec<DataType>> {
    super::strings::two_texts(of)
}

fn three(of: &[DataType]) -> Option<Vec<DataType>> {
    (of.len() == 3).then(|| of.iter().map(as_text).collect())?
}

fn two_and_group(of: &[DataType]) -> Option<Vec<DataType>> {
    let [text, pattern, group @ ..] = of else { return None };
    let group: Vec<DataType> = group.iter().map(as_int).collect::<Option<_>>()?;
    (group.len() < 2).then(|| Some([vec![as_text(text)?, as_text(pattern)?], group].concat()))?
}

/// What comes of each row's text and expression; NULL of a NULL.
fn each<T>(
    columns: &[ArrayRef],
    value: impl Fn(&str, &Regex, usize) -> Result<Option<T>>,
) -> Result<Vec<Option<T>>> {
    let [texts, patterns, ..] = columns else { return exec_err!("a text and a pattern are expected") };
    let mut known: Option<(&str, Regex)> = None;
    let rows = texts.as_string::<i32>().iter().zip(patterns.as_string::<i32>()).enumerate();
    let rows = rows.map(|(row, texts)| {
        let (Some(text), Some(pattern)) = texts else { return Ok(None) };
        let regex = match known.take() {
            Some((of, regex)) if of == pattern => regex,
            _ => compiled(pattern)?,
        };
        let value = value(text, &regex, row);
        known = Some((pattern, regex));
        value
    });
    rows.collect()
}

pub(super) fn compiled(pattern: &str) -> Result<Regex> {
    Regex::new(&ascii(pattern)).map_err(|e| exec_datafusion_err!("{pattern:?} is no regular expression: {e}"))
}

/// The expression with the classes that in Java are of ASCII alone written out.
fn ascii(pattern: &str) -> String {
    let mut written = String::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match (c, if c == '\\' { chars.next() } else { None }) {
            (_, Some('d')) => written.push_str("[0-9]"),
            (_, Some('D')) => written.push_str("[^0-9]"),
            (_, Some('w')) => written.push_str("[0-9A-Za-z_]"),
            (_, Some('W')) => written.push_str("[^0-9A-Za-z_]"),
            (_, Some('s')) => written.push_str(r"[ \t\n\x0B\f\r]"),
            (_, Some('S')) => written.push_str(r"[^ \t\n\x0B\f\r]"),
            (c, next) => written.extend([c].into_iter().chain(next)),
        }
    }
    written
}

/// The number of the group that a row asks for; 1 if it does not say.
fn group(columns: &[ArrayRef], row: usize, regex: &Regex) -> Result<Option<usize>> {
    let wanted = match columns.get(2) {
        Some(groups) if groups.is_null(row) => return Ok(None),
        Some(groups) => groups.as_primitive::<Int32Type>().value(row),
        None => 1,
    };
    match usize::try_from(wanted) {
        Ok(group) if group < regex.captures_len() => Ok(Some(group)),
        _ => exec_err!(
            "the regular expression {regex:?} has {} groups, and no group {wanted}",
            regex.captures_len() - 1
        ),
    }
}

/// The text of a group; empty if it took no part.
fn part(found: &Captures<'_>, group: usize) -> String {
    found.get(group).map_or("", |part| part.as_str()).to_owned()
}

fn extract_all(columns: &[ArrayRef], _: &datafusion_common::config::ConfigOptions) -> Result<ArrayRef> {
    let rows = each(columns, |text, regex, row| {
        let Some(group) = group(columns, row, regex)? else { return Ok(None) };
        Ok(Some(regex.captures_iter(text).map(|found| part(&found, group)).collect::<Vec<_>>()))
    })?;
    let mut lists = ListBuilder::new(StringBuilder::new());
    for row in rows {
        lists.append_option(row.map(|parts| parts.into_iter().map(Some)));
    }
    Ok(Arc::new(lists.finish()))
}

/// Java's `$1` with a digit is that group whatever letter follows, and a backslash takes a meaning away.
fn replacement(java: &str) -> String {
    let mut with = String::new();
    let mut chars = java.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('$') => with.push_str("$$"),
                Some(c) => with.push(c),
                None => {}
            },
            '$' => match chars.next_if(char::is_ascii_digit) {
                Some(digit) => with.push_str(&format!("${{{digit}}}")),
                None => with.push('$'),
            },
            c => with.push(c),
        }
    }
    with
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_of_ascii_alone() {
        assert!(!compiled(r"\w").unwrap().is_match("ß"));
        assert!(compiled(r"^[\w.]+\s\\d$").unwrap().is_match(r"a.b \d"));
    }

    #[test]
    fn what_replaces_is_written_as_in_java() {
        let replaced = |with| compiled("(b)").unwrap().replace_all("abc", replacement(with)).into_owned();
        assert_eq!(replaced("<$1x>"), "a<bx>c");
        assert_eq!(replaced("\\$1"), "a$1c");
        assert_eq!(replaced("${name}"), "ac");
    }
}
