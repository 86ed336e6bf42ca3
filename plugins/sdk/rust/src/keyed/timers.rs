//! Timers of the keys of one call.

use crate::row::Timestamp;
use crate::{Context, Error, Result};

use super::{Clock, State, Timer};

/// The timers of one key, on two clocks: event time is the watermark, processing time the epoch's time.
///
/// A key may have any number of them; the same one twice is one. A timer fires once, after the rows of the first epoch in which its
/// clock has reached it, and is gone then.
pub struct Timers {
    event_time: OfClock,
    processing_time: OfClock,
    key: u32,
    /// Keys whose timers were changed before in this call.
    seen: Vec<bool>,
}

#[derive(Default)]
struct OfClock {
    /// What the clock has reached.
    reached: Option<i64>,
    /// Of the key that is being worked on: set, cleared, and whether all from before are cleared.
    set: Vec<i64>,
    cleared: Vec<i64>,
    all: bool,
    /// Of all keys. The host is told to clear first.
    sets: Vec<Timer>,
    clears: Vec<Timer>,
    alls: Vec<u32>,
}

impl Timers {
    /// Sets a timer.
    ///
    /// # Errors
    /// If the clock has reached it already: see [`Timers::earliest`].
    pub fn set(&mut self, clock: Clock, at: Timestamp) -> Result<()> {
        let of = self.of(clock);
        if let Some(reached) = of.reached.filter(|reached| at.0 <= *reached) {
            let (what, reached) = (name(clock), Timestamp(reached));
            return Err(Error::permanent(format_args!("a timer at {at} is not after the {what}, {reached}")));
        }
        of.set.push(at.0);
        Ok(())
    }

    /// Sets a timer in the place of all that the key has on this clock.
    ///
    /// # Errors
    /// As for [`Timers::set`].
    pub fn replace(&mut self, clock: Clock, at: Timestamp) -> Result<()> {
        self.clear_all(clock);
        self.set(clock, at)
    }

    /// Takes a timer back; nothing, if it is not set.
    pub fn clear(&mut self, clock: Clock, at: Timestamp) {
        let of = self.of(clock);
        of.set.retain(|set| *set != at.0);
        of.cleared.push(at.0);
    }

    /// Takes all timers back that the key has on this clock.
    pub fn clear_all(&mut self, clock: Clock) {
        let of = self.of(clock);
        of.set.clear();
        of.cleared.clear();
        of.all = true;
    }

    /// The earliest that a timer can be set to: just after what the clock has reached.
    pub fn earliest(&mut self, clock: Clock) -> Timestamp {
        Timestamp(self.of(clock).reached.map_or(i64::MIN, |reached| reached.saturating_add(1)))
    }

    #[doc(hidden)]
    pub fn new(cx: &Context) -> Self {
        Self {
            event_time: OfClock { reached: cx.watermark, ..OfClock::default() },
            processing_time: OfClock { reached: Some(cx.now), ..OfClock::default() },
            key: 0,
            seen: Vec::new(),
        }
    }

    /// Begins with a key. What was not kept of the one before is as it was.
    #[doc(hidden)]
    #[inline]
    pub fn begin(&mut self, key: usize) {
        self.key = key as u32;
        for of in [&mut self.event_time, &mut self.processing_time] {
            of.set.clear();
            of.cleared.clear();
            of.all = false;
        }
    }

    /// Keeps what was done for the key.
    #[doc(hidden)]
    #[inline]
    pub fn keep(&mut self) {
        let (key, mut changed) = (self.key, false);
        let seen = self.seen.get(key as usize).is_some_and(|seen| *seen);
        for of in [&mut self.event_time, &mut self.processing_time] {
            changed |= of.keep(key, seen);
        }
        if changed {
            let count = self.seen.len().max(key as usize + 1);
            self.seen.resize(count, false);
            self.seen.iter_mut().skip(key as usize).take(1).for_each(|seen| *seen = true);
        }
    }

    /// Tells the host, at most three times a clock.
    ///
    /// # Errors
    /// If the host refuses a timer.
    #[doc(hidden)]
    pub fn write(self, state: &State<'_>) -> Result<()> {
        self.event_time.write(Clock::EventTime, state)?;
        self.processing_time.write(Clock::ProcessingTime, state)
    }

    fn of(&mut self, clock: Clock) -> &mut OfClock {
        match clock {
            Clock::EventTime => &mut self.event_time,
            Clock::ProcessingTime => &mut self.processing_time,
        }
    }
}

impl OfClock {
    /// Adds what was done for a key to what was done for others; true if that is anything. What came of the same key before in this
    /// call gives way to it.
    fn keep(&mut self, key: u32, seen: bool) -> bool {
        if seen && self.all {
            self.sets.retain(|timer| timer.key != key);
        } else if seen && !self.cleared.is_empty() {
            let cleared = &self.cleared;
            self.sets.retain(|timer| timer.key != key || !cleared.contains(&timer.at));
        }
        let changed = self.all || !self.set.is_empty() || !self.cleared.is_empty();
        self.alls.extend(self.all.then_some(key));
        self.clears.extend(self.cleared.iter().map(|at| Timer { key, at: *at }));
        self.sets.extend(self.set.iter().map(|at| Timer { key, at: *at }));
        changed
    }

    fn write(self, clock: Clock, state: &State<'_>) -> Result<()> {
        state.clear_all_timers(clock, &self.alls)?;
        state.clear_timers(clock, &self.clears)?;
        state.set_timers(clock, &self.sets)
    }
}

fn name(clock: Clock) -> &'static str {
    match clock {
        Clock::EventTime => "watermark",
        Clock::ProcessingTime => "epoch's time",
    }
}
