use crate::{
    Batch, EpochContext, Error, Origin, OutputMode, Result, Table, Wanted,
    plan::{Dataflow, Input, NamedTable, Work},
    sql::{Catalog, Outputs, Planned, Sql},
};
use arrow::{
    array::{Array, ArrayRef, AsArray, Int32Array, RecordBatch, StringArray},
    datatypes::{DataType, Field, Int32Type, Schema, SchemaRef},
};
use async_trait::async_trait;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

type Row = (Option<i32>, &'static str);

fn schema(prefix: &str) -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new(format!("{prefix}k"), DataType::Int32, true),
        Field::new(format!("{prefix}a"), DataType::Utf8, true),
    ]))
}

fn batch(prefix: &str, rows: &[Row]) -> RecordBatch {
    let columns: [ArrayRef; 2] = [
        Arc::new(rows.iter().map(|row| row.0).collect::<Int32Array>()),
        Arc::new(rows.iter().map(|row| Some(row.1)).collect::<StringArray>()),
    ];
    RecordBatch::try_new(schema(prefix), columns.into()).unwrap()
}

/// The table `t` of `tk` and `ta`. Its version is how often it was written; the rows of the last one alone are there.
#[derive(Default)]
struct Written(Mutex<Vec<Vec<Row>>>);

impl Written {
    fn write(&self, rows: &[Row]) {
        self.0.lock().unwrap().push(rows.to_vec());
    }
}

#[async_trait]
impl Table for Written {
    fn schema(&self) -> SchemaRef {
        schema("t")
    }

    async fn version(&self) -> Result<Value> {
        Ok(json!(self.0.lock().unwrap().len()))
    }

    async fn read(&self, version: &Value) -> Result<Vec<RecordBatch>> {
        let written = self.0.lock().unwrap();
        match written.last() {
            Some(rows) if *version == json!(written.len()) => Ok(vec![batch("t", rows)]),
            _ => Err(Error::data("written to meanwhile")),
        }
    }
}

/// A query over the table, and the streams `s` and `z`.
fn planned(sql: &str, table: &Arc<NamedTable>) -> Result<Planned> {
    let tables: BTreeMap<String, SchemaRef> = ["s", "z"].map(|name| (name.to_owned(), schema(name))).into();
    Ok(Sql::parse(sql)?.plan(Arc::new(Catalog::new(tables, "UTC").with_tables([table.clone()])))?)
}

fn flow(sql: &str, table: &Arc<NamedTable>, mode: OutputMode) -> Result<Dataflow> {
    let inputs = [("s", 0), ("z", 1)].map(|(name, at)| (name.to_owned(), Outputs::alike(Input::Source(at))));
    let mut flow = Dataflow::default();
    planned(sql, table)?.add_to(&mut flow, "joined", &inputs.into(), &[mode])?;
    Ok(flow)
}

/// What comes of rows of the stream `s`, of `sk` and `sa`.
async fn joined(flow: &Dataflow, rows: &[Row]) -> Vec<String> {
    let [step] = &flow.steps[..] else { panic!("one step: it works batch by batch") };
    let Work::Stateless(step) = &step.work else { panic!("a join with a table has no state") };
    let input = Batch { rows: batch("s", rows), origin: Origin::default() };
    let mut out = Vec::new();
    step.worker().await.unwrap().process(&EpochContext::alone("q"), input, &mut out).await.unwrap();
    out.iter().flat_map(|(_, batch)| texts(&batch.rows)).collect()
}

fn texts(rows: &RecordBatch) -> Vec<String> {
    let cell = |column: &ArrayRef, row: usize| match column.data_type() {
        _ if column.is_null(row) => "-".to_owned(),
        DataType::Int32 => column.as_primitive::<Int32Type>().value(row).to_string(),
        _ => column.as_string::<i32>().value(row).to_owned(),
    };
    let text = |row| rows.columns().iter().map(|column| cell(column, row)).collect::<Vec<_>>().join(" ");
    (0..rows.num_rows()).map(text).collect()
}

const STREAM: [Row; 4] = [(Some(1), "a"), (Some(3), "b"), (None, "c"), (Some(2), "d")];
const TABLE: [Row; 4] = [(Some(2), "x"), (Some(1), "y"), (None, "z"), (Some(2), "w")];

async fn with_table(sql: &str) -> Vec<String> {
    let written = Arc::new(Written::default());
    written.write(&TABLE);
    let table = Arc::new(NamedTable::new("t", written));
    assert!(!planned(sql, &table).unwrap().remembers());
    let flow = flow(sql, &table, OutputMode::Append).unwrap();
    assert_eq!(flow.tables.len(), 1);
    table.refresh().await.unwrap();
    joined(&flow, &STREAM).await
}

#[tokio::test]
async fn each_row_of_the_stream_comes_with_those_of_the_table_in_its_place() {
    assert_eq!(with_table("SELECT * FROM s JOIN t ON sk = tk").await, ["1 a 1 y", "2 d 2 x", "2 d 2 w"]);
    assert_eq!(
        with_table("SELECT * FROM s LEFT JOIN t ON sk = tk AND ta <> 'x'").await,
        ["1 a 1 y", "3 b - -", "- c - -", "2 d 2 w"]
    );
    assert_eq!(
        with_table("SELECT * FROM s JOIN t ON sk <=> tk WHERE ta < 'z'").await,
        ["1 a 1 y", "2 d 2 x", "2 d 2 w"]
    );
    assert_eq!(with_table("SELECT sa, ta FROM s JOIN t ON sk <=> tk WHERE sk IS NULL").await, ["c z"]);
}

