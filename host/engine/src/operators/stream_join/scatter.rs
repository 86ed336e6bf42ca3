//! Rows of one partition of a side, with what the shards need to know of them.

use super::{Due, Plan, Side, Which};
use crate::{
    Batch, EpochContext, Kind, Piece, Result, ResultExt, Scatter, Scattered, Timestamp,
    event_time::Watermark,
    operators::{
        chain::made,
        rows::{Codec, as_key},
    },
    sql::{EpochTime, instants, is_window},
};
use arrow::{
    array::{
        Array, ArrayRef, BinaryBuilder, BooleanArray, Int64Array, RecordBatch, UInt8Array, UInt32Array,
        new_null_array,
    },
    buffer::NullBuffer,
    compute::{filter_record_batch, take_record_batch},
    datatypes::{DataType, Field, Schema, SchemaRef},
};
use std::sync::{Arc, atomic::Ordering::Relaxed};

/// What is in front of a side's columns in a piece: key, fate and due.
pub(super) const FRONT: usize = 3;

/// What may become of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Fate {
    /// It may match.
    Match = 0,
    /// It waits in state and matches nothing: a key is NULL.
    Wait = 1,
    /// It comes out at once, with NULLs: the condition does not hold for it.
    Alone = 2,
}

pub(super) struct SideScatter {
    plan: Arc<Plan>,
    which: Which,
    now: Timestamp,
    late: Watermark,
    keys: Codec,
    schema: SchemaRef,
}

impl SideScatter {
    pub(super) fn new(plan: Arc<Plan>, which: Which, cx: &EpochContext) -> Result<Self> {
        let side = plan.side(which);
        let front = [
            Field::new("key", DataType::Binary, false),
            Field::new("fate", DataType::UInt8, false),
            Field::new("due", DataType::Int64, true),
        ];
        let columns = side.schema.fields().iter().map(|field| Field::clone(field));
        let schema = Arc::new(Schema::new(front.into_iter().chain(columns).collect::<Vec<_>>()));
        let keys = side.key_codec()?;
        Ok(SideScatter { which, now: cx.now, late: cx.in_force.late, keys, schema, plan })
    }

    fn side(&self) -> &Side {
        self.plan.side(self.which)
    }

    /// The rows that are not late. Those that are come out of the port behind the shards'.
    fn in_time(&self, rows: RecordBatch, out: &mut Scattered) -> Result<RecordBatch> {
        let Some(time) = self.side().time else { return Ok(rows) };
        let times = event_times(rows.column(time))?;
        let is_late = |row: usize| times.is_valid(row) && self.late.covers(times.value(row));
        let (late, kept): (Vec<u32>, Vec<u32>) =
            (0..rows.num_rows() as u32).partition(|row| is_late(*row as usize));
        if late.is_empty() {
            return Ok(rows);
        }
        self.plan.late.fetch_add(late.len() as u64, Relaxed);
        let dropped = taken(&rows, late)?;
        let columns = dropped.columns().to_vec();
        out.side.push((1, padded(&self.plan.late_rows, self.which, columns, dropped.num_rows())?));
        taken(&rows, kept)
    }

    fn fates(&self, keys: &[ArrayRef], rows: &RecordBatch) -> Result<Vec<Fate>> {
        let own = self.side().own.as_ref().map(|own| own.holds(rows)).transpose()?;
        let nulls = keys
            .iter()
            .fold(None, |nulls, key| NullBuffer::union(nulls.as_ref(), key.logical_nulls().as_ref()));
        let nulls = nulls.filter(|_| !self.plan.null_safe);
        let fate = |row: usize| match (&own, &nulls) {
            (Some(own), _) if own.is_null(row) || !own.value(row) => Fate::Alone,
            (_, Some(nulls)) if nulls.is_null(row) => Fate::Wait,
            _ => Fate::Match,
        };
        Ok((0..rows.num_rows()).map(fate).collect())
    }

    fn keys(&self, rows: &RecordBatch) -> Result<Vec<ArrayRef>> {
        self.side().keys.iter().map(|key| as_key(key.evaluate(rows)?)).collect()
    }

