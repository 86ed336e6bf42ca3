//! What the host gets for one call: the outputs of its batches, one after the other.

use arrow_array::{Array, BooleanArray, RecordBatch};
use arrow_buffer::BooleanBufferBuilder;
use arrow_schema::Schema;

use crate::bindings::exports::streamhost::plugin::transform::{Outcome, Rows};
use crate::bindings::streamhost::plugin::types::RowError;
use crate::instance::{Kind, Outputs};
use crate::{Error, Output, Result, RowErrors, ipc, schema};

/// Outputs so far. Nothing is decoded again: bitmaps are joined, and messages simply follow each other.
pub(crate) struct Answer<'a> {
    outputs: &'a Outputs,
    rows: usize,
    keep: BooleanBufferBuilder,
    main: Vec<u8>,
    side: Vec<(String, Vec<u8>)>,
    errors: Vec<RowError>,
}

impl<'a> Answer<'a> {
    pub(crate) fn new(outputs: &'a Outputs) -> Self {
        let keep = BooleanBufferBuilder::new(0);
        Self { outputs, rows: 0, keep, main: Vec::new(), side: Vec::new(), errors: Vec::new() }
    }

    /// Adds what a plugin gave for a batch of so many rows.
    pub(crate) fn add(&mut self, rows: usize, output: Output, errors: RowErrors) -> Result<()> {
        match output {
            Output::Keep(keep) => {
                self.keep(&keep, rows, &errors)?;
            }
            Output::Extend(columns) => {
                same_length("the new columns", columns.num_rows(), rows)?;
                self.encode(&columns)?;
            }
            Output::KeepExtend(keep, columns) => {
                let kept = self.keep(&keep, rows, &errors)?;
                same_length("the new columns of the rows kept", columns.num_rows(), kept)?;
                self.encode(&columns)?;
            }
            Output::Replace(main, side) => {
                self.encode(&main)?;
                side.into_iter().try_for_each(|(name, rows)| self.encode_side(name, &rows))?;
            }
        }
        self.errors.extend(errors.after(self.rows));
        self.rows += rows;
        Ok(())
    }

    pub(crate) fn into_outcome(self) -> Outcome {
        let bits = self.keep.as_slice().to_vec();
        let main = match self.outputs.kind {
            Kind::Keep => Rows::Keep(bits),
            Kind::Extend => Rows::Extend(self.main),
            Kind::KeepExtend => Rows::KeepExtend((bits, self.main)),
            Kind::Replace => Rows::Replace(self.main),
        };
        Outcome { main, side: self.side, errors: self.errors }
    }

    /// Notes the rows to keep, which are neither null nor in error, and counts them.
    fn keep(&mut self, keep: &BooleanArray, rows: usize, errors: &RowErrors) -> Result<usize> {
        same_length("the rows to keep", keep.len(), rows)?;
        match keep.nulls() {
            Some(valid) if valid.null_count() > 0 => {
                self.keep.append_buffer(&(keep.values() & valid.inner()))
            }
            _ => self.keep.append_buffer(keep.values()),
        }
        for row in errors.rows().filter(|row| *row < rows) {
            self.keep.set_bit(self.rows + row, false);
        }
        let bits =
            arrow_buffer::bit_chunk_iterator::UnalignedBitChunk::new(self.keep.as_slice(), self.rows, rows);
        Ok(bits.count_ones())
    }

    fn encode(&mut self, batch: &RecordBatch) -> Result<()> {
        encode(&mut self.main, "the output", batch, &self.outputs.main)
    }

    fn encode_side(&mut self, name: &str, batch: &RecordBatch) -> Result<()> {
        let schema = self.outputs.side(name)?;
        let mut messages = match self.side.iter().position(|(given, _)| given == name) {
            Some(at) => self.side.remove(at).1,
            None => Vec::new(),
        };
        encode(&mut messages, &format!("side output `{name}`"), batch, schema)?;
        self.side.push((name.to_owned(), messages));
        Ok(())
    }
}

/// Adds a message.
fn encode(messages: &mut Vec<u8>, what: &str, batch: &RecordBatch, schema: &Schema) -> Result<()> {
    schema::same_columns(schema, batch.schema_ref()).map_err(|error| error.context(what))?;
    ipc::encode(batch, messages)
}

fn same_length(what: &str, given: usize, wanted: usize) -> Result<()> {
    if given == wanted {
        return Ok(());
    }
    Err(Error::permanent(format_args!("{what} are {given}, and the rows {wanted}")))
}
