//! `ORDER BY` of a complete result.
//!
//! # Invariants
//!
//! - What comes out is in one partition, so that whoever prints it prints it in order.
//! - Rows that are alike by what they are sorted by are in the order of their other columns. So the order, and what a LIMIT
//!   cuts off, follows from the rows alone, and not from how they were divided.

use super::{
    chain::Chain,
    layout::{Entries, Layout},
    one_shard::ToOneShard,
    rows::{Codec, as_key},
};
use crate::{
    EpochContext, Keyed, Kind, OneShard, Operator, Piece, Port, Result, ResultExt, Scatter, ShardState,
    StepFacts, Timestamp, Wanted,
    sql::{EpochTime, Expression},
};
use arrow::{
    array::{ArrayRef, RecordBatch, UInt32Array},
    compute::{SortOptions, concat_batches, take_record_batch},
    datatypes::SchemaRef,
    row::{RowConverter, SortField},
};
use std::sync::Arc;

/// Rows that leave at once.
const CHUNK: usize = 8192;

/// Sorts the rows of an epoch.
pub(crate) struct Sort {
    before: Arc<Chain>,
    by: Arc<[SortKey]>,
    ports: Vec<Port>,
}

/// What rows are sorted by: the first one that differs counts.
pub(crate) struct SortKey {
    pub(crate) of: Expression,
    pub(crate) options: SortOptions,
}

impl Sort {
    /// Sorts what `before` makes of rows, which has the columns of `schema`.
    pub(crate) fn new(before: Chain, by: Vec<SortKey>, schema: SchemaRef) -> Self {
        let ports = vec![Port { name: String::new(), schema }];
        Sort { before: Arc::new(before), by: by.into(), ports }
    }
}

impl Keyed for Sort {
    fn facts(&self) -> StepFacts {
        let by = self.by.iter().map(|key| match key.options.descending {
            true => format!("{} descending", key.of.text()),
            false => key.of.text().to_owned(),
        });
        StepFacts {
            description: "sort".into(),
            deterministic: true,
            digest: None,
            details: vec![format!("by {}", by.chain(["all columns".into()]).collect::<Vec<_>>().join(", "))],
        }
    }

    fn ports(&self) -> &[Port] {
        &self.ports
    }

    fn has_result(&self) -> bool {
        false
    }

    fn reads(&self, _: usize, _: &[Wanted]) -> Wanted {
        self.before.reads(Wanted::All)
    }

    fn layout(&self) -> Layout {
        Layout::new(false, Entries::Nothing)
    }

    fn scatter(&self, _: usize, cx: &EpochContext) -> Result<Box<dyn Scatter>> {
        Ok(Box::new(ToOneShard::new(self.before.clone(), usize::MAX, cx)))
    }

    fn shard(&self, cx: &EpochContext) -> Result<OneShard> {
        Ok(Sorting { by: self.by.clone(), now: cx.now, rows: Vec::new() }.into())
    }
}

struct Sorting {
    by: Arc<[SortKey]>,
    now: Timestamp,
    rows: Vec<RecordBatch>,
}

impl Sorting {
    fn sorted(&self, rows: &RecordBatch) -> Result<RecordBatch> {
        let doing = || "sorting";
        let (columns, fields) = self.compared(rows)?;
        let converter = RowConverter::new(fields).doing(Kind::Invalid, doing)?;
        let keys = converter.convert_columns(&columns).doing(Kind::Internal, doing)?;
        let mut order: Vec<(_, u32)> = keys.iter().zip(0..).collect();
        order.sort_unstable();
        let order = UInt32Array::from_iter_values(order.into_iter().map(|(_, row)| row));
        take_record_batch(rows, &order).doing(Kind::Internal, doing)
    }

    fn compared(&self, rows: &RecordBatch) -> Result<(Vec<ArrayRef>, Vec<SortField>)> {
        let mut columns = Vec::new();
        let mut fields = Vec::new();
        for SortKey { of, options } in self.by.iter() {
            fields.push(SortField::new_with_options(of.data_type().clone(), *options));
            columns.push(as_key(of.evaluate(rows)?)?);
        }
        for column in rows.columns().iter().filter(|column| Codec::new([column.data_type()]).is_ok()) {
            fields.push(SortField::new(column.data_type().clone()));
            columns.push(column.clone());
        }
        Ok((columns, fields))
    }
}

impl Operator for Sorting {
    fn on_piece(&mut self, _: usize, piece: Piece) -> Result<()> {
        self.rows.push(piece.rows);
        Ok(())
    }

    fn on_epoch_end(&mut self, _: &mut ShardState<'_>, out: &mut Vec<(usize, RecordBatch)>) -> Result<()> {
        let _now = EpochTime::set(self.now.0);
        let Some(first) = self.rows.first() else { return Ok(()) };
        let rows = concat_batches(first.schema_ref(), &self.rows).doing(Kind::Internal, || "sorting")?;
        let sorted = self.sorted(&rows)?;
        let starts = (0..sorted.num_rows()).step_by(CHUNK);
        out.extend(starts.map(|start| (0, sorted.slice(start, CHUNK.min(sorted.num_rows() - start)))));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        OutputMode,
        operators::driver::{Driver, Row, planned, row},
    };

    fn sorted(by: &str, rows: &[&[Row]]) -> Vec<String> {
        let sql = format!("SELECT k, v FROM rows ORDER BY {by}");
        Driver::of_mode(&sql, OutputMode::Complete).partitions(rows).swap_remove(0)
    }

    const NULL: Row = (None, Some(1.0), 1, None);

    #[test]
    fn nulls_are_first_ascending_and_last_descending_unless_it_is_said() {
        let rows: [&[Row]; 2] = [&[row("b", 1), NULL], &[row("a", 1)]];
        assert_eq!(sorted("k", &rows), [" | 1", "a | 1", "b | 1"]);
        assert_eq!(sorted("k DESC", &rows), ["b | 1", "a | 1", " | 1"]);
        assert_eq!(sorted("k NULLS LAST", &rows), ["a | 1", "b | 1", " | 1"]);
    }

    #[test]
    fn rows_that_are_alike_come_in_the_same_order_however_they_are_divided() {
        let two = |key| (Some(key), Some(1.0), 2, None);
        let one: [&[Row]; 1] = [&[two("b"), row("c", 1), two("a"), NULL]];
        let many: [&[Row]; 3] = [&[NULL], &[two("a"), two("b")], &[row("c", 1)]];
        assert_eq!(sorted("v DESC", &one), ["a | 2", "b | 2", " | 1", "c | 1"]);
        assert_eq!(sorted("v DESC", &one), sorted("v DESC", &many));
    }

    #[test]
    fn a_stream_that_goes_on_cannot_be_sorted() {
        for mode in [OutputMode::Append, OutputMode::Update] {
            let error = planned("SELECT k FROM rows ORDER BY k", true, &[mode]).err().unwrap();
            assert!(error.report().contains("it is for complete mode, after an aggregation"), "{error:?}");
        }
    }
}
