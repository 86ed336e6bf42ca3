//! The continuous trigger.

use super::{Run, any_source_ready, in_time};
use crate::{
    Created, Epoch, Result,
    checkpoint::{OffsetRecord, Ranges},
    query::Stop,
};
use std::{collections::BTreeMap, time::Duration};

impl Run<'_> {
    /// Batches to the sinks as they arrive; an epoch is recorded when it closes.
    pub(crate) async fn continuous(&mut self, first: Epoch, interval: Duration, stop: &Stop) -> Result<()> {
        let mut epoch = first;
        while !stop.is_requested() {
            let late = self.too_late(stop, epoch);
            let (record, rows) = in_time(late, epoch, self.open_epoch(epoch, interval, stop)).await?;
            if !record.sources.is_empty() {
                if self.checkpoint.write_offsets(epoch, &record).await? == Created::Lost {
                    return Err(self.checkpoint.fenced(&format!("it closed epoch {epoch} first")));
                }
                self.write_commit(epoch, rows, BTreeMap::new()).await?;
                self.warn_of_bad_rows(Some(epoch));
                epoch = epoch.next();
            }
            if self.have_ended().await {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Moves rows until the interval is over, or until columns change: a replay of an epoch has one plan. Answers what
    /// was read, and how many rows.
    async fn open_epoch(
        &mut self,
        epoch: Epoch,
        interval: Duration,
        stop: &Stop,
    ) -> Result<(OffsetRecord, u64)> {
        self.checkpoint.still_mine(self.owner).await?;
        let clock = self.query.clock.clone();
        let close = clock.monotonic() + interval;
        let mut all = self.record(Ranges::new());
        let mut rows = 0;
        while !stop.is_requested() && clock.monotonic() < close {
            let ranges = tokio::select! {
                ranges = self.plan() => ranges?,
                () = stop.requested() => break,
            };
            if ranges.is_empty() && self.have_ended().await {
                break;
            }
            if ranges.is_empty() {
                tokio::select! {
                    () = stop.requested() => {}
                    () = any_source_ready(&self.sources) => {}
                    () = clock.sleep(close.saturating_sub(clock.monotonic())) => {}
                }
                continue;
            }
            if !all.sources.is_empty() && self.schemas_of(&ranges)? != self.schemas {
                break;
            }
            let record = self.record(ranges);
            rows += self.deliver(epoch, &record).await?;
            all.positions = record.positions;
            for (name, ranges) in record.sources {
                all.sources.entry(name).or_default().extend(ranges);
            }
        }
        all.consumed = self.consumed(&all.sources);
        Ok((all, rows))
    }

    /// Brings the rows of the record's ranges to the sinks, and answers how many there were.
    async fn deliver(&mut self, epoch: Epoch, record: &OffsetRecord) -> Result<u64> {
        let started = self.query.clock.monotonic();
        self.replan(&record.sources).await?;
        let context = self.context(epoch, 0, record);
        let (input, written, _) = self.rows_to_sinks(&context, record, false).await?;
        // The epoch is not complete yet: a snapshot may speak of part of it, never stand for all of it.
        self.release_ranges(&record.sources, epoch.0.checked_sub(1).map(Epoch)).await?;
        self.report(&context, record, &input, &written, started);
        Ok(input.iter().sum())
    }
}
