//! What streamhost answers: planned from SQL and run as a query would run it.

use super::value::value;
use arrow::{
    array::RecordBatch,
    datatypes::{DataType, Schema, SchemaRef},
    json::ReaderBuilder,
};
use connectors::formats::ddl;
use engine::{
    Batch, EpochContext, Origin, OutputMode, Result,
    plan::{Dataflow, Input, Work},
    sql::{Catalog, Outputs, Sql},
};
use serde_json::Value;
use std::{io::Cursor, sync::Arc};

/// The answers of one expression: for each row the values that it makes of it, or the report of an error.
pub(super) struct Answers {
    pub(super) of: DataType,
    pub(super) rows: Vec<Result<Vec<Value>, String>>,
}

/// The rows of a group; one row with one column that nothing names if the group has none.
pub(super) fn rows(schema: &str, lines: &str) -> RecordBatch {
    let schema = if schema.is_empty() { "nothing INT" } else { schema };
    let lines = if lines.is_empty() { "{}" } else { lines };
    let schema = Arc::new(ddl::parse(schema).unwrap());
    let mut reader = ReaderBuilder::new(schema).build(Cursor::new(lines.as_bytes())).unwrap();
    reader.next().unwrap().unwrap()
}

/// Evaluates an expression over each row alone, and over all at once if none of them is an error.
pub(super) async fn scalar(expression: &str, zone: &str, rows: &RecordBatch) -> Result<Answers> {
    let (flow, schema) = planned(expression, zone, rows.schema())?;
    let of = shape(&schema);
    let mut answers = Vec::new();
    for row in 0..rows.num_rows() {
        let answer = run(&flow, rows.slice(row, 1)).await;
        answers.push(answer.map(|rows| values(&rows)).map_err(|e| e.report()));
    }
    if answers.iter().all(Result::is_ok) {
        let all = values(&run(&flow, rows.clone()).await?);
        let one_by_one: Vec<Value> = answers.iter().flatten().flatten().cloned().collect();
        assert_eq!(all, one_by_one, "{expression}: all rows at once, and one by one");
    }
    Ok(Answers { of, rows: answers })
}

fn planned(expression: &str, zone: &str, schema: SchemaRef) -> Result<(Dataflow, SchemaRef)> {
    let catalog = Arc::new(Catalog::new([("t".to_owned(), schema)].into(), zone));
    let planned = Sql::parse(&format!("SELECT {expression} FROM t"))?.plan(catalog)?;
    let mut flow = Dataflow::default();
    let tables = [("t".to_owned(), Outputs::alike(Input::Source(0)))].into();
    planned.add_to(&mut flow, "answer", &tables, &[OutputMode::Append])?;
    Ok((flow, planned.schema()))
}

async fn run(flow: &Dataflow, rows: RecordBatch) -> Result<RecordBatch> {
    let mut batch = Batch { rows, origin: Origin::default() };
    for step in &flow.steps {
        let Work::Stateless(step) = &step.work else { panic!("an expression has no state") };
        let mut out = Vec::new();
        step.worker().await?.process(&EpochContext::alone("expressions"), batch, &mut out).await?;
        batch = out.into_iter().next().unwrap().1;
    }
    Ok(batch.rows)
}

/// The type of the only column, or of all of them together.
pub(super) fn shape(schema: &Schema) -> DataType {
    match &schema.fields()[..] {
        [one] => one.data_type().clone(),
        several => DataType::Struct(several.to_vec().into()),
    }
}

/// The values of the only column, or those of all of them together.
pub(super) fn values(rows: &RecordBatch) -> Vec<Value> {
    let column = match rows.columns() {
        [one] => one.clone(),
        _ => Arc::new(arrow::array::StructArray::from(rows.clone())),
    };
    (0..rows.num_rows()).map(|row| value(&column, row)).collect()
}
