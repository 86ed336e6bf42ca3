//! How a running query is shown, and held for crash tests.

use connectors::{
    console::{self, ConsoleSettings},
    memory::{LiveTable, Snapshot},
};
use engine::{CommitStep, Epoch, Observer, Progress, QueryId, Result, checkpoint::Resume};
use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use jiff::tz::TimeZone;
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

/// Shows what a query does.
pub(crate) trait Watch: Send + Sync {
    /// An epoch is committed.
    fn progress(&self, progress: &Progress);

    /// The query has ended well, so long after its start.
    fn ended(&self, _took: Duration) {}
}

/// Shows it in several ways, or in none.
impl Watch for Vec<Box<dyn Watch>> {
    fn progress(&self, progress: &Progress) {
        self.iter().for_each(|watch| watch.progress(progress));
    }

    fn ended(&self, took: Duration) {
        self.iter().for_each(|watch| watch.ended(took));
    }
}

/// The table of a memory sink on standard output, after each epoch.
pub(crate) struct Watched {
    pub(crate) name: String,
    pub(crate) table: Arc<LiveTable>,
    pub(crate) zone: TimeZone,
    /// Whether to draw over what was there, as on a terminal.
    pub(crate) redraw: bool,
}

impl Watched {
    fn text(&self) -> Result<String> {
        let Snapshot { epoch, schema, rows } = self.table.snapshot();
        let Some(epoch) = epoch else { return Ok(String::new()) };
        let table = console::show(&schema, &rows, &ConsoleSettings::default(), self.zone.clone())?;
        let clear = if self.redraw { "\x1b[2J\x1b[H" } else { "" };
        Ok(format!("{clear}{}  epoch {epoch}\n{table}", self.name))
    }
}

impl Watch for Watched {
    fn progress(&self, _: &Progress) {
        if let Err(error) = self.text().and_then(|text| crate::print(&text)) {
            tracing::warn!("--watch {}: {}", self.name, error.report());
        }
    }
}

/// One JSON object an epoch on standard error.
pub(crate) struct JsonLines;

impl Watch for JsonLines {
    fn progress(&self, progress: &Progress) {
        match serde_json::to_string(progress) {
            Ok(line) => eprintln!("{line}"),
            Err(error) => tracing::error!(%error, "progress cannot be shown as JSON"),
        }
    }
}

/// A line on the terminal: epoch, speed, backlog, time in plugins; at the end, what there was in all.
pub(crate) struct LiveLine {
    bar: ProgressBar,
    totals: Mutex<Totals>,
}

/// What a query has done since its start.
#[derive(Default)]
struct Totals {
    epochs: u64,
    newest: Option<Epoch>,
    rows_in: u64,
    /// Of all sinks together.
    rows_out: u64,
}

impl Totals {
    fn add(&mut self, progress: &Progress) {
        // Under the continuous trigger an epoch is told of more than once.
        self.epochs += u64::from(self.newest.replace(progress.batch_id) != Some(progress.batch_id));
        self.rows_in += progress.num_input_rows;
        self.rows_out += progress.sinks.iter().map(|sink| sink.num_output_rows).sum::<u64>();
    }

    fn text(&self, took: Duration) -> String {
        let count = |count: u64, one: &str| {
            format!("{} {one}{}", HumanCount(count), if count == 1 { "" } else { "s" })
        };
        let (rows_in, rows_out) = (count(self.rows_in, "row"), count(self.rows_out, "row"));
        format!("{}, {rows_in} in, {rows_out} out, {:.1} s", count(self.epochs, "epoch"), took.as_secs_f64())
    }
}

impl LiveLine {
    pub(crate) fn new() -> Self {
        let bar = ProgressBar::new_spinner();
        bar.set_style(ProgressStyle::default_spinner());
        bar.set_message("waiting for data");
        LiveLine { bar, totals: Mutex::default() }
    }
}

impl Watch for LiveLine {
    fn progress(&self, progress: &Progress) {
        self.totals.lock().unwrap_or_else(PoisonError::into_inner).add(progress);
        self.bar.set_message(live_text(progress));
        self.bar.tick();
    }

    fn ended(&self, took: Duration) {
        self.bar.finish_and_clear();
        eprintln!("{}", self.totals.lock().unwrap_or_else(PoisonError::into_inner).text(took));
    }
}

fn live_text(progress: &Progress) -> String {
    let backlog: u64 = progress.sources.iter().map(|s| s.backlog).sum();
    let micros: u64 = progress.plugins.values().map(|p| p.micros).sum();
    let errors: u64 = progress.plugins.values().map(|p| p.rows_error).sum();
    let mut text = format!(
        "epoch {}  {} rows  {} rows/s  backlog {}  in plugins {:.0} ms",
        progress.batch_id,
        HumanCount(progress.num_input_rows),
        HumanCount(progress.processed_rows_per_second as u64),
        HumanCount(backlog),
        micros as f64 / 1000.0,
    );
    if errors > 0 {
        text.push_str(&format!("  rows in error {}", HumanCount(errors)));
    }
    text
}

/// For crash tests: holds the process at a step of an epoch, so that a kill hits just there.
#[derive(Default)]
pub(crate) struct HoldAt {
    /// `<epoch>:<step>`, such as `3:planned`, and how often to pass there before.
    place: Option<(String, u64)>,
    epoch: AtomicU64,
    passed: AtomicU64,
}

impl HoldAt {
    /// `place` is `<epoch>:<step>`; `<epoch>:<step>:2` is where an epoch comes to that step for the second time, as it does if it
    /// has several sinks.
    pub(crate) fn new(place: Option<String>) -> Self {
        let place = place.map(|place| match place.rsplit_once(':') {
            Some((step, time)) if step.contains(':') => {
                (step.to_owned(), time.parse().unwrap_or(1_u64).saturating_sub(1))
            }
            _ => (place, 0),
        });
        HoldAt { place, ..HoldAt::default() }
    }

    /// The current epoch has come to a step.
    pub(crate) fn step(&self, step: &str) {
        let Some((place, before)) = &self.place else { return };
        let here = *place == format!("{}:{step}", self.epoch.load(Relaxed));
        if here && self.passed.fetch_add(1, Relaxed) == *before {
            eprintln!("held at {place}");
            loop {
                std::thread::park();
            }
        }
    }
}

/// What the engine tells of a query, for whoever shows it.
pub(crate) struct Shown {
    pub(crate) watch: Vec<Box<dyn Watch>>,
    pub(crate) hold: Arc<HoldAt>,
}

impl Observer for Shown {
    fn progress(&self, progress: &Progress) {
        self.watch.progress(progress);
    }

    fn started(&self, id: &QueryId, resume: Resume) {
        tracing::info!(%id, ?resume, "query started");
    }

    fn reached(&self, epoch: Epoch, step: CommitStep) -> Result<()> {
        self.hold.epoch.store(epoch.0, Relaxed);
        self.hold.step(match step {
            CommitStep::Planned => "planned",
            CommitStep::Ran => "ran",
            CommitStep::StateCommitted => "state-committed",
            CommitStep::SinkCommitted(_) => "sink-committed",
            CommitStep::Committed => "committed",
            CommitStep::Released => "released",
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_counts_words_as_people_do() {
        let took = Duration::from_millis(2345);
        let totals = Totals { epochs: 1, newest: None, rows_in: 1234, rows_out: 1 };
        assert_eq!(totals.text(took), "1 epoch, 1,234 rows in, 1 row out, 2.3 s");
        assert_eq!(Totals::default().text(Duration::ZERO), "0 epochs, 0 rows in, 0 rows out, 0.0 s");
    }
}
