//! Numbers beside the host's own, under the plugin's name. In a native test they go nowhere.

use crate::bindings::streamhost::plugin::metrics;

/// Adds to a number that only rises, such as `words_total`.
pub fn counter(name: &str, add: u64) {
    if cfg!(target_family = "wasm") {
        metrics::counter(name, add);
    }
}

/// Sets a number that rises and falls.
pub fn gauge(name: &str, value: f64) {
    if cfg!(target_family = "wasm") {
        metrics::gauge(name, value);
    }
}
