//! Looking at a step: with another plugin beside its own, which is given the same batches and whose output is compared and thrown
//! away; or alone, for the rows that it puts out.

use crate::testing::lines;
use arrow::record_batch::RecordBatch;
use async_trait::async_trait;
use engine::{
    Batch, Batching, Clock, EpochContext, Port, Result, Step, StepFacts, StepProgress, Wanted, Worker,
};
use plugin::PluginStep;
use std::{
    collections::BTreeMap,
    fmt::{self, Write as _},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// Rows of each kind that are shown.
const MOST_SHOWN: usize = 5;

/// What to run beside a step, and how the two compare.
pub struct Shadow {
    /// The step.
    pub step: String,
    /// The other plugin, as a pipeline would name it; none to see what the step puts out.
    pub with: Option<String>,
    tally: Mutex<Tally>,
}

#[derive(Default)]
struct Tally {
    /// What the two are, for people.
    names: Option<[String; 2]>,
    batches: u64,
    rows_in: u64,
    sides: [Side; 2],
    failures: u64,
    /// The first failure.
    failure: Option<String>,
    /// What the step put out, if it is alone.
    rows: Vec<String>,
}

/// One of the two.
#[derive(Default)]
struct Side {
    rows_out: u64,
    rows_error: u64,
    time: Duration,
    /// Rows that the other does not put out.
    alone: u64,
    /// Some of them, each with its epoch and its output.
    shown: Vec<String>,
}

impl Shadow {
    /// Nothing was compared yet.
    pub fn new(step: impl Into<String>, with: Option<String>) -> Self {
        Shadow { step: step.into(), with, tally: Mutex::default() }
    }

    /// The rows that the step put out since this was asked last, as JSON, in no order; those of another output than the main one
    /// with its name in front.
    pub fn take_rows(&self) -> Vec<String> {
        std::mem::take(&mut self.tally().rows)
    }

    /// The step as it is, and what it puts out is kept.
    pub(crate) fn alone(self: &Arc<Self>, step: Arc<PluginStep>) -> Arc<dyn Step> {
        Arc::new(Watched { step, shadow: self.clone() })
    }

    /// The step with the other one beside it.
    pub(crate) fn beside(
        self: &Arc<Self>,
        old: Arc<PluginStep>,
        new: Arc<PluginStep>,
        clock: Arc<dyn Clock>,
    ) -> Arc<dyn Step> {
        self.tally().names = Some([&old, &new].map(|step| step.facts().description));
        Arc::new(Shadowed { old, new, shadow: self.clone(), clock })
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        // Every critical section leaves it whole.
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether any row or failure was not the same.
    pub fn differs(&self) -> bool {
        let tally = self.tally();
        tally.failures > 0 || tally.sides.iter().any(|side| side.alone > 0)
    }
}

impl fmt::Display for Shadow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tally = self.tally();
        let [old, new] = &tally.sides;
        for (which, name) in ["runs", "beside it"].iter().zip(tally.names.iter().flatten()) {
            writeln!(f, "{which:<22} {name}")?;
        }
        writeln!(f, "{:<22} {}", "batches", tally.batches)?;
        writeln!(f, "{:<22} {}", "rows in", tally.rows_in)?;
        let mut line = |what: &str, value: &dyn Fn(&Side) -> String| {
            writeln!(f, "{what:<22} {:<14} {}", value(old), value(new))
        };
        line("rows out", &|side| side.rows_out.to_string())?;
        line("rows in error", &|side| side.rows_error.to_string())?;
        line("rows of this one only", &|side| side.alone.to_string())?;
        let micros = |side: &Side| side.time.as_secs_f64() * 1e6 / tally.batches.max(1) as f64;
        line("µs a batch", &|side| format!("{:.1}", micros(side)))?;
        writeln!(f, "{:<22} {}", "batches it fails on", tally.failures)?;
        if let Some(failure) = &tally.failure {
            writeln!(f, "  first: {failure}")?;
        }
        for (sign, side) in ["-", "+"].iter().zip(&tally.sides) {
            side.shown.iter().try_for_each(|row| writeln!(f, "{sign} {row}"))?;
        }
        Ok(())
    }
}

struct Shadowed {
    old: Arc<PluginStep>,
    new: Arc<PluginStep>,
    shadow: Arc<Shadow>,
    clock: Arc<dyn Clock>,
}

#[async_trait]
impl Step for Shadowed {
    fn facts(&self) -> StepFacts {
        self.old.facts()
    }

    fn ports(&self) -> &[Port] {
        self.old.ports()
    }

    fn reads(&self, wanted: &[Wanted]) -> Wanted {
        Step::reads(&*self.old, wanted).and(Step::reads(&*self.new, wanted))
    }

    fn batching(&self) -> Batching {
        self.old.batching()
    }

    async fn worker(&self) -> Result<Box<dyn Worker>> {
        Ok(Box::new(Pair {
            old: self.old.worker().await?,
            new: None,
            step: self.new.clone(),
            names: [&self.old, &self.new].map(|step| ports(step)),
            shadow: self.shadow.clone(),
            clock: self.clock.clone(),
        }))
    }

    fn fingerprint(&self) -> Option<u64> {
        self.old.fingerprint()
    }

    fn progress(&self) -> StepProgress {
        let (old, new) = (self.old.progress(), self.new.progress());
        let mut tally = self.shadow.tally();
        for (side, progress) in tally.sides.iter_mut().zip([&old, &new]) {
            side.rows_out += progress.rows_out;
            side.rows_error += progress.rows_error;
        }
        old
    }
}

