//! The pipeline file as it is written: what may stand in it and what it means if it does not.

use crate::{
    requests::{Allow, Headers},
    secrets::SecretPlace,
};
use connectors::{
    choice::{self, Choice},
    connection::ConnectionSettings,
    console::ConsoleSettings,
    delta::{DeltaSettings, DeltaSinkSettings, DeltaTableSettings},
    files::{FilesSettings, sink::FileSinkSettings},
    kafka::{KafkaSettings, KafkaSinkSettings},
    memory::MemorySettings,
    noop::NoopSettings,
    rate::RateSettings,
    socket::SocketSettings,
    source::{Limit, OnBadData, SchemaOption},
    sql::{AuditSettings, SqlSinkSettings, SqlSourceSettings, SqlTableSettings},
    stdin::StdinSettings,
    stdout::StdoutSettings,
    units::{ByteSize, Interval},
};
use engine::{Kind, OutputMode, Result, ResultExt};
use indexmap::IndexMap;
use plugin::registry::PublicKey;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

pub use crate::functions::Function;

/// A pipeline: sources, steps and sinks, when they run and what they remember. Relative paths start at the folder of
/// the file. In every string `${NAME}` is the value of the environment variable `NAME`; `$${` stands for `${`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Pipeline {
    /// The query's name, in progress and messages. Default: the name of the file's folder.
    pub name: Option<String>,
    /// When an epoch starts. Default: `asap`.
    #[serde(default, deserialize_with = "choice::choice")]
    pub trigger: Trigger,
    /// Directory of what the query remembers. Without one it starts from the beginning each time.
    pub checkpoint: Option<PathBuf>,
    /// Into how many partitions an epoch is divided. Which rows come out does not depend on it; only the rows of one partition
    /// keep their order, so their order on standard output may: set 1 to keep that of the input. Default: the
    /// number of cores.
    pub parallelism: Option<u32>,
    /// The time zone of times without one, and of printed times: an IANA name.
    #[serde(default = "utc")]
    pub time_zone: String,
    /// Starting again after an error of something outside: a full disk, a refused connection. A query that has never worked does
    /// not. Default: `{ attempts = 10, backoff = "1s..1m" }`, which takes about five minutes to give up.
    #[serde(default)]
    pub restart: Retry,
    /// How many epochs' records the checkpoint keeps at least: a few more stay until a source has summed them up.
    #[serde(default = "hundred")]
    pub retain_epochs: u64,
    /// How long a query that was asked to stop may take to finish its epoch.
    #[serde(default = "thirty_seconds")]
    pub stop_timeout: Interval,
    /// How much memory the state of all steps together may take: 1 GiB. The query ends with an error once it would be more.
    #[serde(default = "one_gib")]
    pub max_state: ByteSize,
    /// How the watermarks of several sources and steps become one. Default: `min`.
    #[serde(default)]
    pub watermark_policy: WatermarkPolicy,
    /// A table of a database that says of each epoch what became of it. While it cannot be written the query waits, as for a sink.
    pub audit: Option<AuditSettings>,
    /// Where rows come from, by name.
    #[serde(default)]
    pub sources: IndexMap<String, Source>,
    /// Files that streams are joined with, by name.
    #[serde(default)]
    pub tables: IndexMap<String, Table>,
    /// Functions of plugins, by the names that a step's `sql` calls them by.
    #[serde(default)]
    pub functions: IndexMap<String, Function>,
    /// What happens to the rows, by name, in order.
    #[serde(default)]
    pub steps: IndexMap<String, Step>,
    /// Where they go, by name.
    #[serde(default)]
    pub sinks: IndexMap<String, Sink>,
    /// Places that need a name and a password, by name.
    #[serde(default)]
    pub connections: IndexMap<String, ConnectionSettings>,
    /// Public keys, as `streamhost key new` prints them: every plugin has to be one of the registry that one of them has signed. The
    /// registry's own `registry.toml` may ask for more, and this cannot ask for less.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub require_signed_by: Vec<PublicKey>,
    /// Where passwords and keys are kept, by name. `secret:name`, as the value of a password, a key or a client's setting, stands
    /// for the secret of that name. No log, error or record shows it.
    #[serde(default)]
    pub secrets: IndexMap<String, SecretPlace>,
    /// Rows in, rows out: run by `streamhost test`. More of them may be in a file beside this one, `pipeline.tests.toml` for
    /// `pipeline.toml`.
    #[serde(default)]
    pub tests: Vec<Test>,
}

