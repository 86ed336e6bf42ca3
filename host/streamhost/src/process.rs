//! What this process gives to everything it runs: log, clock, cache, plugin runtime, and the wish to stop.

use crate::cli::Level;
use connectors::{memory::LiveTables, stores::Environment};
use engine::{Kind, LiveFunctions, Result, ResultExt, Stop, SystemClock};
use pipeline::{Unread, World};
use plugin::{CompileLimits, Compiler, Runtime, RuntimeSettings, registry::Registry};
use std::{
    future::Future,
    io::{ErrorKind, IsTerminal, Stdout, Write},
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::{
    Layer,
    filter::{LevelFilter, Targets},
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

/// Whose lines the level of the log is about.
const OURS: [&str; 5] = ["streamhost", "engine", "connectors", "pipeline", "plugin"];

/// The value of an environment variable; the one place that reads the environment.
#[allow(
    clippy::disallowed_methods,
    reason = "the binary reads the environment and passes on what is meant to be used"
)]
pub(crate) fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Logs to standard error.
pub(crate) fn start_log(level: Level) {
    let level = match level {
        Level::Error => LevelFilter::ERROR,
        Level::Warn => LevelFilter::WARN,
        Level::Info => LevelFilter::INFO,
        Level::Debug => LevelFilter::DEBUG,
    };
    // What libraries say beyond warnings is about them and not about the query.
    let ours = OURS.map(|target| (target, level));
    let targets = Targets::new().with_default(level.min(LevelFilter::WARN)).with_targets(ours);
    let log = tracing_subscriber::fmt::layer().with_target(false);
    let log = log.with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal());
    tracing_subscriber::registry().with(log.with_filter(targets)).init();
}

/// What pipelines of this process get.
pub(crate) fn world(registry: Option<&Path>) -> Result<World> {
    let clock = Arc::new(SystemClock::new());
    let executable =
        std::env::current_exe().doing(Kind::Unavailable, || "cannot find the program's own file")?;
    let runtime = Runtime::new(RuntimeSettings {
        cache_dir: cache().map(|cache| cache.join("compiled")),
        scratch: std::env::temp_dir(),
        compiler: Compiler::Child { executable, limits: CompileLimits::default() },
        clock: clock.clone(),
    })?;
    Ok(World {
        runtime: Arc::new(runtime),
        clock,
        stdout: Arc::new(|unread| Box::new(WhileRead { out: std::io::stdout(), unread, gone: false })),
        note: Arc::new(|note| eprintln!("{note}")),
        plugin_target: plugin_target(),
        live: LiveTables::default(),
        functions: LiveFunctions::default(),
        at_step: None,
        environment: Environment::new(environment),
        registry: self::registry(registry),
    })
}

/// Standard output for as long as somebody reads it.
struct WhileRead {
    out: Stdout,
    unread: Unread,
    /// Whether the reader has gone.
    gone: bool,
}

impl WhileRead {
    fn unless_gone(&mut self, write: impl FnOnce(&mut Stdout) -> std::io::Result<()>) -> std::io::Result<()> {
        if self.gone {
            return Ok(());
        }
        match write(&mut self.out) {
            Err(e) if e.kind() == ErrorKind::BrokenPipe => {
                if self.unread == Unread::End {
                    std::process::exit(0);
                }
                self.gone = true;
                tracing::warn!(
                    "nobody reads the standard output any more: its rows are thrown away, the other sinks go on"
                );
                Ok(())
            }
            written => written,
        }
    }
}

impl Write for WhileRead {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.write_all(bytes).map(|()| bytes.len())
    }

    /// At once, so that nothing else of this process gets in between.
    fn write_all(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.unless_gone(|out| out.write_all(bytes))
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.unless_gone(Write::flush)
    }
}

/// Where this user's caches are: `$XDG_CACHE_HOME/streamhost`, or `~/.cache/streamhost`.
fn cache() -> Option<PathBuf> {
    let base = environment("XDG_CACHE_HOME").filter(|dir| !dir.is_empty()).map(PathBuf::from);
    let base = base.or_else(|| Some(PathBuf::from(environment("HOME")?).join(".cache")))?;
    Some(base.join("streamhost"))
}

/// The registry in this directory; by default `$XDG_DATA_HOME/streamhost/registry`, or `~/.local/share/streamhost/registry`. None if
/// there is no telling.
pub(crate) fn registry(dir: Option<&Path>) -> Option<Registry> {
    let data = || environment("XDG_DATA_HOME").filter(|dir| !dir.is_empty()).map(PathBuf::from);
    let home = || Some(PathBuf::from(environment("HOME")?).join(".local/share"));
    let default = || Some(data().or_else(home)?.join("streamhost/registry"));
    dir.map(Path::to_owned).or_else(default).map(Registry::new)
}

/// Where running queries of this user listen: `$XDG_RUNTIME_DIR/streamhost`, or `run` in the caches.
pub(crate) fn sockets() -> Option<PathBuf> {
    let runtime = environment("XDG_RUNTIME_DIR").filter(|dir| !dir.is_empty());
    runtime.map(|dir| Path::new(&dir).join("streamhost")).or_else(|| Some(cache()?.join("run")))
}

/// Runs a future to its end on all cores.
pub(crate) fn block_on<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .doing(Kind::Unavailable, || "cannot start worker threads")?;
    let done = runtime.block_on(future);
    // A thread that waits for standard input would keep the process for ever.
    runtime.shutdown_background();
    done
}

/// Ctrl+C and SIGTERM: the first one asks the query to finish its epoch, a second one ends the process at once.
///
/// They are waited for on a thread of their own: the query's threads may all be busy, or blocked by a pipe that nobody reads.
pub(crate) fn stop_on_signal() -> Result<Stop> {
    let (sender, stop) = Stop::channel();
    let waiting = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let waiting = waiting.doing(Kind::Unavailable, || "cannot listen for signals")?;
    let (mut interrupt, mut terminate) = {
        let _entered = waiting.enter();
        let listen = |kind| signal(kind).doing(Kind::Unavailable, || "cannot listen for signals");
        (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?)
    };
    std::thread::spawn(move || {
        waiting.block_on(async {
            for asked in [false, true] {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                if asked {
                    eprintln!("stopped at once; the next start recovers");
                    std::process::exit(130);
                }
                eprintln!("finishing the epoch; once more to stop at once");
                let _ = sender.send(true);
            }
        });
    });
    Ok(stop)
}

/// Where cargo works when it builds plugins: shared by all of them, so that the SDK is compiled once.
fn plugin_target() -> Option<PathBuf> {
    match environment("CARGO_TARGET_DIR") {
        Some(shared) => Some(Path::new(&shared).join("plugins")),
        None => Some(cache()?.join("plugin-builds")),
    }
}
