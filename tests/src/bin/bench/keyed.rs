//! What plugins with state cost, beside an aggregation of ours and beside Spark.

use crate::{
    fed::{Fed, Table, What},
    operators::epochs,
    process::{Usage, Workshop, own_processor_time},
    spark::Job,
    table::{self, median, megabytes, micros, ratio},
};
use arrow::{array::RecordBatch, datatypes::SchemaRef};
use engine::{Error, Keyed, Kind, OutputMode, Result, ResultExt, SystemClock, checkpoint::MemoryStore};
use plugin::{BindSettings, Compiler, KeyedSettings, Runtime, RuntimeSettings};
use std::{fs, path::Path, sync::Arc, time::Duration};

/// Runs of either side whose median is taken.
const RUNS: usize = 3;
const KEYS: i64 = 1_000_000;
/// Keys of an epoch.
const EPOCH: i64 = 10_000;
const SPARK: Job = Job { case: "sessionize", recorded: Duration::from_millis(22_600) };

/// A million keys, each of them twice, in epochs of ten thousand.
pub(crate) async fn counts(workshop: &Workshop) -> Result<()> {
    let epochs = epochs(2 * KEYS / EPOCH, EPOCH, |n| (n * 7919 % KEYS, n))?;
    let table = Table { name: "events", epochs: epochs.clone(), watermark: None };
    let lacking = || Error::internal("epochs without rows");
    let schema = epochs.iter().flatten().next().map(RecordBatch::schema).ok_or_else(lacking)?;
    let (mut native, mut plugin) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let sql = "SELECT k, count(*) AS n FROM events GROUP BY k";
        native.push(counted(&table, What::Sql(sql.into())).await?);
        plugin.push(counted(&table, What::Keyed(count_per_key(workshop, &schema).await?)).await?);
    }
    let (native, plugin) = (median(native), median(plugin));
    let (key, beside) = (|took: Duration| micros(took) / (2 * KEYS) as f64, ratio(plugin, native));
    table::row(
        "plugin that counts by key, 1 M keys twice in epochs of 10,000, beside the native aggregation",
        &format!("{beside:.2} × ({:.2} µs a key, native {:.2} µs)", key(plugin), key(native)),
        "≤ 3 ×",
        beside <= 3.0,
    );
    Ok(())
}

/// The processor's time for all epochs.
async fn counted(table: &Table, what: What) -> Result<Duration> {
    let fed = Fed { tables: vec![table.clone()], what, mode: OutputMode::Update };
    let before = own_processor_time()?;
    let said = fed.run(Arc::new(MemoryStore::default())).await?;
    let took = own_processor_time()? - before;
    let rows: u64 = said.iter().flat_map(|epoch| &epoch.sinks).map(|sink| sink.num_output_rows).sum();
    match rows == 2 * KEYS as u64 {
        true => Ok(took),
        false => Err(Error::internal(format!("{rows} counts of {} changes came out", 2 * KEYS))),
    }
}

async fn count_per_key(workshop: &Workshop, input: &SchemaRef) -> Result<Arc<dyn Keyed>> {
    let settings = RuntimeSettings {
        cache_dir: None,
        scratch: std::env::temp_dir(),
        compiler: Compiler::InProcess,
        clock: Arc::new(SystemClock::new()),
    };
    let plugin = Runtime::new(settings)?.load(&workshop.plugin("tests/guests/count-per-key")?).await?;
    let bind = BindSettings::new("q", input.clone());
    Ok(Arc::new(plugin.bind_keyed(KeyedSettings { bind, keys: vec!["k".into()] }).await?))
}

/// Sessions of the users of the events of `json`, as Spark's applyInPandasWithState has them.
pub(crate) async fn sessions(workshop: &Workshop, json: &Path) -> Result<()> {
    let plugin = workshop.plugin("plugins/sessionize")?;
    let mut runs = Vec::new();
    for _ in 0..RUNS {
        runs.push(sessionized(workshop, &plugin, json).await?);
    }
    let wall = median(runs.iter().map(|run| run.wall));
    let peak = runs.iter().map(|run| run.peak).max().unwrap_or(0);
    let memory = format!(", {:.0} MB", megabytes(peak));
    SPARK.took_from(workshop, json).await?.row("JSON → sessionize → Parquet", wall, &memory, 30.0);
    Ok(())
}

async fn sessionized(workshop: &Workshop, plugin: &Path, json: &Path) -> Result<Usage> {
    let folder = workshop.path("sessions");
    let doing = || format!("making {}", folder.display());
    if folder.exists() {
        fs::remove_dir_all(&folder).doing(Kind::Unavailable, doing)?;
    }
    fs::create_dir_all(&folder).doing(Kind::Unavailable, doing)?;
    let pipeline = format!(
        "trigger = 'available-now'\ncheckpoint = 'ckpt'\n[sources.events]\nschema = '{}'\n\
         max-per-trigger = {{ files = 4 }}\nwatermark = {{ column = 'event_time', delay = '1 second' }}\n\
         [sources.events.files]\npath = '{}'\nformat = 'json'\n\
         [steps.sessions]\nkeys = ['user_id']\nplugin = '{}'\nconfig = {{ time = 'event_time', gap = '1 second' }}\n\
         [sinks.out.files]\npath = 'out'\nformat = 'parquet'\n",
        crate::events::SCHEMA,
        json.display(),
        plugin.display()
    );
    let file = folder.join("pipeline.toml");
    fs::write(&file, pipeline).doing(Kind::Unavailable, doing)?;
    let mut run = workshop.streamhost();
    run.arg("run").arg(&file).args(["--progress", "none"]);
    workshop.usage(&mut run).await
}
