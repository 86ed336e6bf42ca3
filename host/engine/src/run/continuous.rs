//! The continuous trigger.

use super::{Run, in_time, sources::any_source_ready};
use crate::{
    Created, Epoch, EpochOutcome, Result,
    checkpoint::{CommitRecord, OffsetRecord, Ranges},
    query::Stop,
};
use std::{collections::BTreeMap, time::Duration};

impl Run<'_> {
    /// Batches to the sinks as they arrive; an epoch is recorded when it closes.
    pub(crate) async fn continuous(&mut self, first: Epoch, interval: Duration, stop: &Stop) -> Result<()> {
        self.refuse_state()?;
        let mut epoch = first;
        while !stop.is_requested() {
            let late = self.too_late(stop, epoch);
            let opened = in_time(late, epoch, self.open_epoch(epoch, interval, stop)).await;
            let (record, commit) = self.ended(epoch, opened).await?;
            if let Some(commit) = commit {
                if self.checkpoint.write_offsets(epoch, &record).await? == Created::Lost {
                    return Err(self.checkpoint.fenced(&format!("it closed epoch {epoch} first")));
                }
                self.write_commit(epoch, commit).await?;
                self.ended(epoch, Ok(())).await?;
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
    /// was read, and what there is to be committed; nothing if nothing was read.
    async fn open_epoch(
        &mut self,
        epoch: Epoch,
        interval: Duration,
        stop: &Stop,
    ) -> Result<(OffsetRecord, Option<CommitRecord>)> {
        self.checkpoint.still_mine(self.owner).await?;
        self.renew();
        let clock = self.query.clock.clone();
        let close = clock.monotonic() + interval;
        let mut all = self.record(Ranges::new());
        all.tables = self.refresh_tables().await?;
        let mut commit: Option<CommitRecord> = None;
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
            let record = OffsetRecord { tables: all.tables.clone(), ..self.record(ranges) };
            if commit.is_none() {
                self.tell(epoch, EpochOutcome::Started(record.time)).await?;
            }
            let delivered = self.deliver(epoch, &record).await?;
            let rows = delivered.rows + commit.map_or(0, |before| before.rows);
            // The sinks wrote without a mark, so there is none to be kept; and an epoch of several parts has no batches to compare.
            commit =
                Some(CommitRecord { rows, sinks: BTreeMap::new(), outputs: BTreeMap::new(), ..delivered });
            all.positions = record.positions;
            for (name, ranges) in record.sources {
                all.sources.entry(name).or_default().extend(ranges);
            }
        }
        all.consumed = self.consumed(&all.sources);
        Ok((all, commit))
    }

    /// Brings the rows of the record's ranges to the sinks.
    async fn deliver(&mut self, epoch: Epoch, record: &OffsetRecord) -> Result<CommitRecord> {
        let started = self.query.clock.monotonic();
        self.replan(&record.sources).await?;
        self.hold_tables(record, 0).await?;
        let context = self.context(epoch, 0, record);
        let (input, written, commit) = self.rows_to_sinks(&context, record, false).await?;
        // The epoch is not complete yet: a snapshot may speak of part of it, never stand for all of it.
        self.release_ranges(&record.sources, epoch.0.checked_sub(1).map(Epoch)).await?;
        self.report(&context, record, &input, &written, started);
        Ok(commit)
    }
}
