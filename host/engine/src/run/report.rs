//! What an epoch did, told to the observer.

use super::Run;
use crate::{
    Epoch, EpochContext, StepProgress, Timestamp,
    checkpoint::OffsetRecord,
    plan::{Input, NamedSource},
    progress::{Progress, SinkProgress, SourceProgress, StateProgress, per_second},
};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

impl Run<'_> {
    /// Tells the observer of a committed epoch.
    pub(super) fn report(
        &mut self,
        context: &EpochContext,
        record: &OffsetRecord,
        input: &[u64],
        written: &[u64],
        started: Duration,
    ) {
        let took = self.query.clock.monotonic() - started;
        self.phases.trigger_execution = self.phases.latest_offset
            + self.phases.query_planning
            + self.phases.wal_commit
            + took.as_millis() as u64;
        let rows = input.iter().sum();
        let bad = self.take_bad_rows();
        let last = self.reported.replace(record.time);
        let since_last = Duration::from_micros(last.map_or(0, |last| (record.time.0 - last.0).max(0) as u64));
        let sinks: Vec<SinkProgress> = self
            .flow
            .sinks
            .iter()
            .zip(written)
            .map(|(s, rows)| SinkProgress {
                description: format!("{}: {}", s.name, s.description),
                num_output_rows: *rows,
            })
            .collect();
        let progress = Progress {
            id: self.id.clone(),
            run_id: self.run_id.clone(),
            name: self.query.settings.name.clone(),
            timestamp: record.time,
            batch_id: context.epoch,
            num_input_rows: rows,
            input_rows_per_second: per_second(rows, since_last),
            processed_rows_per_second: per_second(rows, took),
            duration_ms: std::mem::take(&mut self.phases),
            event_time: self.event_time(record),
            state_operators: self.state_operators(),
            sources: self
                .sources
                .iter()
                .zip(input.iter().zip(bad))
                .map(|(s, (rows, bad))| SourceProgress {
                    num_bad_rows: bad,
                    ..self.source_progress(s, record, *rows, (since_last, took))
                })
                .collect(),
            sink: sinks.first().cloned().unwrap_or_default(),
            sinks,
            plugins: self.plugins(),
            releases: self.releases(),
            notices: self.query.planner.notices(),
        };
        tracing::debug!(epoch = context.epoch.0, rows, millis = took.as_millis() as u64, "epoch committed");
        self.query.observer.progress(&progress);
    }

    fn source_progress(
        &self,
        named: &NamedSource,
        record: &OffsetRecord,
        rows: u64,
        (since_last, took): (Duration, Duration),
    ) -> SourceProgress {
        let ranges = record.sources.get(&named.name).map_or(&[][..], |r| r);
        SourceProgress {
            description: format!("{}: {}", named.name, named.source.facts().description),
            start_offset: ranges.first().and_then(|r| r.start.clone()),
            end_offset: ranges.last().map(|r| r.end.clone()),
            latest_offset: named.source.newest(),
            backlog: self.backlog.get(&named.name).copied().unwrap_or(0),
            num_input_rows: rows,
            num_bad_rows: 0,
            input_rows_per_second: per_second(rows, since_last),
            processed_rows_per_second: per_second(rows, took),
        }
    }

    /// How many bad rows each source has met since the last call; they are kept to be warned of.
    fn take_bad_rows(&mut self) -> Vec<u64> {
        let mut counts = Vec::with_capacity(self.sources.len());
        for NamedSource { name, source, .. } in &self.sources {
            let bad = source.bad_rows();
            counts.push(bad.count);
            if bad.count > 0 {
                self.bad_rows.entry(name.clone()).or_default().add(bad);
            }
        }
        counts
    }

    /// Warns of the bad rows since the last warning: of an epoch, or of what came behind the last one.
    pub(crate) fn warn_of_bad_rows(&mut self, epoch: Option<Epoch>) {
        self.take_bad_rows();
        for (source, bad) in std::mem::take(&mut self.bad_rows) {
            tracing::warn!(
                source,
                epoch = epoch.map(|epoch| epoch.0),
                rows = bad.count,
                first = bad.first.map(|at| at.to_string()),
                "rows do not fit the schema: `on-bad-data` leaves them out, or puts NULL for what does not fit"
            );
        }
    }

    /// Spark's event-time statistics; nothing without a watermark.
    fn event_time(&self, record: &OffsetRecord) -> BTreeMap<String, String> {
        if !self.flow.stateless().any(|(_, _, step)| step.event_time().is_some()) {
            return BTreeMap::new();
        }
        let text = |micros: i64| Timestamp(micros).to_string();
        let mut all = BTreeMap::from([("watermark".to_owned(), text(record.watermarks.eviction.micros()))]);
        if let Some(times) = self.times {
            all.extend(
                [("min", times.min), ("max", times.max), ("avg", times.mean())]
                    .map(|(name, micros)| (name.to_owned(), text(micros))),
            );
        }
        all
    }

    fn state_operators(&mut self) -> Vec<StateProgress> {
        let operators = self.flow.keyed().filter_map(|(index, name, step)| {
            let (rows, bytes) = self.states.of(name).ok()?.size();
            let late = step.take_late();
            let is_lost = self.flow.wanted(Input::Step { step: index, port: step.shard_ports() }).is_nothing();
            if late > 0 && is_lost && self.lost.insert(name.to_owned()) {
                tracing::warn!(
                    rows = late,
                    "rows of step `{name}` came behind the watermark and are left out; a sink with `from = \"{name}.late\"` gets them. \
                     This is said once; the progress of each epoch counts them"
                );
            }
            Some(StateProgress {
                operator_name: name.to_owned(),
                num_rows_total: rows,
                memory_used_bytes: bytes,
                num_rows_dropped_by_watermark: late,
            })
        });
        operators.collect()
    }

    fn releases(&self) -> BTreeMap<String, String> {
        let releases = self.query.planner.releases().into_iter();
        releases.map(|(of, release)| (of, format!("{}@{}", release.plugin, release.version))).collect()
    }

    /// Steps, sinks and functions that call plugins, and other steps with rows in error.
    pub(super) fn plugins(&self) -> BTreeMap<String, StepProgress> {
        let progress = |(_, name, step): (usize, &str, &Arc<dyn crate::Step>)| {
            let progress = step.progress();
            let of_interest = step.facts().digest.is_some() || progress.rows_error > 0;
            of_interest.then(|| (name.to_owned(), progress))
        };
        let sinks = self.flow.sinks.iter().filter_map(|sink| Some((sink.key(), sink.sink.progress()?)));
        let keyed = self.flow.keyed().filter_map(|(_, name, step)| Some((name.to_owned(), step.progress()?)));
        let functions = self.flow.functions.iter().map(|of| (of.key(), of.function().progress()));
        self.flow.stateless().filter_map(progress).chain(keyed).chain(sinks).chain(functions).collect()
    }
}
