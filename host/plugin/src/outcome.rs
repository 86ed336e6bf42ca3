//! From what a guest answered to what leaves the step. Nothing of an answer is believed before it was checked.

use crate::{
    abi::{self, Disposition},
    fault::Fault,
    ipc::{Caps, Decoder},
    limits::Limits,
    schema::{Agreement, Main, assemble},
    text,
};
use arrow::{
    array::{BooleanArray, RecordBatch},
    buffer::{BooleanBuffer, Buffer},
    compute::{concat_batches, filter_record_batch},
    datatypes::SchemaRef,
};
use engine::{Batch, Kind, ResultExt};

/// Batches in one answer.
pub(crate) const MOST_BATCHES: usize = 1_024;

/// An answer that was checked.
#[derive(Debug)]
pub(crate) struct Applied {
    /// What leaves, each with the index of its port.
    pub(crate) out: Vec<(usize, Batch)>,
    /// By row, ascending.
    pub(crate) errors: Vec<RowError>,
    /// Bytes of the answer.
    pub(crate) bytes: usize,
}

/// A row that the guest could not process.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RowError {
    pub(crate) row: usize,
    pub(crate) retry: bool,
    pub(crate) message: String,
}

impl Applied {
    pub(crate) fn rows_out(&self) -> usize {
        self.out.iter().map(|(_, batch)| batch.len()).sum()
    }
}

/// What follows from the answer to `batch`.
pub(crate) fn apply(
    agreed: &Agreement,
    batch: &Batch,
    said: abi::Outcome,
    limits: &Limits,
) -> Result<Applied, Fault> {
    let bytes = size(&said);
    let caps = caps(limits);
    let errors = check_errors(said.errors, batch.len())?;
    let mut out = main(&agreed.main, batch, said.main, &errors, caps)?;
    for (name, messages) in said.side {
        side(agreed, batch, &name, messages, caps, &mut out)?;
    }
    out.retain(|(_, batch)| !batch.is_empty());
    Ok(Applied { out, errors, bytes })
}

/// How much an answer may hold.
pub(crate) fn caps(limits: &Limits) -> Caps {
    Caps { bytes: limits.output_bytes, rows: limits.output_rows, batches: MOST_BATCHES }
}

fn size(said: &abi::Outcome) -> usize {
    let main = match &said.main {
        abi::Rows::Replace(rows) | abi::Rows::Keep(rows) | abi::Rows::Extend(rows) => rows.len(),
        abi::Rows::KeepExtend((bits, rows)) => bits.len() + rows.len(),
    };
    main + said.side.iter().map(|(_, rows)| rows.len()).sum::<usize>()
}

pub(crate) fn check_errors(said: Vec<abi::RowError>, rows: usize) -> Result<Vec<RowError>, Fault> {
    let mut errors: Vec<RowError> = said.into_iter().map(RowError::from).collect();
    errors.sort_by_key(|e| e.row);
    if let Some(error) = errors.last()
        && error.row >= rows
    {
        return Err(breach(format!("it reports an error in row {} of {rows}", error.row)));
    }
    if let Some(row) = errors.windows(2).find_map(|pair| match pair {
        [a, b] if a.row == b.row => Some(a.row),
        _ => None,
    }) {
        return Err(breach(format!("it reports row {row} twice")));
    }
    Ok(errors)
}

impl From<abi::RowError> for RowError {
    fn from(said: abi::RowError) -> Self {
        RowError {
            row: said.row as usize,
            retry: said.disposition == Disposition::Retry,
            message: text::shown(&said.message, text::MESSAGE),
        }
    }
}

fn main(
    agreed: &Main,
    batch: &Batch,
    said: abi::Rows,
    errors: &[RowError],
    caps: Caps,
) -> Result<Vec<(usize, Batch)>, Fault> {
    let batches = match (agreed, said) {
        (Main::Rows(decoder), abi::Rows::Replace(messages)) => replaced(decoder, batch, messages, caps)?,
        (Main::Columns { added, .. }, abi::Rows::Keep(bits)) if added.schema().fields().is_empty() => {
            vec![kept(batch, &bitmap(bits, batch.len(), errors)?)?]
        }
        (Main::Columns { added, whole }, abi::Rows::Extend(messages)) => {
            let extended = extended(added, whole, batch, messages, caps)?;
            without(extended, errors)?
        }
        (Main::Columns { added, whole }, abi::Rows::KeepExtend((bits, messages))) => {
            let kept = kept(batch, &bitmap(bits, batch.len(), errors)?)?;
            extended(added, whole, &kept, messages, caps)?
        }
        (Main::Rows(_), _) => {
            return Err(breach("it agreed in `bind` to answer with whole rows, and did not"));
        }
        (Main::Columns { .. }, _) => {
            return Err(breach("it agreed in `bind` to keep the input's columns and add some, and did not"));
        }
    };
    Ok(batches.into_iter().map(|batch| (0, batch)).collect())
}

