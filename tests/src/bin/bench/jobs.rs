//! What whole runs of the program cost.

use crate::{
    events, keyed, native,
    process::{Running, Usage, Workshop},
    queries,
    spark::{Job, Took},
    table::{self, median, megabytes, ratio},
};
use engine::{Clock, Error, Kind, Result, ResultExt};
use parquet::file::reader::{FileReader, SerializedFileReader};
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

/// Runs of either side whose median is taken.
const RUNS: usize = 5;
/// Runs of what takes milliseconds.
const SHORT_RUNS: usize = 21;
/// Spark's, with the filter and the division in a Python function over Arrow batches.
const SPARK: Job = Job { case: "json-plugin-parquet", recorded: Duration::from_secs(23) };
/// The most memory that the job may have resident, in bytes.
const MOST_MEMORY: u64 = 250_000_000;
/// For so long the program waits for files.
const WAIT: Duration = Duration::from_secs(10);

/// Measures and prints the rows of the table that are about whole processes; the last one is of `scale` times the data.
pub(crate) async fn rows(workshop: &Workshop, scale: u32) -> Result<()> {
    let bench =
        Jobs { workshop, plugin: workshop.plugin("plugins/normalize")?, input: workshop.path("input") };
    events::write(&bench.input)?;
    let once = bench.files_to_parquet().await?;
    bench.ten_rows()?;
    bench.waiting().await?;
    queries::rows(workshop, &bench.input).await?;
    keyed::sessions(workshop, &bench.input).await?;
    bench.more_data(once, scale).await
}

/// Prints a row for each of these plugins, which do in other languages what `normalize` does: the same job, beside Spark.
pub(crate) async fn in_languages(workshop: &Workshop, plugins: &[(&str, PathBuf)]) -> Result<()> {
    let input = workshop.path("input");
    events::write(&input)?;
    let plugin = workshop.plugin("plugins/normalize")?;
    let rust = Jobs { workshop, plugin, input: input.clone() }.typical().await?;
    let spark = SPARK.took_from(workshop, &input).await?;
    spark.row("JSON → plugin in Rust → Parquet", rust.wall, "", 5.0);
    for (language, plugin) in plugins {
        let bench = Jobs { workshop, plugin: plugin.clone(), input: input.clone() };
        let ours = bench.typical().await?;
        let more = format!(", {:.2} × Rust's, {:.0} MB", ratio(ours.wall, rust.wall), megabytes(ours.peak));
        spark.row(&format!("JSON → plugin in {language} → Parquet"), ours.wall, &more, 8.0);
    }
    Ok(())
}

struct Jobs<'a> {
    workshop: &'a Workshop,
    plugin: PathBuf,
    /// Two million events.
    input: PathBuf,
}

