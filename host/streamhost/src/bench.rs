//! `bench`: what a plugin costs on a file of rows.

use crate::{cli::BenchArgs, process};
use arrow::{array::RecordBatch, compute::concat_batches};
use connectors::{
    files::{FileFormat, FileSource, FilesSettings},
    source::{SchemaOption, SourceOptions},
};
use engine::{
    Batch, Clock, Epoch, EpochContext, Error, History, Kind, Partition, Place, QueryId, Reach, Result,
    ResultExt, Source, Step, StepProgress, SystemClock, Timestamp,
};
use futures::StreamExt;
use plugin::{BindSettings, OnError, PluginStep};
use std::{fmt::Write, sync::Arc, time::Duration};

pub(crate) fn bench(args: &BenchArgs) -> Result<()> {
    let text = process::block_on(async {
        let clock = Arc::new(SystemClock::new());
        let batches = read(args, clock.clone()).await?;
        let schema = batches.first().map(RecordBatch::schema);
        let schema = schema.ok_or_else(|| Error::data(format!("{} has no rows", args.input.display())))?;
        let plugin = process::world()?.load(&args.plugin).await?;
        let settings = BindSettings {
            config: args.config.clone(),
            // The query would stop at the first bad row; here it is counted.
            on_error: OnError::Skip,
            ..BindSettings::new("bench", schema)
        };
        let step = plugin.bind(settings).await?;
        let times = measure(&step, &batches, Duration::from_secs(args.seconds), &*clock).await?;
        Ok(report(&step, times))
    })?;
    crate::print(&text)
}

/// The rows of the input in batches of the asked size.
async fn read(args: &BenchArgs, clock: Arc<dyn Clock>) -> Result<Vec<RecordBatch>> {
    let says_itself = FileFormat::of(&args.input) == Some(FileFormat::Parquet);
    let schema = match &args.schema {
        Some(ddl) => Some(SchemaOption::Ddl(ddl.clone())),
        None => (!says_itself).then_some(SchemaOption::Infer),
    };
    let options = SourceOptions { schema, ..SourceOptions::default() };
    let source = FileSource::new("input", FilesSettings::at(&args.input), options, clock)?;
    source.restore(History::default(), Reach::Once).await?;
    let Some(planned) = source.latest(None).await? else { return Ok(Vec::new()) };
    let schema = source.schema(Some(&planned.range))?;
    let mut parts = Vec::new();
    for mut part in source.read(&planned.range, 1).await? {
        while let Some(batch) = part.next().await {
            parts.push(batch?.rows);
        }
    }
    let rows = concat_batches(&schema, &parts).doing(Kind::Data, || "joining the input")?;
    let size = args.batch.max(1);
    let starts = (0..rows.num_rows()).step_by(size);
    Ok(starts.map(|at| rows.slice(at, size.min(rows.num_rows() - at))).collect())
}

/// Calls the plugin on the batches, over and over, for so long; answers what each call took, shortest first.
async fn measure(
    step: &PluginStep,
    batches: &[RecordBatch],
    time: Duration,
    clock: &dyn Clock,
) -> Result<Vec<Duration>> {
    let context = EpochContext {
        query: QueryId("bench".into()),
        epoch: Epoch(0),
        partition: Partition(0),
        attempt: 0,
        watermark: None,
        now: Timestamp(0),
    };
    let mut worker = step.worker().await?;
    let mut out = Vec::new();
    let mut times = Vec::new();
    let end = clock.monotonic() + time;
    for rows in batches.iter().cycle() {
        let batch = Batch::read(rows.clone(), Place::Epoch);
        let start = clock.monotonic();
        worker.process(&context, batch, &mut out).await?;
        let done = clock.monotonic();
        out.clear();
        times.push(done - start);
        if done >= end {
            break;
        }
    }
    times.sort_unstable();
    Ok(times)
}

fn report(step: &PluginStep, times: Vec<Duration>) -> String {
    let StepProgress { calls, rows_in, rows_out, rows_error, bytes_in, bytes_out, peak_memory, .. } =
        step.progress();
    let total: Duration = times.iter().sum();
    let at = |share: f64| times.get((times.len() as f64 * share) as usize).copied().unwrap_or_default();
    let mut out = String::new();
    let mut line = |what: &str, value: String| {
        let _ = writeln!(out, "{what:<18} {value}");
    };
    line("rows/s", format!("{:.0}", rows_in as f64 / total.as_secs_f64()));
    line("µs a call", format!("{:.1} median, {:.1} at 99 %", micros(at(0.5)), micros(at(0.99))));
    line("calls", calls.to_string());
    line("rows", format!("{rows_in} in, {rows_out} out, {rows_error} in error"));
    line(
        "bytes a call",
        format!("{} copied in, {} copied out", bytes_in / calls.max(1), bytes_out / calls.max(1)),
    );
    line("peak memory", format!("{peak_memory} bytes"));
    for share in step.shares() {
        let percent = 100.0 * share.used as f64 / share.allowed.max(1) as f64;
        line(
            &format!("limit {}", share.limit),
            format!("{} of {} {} ({percent:.2} %)", share.used, share.allowed, share.unit),
        );
    }
    out
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
