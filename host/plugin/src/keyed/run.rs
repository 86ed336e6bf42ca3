//! The calls of a shard: what is handed over, and what comes of the answers.

use super::{
    bind::Bound,
    groups::{Group, Unit, Work},
    host::KeyedCall,
};
use crate::{
    abi,
    bind::OnError,
    fault::Fault,
    fingerprint,
    instance::{Call, Instance, KeyedInput},
    ipc::Encoder,
    outcome::{self, RowError},
    policy::{self, Course, Stop},
    schema::Main,
    step::batching,
    tally::Cost,
    wasi::mixed,
    worker::{hashed, rows_per_piece},
};
use arrow::{
    array::{RecordBatch, UInt64Array},
    util::display::{ArrayFormatter, FormatOptions},
};
use engine::{
    EpochContext, Error, Kind, Origin, Outbox, Result, ResultExt,
    keyed::{Key, Timer, TimerClock},
    operators::Codec,
};
use std::{ops::Range, time::Duration};

/// The work of one shard in one epoch.
pub(super) struct Run<'a> {
    bound: &'a Bound,
    cx: &'a EpochContext,
    /// None while a guest has it.
    call: Option<KeyedCall>,
    /// None before the first call, and after a fault until the next.
    instance: Option<Instance>,
    codec: Codec,
    keys: Encoder,
    rows: Encoder,
    out: &'a mut Outbox,
    /// Where the rows of each piece were in their source.
    origins: Vec<Origin>,
    /// Nobody wants any more rows.
    done: bool,
}

/// What a unit came to.
#[derive(Default)]
struct Applied {
    out: Vec<(usize, RecordBatch)>,
    /// By rows of the unit, or timers.
    errors: Vec<RowError>,
}

impl<'a> Run<'a> {
    pub(super) fn new(
        bound: &'a Bound,
        cx: &'a EpochContext,
        call: KeyedCall,
        origins: Vec<Origin>,
        out: &'a mut Outbox,
    ) -> Result<Self> {
        Ok(Run {
            bound,
            cx,
            call: Some(call),
            instance: None,
            codec: bound.by.codec()?,
            keys: Encoder::new(&bound.by.key_schema())?,
            rows: Encoder::of_columns(&bound.settings.input, &bound.agreed.reads.indices)?,
            out,
            origins,
            done: false,
        })
    }

    /// Whether an instance takes a call without keys.
    pub(super) async fn try_out(&mut self) -> Result<()> {
        let rows = RecordBatch::new_empty(self.bound.settings.input.clone());
        let none = Unit::new(Work::Rows { rows, places: UInt64Array::new_null(0), groups: Vec::new() });
        let (said, _) = self.one_call(&none, Some(0..0), false).await?;
        said.map(drop).map_err(|fault| self.bound.blame("a call without keys", fault))
    }

    /// The last unit is done with.
    pub(super) fn end(self) {
        if let Some(instance) = self.instance {
            self.bound.instances.keep(instance);
        }
    }

    /// Gets a unit through the guest, whatever that takes.
    pub(super) async fn work(&mut self, unit: Unit) -> Result<()> {
        let rows = unit.len();
        let (mut todo, mut searching, mut left, mut rejected) = (vec![unit], Duration::ZERO, 0, 0);
        while let Some(unit) = todo.pop().filter(|_| !self.done) {
            if !unit.wait.is_zero() {
                self.bound.plugin.0.core.clock.sleep(unit.wait).await;
            }
            match self.call(&unit).await? {
                (Ok(applied), _) => {
                    left += applied.out.iter().map(|(_, rows)| rows.num_rows()).sum::<usize>();
                    let (again, bad) = self.sort_out(&unit, applied.errors)?;
                    rejected += self.reject(&unit, &bad).await?;
                    todo.extend(again);
                    self.send(applied.out).await?;
                }
                (Err(fault), cost) => {
                    let (settings, keys) = (&self.bound.settings, unit.keys());
                    match policy::course(&fault, keys, unit.tries, settings.on_error, &settings.retry) {
                        Course::Again(wait) => todo.push(unit.again(wait)),
                        Course::Stop(stop) => return Err(self.stop(&unit, stop, &fault)),
                        Course::Reject => rejected += self.reject_all(&unit, &fault).await?,
                        Course::Halve => {
                            searching += cost.wall;
                            self.search(searching, &fault)?;
                            let [first, second] = unit.halves();
                            todo.extend([second, first]);
                        }
                    }
                }
            }
        }
        self.bound.tally.batch(rows, left, rejected);
        self.judge(rows, rejected)
    }

