//! How the table looks, and what is compared in it.

use std::time::Duration;

/// Prints what stands over the columns.
pub(crate) fn head() {
    println!("| what | measured | target | |\n| --- | --- | --- | --- |");
}

/// Prints one row.
pub(crate) fn row(what: &str, measured: &str, target: &str, met: bool) {
    println!("| {what} | {measured} | {target} | {} |", if met { "met" } else { "missed" });
}

/// The time in the middle.
pub(crate) fn median(times: impl IntoIterator<Item = Duration>) -> Duration {
    let mut times: Vec<Duration> = times.into_iter().collect();
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// How often `beside` fits into `time`.
pub(crate) fn ratio(time: Duration, beside: Duration) -> f64 {
    time.as_secs_f64() / beside.as_secs_f64()
}

/// In microseconds.
pub(crate) fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// In megabytes, 10⁶ bytes each.
pub(crate) fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
