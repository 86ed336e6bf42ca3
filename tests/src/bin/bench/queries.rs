//! What whole runs of SQL cost.

use crate::{
    events,
    process::{Usage, Workshop},
    spark::Job,
    table::{self, median, megabytes},
};
use engine::{Kind, Result, ResultExt};
use std::{fs, path::Path, time::Duration};

/// Runs whose median is taken.
const RUNS: usize = 3;
/// The most memory that a run may have resident, in bytes.
const MOST_MEMORY: u64 = 250_000_000;

/// A query, and Spark's.
struct Case {
    what: &'static str,
    format: &'static str,
    watermark: &'static str,
    sql: &'static str,
    sink: &'static str,
    spark: Job,
    target: f64,
}

const CASES: [Case; 3] = [
    Case {
        what: "JSON → watermark, windows of 10 s by category → Parquet",
        format: "json",
        watermark: "watermark = { column = 'event_time', delay = '5 seconds' }",
        sql: "SELECT window(event_time, '10 seconds') AS w, category, count(*) AS count FROM events GROUP BY 1, 2",
        sink: "[sinks.out.files]\npath = 'out'\nformat = 'parquet'",
        spark: Job { case: "json-windows-parquet", recorded: Duration::from_millis(23_100) },
        target: 20.0,
    },
    Case {
        what: "CSV → count by event",
        format: "csv",
        watermark: "",
        sql: "SELECT event, count(*) AS count FROM events GROUP BY event",
        sink: "[sinks.out]\nmode = 'complete'\nnoop = {}",
        spark: Job { case: "csv-events", recorded: Duration::from_millis(15_900) },
        target: 30.0,
    },
    Case {
        what: "JSON → count, avg by user",
        format: "json",
        watermark: "",
        sql: "SELECT user_id, count(*) AS count, avg(value) AS avg FROM events GROUP BY user_id",
        sink: "[sinks.out]\nmode = 'complete'\nnoop = {}",
        spark: Job { case: "json-users", recorded: Duration::from_millis(17_300) },
        target: 20.0,
    },
];

/// Measures and prints the rows of the table that are about SQL, over the events of `json`.
pub(crate) async fn rows(workshop: &Workshop, json: &Path) -> Result<()> {
    let csv = workshop.path("csv");
    events::write_csv(&csv)?;
    for case in &CASES {
        let input = if case.format == "csv" { &csv } else { json };
        let mut runs = Vec::new();
        for _ in 0..RUNS {
            runs.push(case.run(workshop, input).await?);
        }
        let wall = median(runs.iter().map(|run| run.wall));
        let peak = runs.iter().map(|run| run.peak).max().unwrap_or(0);
        case.spark.took_from(workshop, input).await?.row(case.what, wall, "", case.target);
        table::row("its peak memory", &format!("{:.0} MB", megabytes(peak)), "≤ 250 MB", peak <= MOST_MEMORY);
    }
    Ok(())
}

impl Case {
    async fn run(&self, workshop: &Workshop, input: &Path) -> Result<Usage> {
        let folder = workshop.path("query");
        let doing = || format!("making {}", folder.display());
        if folder.exists() {
            fs::remove_dir_all(&folder).doing(Kind::Unavailable, doing)?;
        }
        fs::create_dir_all(&folder).doing(Kind::Unavailable, doing)?;
        let csv = if self.format == "csv" { "csv = { header = true }" } else { "" };
        let Case { format, watermark, sql, sink, .. } = self;
        let pipeline = format!(
            "trigger = 'available-now'\ncheckpoint = 'ckpt'\n[sources.events]\nschema = '{}'\n{watermark}\n\
             [sources.events.files]\npath = '{}'\nformat = '{format}'\n{csv}\n[steps.q]\nsql = \"{sql}\"\n{sink}\n",
            events::SCHEMA,
            input.display()
        );
        let file = folder.join("pipeline.toml");
        fs::write(&file, pipeline).doing(Kind::Unavailable, doing)?;
        let mut run = workshop.streamhost();
        run.arg("run").arg(&file).args(["--progress", "none"]);
        workshop.usage(&mut run).await
    }
}
