//! Runs components in this process, as the engine does.

use crate::binary::{root, run, text};
use arrow::{
    array::RecordBatch,
    datatypes::{Schema, SchemaRef},
};
use connectors::memory::{LiveTables, MemorySettings, MemorySink};
use engine::{
    Batch, Begin, Begun, EpochContext, Error, OutputMode, Partition, Place, Result, Sink, Step, StepProgress,
    SystemClock, Worker,
};
use plugin::{
    BindSettings, Compiler, Grant, KeyedPlugin, KeyedSettings, Limits, Plugin, PluginSink, PluginStep,
    Runtime, RuntimeSettings, SinkSettings,
};
use std::{
    collections::BTreeMap,
    future::Future,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
    time::Duration,
};

/// One for all tests. It keeps compiled components where the program does, so that each is compiled once.
pub(super) fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        let home = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
        let home = home.or_else(|| Some(Path::new(&std::env::var_os("HOME")?).join(".cache")));
        let settings = RuntimeSettings {
            cache_dir: home.map(|cache| cache.join("streamhost/compiled")),
            scratch: std::env::temp_dir(),
            compiler: Compiler::InProcess,
            clock: Arc::new(SystemClock::new()),
        };
        Runtime::new(settings).unwrap()
    })
}

pub(super) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// Builds the plugin in a folder of the checkout with the program, which has to work.
#[track_caller]
pub(super) fn built(folder: &Path) -> PathBuf {
    let output = run(root(), ["build".as_ref(), folder.as_os_str()]);
    assert!(output.status.success(), "{}: {}", folder.display(), text(&output.stderr));
    root().join(text(&output.stdout).trim())
}

/// With time for debug builds and loaded machines.
pub(super) fn patient() -> Limits {
    Limits {
        cpu_per_call: Duration::from_secs(60),
        wall_per_call: Duration::from_secs(300),
        memory: 1 << 30,
        ..Limits::default()
    }
}

/// A step's lane.
pub(super) struct Bench {
    step: PluginStep,
    worker: Box<dyn Worker>,
}

impl Bench {
    pub(super) async fn of(plugin: &Plugin, schema: &SchemaRef, config: &str) -> Result<Self> {
        let settings = BindSettings {
            config: config.into(),
            limits: patient(),
            ..BindSettings::new("tested", schema.clone())
        };
        let step = plugin.bind(settings).await?;
        let worker = step.worker().await?;
        Ok(Bench { step, worker })
    }

    /// What leaves for a batch, side outputs aside.
    pub(super) async fn call(&mut self, rows: &RecordBatch) -> Result<Vec<RecordBatch>> {
        let place = Place::At { of: "given".into(), unit: "row", first: 0 };
        let mut out = Vec::new();
        let batch = Batch::read(rows.clone(), place);
        self.worker.process(&EpochContext::alone("tested"), batch, &mut out).await?;
        Ok(out.into_iter().filter(|(port, _)| *port == 0).map(|(_, batch)| batch.rows).collect())
    }

    /// As [`Bench::call`], as one batch.
    pub(super) async fn whole(&mut self, rows: &RecordBatch) -> Result<RecordBatch> {
        let out = self.call(rows).await?;
        let schema =
            self.step.ports().first().map_or_else(|| Arc::new(Schema::empty()), |port| port.schema.clone());
        arrow::compute::concat_batches(&schema, &out).map_err(|e| Error::internal(e.to_string()))
    }

    pub(super) fn progress(&self) -> StepProgress {
        self.step.progress()
    }
}

/// A step with state, which has answered that it can start.
pub(super) async fn keyed(
    plugin: &Plugin,
    schema: &SchemaRef,
    config: &str,
    keys: &[&str],
) -> Result<Arc<KeyedPlugin>> {
    let bind = BindSettings {
        config: config.into(),
        limits: patient(),
        ..BindSettings::new("tested", schema.clone())
    };
    let keys = keys.iter().map(|key| (*key).to_owned()).collect();
    let step = plugin.bind_keyed(KeyedSettings { bind, keys }).await?;
    step.try_out().await?;
    Ok(Arc::new(step))
}

/// What each output of a sink has after an epoch of these rows.
pub(super) async fn stored(
    plugin: &Plugin,
    rows: &RecordBatch,
) -> Result<BTreeMap<String, Vec<RecordBatch>>> {
    let tables = LiveTables::default();
    let table = |output: &str| {
        let table = tables.table(output);
        let sink = MemorySink::new(MemorySettings::default(), OutputMode::Append, table)?;
        Ok(Arc::new(sink) as Arc<dyn Sink>)
    };
    store(&sink(plugin, &rows.schema(), table).await?, 0, rows).await?;
    Ok(tables.snapshot().into_iter().map(|(name, table)| (name, table.rows)).collect())
}

/// A sink that was granted its outputs.
pub(super) async fn sink(
    plugin: &Plugin,
    schema: &SchemaRef,
    output: impl Fn(&str) -> Result<Arc<dyn Sink>>,
) -> Result<PluginSink> {
    let settings = SinkSettings { limits: patient(), ..SinkSettings::new("tested", schema.clone()) };
    let bound = plugin.bind_sink(settings).await?;
    let grant = |name: &String| {
        let (name, description) = (name.clone(), "tested".into());
        Ok(Grant { sink: output(&name)?, name, description, mode: OutputMode::Append })
    };
    let grants = bound.outputs().iter().map(|output| grant(&output.name)).collect::<Result<_>>()?;
    let sink = bound.grant(grants)?;
    sink.accepts(OutputMode::Append, schema)?;
    Ok(sink)
}

/// An epoch of these rows.
pub(super) async fn store(sink: &PluginSink, epoch: u64, rows: &RecordBatch) -> Result<()> {
    if let Begun::Writer(writer) = sink.begin(&Begin::of("tested", "tested", epoch, rows.schema())).await? {
        writer.write(Partition(0), rows.clone()).await?;
        writer.commit().await?;
    }
    Ok(())
}
