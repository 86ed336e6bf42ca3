//! What a guest that keeps state by key calls.

use crate::{
    abi::{self, Failure, state::Clock},
    fault::Fault,
    guest::Guest,
    ipc::{Caps, Decoder, Encoder},
    limits::Limits,
    outcome,
};
use arrow::{array::RecordBatch, datatypes::SchemaRef};
use engine::{
    Error, Kind,
    keyed::{CallState, Key, Timer, TimerClock},
};
use wasmtime::{Result, component::Resource};

/// What a guest holds a handle of while it uses one of its tables: the table's index.
#[allow(unreachable_pub, reason = "the generated bindings pass it on as their own")]
pub struct Table(usize);

/// What a guest may reach of its state in a call, and how that crosses.
pub(crate) struct KeyedCall {
    pub(crate) state: CallState,
    crossings: Vec<Crossing>,
    caps: Caps,
    /// What the guest was refused last in the call, and of what kind.
    refused: Option<(Kind, String)>,
}

/// How the entries of a table cross.
struct Crossing {
    encoder: Encoder,
    entries: Decoder,
    of: Decoder,
}

impl KeyedCall {
    pub(super) fn new(state: CallState, limits: &Limits) -> engine::Result<Self> {
        let crossing = |entries: &SchemaRef, of: &SchemaRef| {
            Ok(Crossing {
                encoder: Encoder::new(entries)?,
                entries: Decoder::new(entries.clone())?,
                of: Decoder::new(of.clone())?,
            })
        };
        let tables = state.tables().iter();
        let crossings =
            tables.map(|table| crossing(table.entries(), table.of())).collect::<engine::Result<_>>()?;
        let caps = outcome::caps(limits);
        Ok(KeyedCall { state, crossings, caps, refused: None })
    }

    /// Begins a call with these keys; `goes_on` as for the state.
    pub(crate) fn begin(&mut self, keys: Vec<Key>, goes_on: bool) {
        self.state.begin(keys, goes_on);
        self.refused = None;
    }

    /// What to make of a fault of the call. A guest often passes on what it was refused, as it was told, which says who has to act
    /// if the guest was right: here it is the guest that has asked for what cannot be, or there is too much state.
    pub(super) fn explain(&self, fault: Fault) -> Fault {
        match (fault, &self.refused) {
            (Fault::Invalid(why), Some((Kind::Plugin, _))) => Fault::Permanent(why),
            (Fault::Invalid(why) | Fault::Permanent(why), Some((Kind::Data, _))) => Fault::Full(why),
            (Fault::Trap(why), Some((_, refusal))) => {
                Fault::Trap(format!("{why}; before that it was refused: {refusal}"))
            }
            (fault, _) => fault,
        }
    }

    /// What the guest is told of an error; none if it is the host's own.
    fn told(&mut self, error: &Error) -> Option<Failure> {
        let why = error.report();
        let failure = match error.kind() {
            Kind::Plugin | Kind::Invalid => Failure::Invalid(why.clone()),
            Kind::Data => Failure::Permanent(why.clone()),
            Kind::Unavailable | Kind::Fenced | Kind::Internal => return None,
        };
        self.refused = Some((error.kind(), why));
        Some(failure)
    }

    fn get(&mut self, table: usize, keys: Option<&[u32]>) -> engine::Result<Vec<u8>> {
        let rows = self.state.get(table, keys)?;
        self.encode(table, &rows)
    }

    fn find(&mut self, table: usize, of: Vec<u8>) -> engine::Result<Vec<u8>> {
        let of = self.decode(table, of, |crossing| &crossing.of)?;
        let rows = self.state.find(table, &of)?;
        self.encode(table, &rows)
    }

    fn put(&mut self, table: usize, entries: Vec<u8>) -> engine::Result<()> {
        let entries = self.decode(table, entries, |crossing| &crossing.entries)?;
        self.state.put(table, &entries)
    }

    fn append(&mut self, table: usize, entries: Vec<u8>) -> engine::Result<()> {
        let entries = self.decode(table, entries, |crossing| &crossing.entries)?;
        self.state.append(table, &entries)
    }

    fn remove_found(&mut self, table: usize, of: Vec<u8>) -> engine::Result<()> {
        let of = self.decode(table, of, |crossing| &crossing.of)?;
        self.state.remove_found(table, &of)
    }

    fn encode(&mut self, table: usize, rows: &RecordBatch) -> engine::Result<Vec<u8>> {
        let crossing = self.crossings.get_mut(table).ok_or_else(gone)?;
        crossing.encoder.encode(rows)
    }