/// A place that rows are written to: a sink, or an output of a plugin that is one.
pub struct Leaf<'p> {
    /// The sink's name; of an output `<sink>.<output>`.
    pub name: String,
    /// Where it stands in the file.
    pub key: Vec<&'p str>,
    /// What it is.
    pub sink: &'p Sink,
}

impl Pipeline {
    /// Every place that rows are written to. A plugin that writes nowhere is one itself.
    pub fn leaves(&self) -> Vec<Leaf<'_>> {
        let mut leaves = Vec::new();
        for (name, sink) in &self.sinks {
            let outputs = sink.plugin.iter().flat_map(|plugin| &plugin.outputs);
            let before = leaves.len();
            leaves.extend(outputs.map(|(output, sink)| Leaf {
                name: format!("{name}.{output}"),
                key: vec!["sinks", name, "plugin", "outputs", output],
                sink,
            }));
            if leaves.len() == before {
                leaves.push(Leaf { name: name.clone(), key: vec!["sinks", name], sink });
            }
        }
        leaves
    }
}

/// When an epoch starts.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Trigger {
    /// As soon as there is data.
    #[default]
    Asap,
    /// As many epochs as it takes to read what is there at the start; then the query ends.
    AvailableNow,
    /// One epoch over all that is there at the start; then the query ends.
    Once,
    /// At multiples of this interval.
    ProcessingTime(Interval),
    /// Rows reach the sinks as they arrive, at least once; an epoch is recorded at this interval.
    Continuous(Interval),
}

impl Choice for Trigger {
    const WRITTEN: &'static str =
        "\"asap\", \"available-now\", \"once\", { processing-time = \"10s\" } or { continuous = \"1s\" }";
}

/// A source: exactly one connector, and what is common to all of them.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    rename_all = "kebab-case",
    expecting = "a table with a connector, such as [sources.events.files]"
)]
pub struct Source {
    /// The columns as Spark's DDL, such as `user_id INT, event STRING`, or `infer`.
    pub schema: Option<SchemaOption>,
    /// The most that one epoch takes: `{ files = 10 }`, `{ bytes = "64MiB" }` or `{ rows = 1000 }`.
    #[serde(default, deserialize_with = "choice::optional")]
    pub max_per_trigger: Option<Limit>,
    /// What happens to input that does not fit the schema.
    #[serde(default)]
    pub on_bad_data: OnBadData,
    /// A column that gets, as a JSON string, fields that the schema does not know and values of a wrong type.
    pub rescue: Option<String>,
    /// Whether new columns in new files extend the schema.
    #[serde(default)]
    pub evolve: bool,
    /// Which column is event time, and how long to wait for late rows.
    pub watermark: Option<Watermark>,
    /// After so long without new rows, other sources' watermarks go on without this one's. Default: they wait for ever.
    pub idle_after: Option<Interval>,
    /// Files of a directory, as they arrive.
    pub files: Option<FilesSettings>,
    /// Lines from a TCP connection.
    pub socket: Option<SocketSettings>,
    /// Made-up rows at a given speed.
    pub rate: Option<RateSettings>,
    /// Lines from standard input.
    pub stdin: Option<StdinSettings>,
    /// Rows of a database as they are added.
    pub sql: Option<SqlSourceSettings>,
    /// A Delta table, and what is appended to it.
    pub delta: Option<DeltaSettings>,
    /// Topics of Apache Kafka.
    pub kafka: Option<KafkaSettings>,
}

/// A table: files that are read whole, and again when they have changed; or a table of a database. Each row of a stream is joined with the rows
/// that the table has when the row's epoch is planned. All of them are held in memory.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    rename_all = "kebab-case",
    expecting = "a table with a connector, such as [tables.users.files]"
)]
pub struct Table {
    /// The columns as Spark's DDL, such as `user_id INT, name STRING`, or `infer`.
    pub schema: Option<SchemaOption>,
    /// What happens to input that does not fit the schema.
    #[serde(default)]
    pub on_bad_data: OnBadData,
    /// A directory of files, or one file.
    pub files: Option<FilesSettings>,
    /// A table of a database, or what a query answers.
    pub sql: Option<SqlTableSettings>,
    /// A Delta table.
    pub delta: Option<DeltaTableSettings>,
}

/// How several watermarks become one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WatermarkPolicy {
    /// The slowest one counts.
    #[default]
    Min,
    /// The fastest one counts.
    Max,
}

impl From<WatermarkPolicy> for engine::event_time::Policy {
    fn from(policy: WatermarkPolicy) -> Self {
        match policy {
            WatermarkPolicy::Min => engine::event_time::Policy::Min,
            WatermarkPolicy::Max => engine::event_time::Policy::Max,
        }
    }
}