    /// The watermarks, in microseconds, at which rows leave.
    fn due(&self, keys: &[ArrayRef], rows: &RecordBatch) -> Result<ArrayRef> {
        let (of, after) = match (self.side().due, self.side().time) {
            (Some(Due::Key(at)), _) => (keys.get(at), 0),
            (Some(Due::After(millis)), Some(time)) => (rows.columns().get(time), millis),
            _ => (None, 0),
        };
        let Some(of) = of else { return Ok(new_null_array(&DataType::Int64, rows.num_rows())) };
        let after = after.saturating_mul(1000);
        Ok(Arc::new(arrow::compute::unary::<_, _, arrow::datatypes::Int64Type>(
            &event_times(of)?,
            |time: i64| time.saturating_add(after),
        )))
    }

    fn piece(&self, keys: &[ArrayRef], fates: &[Fate], rows: &RecordBatch) -> Result<Piece> {
        let encoded = self.keys.encode(keys)?;
        let mut key = BinaryBuilder::with_capacity(encoded.num_rows(), encoded.size());
        let mut hashes = Vec::with_capacity(encoded.num_rows());
        for row in &encoded {
            key.append_value(row.data());
            hashes.push(crate::hash(row.data()));
        }
        let fates = UInt8Array::from_iter_values(fates.iter().map(|fate| *fate as u8));
        let front: [ArrayRef; FRONT] = [Arc::new(key.finish()), Arc::new(fates), self.due(keys, rows)?];
        let columns = front.into_iter().chain(rows.columns().iter().cloned()).collect();
        Ok(Piece::new(made(&self.schema, columns, hashes.len())?, hashes))
    }
}

impl Scatter for SideScatter {
    fn on_batch(&mut self, batch: &Batch, out: &mut Scattered) -> Result<()> {
        let _now = EpochTime::set(self.now.0);
        let rows = self.in_time(self.side().before.run(&batch.rows)?, out)?;
        let keys = self.keys(&rows)?;
        let fates = self.fates(&keys, &rows)?;
        // What matches nothing is of use to outer sides alone.
        let of_use = |fate: &Fate| self.plan.outer(self.which) || *fate == Fate::Match;
        let piece = match fates.iter().all(of_use) {
            true => self.piece(&keys, &fates, &rows)?,
            false => {
                let kept = BooleanArray::from_iter(fates.iter().map(|fate| Some(of_use(fate))));
                let rows = filter_record_batch(&rows, &kept).doing(Kind::Internal, || "rows of a join")?;
                let fates: Vec<Fate> = fates.iter().copied().filter(of_use).collect();
                self.piece(&self.keys(&rows)?, &fates, &rows)?
            }
        };
        if !piece.hashes.is_empty() {
            out.pieces.push(piece);
        }
        Ok(())
    }

    fn on_end(&mut self, _: &mut Scattered) -> Result<()> {
        Ok(())
    }
}

/// Event times in microseconds; of windows, their ends.
fn event_times(of: &ArrayRef) -> Result<Int64Array> {
    let after = i64::from(is_window(of.data_type()));
    let times = instants(of).doing(Kind::Internal, || "event times of a join")?;
    Ok(arrow::compute::unary(&times, |time: i64| time + after))
}

fn taken(rows: &RecordBatch, of: Vec<u32>) -> Result<RecordBatch> {
    take_record_batch(rows, &UInt32Array::from(of)).doing(Kind::Internal, || "rows of a join")
}

/// Rows of `schema`, which has the columns of both sides, with those of one side and NULLs for the other.
pub(super) fn padded(
    schema: &SchemaRef,
    which: Which,
    columns: Vec<ArrayRef>,
    rows: usize,
) -> Result<RecordBatch> {
    let fields = schema.fields();
    let nulls = |fields: &[Arc<Field>]| -> Vec<ArrayRef> {
        fields.iter().map(|field| new_null_array(field.data_type(), rows)).collect()
    };
    let columns = match which {
        Which::Left => {
            let rest = nulls(fields.get(columns.len()..).unwrap_or_default());
            [columns, rest].concat()
        }
        Which::Right => {
            let first = nulls(fields.get(..fields.len() - columns.len()).unwrap_or_default());
            [first, columns].concat()
        }
    };
    made(schema, columns, rows)
}
