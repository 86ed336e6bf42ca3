//! `[steps.<name>]`.

use super::Watermark;
use crate::requests::{Allow, Headers};
use connectors::units::{ByteSize, Interval};
use engine::OutputMode;
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;

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
    /// copy of it has agreed to the same columns and has answered a batch without rows, or a call without keys.
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
    /// Memory of one instance, 128 MiB. With `keys`, rows of an epoch that take more than half of it, on one core, are sorted in files
    /// without a name, in the directory for temporary files.
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
    /// Core instances inside the component, 64.
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
