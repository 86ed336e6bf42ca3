//! Spark's recorded answers to expressions, against ours.
//!
//! `expressions/<topic>.toml` lists expressions and the rows they are asked over, `expressions/record.py` asks Spark and writes
//! `expressions/answers/<topic>.jsonl`. Where we answer otherwise, the table of `host/engine/src/sql/README.md` says so and why:
//! what differs and is not there fails, and so does what is there and does not differ. `UPDATE_EXPECT=1` writes the table
//! anew, with the reasons that it has.

mod aggregate;
mod documented;
mod evaluate;
mod value;

use self::{
    documented::{Difference, Documented},
    evaluate::Answers,
    value::same,
};
use engine::Error;
use serde::Deserialize;
use serde_json::Value;
use std::{env, fs, path::PathBuf};
use tests::spark_types::type_name;

#[derive(Deserialize)]
struct Topic {
    group: Vec<Group>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Group {
    #[serde(default)]
    schema: String,
    #[serde(default)]
    rows: String,
    #[serde(default)]
    aggregates: bool,
    #[serde(default = "utc")]
    time_zones: Vec<String>,
    expressions: Vec<String>,
}

fn utc() -> Vec<String> {
    vec!["UTC".into()]
}

/// What Spark answered.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Recorded {
    expression: String,
    time_zone: String,
    refused: Option<String>,
    r#type: Option<String>,
    #[serde(default)]
    answers: Vec<Value>,
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("expressions")
}

#[test]
fn every_expression_has_sparks_answer_or_a_documented_other_one() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let mut topics: Vec<PathBuf> =
        fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    topics.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    topics.sort();
    let mut differences = Vec::new();
    for topic in topics {
        runtime.block_on(compare(topic, &mut differences));
    }
    let documented = Documented::read();
    if env::var_os("UPDATE_EXPECT").is_some() {
        documented.write(&differences);
    } else {
        documented.check(&differences);
    }
}

async fn compare(topic: PathBuf, differences: &mut Vec<Difference>) {
    let name = topic.file_stem().unwrap().to_str().unwrap();
    let recorded = fs::read_to_string(folder().join("answers").join(format!("{name}.jsonl"))).unwrap();
    let mut recorded = recorded.lines().map(|line| serde_json::from_str::<Recorded>(line).unwrap());
    let topic: Topic = toml::from_str(&fs::read_to_string(&topic).unwrap()).unwrap();
    for group in &topic.group {
        for zone in &group.time_zones {
            for expression in &group.expressions {
                let spark = recorded.next().expect("record.py has not been asked for all expressions");
                assert_eq!(
                    (&spark.expression, &spark.time_zone),
                    (expression, zone),
                    "record.py is to be run again"
                );
                let ours = answers(group, zone, expression).await;
                if let Some((spark, ours)) = differs(&spark, ours) {
                    differences.push(Difference { expression: expression.clone(), spark, ours });
                }
            }
        }
    }
    assert!(recorded.next().is_none(), "{name}: record.py is to be run again");
}

/// Evaluates it in a task of its own, so that a panic is an answer too.
async fn answers(group: &Group, zone: &str, expression: &str) -> engine::Result<Answers> {
    let (expression, zone) = (expression.to_owned(), zone.to_owned());
    let (schema, rows, aggregates) = (group.schema.clone(), group.rows.clone(), group.aggregates);
    let task = tokio::spawn(async move {
        match aggregates {
            true => aggregate::aggregate(&expression, &schema, &rows).await,
            false => evaluate::scalar(&expression, &zone, &evaluate::rows(&schema, &rows)).await,
        }
    });
    task.await.unwrap_or_else(|panic| Err(Error::internal(format!("panicked: {panic}"))))
}

/// The first thing that differs: Spark's, and ours.
fn differs(spark: &Recorded, ours: engine::Result<Answers>) -> Option<(String, String)> {
    let refused = |class: &str| format!("refused: {class}");
    match (&spark.refused, ours) {
        (Some(_), Err(_)) => None,
        // What Spark refuses may be an error of every row here.
        (Some(_), Ok(ours)) if ours.rows.iter().all(Result::is_err) => None,
        (Some(class), Ok(ours)) => Some((refused(class), format!("`{}`", type_name(&ours.of)))),
        // An error of a constant is found while planning.
        (None, Err(_)) if spark.answers.iter().all(Value::is_string) => None,
        (None, Err(e)) => {
            let report = e.report();
            // What is proposed instead changes with every function that is added.
            let report = report.split("\nDid you mean").next().unwrap_or_default();
            Some((first(spark), refused(report)))
        }
        (None, Ok(ours)) => {
            let of = type_name(&ours.of);
            let expected = spark.r#type.clone().unwrap_or_default();
            if of != expected {
                return Some((format!("`{expected}`"), format!("`{of}`")));
            }
            spark.answers.iter().zip(&ours.rows).find_map(|(spark, ours)| differ(spark, ours))
        }
    }
}

fn first(spark: &Recorded) -> String {
    let value = spark.answers.iter().find(|answer| answer.is_array());
    value.map_or_else(String::new, shown)
}

/// How the answers to one row differ.
fn differ(spark: &Value, ours: &Result<Vec<Value>, String>) -> Option<(String, String)> {
    match (spark, ours) {
        (Value::String(_), Err(_)) => None,
        (Value::String(_), Ok(ours)) => Some((shown(spark), shown(&Value::Array(ours.clone())))),
        (_, Err(error)) => Some((shown(spark), format!("error: {error}"))),
        (_, Ok(ours)) => {
            let ours = Value::Array(ours.clone());
            (!same(spark, &ours)).then(|| (shown(spark), shown(&ours)))
        }
    }
}

/// An answer to a row: the value, if it is one, or the class of Spark's error.
fn shown(answer: &Value) -> String {
    match answer {
        Value::String(class) => format!("error: {class}"),
        Value::Array(values) if values.len() == 1 => format!("`{}`", values[0]),
        Value::Array(values) => {
            let values: Vec<String> = values.iter().map(Value::to_string).collect();
            format!("rows `{}`", values.join("`, `"))
        }
        other => other.to_string(),
    }
}
