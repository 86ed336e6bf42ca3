//! `bench`: what a plugin costs on a file of rows, beside one that does nothing.

use crate::{cli::BenchArgs, process};
use arrow::{array::RecordBatch, compute::concat_batches};
use connectors::{
    files::{FileFormat, FileSource, FilesSettings},
    source::{SchemaOption, SourceOptions},
};
use engine::{
    Batch, Clock, EpochContext, Error, History, Kind, Place, Reach, Result, ResultExt, Source, Step,
    StepProgress, SystemClock, Worker,
};
use futures::StreamExt;
use plugin::{BindSettings, OnError, Plugin, PluginStep};
use std::{fmt::Write, path::Path, sync::Arc, time::Duration};

pub(crate) fn bench(args: &BenchArgs, registry: Option<&Path>) -> Result<()> {
    let text = process::block_on(async {
        let clock = Arc::new(SystemClock::new());
        let batches = read(args, clock.clone()).await?;
        let world = process::world(registry)?;
        let plugin = world.load(&args.plugin).await?;
        let mut measured = Side::bind(&plugin, &args.config, batches).await?;
        let same_columns = measured.read_columns()?;
        let empty = world.runtime.empty_plugin().await?;
        let mut empty = Side::bind(&empty, "{}", same_columns).await?;
        compare([&mut measured, &mut empty], Duration::from_secs(args.seconds), &*clock).await?;
        Ok(report(&plugin.description().name, &measured, &empty))
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

/// A plugin that is measured.
struct Side {
    step: PluginStep,
    worker: Box<dyn Worker>,
    batches: Vec<RecordBatch>,
    /// What each call took.
    times: Vec<Duration>,
    out: Vec<(usize, Batch)>,
}

impl Side {
    async fn bind(plugin: &Plugin, config: &str, batches: Vec<RecordBatch>) -> Result<Self> {
        let schema = batches.first().map(RecordBatch::schema);
        let schema = schema.ok_or_else(|| Error::data("the input has no rows"))?;
        let settings = BindSettings {
            config: config.to_owned(),
            // The query would stop at the first bad row; here it is counted.
            on_error: OnError::Skip,
            ..BindSettings::new("bench", schema)
        };
        let step = plugin.bind(settings).await?;
        let worker = step.worker().await?;
        Ok(Side { step, worker, batches, times: Vec::new(), out: Vec::new() })
    }

    /// The batches with nothing but the columns that this plugin reads.
    fn read_columns(&self) -> Result<Vec<RecordBatch>> {
        let project = |rows: &RecordBatch| rows.project(self.step.reads());
        self.batches.iter().map(project).collect::<Result<_, _>>().doing(Kind::Internal, || "picking columns")
    }

    /// Makes the next call.
    async fn call(&mut self, context: &EpochContext, clock: &dyn Clock) -> Result<()> {
        let turn = self.times.len() % self.batches.len().max(1);
        let Some(rows) = self.batches.get(turn) else { return Ok(()) };
        let batch = Batch::read(rows.clone(), Place::Epoch);
        let start = clock.monotonic();
        self.worker.process(context, batch, &mut self.out).await?;
        self.times.push(clock.monotonic() - start);
        self.out.clear();
        Ok(())
    }

    /// What was measured, each figure with its name; the names are the same for every plugin.
    fn figures(&self) -> Vec<(String, String)> {
        let StepProgress { calls, rows_in, rows_out, rows_error, bytes_in, bytes_out, peak_memory, .. } =
            self.step.progress();
        let total: Duration = self.times.iter().sum();
        let per_call = |bytes: u64| format!("{} bytes", bytes / calls.max(1));
        let figures = [
            ("rows/s", format!("{:.0}", rows_in as f64 / total.as_secs_f64())),
            ("µs a call", format!("{:.1}", self.micros(0.5))),
            ("µs a call at 99 %", format!("{:.1}", self.micros(0.99))),
            ("calls", calls.to_string()),
            ("rows in", rows_in.to_string()),
            ("rows out", rows_out.to_string()),
            ("rows in error", rows_error.to_string()),
            ("copied in a call", per_call(bytes_in)),
            ("copied out a call", per_call(bytes_out)),
            ("peak memory", format!("{} KiB", peak_memory >> 10)),
        ];
        let figures = figures.map(|(name, value)| (name.to_owned(), value));
        figures.into_iter().chain(self.shares()).collect()
    }

    /// How near the plugin came to each limit.
    fn shares(&self) -> impl Iterator<Item = (String, String)> {
        self.step.shares().into_iter().map(|share| {
            let percent = 100.0 * share.used as f64 / share.allowed.max(1) as f64;
            let value = format!("{} of {} {} ({percent:.2} %)", share.used, share.allowed, share.unit);
            (format!("limit {}", share.limit), value)
        })
    }

    /// The time that this share of the calls stayed under.
    fn micros(&self, share: f64) -> f64 {
        let mut times = self.times.clone();
        times.sort_unstable();
        let at = (times.len() as f64 * share) as usize;
        times.get(at).map_or(0.0, |time| time.as_secs_f64() * 1e6)
    }
}

/// Lets both plugins work for so long, call by call in turns, so that whatever else the machine does falls on both.
async fn compare(sides: [&mut Side; 2], time: Duration, clock: &dyn Clock) -> Result<()> {
    let context = EpochContext::alone("bench");
    let [measured, empty] = sides;
    let end = clock.monotonic() + time;
    loop {
        measured.call(&context, clock).await?;
        empty.call(&context, clock).await?;
        if clock.monotonic() >= end {
            return Ok(());
        }
    }
}

fn report(name: &str, measured: &Side, empty: &Side) -> String {
    let mut out = String::new();
    let mut line = |what: &str, measured: &str, empty: &str| {
        let _ = writeln!(out, "{what:<22} {measured:<36} {empty}");
    };
    line("", name, "empty plugin");
    for ((what, measured), (_, empty)) in measured.figures().iter().zip(empty.figures()) {
        line(what, measured, &empty);
    }
    let (measured, empty) = (measured.micros(0.5), empty.micros(0.5));
    let _ = writeln!(
        out,
        "The empty plugin reads the same columns and keeps every row: crossing costs {empty:.1} µs a call, \
         the work of {name} and what follows from its answers {:.1} µs more.",
        (measured - empty).max(0.0)
    );
    out
}
