//! Spark's side of a row: run beside ours if it is asked for, else as it was recorded.

use crate::{
    process::{Workshop, root},
    table::{self, ratio},
};
use engine::{Kind, Result, ResultExt};
use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

/// What Spark 4.2 takes for a job of `tests/spark/jobs.py` over two million events on two cores, whole process. It was measured once,
/// another time than what it is compared with: with `--spark` it runs once in the same run.
#[derive(Clone, Copy)]
pub(crate) struct Job {
    pub(crate) case: &'static str,
    pub(crate) recorded: Duration,
}

/// Where Spark is.
pub(crate) struct Spark {
    python: PathBuf,
    jars: String,
}

/// How long Spark took.
pub(crate) struct Took {
    pub(crate) time: Duration,
    measured: bool,
}

impl Spark {
    /// What `tests/spark/setup.sh` has put in a folder.
    pub(crate) fn open(folder: &Path) -> Result<Self> {
        let jars = folder.join("jars");
        let reading = || format!("reading {}: run tests/spark/setup.sh", jars.display());
        let files = fs::read_dir(&jars).doing(Kind::Invalid, reading)?;
        let jars: Vec<String> = files.filter_map(|f| Some(f.ok()?.path().display().to_string())).collect();
        Ok(Spark { python: folder.join("venv/bin/python"), jars: jars.join(",") })
    }

    async fn run(&self, workshop: &Workshop, case: &str, input: &OsStr, output: &OsStr) -> Result<Duration> {
        let mut run = Command::new(&self.python);
        run.arg(root().join("tests/spark/jobs.py")).arg(case).arg(input).arg(output);
        run.env("JARS", &self.jars).stderr(Stdio::null());
        Ok(workshop.usage(&mut run).await?.wall)
    }
}

impl Job {
    /// Spark's time for the job: from `input` to `output`, which is not there yet.
    pub(crate) async fn took(
        &self,
        workshop: &Workshop,
        input: impl AsRef<OsStr>,
        output: impl AsRef<OsStr>,
    ) -> Result<Took> {
        let Some(spark) = &workshop.spark else { return Ok(Took { time: self.recorded, measured: false }) };
        let time = spark.run(workshop, self.case, input.as_ref(), output.as_ref()).await?;
        Ok(Took { time, measured: true })
    }

    /// The same of a job that makes a folder, which goes away with the workshop.
    pub(crate) async fn took_from(&self, workshop: &Workshop, input: &Path) -> Result<Took> {
        self.took(workshop, input, workshop.path(&format!("spark-{}", self.case))).await
    }
}

impl Took {
    /// A row that says how much faster we are.
    pub(crate) fn row(&self, what: &str, ours: Duration, more: &str, target: f64) {
        let faster = ratio(self.time, ours);
        let how = if self.measured { "measured in this run" } else { "recorded" };
        table::row(
            &format!("{what}, 2 M rows, beside Spark ({how}: {:.1} s)", self.time.as_secs_f64()),
            &format!("{faster:.1} × faster ({:.2} s{more})", ours.as_secs_f64()),
            &format!("≥ {target:.0} × faster"),
            faster >= target,
        );
    }
}
