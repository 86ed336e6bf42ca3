//! Rows in, rows out: the tests of a pipeline.
//!
//! Each test runs the pipeline's own steps over given rows, with sources and sinks in memory, until the watermark that they
//! leave behind makes nothing final any more. A source is only made, and its place looked at, if neither the pipeline nor the
//! test tells its columns.

use crate::{
    assemble::{Assembled, Reader},
    compare::{compare, expected, value},
    file::{self, PipelineFile},
    graph::Upstream,
    planner::Planner,
    settings::{self, Given, Pipeline, Test},
    world::World,
};
use arrow::{
    array::RecordBatch,
    datatypes::{DataType, Field, Schema, SchemaRef},
};
use async_trait::async_trait;
use connectors::{
    files::FileFormat,
    given,
    source::{SchemaOption, SourceOptions},
};
use engine::{
    Batch, Begin, Begun, Clock, EpochWriter, Error, Guarantee, History, Kind, Observer, Offset, OutputMode,
    Partition, Place, Planned, Query, QueryId, QuerySettings, Range, Reach, Restart, Result, ResultExt, Sink,
    Source, SourceFacts, Stop, Table, Token, Trigger,
    checkpoint::MemoryStore,
    plan::{self, Dataflow, NamedSink, NamedSource, Planner as _},
};
use futures::{StreamExt, stream};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// How one test went.
pub struct Outcome {
    /// The test's sentence.
    pub name: String,
    /// A line for each difference, none if it passed; or why it could not run.
    pub differences: Result<Vec<String>>,
}

/// Runs every test of a pipeline: those of its file, then those of `<file>.tests.toml` beside it, if there is one.
pub async fn run(file: Arc<PipelineFile>, world: &World) -> Result<Vec<Outcome>> {
    let mut outcomes = Vec::new();
    for written in all(&file)? {
        let differences = one(&file, &written.test, world).await.map_err(|e| written.locate(&file, e));
        outcomes.push(Outcome { name: written.test.name, differences });
    }
    Ok(outcomes)
}

/// Finds what would keep the tests of a pipeline from running, without running them: parts that are not there, rows that
/// cannot be read. The error, of kind [`Kind::Invalid`], has a line for each test in which something is wrong.
pub async fn check(file: &Arc<PipelineFile>, world: &World) -> Result<()> {
    let mut problems = Vec::new();
    for written in all(file)? {
        if let Err(error) = could_run(file, &written.test, world).await {
            problems.push(written.locate(file, error).report());
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(Error::invalid(problems.join("\n"))) }
}

/// A test, and where it stands.
struct Written {
    test: Test,
    /// Its number in the file that it is in.
    number: usize,
    /// The file beside the pipeline's, and what it says; none for the pipeline's own.
    beside: Option<(PathBuf, Arc<str>)>,
}

impl Written {
    fn locate(&self, file: &PipelineFile, error: Error) -> Error {
        let error = error.while_doing(format!("test `{}`", self.test.name));
        let key = ["tests", &self.number.to_string()];
        match &self.beside {
            Some((path, text)) => file::locate(path, text, &key, error),
            None => file.locate(&key, error),
        }
    }
}

fn all(file: &PipelineFile) -> Result<Vec<Written>> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Beside {
        tests: Vec<Test>,
    }
    let own = file.settings.tests.iter().cloned().enumerate();
    let mut tests: Vec<Written> = own.map(|(number, test)| Written { test, number, beside: None }).collect();
    let beside =
        file.path.as_ref().map(|path| path.with_extension("tests.toml")).filter(|path| path.exists());
    if let Some(path) = beside {
        let doing = || format!("reading the tests in {}", path.display());
        let text: Arc<str> = std::fs::read_to_string(&path).doing(Kind::Invalid, doing)?.into();
        let Beside { tests: more } = file::parse(&path, &text)?;
        let beside = Some((path, text));
        let more = more.into_iter().enumerate();
        tests.extend(more.map(|(number, test)| Written { test, number, beside: beside.clone() }));
    }
    Ok(tests)
}

