//! An epoch of a plugin that stores epochs, in memory.

use std::cell::RefCell;

use arrow_schema::SchemaRef;
use serde_json::Value;

use super::{decode, json, no_epoch};
use crate::sink::{BatchSink, BoundSink, Places};
use crate::{Context, Error, Result, ddl, ipc, schema};

/// A plugin with its configuration and input schema.
pub struct Bound<P: BatchSink> {
    sink: BoundSink<P>,
    input: SchemaRef,
    /// What the plugin is told of the epoch.
    pub context: Context,
}

/// What an epoch has stored: rows as JSON objects without their nulls.
#[derive(Debug, Default, PartialEq)]
pub struct Stored {
    /// The outputs that got rows, in the order in which the plugin names its outputs.
    pub outputs: Vec<(String, Vec<Value>)>,
    /// The statements that were run, in their order.
    pub statements: Vec<Executed>,
}

/// A statement that a plugin ran.
#[derive(Debug, PartialEq)]
pub struct Executed {
    /// On which output.
    pub output: String,
    /// Its text.
    pub statement: String,
    /// It was run for each of these rows.
    pub parameters: Vec<Value>,
}

/// Binds a plugin that stores epochs to a configuration as JSON, or none, and an input schema as DDL.
///
/// # Errors
/// What the pipeline would refuse to start with.
pub fn bind_sink<P: BatchSink>(config: &str, schema: &str) -> Result<Bound<P>> {
    let input = SchemaRef::new(ddl::parse(schema)?);
    let sink = BoundSink::bind(config, &input)?;
    Ok(Bound { sink, input, context: no_epoch() })
}

impl<P: BatchSink> Bound<P> {
    /// Stores an epoch of these rows, a JSON object a line, which come in one batch.
    ///
    /// # Errors
    /// If the rows do not fit the schema, or the plugin fails.
    pub fn run(&self, rows: &str) -> Result<Stored> {
        self.run_batches(&[rows])
    }

    /// Stores an epoch of these batches.
    ///
    /// # Errors
    /// As for [`Bound::run`].
    pub fn run_batches(&self, batches: &[&str]) -> Result<Stored> {
        let projection = schema::project(&self.input, self.sink.reads.as_deref())?;
        let columns = projection.fields().iter().map(|field| self.input.index_of(field.name()));
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        let mut messages = Vec::new();
        for rows in batches {
            let mut message = Vec::new();
            ipc::encode(&json::read(rows, &self.input)?.project(&columns)?, &mut message)?;
            messages.push(message);
        }
        let mut messages = messages.into_iter();
        let recorder = Recorder::default();
        self.sink.process(&self.context, &mut || messages.next(), &recorder)?;
        self.stored(recorder)
    }

    fn stored(&self, recorder: Recorder) -> Result<Stored> {
        let written = recorder.written.into_inner();
        let mut outputs = Vec::new();
        for (name, schema) in &self.sink.outputs {
            let mut rows = Vec::new();
            for (_, messages) in written.iter().filter(|(output, _)| output == name) {
                rows.extend(decode(messages.clone(), schema)?);
            }
            outputs.push((name.clone(), rows));
        }
        outputs.retain(|(_, rows)| !rows.is_empty());
        Ok(Stored { outputs, statements: recorder.executed.into_inner() })
    }
}

/// Keeps what is written.
#[derive(Default)]
struct Recorder {
    written: RefCell<Vec<(String, Vec<u8>)>>,
    executed: RefCell<Vec<Executed>>,
}

impl Places for Recorder {
    fn write(&self, output: &str, rows: Vec<u8>) -> Result<()> {
        self.written.borrow_mut().push((output.to_owned(), rows));
        Ok(())
    }

    /// As if each row of the parameters changed one row.
    fn execute(&self, output: &str, statement: &str, schema: Vec<u8>, parameters: Vec<u8>) -> Result<u64> {
        let schema = SchemaRef::new(ipc::decode_schema(&schema)?);
        let parameters = decode(parameters, &schema).map_err(|e: Error| e.context("the parameters"))?;
        let changed = parameters.len() as u64;
        let (output, statement) = (output.to_owned(), statement.to_owned());
        self.executed.borrow_mut().push(Executed { output, statement, parameters });
        Ok(changed)
    }
}
