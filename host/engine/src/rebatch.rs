//! How batches are joined and split on their way into a step.

use crate::{Batch, BatchStream, Batching, Error, Kind, Origin, Result, ResultExt};
use arrow::compute::concat_batches;
use futures::{StreamExt, stream, stream::Fuse};
use std::collections::VecDeque;

/// Joins small batches and splits large ones, in order. Waits for more rows, however long they take, until it has
/// `target_rows` or the input ends: so the answer follows from the rows alone, and a replay gets the same batches.
pub(crate) fn rebatch(rows: BatchStream, batching: Batching) -> BatchStream {
    let state = Rebatch { rows: rows.fuse(), batching, held: Vec::new(), ready: VecDeque::new() };
    stream::try_unfold(state, |mut state| async { Ok(state.next().await?.map(|batch| (batch, state))) })
        .boxed()
}

struct Rebatch {
    rows: Fuse<BatchStream>,
    batching: Batching,
    /// Too few rows yet.
    held: Vec<Batch>,
    /// Ready to leave.
    ready: VecDeque<Batch>,
}

impl Rebatch {
    async fn next(&mut self) -> Result<Option<Batch>> {
        loop {
            if let Some(batch) = self.ready.pop_front() {
                return Ok(Some(batch));
            }
            match self.rows.next().await {
                Some(batch) => self.accept(batch?)?,
                None if self.held.is_empty() => return Ok(None),
                None => self.let_go()?,
            }
        }
    }

    fn accept(&mut self, batch: Batch) -> Result<()> {
        // A batch that is nearly large enough by itself is not copied for the sake of a few rows before it.
        let large = batch.len() >= self.batching.target_rows / 2;
        if large && !self.held.is_empty() {
            self.let_go()?;
        }
        self.held.push(batch);
        if large || self.held.iter().map(Batch::len).sum::<usize>() >= self.batching.target_rows {
            self.let_go()?;
        }
        Ok(())
    }

    /// What is held leaves as one batch, or as several if it is too large for one.
    fn let_go(&mut self) -> Result<()> {
        let batch = join(std::mem::take(&mut self.held))?;
        self.ready.extend(split(batch, self.batching));
        Ok(())
    }
}

/// All batches as one; a single one is not copied.
fn join(mut batches: Vec<Batch>) -> Result<Batch> {
    if batches.len() <= 1 {
        return batches.pop().ok_or_else(|| Error::internal("no batches to join"));
    }
    let rows = batches.iter().map(|b| &b.rows);
    let schema =
        batches.first().map(|b| b.rows.schema()).unwrap_or_else(|| arrow::datatypes::Schema::empty().into());
    let rows = concat_batches(&schema, rows).doing(Kind::Internal, || "joining batches")?;
    let origin = batches.into_iter().map(|b| b.origin).fold(Origin::default(), Origin::then);
    Ok(Batch { rows, origin })
}

/// The batch in equal parts that keep to the limits; itself if it does.
fn split(batch: Batch, batching: Batching) -> Vec<Batch> {
    let rows = batch.len();
    let by_rows = rows.div_ceil(batching.max_rows.max(1));
    let by_bytes = bytes(&batch).div_ceil(batching.max_bytes.max(1));
    let parts = by_rows.max(by_bytes).clamp(1, rows.max(1));
    if parts == 1 {
        return vec![batch];
    }
    let length = rows.div_ceil(parts);
    let part = |at: usize| {
        let length = length.min(rows - at);
        Batch { rows: batch.rows.slice(at, length), origin: batch.origin.slice(at, length) }
    };
    (0..rows).step_by(length).map(part).collect()
}

/// The bytes of these rows alone, not of the buffers they may be a slice of.
fn bytes(batch: &Batch) -> usize {
    batch.rows.columns().iter().map(|c| c.to_data().get_slice_memory_size().unwrap_or(0)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Place;
    use arrow::array::{ArrayRef, Int64Array, RecordBatch};
    use std::sync::Arc;

    const BATCHING: Batching = Batching { target_rows: 10, max_rows: 16, max_bytes: 1 << 20 };

    async fn sizes(input: &[usize]) -> Vec<(usize, u64)> {
        let mut first = 1;
        let batches: Vec<_> = input
            .iter()
            .map(|&n| {
                let column: ArrayRef = Arc::new(Int64Array::from_iter_values(0..n as i64));
                let rows = RecordBatch::try_from_iter([("n", column)]).unwrap();
                let place = Place::At { of: "f".into(), unit: "row", first };
                first += n as u64;
                Ok(Batch::read(rows, place))
            })
            .collect();
        let out = rebatch(stream::iter(batches).boxed(), BATCHING);
        out.map(|b| b.unwrap()).map(|b| (b.len(), b.origin.position(0).first)).collect().await
    }

    #[tokio::test]
    async fn small_batches_are_joined_and_large_ones_split_and_every_row_knows_its_place() {
        assert_eq!(sizes(&[3, 3, 3, 3, 1]).await, [(12, 1), (1, 13)]);
        assert_eq!(sizes(&[2, 9, 1]).await, [(2, 1), (9, 3), (1, 12)]);
        assert_eq!(sizes(&[40]).await, [(14, 1), (14, 15), (12, 29)]);
        assert!(sizes(&[]).await.is_empty());
    }
}
