use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// Takes the time of a call. It stands still while a guest waits for what the host is slow to give or to take.
#[derive(Default)]
pub(crate) struct Stopwatch(Mutex<Time>);

#[derive(Default)]
struct Time {
    /// Since the limits were armed last, up to `since`.
    worked: Duration,
    since: Duration,
    waiting: bool,
    /// What it stood still in all of the call.
    waited: Duration,
}

impl Stopwatch {
    /// A call begins at `now` of the monotonic clock.
    pub(crate) fn start(&self, now: Duration) {
        *self.time() = Time { since: now, ..Time::default() };
    }

    /// The guest has its whole time again.
    pub(crate) fn rearm(&self) {
        self.time().worked = Duration::ZERO;
    }

    /// The guest waits from now on.
    pub(crate) fn pause(&self, now: Duration) {
        self.time().pass(now, true);
    }

    /// The guest goes on. Answers how long it has waited.
    pub(crate) fn resume(&self, now: Duration) -> Duration {
        self.time().pass(now, false)
    }

    /// What is left of `whole`, if it goes on now.
    pub(crate) fn left(&self, whole: Duration, now: Duration) -> Duration {
        let time = self.time();
        let working = if time.waiting { Duration::ZERO } else { now.saturating_sub(time.since) };
        whole.saturating_sub(time.worked + working)
    }

    /// How long the call has waited.
    pub(crate) fn waited(&self) -> Duration {
        self.time().waited
    }

    fn time(&self) -> MutexGuard<'_, Time> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Time {
    /// Counts the time since the last change to what went on in it, and changes to waiting or working. Answers that time.
    fn pass(&mut self, now: Duration, waiting: bool) -> Duration {
        let passed = now.saturating_sub(self.since);
        match self.waiting {
            true => self.waited += passed,
            false => self.worked += passed,
        }
        (self.since, self.waiting) = (now, waiting);
        passed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn waiting_takes_no_time() {
        let watch = Stopwatch::default();
        let left = |now| watch.left(seconds(10), seconds(now)).as_secs();
        watch.start(seconds(100));
        assert_eq!(left(103), 7);
        watch.pause(seconds(104));
        assert_eq!(left(160), 6);
        watch.resume(seconds(160));
        assert_eq!(left(161), 5);
        watch.pause(seconds(161));
        watch.rearm();
        watch.resume(seconds(171));
        assert_eq!((left(171), left(181), left(182)), (10, 0, 0));
        assert_eq!(watch.waited(), seconds(66));
    }
}