    async fn send(&mut self, out: Vec<(usize, RecordBatch)>) -> Result<()> {
        for (port, rows) in out {
            if !self.done && !self.out.send(port, rows).await? {
                self.done = true;
            }
        }
        Ok(())
    }

    /// One unit through the guest, and what it cost. An error is the host's own.
    async fn call(&mut self, unit: &Unit) -> Result<(Result<Applied, Fault>, Cost)> {
        let mut applied = Applied::default();
        let mut last = Cost::default();
        for (number, part) in self.parts(unit).into_iter().enumerate() {
            let (said, cost) = self.one_call(unit, part, number > 0).await?;
            last = cost;
            match said {
                Ok((out, errors)) => {
                    applied.out.extend(out);
                    applied.errors.extend(errors);
                }
                Err(fault) => return Ok((Err(fault), last)),
            }
        }
        if let Some(call) = &mut self.call {
            call.state.keep()?;
        }
        Ok((Ok(applied), last))
    }

    /// The rows of each call, counted from the unit's first row: several calls only for a single key with many rows. None for timers.
    fn parts(&self, unit: &Unit) -> Vec<Option<Range<usize>>> {
        let Work::Rows { rows, groups, .. } = &unit.work else { return vec![None] };
        let (rows_of, batching) = (unit.len(), batching(&self.bound.settings.limits));
        let first = groups.first().map_or(0, |group| group.rows.start);
        let most = match groups.len() {
            1 => rows_per_piece(&rows.slice(first, rows_of), &batching).min(batching.target_rows),
            _ => rows_of,
        };
        (0..rows_of).step_by(most.max(1)).map(|from| Some(from..rows_of.min(from + most))).collect()
    }

    async fn one_call(
        &mut self,
        unit: &Unit,
        part: Option<Range<usize>>,
        goes_on: bool,
    ) -> Result<(Result<(Vec<(usize, RecordBatch)>, Vec<RowError>), Fault>, Cost)> {
        let (keys, message, input) = self.encoded(unit, part.clone())?;
        let bytes_in = message.len() + input.as_ref().map_or(0, |(rows, _)| rows.len());
        let mut call = self.call.take().ok_or_else(|| Error::internal("the state of a call is lost"))?;
        let seed = keys.first().map_or(0, |key| key.hash);
        call.begin(keys, goes_on);
        let mut instance = match self.instance.take() {
            Some(instance) => instance,
            None => self.bound.take().await.map_err(|fault| {
                self.bound.blame(format!("epoch {}, starting an instance", self.cx.epoch), fault)
            })?,
        };
        let input = match (&input, &unit.work) {
            (Some((rows, starts)), _) => {
                let more = part.as_ref().is_some_and(|part| part.end < unit.len());
                KeyedInput::Rows(abi::Groups { keys: &message, starts, rows, more })
            }
            (None, Work::Timers { clock, timers, .. }) => {
                KeyedInput::Timers((*clock).into(), &message, timers.iter().map(timer).collect())
            }
            (None, Work::Rows { .. }) => return Err(Error::internal("rows without a part of them")),
        };
        let seed = seed_of(self.cx, seed);
        let (said, call) = instance.keyed(Call { cx: self.cx, seed }, call, input).await;
        if let (Ok(said), true) = (&said, self.bound.plugin.description().deterministic) {
            self.bound.tally.answered(fingerprint::of_keyed(said, seed));
        }
        let said = match &call {
            Some(call) => said.map_err(|fault| call.explain(fault)),
            None => said,
        };
        self.call = call;
        let rows = part.as_ref().map_or(unit.len(), ExactSizeIterator::len);
        let applied = said.and_then(|said| self.apply(said, rows));
        let from = part.map_or(0, |part| part.start);
        let (applied, bytes_out) = match applied {
            Ok((out, mut errors, bytes)) => {
                errors.iter_mut().for_each(|error| error.row += from);
                (Ok((out, errors)), bytes)
            }
            Err(fault) => (Err(fault), 0),
        };
        let cost = Cost { bytes_in, bytes_out, ..instance.cost() };
        self.bound.tally.call(&cost);
        self.bound.tally.metrics(instance.metrics());
        if !applied.as_ref().is_err_and(Fault::is_fatal) {
            self.instance = Some(instance);
        }
        Ok((applied, cost))
    }

