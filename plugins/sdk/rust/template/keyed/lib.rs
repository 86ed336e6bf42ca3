//! Tells of each visit of a user when it has ended: when the watermark is past its last event by two minutes.

use std::time::Duration;

use streamhost::prelude::*;

const GAP: Duration = Duration::from_secs(120);

/// The columns of the key.
#[derive(Row)]
pub struct User {
    user_id: i64,
}

/// The columns that the plugin reads.
#[derive(Row)]
pub struct Event {
    at: Timestamp,
}

/// What is kept of a user.
#[derive(Row, Clone)]
pub struct Visit {
    start: Timestamp,
    end: Timestamp,
    events: i64,
}

/// The columns of the rows that leave.
#[derive(Row)]
pub struct Ended {
    user_id: i64,
    start: Timestamp,
    end: Timestamp,
    events: i64,
}

/// Adds the events of an epoch to the user's visit.
///
/// # Errors
/// If the visit that they make is over already.
#[streamhost::keyed(expired = ended)]
pub fn visits(
    _user: User,
    events: Group<Event>,
    visit: &mut Option<Visit>,
    timers: &mut Timers,
) -> Result<Option<Ended>> {
    for Event { at } in events {
        let visit = visit.get_or_insert(Visit { start: at, end: at, events: 0 });
        visit.start = visit.start.min(at);
        visit.end = visit.end.max(at);
        visit.events += 1;
    }
    if let Some(visit) = visit {
        timers.replace(Clock::EventTime, visit.end + GAP)?;
    }
    Ok(None)
}

/// Ends the visit.
fn ended(user: User, _: Fired, visit: &mut Option<Visit>, _: &mut Timers) -> Result<Option<Ended>> {
    let User { user_id } = user;
    Ok(visit.take().map(|Visit { start, end, events }| Ended { user_id, start, end, events }))
}

#[test]
fn the_cases_pass() {
    streamhost::testing::keyed_cases::<visits>(env!("CARGO_MANIFEST_DIR"));
}
