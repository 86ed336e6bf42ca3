//! From settings to sources, steps and sinks.

mod plugins;

use crate::{
    assemble::{Assembled, Reader},
    bound::{BoundPlugin, Terms},
    directories,
    file::PipelineFile,
    follow::Follower,
    releases::Releases,
    secrets::Secrets,
    settings::{self, Leaf, OnError, Pipeline, Sink, Source, Step, Table, Trigger},
    shadow::Shadow,
    table::FileTable,
    world::{Unread, World},
};
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use connectors::{
    console::ConsoleSink,
    delta::{self, DeltaSettings, DeltaSinkOptions, DeltaSinkSettings, DeltaTableSettings},
    files::{
        FileSource,
        sink::{FileSink, FileSinkOptions},
    },
    formats::ddl,
    kafka::{self, KafkaSinkOptions},
    memory::MemorySink,
    noop::NoopSink,
    rate::RateSource,
    socket::SocketSource,
    source::{SchemaOption, SourceOptions},
    sql::{self, SqlSinkOptions, SqlSinkSettings},
    stdin::StdinSource,
    stdout::StdoutSink,
    units::{ByteSize, Interval},
};
use engine::{
    Error, OutputMode, Result,
    plan::{Dataflow, NamedSink, NamedSource, NamedTable, Renewed},
    sql::SqlError,
};
use jiff::tz::TimeZone;
use plugin::{BindSettings, Plugin};
use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio::sync::Mutex;

/// Makes the parts of a pipeline's query.
pub struct Planner {
    file: Arc<PipelineFile>,
    world: World,
    time_zone: TimeZone,
    /// Loaded plugins by path, so that a restart or a second step does not load them again.
    plugins: Mutex<HashMap<PathBuf, Arc<Plugin>>>,
    /// Which versions of the registry's plugins these are.
    releases: Arc<Releases>,
    follower: Follower,
    /// What is to run beside a step; and, once that is bound, its plugin.
    shadow: Option<Arc<Shadow>>,
    beside: std::sync::Mutex<Option<BoundPlugin>>,
    /// Tables whose rows are given: their files are not looked at.
    given: HashMap<String, Arc<dyn engine::Table>>,
}

impl Planner {
    /// A planner for `file`; nothing is opened yet.
    pub fn new(file: Arc<PipelineFile>, world: World) -> Result<Self> {
        let time_zone = time_zone(&file)?;
        let releases = Arc::new(plugins::releases(&file, &world));
        let follower = Follower::new(releases.clone(), world.runtime.clone(), world.clock.clone());
        let (plugins, given) = (Mutex::default(), HashMap::new());
        let (shadow, beside) = (None, std::sync::Mutex::default());
        Ok(Planner { file, world, time_zone, plugins, releases, follower, shadow, beside, given })
    }

    /// Puts `table` in the place of the one that the file calls so.
    pub(crate) fn give_table(&mut self, name: &str, table: Arc<dyn engine::Table>) {
        self.given.insert(name.to_owned(), table);
    }

    /// Where those are told of the functions who ask the query's tables.
    pub(crate) fn live_functions(&self) -> &engine::LiveFunctions {
        &self.world.functions
    }

    /// The zone of times that name none.
    pub(crate) fn time_zone(&self) -> &TimeZone {
        &self.time_zone
    }

