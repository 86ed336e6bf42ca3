//! Runs a plugin in a native unit test: no Wasm, no host, the same bytes between.
//!
//! ```
//! use streamhost::prelude::*;
//! use streamhost::testing;
//!
//! #[derive(Row)]
//! struct Event { value: f64 }
//!
//! #[streamhost::filter]
//! fn keep(event: Event) -> bool { event.value > 10.0 }
//!
//! let answer = testing::bind::<keep>("", "user_id INT, value DOUBLE")?.run(
//!     r#"
//!     {"user_id": 1, "value": 5.0}
//!     {"user_id": 2, "value": 50.0}
//!     {"user_id": 3}
//!     "#,
//! )?;
//! answer.expect(r#"{"user_id": 2, "value": 50.0}"#);
//! assert_eq!(answer.errors, ["row 2: `value` is null"]);
//! # Ok::<(), streamhost::Error>(())
//! ```

mod case;
mod function;
mod json;
mod keyed;
#[cfg(feature = "http")]
mod served;
mod sink;

pub use case::{cases, function_cases, keyed_cases, sink_cases};
pub use function::{Bound as BoundFunctions, bind_functions};
pub use keyed::{Job, bind_keyed};
#[cfg(feature = "http")]
pub use served::serve;
pub use sink::{Bound as BoundSink, Executed, Stored, bind_sink};

use arrow_schema::SchemaRef;
use serde_json::{Map, Value};

use crate::bindings::stateless::exports::streamhost::plugin::transform::{Outcome, Rows};
use crate::bindings::streamhost::plugin::types::{Disposition, Failure, RowError};
use crate::instance::Instance;
use crate::{Context, Error, Plugin, Result, ddl, ipc, schema};

/// A plugin with its configuration and input schema.
pub struct Bound<P: Plugin> {
    instance: Instance<P>,
    input: SchemaRef,
    reads: Option<Vec<String>>,
    /// What the plugin is told of the epoch.
    pub context: Context,
}

/// What leaves the step: rows as JSON objects without their nulls.
#[derive(Debug, Default, PartialEq)]
pub struct Answer {
    /// The main output.
    pub rows: Vec<Value>,
    /// The side outputs that got rows.
    pub side: Vec<(String, Vec<Value>)>,
    /// `row 2: why`, counted from 0; `row 2 (retry): why` if the row may pass later.
    pub errors: Vec<String>,
}

/// Binds a plugin to a configuration as JSON, or none, and an input schema as DDL.
///
/// # Errors
/// What the pipeline would refuse to start with.
pub fn bind<P: Plugin>(config: &str, schema: &str) -> Result<Bound<P>> {
    let input = SchemaRef::new(ddl::parse(schema)?);
    let (instance, binding) = Instance::bind(config, &input)?;
    Ok(Bound { instance, input, reads: binding.reads, context: no_epoch() })
}

/// The first try of the first epoch.
fn no_epoch() -> Context {
    Context { query: "test".into(), epoch: 0, partition: 0, attempt: 0, watermark: None, now: 0 }
}

impl<P: Plugin> Bound<P> {
    /// Processes rows, a JSON object a line, and does with the answer what the host does.
    ///
    /// # Errors
    /// If the rows do not fit the schema, or the plugin fails for all of them.
    pub fn run(&self, rows: &str) -> Result<Answer> {
        let batch = json::read(rows, &self.input)?;
        let projection = schema::project(&self.input, self.reads.as_deref())?;
        let columns = projection.fields().iter().map(|field| self.input.index_of(field.name()));
        let mut messages = Vec::new();
        ipc::encode(&batch.project(&columns.collect::<Result<Vec<_>, _>>()?)?, &mut messages)?;
        let outcome = self.instance.process(&self.context, messages)?;
        self.answer(json::write(&batch)?, outcome)
    }

    fn answer(&self, input: Vec<Value>, outcome: Outcome) -> Result<Answer> {
        let outputs = self.instance.outputs();
        let rows = match outcome.main {
            Rows::Replace(messages) => decode(messages, &outputs.main)?,
            Rows::Keep(bits) => keep(input, &bits),
            Rows::Extend(messages) => {
                let rows = extend(input, decode(messages, &outputs.main)?);
                without(rows, &outcome.errors)
            }
            Rows::KeepExtend((bits, messages)) => {
                extend(keep(input, &bits), decode(messages, &outputs.main)?)
            }
        };
        let mut side = Vec::new();
        for (name, messages) in outcome.side {
            let schema = SchemaRef::new(outputs.side(&name)?.clone());
            side.push((name, decode(messages, &schema)?));
        }
        side.retain(|(_, rows)| !rows.is_empty());
        Ok(Answer { rows, side, errors: outcome.errors.iter().map(print).collect() })
    }
}

impl Answer {
    /// Compares the main output with rows, a JSON object a line; nulls may be left out of them.
    ///
    /// # Panics
    /// If they differ, showing both.
    #[track_caller]
    #[allow(clippy::panic, reason = "an assertion")]
    pub fn expect(&self, rows: &str) {
        match json::lines(rows) {
            Ok(rows) => assert_eq!(
                json::print(&self.rows),
                json::print(&rows),
                "the rows that left (left), and expected"
            ),
            Err(error) => panic!("the expected rows: {error}"),
        }
    }
}

fn decode(messages: Vec<u8>, schema: &SchemaRef) -> Result<Vec<Value>> {
    let mut rows = Vec::new();
    for batch in ipc::decode(messages, schema)? {
        rows.extend(json::write(&batch)?);
    }
    Ok(rows)
}

fn keep(rows: Vec<Value>, bits: &[u8]) -> Vec<Value> {
    let kept = |row: usize| bits.get(row / 8).is_some_and(|byte| byte >> (row % 8) & 1 == 1);
    rows.into_iter().enumerate().filter(|(row, _)| kept(*row)).map(|(_, value)| value).collect()
}

fn extend(rows: Vec<Value>, added: Vec<Value>) -> Vec<Value> {
    let members = |value: Value| match value {
        Value::Object(members) => members,
        _ => Map::new(),
    };
    let both = rows.into_iter().zip(added);
    both.map(|(row, added)| Value::Object(members(row).into_iter().chain(members(added)).collect())).collect()
}

fn without(rows: Vec<Value>, errors: &[RowError]) -> Vec<Value> {
    let bad = |row: usize| errors.iter().any(|error| error.row as usize == row);
    rows.into_iter().enumerate().filter(|(row, _)| !bad(*row)).map(|(_, value)| value).collect()
}

fn print(error: &RowError) -> String {
    let retry = if error.disposition == Disposition::Retry { " (retry)" } else { "" };
    format!("row {}{retry}: {}", error.row, error.message)
}

/// A failure's kind and message, as a case writes it.
fn print_failure(error: Error, binding: bool) -> String {
    match if binding { error.into_bind_failure() } else { error.into_failure() } {
        Failure::Invalid(message) => format!("invalid: {message}"),
        Failure::Transient(message) => format!("transient: {message}"),
        Failure::Permanent(message) => format!("permanent: {message}"),
    }
}
