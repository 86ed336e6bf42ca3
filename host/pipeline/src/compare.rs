//! Rows that a test expects beside those that came.

use arrow::{array::RecordBatch, json::LineDelimitedWriter};
use engine::{Kind, Result, ResultExt};
use plugin::{DEAD_LETTER_COLUMNS, DEAD_LETTER_PORT};
use serde_json::Value;

/// A row as a JSON object.
type Row = serde_json::Map<String, Value>;

/// Differences between expected rows and what came, by row. A column that an expected row does not mention is NULL; but of dead letters
/// one that the host has added, such as the plugin's digest, is then not looked at.
pub(crate) fn compare(name: &str, expected: &str, rows: &[RecordBatch]) -> Result<Vec<String>> {
    let actual = lines(rows)?;
    let expected = self::expected(expected);
    let is_letter = name.rsplit_once('.').is_some_and(|(_, output)| output == DEAD_LETTER_PORT);
    let mut differences = Vec::new();
    for row in 0..expected.len().max(actual.len()) {
        let (want, have) = (expected.get(row), actual.get(row));
        match (want, have) {
            (Some(want), Some(have)) if same(want, have, is_letter)? => {}
            (want, have) => {
                let line = |l: Option<&str>| l.unwrap_or("no row").to_owned();
                differences.push(format!(
                    "{name}, row {}: expected {}, got {}",
                    row + 1,
                    line(want.copied()),
                    line(have.map(String::as_str))
                ));
            }
        }
    }
    Ok(differences)
}

/// The expected rows, one a line.
pub(crate) fn expected(rows: &str) -> Vec<&str> {
    rows.lines().map(str::trim).filter(|line| !line.is_empty()).collect()
}

/// Rows as JSON, one a line.
pub(crate) fn lines(rows: &[RecordBatch]) -> Result<Vec<String>> {
    let doing = || "printing rows as JSON";
    let mut writer = LineDelimitedWriter::new(Vec::new());
    for batch in rows {
        writer.write(batch).doing(Kind::Internal, doing)?;
    }
    writer.finish().doing(Kind::Internal, doing)?;
    let text = String::from_utf8(writer.into_inner()).doing(Kind::Internal, doing)?;
    Ok(text.lines().map(str::to_owned).collect())
}

fn same(expected: &str, actual: &str, is_letter: bool) -> Result<bool> {
    let (expected, mut actual) = (value(expected)?, value(actual)?);
    if is_letter {
        actual.retain(|name, _| expected.contains_key(name) || !DEAD_LETTER_COLUMNS.contains(&name.as_str()));
    }
    Ok(equal(&Value::Object(expected), &Value::Object(actual)))
}

/// A row without what is NULL.
pub(crate) fn value(row: &str) -> Result<Row> {
    let doing = || format!("expected row {row}; write a JSON object a line");
    let mut fields: Row = serde_json::from_str(row).doing(Kind::Invalid, doing)?;
    fields.retain(|_, value| !value.is_null());
    Ok(fields)
}

/// JSON equality where 5 is 5.0.
fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            let found = |(key, value): (&String, &Value)| b.get(key).is_some_and(|other| equal(value, other));
            a.len() == b.len() && a.iter().all(found)
        }
        _ => a == b,
    }
}
