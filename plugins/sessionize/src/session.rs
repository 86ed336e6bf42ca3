//! A key's session, and the rows of a call that are added to it.

use streamhost::arrow::array::TimestampMicrosecondArray;
use streamhost::arrow::array::types::{Int64Type, TimestampMicrosecondType};
use streamhost::keyed::{Entries, Groups};
use streamhost::prelude::*;

/// A session as it is after the rows of a call.
#[derive(Debug)]
pub(crate) struct Session {
    /// The key's row in the call's keys.
    pub(crate) key: u32,
    pub(crate) start: i64,
    pub(crate) end: i64,
    pub(crate) n: i64,
    /// How many rows of the call are in it.
    pub(crate) added: i64,
    /// The row of the call that is the earliest of the session; none if that came before.
    pub(crate) first: Option<u32>,
    /// The row of the call that is the latest.
    pub(crate) last: Option<u32>,
    /// Its end before these rows, if there was a session.
    pub(crate) before: Option<i64>,
}

/// The sessions before the call, of its keys.
pub(crate) struct Stored<'a> {
    keys: &'a [u32],
    start: &'a [i64],
    end: &'a [i64],
    n: &'a [i64],
}

impl<'a> Stored<'a> {
    pub(crate) fn of(open: &'a Entries) -> Result<Self> {
        let wrong = || Error::permanent("the state has other columns than the plugin keeps");
        let [start, end, n] = open.values().columns() else { return Err(wrong()) };
        let moments = |column: &'a ArrayRef| {
            Some(column.as_primitive_opt::<TimestampMicrosecondType>()?.values().as_ref())
        };
        Ok(Self {
            keys: open.keys(),
            start: moments(start).ok_or_else(wrong)?,
            end: moments(end).ok_or_else(wrong)?,
            n: n.as_primitive_opt::<Int64Type>().ok_or_else(wrong)?.values().as_ref(),
        })
    }

    fn get(&self, key: u32) -> Option<Session> {
        let at = self.keys.binary_search(&key).ok()?;
        let (start, end, n) = (*self.start.get(at)?, *self.end.get(at)?, *self.n.get(at)?);
        Some(Session { key, start, end, n, added: 0, first: None, last: None, before: Some(end) })
    }
}

impl Session {
    fn begin(key: u32, time: i64, row: u32) -> Self {
        let (first, last) = (Some(row), Some(row));
        Self { key, start: time, end: time, n: 1, added: 1, first, last, before: None }
    }

    /// Of rows of the same time, the one that came first is the earliest, and the one that came last is the latest.
    fn add(&mut self, time: i64, row: u32) {
        self.n += 1;
        self.added += 1;
        if time < self.start {
            (self.start, self.first) = (time, Some(row));
        }
        if time >= self.end {
            (self.end, self.last) = (time, Some(row));
        }
    }
}

/// The session of each key, with its rows added, however far apart they are. A row without a time is in error.
pub(crate) fn sessions(
    groups: &Groups,
    times: &TimestampMicrosecondArray,
    stored: &Stored<'_>,
    errors: &mut RowErrors,
) -> Vec<Session> {
    let mut sessions = Vec::with_capacity(groups.len());
    for key in 0..groups.len() {
        let range = groups.range(key);
        let mut session = stored.get(key as u32);
        for (row, time) in range.clone().zip(times.values().get(range).unwrap_or_default()) {
            match &mut session {
                _ if times.is_null(row) => errors.add(row, Error::permanent("the time is null")),
                Some(session) => session.add(*time, row as u32),
                none => *none = Some(Session::begin(key as u32, *time, row as u32)),
            }
        }
        sessions.extend(session);
    }
    sessions
}
