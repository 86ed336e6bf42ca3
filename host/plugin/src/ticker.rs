use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread::{self, Thread},
    time::Duration,
};
use wasmtime::Engine;

/// How long a tick is: the grain in which a guest's time on a processor is counted.
pub(crate) const TICK: Duration = Duration::from_millis(10);

/// Ticks without a call after which the thread rests until there is one.
const PATIENCE: u32 = 100;

/// Counts time for the engine from a thread of its own, so that guests which keep every other thread busy are still
/// interrupted. It rests while no guest runs: a query that waits for input costs nothing.
pub(crate) struct Ticker {
    flags: Arc<Flags>,
    thread: Thread,
}

#[derive(Default)]
struct Flags {
    busy: AtomicBool,
    resting: AtomicBool,
    stopped: AtomicBool,
}

impl Ticker {
    pub(crate) fn start(engine: Engine) -> std::io::Result<Self> {
        let flags = Arc::new(Flags::default());
        let theirs = flags.clone();
        let thread = thread::Builder::new().name("wasm-ticker".into()).spawn(move || theirs.tick(&engine))?;
        Ok(Ticker { flags, thread: thread.thread().clone() })
    }

    /// A guest runs now: keep ticking. Said at every call and at every tick that a guest runs through.
    pub(crate) fn busy(&self) {
        self.flags.busy.store(true, SeqCst);
        if self.flags.resting.load(SeqCst) {
            self.thread.unpark();
        }
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.flags.stopped.store(true, SeqCst);
        self.thread.unpark();
    }
}

impl Flags {
    #[allow(
        clippy::disallowed_methods,
        reason = "ticks bound what a guest takes of a real processor: real time"
    )]
    fn tick(&self, engine: &Engine) {
        let mut idle = 0;
        while !self.stopped.load(SeqCst) {
            engine.increment_epoch();
            idle = if self.busy.swap(false, SeqCst) { 0 } else { idle + 1 };
            if idle > PATIENCE { self.rest() } else { thread::sleep(TICK) }
        }
    }

    /// `resting` is set before `busy` is looked at, and `busy()` does the reverse, so one of the two sees the other.
    fn rest(&self) {
        self.resting.store(true, SeqCst);
        if !self.busy.load(SeqCst) {
            thread::park();
        }
        self.resting.store(false, SeqCst);
    }
}
