//! Epochs of a plugin that keeps state for each key, with state in memory.

mod calls;
mod key;
mod memory;
mod shelf;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use arrow_schema::SchemaRef;
use serde_json::Value;

use super::{Answer, decode, json, no_epoch, print};
use crate::bindings::stateful::exports::streamhost::plugin::keyed::Outcome;
use crate::bindings::streamhost::plugin::types::RowError;
use crate::keyed::{BoundKeyed, Clock, Keyed, Timer};
use crate::{Context, Error, Result, ddl, ipc};

use calls::Call;
use memory::Memory;

/// A plugin that keeps state, with its configuration, columns and keys, between two epochs.
pub struct Job<P: Keyed> {
    plugin: BoundKeyed<P>,
    input: SchemaRef,
    memory: Memory,
    batch: usize,
    /// What the plugin is told of the next epoch.
    pub context: Context,
}

/// Binds a plugin that keeps state to a configuration as JSON, or none, an input schema as DDL, and the columns of the key.
///
/// # Errors
/// What the pipeline would refuse to start with.
pub fn bind_keyed<P: Keyed>(config: &str, schema: &str, keys: &[&str]) -> Result<Job<P>> {
    let input = SchemaRef::new(ddl::parse(schema)?);
    let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
    let plugin = BoundKeyed::bind(config, &input, &keys)?;
    let memory = Memory::new(&plugin.tables, &plugin.input.keys)?;
    Ok(Job { plugin, input, memory, batch: 8192, context: no_epoch() })
}

/// What leaves an epoch, as it comes.
#[derive(Default)]
struct Leaving {
    answer: Answer,
    timers: usize,
}

impl<P: Keyed> Job<P> {
    /// The watermark from the next epoch on: `2025-03-01T12:00:00Z`. Rows are not dropped for it; leave late ones out.
    ///
    /// # Errors
    /// If the text is no time, or the watermark would fall.
    pub fn watermark(&mut self, at: &str) -> Result<&mut Self> {
        let at = moment(at)?;
        if self.context.watermark.is_some_and(|before| at < before) {
            return Err(Error::invalid("a watermark does not fall"));
        }
        self.context.watermark = Some(at);
        Ok(self)
    }

    /// The time of the next epoch, and of those after it.
    ///
    /// # Errors
    /// If the text is no time.
    pub fn now(&mut self, at: &str) -> Result<&mut Self> {
        self.context.now = moment(at)?;
        Ok(self)
    }

    /// How many rows a call has at most; 8,192 unless it is given. A key with more comes in several calls.
    pub fn batch_rows(&mut self, rows: usize) -> &mut Self {
        self.batch = rows.max(1);
        self
    }

    /// Runs an epoch of these rows, a JSON object a line, as the host does: keys in their order, then the timers of the event-time
    /// clock, then those of the other.
    ///
    /// # Errors
    /// If the rows do not fit the schema, or the plugin fails: then nothing has changed.
    pub fn epoch(&mut self, rows: &str) -> Result<Answer> {
        let rows = json::read(rows, &self.input)?;
        let before = self.memory.clone();
        self.memory.begin(&self.context);
        match self.run(&rows) {
            Ok(leaving) => {
                self.context.epoch += 1;
                Ok(leaving.answer)
            }
            Err(error) => {
                self.memory = before;
                Err(error)
            }
        }
    }

    /// What a table has: the columns of the key, of the second key if it is a mapping, and of the value. An entry a row, ordered by key.
    ///
    /// # Errors
    /// If there is no such table.
    pub fn state(&self, table: &str) -> Result<Vec<Value>> {
        self.memory.entries(table)
    }

    /// The timers that are set, by their time: the columns of the key, and `at` in microseconds.
    ///
    /// # Errors
    /// None that a plugin causes.
    pub fn timers(&self, clock: Clock) -> Result<Vec<Value>> {
        self.memory.timers(clock)
    }

