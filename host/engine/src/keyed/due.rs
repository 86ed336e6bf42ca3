//! What of a plugin's state has to be done at a time, and what an older version of it left.

use super::{
    Key,
    entry::{self, Named, TimerClock},
    tables::{Migration, NEVER, OldEntry, Tables},
};
use crate::{Result, ShardState};

/// A timer whose time has come.
#[derive(Clone, Debug)]
pub struct Fired {
    /// When, in microseconds.
    pub at: i64,
    /// Of which key.
    pub key: Key,
}

/// Takes the timers that this time has reached out of the state, by time and key.
pub fn take_fired(state: &mut ShardState<'_>, clock: TimerClock, reached: i64) -> Result<Vec<Fired>> {
    let mut fired = Vec::new();
    for (_, name) in state.take_due(clock.timeline(), reached)? {
        let Named::Timers(_, key) = entry::named(&name)? else { continue };
        let key = Key::of(key);
        let times = entry::times(state.get(key.hash, &name)?.unwrap_or_default())?;
        let (done, left) = times.split_at(times.partition_point(|time| *time <= reached));
        match left.first() {
            Some(first) => {
                state.put(key.hash, &name, &entry::of_times(left).collect::<Vec<_>>(), Some(*first))?
            }
            None => state.remove(key.hash, &name)?,
        }
        fired.extend(done.iter().map(|at| Fired { at: *at, key: key.clone() }));
    }
    fired.sort_by(|a, b| (a.at, &a.key.bytes).cmp(&(b.at, &b.key.bytes)));
    Ok(fired)
}

/// Lets go of what was not put for as long as it may stay.
pub fn expire(state: &mut ShardState<'_>, tables: &Tables, now: i64) -> Result<()> {
    for (time, name) in state.take_due(crate::Timeline::Expiry, now)? {
        let Named::Table(table, key) = entry::named(&name)? else { continue };
        let hash = crate::hash(key);
        let mut bytes = Vec::new();
        let left = match tables.find(table).map(|at| tables.at(at)).transpose()? {
            Some(table) => {
                let mut items = Vec::new();
                table.items(time, state.get(hash, &name)?.unwrap_or_default(), now, &mut items)?;
                table.entry(&items, &mut bytes)?
            }
            None => None,
        };
        match left {
            Some(time) => state.put(hash, &name, &bytes, Some(time))?,
            None => state.remove(hash, &name)?,
        }
    }
    Ok(())
}

/// The entries that a migration is about.
pub fn old_entries(state: &ShardState<'_>, migration: &Migration) -> Result<Vec<OldEntry>> {
    let table = &migration.before.spec().name;
    let mut old = Vec::new();
    for entry in state.scan() {
        let (name, _) = entry?;
        if let Named::Table(of, key) = entry::named(name)?
            && of == table
            && let Some((time, bytes)) = state.entry(crate::hash(key), name)?
        {
            old.push(OldEntry { name: name.into(), time: time.unwrap_or(NEVER), bytes: bytes.to_vec() });
        }
    }
    old.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(old)
}

/// Puts entries back.
pub fn put_back(state: &mut ShardState<'_>, entries: &[OldEntry]) -> Result<()> {
    for old in entries {
        if let Named::Table(_, key) = entry::named(&old.name)? {
            state.put(crate::hash(key), &old.name, &old.bytes, Some(old.time))?;
        }
    }
    Ok(())
}
