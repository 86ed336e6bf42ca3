//! What it costs to cross into a plugin: times of native Arrow kernels beside those of a plugin that does the same,
//! driven as the engine drives it.
//!
//! ```text
//! cargo run --release -p plugin --example boundary -- filter.wasm ['{"threshold":10}']
//! ```
//!
//! The plugin is to keep the rows whose `value` is greater than 10; one that adds columns or makes new rows is
//! measured too, beside the same native filter.

use arrow::{
    array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray},
    compute::{filter_record_batch, kernels::cmp::gt},
};
use engine::{Batch, Clock, Epoch, EpochContext, Partition, Place, QueryId, Step, SystemClock, Timestamp};
use plugin::{BindSettings, COMPILE_COMMAND, Compiler, Runtime, RuntimeSettings, compile_child};
use std::{hint::black_box, path::Path, process::ExitCode, sync::Arc, time::Duration};

/// Calls that are measured at each size; their median is printed.
const CALLS: usize = 400;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [COMPILE_COMMAND] => compile_child(),
        [wasm] => report(measure(wasm, "{}").await),
        [wasm, config] => report(measure(wasm, config).await),
        _ => {
            eprintln!("usage: boundary <plugin.wasm> [<configuration as JSON>]");
            ExitCode::FAILURE
        }
    }
}

fn report(done: engine::Result<()>) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("{}", e.report());
            ExitCode::from(e.kind().exit_code())
        }
    }
}

async fn measure(wasm: &str, config: &str) -> engine::Result<()> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let compiler =
        Compiler::Child(std::env::current_exe().map_err(|e| engine::Error::internal(e.to_string()))?);
    let start = clock.monotonic();
    let runtime = Runtime::new(RuntimeSettings { cache_dir: None, compiler, clock: clock.clone() })?;
    println!("runtime {:.1?}", clock.monotonic() - start);
    let start = clock.monotonic();
    let plugin = runtime.load(Path::new(wasm)).await?;
    println!("load and compile {:.1?}", clock.monotonic() - start);
    let settings =
        BindSettings { config: config.into(), ..BindSettings::new("bench", batch(0).rows.schema()) };
    let start = clock.monotonic();
    let step = plugin.bind(settings).await?;
    println!("start an instance and bind {:.1?}\n", clock.monotonic() - start);
    println!("| rows | native µs | plugin µs | ratio |\n| --- | --- | --- | --- |");
    for rows in [64, 1_024, 8_192, 65_536] {
        compare(&*clock, &step, rows).await?;
    }
    println!();
    step.shares().iter().for_each(|s| println!("{}: {} of {} {}", s.limit, s.used, s.allowed, s.unit));
    Ok(())
}

async fn compare(clock: &dyn Clock, step: &plugin::PluginStep, rows: usize) -> engine::Result<()> {
    let batch = batch(rows);
    let cx = context();
    let mut worker = step.worker().await?;
    let (mut native, mut guest, mut out) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..CALLS {
        let start = clock.monotonic();
        black_box(filter(&batch.rows));
        native.push(clock.monotonic() - start);
        out.clear();
        let given = batch.clone();
        let start = clock.monotonic();
        worker.process(&cx, given, &mut out).await?;
        guest.push(clock.monotonic() - start);
    }
    let (native, guest) = (median(native), median(guest));
    println!("| {rows} | {native:.1} | {guest:.1} | {:.2} |", guest / native);
    Ok(())
}

/// In microseconds.
fn median(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times.get(times.len() / 2).map_or(0.0, |t| t.as_secs_f64() * 1e6)
}

fn filter(rows: &RecordBatch) -> Option<RecordBatch> {
    let bits = gt(rows.column_by_name("value")?, &Float64Array::new_scalar(10.0)).ok()?;
    filter_record_batch(rows, &bits).ok()
}

fn batch(rows: usize) -> Batch {
    let n = rows as i64;
    let columns: [(&str, ArrayRef); 4] = [
        ("id", Arc::new(Int64Array::from_iter_values(0..n))),
        ("name", Arc::new(StringArray::from_iter_values((0..n).map(|i| format!("user-{}", i % 1_000))))),
        ("value", Arc::new(Float64Array::from_iter_values((0..n).map(|i| (i % 20) as f64)))),
        (
            "ts",
            Arc::new(TimestampMicrosecondArray::from_iter_values((0..n).map(|i| 1_700_000_000_000_000 + i))),
        ),
    ];
    let rows =
        RecordBatch::try_from_iter(columns).unwrap_or_else(|_| unreachable!("columns of equal length"));
    Batch::read(rows, Place::At { of: "bench".into(), unit: "row", first: 0 })
}

fn context() -> EpochContext {
    EpochContext {
        query: QueryId("bench".into()),
        epoch: Epoch(0),
        partition: Partition(0),
        attempt: 0,
        watermark: None,
        now: Timestamp(0),
    }
}
