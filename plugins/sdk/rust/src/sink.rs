//! What the attribute `batch_sink` makes of a function, and what that function is given.

use std::collections::VecDeque;

use arrow_array::RecordBatch;
use arrow_schema::{Schema, SchemaRef};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::row::{Row, WriteRow};
use crate::{Context, Error, Manifest, Result, config, ddl, ipc, schema};

/// A plugin that stores epochs. `#[streamhost::batch_sink]` implements it on a type named as its function.
pub trait BatchSink: 'static {
    /// What the plugin says of itself.
    const MANIFEST: Manifest;
    /// What the pipeline's `config` is read into.
    type Config: DeserializeOwned + JsonSchema + 'static;

    /// The input's columns it reads, all if none. The host sends no other.
    fn reads(config: &Self::Config) -> Option<Vec<String>>;

    /// What it writes to: names and columns. `input` has the columns it reads.
    ///
    /// # Errors
    /// If the configuration does not go with these columns.
    fn outputs(config: &Self::Config, input: &Schema) -> Result<Vec<OutputColumns>>;

    /// Stores one epoch.
    ///
    /// # Errors
    /// If it cannot: nothing of the epoch is stored then.
    fn process(config: &Self::Config, cx: &Context, rows: Rows<'_>, outputs: &Outputs<'_>) -> Result<()>;
}

/// An output's name, and the columns of its rows.
pub type OutputColumns = (String, Schema);

/// The columns of rows of this struct, for an output.
pub fn columns<R: Row>() -> Schema {
    Schema::new(R::fields())
}

/// The rows of an epoch, batch by batch; those of one partition in their order. The next batch is only fetched when it is asked
/// for, so an epoch may be larger than the plugin's memory.
pub struct Rows<'a> {
    schema: SchemaRef,
    next: &'a mut dyn FnMut() -> Option<Vec<u8>>,
    fetched: VecDeque<RecordBatch>,
}

impl Rows<'_> {
    /// The columns of every batch.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }
}

impl Iterator for Rows<'_> {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(batch) = self.fetched.pop_front() {
                return Some(Ok(batch));
            }
            match ipc::decode((self.next)()?, &self.schema) {
                Ok(batches) => self.fetched.extend(batches),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

/// The places that the plugin writes to. Each stores what one epoch wrote to it exactly once, if its sink does.
pub struct Outputs<'a> {
    declared: &'a [(String, SchemaRef)],
    places: &'a dyn Places,
}

impl Outputs<'_> {
    /// Adds rows to an output. Their columns are those that the plugin named for it, in that order.
    ///
    /// # Errors
    /// If they are not, if the plugin did not name the output, or if the host cannot take them: then the epoch fails, so pass
    /// the error on.
    pub fn write(&self, output: &str, rows: &RecordBatch) -> Result<()> {
        let declared = self.schema(output)?;
        if !schema::alike(declared, rows.schema_ref()) {
            let (takes, given) = (ddl::print(declared), ddl::print(rows.schema_ref()));
            return Err(Error::permanent(format_args!(
                "output `{output}` takes {takes}, and is given {given}"
            )));
        }
        if rows.num_rows() == 0 {
            return Ok(());
        }
        let mut messages = Vec::new();
        ipc::encode(rows, &mut messages)?;
        self.places.write(output, messages)
    }

    /// Adds rows that are structs.
    ///
    /// # Errors
    /// As for [`Outputs::write`].
    pub fn write_rows<R: WriteRow>(&self, output: &str, rows: impl IntoIterator<Item = R>) -> Result<()> {
        let mut builders = R::Builders::default();
        rows.into_iter().for_each(|row| row.write(&mut builders));
        self.write(output, &R::finish(builders)?)
    }

    /// Runs a statement on an SQL output, once for each row of `parameters`: `$1` stands for its first column, `$2` for its second.
    /// It is an INSERT, UPDATE, DELETE, REPLACE, MERGE, SELECT or WITH, and one alone: no semicolon stands in it, nor the name of anything
    /// that leads out of the transaction or the database. It belongs to the same transaction as everything else of the epoch. Answers how many rows it changed; 0 on a replay, if the
    /// output has the epoch already.
    ///
    /// # Errors
    /// If the output takes no statements, or cannot run this one: then the epoch fails, so pass the error on.
    pub fn execute(&self, output: &str, statement: &str, parameters: &RecordBatch) -> Result<u64> {
        self.schema(output)?;
        if parameters.num_rows() == 0 {
            return Ok(0);
        }
        let mut messages = Vec::new();
        ipc::encode(parameters, &mut messages)?;
        let schema = ipc::encode_schema(&schema::nullable(parameters.schema_ref()));
        self.places.execute(output, statement, schema, messages)
    }

    fn schema(&self, output: &str) -> Result<&Schema> {
        let declared = self.declared.iter().find(|(name, _)| name == output);
        declared.map(|(_, schema)| schema.as_ref()).ok_or_else(|| {
            Error::permanent(format_args!("the plugin did not say that it writes to an output `{output}`"))
        })
    }
}

/// Where the outputs are: with the host, or in a test.
pub(crate) trait Places {
    fn write(&self, output: &str, rows: Vec<u8>) -> Result<()>;
    fn execute(&self, output: &str, statement: &str, schema: Vec<u8>, parameters: Vec<u8>) -> Result<u64>;
}

/// A plugin that has agreed on columns.
pub(crate) struct BoundSink<P: BatchSink> {
    config: P::Config,
    pub(crate) input: SchemaRef,
    /// The names of `input`, if the plugin does not read all columns.
    pub(crate) reads: Option<Vec<String>>,
    pub(crate) outputs: Vec<(String, SchemaRef)>,
}

impl<P: BatchSink> BoundSink<P> {
    /// Reads the configuration, picks the columns and asks for the outputs.
    ///
    /// # Errors
    /// If the configuration is wrong, or the input lacks a column.
    pub(crate) fn bind(config: &str, input: &Schema) -> Result<Self> {
        let config = config::parse::<P::Config>(config)?;
        let reads = P::reads(&config);
        let input = schema::project(input, reads.as_deref())?;
        // A type that does not cross is refused before there are rows.
        ipc::empty(&input)?;
        let outputs = P::outputs(&config, &input)?;
        let outputs = outputs.into_iter().map(|(name, schema)| (name, schema::nullable(&schema))).collect();
        let reads = reads.is_some().then(|| schema::names(&input));
        Ok(Self { config, input, reads, outputs })
    }

    /// Stores an epoch.
    ///
    /// # Errors
    /// If the plugin says so.
    pub(crate) fn process(
        &self,
        cx: &Context,
        next: &mut dyn FnMut() -> Option<Vec<u8>>,
        places: &dyn Places,
    ) -> Result<()> {
        let rows = Rows { schema: self.input.clone(), next, fetched: VecDeque::new() };
        P::process(&self.config, cx, rows, &Outputs { declared: &self.outputs, places })
    }
}