impl Jobs<'_> {
    /// JSON through the plugin to Parquet, beside the plain program; answers what a run takes.
    async fn files_to_parquet(&self) -> Result<Usage> {
        // Fills the caches of files and of compiled plugins.
        let kept = self.job(&self.input).await?.1;
        let (mut ours, mut plain) = (Vec::new(), Vec::new());
        for _ in 0..RUNS {
            let (usage, rows) = self.plain().await?;
            if rows != kept {
                return Err(Error::internal(format!(
                    "{kept} rows came out, and {rows} of the plain program"
                )));
            }
            plain.push(usage);
            ours.push(self.job(&self.input).await?.0);
        }
        let (ours, plain) = (typical(&ours), typical(&plain));
        report(&SPARK.took_from(self.workshop, &self.input).await?, ours, plain);
        Ok(ours)
    }

    /// What a run takes.
    async fn typical(&self) -> Result<Usage> {
        // Fills the caches of files and of compiled plugins.
        self.job(&self.input).await?;
        let mut runs = Vec::new();
        for _ in 0..RUNS {
            runs.push(self.job(&self.input).await?.0);
        }
        Ok(typical(&runs))
    }

    /// Runs the job over a folder; answers what it took and how many rows came out.
    async fn job(&self, input: &Path) -> Result<(Usage, i64)> {
        let mut run = self.run(input, events::SCHEMA);
        let output = self.fresh("output")?;
        run.args(["--plugin-config", r#"{"above":10}"#, "--format", "json", "--trigger", "available-now"]);
        run.arg("--to").arg(&output).args(["--to-format", "parquet"]);
        run.arg("--checkpoint").arg(self.fresh("checkpoint")?);
        Ok((self.workshop.usage(&mut run).await?, stored(&output)?))
    }

    async fn plain(&self) -> Result<(Usage, i64)> {
        let output = self.fresh("plain")?;
        let mut run = self.workshop.itself();
        run.arg(native::COMMAND).arg(&self.input).arg(&output);
        Ok((self.workshop.usage(&mut run).await?, stored(&output)?))
    }

    /// Ten rows of CSV to the console, plugin compiled before.
    fn ten_rows(&self) -> Result<()> {
        let input = self.fresh("ten")?;
        let rows = (1..=10).map(|i| format!("{i},{}.5\n", i * 3)).collect::<String>();
        fs::create_dir_all(&input)
            .and_then(|()| fs::write(input.join("ten.csv"), format!("user_id,value\n{rows}")))
            .doing(Kind::Unavailable, || format!("writing to {}", input.display()))?;
        let mut run = self.run(&input, "user_id INT, value DOUBLE");
        run.args(["--format", "csv", "--from-option", "header=true", "--to", "console"]);
        run.args(["--trigger", "available-now"]);
        let times = (0..SHORT_RUNS).map(|_| self.workshop.time(&mut run));
        let time = median(times.collect::<Result<Vec<_>>>()?);
        table::row(
            "ten rows of CSV to the console, whole process",
            &format!("{} ms", time.as_millis()),
            "≤ 150 ms",
            time <= Duration::from_millis(150),
        );
        Ok(())
    }

    /// The processor's time of a run that has nothing to read.
    async fn waiting(&self) -> Result<()> {
        let input = self.fresh("empty")?;
        fs::create_dir_all(&input).doing(Kind::Unavailable, || format!("making {}", input.display()))?;
        let mut run = self.run(&input, events::SCHEMA);
        run.args(["--format", "json", "--to", "console"]);
        run.arg("--checkpoint").arg(self.fresh("idle")?);
        let running = Running::start(&mut run)?;
        // Starting is not waiting.
        self.workshop.clock.sleep(Duration::from_secs(2)).await;
        let before = running.processor_time()?;
        self.workshop.clock.sleep(WAIT).await;
        let share = 100.0 * ratio(running.processor_time()? - before, WAIT);
        table::row("waiting for files", &format!("{share:.1} % of a core"), "≤ 0.5 %", share <= 0.5);
        Ok(())
    }

    /// The same job over `scale` times the data; `once` is what it takes over the data.
    async fn more_data(&self, once: Usage, scale: u32) -> Result<()> {
        let input = self.fresh("repeated")?;
        events::repeat(&self.input, &input, scale)?;
        let (usage, _) = self.job(&input).await?;
        let (time, memory) = (ratio(usage.wall, once.wall), usage.peak as f64 / once.peak as f64);
        let expected = f64::from(scale);
        table::row(
            &format!("{scale} × the data"),
            &format!(
                "{time:.1} × the time, {memory:.2} × the memory ({:.1} s, {:.0} MB)",
                usage.wall.as_secs_f64(),
                megabytes(usage.peak)
            ),
            &format!("{scale} × ± 15 %, memory flat"),
            (time / expected - 1.0).abs() <= 0.15 && memory <= 1.2,
        );
        Ok(())
    }

    /// `streamhost run` with the plugin over a folder.
    fn run(&self, input: &Path, schema: &str) -> Command {
        let mut run = self.workshop.streamhost();
        run.arg("run").arg("--plugin").arg(&self.plugin);
        run.arg("--from").arg(input).args(["--schema", schema, "--progress", "none"]);
        run
    }

    /// A path with nothing at it.
    fn fresh(&self, name: &str) -> Result<PathBuf> {
        let path = self.workshop.path(name);
        if path.exists() {
            fs::remove_dir_all(&path).doing(Kind::Unavailable, || format!("removing {}", path.display()))?;
        }
        Ok(path)
    }
}

/// The median of times, and the most memory of all.
fn typical(runs: &[Usage]) -> Usage {
    Usage {
        wall: median(runs.iter().map(|run| run.wall)),
        peak: runs.iter().map(|run| run.peak).max().unwrap_or(0),
    }
}

fn report(spark: &Took, ours: Usage, plain: Usage) {
    let to_plain = ratio(ours.wall, plain.wall);
    let seconds = |usage: Usage| usage.wall.as_secs_f64();
    spark.row("JSON → plugin → Parquet", ours.wall, "", 20.0);
    table::row(
        "its peak memory, beside Spark's recorded 1.4 GB",
        &format!("{:.0} MB", megabytes(ours.peak)),
        "≤ 250 MB",
        ours.peak <= MOST_MEMORY,
    );
    table::row(
        "beside a plain program of two threads",
        &format!(
            "{to_plain:.2} × ({:.2} s, plain {:.2} s and {:.0} MB)",
            seconds(ours),
            seconds(plain),
            megabytes(plain.peak)
        ),
        "≤ 1.5 ×",
        to_plain <= 1.5,
    );
}

/// The rows in the Parquet files of a folder.
fn stored(folder: &Path) -> Result<i64> {
    let unreadable = || format!("reading {}", folder.display());
    let files = fs::read_dir(folder).doing(Kind::Unavailable, unreadable)?;
    let paths = files.filter_map(|file| Some(file.ok()?.path()));
    let parquet = paths.filter(|path| path.extension().is_some_and(|of| of == "parquet"));
    parquet
        .map(|path| {
            let file = File::open(path).doing(Kind::Unavailable, unreadable)?;
            let reader = SerializedFileReader::new(file).doing(Kind::Internal, unreadable)?;
            Ok(reader.metadata().file_metadata().num_rows())
        })
        .sum()
}
