use crate::{
    abi,
    fault::Overrun,
    http::{Client, Outgoing},
    keyed::KeyedCall,
    limits::Limits,
    sink::Exchange,
    stopwatch::Stopwatch,
    tally::Metrics,
    text,
    ticker::{TICK, Ticker},
    voice::{Speaker, Voice},
    wasi::{self, Surroundings},
};
use engine::Clock;
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tracing::Level;
use wasmtime::{ResourceLimiter, Result, UpdateDeadline};
use wasmtime_wasi::{ResourceTable, WasiCtx, WasiCtxView, WasiView};

/// What the host keeps beside one instance: what it may use, what it has used, and what it has said.
pub(crate) struct Guest {
    pub(crate) meter: Meter,
    pub(crate) around: Arc<Surroundings>,
    pub(crate) metrics: Metrics,
    /// What it may reach of the epoch that it is the sink of; none in other calls.
    pub(crate) epoch: Option<Exchange>,
    /// What it may reach of its state; none in calls that have nothing to do with that.
    pub(crate) keyed: Option<KeyedCall>,
    pub(crate) stopwatch: Arc<Stopwatch>,
    pub(crate) clock: Arc<dyn Clock>,
    /// Its requests.
    pub(crate) http: Outgoing,
    pub(crate) table: ResourceTable,
    voice: Arc<Mutex<Voice>>,
    ticker: Arc<Ticker>,
    wasi: WasiCtx,
}

/// Counts what an instance uses, and says no.
pub(crate) struct Meter {
    pub(crate) limits: Limits,
    memory: usize,
    growth: usize,
    table_elements: usize,
    ticks: u32,
    /// The tick that is noticed next went by while the guest waited.
    waited: bool,
    host_calls: u64,
    /// The first limit that was hit in this call, if any. A guest that is refused memory only traps on its own
    /// account later; this says why.
    overrun: Option<Overrun>,
}

impl Guest {
    pub(crate) fn new(
        limits: Limits,
        speaker: Speaker,
        clock: Arc<dyn Clock>,
        ticker: Arc<Ticker>,
        http: &Client,
    ) -> Self {
        let around = Arc::new(Surroundings::default());
        let voice = Arc::new(Mutex::new(Voice::new(speaker, &limits)));
        let mut table = ResourceTable::new();
        table.set_max_capacity(limits.resources);
        Guest {
            wasi: wasi::context(clock.clone(), &around, &voice),
            table,
            http: http.outgoing(&limits),
            meter: Meter::new(limits),
            around,
            metrics: Metrics::default(),
            epoch: None,
            keyed: None,
            stopwatch: Arc::default(),
            clock,
            voice,
            ticker,
        }
    }

    pub(crate) fn voice(&self) -> MutexGuard<'_, Voice> {
        self.voice.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts everything that is counted per call back to its start.
    pub(crate) fn arm(&mut self, now: Duration) {
        self.meter.arm();
        self.http.arm();
        self.stopwatch.start(now);
        self.voice().arm(now);
        self.ticker.busy();
    }

    /// A guest that pulls its input has got more of it: what is counted per call begins anew.
    pub(crate) fn rearm(&mut self) {
        self.meter.rearm();
        self.http.arm();
        self.stopwatch.rearm();
        self.voice().arm(self.clock.monotonic());
        self.ticker.busy();
    }

    /// The guest waits for the host from now on.
    pub(crate) fn pause(&self) {
        self.stopwatch.pause(self.clock.monotonic());
    }

    /// The guest goes on. What went by while it waited was none of its time, on the processor either.
    pub(crate) fn resume(&mut self) {
        let waited = self.stopwatch.resume(self.clock.monotonic());
        self.meter.waited = waited >= TICK;
    }

    /// One more tick went by while the guest was running.
    pub(crate) fn tick(&mut self) -> Result<UpdateDeadline> {
        self.ticker.busy();
        self.meter.waited |= self.stopwatch.missed_tick();
        self.meter.tick()?;
        Ok(UpdateDeadline::Yield(1))
    }

    /// The guest calls the host. Every function of the linker comes through here; not all of them can refuse, so one
    /// call too many is only noted, and [`Guest::tick`] ends it.
    pub(crate) fn called(&mut self) -> &mut Self {
        self.meter.host_call();
        self
    }
}

