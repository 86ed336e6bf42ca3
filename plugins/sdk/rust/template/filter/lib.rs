//! Keeps the rows whose value is above a threshold.

use streamhost::prelude::*;

/// What the pipeline may set.
#[streamhost::config]
pub struct Config {
    /// Values up to this one are dropped.
    #[serde(default = "ten")]
    threshold: f64,
}

fn ten() -> f64 {
    10.0
}

/// The columns that the plugin reads.
#[derive(Row)]
pub struct Event {
    value: Option<f64>,
}

/// Whether a row is kept.
#[streamhost::filter]
pub fn keep(event: Event, config: &Config) -> bool {
    event.value.is_some_and(|value| value > config.threshold)
}

#[test]
fn the_cases_pass() {
    streamhost::testing::cases::<keep>(env!("CARGO_MANIFEST_DIR"));
}
