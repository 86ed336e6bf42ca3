//! What whole runs of SQL cost.

use crate::{
    events,
    process::{Usage, Workshop},
    table::{self, median, megabytes, ratio},
};
use engine::{Kind, Result, ResultExt};
use std::{fs, path::Path, time::Duration};

/// Runs whose median is taken.
const RUNS: usize = 3;
/// The most memory that a run may have resident, in bytes.
const MOST_MEMORY: u64 = 250_000_000;

/// A query, and what Spark 4.2 took for it over two million events on two cores. That was measured once and is not run here.
struct Case {
    what: &'static str,
    format: &'static str,
    watermark: &'static str,
    sql: &'static str,
    sink: &'static str,
    spark: Duration,
    target: f64,
}

const CASES: [Case; 3] = [
    Case {
        what: "JSON → watermark, windows of 10 s by category → Parquet",
        format: "json",
        watermark: "watermark = { column = 'event_time', delay = '5 seconds' }",
        sql: "SELECT window(event_time, '10 seconds') AS w, category, count(*) AS count FROM events GROUP BY 1, 2",
        sink: "[sinks.out.files]\npath = 'out'\nformat = 'parquet'",
        spark: Duration::from_millis(23_100),
        target: 20.0,
    },
    Case {
        what: "CSV → count by event",
        format: "csv",
        watermark: "",
        sql: "SELECT event, count(*) AS count FROM events GROUP BY event",
        sink: "[sinks.out]\nmode = 'complete'\nnoop = {}",
        spark: Duration::from_millis(15_900),
        target: 30.0,
    },
    Case {
        what: "JSON → count, avg by user",
        format: "json",
        watermark: "",
        sql: "SELECT user_id, count(*) AS count, avg(value) AS avg FROM events GROUP BY user_id",
        sink: "[sinks.out]\nmode = 'complete'\nnoop = {}",
        spark: Duration::from_millis(17_300),
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
        let faster = ratio(case.spark, wall);
        table::row(
            &format!("{}, 2 M rows, beside Spark's recorded {:.1} s", case.what, case.spark.as_secs_f64()),
            &format!("{faster:.1} × faster ({:.2} s, {:.0} MB)", wall.as_secs_f64(), megabytes(peak)),
            &format!("≥ {:.0} × faster, ≤ 250 MB", case.target),
            faster >= case.target && peak <= MOST_MEMORY,
        );
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
