//! What Spark answered, as it was recorded.

use engine::{Kind, Result, ResultExt};
use serde_json::{Map, Value};
use std::{collections::BTreeMap, fs, path::Path};

/// A scenario without its input.
pub(super) struct Recorded {
    /// Rows by micro-batch.
    pub(super) batches: Vec<(u64, Vec<String>)>,
    /// How far event time had come, by micro-batch.
    pub(super) watermarks: Vec<(u64, String)>,
    /// The columns as Spark writes a type.
    pub(super) columns: String,
    /// Whether the order of rows counts.
    pub(super) ordered: bool,
    /// The class of the error that the query ends with.
    pub(super) fails: Option<String>,
}

impl Recorded {
    pub(super) fn read(scenario: &Path) -> Result<Recorded> {
        let facts = scenario.join("scenario.json");
        let facts: Value = serde_json::from_str(&text(&facts)?)
            .doing(Kind::Invalid, || format!("reading {}", facts.display()))?;
        let ordered = field(&facts, "ordered").as_bool().unwrap_or_default();
        let batch = |batch: &Value| {
            let rows = field(batch, "rows").as_array().into_iter().flatten().map(canonical).collect();
            (number(batch), if ordered { rows } else { sorted(rows) })
        };
        let watermark = |batch: &Value| {
            let watermark = field(field(batch, "event_time"), "watermark").as_str()?;
            Some((number(batch), watermark.to_owned()))
        };
        Ok(Recorded {
            batches: lines(&scenario.join("expected.jsonl"))?.iter().map(batch).collect(),
            watermarks: lines(&scenario.join("watermarks.jsonl"))?.iter().filter_map(watermark).collect(),
            columns: field(&facts, "output_schema").as_str().unwrap_or_default().to_owned(),
            ordered,
            fails: field(&facts, "fails").as_str().map(str::to_owned),
        })
    }
}

fn text(path: &Path) -> Result<String> {
    fs::read_to_string(path).doing(Kind::Invalid, || format!("reading {}", path.display()))
}

fn lines(path: &Path) -> Result<Vec<Value>> {
    let doing = || format!("reading {}", path.display());
    text(path)?.lines().map(|line| serde_json::from_str(line).doing(Kind::Invalid, doing)).collect()
}

fn number(batch: &Value) -> u64 {
    field(batch, "batch").as_u64().unwrap_or_default()
}

fn field<'v>(of: &'v Value, name: &str) -> &'v Value {
    of.get(name).unwrap_or(&Value::Null)
}

pub(super) fn sorted(mut rows: Vec<String>) -> Vec<String> {
    rows.sort();
    rows
}

/// How the rows of an epoch differ, in words.
pub(super) fn difference(batch: u64, spark: &[String], ours: &[String]) -> String {
    let without = |of: &[String], other: &[String]| {
        let more: Vec<&str> =
            of.iter().filter(|row| !other.contains(row)).map(String::as_str).take(5).collect();
        more.join("\n    ")
    };
    format!(
        "epoch {batch}: {} rows, Spark has {}\n  only Spark has\n    {}\n  only streamhost has\n    {}",
        ours.len(),
        spark.len(),
        without(spark, ours),
        without(ours, spark),
    )
}

/// A row as text that is the same for equal rows: floats to nine decimals, times in microseconds, no NULLs, keys in order.
pub(super) fn canonical(row: &Value) -> String {
    normal(row).to_string()
}

fn normal(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields: BTreeMap<_, _> = fields
                .iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(key, value)| (key.clone(), normal(value)))
                .collect();
            Value::Object(fields.into_iter().collect::<Map<_, _>>())
        }
        Value::Array(values) => Value::Array(values.iter().map(normal).collect()),
        Value::Number(number) if number.is_f64() => {
            let rounded = format!("{:.9}", number.as_f64().unwrap_or_default());
            let rounded = rounded.trim_end_matches('0').trim_end_matches('.').to_owned();
            Value::String(if rounded == "-0" { "0".into() } else { rounded })
        }
        Value::Number(number) => Value::String(number.to_string()),
        Value::String(text) => match text.parse::<jiff::Timestamp>() {
            Ok(time) => Value::String(format!("{} µs", time.as_microsecond())),
            Err(_) => value.clone(),
        },
        other => other.clone(),
    }
}
