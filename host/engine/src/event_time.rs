//! Watermarks: how far event time has come.
//!
//! # Invariants
//!
//! - A watermark only rises. It is computed after an epoch, from what the epoch saw, and used from the next one on.
//! - An epoch runs with two values, both in `offsets/n`: rows are **late** by the watermark of the epoch before, state is
//!   **evicted** by its own.
//! - Both tests are `value <= watermark`; the value of a window is its end.
//! - Milliseconds, as in Spark: event times are rounded down to them before the delay is taken off.

use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

/// Milliseconds of event time since the Unix epoch, below which no more rows are expected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Watermark(pub i64);

impl Watermark {
    /// Whether a time, in microseconds, is not above it.
    pub fn covers(self, micros: i64) -> bool {
        micros <= self.micros()
    }

    /// It in microseconds.
    pub fn micros(self) -> i64 {
        self.0.saturating_mul(1000)
    }
}

/// A length of time, in microseconds, as people write it: in the largest unit of which it is a whole number.
pub(crate) fn span(micros: i64) -> String {
    const UNITS: [(i64, &str); 5] = [
        (86_400_000_000, "day"),
        (3_600_000_000, "hour"),
        (60_000_000, "minute"),
        (1_000_000, "second"),
        (1_000, "ms"),
    ];
    let unit = UNITS.iter().find(|(length, _)| micros != 0 && micros % length == 0);
    match unit {
        Some((length, "ms")) => format!("{} ms", micros / length),
        Some((length, unit)) if micros.abs() == *length => format!("{} {unit}", micros / length),
        Some((length, unit)) => format!("{} {unit}s", micros / length),
        None => format!("{micros} µs"),
    }
}

/// The two values that an epoch runs with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InForce {
    /// Rows that it covers are dropped on their way into state.
    pub late: Watermark,
    /// State that it covers is final: it is emitted, and leaves.
    pub eviction: Watermark,
}

/// How several watermarks become one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// The slowest one counts.
    #[default]
    Min,
    /// The fastest one counts.
    Max,
}

/// Every watermark of a query, and the one they make together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watermarks {
    /// Step name → its own watermark. One that saw nothing yet is 0.
    pub own: BTreeMap<String, Watermark>,
    /// Of all of them.
    pub global: Watermark,
}

impl Watermarks {
    /// Takes in what an epoch saw. `seen` has each watermark of the query, with its candidate if it saw a row, and whether
    /// it counts; one that does not is left out of the minimum.
    pub fn advance(&mut self, policy: Policy, seen: impl IntoIterator<Item = Seen>) {
        let mut counting = Vec::new();
        for Seen { name, candidate, idle } in seen {
            let own = self.own.entry(name).or_default();
            *own = candidate.map_or(*own, |candidate| candidate.max(*own));
            if !idle {
                counting.push(*own);
            }
        }
        let global = match policy {
            Policy::Min => counting.into_iter().min(),
            Policy::Max => counting.into_iter().max(),
        };
        self.global = self.global.max(global.unwrap_or_default());
    }
}

/// What one watermark saw in an epoch.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The step's name.
    pub name: String,
    /// The largest event time less the delay; none if no row had a time.
    pub candidate: Option<Watermark>,
    /// Whether its source has been without rows for so long that nobody waits for it.
    pub idle: bool,
}

/// The event times of one epoch, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// Rows with a time.
    pub count: u64,
    /// The earliest.
    pub min: i64,
    /// The latest.
    pub max: i64,
    /// Their sum.
    pub sum: i128,
}

impl Times {
    /// The times of two sets of rows.
    pub fn and(self, other: Times) -> Times {
        Times {
            count: self.count + other.count,
            min: self.min.min(other.min),
            max: self.max.max(other.max),
            sum: self.sum + other.sum,
        }
    }

    /// Their mean.
    pub fn mean(&self) -> i64 {
        i64::try_from(self.sum / i128::from(self.count.max(1))).unwrap_or(i64::MAX)
    }
}

/// Collects the event times of an epoch from all partitions.
#[derive(Debug, Default)]
pub struct TimesSeen(Mutex<Option<Times>>);

impl TimesSeen {
    /// Adds some.
    pub fn add(&self, times: Times) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *all = Some(all.map_or(times, |seen| seen.and(times)));
    }

    /// Everything since the last call.
    pub fn take(&self) -> Option<Times> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(name: &str, candidate: Option<i64>) -> Seen {
        Seen { name: name.into(), candidate: candidate.map(Watermark), idle: false }
    }

    #[test]
    fn a_watermark_only_rises_and_one_that_saw_nothing_holds_the_minimum_at_zero() {
        let mut all = Watermarks::default();
        all.advance(Policy::Min, [seen("a", Some(10)), seen("b", None)]);
        assert_eq!(all.global, Watermark(0));
        all.advance(Policy::Min, [seen("a", Some(4)), seen("b", Some(7))]);
        assert_eq!((all.global, all.own["a"]), (Watermark(7), Watermark(10)));
        all.advance(Policy::Min, [seen("a", None), seen("b", Some(-5))]);
        assert_eq!(all.global, Watermark(7));
    }

    #[test]
    fn an_idle_one_is_left_out_of_the_minimum_and_the_maximum_takes_the_fastest() {
        let mut all = Watermarks::default();
        let idle = Seen { idle: true, ..seen("b", None) };
        all.advance(Policy::Min, [seen("a", Some(10)), idle]);
        assert_eq!(all.global, Watermark(10));
        all.advance(Policy::Max, [seen("a", None), seen("b", Some(30))]);
        assert_eq!(all.global, Watermark(30));
    }

    #[test]
    fn a_length_of_time_is_written_in_its_largest_whole_unit() {
        let texts = [300_000_000, 60_000_000, 5_400_000_000, 1_500_000, 7, 0].map(span);
        assert_eq!(texts, ["5 minutes", "1 minute", "90 minutes", "1500 ms", "7 µs", "0 µs"]);
    }

    #[test]
    fn a_value_equal_to_the_watermark_is_covered() {
        assert!(Watermark(5).covers(5_000) && !Watermark(5).covers(5_001));
    }
}