fn ports(step: &PluginStep) -> Vec<String> {
    step.ports().iter().map(|port| port.name.clone()).collect()
}

/// A lane with both.
struct Pair {
    old: Box<dyn Worker>,
    /// None at first, and after a failure.
    new: Option<Box<dyn Worker>>,
    step: Arc<PluginStep>,
    /// Of the outputs of each.
    names: [Vec<String>; 2],
    shadow: Arc<Shadow>,
    clock: Arc<dyn Clock>,
}

type Out = Vec<(usize, Batch)>;

#[async_trait]
impl Worker for Pair {
    async fn process(&mut self, cx: &EpochContext, batch: Batch, out: &mut Out) -> Result<()> {
        let before = out.len();
        let started = self.clock.monotonic();
        self.old.process(cx, batch.clone(), out).await?;
        let between = self.clock.monotonic();
        let mut others = Out::new();
        let rows_in = batch.len() as u64;
        let done = self.run_new(cx, batch, &mut others).await;
        let times = [between - started, self.clock.monotonic() - between];
        let mut tally = self.shadow.tally();
        tally.batches += 1;
        tally.rows_in += rows_in;
        tally.sides.iter_mut().zip(times).for_each(|(side, time)| side.time += time);
        if let Err(error) = done {
            tally.failures += 1;
            tally.failure.get_or_insert_with(|| error.report());
            return Ok(());
        }
        let ours = out.get(before..).unwrap_or_default();
        let [old, new] = &self.names;
        compare(&mut tally, cx, &by_output(ours, old)?, &by_output(&others, new)?);
        Ok(())
    }
}

impl Pair {
    /// Whatever becomes of it, the query goes on.
    async fn run_new(&mut self, cx: &EpochContext, batch: Batch, out: &mut Out) -> Result<()> {
        let mut worker = match self.new.take() {
            Some(worker) => worker,
            None => self.step.worker().await?,
        };
        worker.process(cx, batch, out).await?;
        self.new = Some(worker);
        Ok(())
    }
}

/// The rows of each output as text. Dead letters name the plugin and its version, which are not the same.
fn by_output(out: &[(usize, Batch)], names: &[String]) -> Result<BTreeMap<String, Vec<String>>> {
    let mut batches: BTreeMap<&str, Vec<RecordBatch>> = BTreeMap::new();
    for (port, batch) in out {
        let name = names.get(*port).map_or("", String::as_str);
        if name != plugin::DEAD_LETTER_PORT {
            batches.entry(name).or_default().push(batch.rows.clone());
        }
    }
    batches.into_iter().map(|(name, rows)| Ok((name.to_owned(), lines(&rows)?))).collect()
}

/// Counts the rows that only one of the two puts out, whatever their order.
fn compare(
    tally: &mut Tally,
    cx: &EpochContext,
    old: &BTreeMap<String, Vec<String>>,
    new: &BTreeMap<String, Vec<String>>,
) {
    let mut counts: BTreeMap<(&str, &str), i64> = BTreeMap::new();
    for (all, sign) in [(old, 1), (new, -1)] {
        for (output, rows) in all {
            for row in rows {
                *counts.entry((output.as_str(), row.as_str())).or_default() += sign;
            }
        }
    }
    let [ours, others] = &mut tally.sides;
    for ((output, row), count) in counts.into_iter().filter(|(_, count)| *count != 0) {
        let side = if count > 0 { &mut *ours } else { &mut *others };
        side.alone += count.unsigned_abs();
        if side.shown.len() < MOST_SHOWN {
            let mut text = format!("epoch {}", cx.epoch);
            if !output.is_empty() {
                let _ = write!(text, ", output {output}");
            }
            side.shown.push(format!("{text}: {row}"));
        }
    }
}

/// A step alone.
struct Watched {
    step: Arc<PluginStep>,
    shadow: Arc<Shadow>,
}

struct WatchedWorker {
    worker: Box<dyn Worker>,
    names: Vec<String>,
    shadow: Arc<Shadow>,
}

#[async_trait]
impl Step for Watched {
    fn facts(&self) -> StepFacts {
        self.step.facts()
    }

    fn ports(&self) -> &[Port] {
        self.step.ports()
    }

    fn reads(&self, wanted: &[Wanted]) -> Wanted {
        Step::reads(&*self.step, wanted)
    }

    fn batching(&self) -> Batching {
        self.step.batching()
    }

    async fn worker(&self) -> Result<Box<dyn Worker>> {
        let worker = self.step.worker().await?;
        Ok(Box::new(WatchedWorker { worker, names: ports(&self.step), shadow: self.shadow.clone() }))
    }

    fn progress(&self) -> StepProgress {
        self.step.progress()
    }

    fn fingerprint(&self) -> Option<u64> {
        self.step.fingerprint()
    }
}

#[async_trait]
impl Worker for WatchedWorker {
    async fn process(&mut self, cx: &EpochContext, batch: Batch, out: &mut Out) -> Result<()> {
        let before = out.len();
        self.worker.process(cx, batch, out).await?;
        for (port, batch) in out.get(before..).unwrap_or_default() {
            let name = self.names.get(*port).map_or("", String::as_str);
            let name = if name.is_empty() { String::new() } else { format!("{name}: ") };
            let rows = lines(std::slice::from_ref(&batch.rows))?;
            self.shadow.tally().rows.extend(rows.into_iter().map(|row| format!("{name}{row}")));
        }
        Ok(())
    }
}
