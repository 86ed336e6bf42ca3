use crate::{
    cache::Cache, compile::Compiler, functions::Timers, guest::Guest, linker, load::Plugin, ticker::Ticker,
};
use engine::{Clock, Kind, Result, ResultExt};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};
use wasmtime::{Config, Engine, component::Linker};

/// What a [`Runtime`] is built from.
pub struct RuntimeSettings {
    /// Where compiled plugins are kept: a directory of the host's own, made if it is not there. None: compile at
    /// every start.
    pub cache_dir: Option<PathBuf>,
    /// Where rows of an epoch go that a step with state cannot hold in memory: in files that have no name.
    pub scratch: PathBuf,
    /// Who compiles what is not in the cache.
    pub compiler: Compiler,
    /// For time-outs, for what guests see of time, and for measuring calls.
    pub clock: Arc<dyn Clock>,
}

/// Compiles plugins and runs their instances. One is enough for a process; clones are the same runtime.
#[derive(Clone)]
pub struct Runtime(pub(crate) Arc<Core>);

/// What every plugin and instance of a runtime shares.
pub(crate) struct Core {
    pub(crate) engine: Engine,
    pub(crate) linker: Linker<Guest>,
    pub(crate) ticker: Arc<Ticker>,
    pub(crate) cache: Option<Cache>,
    pub(crate) scratch: PathBuf,
    pub(crate) compiler: Compiler,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) timers: Timers,
}

impl Runtime {
    /// Starts the engine and its ticking thread. A cache directory that cannot be used safely is reported in the log
    /// and done without.
    pub fn new(settings: RuntimeSettings) -> Result<Self> {
        let engine = engine()?;
        let linker = linker::linker(&engine)?;
        let ticker =
            Ticker::start(engine.clone()).doing(Kind::Internal, || "starting the thread that ticks")?;
        let RuntimeSettings { cache_dir, scratch, compiler, clock } = settings;
        let cache = cache_dir.and_then(|dir| Cache::open_or_warn(&dir));
        let (ticker, timers) = (Arc::new(ticker), Timers::default());
        Ok(Runtime(Arc::new(Core { engine, linker, ticker, cache, scratch, compiler, clock, timers })))
    }

    /// Loads a component from a `.wasm` file and asks it what it is.
    ///
    /// Kind `Invalid` if there is no such file or it is no plugin for this host, `Plugin` if it is one and fails.
    pub async fn load(&self, path: &Path) -> Result<Plugin> {
        Plugin::load(self.0.clone(), path).await
    }

    /// The same of a file that is to have this digest, `sha256:…`. Kind `Data` if it has another, and then nothing of it was run.
    pub async fn load_exact(&self, path: &Path, digest: &str) -> Result<Plugin> {
        Plugin::load_exact(self.0.clone(), path, digest).await
    }

    /// The plugin that keeps every row and looks at none: what a call of it costs, crossing costs any plugin that reads the
    /// same columns.
    pub async fn empty_plugin(&self) -> Result<Plugin> {
        Plugin::empty(self.0.clone()).await
    }
}

/// The engine with everything off that a plugin does not need. The compiling child uses the same, or its code would
/// not load here.
pub(crate) fn engine() -> Result<Engine> {
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        .epoch_interruption(true)
        .cranelift_nan_canonicalization(true)
        .relaxed_simd_deterministic(true)
        .wasm_memory64(false)
        .wasm_custom_page_sizes(false)
        .shared_memory(false)
        .max_wasm_stack(512 << 10)
        .async_stack_size(2 << 20);
    Engine::new(&config).doing(Kind::Internal, || "setting up the Wasm engine")
}
