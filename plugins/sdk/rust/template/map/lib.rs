//! Adds a column: the value as a share of a whole.

use streamhost::prelude::*;

/// What the pipeline may set.
#[streamhost::config]
pub struct Config {
    /// What a share of 1 is.
    #[serde(default = "hundred")]
    whole: f64,
}

fn hundred() -> f64 {
    100.0
}

/// The columns that the plugin reads.
#[derive(Row)]
pub struct Event {
    value: f64,
}

/// The columns that it adds.
#[derive(Row)]
pub struct Added {
    share: f64,
}

/// The added columns of a row.
#[streamhost::map]
pub fn share(event: Event, config: &Config) -> Result<Added> {
    if event.value < 0.0 {
        return Err(Error::permanent(format!("a share of {} makes no sense", event.value)));
    }
    Ok(Added { share: event.value / config.whole })
}

#[test]
fn the_cases_pass() {
    streamhost::testing::cases::<share>(env!("CARGO_MANIFEST_DIR"));
}