/// A test that compares nothing passes whatever the pipeline does.
fn expects_something(test: &Test) -> Result<()> {
    if !test.expect.is_empty() {
        return Ok(());
    }
    Err(Error::invalid(
        "it expects nothing; name a step, source or side output under `expect`, with its rows, or with '' for none",
    ))
}

async fn could_run(file: &Arc<PipelineFile>, test: &Test, world: &World) -> Result<()> {
    expects_something(test)?;
    let planner = Planner::new(file.clone(), world.clone())?;
    Scene::new(file, test, planner).await?.dataflow(&[]).await?;
    for (name, rows) in &test.expect {
        let rows = expected(rows).into_iter().try_for_each(|row| value(row).map(drop));
        rows.map_err(|e| e.while_doing(format!("rows expected of `{name}`")))?;
    }
    Ok(())
}

async fn one(file: &Arc<PipelineFile>, test: &Test, world: &World) -> Result<Vec<String>> {
    expects_something(test)?;
    let planner = Planner::new(file.clone(), world.clone())?;
    let scene = Scene::new(file, test, planner).await?;
    let collected = scene.collected.clone();
    let query = Query {
        settings: QuerySettings {
            name: test.name.clone(),
            trigger: Trigger::AvailableNow,
            parallelism: 1,
            retain_epochs: 1,
            restart: Restart { attempts: 0, first: Duration::ZERO, longest: Duration::ZERO },
            stop_timeout: Duration::from_secs(30),
            max_state: engine::MAX_STATE,
        },
        planner: Arc::new(scene),
        store: Arc::new(MemoryStore::default()),
        clock: world.clock.clone() as Arc<dyn Clock>,
        audit: None,
        observer: Arc::new(Silent),
    };
    query.run(&Stop::channel().1).await?;
    let mut differences = Vec::new();
    for ((name, expected), rows) in test.expect.iter().zip(collected) {
        differences.extend(compare(name, expected, &rows.take())?);
    }
    Ok(differences)
}

struct Silent;
impl Observer for Silent {}

/// A pipeline whose sources hold the test's rows, and whose sinks collect what the test looks at.
struct Scene {
    planner: Planner,
    sources: Vec<NamedSource>,
    schemas: Vec<SchemaRef>,
    /// Step index → the source that replaces its input.
    injected: Vec<(usize, usize)>,
    /// What each expectation looks at, in order.
    watched: Vec<(String, Upstream)>,
    collected: Vec<Collected>,
}

impl Scene {
    async fn new(file: &PipelineFile, test: &Test, planner: Planner) -> Result<Self> {
        let mut scene = Scene {
            planner,
            sources: Vec::new(),
            schemas: Vec::new(),
            injected: Vec::new(),
            watched: Vec::new(),
            collected: Vec::new(),
        };
        for (name, table) in &file.settings.tables {
            if let Some(rows) = test.input.get(name) {
                scene.give_table(name, table, &rows.all()).map_err(|e| e.while_doing(rows_of(name)))?;
            }
        }
        for (name, settings) in &file.settings.sources {
            let rows = test.input.get(name);
            scene.give_source(name, settings, rows).await.map_err(|e| e.while_doing(rows_of(name)))?;
        }
        scene.give_steps(file, test).await?;
        for name in test.expect.keys() {
            scene.watched.push((name.clone(), watched(file, name)?));
            scene.collected.push(Collected::default());
        }
        Ok(scene)
    }

    /// Puts rows in the place of a source.
    async fn give_source(
        &mut self,
        name: &str,
        source: &settings::Source,
        rows: Option<&Given>,
    ) -> Result<()> {
        let options = self.planner.options(source);
        let columns = match known_columns(source, &options, rows.map(Given::all).as_deref())? {
            Some(columns) => columns,
            None => real_columns(&*self.planner.source(name, source)?).await?,
        };
        let epochs = rows.map(Given::epochs).unwrap_or_default().iter();
        let epochs = epochs.map(|rows| given::read(rows, &columns, &options)).collect::<Result<_>>()?;
        self.give(name, columns, epochs);
        Ok(())
    }

