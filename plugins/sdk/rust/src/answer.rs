//! What the host gets for one call: the outputs of its batches, one after the other.

use arrow_array::{BooleanArray, RecordBatch};
use arrow_buffer::{BooleanBuffer, BooleanBufferBuilder};
use arrow_schema::Schema;

use crate::bindings::stateless::exports::streamhost::plugin::transform::{Outcome, Rows};
use crate::bindings::streamhost::plugin::types::RowError;
use crate::instance::{Kind, Outputs};
use crate::{Error, Output, Result, RowErrors, ipc, schema};

/// Outputs so far. Nothing is decoded again: bitmaps are joined, and messages simply follow each other.
pub(crate) struct Answer<'a> {
    outputs: &'a Outputs,
    rows: usize,
    keep: BooleanBuffer,
    main: Vec<u8>,
    side: Vec<(String, Vec<u8>)>,
    errors: Vec<RowError>,
}

impl<'a> Answer<'a> {
    pub(crate) fn new(outputs: &'a Outputs) -> Self {
        Self {
            outputs,
            rows: 0,
            keep: BooleanBuffer::new_unset(0),
            main: Vec::new(),
            side: Vec::new(),
            errors: Vec::new(),
        }
    }

    /// Adds what a plugin gave for a batch of so many rows.
    pub(crate) fn add(&mut self, rows: usize, output: Output, errors: RowErrors) -> Result<()> {
        match output {
            Output::Keep(keep) => {
                self.keep(keep, rows, &errors)?;
            }
            Output::Extend(columns) => {
                same_length("the new columns", columns.num_rows(), rows)?;
                self.encode(&columns)?;
            }
            Output::KeepExtend(keep, columns) => {
                let kept = self.keep(keep, rows, &errors)?;
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
        let main = match self.outputs.kind {
            Kind::Keep => Rows::Keep(bytes(self.keep)),
            Kind::Extend => Rows::Extend(self.main),
            Kind::KeepExtend => Rows::KeepExtend((bytes(self.keep), self.main)),
            Kind::Replace => Rows::Replace(self.main),
        };
        Outcome { main, side: self.side, errors: self.errors }
    }

    /// Notes the rows to keep, which are neither null nor in error, and counts them.
    fn keep(&mut self, keep: BooleanArray, rows: usize, errors: &RowErrors) -> Result<usize> {
        same_length("the rows to keep", keep.len(), rows)?;
        let (mut bits, nulls) = keep.into_parts();
        if let Some(valid) = nulls.filter(|valid| valid.null_count() > 0) {
            bits = &bits & valid.inner();
        }
        if !errors.is_empty() {
            bits = without(&bits, errors);
        }
        let kept = bits.count_set_bits();
        self.keep = if self.rows == 0 { bits } else { joined(&self.keep, &bits) };
        Ok(kept)
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

/// The bits, none of them set for a row in error.
fn without(bits: &BooleanBuffer, errors: &RowErrors) -> BooleanBuffer {
    let mut good = BooleanBufferBuilder::new(bits.len());
    good.append_buffer(bits);
    errors.rows().filter(|row| *row < bits.len()).for_each(|row| good.set_bit(row, false));
    good.finish()
}

fn joined(first: &BooleanBuffer, second: &BooleanBuffer) -> BooleanBuffer {
    let mut both = BooleanBufferBuilder::new(first.len() + second.len());
    both.append_buffer(first);
    both.append_buffer(second);
    both.finish()
}

/// Eight rows a byte; without a copy if the bits are nobody else's.
fn bytes(bits: BooleanBuffer) -> Vec<u8> {
    let length = bits.len().div_ceil(8);
    if bits.offset() != 0 {
        return bits.sliced().to_vec();
    }
    let mut bytes = bits.into_inner().into_vec().unwrap_or_else(|shared| shared.to_vec());
    bytes.truncate(length);
    bytes
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
