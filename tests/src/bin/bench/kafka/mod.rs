//! What whole runs of the program cost between the topics of a broker on this machine.

mod bare;
mod latency;

use crate::{
    events,
    process::{Running, Usage, Workshop},
    spark::Job,
    table::{self, median, megabytes, ratio},
};
pub(crate) use bare::{COMMAND, run};
use engine::{Clock, Error, Kind, Result, ResultExt};
use std::{
    fs::{self, File},
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};
use tests::services::kafka::{Kafka, kafka};

/// Runs of either side whose median is taken.
const RUNS: usize = 3;
const PARTITIONS: i32 = 4;
const SPARK_TO_PARQUET: Job = Job { case: "kafka-parquet", recorded: Duration::from_millis(31_600) };
const SPARK_TO_KAFKA: Job = Job { case: "kafka-kafka", recorded: Duration::from_millis(44_700) };
/// For so long the program waits for messages.
const WAIT: Duration = Duration::from_secs(10);

/// Measures and prints the rows of the table that are about topics.
pub(crate) async fn rows(workshop: &Workshop) -> Result<()> {
    let broker = kafka();
    let bench = Bench { workshop, broker, plugin: workshop.plugin("plugins/filter-threshold")? };
    bench.fill()?;
    bench.to_parquet().await?;
    bench.to_kafka().await?;
    bench.count().await?;
    bench.idle().await?;
    latency::rows(&bench).await
}

struct Bench<'a> {
    workshop: &'a Workshop,
    broker: &'static Kafka,
    plugin: PathBuf,
}

