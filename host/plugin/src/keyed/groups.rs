//! The work of a shard, in units of whole keys.

use arrow::{
    array::{AsArray, RecordBatch, UInt32Array, UInt64Array},
    compute::{take, take_record_batch},
};
use engine::{
    Kind, Result, ResultExt,
    keyed::{Fired, Key, Timer, TimerClock},
};
use std::{collections::HashMap, ops::Range, time::Duration};

/// The rows of a key.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) key: Key,
    pub(super) rows: Range<usize>,
}

/// What is handed to a guest together, and fails together.
#[derive(Clone, Debug)]
pub(super) struct Unit {
    pub(super) work: Work,
    /// How often it was tried and is to be tried again, not counting bisection.
    pub(super) tries: u32,
    /// To wait before this try.
    pub(super) wait: Duration,
}

#[derive(Clone, Debug)]
pub(super) enum Work {
    /// Rows, sorted by key; those of a group follow each other, and the groups one another. Of each the number of its piece, and
    /// behind 32 bits its row there.
    Rows { rows: RecordBatch, places: UInt64Array, groups: Vec<Group> },
    /// Timers, sorted by time.
    Timers { clock: TimerClock, keys: Vec<Key>, timers: Vec<Timer> },
}

impl Unit {
    pub(super) fn new(work: Work) -> Self {
        Unit { work, tries: 0, wait: Duration::ZERO }
    }

    pub(super) fn again(self, wait: Duration) -> Self {
        Unit { tries: self.tries + 1, wait, ..self }
    }

    /// How many keys it has.
    pub(super) fn keys(&self) -> usize {
        match &self.work {
            Work::Rows { groups, .. } => groups.len(),
            Work::Timers { keys, .. } => keys.len(),
        }
    }

    /// How many rows, or timers.
    pub(super) fn len(&self) -> usize {
        match &self.work {
            Work::Rows { groups, .. } => groups.iter().map(|group| group.rows.len()).sum(),
            Work::Timers { timers, .. } => timers.len(),
        }
    }

    /// The first half of the keys, and the other.
    pub(super) fn halves(self) -> [Unit; 2] {
        let half = self.keys() / 2;
        let tries = self.tries;
        let of = |work| Unit { work, tries, wait: Duration::ZERO };
        match self.work {
            Work::Rows { rows, places, mut groups } => {
                let rest = groups.split_off(half);
                let first = Work::Rows { rows: rows.clone(), places: places.clone(), groups };
                [of(first), of(Work::Rows { rows, places, groups: rest })]
            }
            Work::Timers { clock, mut keys, timers } => {
                let rest = keys.split_off(half);
                let (first, second): (Vec<Timer>, Vec<Timer>) =
                    timers.into_iter().partition(|(key, _)| (*key as usize) < half);
                let second = second.into_iter().map(|(key, at)| (key - half as u32, at)).collect();
                [
                    of(Work::Timers { clock, keys, timers: first }),
                    of(Work::Timers { clock, keys: rest, timers: second }),
                ]
            }
        }
    }

    /// Its rows, or timers, of these indices, counted from its first one; they ascend.
    pub(super) fn only(&self, wanted: &[usize]) -> Result<Unit> {
        let work = match &self.work {
            Work::Rows { rows, places, groups } => picked(rows, places, groups, wanted)?,
            Work::Timers { clock, keys, timers } => {
                let fired = wanted.iter().filter_map(|timer| timers.get(*timer));
                let fired = fired.filter_map(|(key, at)| Some((keys.get(*key as usize)?, *at)));
                timers_of(*clock, fired)
            }
        };
        Ok(Unit { work, ..self.clone() })
    }
}

/// These of the rows of groups, counted from the first one's start.
fn picked(rows: &RecordBatch, places: &UInt64Array, groups: &[Group], wanted: &[usize]) -> Result<Work> {
    let first = groups.first().map_or(0, |group| group.rows.start);
    let indices: UInt32Array = wanted.iter().map(|row| Some((first + row) as u32)).collect();
    let doing = || "rows to be tried again";
    let rows = take_record_batch(rows, &indices).doing(Kind::Internal, doing)?;
    let places = take(places, &indices, None).doing(Kind::Internal, doing)?;
    let mut of = Vec::new();
    let mut at = 0;
    for group in groups {
        let from = at;
        while wanted.get(at).is_some_and(|row| group.rows.contains(&(first + row))) {
            at += 1;
        }
        if at > from {
            of.push(Group { key: group.key.clone(), rows: from..at });
        }
    }
    Ok(Work::Rows { rows, places: places.as_primitive().clone(), groups: of })
}

