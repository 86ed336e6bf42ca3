//! The pipeline file as it is written: what may stand in it and what it means if it does not.

mod sink;
mod step;
mod test;

pub use crate::functions::Function;
pub use sink::{PluginSink, Sink};
pub use step::{Backoff, DropDuplicates, Limits, OnError, Retry, Step};
pub use test::{Given, Test};

use crate::secrets::SecretPlace;
use connectors::{
    choice::{self, Choice},
    connection::ConnectionSettings,
    delta::{DeltaSettings, DeltaTableSettings},
    files::FilesSettings,
    kafka::KafkaSettings,
    rate::RateSettings,
    socket::SocketSettings,
    source::{Limit, OnBadData, SchemaOption},
    sql::{AuditSettings, SqlSourceSettings, SqlTableSettings},
    stdin::StdinSettings,
    units::{ByteSize, Interval},
};
use engine::{Kind, Result, ResultExt};
use indexmap::IndexMap;
use plugin::registry::PublicKey;
use schemars::JsonSchema;
use serde::Deserialize;
use std::path::PathBuf;

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

/// The JSON Schema of the pipeline file, for editors.
pub fn json_schema() -> Result<String> {
    let schema = schemars::schema_for!(Pipeline);
    let text = serde_json::to_string_pretty(&schema)
        .doing(Kind::Internal, || "printing the schema of a pipeline")?;
    Ok(text + "\n")
}