fn side(
    agreed: &Agreement,
    batch: &Batch,
    name: &str,
    messages: Vec<u8>,
    caps: Caps,
    out: &mut Vec<(usize, Batch)>,
) -> Result<(), Fault> {
    let (index, side) = agreed.side(name)?;
    let rows = replaced(&side.decoder, batch, messages, caps)?;
    out.extend(rows.into_iter().map(|batch| (index + 1, batch)));
    Ok(())
}

fn replaced(decoder: &Decoder, batch: &Batch, messages: Vec<u8>, caps: Caps) -> Result<Vec<Batch>, Fault> {
    let made = decode(decoder, messages, caps)?;
    Ok(made.into_iter().map(|rows| Batch { origin: batch.origin.made_from(rows.num_rows()), rows }).collect())
}

pub(crate) fn decode(decoder: &Decoder, messages: Vec<u8>, caps: Caps) -> Result<Vec<RecordBatch>, Fault> {
    decoder.decode(messages, caps).map_err(|e| breach(e.report()))
}

/// All rows of an answer as one batch.
pub(crate) fn whole(schema: &SchemaRef, batches: &[RecordBatch]) -> engine::Result<RecordBatch> {
    concat_batches(schema, batches).doing(Kind::Internal, || "batches of one answer as one")
}

/// The guest's bits, one a row, none of them set for a row in error.
fn bitmap(bits: Vec<u8>, rows: usize, errors: &[RowError]) -> Result<BooleanBuffer, Fault> {
    if bits.len() != rows.div_ceil(8) {
        let wanted = rows.div_ceil(8);
        return Err(breach(format!("its bitmap has {} bytes where {rows} rows take {wanted}", bits.len())));
    }
    let bits = BooleanBuffer::new(Buffer::from_vec(bits), 0, rows);
    match errors.iter().find(|error| bits.value(error.row)) {
        Some(error) => Err(breach(format!("it keeps row {}, which it reports as an error", error.row))),
        None => Ok(bits),
    }
}

/// The rows whose bit is set; no copy if that is all of them.
fn kept(batch: &Batch, bits: &BooleanBuffer) -> Result<Batch, Fault> {
    if bits.count_set_bits() == bits.len() {
        return Ok(batch.clone());
    }
    let rows = filter_record_batch(&batch.rows, &BooleanArray::new(bits.clone(), None)).map_err(internal)?;
    Ok(Batch { rows, origin: batch.origin.keep(bits) })
}

/// The columns of `batch` and beside them the guest's, which need not be cut in batches where the input is.
fn extended(
    added: &Decoder,
    whole: &SchemaRef,
    batch: &Batch,
    messages: Vec<u8>,
    caps: Caps,
) -> Result<Vec<Batch>, Fault> {
    let added = decode(added, messages, caps)?;
    let rows: usize = added.iter().map(RecordBatch::num_rows).sum();
    if rows != batch.len() {
        return Err(breach(format!("it adds columns of {rows} rows to {} rows", batch.len())));
    }
    let mut from = 0;
    added
        .into_iter()
        .map(|added| {
            let part = part(batch, from, added.num_rows());
            from += added.num_rows();
            beside(whole, part, &added)
        })
        .collect()
}

fn part(batch: &Batch, from: usize, rows: usize) -> Batch {
    if from == 0 && rows == batch.len() {
        return batch.clone();
    }
    Batch { rows: batch.rows.slice(from, rows), origin: batch.origin.slice(from, rows) }
}

fn beside(whole: &SchemaRef, batch: Batch, added: &RecordBatch) -> Result<Batch, Fault> {
    let columns = batch.rows.columns().iter().chain(added.columns()).cloned().collect();
    let rows = assemble(whole, columns, batch.len()).map_err(|e| breach(e.to_string()))?;
    Ok(Batch { rows, origin: batch.origin })
}

/// The batches, one after the other the rows of one call, without those in error.
fn without(batches: Vec<Batch>, errors: &[RowError]) -> Result<Vec<Batch>, Fault> {
    if errors.is_empty() {
        return Ok(batches);
    }
    let mut from = 0;
    batches
        .iter()
        .map(|batch| {
            let good = !&marked(batch.len(), errors.iter().map(|e| e.row.wrapping_sub(from)));
            from += batch.len();
            kept(batch, &good)
        })
        .collect()
}

/// A bit for each of `rows` rows, set for those in `marks`.
pub(crate) fn marked(rows: usize, marks: impl Iterator<Item = usize>) -> BooleanBuffer {
    let mut bits = arrow::array::BooleanBufferBuilder::new(rows);
    bits.append_n(rows, false);
    marks.filter(|row| *row < rows).for_each(|row| bits.set_bit(row, true));
    bits.finish()
}

fn breach(why: impl Into<String>) -> Fault {
    Fault::Breach(why.into())
}

fn internal(error: arrow::error::ArrowError) -> Fault {
    Fault::Breach(error.to_string())
}