/// How far event time has come: the latest time seen, less the delay.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    rename_all = "kebab-case",
    expecting = "a table such as { column = \"event_time\", delay = \"10 minutes\" }"
)]
pub struct Watermark {
    /// The column of event time, a TIMESTAMP. It stays event time wherever it goes as it is: under another name, through filters
    /// and joins; so do window() and session_window() of it, and window_time() of these. A cast, `t + INTERVAL '1 hour'` or
    /// date_trunc('hour', t) make another time of it, which no watermark says anything about. Of UNION ALL the first input
    /// says which columns are event time.
    pub column: String,
    /// How much later than others a row may come, and still count.
    pub delay: Interval,
    /// How far after the epoch's time a row's time may be. Rows beyond are in error, as they would push the watermark past
    /// everything: on a source, `on-bad-data` says whether the query fails or they are left out and counted; on a step,
    /// `on-error` does. Default: no limit.
    pub max_future: Option<Interval>,
}

/// A step: SQL, a plugin or a removal of duplicates, on rows with a watermark or as they are.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    rename_all = "kebab-case",
    expecting = "a table such as { plugin = \"my-filter\" } or { sql = \"SELECT …\" }"
)]
pub struct Step {
    /// Where its rows come from: a source, a step, or a side output as `step.output`. Default: the step above, or the
    /// only source.
    pub from: Option<String>,
    /// A query in Spark's SQL over sources and steps above, which its FROM names.
    pub sql: Option<String>,
    /// A `.wasm` file, or the folder of a plugin's source, which is built when stale; or a plugin of the registry: `name@^1.2`,
    /// `name@1.2.3` for that version alone, `name` for the newest. Which version that is, is decided when the query first starts, and
    /// stays.
    pub plugin: Option<String>,
    /// Whether to go on with a newer compatible version of the registry's plugin as soon as there is one: between two epochs, once a
    /// copy of it has agreed to the same columns and has answered a batch without rows.
    #[serde(default)]
    pub follow: bool,
    /// The columns by which the plugin keeps state: of a plugin of the world `stateful`, which gets all rows of a key together. Rows that
    /// come too late go to `<step>.late`.
    pub keys: Option<Vec<String>>,
    /// What the rows are that leave a plugin with `keys`: rows that stay as they are, or (`update`) rows that take the place of earlier
    /// ones. Sinks behind it have the same mode.
    #[serde(default)]
    #[schemars(with = "String")]
    pub mode: OutputMode,
    /// Of the rows that agree in some columns, only the first passes. Rows that come too late go to `<step>.late`.
    pub drop_duplicates: Option<DropDuplicates>,
    /// Which column of what comes in is event time, and how long to wait for late rows.
    pub watermark: Option<Watermark>,
    /// The plugin's own settings; `streamhost inspect` shows their schema.
    #[serde(default)]
    #[schemars(with = "IndexMap<String, serde_json::Value>")]
    pub config: toml::Table,
    /// What happens to a row that the plugin cannot process.
    #[serde(default)]
    pub on_error: OnError,
    /// The query stops when more than this share of the rows that the plugin is given as one batch is in error; from 0
    /// to 1. A batch has about 16,000 rows, or as many as the epoch has if these are fewer; one of fewer than 100 rows
    /// is not judged.
    pub max_error_rate: Option<f64>,
    /// Trying rows and batches again that the plugin says may pass later.
    #[serde(default = "no_retry")]
    pub retry: Retry,
    /// Other limits than the defaults.
    #[serde(default)]
    pub limits: Limits,
    /// What the plugin gets of what it asks for. One that asks for `http` does not start without.
    pub allow: Option<Allow>,
    /// For places in `allow.http`, headers that the host adds to each request: `{ "scores.internal:443" = { Authorization = "secret:scores" } }`.
    /// The plugin does not see them.
    #[serde(default)]
    #[schemars(with = "IndexMap<String, IndexMap<String, String>>")]
    pub headers: Headers,
}

impl Step {
    /// A query, and nothing else.
    pub(crate) fn of_sql(sql: String) -> Self {
        Step {
            from: None,
            sql: Some(sql),
            plugin: None,
            follow: false,
            keys: None,
            mode: OutputMode::Append,
            drop_duplicates: None,
            watermark: None,
            config: toml::Table::new(),
            on_error: OnError::Fail,
            max_error_rate: None,
            retry: no_retry(),
            limits: Limits::default(),
            allow: None,
            headers: Headers::new(),
        }
    }
}

