use crate::ticker::TICK;
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// Takes the time of a call. It stands still while a guest waits for what the host is slow to give or to take, and while it
/// waits for servers that answer requests of its own.
#[derive(Default)]
pub(crate) struct Stopwatch(Mutex<Time>);

#[derive(Default)]
struct Time {
    /// Since the limits were armed last, up to `since`.
    worked: Duration,
    since: Duration,
    /// The host has paused it.
    waiting: bool,
    /// The guest was asleep at `since`, for whatever reason, and there were requests under way.
    asleep: bool,
    /// What it stood still in all of the call.
    waited: Duration,
    /// What of that was for servers, since the limits were armed last.
    served: Duration,
    /// The guest slept for so long at once that a tick went by.
    missed_tick: bool,
    requests: u32,
    /// When the last of the requests that are under way is given up.
    given_up: Duration,
}

/// A request that is under way: until this is dropped, the guest waits for a server when it sleeps.
pub(crate) struct Away(Arc<Stopwatch>);

impl Stopwatch {
    /// A call begins at `now` of the monotonic clock. Requests of an earlier one may still be under way.
    pub(crate) fn start(&self, now: Duration) {
        let mut time = self.time();
        let Time { requests, given_up, .. } = *time;
        *time = Time { since: now, requests, given_up, ..Time::default() };
    }

    /// The guest has its whole time again.
    pub(crate) fn rearm(&self) {
        let mut time = self.time();
        (time.worked, time.served) = (Duration::ZERO, Duration::ZERO);
    }

    /// The guest waits from now on.
    pub(crate) fn pause(&self, now: Duration) {
        let mut time = self.time();
        time.pass(now);
        time.waiting = true;
    }

    /// The guest goes on. Answers how long it has waited.
    pub(crate) fn resume(&self, now: Duration) -> Duration {
        let mut time = self.time();
        let passed = time.pass(now);
        time.waiting = false;
        passed
    }

    /// A request is sent, which is given up at `until` of the monotonic clock.
    #[cfg_attr(not(feature = "http"), allow(dead_code, reason = "without HTTP there are no requests"))]
    pub(crate) fn away(self: &Arc<Self>, until: Duration) -> Away {
        let mut time = self.time();
        time.given_up = if time.requests == 0 { until } else { time.given_up.max(until) };
        time.requests += 1;
        Away(self.clone())
    }

    /// How long the guest has waited for servers since the limits were armed last.
    #[cfg_attr(not(feature = "http"), allow(dead_code, reason = "without HTTP there are no requests"))]
    pub(crate) fn served(&self) -> Duration {
        self.time().served
    }

    /// The guest has nothing to do at `now`: if requests are under way, it waits for them.
    pub(crate) fn sleeps(&self, now: Duration) {
        let mut time = self.time();
        if time.requests > 0 {
            time.pass(now);
            time.asleep = true;
        }
    }

    /// The guest has something to do again.
    pub(crate) fn wakes(&self, now: Duration) {
        let mut time = self.time();
        if time.asleep {
            let passed = time.pass(now);
            time.missed_tick |= passed >= TICK;
            time.asleep = false;
        }
    }

    /// Whether a tick went by while the guest slept, since this was last asked.
    pub(crate) fn missed_tick(&self) -> bool {
        std::mem::take(&mut self.time().missed_tick)
    }

    /// What is left of `whole`, if it goes on now.
    pub(crate) fn left(&self, whole: Duration, now: Duration) -> Duration {
        let time = self.time();
        whole.saturating_sub(time.worked + time.working(now))
    }

    /// How long the call has waited.
    pub(crate) fn waited(&self) -> Duration {
        self.time().waited
    }

    fn time(&self) -> MutexGuard<'_, Time> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Away {
    fn drop(&mut self) {
        let mut time = self.0.time();
        time.requests = time.requests.saturating_sub(1);
    }
}

impl Time {
    /// What of the time from `since` to `now` is the guest's own. A guest that sleeps on after its requests were given up waits
    /// for something else.
    fn working(&self, now: Duration) -> Duration {
        match (self.waiting, self.asleep) {
            (true, _) => Duration::ZERO,
            (false, true) => now.saturating_sub(self.since.max(self.given_up)),
            (false, false) => now.saturating_sub(self.since),
        }
    }

    /// Counts the time since the last change to what went on in it. Answers that time.
    fn pass(&mut self, now: Duration) -> Duration {
        let passed = now.saturating_sub(self.since);
        let working = self.working(now);
        self.worked += working;
        self.waited += passed - working;
        if !self.waiting {
            self.served += passed - working;
        }
        self.since = now;
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

    #[test]
    fn sleeping_takes_no_time_while_a_request_is_under_way_and_not_given_up() {
        let watch = Arc::new(Stopwatch::default());
        let left = |now| watch.left(seconds(10), seconds(now)).as_secs();
        watch.start(seconds(100));
        watch.sleeps(seconds(101));
        assert_eq!(left(103), 7, "without a request it sleeps in its own time");
        watch.wakes(seconds(103));
        assert!(!watch.missed_tick());
        let away = watch.away(seconds(108));
        watch.sleeps(seconds(104));
        assert_eq!((left(106), left(108), left(109)), (6, 6, 5));
        watch.wakes(seconds(109));
        assert!(watch.missed_tick() && !watch.missed_tick());
        assert_eq!((watch.served(), watch.waited()), (seconds(4), seconds(4)));
        drop(away);
        watch.sleeps(seconds(110));
        assert_eq!(left(112), 2);
    }
}