impl Meter {
    fn new(limits: Limits) -> Self {
        Meter {
            limits,
            memory: 0,
            growth: 0,
            table_elements: 0,
            ticks: 0,
            waited: false,
            host_calls: 0,
            overrun: None,
        }
    }

    fn arm(&mut self) {
        self.ticks = 0;
        self.waited = false;
        self.host_calls = 0;
        self.overrun = None;
    }

    /// A limit that was hit stays so: the guest may not have noticed yet.
    fn rearm(&mut self) {
        self.ticks = 0;
        self.host_calls = 0;
    }

    /// Bytes of linear memory now. Memory never shrinks, so this is its peak.
    pub(crate) fn memory(&self) -> usize {
        self.memory
    }

    /// Time on a processor that this call took, rounded down to ticks.
    pub(crate) fn cpu(&self) -> Duration {
        TICK * self.ticks
    }

    /// Host functions that this call called.
    pub(crate) fn host_calls(&self) -> u64 {
        self.host_calls
    }

    pub(crate) fn table_elements(&self) -> usize {
        self.table_elements
    }

    pub(crate) fn overrun(&self) -> Option<Overrun> {
        self.overrun.clone()
    }

    fn tick(&mut self) -> Result<()> {
        self.ticks += u32::from(!std::mem::take(&mut self.waited));
        if self.cpu() >= self.limits.cpu_per_call {
            return Err(self.over(Overrun::Cpu(self.limits.cpu_per_call)).into());
        }
        self.check_calls()
    }

    /// Ends a guest that has called the host too often.
    pub(crate) fn check_calls(&self) -> Result<()> {
        match self.overrun() {
            Some(calls @ Overrun::HostCalls(_)) => Err(calls.into()),
            _ => Ok(()),
        }
    }

    fn host_call(&mut self) {
        self.host_calls += 1;
        if self.host_calls > self.limits.host_calls {
            self.over(Overrun::HostCalls(self.limits.host_calls));
        }
    }

    /// What so many calls of the host were for is counted by itself.
    #[cfg_attr(not(feature = "http"), allow(dead_code, reason = "everything else is counted in calls"))]
    pub(crate) fn forgive_calls(&mut self, calls: u64) {
        self.host_calls = self.host_calls.saturating_sub(calls);
    }

    fn over(&mut self, overrun: Overrun) -> Overrun {
        self.overrun.get_or_insert(overrun).clone()
    }
}

impl ResourceLimiter for Meter {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> Result<bool> {
        let growth = desired.saturating_sub(current);
        if growth > self.limits.memory.saturating_sub(self.memory) {
            self.over(Overrun::Memory(self.limits.memory));
            return Ok(false);
        }
        self.growth = growth;
        self.memory += growth;
        Ok(true)
    }

    /// Allowed here, then refused by the module's own maximum or by the system.
    fn memory_grow_failed(&mut self, _: wasmtime::Error) -> Result<()> {
        self.memory -= std::mem::take(&mut self.growth);
        Ok(())
    }

    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> Result<bool> {
        let growth = desired.saturating_sub(current);
        if growth > self.limits.table_elements.saturating_sub(self.table_elements) {
            self.over(Overrun::TableElements(self.limits.table_elements));
            return Ok(false);
        }
        self.table_elements += growth;
        Ok(true)
    }

    fn instances(&self) -> usize {
        self.limits.instances
    }

    fn tables(&self) -> usize {
        self.limits.tables
    }

    fn memories(&self) -> usize {
        self.limits.memories
    }
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl abi::log::Host for Guest {
    fn write(&mut self, level: abi::log::Level, message: String) -> Result<()> {
        self.voice().say(level.into(), &message);
        Ok(())
    }
}

impl From<abi::log::Level> for Level {
    fn from(level: abi::log::Level) -> Level {
        match level {
            abi::log::Level::Error => Level::ERROR,
            abi::log::Level::Warn => Level::WARN,
            abi::log::Level::Info => Level::INFO,
            abi::log::Level::Debug => Level::DEBUG,
            abi::log::Level::Trace => Level::TRACE,
        }
    }
}

impl abi::metrics::Host for Guest {
    fn counter(&mut self, name: String, add: u64) -> Result<()> {
        self.metrics.count(text::shown(&name, text::NAME), add);
        Ok(())
    }

    fn gauge(&mut self, name: String, value: f64) -> Result<()> {
        self.metrics.gauge(text::shown(&name, text::NAME), value);
        Ok(())
    }
}