    /// All rows as one batch: what is put belongs together.
    fn decode(
        &self,
        table: usize,
        messages: Vec<u8>,
        of: impl Fn(&Crossing) -> &Decoder,
    ) -> engine::Result<RecordBatch> {
        let decoder = of(self.crossings.get(table).ok_or_else(gone)?);
        let mut batches = decoder.decode(messages, self.caps)?;
        match batches.len() {
            1 => batches.pop().ok_or_else(gone),
            _ => outcome::whole(decoder.schema(), &batches),
        }
    }
}

fn gone() -> Error {
    Error::internal("a table of the plugin is gone")
}

/// What the guest gets, or is told.
type Told<T> = Result<Result<T, Failure>>;

impl Guest {
    /// Lets the guest do something with its state.
    fn with_state<T>(&mut self, what: impl FnOnce(&mut KeyedCall) -> engine::Result<T>) -> Told<T> {
        self.meter.check_calls()?;
        let call = self.keyed.as_mut().ok_or_else(|| {
            wasmtime::Error::msg("it calls what only work by key may call, and only while it is at it")
        })?;
        match what(call) {
            Ok(done) => Ok(Ok(done)),
            Err(error) => match call.told(&error) {
                Some(failure) => Ok(Err(failure)),
                None => Err(wasmtime::Error::msg(error.report())),
            },
        }
    }

    fn with_table<T>(
        &mut self,
        table: &Resource<Table>,
        what: impl FnOnce(&mut KeyedCall, usize) -> engine::Result<T>,
    ) -> Told<T> {
        let index = self.table.get(table)?.0;
        self.with_state(|call| what(call, index))
    }
}

impl abi::state::HostTable for Guest {
    fn get(&mut self, table: Resource<Table>, keys: Option<Vec<u32>>) -> Told<Vec<u8>> {
        self.with_table(&table, |call, of| call.get(of, keys.as_deref()))
    }

    fn find(&mut self, table: Resource<Table>, of: Vec<u8>) -> Told<Vec<u8>> {
        self.with_table(&table, |call, table| call.find(table, of))
    }

    fn put(&mut self, table: Resource<Table>, entries: Vec<u8>) -> Told<()> {
        self.with_table(&table, |call, of| call.put(of, entries))
    }

    fn append(&mut self, table: Resource<Table>, entries: Vec<u8>) -> Told<()> {
        self.with_table(&table, |call, of| call.append(of, entries))
    }

    fn remove(&mut self, table: Resource<Table>, keys: Vec<u32>) -> Told<()> {
        self.with_table(&table, |call, of| call.state.remove(of, &keys))
    }

    fn remove_found(&mut self, table: Resource<Table>, of: Vec<u8>) -> Told<()> {
        self.with_table(&table, |call, table| call.remove_found(table, of))
    }

    fn drop(&mut self, table: Resource<Table>) -> Result<()> {
        self.table.delete(table)?;
        Ok(())
    }
}

impl abi::state::Host for Guest {
    fn open(&mut self, name: String) -> Told<Resource<Table>> {
        let found = self.with_state(|call| {
            call.state.tables().find(&name).ok_or_else(|| {
                let name = crate::text::shown(&name, crate::text::NAME);
                Error::plugin(format!("it opens a table `{name}`, which it did not declare"))
            })
        })?;
        match found {
            Ok(index) => Ok(Ok(self.table.push(Table(index))?)),
            Err(failure) => Ok(Err(failure)),
        }
    }

    fn set_timers(&mut self, clock: Clock, timers: Vec<abi::state::Timer>) -> Told<()> {
        self.with_state(|call| call.state.set_timers(clock.into(), &plain(&timers)))
    }

    fn clear_timers(&mut self, clock: Clock, timers: Vec<abi::state::Timer>) -> Told<()> {
        self.with_state(|call| call.state.clear_timers(clock.into(), &plain(&timers)))
    }

    fn clear_all_timers(&mut self, clock: Clock, keys: Vec<u32>) -> Told<()> {
        self.with_state(|call| call.state.clear_all_timers(clock.into(), &keys))
    }
}

fn plain(timers: &[abi::state::Timer]) -> Vec<Timer> {
    timers.iter().map(|timer| (timer.key, timer.at)).collect()
}

impl From<Clock> for TimerClock {
    fn from(clock: Clock) -> Self {
        match clock {
            Clock::EventTime => TimerClock::EventTime,
            Clock::ProcessingTime => TimerClock::ProcessingTime,
        }
    }
}

impl From<TimerClock> for Clock {
    fn from(clock: TimerClock) -> Self {
        match clock {
            TimerClock::EventTime => Clock::EventTime,
            TimerClock::ProcessingTime => Clock::ProcessingTime,
        }
    }
}