    /// Puts rows in the place of a table's files.
    fn give_table(&mut self, name: &str, table: &settings::Table, rows: &str) -> Result<()> {
        let options = self.planner.table_options(table)?;
        let columns = given::columns(rows, &options)?;
        let columns = match &table.files {
            Some(files) => files.with_metadata(&files.without_metadata(&columns)),
            None => Arc::new(columns),
        };
        let rows = given::read(rows, &columns, &options)?;
        self.planner.give_table(name, Arc::new(Rows { schema: columns, epochs: vec![rows] }));
        Ok(())
    }

    /// Puts rows in the place of what steps would read.
    async fn give_steps(&mut self, file: &PipelineFile, test: &Test) -> Result<()> {
        let of_sources = self.schemas.clone();
        let inputs = self.planner.inputs(&of_sources).await?;
        let Pipeline { sources, tables, .. } = &file.settings;
        let given = |name: &String| sources.contains_key(name) || tables.contains_key(name);
        for (name, rows) in test.input.iter().filter(|(name, _)| !given(name)) {
            let step = file.settings.steps.get_index_of(name).ok_or_else(|| unknown(file, name))?;
            let input = inputs.get(step).cloned();
            let input = input.unwrap_or_else(|| Arc::new(Schema::empty()));
            let epochs = rows.epochs().iter();
            let epochs = epochs.map(|rows| given::exact(rows, &input, self.planner.time_zone()));
            let epochs: Result<Vec<_>> = epochs.collect();
            let epochs = epochs.map_err(|e| e.while_doing(rows_of(name)))?;
            self.injected.push((step, self.sources.len()));
            self.give(name, input, epochs);
        }
        Ok(())
    }

    fn give(&mut self, name: &str, schema: SchemaRef, epochs: Vec<RecordBatch>) {
        self.schemas.push(schema.clone());
        let source = Arc::new(Rows { schema, epochs });
        self.sources.push(NamedSource { name: name.to_owned(), source, idle_after: None });
    }
}

fn rows_of(name: &str) -> String {
    format!("input rows of `{name}`")
}

/// The columns of a source as far as they can be told without making it.
fn known_columns(
    source: &settings::Source,
    options: &SourceOptions,
    rows: Option<&str>,
) -> Result<Option<SchemaRef>> {
    let named = matches!(source.schema, Some(SchemaOption::Ddl(_)));
    let schema = match rows {
        // It has other columns than those of its data.
        _ if source.rate.is_some() || source.kafka.is_some() => return Ok(None),
        _ if named => given::columns(rows.unwrap_or_default(), options)?,
        _ if is_text(source) => Schema::new(vec![Field::new("value", DataType::Utf8, true)]),
        Some(rows) => given::columns(rows, options)?,
        None => return Ok(None),
    };
    Ok(Some(match &source.files {
        Some(files) => files.with_metadata(&files.without_metadata(&schema)),
        None => Arc::new(schema),
    }))
}

/// Whether it reads text, whose one column has its name and type from there.
fn is_text(source: &settings::Source) -> bool {
    let (files, socket, stdin) = (&source.files, &source.socket, &source.stdin);
    let of_files = files.as_ref().and_then(|f| f.format.or_else(|| FileFormat::of(&f.path)));
    let of_lines = socket.as_ref().map(|s| s.format).or(stdin.as_ref().map(|s| s.format));
    of_files.or(of_lines.map(|format| format.unwrap_or(FileFormat::Text))) == Some(FileFormat::Text)
}

async fn real_columns(source: &dyn Source) -> Result<SchemaRef> {
    source.restore(History::default(), Reach::Once).await?;
    source.schema(None)
}

fn unknown(file: &PipelineFile, name: &str) -> Error {
    let Pipeline { sources, tables, steps, .. } = &file.settings;
    let there = sources.keys().chain(tables.keys()).chain(steps.keys());
    let there: Vec<&str> = there.map(String::as_str).collect();
    Error::invalid(format!("there is no source, table or step `{name}`; there are: {}", there.join(", ")))
}