/// Timers that have fired in units of no more than `most`.
pub(super) fn timer_units(clock: TimerClock, fired: &[Fired], most: usize) -> Vec<Unit> {
    let unit =
        |fired: &[Fired]| Unit::new(timers_of(clock, fired.iter().map(|timer| (&timer.key, timer.at))));
    fired.chunks(most.max(1)).map(unit).collect()
}

/// Timers with their keys, each of which is there once.
fn timers_of<'k>(clock: TimerClock, fired: impl Iterator<Item = (&'k Key, i64)>) -> Work {
    let mut numbers: HashMap<&[u8], u32> = HashMap::new();
    let (mut keys, mut timers) = (Vec::new(), Vec::new());
    for (key, at) in fired {
        let number = *numbers.entry(&key.bytes).or_insert_with(|| {
            keys.push(key.clone());
            keys.len() as u32 - 1
        });
        timers.push((number, at));
    }
    Work::Timers { clock, keys, timers }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::{
        array::Int32Array,
        datatypes::{DataType, Field, Schema},
    };
    use std::sync::Arc;

    /// As `a12 b3`, of rows of one number.
    impl std::fmt::Display for Unit {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            let Work::Rows { rows, groups, .. } = &self.work else { return f.write_str("timers") };
            let values = rows.column(0).as_primitive::<arrow::datatypes::Int32Type>();
            let group = |group: &Group| {
                let values: String = group.rows.clone().map(|row| values.value(row).to_string()).collect();
                format!("{}{values}", String::from_utf8_lossy(&group.key.bytes))
            };
            f.write_str(&groups.iter().map(group).collect::<Vec<_>>().join(" "))
        }
    }

    /// Of each key these rows.
    fn unit(keys: &[(&str, &[i32])]) -> Unit {
        let mut groups: Vec<Group> = Vec::new();
        for (key, rows) in keys {
            let start = groups.last().map_or(0, |group| group.rows.end);
            groups.push(Group { key: Key::of(key.as_bytes()), rows: start..start + rows.len() });
        }
        let values = Int32Array::from_iter_values(keys.iter().flat_map(|(_, rows)| rows.iter().copied()));
        let places = UInt64Array::from_iter_values(values.values().iter().map(|value| *value as u64));
        let schema = Schema::new(vec![Field::new("v", DataType::Int32, true)]);
        let rows = RecordBatch::try_new(Arc::new(schema), vec![Arc::new(values)]).unwrap();
        Unit::new(Work::Rows { rows, places, groups })
    }

    #[test]
    fn halves_and_picks_are_of_whole_keys() {
        let unit = unit(&[("a", &[1]), ("b", &[2, 3]), ("c", &[4])]);
        assert_eq!(unit.only(&[0, 2, 3]).unwrap().to_string(), "a1 b3 c4");
        let [_, second] = unit.halves();
        assert_eq!(second.to_string(), "b23 c4");
        let picked = second.only(&[1, 2]).unwrap();
        assert_eq!(picked.to_string(), "b3 c4");
        let Work::Rows { places, .. } = picked.work else { panic!("timers") };
        assert_eq!(places.values()[..], [3, 4]);
    }

    #[test]
    fn the_timers_of_a_key_stay_with_it() {
        let fired = |at, key: &str| Fired { at, key: Key::of(key.as_bytes()) };
        let unit =
            timer_units(TimerClock::EventTime, &[fired(1, "b"), fired(2, "a"), fired(3, "b")], 9).remove(0);
        let timers = |unit: Unit| {
            let Work::Timers { keys, timers, .. } = unit.work else { panic!("rows") };
            (keys.iter().map(|key| key.bytes.to_vec()).collect::<Vec<_>>(), timers)
        };
        let picked = unit.only(&[1, 2]).unwrap();
        assert_eq!(timers(picked), (vec![b"a".to_vec(), b"b".to_vec()], vec![(0, 2), (1, 3)]));
        let [first, second] = unit.halves();
        assert_eq!(timers(first), (vec![b"b".to_vec()], vec![(0, 1), (0, 3)]));
        assert_eq!(timers(second), (vec![b"a".to_vec()], vec![(0, 2)]));
    }
}