    /// The keys of a call, as they are and as a message; and its rows as a message with where each group starts.
    #[allow(clippy::type_complexity, reason = "what one call takes, used once")]
    fn encoded(
        &mut self,
        unit: &Unit,
        part: Option<Range<usize>>,
    ) -> Result<(Vec<Key>, Vec<u8>, Option<(Vec<u8>, Vec<u32>)>)> {
        match (&unit.work, part) {
            (Work::Rows { rows, groups, .. }, Some(part)) => {
                let first = groups.first().map_or(0, |group| group.rows.start);
                let starts = match groups.len() {
                    1 => vec![0],
                    _ => groups.iter().map(|group| (group.rows.start - first) as u32).collect(),
                };
                let message = self.rows.encode(&rows.slice(first + part.start, part.len()))?;
                let keys: Vec<Key> = groups.iter().map(|group| group.key.clone()).collect();
                let encoded = self.encoded_keys(&keys)?;
                Ok((keys, encoded, Some((message, starts))))
            }
            (Work::Timers { keys, .. }, _) => Ok((keys.clone(), self.encoded_keys(keys)?, None)),
            (Work::Rows { .. }, None) => Err(Error::internal("rows without a part of them")),
        }
    }

    fn encoded_keys(&mut self, keys: &[Key]) -> Result<Vec<u8>> {
        let keys = self.readable(keys)?;
        self.keys.encode(&keys)
    }

    /// Keys as rows.
    fn readable(&self, keys: &[Key]) -> Result<RecordBatch> {
        let columns = self.codec.decode(keys.iter().map(|key| &*key.bytes))?;
        RecordBatch::try_new(self.bound.by.key_schema(), columns).doing(Kind::Internal, || "keys as rows")
    }

    /// What follows from an answer to so many rows, or timers; and the answer's bytes.
    #[allow(clippy::type_complexity, reason = "what one call gives, used once")]
    fn apply(
        &self,
        said: abi::KeyedOutcome,
        rows: usize,
    ) -> Result<(Vec<(usize, RecordBatch)>, Vec<RowError>, usize), Fault> {
        let agreed = &self.bound.agreed;
        let bytes = said.main.len() + said.side.iter().map(|(_, rows)| rows.len()).sum::<usize>();
        let errors = outcome::check_errors(said.errors, rows)?;
        let caps = outcome::caps(&self.bound.settings.limits);
        let Main::Rows(main) = &agreed.main else {
            return Err(Fault::Breach("it agreed on other rows than its own".into()));
        };
        let mut out: Vec<(usize, RecordBatch)> =
            outcome::decode(main, said.main, caps)?.into_iter().map(|rows| (0, rows)).collect();
        for (name, messages) in said.side {
            let (index, side) = agreed.side(&name)?;
            out.extend(
                outcome::decode(&side.decoder, messages, caps)?.into_iter().map(|rows| (index + 1, rows)),
            );
        }
        out.retain(|(_, rows)| rows.num_rows() > 0);
        Ok((out, errors, bytes))
    }

    /// What of a unit is tried again, and which of its rows, or timers, are not to be helped.
    fn sort_out(&self, unit: &Unit, errors: Vec<RowError>) -> Result<(Option<Unit>, Vec<RowError>)> {
        let wait = self.bound.settings.retry.wait(unit.tries);
        let (again, bad): (Vec<RowError>, Vec<RowError>) =
            errors.into_iter().partition(|error| error.retry && wait.is_some());
        let rows: Vec<usize> = again.iter().map(|error| error.row).collect();
        let (Some(wait), false) = (wait, rows.is_empty()) else { return Ok((None, bad)) };
        Ok((Some(unit.only(&rows)?.again(wait)), bad))
    }

    /// A key that the guest cannot take.
    async fn reject_all(&mut self, unit: &Unit, fault: &Fault) -> Result<usize> {
        let error = |row| RowError { row, retry: false, message: fault.to_string() };
        self.reject(unit, &(0..unit.len()).map(error).collect::<Vec<_>>()).await
    }

    /// Does with rows that cannot be processed what the pipeline says.
    async fn reject(&mut self, unit: &Unit, errors: &[RowError]) -> Result<usize> {
        let Some(first) = errors.first() else { return Ok(0) };
        let (bound, epoch) = (self.bound, self.cx.epoch);
        if bound.settings.on_error == OnError::Fail {
            return Err(
                bound.blame(format!("epoch {epoch}, {}", self.key_of(unit, first.row)), &first.message)
            );
        }
        if let Some(port) = bound.agreed.dead_letters() {
            let lost = || Error::internal("the port of dead letters is gone");
            let schema = &bound.ports.get(port).ok_or_else(lost)?.schema;
            let (rows, positions) = self.rejected(unit, errors)?;
            let reasons: Vec<&str> = errors.iter().map(|error| error.message.as_str()).collect();
            let letters = bound.sender.letters_of(schema, &rows, positions, &reasons, epoch)?;
            self.send(vec![(port, letters)]).await?;
        }
        Ok(errors.len())
    }

