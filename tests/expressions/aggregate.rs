//! Aggregates, as a pipeline answers them in complete mode.

use super::evaluate::{Answers, shape, values};
use arrow::{array::RecordBatch, datatypes::SchemaRef};
use async_trait::async_trait;
use engine::{
    Begin, Begun, EpochWriter, Guarantee, Observer, OutputMode, Partition, Query, QueryId, Result, Sink,
    Stop, Token,
    plan::{Dataflow, NamedSource, Planner},
};
use pipeline::PipelineFile;
use std::{
    fs,
    sync::{Arc, Mutex, OnceLock},
};

/// Evaluates an aggregate over all rows.
pub(super) async fn aggregate(expression: &str, schema: &str, lines: &str) -> Result<Answers> {
    let input = tempfile::tempdir().unwrap();
    fs::write(input.path().join("rows.jsonl"), lines).unwrap();
    let pipeline = toml::toml! {
        trigger = "once"
        parallelism = 2

        [sources.t.files]
        format = "json"

        [steps.answer]

        [sinks.out]
        mode = "complete"
        [sinks.out.noop]
    };
    let mut pipeline = pipeline;
    pipeline["sources"]["t"].as_table_mut().unwrap().insert("schema".into(), schema.into());
    let path = input.path().display().to_string();
    pipeline["sources"]["t"]["files"].as_table_mut().unwrap().insert("path".into(), path.into());
    let sql = format!("SELECT {expression} FROM t");
    pipeline["steps"]["answer"].as_table_mut().unwrap().insert("sql".into(), sql.into());
    let file = Arc::new(PipelineFile::from_table(pipeline)?);
    let mut query = pipeline::query(&file, &tests::conformance::world()?, Arc::new(Quiet))?;
    let seen = Seen::default();
    query.store = Arc::new(engine::checkpoint::MemoryStore::default());
    query.planner = Arc::new(Collecting { planner: query.planner, seen: seen.clone() });
    let ran = Query::run(&query, &Stop::channel().1).await;
    let Some(schema) = seen.schema.get() else { return Err(ran.err().unwrap()) };
    let answer = ran.map(|()| seen.rows.lock().unwrap().iter().flat_map(values).collect());
    Ok(Answers { of: shape(schema), rows: vec![answer.map_err(|e| e.report())] })
}

struct Quiet;

impl Observer for Quiet {}

/// The pipeline, with another sink in the place of its own.
struct Collecting {
    planner: Arc<dyn Planner>,
    seen: Seen,
}

#[async_trait]
impl Planner for Collecting {
    async fn sources(&self) -> Result<Vec<NamedSource>> {
        self.planner.sources().await
    }

    async fn dataflow(&self, schemas: &[SchemaRef]) -> Result<Dataflow> {
        let mut flow = self.planner.dataflow(schemas).await?;
        for named in &mut flow.sinks {
            let _ = self.seen.schema.set(named.schema.clone());
            named.sink = Arc::new(self.seen.clone());
        }
        Ok(flow)
    }
}

/// What came out.
#[derive(Clone, Default)]
struct Seen {
    schema: Arc<OnceLock<SchemaRef>>,
    rows: Arc<Mutex<Vec<RecordBatch>>>,
}

#[async_trait]
impl Sink for Seen {
    fn accepts(&self, _: OutputMode, _: &SchemaRef) -> Result<Guarantee> {
        Ok(Guarantee::BestEffort)
    }

    async fn open(&self, _: &QueryId, _: &str) -> Result<()> {
        Ok(())
    }

    async fn begin(&self, _: &Begin) -> Result<Begun> {
        Ok(Begun::Writer(Box::new(self.clone())))
    }
}

#[async_trait]
impl EpochWriter for Seen {
    async fn write(&self, _: Partition, rows: RecordBatch) -> Result<()> {
        self.rows.lock().unwrap().push(rows);
        Ok(())
    }

    async fn commit(self: Box<Self>) -> Result<Token> {
        Ok(Token::default())
    }
}
