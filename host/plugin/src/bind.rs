use crate::{http::HttpGrant, limits::Limits};
use arrow::datatypes::SchemaRef;
use std::time::Duration;

/// What a plugin is bound to.
#[derive(Clone, Debug)]
pub struct BindSettings {
    /// The step's name, for messages.
    pub step: String,
    /// The configuration as JSON text, as the plugin's schema has it.
    pub config: String,
    /// The columns that come in.
    pub input: SchemaRef,
    /// What becomes of rows that the plugin cannot process.
    pub on_error: OnError,
    /// What is tried again first.
    pub retry: Retry,
    /// The query stops when more than this share of the rows of one batch, if it has at least 100, was in error.
    pub max_error_rate: Option<f64>,
    /// What one instance may use.
    pub limits: Limits,
    /// Where it may send requests, if it asks for that.
    pub http: HttpGrant,
}

impl BindSettings {
    /// An empty configuration, the default limits, no requests, and an end to the query at the first row in error.
    pub fn new(step: impl Into<String>, input: SchemaRef) -> Self {
        BindSettings {
            step: step.into(),
            config: "{}".into(),
            input,
            on_error: OnError::default(),
            retry: Retry::default(),
            max_error_rate: None,
            limits: Limits::default(),
            http: HttpGrant::default(),
        }
    }

    /// What becomes of rows that the plugin cannot process, for people.
    pub(crate) fn failures(&self) -> String {
        let row = match self.on_error {
            OnError::Fail => "a row in error ends the query",
            OnError::Skip => "rows in error are left out",
            OnError::DeadLetter => "rows in error are dead letters",
        };
        let rate =
            self.max_error_rate.map(|rate| format!("more than {} % of a batch end the query", rate * 100.0));
        let Retry { attempts, first, longest } = self.retry;
        let retry = (attempts > 0).then(|| {
            format!("what may pass later is tried {attempts} times more, after {first:?} to {longest:?}")
        });
        [Some(row.to_owned()), rate, retry].into_iter().flatten().collect::<Vec<_>>().join("; ")
    }
}

/// What becomes of a row that a plugin reported, or that crashed it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnError {
    /// The query ends.
    #[default]
    Fail,
    /// The row is dropped and counted.
    Skip,
    /// The row leaves by the side output `dead-letter`.
    DeadLetter,
}

/// How often something is tried again that the plugin said may pass later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// Tries after the first one.
    pub attempts: u32,
    /// The wait before the first of them; it doubles from then on.
    pub first: Duration,
    /// The longest wait.
    pub longest: Duration,
}

impl Default for Retry {
    /// No further try.
    fn default() -> Self {
        Retry { attempts: 0, first: Duration::from_millis(100), longest: Duration::from_secs(5) }
    }
}

impl Retry {
    /// How long to wait before try `n`, the first further try being 0; none if there is none.
    pub(crate) fn wait(&self, n: u32) -> Option<Duration> {
        (n < self.attempts).then(|| self.first.saturating_mul(2u32.saturating_pow(n)).min(self.longest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_doubles_up_to_the_longest() {
        let retry = Retry { attempts: 4, first: Duration::from_secs(1), longest: Duration::from_secs(3) };
        let waits: Vec<_> = (0..5).map(|n| retry.wait(n).map(|w| w.as_secs())).collect();
        assert_eq!(waits, [Some(1), Some(2), Some(3), Some(3), None]);
    }
}
