//! What a plugin keeps of a key, as an entry of state.
//!
//! The name of an entry is a tag, then for a table the length of its name and the name, then the bytes of the key. What it holds:
//!
//! | of | bytes |
//! | --- | --- |
//! | timers | their times, 8 bytes each, ascending |
//! | a value table | the value's columns |
//! | a sequence or mapping table | items: the length of the second key, the length of the value, when it was put, the second key, the value |
//!
//! Numbers are little-endian: lengths have 4 bytes, times are 8 bytes of microseconds. The time of an entry is the first of its timers,
//! or when the first of what it holds has not been put for as long as it may stay.

use crate::{Error, Result, shards::Timeline};

/// What a timer goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimerClock {
    /// The watermark.
    EventTime,
    /// The time of the epoch.
    ProcessingTime,
}

const EVENT_TIMERS: u8 = 0;
const PROCESSING_TIMERS: u8 = 1;
const TABLE: u8 = 2;

impl TimerClock {
    fn tag(self) -> u8 {
        match self {
            TimerClock::EventTime => EVENT_TIMERS,
            TimerClock::ProcessingTime => PROCESSING_TIMERS,
        }
    }

    /// Which entries' times it brings about.
    pub(super) fn timeline(self) -> Timeline {
        timeline(&[self.tag()])
    }
}

/// What brings the time of the entry of this name about.
pub fn timeline(entry: &[u8]) -> Timeline {
    match entry.first() {
        Some(&EVENT_TIMERS) => Timeline::EventTime,
        Some(&PROCESSING_TIMERS) => Timeline::ProcessingTime,
        _ => Timeline::Expiry,
    }
}

/// Appends the name of the entry of a key's timers.
pub(super) fn of_timers(clock: TimerClock, key: &[u8], name: &mut Vec<u8>) {
    name.push(clock.tag());
    name.extend_from_slice(key);
}

/// Appends the name of the entry of a key in a table, whose name has no more than 255 bytes.
pub(super) fn of_table(table: &str, key: &[u8], name: &mut Vec<u8>) {
    for part in [&[TABLE, table.len() as u8], table.as_bytes(), key] {
        name.extend_from_slice(part);
    }
}

/// What an entry is of.
#[derive(Debug, PartialEq)]
pub(crate) enum Named<'e> {
    Timers(TimerClock, &'e [u8]),
    Table(&'e str, &'e [u8]),
}

/// What the entry of this name is of, and of which key.
pub(crate) fn named(entry: &[u8]) -> Result<Named<'_>> {
    match entry {
        [EVENT_TIMERS, key @ ..] => Ok(Named::Timers(TimerClock::EventTime, key)),
        [PROCESSING_TIMERS, key @ ..] => Ok(Named::Timers(TimerClock::ProcessingTime, key)),
        [TABLE, length, rest @ ..] => {
            let (name, key) = rest.split_at_checked(usize::from(*length)).ok_or_else(torn)?;
            Ok(Named::Table(std::str::from_utf8(name).map_err(|_| torn())?, key))
        }
        _ => Err(torn()),
    }
}

/// One of the things that a sequence or mapping table holds of a key.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Item<'e> {
    /// The second key; empty in a sequence table.
    pub(crate) second: &'e [u8],
    pub(crate) value: &'e [u8],
    /// When it was put, in microseconds of processing time.
    pub(crate) put: i64,
}

/// The items of an entry.
pub(crate) fn items(mut bytes: &[u8]) -> Result<Vec<Item<'_>>> {
    let mut items = Vec::new();
    while !bytes.is_empty() {
        let second = length(&mut bytes)?;
        let value = length(&mut bytes)?;
        let (put, rest) = bytes.split_first_chunk().ok_or_else(torn)?;
        let (second, rest) = rest.split_at_checked(second).ok_or_else(torn)?;
        let (value, rest) = rest.split_at_checked(value).ok_or_else(torn)?;
        items.push(Item { second, value, put: i64::from_le_bytes(*put) });
        bytes = rest;
    }
    Ok(items)
}

fn length(bytes: &mut &[u8]) -> Result<usize> {
    let (length, rest) = bytes.split_first_chunk().ok_or_else(torn)?;
    *bytes = rest;
    Ok(u32::from_le_bytes(*length) as usize)
}

/// Adds an item behind those of an entry.
pub(super) fn append(entry: &mut Vec<u8>, item: Item<'_>) -> Result<()> {
    for part in [item.second, item.value] {
        let length = u32::try_from(part.len())
            .map_err(|_| Error::data("a value that a plugin keeps has more than 4 GiB"))?;
        entry.extend_from_slice(&length.to_le_bytes());
    }
    entry.extend_from_slice(&item.put.to_le_bytes());
    entry.extend_from_slice(item.second);
    entry.extend_from_slice(item.value);
    Ok(())
}

/// The times of an entry of timers, ascending.
pub(crate) fn times(bytes: &[u8]) -> Result<Vec<i64>> {
    match bytes.as_chunks::<8>() {
        (times, []) => Ok(times.iter().map(|time| i64::from_le_bytes(*time)).collect()),
        _ => Err(torn()),
    }
}

/// An entry of timers of these times.
pub(super) fn of_times(times: &[i64]) -> impl Iterator<Item = u8> {
    times.iter().flat_map(|time| time.to_le_bytes())
}

fn torn() -> Error {
    Error::internal("an entry of a plugin's state is cut off")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_says_of_what_it_is() {
        let mut entry = Vec::new();
        of_table("open", b"key", &mut entry);
        assert_eq!(named(&entry).unwrap(), Named::Table("open", b"key"));
        assert_eq!(timeline(&entry), Timeline::Expiry);
        for clock in [TimerClock::EventTime, TimerClock::ProcessingTime] {
            let mut entry = Vec::new();
            of_timers(clock, b"", &mut entry);
            assert_eq!(named(&entry).unwrap(), Named::Timers(clock, b""));
            assert_eq!(timeline(&entry), clock.timeline());
        }
        assert!(named(&[TABLE, 9, b'x']).is_err());
    }

    #[test]
    fn items_come_back_as_they_were_added() {
        let mut entry = Vec::new();
        let all =
            [Item { second: b"a", value: b"", put: 7 }, Item { second: b"", value: b"value", put: i64::MIN }];
        all.iter().for_each(|item| append(&mut entry, *item).unwrap());
        assert_eq!(items(&entry).unwrap(), all);
        assert!((1..entry.len()).filter(|cut| *cut != 17).all(|cut| items(&entry[..cut]).is_err()));
    }
}
