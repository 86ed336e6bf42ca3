//! Rows of one partition to the sessions that they make.

use super::{
    LATE_PORT, Plan, Span,
    spans::{KeySpan, Merged, merge},
};
use crate::{
    Batch, EpochContext, Kind, Piece, Result, ResultExt, Scatter, Scattered, Timestamp,
    event_time::Watermark,
    operators::{
        chain::made,
        keys::{KeyIndex, encode, hashed},
        late,
        rows::Codec,
    },
    sql::{EpochTime, instants},
};
use arrow::{
    array::{ArrayRef, BooleanArray, Int64Array, RecordBatch},
    compute::filter_record_batch,
};
use std::sync::{Arc, atomic::Ordering::Relaxed};

/// Sends the sessions of each batch for itself, so it holds none.
pub(super) struct SessionScatter {
    plan: Arc<Plan>,
    now: Timestamp,
    late: Watermark,
    codec: Codec,
}

impl SessionScatter {
    pub(super) fn new(plan: Arc<Plan>, cx: &EpochContext) -> Result<Self> {
        let codec = plan.key_codec()?;
        Ok(SessionScatter { plan, now: cx.now, late: cx.in_force.late, codec })
    }

    /// The session that each row alone is; none where it is in none.
    fn alone(&self, rows: &RecordBatch) -> Result<Vec<Option<Span>>> {
        let times = instants(&self.plan.time.evaluate(rows)?).doing(Kind::Internal, || "times")?;
        let gaps = self.plan.gap.micros(rows)?;
        let span = |(start, gap): (Option<i64>, Option<i64>)| {
            let (start, gap) = start.zip(gap)?;
            Some(Span { start, end: start.saturating_add(gap) })
        };
        Ok(times.iter().zip(&gaps).map(span).collect())
    }

    /// Sends late rows to their port, and answers which they are.
    fn late(
        &self,
        rows: &RecordBatch,
        alone: &[Option<Span>],
        out: &mut Scattered,
    ) -> Result<Option<BooleanArray>> {
        let ends: Int64Array = alone.iter().map(|span| span.map(|span| span.end)).collect();
        let late = self.plan.watermark.then(|| late::which(&ends, self.late)).flatten();
        if let Some(late) = &late {
            self.plan.late.fetch_add(late.true_count() as u64, Relaxed);
            out.side.push((LATE_PORT, kept(rows, late)?));
        }
        Ok(late)
    }

    fn piece(&self, rows: &RecordBatch, alone: impl Iterator<Item = Span>) -> Result<Piece> {
        let keys = encode(&self.codec, self.plan.key_columns(rows)?)?;
        let mut index = KeyIndex::default();
        let spans = alone.zip(&keys).map(|(span, key)| {
            let key = index.number(crate::hash(key.data()), key.data());
            KeySpan { key, span }
        });
        let Merged { of, sessions } = merge(&spans.collect::<Vec<_>>());
        let mut accumulators = self.plan.aggregates.accumulators()?;
        accumulators.update(rows, &of, sessions.len())?;
        let keys = index.into_keys();
        let of_sessions = sessions.iter().filter_map(|session| Some(keys.get(session.key)?.1));
        let (keys, hashes) = hashed(of_sessions);
        let start = Int64Array::from_iter_values(sessions.iter().map(|session| session.span.start));
        let end = Int64Array::from_iter_values(sessions.iter().map(|session| session.span.end));
        let mut columns = vec![keys, Arc::new(start) as ArrayRef, Arc::new(end)];
        columns.extend(accumulators.take_states()?);
        Ok(Piece::new(made(&self.plan.pieces(), columns, hashes.len())?, hashes))
    }
}

impl Scatter for SessionScatter {
    fn on_batch(&mut self, batch: &Batch, out: &mut Scattered) -> Result<()> {
        let _now = EpochTime::set(self.now.0);
        let rows = self.plan.before.run(&batch.rows)?;
        let alone = self.alone(&rows)?;
        let late = self.late(&rows, &alone, out)?;
        let in_time = |row| late.as_ref().is_none_or(|late| !late.value(row));
        let counts: Vec<bool> =
            alone.iter().enumerate().map(|(row, span)| span.is_some() && in_time(row)).collect();
        let spans = alone.iter().zip(&counts).filter(|(_, counts)| **counts).filter_map(|(span, _)| *span);
        let rows = kept(&rows, &BooleanArray::from(counts.clone()))?;
        if rows.num_rows() > 0 {
            out.pieces.push(self.piece(&rows, spans)?);
        }
        Ok(())
    }

    fn on_end(&mut self, _: &mut Scattered) -> Result<()> {
        Ok(())
    }
}

fn kept(rows: &RecordBatch, which: &BooleanArray) -> Result<RecordBatch> {
    if which.true_count() == rows.num_rows() {
        return Ok(rows.clone());
    }
    filter_record_batch(rows, which).doing(Kind::Internal, || "rows of sessions")
}