#[tokio::test]
async fn a_table_may_say_which_rows_stay() {
    assert_eq!(with_table("SELECT sa FROM s LEFT SEMI JOIN t ON sk = tk").await, ["a", "d"]);
    assert_eq!(with_table("SELECT sa FROM s LEFT ANTI JOIN t ON sk = tk").await, ["b", "c"]);
    assert_eq!(with_table("SELECT sa FROM s WHERE sk IN (SELECT tk FROM t WHERE ta = 'y')").await, ["a"]);
    assert_eq!(
        with_table("SELECT sa FROM s WHERE NOT EXISTS (SELECT 1 FROM t WHERE sk = tk)").await,
        ["b", "c"]
    );
}

#[tokio::test]
async fn what_is_asked_of_the_table_first_is_done_before_it_is_joined() {
    let sql = "SELECT sa, upper FROM s JOIN (SELECT tk + 1 AS k, upper(ta) AS upper FROM t WHERE ta <> 'w') x ON sk = k";
    assert_eq!(with_table(sql).await, ["b X", "d Y"]);
}

#[tokio::test]
async fn more_pairs_than_are_looked_at_together_all_come_out() {
    let written = Arc::new(Written::default());
    written.write(&[(Some(1), "x"); 100]);
    let table = Arc::new(NamedTable::new("t", written));
    let flow =
        flow("SELECT sa FROM s LEFT JOIN t ON sk = tk AND sa <> ta", &table, OutputMode::Append).unwrap();
    table.refresh().await.unwrap();
    assert_eq!(joined(&flow, &[(Some(1), "a"); 100]).await.len(), 10_000);
}

#[tokio::test]
async fn a_version_is_held_until_it_is_refreshed() {
    let written = Arc::new(Written::default());
    let table = Arc::new(NamedTable::new("t", written.clone()));
    let flow = flow("SELECT ta FROM s JOIN t ON sk = tk", &table, OutputMode::Append).unwrap();
    written.write(&[(Some(1), "old")]);
    let first = table.refresh().await.unwrap();
    written.write(&[(Some(1), "new")]);
    table.hold(&first).await.unwrap();
    assert_eq!(joined(&flow, &[(Some(1), "a")]).await, ["old"]);
    assert_ne!(table.refresh().await.unwrap(), first);
    assert_eq!(joined(&flow, &[(Some(1), "a")]).await, ["new"]);
    assert_eq!(table.hold(&first).await.unwrap_err().report(), "table `t`: written to meanwhile");
}

#[test]
fn only_those_columns_of_the_stream_are_asked_for_that_are_used() {
    let table = Arc::new(NamedTable::new("t", Arc::new(Written::default())));
    for (sql, used) in [
        ("SELECT ta FROM s JOIN t ON sk = tk", vec![0]),
        ("SELECT sa, ta FROM s LEFT JOIN t ON sk = tk", vec![0, 1]),
        ("SELECT sk FROM s LEFT SEMI JOIN t ON sk = tk", vec![0]),
        ("SELECT sk FROM s JOIN t ON sk = tk AND sa < ta", vec![0, 1]),
        ("SELECT * FROM s JOIN t ON sk = tk", vec![0, 1]),
    ] {
        let flow = flow(sql, &table, OutputMode::Append).unwrap();
        let Work::Stateless(step) = &flow.steps[0].work else { panic!("a join with a table has no state") };
        let reads = step.reads(&[Wanted::All]);
        let reads: Vec<usize> = (0..2).filter(|column| reads.has(*column)).collect();
        assert_eq!(reads, used, "{sql}");
    }
}

#[test]
fn what_cannot_be_joined_with_a_table_is_refused_with_what_would_work() {
    let table = Arc::new(NamedTable::new("t", Arc::new(Written::default())));
    for (sql, says) in [
        ("SELECT * FROM s RIGHT JOIN t ON sk = tk", "use INNER or LEFT JOIN"),
        ("SELECT * FROM s FULL JOIN t ON sk = tk", "use INNER or LEFT JOIN"),
        ("SELECT * FROM s CROSS JOIN t", "by equal keys"),
        ("SELECT * FROM t JOIN s ON sk = tk", "put a source or step on the left"),
        ("SELECT * FROM t", "put a source or step on the left"),
        ("SELECT sa FROM s WHERE sk NOT IN (SELECT tk FROM t)", "use NOT EXISTS"),
        ("SELECT sa FROM s JOIN (SELECT tk FROM t WHERE now() > '2025-01-01') x ON sk = tk", "behind ON"),
    ] {
        let said = flow(sql, &table, OutputMode::Append).map(drop).unwrap_err().report();
        assert!(said.contains(says), "{sql}: {said}");
    }
    assert!(flow("SELECT * FROM s JOIN t ON sk = tk", &table, OutputMode::Update).is_ok());
    let both = "SELECT * FROM s JOIN z ON sk = zk JOIN t ON sk = tk";
    assert!(planned(both, &table).unwrap().remembers());
    assert_eq!(flow(both, &table, OutputMode::Append).unwrap().keyed().count(), 1);
}