    /// Brings entries of an older version into the columns of now: `before` has their columns as DDL, without the step's key.
    ///
    /// # Errors
    /// If the plugin cannot.
    pub fn migrate(&self, table: &str, version: u32, before: &str, entries: &str) -> Result<Vec<Value>> {
        let schema = SchemaRef::new(ddl::parse(before)?);
        let mut messages = Vec::new();
        ipc::encode(&json::read(entries, &schema)?, &mut messages)?;
        let message = ipc::encode_schema(&schema);
        let renewed = self.plugin.migrate(table.into(), version, &message, messages)?;
        let columns = self.plugin.tables.iter().find(|of| of.name == table).map(|of| of.columns());
        columns.map_or(Ok(Vec::new()), |columns| decode(renewed, &columns))
    }

    fn run(&self, rows: &RecordBatch) -> Result<Leaving> {
        let mut leaving = Leaving::default();
        let columns = &self.plugin.input;
        for call in calls::split(rows, &columns.keys, &columns.rows, self.batch)? {
            self.memory.enter(&call.keys)?;
            let Call { sent, rows, .. } = call;
            let outcome = self.plugin.process(&self.context, sent, &self.memory)?;
            let row = |error: &RowError| rows.get(error.row as usize).copied().unwrap_or(error.row);
            self.take(outcome, &mut leaving, |error| format!("row {}", row(error)))?;
        }
        // Rows are in error in the order of their keys.
        leaving.answer.errors.sort_by_key(|error| number(error));
        for clock in [Clock::EventTime, Clock::ProcessingTime] {
            self.fire(clock, &mut leaving)?;
        }
        Ok(leaving)
    }

    fn fire(&self, clock: Clock, leaving: &mut Leaving) -> Result<()> {
        let due = self.memory.due(clock)?;
        for due in due.chunks(self.batch) {
            let (keys, timers) = self.memory.enter_due(due)?;
            let count = timers.len();
            let mut messages = Vec::new();
            ipc::encode(&keys, &mut messages)?;
            let outcome = self.plugin.fired(&self.context, clock, messages, timers, &self.memory)?;
            let first = leaving.timers;
            self.take(outcome, leaving, |error| format!("timer {}", first + error.row as usize))?;
            leaving.timers += count;
        }
        Ok(())
    }

    fn take(
        &self,
        outcome: Outcome,
        leaving: &mut Leaving,
        which: impl Fn(&RowError) -> String,
    ) -> Result<()> {
        let answer = &mut leaving.answer;
        answer.rows.extend(decode(outcome.main, &self.plugin.output)?);
        for (name, messages) in outcome.side {
            let schema = self.plugin.side.iter().find(|(of, _)| *of == name).map(|(_, schema)| schema);
            let rows = schema.map_or(Ok(Vec::new()), |schema| decode(messages, schema))?;
            match answer.side.iter_mut().find(|(of, _)| *of == name) {
                Some((_, all)) => all.extend(rows),
                None => answer.side.extend((!rows.is_empty()).then_some((name, rows))),
            }
        }
        let own = |error: &RowError| print(error).replacen(&format!("row {}", error.row), &which(error), 1);
        answer.errors.extend(outcome.errors.iter().map(own));
        Ok(())
    }
}

/// The number in `row 12: why`.
fn number(error: &str) -> Option<usize> {
    error.split([' ', ':']).nth(1)?.parse().ok()
}

/// A time, in microseconds.
fn moment(text: &str) -> Result<i64> {
    let schema = SchemaRef::new(ddl::parse("at TIMESTAMP")?);
    let read = json::read(&format!("{{\"at\": {}}}", Value::from(text)), &schema);
    let column = read.as_ref().ok().and_then(|batch| batch.columns().first());
    let at =
        column.and_then(|at| at.as_primitive_opt::<TimestampMicrosecondType>()?.values().first().copied());
    at.ok_or_else(|| Error::invalid(format!("`{text}` is no time; write for example 2025-03-01T12:00:00Z")))
}

/// A timer of a key of a call.
fn timer(key: usize, at: i64) -> Timer {
    Timer { key: key as u32, at }
}