impl Bench<'_> {
    /// Two million events, to four partitions.
    fn fill(&self) -> Result<()> {
        let input = self.workshop.path("kafka-input");
        events::write(&input)?;
        self.broker.topic("bench-events", PARTITIONS);
        let reading = || format!("reading {}", input.display());
        let files = fs::read_dir(&input).doing(Kind::Unavailable, reading)?;
        let mut files: Vec<PathBuf> = files.filter_map(|file| Some(file.ok()?.path())).collect();
        files.sort();
        for (index, file) in files.iter().enumerate() {
            let lines = BufReader::new(File::open(file).doing(Kind::Unavailable, reading)?).lines();
            self.broker.send("bench-events", index as i32 % PARTITIONS, lines.map_while(std::io::Result::ok));
        }
        Ok(())
    }

    /// A pipeline from the topic of events, or another one, with these steps and this sink.
    fn pipeline(&self, name: &str, trigger: &str, from: &str, rest: &str) -> Result<PathBuf> {
        let folder = self.workshop.path(name);
        let doing = || format!("making {}", folder.display());
        if folder.exists() {
            fs::remove_dir_all(&folder).doing(Kind::Unavailable, doing)?;
        }
        fs::create_dir_all(&folder).doing(Kind::Unavailable, doing)?;
        let (servers, schema) = (self.broker.bootstrap(), events::SCHEMA);
        let text = format!(
            "trigger = {trigger}\ncheckpoint = 'checkpoint'\n[sources.events]\nschema = '{schema}'\n\
             [sources.events.kafka]\nbootstrap-servers = '{servers}'\ntopic = '{from}'\nvalue = 'json'\n{rest}"
        );
        let file = folder.join("pipeline.toml");
        fs::write(&file, text).doing(Kind::Unavailable, doing)?;
        Ok(file)
    }

    fn command(&self, pipeline: &Path) -> Command {
        let mut run = self.workshop.streamhost();
        run.arg("run").arg(pipeline).args(["--progress", "none"]);
        run
    }

    /// The topic of events, as Spark's job takes it.
    fn place(&self) -> String {
        format!("{}/bench-events", self.broker.bootstrap())
    }

    fn filter(&self) -> String {
        format!("[steps.large]\nplugin = {:?}\nconfig = {{ threshold = 10 }}\n", self.plugin)
    }

    fn kafka_sink(&self, topic: &str, more: &str) -> String {
        let servers = self.broker.bootstrap();
        format!("[sinks.out.kafka]\nbootstrap-servers = '{servers}'\ntopic = '{topic}'\n{more}")
    }

    /// The median of some runs of a pipeline that ends.
    async fn typical(&self, name: &str, rest: &str) -> Result<Usage> {
        let mut runs = Vec::new();
        for _ in 0..RUNS {
            let file = self.pipeline(name, "'available-now'", "bench-events", rest)?;
            runs.push(self.workshop.usage(&mut self.command(&file)).await?);
        }
        let peak = runs.iter().map(|run| run.peak).max().unwrap_or(0);
        Ok(Usage { wall: median(runs.iter().map(|run| run.wall)), peak })
    }

    async fn to_parquet(&self) -> Result<()> {
        let sink = "[sinks.out.files]\npath = 'out'\nformat = 'parquet'\n";
        let usage = self.typical("to-parquet", &format!("{}{sink}", self.filter())).await?;
        let spark =
            SPARK_TO_PARQUET.took(self.workshop, self.place(), self.workshop.path("spark-kafka")).await?;
        spark.row("Kafka → plugin → Parquet", usage.wall, &memory(usage), 12.0);
        Ok(())
    }

    async fn to_kafka(&self) -> Result<()> {
        self.broker.topic("bench-out", PARTITIONS);
        let rest = format!("{}{}", self.filter(), self.kafka_sink("bench-out", ""));
        let usage = self.typical("to-kafka", &rest).await?;
        self.broker.topic("bench-spark", PARTITIONS);
        let spark = SPARK_TO_KAFKA.took(self.workshop, self.place(), "bench-spark").await?;
        spark.row("Kafka → plugin → Kafka", usage.wall, &memory(usage), 8.0);
        let mut bare = Vec::new();
        self.broker.topic("bench-bare", PARTITIONS);
        for _ in 0..RUNS {
            let mut run = self.workshop.itself();
            let servers = self.broker.bootstrap();
            run.args([COMMAND, &servers, "bench-events", "bench-bare", "once"]);
            bare.push(self.workshop.usage(&mut run).await?.wall);
        }
        let times = ratio(usage.wall, median(bare.iter().copied()));
        table::row(
            "the same beside a bare loop that consumes and produces",
            &format!(
                "{times:.2} × ({:.2} s, bare {:.2} s)",
                usage.wall.as_secs_f64(),
                median(bare).as_secs_f64()
            ),
            "≤ 1.7 ×",
            times <= 1.7,
        );
        Ok(())
    }

    async fn count(&self) -> Result<()> {
        let rest = "[steps.counted]\nsql = 'SELECT count(*) AS n FROM events'\n[sinks.out]\nmode = 'complete'\nnoop = {}\n";
        let ours = self.typical("count", rest).await?;
        let mut kcat = Vec::new();
        for _ in 0..RUNS {
            let servers = self.broker.bootstrap();
            let mut run = Command::new("kcat");
            run.args(["-b", &servers, "-t", "bench-events", "-C", "-e", "-q", "-o", "beginning"]);
            let time = self.workshop.time(&mut run);
            kcat.push(time.map_err(|e| {
                Error::invalid("kcat does not run; install it, for example with: apt-get install kcat")
                    .caused_by(e)
            })?);
        }
        let times = ratio(ours.wall, median(kcat.iter().copied()));
        table::row(
            "Kafka → count, beside `kcat -e -q`",
            &format!(
                "{times:.2} × ({:.2} s, kcat {:.2} s)",
                ours.wall.as_secs_f64(),
                median(kcat).as_secs_f64()
            ),
            "≤ 2 ×",
            times <= 2.0,
        );
        Ok(())
    }

    async fn idle(&self) -> Result<()> {
        self.broker.topic("bench-idle", 64);
        let file = self.pipeline("idle", "'asap'", "bench-idle", "[sinks.out.noop]\n")?;
        let running = Running::start(&mut self.command(&file))?;
        // Starting is not waiting.
        self.workshop.clock.sleep(Duration::from_secs(4)).await;
        let before = running.processor_time()?;
        self.workshop.clock.sleep(WAIT).await;
        let share = 100.0 * ratio(running.processor_time()? - before, WAIT);
        table::row("waiting for 64 partitions", &format!("{share:.1} % of a core"), "≤ 1 %", share <= 1.0);
        Ok(())
    }
}

fn memory(usage: Usage) -> String {
    format!(", {:.0} MB", megabytes(usage.peak))
}