    /// What `secret:name` and the names of connections stand for.
    pub(crate) fn secrets(&self) -> Secrets<'_> {
        let environment = &self.world.environment;
        Secrets { pipeline: &self.file.settings, folder: &self.file.folder, environment }
    }

    /// What all sources have in common, for this one.
    pub(crate) fn options(&self, source: &Source) -> SourceOptions {
        SourceOptions {
            schema: source.schema.clone(),
            max_per_trigger: source.max_per_trigger,
            on_bad_data: source.on_bad_data,
            rescue: source.rescue.clone(),
            evolve: source.evolve,
            time_zone: self.time_zone.clone(),
            environment: self.world.environment.clone(),
        }
    }

    /// The source of this name, with these settings.
    pub(crate) fn source(&self, name: &str, source: &Source) -> Result<Arc<dyn engine::Source>> {
        let options = SourceOptions { environment: self.secrets().stores()?, ..self.options(source) };
        let clock = self.world.clock.clone();
        if let Some(files) = &source.files {
            return Ok(Arc::new(FileSource::new(name, self.file.resolved(files), options, clock)?));
        }
        if let Some(socket) = &source.socket {
            return Ok(Arc::new(SocketSource::new(name, socket.clone(), options, clock)?));
        }
        if let Some(stdin) = &source.stdin {
            return Ok(Arc::new(StdinSource::new(name, stdin.clone(), options, clock)?));
        }
        if let Some(sql) = &source.sql {
            return sql::source(sql.clone(), &self.secrets().connection(&sql.connection)?, options, clock);
        }
        if let Some(delta) = &source.delta {
            let delta = DeltaSettings { path: self.file.resolve(&delta.path), ..delta.clone() };
            return delta::source(name, delta, options, clock, &self.secrets().stores()?);
        }
        if let Some(kafka) = &source.kafka {
            return kafka::source(
                &self.file.name(),
                name,
                kafka.resolved(|value| self.secrets().text(value))?,
                options,
                clock,
            );
        }
        let rate = source.rate.clone().unwrap_or_default();
        Ok(Arc::new(RateSource::new(rate, options, clock)?))
    }

    /// What a table has in common with sources.
    pub(crate) fn table_options(&self, table: &Table) -> Result<SourceOptions> {
        let (schema, on_bad_data) = (table.schema.clone(), table.on_bad_data);
        let options = self.options(&Source { schema, on_bad_data, ..Source::default() });
        Ok(SourceOptions { environment: self.secrets().stores()?, ..options })
    }

    /// The table of this name.
    pub(crate) async fn table(&self, name: &str, table: &Table) -> Result<Arc<NamedTable>> {
        if let Some(given) = self.given.get(name) {
            return Ok(Arc::new(NamedTable::new(name, given.clone())));
        }
        let made = self.rows_of(name, table).await;
        Ok(Arc::new(NamedTable::new(name, made.map_err(|e| self.of("table", name, e))?)))
    }

    async fn rows_of(&self, name: &str, table: &Table) -> Result<Arc<dyn engine::Table>> {
        let (options, clock) = (self.table_options(table)?, self.world.clock.clone());
        if let Some(sql) = &table.sql {
            let connection = self.secrets().connection(&sql.connection)?;
            return sql::table(sql, &connection, options, clock).await;
        }
        if let Some(delta) = &table.delta {
            let delta = DeltaTableSettings { path: self.file.resolve(&delta.path) };
            return delta::table(&delta, &self.secrets().stores()?).await;
        }
        let files = table.files.as_ref().map(|files| self.file.resolved(files));
        let files = files.ok_or_else(|| Error::internal("a table without files"))?;
        Ok(Arc::new(FileTable::new(name, files, options, clock)?))
    }

    /// Who keeps a record of the epochs, if anybody does.
    pub(crate) fn audit(&self) -> Result<Option<Arc<dyn engine::Audit>>> {
        let Some(audit) = &self.file.settings.audit else { return Ok(None) };
        let made = self.secrets().connection(&audit.connection).and_then(|connection| {
            sql::audit(audit, &connection, self.file.name(), &self.time_zone, self.world.clock.clone())
        });
        made.map(Some).map_err(|e| self.file.locate(&["audit"], e))
    }

    /// The sink of this name, or the output of a plugin, with these settings; and what it is, for people.
    pub(crate) fn sink(&self, name: &str, sink: &Sink) -> Result<(Arc<dyn engine::Sink>, String)> {
        if let Some(files) = &sink.files {
            let mut files = files.clone();
            files.path = self.file.resolve(&files.path);
            let path = files.path.clone();
            let sink = FileSink::new(files, self.file_sink_options()?)?;
            self.refuse_feedback(&path, &sink)?;
            return Ok((Arc::new(sink), format!("FileSink[{}]", path.display())));
        }
        if let Some(delta) = &sink.delta {
            let path = self.file.resolve(&delta.path);
            self.refuse_delta_feedback(&path)?;
            let description = format!("DeltaSink[{}]", path.display());
            let options = DeltaSinkOptions {
                mode: sink.mode,
                clock: self.world.clock.clone(),
                environment: self.secrets().stores()?,
                at_step: self.world.at_step.clone(),
            };
            return Ok((delta::sink(DeltaSinkSettings { path, ..delta.clone() }, options)?, description));
        }
        if let Some(console) = &sink.console {
            let out = (self.world.stdout)(self.unread());
            return Ok((
                Arc::new(ConsoleSink::new(console.clone(), self.time_zone.clone(), out)),
                "ConsoleSink".into(),
            ));
        }
        if let Some(stdout) = &sink.stdout {
            let out = (self.world.stdout)(self.unread());
            return Ok((
                Arc::new(StdoutSink::new(stdout.clone(), &self.time_zone, out)?),
                "StdoutSink".into(),
            ));
        }
        if let Some(memory) = &sink.memory {
            let table = self.world.live.table(name);
            return Ok((Arc::new(MemorySink::new(memory.clone(), sink.mode, table)?), "MemorySink".into()));
        }
        if let Some(sql) = &sink.sql {
            return self.sql_sink(sql, sink.mode);
        }
        if let Some(settings) = &sink.kafka {
            let topic = settings.topic.as_ref().or(settings.topic_from_column.as_ref());
            let description = format!("KafkaSink[{}]", topic.map_or("", String::as_str));
            return Ok((
                kafka::sink(
                    settings.resolved(|value| self.secrets().text(value))?,
                    self.kafka_sink_options(),
                )?,
                description,
            ));
        }
        Ok((Arc::new(NoopSink), "NoopSink".into()))
    }

    fn sql_sink(&self, sql: &SqlSinkSettings, mode: OutputMode) -> Result<(Arc<dyn engine::Sink>, String)> {
        let options =
            SqlSinkOptions { mode, time_zone: self.time_zone.clone(), at_step: self.world.at_step.clone() };
        let connection = self.secrets().connection(&sql.connection)?;
        let table = sql.table.clone().or_else(|| Some(format!("by {}", sql.table_from_column.as_ref()?)));
        let description = format!("SqlSink[{} of {}]", table.unwrap_or_default(), sql.connection_name());
        Ok((sql::sink(sql.clone(), &connection, options)?, description))
    }

    /// A source or table that reads what the pipeline writes would feed it for ever.
    fn refuse_feedback(&self, path: &Path, sink: &FileSink) -> Result<()> {
        if self.file.replays {
            return Ok(()); // It ends with what was there when it started.
        }
        let Pipeline { sources, tables, .. } = &self.file.settings;
        let sources = sources.iter().filter_map(|(name, of)| Some(("source", name, of.files.as_ref()?)));
        let tables = tables.iter().filter_map(|(name, of)| Some(("table", name, of.files.as_ref()?)));
        for (kind, name, files) in sources.chain(tables) {
            let files = self.file.resolved(files);
            if files.read_from(sink)? {
                return Err(Error::invalid(format!(
                    "{kind} `{name}`, which reads {}, would read what is written to {}, again and again; choose another \
                     directory for one of them",
                    files.path.display(),
                    path.display()
                )));
            }
        }
        Ok(())
    }

    /// The same of a Delta table.
    fn refuse_delta_feedback(&self, path: &Path) -> Result<()> {
        if self.file.replays {
            return Ok(());
        }
        let sources = self.file.settings.sources.iter();
        let mut reading = sources.filter_map(|(name, source)| Some((name, source.delta.as_ref()?)));
        match reading.find(|(_, delta)| self.file.resolve(&delta.path) == path) {
            Some((name, _)) => Err(Error::invalid(format!(
                "source `{name}` reads the Delta table {} and would read what is written to it, again and again; choose \
                 another table for one of them",
                path.display()
            ))),
            None => Ok(()),
        }
    }

    /// What happens once nobody reads standard output.
    fn unread(&self) -> Unread {
        let printed = |leaf: &Leaf<'_>| leaf.sink.console.is_some() || leaf.sink.stdout.is_some();
        if self.file.settings.leaves().iter().all(printed) { Unread::End } else { Unread::GoOn }
    }

    fn file_sink_options(&self) -> Result<FileSinkOptions> {
        Ok(FileSinkOptions {
            time_zone: self.time_zone.clone(),
            // The checkpoint drops its records in rounds, so it may keep somewhat more than it is asked to.
            retain_epochs: self.file.settings.retain_epochs + 32,
            at_step: self.world.at_step.clone(),
            environment: self.secrets().stores()?,
        })
    }

    fn kafka_sink_options(&self) -> KafkaSinkOptions {
        KafkaSinkOptions {
            time_zone: self.time_zone.clone(),
            continuous: matches!(self.file.settings.trigger, Trigger::Continuous(_)),
            clock: self.world.clock.clone(),
            at_step: self.world.at_step.clone(),
        }
    }

    /// Tells whoever started this.
    pub(crate) fn note(&self, note: &str) {
        (self.world.note)(note);
    }

    /// Tells what the sources settled on whose columns the pipeline does not say.
    fn note_schemas(&self, schemas: &[SchemaRef]) {
        for ((name, source), schema) in self.file.settings.sources.iter().zip(schemas) {
            if source.schema == Some(SchemaOption::Infer) || source.evolve {
                let data = source.files.as_ref().map(|files| files.without_metadata(schema));
                let data = data.as_ref().unwrap_or(schema);
                (self.world.note)(&format!("source `{name}`: schema = \"{}\"", ddl::print(data)));
            }
        }
    }

    /// The plugin of a path, built first if it is a folder, loaded once.
    pub(crate) async fn plugin(&self, path: &str) -> Result<Arc<Plugin>> {
        let path = self.file.resolve(path.as_ref());
        let mut plugins = self.plugins.lock().await;
        if let Some(plugin) = plugins.get(&path) {
            return Ok(plugin.clone());
        }
        let plugin = Arc::new(self.world.load(&path).await?);
        plugins.insert(path, plugin.clone());
        Ok(plugin)
    }

    /// The error, with whose it is and where that stands in front.
    pub(crate) fn of(&self, kind: &str, name: &str, error: Error) -> Error {
        let error = error.while_doing(format!("{kind} `{name}`"));
        self.file.locate(&[&format!("{kind}s"), name], error)
    }

    pub(crate) fn file(&self) -> &PipelineFile {
        &self.file
    }

    /// An error of a step's query, with the place in the file.
    pub(crate) fn in_sql(&self, step: &str, SqlError { at, error }: SqlError) -> Error {
        self.file.locate_within(&["steps", step, "sql"], at, error)
    }

    pub(crate) async fn plugin_step(
        &self,
        name: &str,
        plugin: &str,
        step: &Step,
        input: SchemaRef,
    ) -> Result<BoundPlugin> {
        let of = |e| self.file.locate(&["steps", name, "plugin"], e);
        let wanted = self.wanted(plugin).map_err(of)?;
        let plugin = self.plugin_at(name, plugin).await.map_err(of)?;
        let config = self.config(&plugin, &["steps", name, "config"], &step.config)?;
        let http = self.requests(&["steps", name], &plugin, step.allow.as_ref(), &step.headers)?;
        let bind = BindSettings { config, http, ..bind_settings(name, step, input)? };
        let terms = Terms { bind, keys: step.keys.clone() };
        let bound = BoundPlugin::bind(&plugin, terms.clone()).await;
        let bound = bound.map_err(|e| self.file.locate(&["steps", name], e))?;
        self.accompany(name, step.follow, wanted, terms, &bound).await?;
        Ok(bound)
    }
}

