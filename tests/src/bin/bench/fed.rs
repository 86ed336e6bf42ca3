//! Queries over batches in memory: what operators cost, without reading and decoding.

use arrow::{array::RecordBatch, datatypes::SchemaRef};
use async_trait::async_trait;
use bytes::Bytes;
use connectors::noop::NoopSink;
use engine::{
    Batch, BatchStream, CheckpointStore, Error, History, Keyed, Observer, Offset, OutputMode, Place, Planned,
    Port, Progress, Query, QuerySettings, Range, Reach, Restart, Result, Source, SourceFacts, Step, Stop,
    SystemClock, Trigger,
    operators::WatermarkStep,
    plan::{Dataflow, Input, NamedSink, NamedSource, NamedStep, Planner, Work},
    sql::{Catalog, Outputs, Sql},
};
use futures::{StreamExt, stream};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// A source's batches by epoch.
#[derive(Clone)]
pub(crate) struct Table {
    pub(crate) name: &'static str,
    pub(crate) epochs: Arc<Vec<Vec<RecordBatch>>>,
    /// The column of event time, and the watermark's delay.
    pub(crate) watermark: Option<(&'static str, Duration)>,
}

/// A query over tables in memory, whose rows go nowhere.
pub(crate) struct Fed {
    pub(crate) tables: Vec<Table>,
    pub(crate) what: What,
    pub(crate) mode: OutputMode,
}

/// What is done with the rows.
pub(crate) enum What {
    Sql(String),
    /// With those of the first table.
    Keyed(Arc<dyn Keyed>),
}

/// What the epochs of a run said.
#[derive(Default)]
pub(crate) struct Said(Mutex<Vec<Progress>>);

impl Said {
    pub(crate) fn take(&self) -> Vec<Progress> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Observer for Said {
    fn progress(&self, progress: &Progress) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(progress.clone());
    }
}

impl Fed {
    /// Runs all epochs that `store` does not have yet, in one partition; answers what each said.
    pub(crate) async fn run(self, store: Arc<dyn CheckpointStore>) -> Result<Vec<Progress>> {
        let said = Arc::new(Said::default());
        let none = Restart { attempts: 0, first: Duration::ZERO, longest: Duration::ZERO };
        let query = Query {
            settings: QuerySettings {
                name: "bench".into(),
                trigger: Trigger::AvailableNow,
                parallelism: 1,
                retain_epochs: 2,
                restart: none,
                stop_timeout: Duration::from_secs(30),
                max_state: u64::MAX,
            },
            planner: Arc::new(self),
            store,
            clock: Arc::new(SystemClock::new()),
            observer: said.clone(),
            audit: None,
        };
        query.run(&Stop::channel().1).await?;
        Ok(said.take())
    }
}

#[async_trait]
impl Planner for Fed {
    async fn sources(&self) -> Result<Vec<NamedSource>> {
        let source = |table: &Table| NamedSource {
            name: table.name.to_owned(),
            source: Arc::new(table.clone()),
            idle_after: None,
        };
        Ok(self.tables.iter().map(source).collect())
    }

    async fn dataflow(&self, schemas: &[SchemaRef]) -> Result<Dataflow> {
        let mut flow = Dataflow::default();
        let (mut columns, mut inputs) = (BTreeMap::new(), BTreeMap::new());
        for (at, (table, schema)) in self.tables.iter().zip(schemas).enumerate() {
            let (mut schema, mut input) = (schema.clone(), Input::Source(at));
            if let Some((column, delay)) = table.watermark {
                let step = WatermarkStep::new(&schema, column, delay)?;
                schema = step.ports().first().map_or(schema, |Port { schema, .. }| schema.clone());
                let name = format!("{}.watermark", table.name);
                flow.steps.push(NamedStep {
                    name,
                    inputs: vec![input],
                    work: Work::Stateless(Arc::new(step)),
                });
                input = Input::Step { step: flow.steps.len() - 1, port: 0 };
            }
            columns.insert(table.name.to_owned(), schema);
            inputs.insert(table.name.to_owned(), Outputs::alike(input));
        }
        let (input, schema) = match &self.what {
            What::Sql(sql) => {
                let planned = Sql::parse(sql)?.plan(Arc::new(Catalog::new(columns, "UTC")))?;
                let (outputs, _) = planned.add_to(&mut flow, "q", &inputs, &[self.mode])?;
                (outputs.of(self.mode)?, planned.schema())
            }
            What::Keyed(step) => {
                let of = self.tables.first().and_then(|table| inputs.get(table.name));
                let from = of.ok_or_else(|| Error::internal("no table"))?.of(self.mode)?;
                let schema = step.ports().first().map(|port| port.schema.clone());
                let work = Work::Keyed(step.clone());
                flow.steps.push(NamedStep { name: "q".into(), inputs: vec![from], work });
                let schema = schema.ok_or_else(|| Error::internal("nothing leaves the step"))?;
                (Input::Step { step: flow.steps.len() - 1, port: 0 }, schema)
            }
        };
        let (name, description) = ("none".into(), "none".into());
        flow.sinks.push(NamedSink {
            name,
            description,
            input,
            schema,
            mode: self.mode,
            sink: Arc::new(NoopSink),
        });
        Ok(flow)
    }
}

#[async_trait]
impl Source for Table {
    fn facts(&self) -> SourceFacts {
        SourceFacts {
            description: self.name.to_owned(),
            identity: self.name.to_owned(),
            replayable: true,
            needs_history: false,
            consumes: false,
        }
    }

    fn schema(&self, _: Option<&Range>) -> Result<SchemaRef> {
        let first = self.epochs.iter().flatten().next();
        first.map(RecordBatch::schema).ok_or_else(|| Error::internal("a table without rows"))
    }

    async fn restore(&self, _: History, _: Reach) -> Result<()> {
        Ok(())
    }

    async fn latest(&self, start: Option<&Offset>) -> Result<Option<Planned>> {
        let next = start.and_then(|Offset(at)| at.as_u64()).unwrap_or(0);
        let range = Range { start: start.cloned(), end: Offset(json!(next + 1)), detail: Value::Null };
        Ok((next < self.epochs.len() as u64).then_some(Planned { range, backlog: 0 }))
    }

    async fn wait(&self) {
        std::future::pending().await
    }

    async fn read(&self, range: &Range, _: usize) -> Result<Vec<BatchStream>> {
        let epoch = range.end.0.as_u64().unwrap_or(1) as usize - 1;
        let batches = self.epochs.get(epoch).cloned().unwrap_or_default();
        Ok(vec![stream::iter(batches.into_iter().map(|rows| Ok(Batch::read(rows, Place::Epoch)))).boxed()])
    }

    async fn release(&self, _: &Range) -> Result<Option<Bytes>> {
        Ok(None)
    }
}