/// Which rows are duplicates, and for how long.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    rename_all = "kebab-case",
    expecting = "a table such as { keys = [\"user_id\", \"event_time\"] }"
)]
pub struct DropDuplicates {
    /// The columns that duplicates agree in. A key is remembered for ever, unless a column with a watermark is among them: then
    /// until the watermark has passed it. Default: all columns.
    pub keys: Option<Vec<String>>,
    /// Whether to remember a key until the watermark has passed its first row by the watermark's delay, whatever the key.
    #[serde(default)]
    pub within_watermark: bool,
}

/// What happens to a row that a plugin cannot process, or on which it traps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnError {
    /// The query ends with an error that names the row.
    #[default]
    Fail,
    /// The row is left out, and counted.
    Skip,
    /// The row goes to the sinks that read `<step>.dead-letter`.
    DeadLetter,
}

/// Trying again: how often, and how long to wait in between.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    rename_all = "kebab-case",
    expecting = "a table such as { attempts = 5, backoff = \"1s..1m\" }"
)]
pub struct Retry {
    /// Tries after the first one. Default: 0, where a table is given.
    #[serde(default)]
    pub attempts: u32,
    /// The first wait and the longest, as `1s..1m`; it doubles each time. Default: `1s..1m`.
    #[serde(default)]
    pub backoff: Backoff,
}

impl Default for Retry {
    fn default() -> Self {
        Retry { attempts: 10, backoff: Backoff::default() }
    }
}

/// Limits of one plugin instance; each has a default.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    rename_all = "kebab-case",
    expecting = "a table such as { memory = \"256MiB\", cpu-per-call = \"5s\" }"
)]
pub struct Limits {
    /// Memory of one instance, 128 MiB.
    pub memory: Option<ByteSize>,
    /// CPU time of one call, 2 s.
    pub cpu_per_call: Option<Interval>,
    /// Wall-clock time of one call, 10 s.
    pub wall_per_call: Option<Interval>,
    /// Bytes that one call may answer, 64 MiB.
    pub output: Option<ByteSize>,
    /// Rows that one call may answer, 1,000,000.
    pub output_rows: Option<u64>,
    /// Elements of all tables of one instance together, 100,000.
    pub table_elements: Option<u64>,
    /// Core instances inside the component, 32.
    pub instances: Option<u64>,
    /// Handles to the host's resources that may be open at once, 1,000.
    pub resources: Option<u64>,
    /// Calls of the host in one call, 10,000.
    pub host_calls: Option<u64>,
    /// Bytes of one line of its log, 8 KiB; the rest is cut.
    pub log_line: Option<ByteSize>,
    /// Bytes of log in one call, 64 KiB; the rest is dropped and counted.
    pub log_per_call: Option<ByteSize>,
    /// Bytes of log in a minute, 1 MiB; the rest is dropped and counted.
    pub log_per_minute: Option<ByteSize>,
    /// Time that failing calls may take together while the bad rows of one batch are searched for, 1 minute.
    pub search: Option<Interval>,
    /// Requests over HTTP in one call, 1,000.
    pub http_requests: Option<u64>,
    /// Requests that may be under way at once, up to the end of the answer, 8.
    pub http_concurrent: Option<u64>,
    /// Wall-clock time of one request, up to the end of the answer, 10 s.
    pub http_time: Option<Interval>,
    /// Wall-clock time that one call may wait for requests, 1 minute. It does not count towards `wall-per-call`.
    pub http_wait: Option<Interval>,
    /// Bytes of the body of one answer, 8 MiB.
    pub http_response: Option<ByteSize>,
}

/// A sink: exactly one connector, and what is common to all of them.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    rename_all = "kebab-case",
    expecting = "a table with a connector, such as [sinks.table.files]"
)]
pub struct Sink {
    /// Where its rows come from: a source, a step, or a side output as `step.output`. Default: the last step, or the
    /// only source.
    pub from: Option<String>,
    /// What is stored: `append` or `update`; `complete` is for the result of an aggregation, which a plugin is not.
    #[serde(default)]
    #[schemars(with = "String")]
    pub mode: OutputMode,
    /// Files in a directory.
    pub files: Option<FileSinkSettings>,
    /// A Delta table.
    pub delta: Option<DeltaSinkSettings>,
    /// A table per epoch on the terminal.
    pub console: Option<ConsoleSettings>,
    /// A table in memory, which can be asked while the query runs.
    pub memory: Option<MemorySettings>,
    /// Lines on standard output.
    pub stdout: Option<StdoutSettings>,
    /// Nothing: for measuring.
    pub noop: Option<NoopSettings>,
    /// Topics of Apache Kafka.
    pub kafka: Option<KafkaSinkSettings>,
    /// A table of a database.
    pub sql: Option<SqlSinkSettings>,
    /// A plugin of world `batch-sink`, which writes each epoch to outputs that it is granted: Spark's foreachBatch.
    pub plugin: Option<PluginSink>,
}

