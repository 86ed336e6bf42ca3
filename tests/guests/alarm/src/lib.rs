//! Tells of a key once the watermark has reached its last row's time and a minute. Of a key that begins with `bad` it cannot tell.

use std::time::Duration;
use streamhost::prelude::*;

/// The key.
#[derive(Row)]
pub struct Of {
    k: String,
}

/// A row.
#[derive(Row)]
pub struct Seen {
    at: Timestamp,
}

/// What is kept, and what leaves.
#[derive(Row, Clone)]
pub struct Count {
    n: i64,
}

/// Counts the rows of a key, and sets its timer.
///
/// # Errors
/// If the watermark has reached the timer's time.
#[streamhost::keyed(expired = ring)]
pub fn alarm(
    _of: Of,
    rows: Group<Seen>,
    count: &mut Option<Count>,
    timers: &mut Timers,
) -> Result<Option<Count>> {
    let mut n = count.as_ref().map_or(0, |count| count.n);
    for Seen { at } in rows {
        n += 1;
        timers.replace(Clock::EventTime, at + Duration::from_secs(60))?;
    }
    *count = Some(Count { n });
    Ok(None)
}

fn ring(of: Of, _: Fired, count: &mut Option<Count>, _: &mut Timers) -> Result<Option<Count>> {
    match of.k.starts_with("bad") {
        true => Err(Error::permanent("there is no bell for this key")),
        false => Ok(count.take()),
    }
}
