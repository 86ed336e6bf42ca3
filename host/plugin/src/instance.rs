use crate::{
    abi,
    fault::{Fault, Overrun},
    guest::Guest,
    http::Client,
    instances::Terms,
    keyed::KeyedCall,
    limits::Limits,
    load::Code,
    role::Functions,
    runtime::Core,
    sink::Exchange,
    stopwatch::Stopwatch,
    tally::{Cost, Metrics},
    text,
    voice::Speaker,
};
use engine::{Clock, EpochContext, Timestamp};
use futures::future::{Either, FutureExt, poll_fn, select};
use std::{
    pin::pin,
    sync::{Arc, atomic::Ordering::Relaxed},
    task::Poll,
    time::Duration,
};
use wasmtime::Store;

/// One running copy of a component, with its own memory.
///
/// After a fault that [is fatal](Fault::is_fatal), and after a call whose future was dropped, it must be thrown away.
pub(crate) struct Instance {
    store: Store<Guest>,
    functions: Functions,
    clock: Arc<dyn Clock>,
    stopwatch: Arc<Stopwatch>,
    wall: Duration,
    cost: Cost,
}

/// What a call may know of where it is.
#[derive(Clone, Copy)]
pub(crate) struct Call<'a> {
    pub(crate) cx: &'a EpochContext,
    /// What the guest's randomness in this call follows from.
    pub(crate) seed: u64,
}