impl Sink {
    /// Whether what it stores is still there when the query has ended.
    pub(crate) fn lasts(&self) -> bool {
        self.files.is_some() || self.sql.is_some() || self.delta.is_some() || self.kafka.is_some()
    }
}

/// A plugin that stores epochs by writing to outputs.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    rename_all = "kebab-case",
    expecting = "a table such as { plugin = \"route-by-date\", outputs = { days = { files = { path = \"out\" } } } }"
)]
pub struct PluginSink {
    /// A `.wasm` file, or the folder of a plugin's source, which is built when stale; or a plugin of the registry, `name@^1.2`.
    pub plugin: String,
    /// The plugin's own settings; `streamhost inspect` shows their schema.
    #[serde(default)]
    #[schemars(with = "IndexMap<String, serde_json::Value>")]
    pub config: toml::Table,
    /// Other limits than the defaults. Those of a call begin anew with each batch that the plugin pulls.
    #[serde(default)]
    pub limits: Limits,
    /// What the plugin gets of what it asks for. One that asks for `http` does not start without.
    pub allow: Option<Allow>,
    /// For places in `allow.http`, headers that the host adds to each request.
    #[serde(default)]
    #[schemars(with = "IndexMap<String, IndexMap<String, String>>")]
    pub headers: Headers,
    /// For each name that the plugin writes to, where that goes: a sink with `mode`, and without `from`.
    #[serde(default)]
    pub outputs: IndexMap<String, Sink>,
}

/// One test of a pipeline: input rows by source or step, expected rows by step or side output.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "a table with name, input and expect")]
pub struct Test {
    /// A sentence that says what holds.
    pub name: String,
    /// Rows by source or table, or by the step whose input they replace: JSON lines, which mean what they mean in a file of the
    /// source; or a list of such texts, one for each epoch. Behind the last one come epochs without rows for as long as the
    /// watermark makes rows final. A source that is not named has none, a table that is not named those of its files. Where neither `schema` nor its format says a source's columns, they are those of the rows.
    pub input: IndexMap<String, Given>,
    /// Expected rows by step, source or side output, in order: JSON lines, with TIMESTAMPs in UTC. At least one is named; `''`
    /// stands for no rows.
    pub expect: IndexMap<String, String>,
}

/// Rows of a test: JSON lines, all in one epoch or in several.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "rows as JSON lines in a string, or a list of such strings, one for each epoch"
)]
pub enum Given {
    /// In one epoch.
    Once(String),
    /// Those of each epoch.
    Epochs(Vec<String>),
}

impl Given {
    /// The rows of each epoch.
    pub fn epochs(&self) -> &[String] {
        match self {
            Given::Once(rows) => std::slice::from_ref(rows),
            Given::Epochs(epochs) => epochs,
        }
    }

    /// All rows.
    pub fn all(&self) -> String {
        self.epochs().join("\n")
    }
}

fn utc() -> String {
    "UTC".into()
}

fn hundred() -> u64 {
    100
}

fn one_gib() -> ByteSize {
    ByteSize(engine::MAX_STATE)
}

fn thirty_seconds() -> Interval {
    Interval::millis(30_000)
}

fn no_retry() -> Retry {
    Retry { attempts: 0, backoff: Backoff::default() }
}

/// The first and the longest wait between two tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub struct Backoff {
    /// The first wait.
    pub first: Interval,
    /// The longest wait.
    pub longest: Interval,
}

impl Default for Backoff {
    fn default() -> Self {
        Backoff { first: Interval::millis(1_000), longest: Interval::millis(60_000) }
    }
}

impl TryFrom<String> for Backoff {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let (first, longest) = text.split_once("..").unwrap_or((&text, &text));
        let backoff = Backoff { first: first.trim().parse()?, longest: longest.trim().parse()? };
        if backoff.first > backoff.longest {
            return Err(format!(
                "{text:?}: the first wait is longer than the longest; write for example \"1s..1m\""
            ));
        }
        Ok(backoff)
    }
}

/// The JSON Schema of the pipeline file, for editors.
pub fn json_schema() -> Result<String> {
    let schema = schemars::schema_for!(Pipeline);
    let text = serde_json::to_string_pretty(&schema)
        .doing(Kind::Internal, || "printing the schema of a pipeline")?;
    Ok(text + "\n")
}
