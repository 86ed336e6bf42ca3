//! The continuous trigger.

use super::{Run, any_source_ready};
use crate::{
    Created, Epoch, EpochContext, Partition, Result,
    checkpoint::{OffsetRecord, Ranges},
    query::Stop,
};
use std::{collections::BTreeMap, time::Duration};

impl Run<'_> {
    /// Batches to the sinks as they arrive; an epoch is recorded when it closes.
    pub(crate) async fn continuous(&mut self, first: Epoch, interval: Duration, stop: &Stop) -> Result<()> {
        let mut epoch = first;
        while !stop.is_requested() {
            let record = self.open_epoch(epoch, interval, stop).await?;
            if !record.sources.is_empty() {
                if self.checkpoint.write_offsets(epoch, &record).await? == Created::Lost {
                    return Err(self.checkpoint.fenced(&format!("it closed epoch {epoch} first")));
                }
                self.write_commit(epoch, 0, BTreeMap::new()).await?;
                epoch = epoch.next();
            }
        }
        Ok(())
    }

    /// Moves rows until the interval is over; answers what was read.
    async fn open_epoch(&mut self, epoch: Epoch, interval: Duration, stop: &Stop) -> Result<OffsetRecord> {
        self.checkpoint.still_mine(self.owner).await?;
        let clock = self.query.clock.clone();
        let close = clock.monotonic() + interval;
        let mut all = self.record(Ranges::new());
        while !stop.is_requested() && clock.monotonic() < close {
            let ranges = self.plan().await?;
            if ranges.is_empty() {
                tokio::select! {
                    () = stop.requested() => {}
                    () = any_source_ready(&self.sources) => {}
                    () = clock.sleep(close.saturating_sub(clock.monotonic())) => {}
                }
                continue;
            }
            let started = clock.monotonic();
            let record = self.record(ranges);
            self.replan(&record.sources).await?;
            let context = EpochContext {
                query: self.id.clone(),
                epoch,
                partition: Partition(0),
                attempt: 0,
                watermark: None,
                now: record.time,
            };
            let (input, written, _) = self.rows_to_sinks(&context, &record, false).await?;
            // The epoch is not complete yet: a snapshot may speak of part of it, never stand for all of it.
            self.release_ranges(&record.sources, epoch.0.checked_sub(1).map(Epoch)).await?;
            self.report(&context, &record, &input, &written, started);
            all.positions = record.positions;
            for (name, ranges) in record.sources {
                all.sources.entry(name).or_default().extend(ranges);
            }
        }
        Ok(all)
    }
}
