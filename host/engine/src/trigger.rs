use crate::{Reach, Timestamp};
use std::time::Duration;

/// When an epoch starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Trigger {
    /// As soon as there is data.
    #[default]
    Asap,
    /// At multiples of the interval since the Unix epoch; an epoch that took longer starts the next at once.
    ProcessingTime(Duration),
    /// As many epochs as it takes to read what is there at the start.
    AvailableNow,
    /// One epoch over all that is there at the start, whatever the sources' limits say.
    Once,
    /// Batches reach the sinks as they arrive; an epoch is closed and recorded at this interval. At least once.
    Continuous(Duration),
}

impl Trigger {
    /// How far the sources may read.
    pub fn reach(self) -> Reach {
        match self {
            Trigger::AvailableNow => Reach::AvailableNow,
            Trigger::Once => Reach::Once,
            Trigger::Asap | Trigger::ProcessingTime(_) | Trigger::Continuous(_) => Reach::Endless,
        }
    }

    /// Whether the query ends by itself once its sources have nothing more.
    pub fn ends(self) -> bool {
        self.reach() != Reach::Endless
    }
}

/// How long to wait for the next tick of an interval, when the last epoch started at `started`: none if a tick has
/// passed since then.
pub(crate) fn until_tick(interval: Duration, started: Option<Timestamp>, now: Timestamp) -> Duration {
    let step = (interval.as_micros() as i64).max(1);
    let tick = now.0.div_euclid(step) * step;
    match started {
        // The first epoch of a query does not wait.
        None => Duration::ZERO,
        Some(s) if s.0 < tick => Duration::ZERO,
        Some(_) => Duration::from_micros((tick + step - now.0) as u64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_aligned_and_a_late_epoch_starts_the_next_at_once() {
        let ten = Duration::from_secs(10);
        let at = |s: i64| Timestamp(s * 1_000_000);
        assert_eq!(until_tick(ten, None, at(13)), Duration::ZERO);
        assert_eq!(until_tick(ten, Some(at(13)), at(14)), Duration::from_secs(6));
        assert_eq!(until_tick(ten, Some(at(13)), at(21)), Duration::ZERO);
        assert_eq!(until_tick(ten, Some(at(20)), at(20)), ten);
    }
}