/// The zone of a pipeline's times that name none.
pub fn time_zone(file: &PipelineFile) -> Result<TimeZone> {
    let name = &file.settings.time_zone;
    TimeZone::get(name).map_err(|e| {
        let what =
            format!("{name:?} is no time zone; write an IANA name, such as \"UTC\" or \"Europe/Berlin\"");
        file.locate(&["time-zone"], Error::invalid(what).caused_by(e))
    })
}

fn bind_settings(name: &str, step: &Step, input: SchemaRef) -> Result<BindSettings> {
    Ok(BindSettings {
        step: name.to_owned(),
        config: json(&step.config).map_err(|e| e.while_doing(format!("step `{name}`")))?,
        input,
        on_error: match step.on_error {
            OnError::Fail => plugin::OnError::Fail,
            OnError::Skip => plugin::OnError::Skip,
            OnError::DeadLetter => plugin::OnError::DeadLetter,
        },
        retry: plugin::Retry {
            attempts: step.retry.attempts,
            first: step.retry.backoff.first.0,
            longest: step.retry.backoff.longest.0,
        },
        max_error_rate: step.max_error_rate,
        limits: limits(&step.limits),
        http: plugin::HttpGrant::default(),
    })
}

/// A plugin's configuration, as it is told.
pub(crate) fn json(config: &toml::Table) -> Result<String> {
    serde_json::to_string(config).map_err(|e| Error::invalid("the config is no JSON").caused_by(e))
}

