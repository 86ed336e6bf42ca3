//! `[sinks.<name>]`.

use super::Limits;
use crate::requests::{Allow, Headers};
use connectors::{
    console::ConsoleSettings, delta::DeltaSinkSettings, files::sink::FileSinkSettings,
    kafka::KafkaSinkSettings, memory::MemorySettings, noop::NoopSettings, sql::SqlSinkSettings,
    stdout::StdoutSettings,
};
use engine::OutputMode;
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;

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
