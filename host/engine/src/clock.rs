use async_trait::async_trait;
use std::{
    fmt,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use tokio::sync::watch;

/// Microseconds since the Unix epoch, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl fmt::Display for Timestamp {
    /// ISO 8601 with milliseconds, as Spark's progress has it: `2025-01-01T00:00:00.000Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(t) => write!(f, "{}", t.strftime("%Y-%m-%dT%H:%M:%S.%3fZ")),
            Err(_) => write!(f, "{} µs", self.0),
        }
    }
}

/// The only clock of the engine and of everything behind its seams; a test injects one that it moves by hand.
#[async_trait]
pub trait Clock: Send + Sync {
    /// Wall-clock time.
    fn now(&self) -> Timestamp;
    /// Time since some fixed point; never goes back. For durations.
    fn monotonic(&self) -> Duration;
    /// Returns once `duration` has passed on this clock. Dropping it cancels the wait.
    async fn sleep(&self, duration: Duration);
}

/// The machine's clock.
#[derive(Debug)]
pub struct SystemClock(Instant);

impl SystemClock {
    /// A clock whose monotonic time starts now.
    #[allow(clippy::disallowed_methods, reason = "this is the injected clock itself")]
    pub fn new() -> Self {
        SystemClock(Instant::now())
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods, reason = "this is the injected clock itself")]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }

    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

/// A clock that stands still until a test moves it.
#[derive(Debug)]
pub struct ManualClock(watch::Sender<i64>);

impl ManualClock {
    /// Starts at `at`.
    pub fn new(at: Timestamp) -> Self {
        ManualClock(watch::Sender::new(at.0))
    }

    /// Moves the clock forward and wakes those who slept until then.
    pub fn advance(&self, by: Duration) {
        self.0.send_modify(|now| *now += by.as_micros() as i64);
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(*self.0.borrow())
    }

    fn monotonic(&self) -> Duration {
        Duration::from_micros((*self.0.borrow()).max(0) as u64)
    }

    async fn sleep(&self, duration: Duration) {
        let mut now = self.0.subscribe();
        let until = *now.borrow() + duration.as_micros() as i64;
        // The sender lives as long as `self`, so waiting cannot fail while we are borrowed.
        let _ = now.wait_for(|t| *t >= until).await;
    }
}