pub(crate) fn limits(settings: &settings::Limits) -> plugin::Limits {
    let default = plugin::Limits::default();
    let bytes = |set: Option<ByteSize>, default| set.map_or(default, |bytes| bytes.0 as usize);
    let count = |set: Option<u64>, default| set.map_or(default, |count| count as usize);
    let time = |set: Option<Interval>, default| set.map_or(default, |time| time.0);
    plugin::Limits {
        memory: bytes(settings.memory, default.memory),
        cpu_per_call: time(settings.cpu_per_call, default.cpu_per_call),
        wall_per_call: time(settings.wall_per_call, default.wall_per_call),
        output_bytes: bytes(settings.output, default.output_bytes),
        output_rows: count(settings.output_rows, default.output_rows),
        table_elements: count(settings.table_elements, default.table_elements),
        instances: count(settings.instances, default.instances),
        resources: count(settings.resources, default.resources),
        host_calls: settings.host_calls.unwrap_or(default.host_calls),
        log_line: bytes(settings.log_line, default.log_line),
        log_per_call: bytes(settings.log_per_call, default.log_per_call),
        log_per_minute: bytes(settings.log_per_minute, default.log_per_minute),
        search: time(settings.search, default.search),
        http_requests: count(settings.http_requests, default.http_requests),
        http_concurrent: count(settings.http_concurrent, default.http_concurrent),
        http_time: time(settings.http_time, default.http_time),
        http_wait: time(settings.http_wait, default.http_wait),
        http_response: bytes(settings.http_response, default.http_response),
        ..default
    }
}

