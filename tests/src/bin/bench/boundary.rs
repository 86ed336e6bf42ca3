//! What it costs to cross into a plugin: calls of a step, driven as the engine drives it, beside Arrow's kernels that do
//! the same in this process.

use crate::{
    events, kernels,
    process::Workshop,
    table::{self, median, micros, ratio},
};
use arrow::{array::RecordBatch, error::ArrowError};
use engine::{Batch, Clock, EpochContext, Error, Kind, Place, Result, ResultExt, Step, SystemClock, Worker};
use plugin::{BindSettings, Compiler, PluginStep, Runtime, RuntimeSettings};
use std::{hint::black_box, path::PathBuf, sync::Arc, time::Duration};

/// Calls of either side whose median is taken.
const CALLS: usize = 3_000;
const ROWS: usize = 8_192;

type Native = fn(&RecordBatch) -> Result<RecordBatch, ArrowError>;

/// A plugin and the native code that does the same.
struct Pair {
    what: &'static str,
    /// The plugin's folder in the checkout.
    plugin: &'static str,
    config: &'static str,
    native: Native,
    /// How many times the native time the plugin may take.
    most: f64,
}

const PAIRS: [Pair; 3] = [
    Pair {
        what: "filter (`keep`)",
        plugin: "plugins/filter-threshold",
        config: r#"{"threshold":10}"#,
        native: kernels::keep,
        most: 1.3,
    },
    Pair {
        what: "filter and one new column (`keep-extend`)",
        plugin: "plugins/normalize",
        config: r#"{"above":10}"#,
        native: kernels::keep_and_divide,
        most: 1.7,
    },
    Pair {
        what: "the same with whole rows in and out (`replace`)",
        plugin: "tests/guests/replace",
        config: "{}",
        native: kernels::keep_and_divide,
        most: 3.5,
    },
];

/// Measures and prints the rows of the table that are about calls.
pub(crate) async fn rows(workshop: &Workshop) -> Result<()> {
    let runtime = runtime(None)?;
    for pair in &PAIRS {
        let (native, plugin) = measure(workshop, &runtime, pair, ROWS).await?;
        let times = ratio(plugin, native);
        table::row(
            &format!("{}, {ROWS} × 4, beside Arrow's kernels", pair.what),
            &format!("{times:.2} × ({:.1} µs, native {:.1} µs)", micros(plugin), micros(native)),
            &format!("≤ {} ×", pair.most),
            times <= pair.most,
        );
    }
    let [filter, ..] = &PAIRS;
    let (_, call) = measure(workshop, &runtime, filter, 64).await?;
    let call = micros(call);
    table::row("a `keep` call on 64 rows", &format!("{call:.1} µs"), "≤ 4 µs", call <= 4.0);
    Ok(())
}

/// What runs plugins in this process; it keeps what it has compiled in a folder, if one is given.
pub(crate) fn runtime(cache_dir: Option<PathBuf>) -> Result<Runtime> {
    Runtime::new(RuntimeSettings {
        cache_dir,
        scratch: std::env::temp_dir(),
        compiler: Compiler::InProcess,
        clock: Arc::new(SystemClock::new()),
    })
}

/// The medians of the native and of the plugin's time for so many rows.
async fn measure(
    workshop: &Workshop,
    runtime: &Runtime,
    pair: &Pair,
    rows: usize,
) -> Result<(Duration, Duration)> {
    let batch = Batch::read(events::batch(rows)?, Place::At { of: "bench".into(), unit: "row", first: 0 });
    let plugin = runtime.load(&workshop.plugin(pair.plugin)?).await?;
    let settings =
        BindSettings { config: pair.config.into(), ..BindSettings::new("bench", batch.rows.schema()) };
    let mut lane = Lane::of(&plugin.bind(settings).await?).await?;
    agree(&mut lane, pair.native, &batch).await?;
    let (mut native, mut guest) = (Vec::new(), Vec::new());
    for _ in 0..CALLS {
        native.push(timed(&workshop.clock, pair.native, &batch.rows));
        guest.push(lane.timed(&workshop.clock, batch.clone()).await?);
    }
    Ok((median(native), median(guest)))
}

/// Both sides must come to the same, or comparing their times would be vain.
async fn agree(lane: &mut Lane, native: Native, batch: &Batch) -> Result<()> {
    let native = native(&batch.rows).doing(Kind::Internal, || "native kernels")?;
    lane.call(batch.clone()).await?;
    match lane.out.as_slice() {
        [(0, guest)] if guest.rows.columns() == native.columns() => Ok(()),
        _ => Err(Error::internal("the plugin's rows are not those of the native kernels")),
    }
}

/// Freeing what came is not timed, here as with plugins.
fn timed(clock: &impl Clock, native: Native, rows: &RecordBatch) -> Duration {
    let start = clock.monotonic();
    let out = black_box(native(black_box(rows)));
    let end = clock.monotonic();
    drop(out);
    end - start
}

/// One lane of a step.
pub(crate) struct Lane {
    worker: Box<dyn Worker>,
    context: EpochContext,
    pub(crate) out: Vec<(usize, Batch)>,
}

impl Lane {
    pub(crate) async fn of(step: &PluginStep) -> Result<Self> {
        Ok(Lane { worker: step.worker().await?, context: EpochContext::alone("bench"), out: Vec::new() })
    }

    pub(crate) async fn call(&mut self, batch: Batch) -> Result<()> {
        self.out.clear();
        self.worker.process(&self.context, batch, &mut self.out).await
    }

    pub(crate) async fn timed(&mut self, clock: &impl Clock, batch: Batch) -> Result<Duration> {
        self.out.clear();
        let start = clock.monotonic();
        self.call(batch).await?;
        Ok(clock.monotonic() - start)
    }
}