    /// The rows that are in error, and where each was in its source; of timers their keys alone, and when they were to fire.
    fn rejected(&self, unit: &Unit, errors: &[RowError]) -> Result<(RecordBatch, Vec<String>)> {
        let wanted: Vec<usize> = errors.iter().map(|error| error.row).collect();
        match unit.only(&wanted)?.work {
            Work::Rows { rows, places, .. } => {
                let position = |place: &u64| {
                    let origin = self.origins.get((place >> 32) as usize);
                    origin
                        .map(|origin| origin.position(*place as u32 as usize).to_string())
                        .unwrap_or_default()
                };
                Ok((rows, places.values().iter().map(position).collect()))
            }
            Work::Timers { clock, keys, timers } => {
                let of = match clock {
                    TimerClock::EventTime => "event time",
                    TimerClock::ProcessingTime => "processing time",
                };
                let of_timers = timers.iter().filter_map(|(key, _)| keys.get(*key as usize).cloned());
                let rows = self.bound.by.rows_of_keys(&self.readable(&of_timers.collect::<Vec<_>>())?)?;
                let position = |(_, at): &Timer| format!("a timer of {of} at {}", engine::Timestamp(*at));
                Ok((rows, timers.iter().map(position).collect()))
            }
        }
    }

    /// Bounds how long a bad key is searched for.
    fn search(&self, searching: Duration, fault: &Fault) -> Result<()> {
        let most = self.bound.settings.limits.search;
        if searching <= most {
            return Ok(());
        }
        let why = format!("gave up finding the keys it fails on after {most:?} of failing calls: {fault}");
        Err(self.bound.blame(format!("epoch {}", self.cx.epoch), why))
    }

    /// Stops a plugin that fails on too many rows.
    fn judge(&self, rows: usize, rejected: usize) -> Result<()> {
        if !policy::too_many(rows, rejected, self.bound.settings.max_error_rate) {
            return Ok(());
        }
        let why = format!("{rejected} of {rows} rows are in error, more than max-error-rate allows");
        Err(self.bound.blame(format!("epoch {}", self.cx.epoch), why))
    }

    fn stop(&self, unit: &Unit, stop: Stop, fault: &Fault) -> Error {
        let kind = match stop {
            Stop::Invalid => Kind::Invalid,
            Stop::Plugin => Kind::Plugin,
            Stop::Data => Kind::Data,
            Stop::Unavailable => Kind::Unavailable,
        };
        let at = format!("epoch {}, {}", self.cx.epoch, self.place(unit));
        Error::new(kind, format!("{}: {fault}", self.bound.at(at)))
    }

    /// The key of a row of a unit, or of a timer, in words: `key (14)`.
    fn key_of(&self, unit: &Unit, row: usize) -> String {
        let key = match &unit.work {
            Work::Rows { groups, .. } => {
                let first = groups.first().map_or(0, |group| group.rows.start);
                let of = |group: &&Group| group.rows.contains(&(first + row));
                groups.iter().find(of).map(|group| group.key.clone())
            }
            Work::Timers { keys, timers, .. } => {
                timers.get(row).and_then(|(key, _)| keys.get(*key as usize)).cloned()
            }
        };
        let shown = key.and_then(|key| self.readable(&[key]).ok()).map(|key| shown(&key)).unwrap_or_default();
        format!("key ({shown})")
    }

    /// All keys of a unit in words: `key (14) and 29 others`.
    fn place(&self, unit: &Unit) -> String {
        let first = self.key_of(unit, 0);
        match unit.keys() {
            0 | 1 => first,
            keys => format!("{first} and {} others", keys - 1),
        }
    }
}

/// The columns of the first row.
fn shown(keys: &RecordBatch) -> String {
    let options = FormatOptions::default().with_null("NULL");
    let column = |column| ArrayFormatter::try_new(column, &options).map(|shown| shown.value(0).to_string());
    let values = keys.columns().iter().map(|of| column(of.as_ref()).unwrap_or_default());
    crate::text::shown(&values.collect::<Vec<_>>().join(", "), crate::text::NAME)
}

fn timer(timer: &Timer) -> abi::state::Timer {
    abi::state::Timer { key: timer.0, at: timer.1 }
}

/// What the guest's randomness in a call follows from: the epoch, and the first key. So a replay sees the same.
fn seed_of(cx: &EpochContext, first: u64) -> u64 {
    mixed(hashed(first, &cx.query.0) ^ mixed(cx.epoch.0))
}