#[async_trait]
impl engine::plan::Planner for Planner {
    async fn sources(&self) -> Result<Vec<NamedSource>> {
        let sources = self.file.settings.sources.iter();
        let sources = sources
            .map(|(name, settings)| {
                let source = self.source(name, settings).map_err(|e| self.of("source", name, e))?;
                let idle_after = settings.idle_after.map(|Interval(idle_after)| idle_after);
                Ok(NamedSource { name: name.clone(), source, idle_after })
            })
            .collect::<Result<_>>()?;
        directories::refuse_shared(&self.file)?;
        Ok(sources)
    }

    async fn dataflow(&self, schemas: &[SchemaRef]) -> Result<Dataflow> {
        self.note_schemas(schemas);
        let flow = self.plan(schemas).await?.flow;
        self.note_requests()?;
        Ok(flow)
    }

    async fn pin(&self, releases: &engine::Releases, exact: bool) -> Result<bool> {
        self.releases.pin(releases, exact)
    }

    fn releases(&self) -> engine::Releases {
        self.releases.in_use()
    }

    fn renewed(&self) -> Vec<Renewed> {
        self.follower.renewed()
    }

    fn notices(&self) -> Vec<String> {
        self.follower.notices()
    }
}

impl Planner {
    /// All parts of the pipeline: of its steps, and its sinks.
    pub(crate) async fn plan(&self, schemas: &[SchemaRef]) -> Result<Assembled> {
        let sinks = self.file.settings.sinks.iter().zip(&self.file.graph.sinks);
        let readers = sinks.map(|((name, sink), upstream)| Reader {
            name: name.clone(),
            upstream: upstream.clone(),
            mode: sink.mode,
        });
        let mut all = self.assemble(schemas, &[], &readers.collect::<Vec<_>>()).await?;
        for ((name, settings), (input, schema)) in self.file.settings.sinks.iter().zip(all.read.clone()) {
            let (sink, description) = match &settings.plugin {
                Some(plugin) => self.plugin_sink(name, plugin, &schema).await?,
                None => self.sink(name, settings).map_err(|e| self.of("sink", name, e))?,
            };
            sink.accepts(settings.mode, &schema).map_err(|e| self.of("sink", name, e))?;
            all.flow.sinks.push(NamedSink {
                name: name.clone(),
                description,
                input,
                schema,
                mode: settings.mode,
                sink,
            });
        }
        Ok(all)
    }
}
