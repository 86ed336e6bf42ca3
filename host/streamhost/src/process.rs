//! What this process gives to everything it runs: log, clock, cache, plugin runtime, and the wish to stop.

use crate::cli::Level;
use engine::{Kind, Result, ResultExt, Stop, SystemClock};
use pipeline::World;
use plugin::{Compiler, Runtime, RuntimeSettings};
use std::{
    future::Future,
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::filter::LevelFilter;

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
    tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr).with_target(false).init();
}

/// What pipelines of this process get.
pub(crate) fn world() -> Result<World> {
    let clock = Arc::new(SystemClock::new());
    let executable =
        std::env::current_exe().doing(Kind::Unavailable, || "cannot find the program's own file")?;
    let runtime = Runtime::new(RuntimeSettings {
        cache_dir: cache().map(|cache| cache.join("compiled")),
        compiler: Compiler::Child(executable),
        clock: clock.clone(),
    })?;
    Ok(World {
        runtime: Arc::new(runtime),
        clock,
        stdout: Arc::new(|| Box::new(UntilNobodyReads(std::io::stdout()))),
        note: Arc::new(|note| eprintln!("{note}")),
        plugin_target: plugin_target(),
        at_step: None,
    })
}

/// Standard output; when its reader has gone, as `head` does, nobody needs more, and the process ends.
struct UntilNobodyReads(std::io::Stdout);

impl UntilNobodyReads {
    fn end_if_closed<T>(result: std::io::Result<T>) -> std::io::Result<T> {
        if matches!(&result, Err(e) if e.kind() == ErrorKind::BrokenPipe) {
            std::process::exit(0);
        }
        result
    }
}

impl Write for UntilNobodyReads {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        Self::end_if_closed(self.0.write(bytes))
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Self::end_if_closed(self.0.flush())
    }
}

/// Where this user's caches are: `$XDG_CACHE_HOME/streamhost`, or `~/.cache/streamhost`.
fn cache() -> Option<PathBuf> {
    let base = environment("XDG_CACHE_HOME").filter(|dir| !dir.is_empty()).map(PathBuf::from);
    let base = base.or_else(|| Some(PathBuf::from(environment("HOME")?).join(".cache")))?;
    Some(base.join("streamhost"))
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

/// `streamhost build`.
pub(crate) fn build(folder: &Path) -> Result<()> {
    let wasm = world()?.build(folder)?;
    crate::print(&format!("{}\n", wasm.display()))
}
