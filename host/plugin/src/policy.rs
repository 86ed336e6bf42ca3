//! What to do after a call that went wrong, as pure decisions.

use crate::{
    bind::{OnError, Retry},
    fault::Fault,
};
use engine::Batch;
use std::time::Duration;

/// Rows that a batch has to have before its error rate means anything.
const ENOUGH_ROWS: usize = 100;

/// Rows that still have to go through the guest.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    pub(crate) batch: Batch,
    /// How often these rows were tried and are to be tried again, not counting bisection.
    pub(crate) tries: u32,
    /// To wait before this try.
    pub(crate) wait: Duration,
}

/// What follows from a failed call.
#[derive(Debug, PartialEq)]
pub(crate) enum Course {
    /// Wait, and try the same rows again.
    Again(Duration),
    /// Try each half on its own.
    Halve,
    /// It is this one row.
    Reject,
    /// End the query: nothing that concerns single rows.
    Stop(Stop),
}

/// Who has to act when the query ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The pipeline's author.
    Invalid,
    /// The plugin's author.
    Plugin,
    /// Who runs the query: there is too much.
    Data,
    /// Nobody: it may pass later.
    Unavailable,
}

impl Piece {
    pub(crate) fn new(batch: Batch) -> Self {
        Piece { batch, tries: 0, wait: Duration::ZERO }
    }

    /// The first half, and the other; of at least two rows.
    pub(crate) fn halves(self) -> [Piece; 2] {
        let (rows, half) = (self.batch.len(), self.batch.len() / 2);
        let cut = |from, length| Piece {
            batch: cut(&self.batch, from, length),
            tries: self.tries,
            wait: Duration::ZERO,
        };
        [cut(0, half), cut(half, rows - half)]
    }

    /// The same rows, tried once more.
    pub(crate) fn again(self, wait: Duration) -> Self {
        Piece { tries: self.tries + 1, wait, ..self }
    }
}

/// `length` rows from row `from` on, without a copy.
pub(crate) fn cut(batch: &Batch, from: usize, length: usize) -> Batch {
    Batch { rows: batch.rows.slice(from, length), origin: batch.origin.slice(from, length) }
}

/// What follows from `fault` on `rows` rows that were tried `tries` times before.
pub(crate) fn course(fault: &Fault, rows: usize, tries: u32, on_error: OnError, retry: &Retry) -> Course {
    match (fault, on_error) {
        (Fault::Invalid(_), _) => Course::Stop(Stop::Invalid),
        (Fault::Transient(_), _) => retry.wait(tries).map_or(Course::Stop(Stop::Unavailable), Course::Again),
        (Fault::Full(_), OnError::Fail) => Course::Stop(Stop::Data),
        (_, OnError::Fail) => Course::Stop(Stop::Plugin),
        _ if rows > 1 => Course::Halve,
        _ => Course::Reject,
    }
}

/// Whether so many rejected rows of a batch are too many. Each batch is judged by itself: a plugin that turned bad is not
/// covered by its past, and a replay, which sees the same batches, comes to the same verdict in whatever order lanes
/// finish them.
pub(crate) fn too_many(rows: usize, rejected: usize, max_error_rate: Option<f64>) -> bool {
    max_error_rate.is_some_and(|most| rows >= ENOUGH_ROWS && rejected as f64 > most * rows as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn retry() -> Retry {
        Retry { attempts: 1, ..Retry::default() }
    }

    #[test]
    fn a_crash_is_halved_down_to_the_row() {
        let trap = Fault::Trap("unreachable".into());
        assert_eq!(course(&trap, 2, 0, OnError::Skip, &retry()), Course::Halve);
        assert_eq!(course(&trap, 1, 0, OnError::DeadLetter, &retry()), Course::Reject);
        assert_eq!(course(&trap, 2, 0, OnError::Fail, &retry()), Course::Stop(Stop::Plugin));
    }

    #[test]
    fn a_transient_failure_is_tried_again_and_never_blamed_on_a_row() {
        let busy = Fault::Transient("busy".into());
        assert_eq!(course(&busy, 9, 0, OnError::Skip, &retry()), Course::Again(retry().first));
        assert_eq!(course(&busy, 1, 1, OnError::Skip, &retry()), Course::Stop(Stop::Unavailable));
    }

    #[test]
    fn a_rate_counts_from_a_hundred_rows_on() {
        assert!(!too_many(99, 99, Some(0.1)));
        assert!(!too_many(100, 10, Some(0.1)));
        assert!(too_many(100, 11, Some(0.1)));
        assert!(!too_many(100, 100, None));
    }
}