fn watched(file: &PipelineFile, name: &str) -> Result<Upstream> {
    let (part, output) = match name.split_once('.') {
        Some((part, output)) => (part, Some(output.to_owned())),
        None => (name, None),
    };
    let step = file.settings.steps.get_index_of(part).map(|step| Upstream::Step(step, output));
    step.or_else(|| file.settings.sources.get_index_of(name).map(Upstream::Source))
        .ok_or_else(|| unknown(file, name))
}

#[async_trait]
impl plan::Planner for Scene {
    async fn sources(&self) -> Result<Vec<NamedSource>> {
        Ok(self.sources.clone())
    }

    async fn dataflow(&self, _: &[SchemaRef]) -> Result<Dataflow> {
        let readers = self.watched.iter().map(|(name, upstream)| Reader {
            name: name.clone(),
            upstream: upstream.clone(),
            mode: self.planner.mode_of(upstream),
        });
        let readers: Vec<_> = readers.collect();
        let Assembled { mut flow, read, .. } =
            self.planner.assemble(&self.schemas, &self.injected, &readers).await?;
        for (((name, _), rows), (reader, (input, schema))) in
            self.watched.iter().zip(&self.collected).zip(readers.into_iter().zip(read))
        {
            flow.sinks.push(NamedSink {
                name: name.clone(),
                description: "test".into(),
                input,
                schema,
                mode: reader.mode,
                sink: Arc::new(rows.clone()),
            });
        }
        Ok(flow)
    }
}

/// A source or a table of given rows: those of each epoch.
struct Rows {
    schema: SchemaRef,
    epochs: Vec<RecordBatch>,
}

#[async_trait]
impl Table for Rows {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    async fn version(&self) -> Result<Value> {
        Ok(Value::Null)
    }

    async fn read(&self, _: &Value) -> Result<Vec<RecordBatch>> {
        Ok(self.epochs.clone())
    }
}

#[async_trait]
impl Source for Rows {
    fn facts(&self) -> SourceFacts {
        SourceFacts {
            description: "test rows".into(),
            identity: "test rows".into(),
            replayable: true,
            needs_history: false,
            consumes: false,
        }
    }

    fn schema(&self, _: Option<&Range>) -> Result<SchemaRef> {
        Ok(self.schema.clone())
    }

    async fn restore(&self, _: History, _: Reach) -> Result<()> {
        Ok(())
    }

    async fn latest(&self, start: Option<&Offset>) -> Result<Option<Planned>> {
        let next = start.and_then(|done| done.0.as_u64()).unwrap_or(0) + 1;
        let range = Range { start: start.cloned(), end: Offset(json!(next)), detail: Value::Null };
        Ok((next <= self.epochs.len() as u64).then_some(Planned { range, backlog: 0 }))
    }

    async fn wait(&self) {
        std::future::pending().await
    }

    async fn read(&self, range: &Range, _: usize) -> Result<Vec<engine::BatchStream>> {
        let before = range.start.as_ref().and_then(|done| done.0.as_u64()).unwrap_or(0) as usize;
        let rows = |epochs: &[RecordBatch]| epochs.iter().map(|rows| rows.num_rows() as u64).sum::<u64>();
        let first = 1 + rows(self.epochs.get(..before).unwrap_or_default());
        let place = Place::At { of: "test".into(), unit: "row", first };
        let batch = self.epochs.get(before).map(|rows| Ok(Batch::read(rows.clone(), place)));
        Ok(vec![stream::iter(batch).boxed()])
    }

    async fn release(&self, _: &Range) -> Result<Option<bytes::Bytes>> {
        Ok(None)
    }
}

/// A sink that keeps what it is given.
#[derive(Clone, Default)]
struct Collected(Arc<Mutex<Vec<RecordBatch>>>);

impl Collected {
    fn take(&self) -> Vec<RecordBatch> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[async_trait]
impl Sink for Collected {
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
impl EpochWriter for Collected {
    async fn write(&self, _: Partition, rows: RecordBatch) -> Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(rows);
        Ok(())
    }

    async fn commit(self: Box<Self>) -> Result<Token> {
        Ok(Token::default())
    }
}
