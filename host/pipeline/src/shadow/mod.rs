//! Looking at a step: with another plugin beside its own, which is given the same batches and whose output is compared and thrown
//! away; or alone, for the rows that it puts out.

mod keyed;
mod stateless;

use crate::{bound::BoundPlugin, compare::lines};
use arrow::record_batch::RecordBatch;
use engine::{Clock, EpochContext, Result, StepProgress, plan::Work};
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

    /// The step with the other one beside it; without one, what the step puts out is kept.
    pub(crate) fn watch(
        self: &Arc<Self>,
        step: &BoundPlugin,
        beside: Option<&BoundPlugin>,
        clock: &Arc<dyn Clock>,
    ) -> Work {
        let names = |beside| [step, beside].map(|plugin| plugin.facts().description);
        self.tally().names = beside.map(names);
        let watch = Watch {
            outputs: [step, beside.unwrap_or(step)].map(outputs),
            shadow: self.clone(),
            clock: clock.clone(),
        };
        match (step, beside) {
            (BoundPlugin::Keyed(step), beside) => {
                let beside = beside.and_then(BoundPlugin::keyed).cloned();
                Work::Keyed(Arc::new(keyed::Watched::new(step.clone(), beside, watch)))
            }
            (BoundPlugin::Stateless(step), beside) => {
                let beside = beside.and_then(BoundPlugin::stateless).cloned();
                Work::Stateless(Arc::new(stateless::Watched::new(step.clone(), beside, watch)))
            }
        }
    }

    fn progress(&self, sides: [Option<&StepProgress>; 2]) {
        let mut tally = self.tally();
        for (side, progress) in tally.sides.iter_mut().zip(sides) {
            side.rows_out += progress.map_or(0, |progress| progress.rows_out);
            side.rows_error += progress.map_or(0, |progress| progress.rows_error);
        }
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

/// What looking at a step takes.
#[derive(Clone)]
struct Watch {
    /// The names of what leaves each of the two.
    outputs: [Vec<String>; 2],
    shadow: Arc<Shadow>,
    clock: Arc<dyn Clock>,
}

/// Rows that leave, and the index of their output.
type Rows = (usize, RecordBatch);

impl Watch {
    /// What a step that is alone has put out.
    fn alone(&self, out: &[Rows]) -> Result<()> {
        let [names, _] = &self.outputs;
        for (port, rows) in out {
            let name = names.get(*port).map_or("", String::as_str);
            let name = if name.is_empty() { String::new() } else { format!("{name}: ") };
            let rows = lines(std::slice::from_ref(rows))?;
            self.shadow.tally().rows.extend(rows.into_iter().map(|row| format!("{name}{row}")));
        }
        Ok(())
    }

    /// What both have put out for the same rows, and how long each took. Whatever becomes of the other one, the query goes on.
    fn both(
        &self,
        cx: &EpochContext,
        rows_in: usize,
        times: [Duration; 2],
        ours: &[Rows],
        others: Result<Vec<Rows>>,
    ) -> Result<()> {
        let mut tally = self.shadow.tally();
        tally.batches += 1;
        tally.rows_in += rows_in as u64;
        tally.sides.iter_mut().zip(times).for_each(|(side, time)| side.time += time);
        match others {
            Ok(others) => {
                let [old, new] = &self.outputs;
                compare(&mut tally, cx, &by_output(ours, old)?, &by_output(&others, new)?);
            }
            Err(error) => {
                tally.failures += 1;
                tally.failure.get_or_insert_with(|| error.report());
            }
        }
        Ok(())
    }
}

fn outputs(plugin: &BoundPlugin) -> Vec<String> {
    plugin.ports().iter().map(|port| port.name.clone()).collect()
}

/// The rows of each output as text. Dead letters name the plugin and its version, which are not the same.
fn by_output(out: &[Rows], names: &[String]) -> Result<BTreeMap<String, Vec<String>>> {
    let mut batches: BTreeMap<&str, Vec<RecordBatch>> = BTreeMap::new();
    for (port, rows) in out {
        let name = names.get(*port).map_or("", String::as_str);
        if name != plugin::DEAD_LETTER_PORT {
            batches.entry(name).or_default().push(rows.clone());
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