/// What a guest works on by key.
pub(crate) enum KeyedInput<'a> {
    Rows(abi::Groups<'a>),
    /// Their clock, their keys as a message, and the timers.
    Timers(abi::state::Clock, &'a Vec<u8>, Vec<abi::state::Timer>),
}

/// What came of a call that was watched; none if its time was up.
type Ended<T> = Option<wasmtime::Result<T>>;

impl Instance {
    /// Instantiates, which may run code of the guest: armed as any call.
    pub(crate) async fn start(
        core: &Core,
        code: &Code,
        limits: Limits,
        speaker: Speaker,
        http: &Client,
    ) -> Result<Self, Fault> {
        let wall = limits.wall_per_call;
        let guest = Guest::new(limits, speaker, core.clock.clone(), core.ticker.clone(), http);
        let mut store = store(core, guest);
        let stopwatch = store.data().stopwatch.clone();
        let fuel = store.data().meter.limits.output_for(0);
        arm(&mut store, core.clock.monotonic(), fuel);
        let started = async {
            let instance = code.pre.instantiate_async(&mut store).await?;
            code.exports.load(&mut store, &instance)
        };
        let ended = watch(&*core.clock, &stopwatch, wall, started).await;
        let functions = judge(&store, wall, ended)?;
        let clock = core.clock.clone();
        Ok(Instance { store, functions, clock, stopwatch, wall, cost: Cost::default() })
    }

    /// Asks what it is.
    pub(crate) async fn describe(&mut self) -> Result<abi::Description, Fault> {
        let started = self.arm(0);
        let call = self.functions.plugin.call_describe(&mut self.store);
        let ended = watch(&*self.clock, &self.stopwatch, self.wall, call).await;
        self.settle(started, ended)
    }

    /// Agrees on columns. `input` is a schema message.
    #[allow(clippy::ptr_arg, reason = "the generated bindings take a `Vec`")]
    pub(crate) async fn bind(&mut self, terms: &Terms, input: &Vec<u8>) -> Result<abi::Binding, Fault> {
        let started = self.arm(input.len());
        let keys: Vec<&str> = terms.keys.iter().map(String::as_str).collect();
        let bind = &self.functions.plugin;
        let call = bind.call_bind(&mut self.store, terms.role.into(), &terms.config, input, &keys);
        let ended = watch(&*self.clock, &self.stopwatch, self.wall, call).await;
        self.settle(started, ended)?.map_err(Fault::from)
    }

    /// Hands over one batch, a record-batch message of the columns that the guest reads.
    #[allow(clippy::ptr_arg, reason = "the generated bindings take a `Vec`")]
    pub(crate) async fn process(&mut self, call: Call<'_>, batch: &Vec<u8>) -> Result<abi::Outcome, Fault> {
        self.surround(call.cx.now, call.seed);
        let started = self.arm(batch.len());
        let guest = self.functions.transform()?;
        let call = guest.call_process(&mut self.store, context(call.cx), batch);
        let ended = watch(&*self.clock, &self.stopwatch, self.wall, call).await;
        self.settle(started, ended)?.map_err(Fault::from)
    }

    /// Asks what functions it has.
    pub(crate) async fn signatures(&mut self) -> Result<Vec<abi::Signature>, Fault> {
        let started = self.arm(0);
        let guest = self.functions.scalars()?;
        let call = guest.call_signatures(&mut self.store);
        let ended = watch(&*self.clock, &self.stopwatch, self.wall, call).await;
        self.settle(started, ended)
    }

    /// Calls a function for the rows of a record-batch message of its arguments.
    #[allow(clippy::ptr_arg, reason = "the generated bindings take a `Vec`")]
    pub(crate) async fn call(
        &mut self,
        function: &str,
        arguments: &Vec<u8>,
        now: Timestamp,
        seed: u64,
    ) -> Result<Vec<u8>, Fault> {
        self.surround(now, seed);
        let started = self.arm(arguments.len());
        let guest = self.functions.scalars()?;
        let call = guest.call_call(&mut self.store, function, arguments);
        let ended = watch(&*self.clock, &self.stopwatch, self.wall, call).await;
        self.settle(started, ended)?.map_err(Fault::from)
    }

    /// Asks for the tables that it keeps by key.
    pub(crate) async fn tables(&mut self) -> Result<Vec<abi::TableDeclaration>, Fault> {
        let started = self.arm(0);
        let guest = self.functions.keyed()?;
        let ended = watch(&*self.clock, &self.stopwatch, self.wall, guest.call_tables(&mut self.store)).await;
        self.settle(started, ended)
    }

    /// Hands over rows of keys, or timers of theirs, with the state of these keys. That comes back, however the call ends.
    pub(crate) async fn keyed(
        &mut self,
        call: Call<'_>,
        state: KeyedCall,
        input: KeyedInput<'_>,
    ) -> (Result<abi::KeyedOutcome, Fault>, Option<KeyedCall>) {
        self.surround(call.cx.now, call.seed);
        self.store.data_mut().keyed = Some(state);
        let said = self.call_keyed(call.cx, input).await;
        (said, self.store.data_mut().keyed.take())
    }

    async fn call_keyed(
        &mut self,
        cx: &EpochContext,
        input: KeyedInput<'_>,
    ) -> Result<abi::KeyedOutcome, Fault> {
        let started = self.arm_fully();
        let guest = self.functions.keyed()?;
        let cx = context(cx);
        let ended = match input {
            KeyedInput::Rows(groups) => {
                let call = guest.call_process(&mut self.store, cx, groups);
                watch(&*self.clock, &self.stopwatch, self.wall, call).await
            }
            KeyedInput::Timers(clock, keys, timers) => {
                let call = guest.call_timers_fired(&mut self.store, cx, clock, keys, &timers);
                watch(&*self.clock, &self.stopwatch, self.wall, call).await
            }
        };
        self.settle(started, ended)?.map_err(Fault::from)
    }

    /// Has entries of an older version of a table rewritten: a schema message, and record-batch messages.
    #[allow(clippy::ptr_arg, reason = "the generated bindings take a `Vec`")]
    pub(crate) async fn migrate(
        &mut self,
        table: &str,
        version: u32,
        before: &Vec<u8>,
        entries: &Vec<u8>,
    ) -> Result<Vec<u8>, Fault> {
        self.store.data_mut().http.close();
        let started = self.arm_fully();
        let guest = self.functions.keyed()?;
        let call = guest.call_migrate(&mut self.store, table, version, before, entries);
        let ended = watch(&*self.clock, &self.stopwatch, self.wall, call).await;
        self.settle(started, ended)?.map_err(Fault::from)
    }

    /// Makes the guest the sink of an epoch, which it pulls and writes through `epoch`. That comes back, however the call ends.
    pub(crate) async fn foreach_batch(
        &mut self,
        call: Call<'_>,
        epoch: Exchange,
    ) -> (Result<(), Fault>, Option<Exchange>) {
        self.surround(call.cx.now, call.seed);
        self.store.data_mut().epoch = Some(epoch);
        let done = self.call_foreach_batch(call.cx).await;
        (done, self.store.data_mut().epoch.take())
    }

    async fn call_foreach_batch(&mut self, cx: &EpochContext) -> Result<(), Fault> {
        let started = self.arm_fully();
        let guest = self.functions.foreach_batch()?;
        let call = guest.call_process(&mut self.store, context(cx));
        let ended = watch(&*self.clock, &self.stopwatch, self.wall, call).await;
        self.settle(started, ended)?.map_err(Fault::from)
    }

    fn surround(&mut self, now: Timestamp, seed: u64) {
        let guest = self.store.data_mut();
        guest.around.now.store(now.0.max(0) as u64, Relaxed);
        guest.around.seed.store(seed, Relaxed);
        guest.http.open();
    }

    /// What the last call cost, as far as it is known here: not what it put out.
    pub(crate) fn cost(&self) -> Cost {
        self.cost
    }

    /// What the guest has counted since this was last emptied.
    pub(crate) fn metrics(&mut self) -> &mut Metrics {
        &mut self.store.data_mut().metrics
    }

    /// For a call that gets more than its arguments: how much may come back does not follow from these.
    fn arm_fully(&mut self) -> Duration {
        let now = self.clock.monotonic();
        let fuel = self.store.data().meter.limits.output_bytes;
        arm(&mut self.store, now, fuel);
        now
    }

    fn arm(&mut self, input: usize) -> Duration {
        let now = self.clock.monotonic();
        let fuel = self.store.data().meter.limits.output_for(input);
        arm(&mut self.store, now, fuel);
        now
    }

    fn settle<T>(&mut self, started: Duration, ended: Ended<T>) -> Result<T, Fault> {
        let result = judge(&self.store, self.wall, ended);
        let guest = self.store.data();
        let log_bytes = {
            let mut voice = guest.voice();
            voice.rest();
            voice.said()
        };
        self.cost = Cost {
            wall: self.clock.monotonic().saturating_sub(started + self.stopwatch.waited()),
            cpu: guest.meter.cpu(),
            memory: guest.meter.memory(),
            table_elements: guest.meter.table_elements(),
            host_calls: guest.meter.host_calls(),
            log_bytes,
            ..Cost::default()
        };
        result
    }
}

fn store(core: &Core, guest: Guest) -> Store<Guest> {
    let mut store = Store::new(&core.engine, guest);
    store.limiter(|guest| &mut guest.meter);
    store.epoch_deadline_callback(|mut cx| cx.data_mut().tick());
    let handles = store.data().meter.limits.resources;
    store.set_max_component_handles(handles);
    store
}

/// The one place where limits are armed. It comes before every entry into a guest; the wall clock alone is the business
/// of [`watch`]. `fuel` is how many bytes may come back, or be handed to one host function.
fn arm(store: &mut Store<Guest>, now: Duration, fuel: usize) {
    store.data_mut().arm(now);
    store.set_epoch_deadline(1);
    store.set_hostcall_fuel(fuel);
}

/// Waits for a call, but no longer than `wall`, not counting what it waits for the host. The alarm is only set once the call
/// has to wait or has run for a tick: most calls are over before.
async fn watch<T>(
    clock: &dyn Clock,
    stopwatch: &Stopwatch,
    wall: Duration,
    call: impl Future<Output = wasmtime::Result<T>>,
) -> Ended<T> {
    let mut call = pin!(call);
    let mut call = poll_fn(|cx| {
        stopwatch.wakes(clock.monotonic());
        let polled = call.as_mut().poll(cx);
        if polled.is_pending() {
            stopwatch.sleeps(clock.monotonic());
        }
        polled
    });
    if let Poll::Ready(result) = poll_fn(|cx| Poll::Ready(call.poll_unpin(cx))).await {
        return Some(result);
    }
    let alarm = pin!(alarm(clock, stopwatch, wall));
    match select(call, alarm).await {
        Either::Left((result, _)) => Some(result),
        Either::Right(_) => None,
    }
}

/// Ends when the time is up. What is left can only have grown while it slept.
async fn alarm(clock: &dyn Clock, stopwatch: &Stopwatch, wall: Duration) {
    loop {
        let left = stopwatch.left(wall, clock.monotonic());
        if left.is_zero() {
            return;
        }
        clock.sleep(left).await;
    }
}

fn judge<T>(store: &Store<Guest>, wall: Duration, ended: Ended<T>) -> Result<T, Fault> {
    match ended {
        Some(Ok(value)) => Ok(value),
        Some(Err(error)) => Err(fault(store, &error)),
        None => Err(Fault::Overrun(Overrun::Wall(wall))),
    }
}

#[cold]
fn fault(store: &Store<Guest>, error: &wasmtime::Error) -> Fault {
    let guest = store.data();
    // Its type is private to wasmtime.
    if error.root_cause().to_string().contains("allocated for hostcalls") {
        return Fault::Overrun(Overrun::Output(store.hostcall_fuel()));
    }
    Fault::from_wasmtime(error, guest.meter.overrun(), guest.voice().last_words())
}

fn context(cx: &EpochContext) -> abi::Context<'_> {
    abi::Context {
        query: &cx.query.0,
        epoch: cx.epoch.0,
        partition: cx.partition.0,
        attempt: cx.attempt,
        watermark: (cx.in_force.eviction > Default::default()).then(|| cx.in_force.eviction.micros()),
        now: cx.now.0,
    }
}

impl From<abi::Failure> for Fault {
    fn from(said: abi::Failure) -> Self {
        let shown = |why: String| text::shown(&why, text::MESSAGE);
        match said {
            abi::Failure::Invalid(why) => Fault::Invalid(shown(why)),
            abi::Failure::Transient(why) => Fault::Transient(shown(why)),
            abi::Failure::Permanent(why) => Fault::Permanent(shown(why)),
        }
    }
}
