//! The work of a shard, in units of whole keys.

use arrow::{
    array::{Array, ArrayRef, AsArray, RecordBatch, UInt32Array},
    compute::{concat_batches, take_record_batch},
    datatypes::SchemaRef,
};
use engine::{
    Error, Kind, Partition, Piece, Result, ResultExt,
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
    /// Rows, sorted by key; those of a group follow each other, and the groups one another.
    Rows { rows: RecordBatch, groups: Vec<Group> },
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
            Work::Rows { rows, mut groups } => {
                let rest = groups.split_off(half);
                [of(Work::Rows { rows: rows.clone(), groups }), of(Work::Rows { rows, groups: rest })]
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

    /// Its rows of these indices, counted from its first row.
    pub(super) fn only(&self, wanted: &[usize]) -> Result<Option<Unit>> {
        let Work::Rows { rows, groups } = &self.work else { return Ok(None) };
        let first = groups.first().map_or(0, |group| group.rows.start);
        let indices: UInt32Array = wanted.iter().map(|row| Some((first + row) as u32)).collect();
        let picked = take_record_batch(rows, &indices).doing(Kind::Internal, || "rows to be tried again")?;
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
        Ok(Some(Unit { work: Work::Rows { rows: picked, groups: of }, ..self.clone() }))
    }
}

/// A piece, and what orders it among all the pieces of its epoch.
pub(super) struct Sent {
    pub(super) from: (usize, Partition),
    pub(super) piece: Piece,
}

/// The rows of all pieces by key, those of a key in the order of inputs, partitions and sending; `input` has their columns. Cut
/// into units of about `target` rows, for each of which `most` is asked how many it may have at the most.
pub(super) fn units(mut pieces: Vec<Sent>, input: &SchemaRef, target: usize) -> Result<Vec<Unit>> {
    // Stable: what one partition sent stays in order.
    pieces.sort_by_key(|sent| sent.from);
    let Some(schema) = pieces.first().map(|sent| sent.piece.rows.schema()) else { return Ok(Vec::new()) };
    let doing = || "rows by key";
    let rows =
        concat_batches(&schema, pieces.iter().map(|sent| &sent.piece.rows)).doing(Kind::Internal, doing)?;
    drop(pieces);
    let keys = key_column(&rows)?;
    let keys = keys.as_binary::<i32>();
    let mut order: Vec<u32> = (0..rows.num_rows() as u32).collect();
    order.sort_by(|a, b| keys.value(*a as usize).cmp(keys.value(*b as usize)));
    let rows = take_record_batch(&rows, &UInt32Array::from(order)).doing(Kind::Internal, doing)?;
    let mut groups = groups(&rows)?;
    let columns = rows.columns().get(1..).unwrap_or_default().to_vec();
    let rows = crate::schema::assemble(input, columns, rows.num_rows()).doing(Kind::Internal, doing)?;
    let mut units = Vec::new();
    while !groups.is_empty() {
        let first = groups.first().map_or(0, |group| group.rows.start);
        let fits = groups.iter().take_while(|group| group.rows.end - first <= target).count().max(1);
        let rest = groups.split_off(fits);
        units.push(Unit::new(Work::Rows { rows: rows.clone(), groups }));
        groups = rest;
    }
    Ok(units)
}

fn key_column(rows: &RecordBatch) -> Result<ArrayRef> {
    let keys = rows.columns().first().filter(|keys| keys.as_binary_opt::<i32>().is_some());
    keys.cloned().ok_or_else(|| Error::internal("a piece lacks the keys of its rows"))
}

fn groups(rows: &RecordBatch) -> Result<Vec<Group>> {
    let keys = key_column(rows)?;
    let keys = keys.as_binary::<i32>();
    let mut groups: Vec<Group> = Vec::new();
    for row in 0..keys.len() {
        let key = keys.value(row);
        match groups.last_mut().filter(|group| *group.key.bytes == *key) {
            Some(group) => group.rows.end = row + 1,
            None => groups.push(Group { key: Key::of(key), rows: row..row + 1 }),
        }
    }
    Ok(groups)
}

/// Timers that have fired in units of no more than `most`.
pub(super) fn timer_units(clock: TimerClock, fired: &[Fired], most: usize) -> Vec<Unit> {
    let unit = |fired: &[Fired]| {
        let mut numbers: HashMap<&[u8], u32> = HashMap::new();
        let (mut keys, mut timers) = (Vec::new(), Vec::with_capacity(fired.len()));
        for Fired { at, key } in fired {
            let number = *numbers.entry(&key.bytes).or_insert_with(|| {
                keys.push(key.clone());
                keys.len() as u32 - 1
            });
            timers.push((number, *at));
        }
        Unit::new(Work::Timers { clock, keys, timers })
    };
    fired.chunks(most.max(1)).map(unit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::{
        array::{BinaryArray, Int32Array},
        datatypes::{DataType, Field, Schema},
    };
    use std::sync::Arc;

    fn input() -> SchemaRef {
        Arc::new(Schema::new(vec![Field::new("v", DataType::Int32, true)]))
    }

    fn piece(partition: u32, rows: &[(&str, i32)]) -> Sent {
        let key = Field::new("key", DataType::Binary, false);
        let schema = Schema::new(vec![key, Field::new("v", DataType::Int32, true)]);
        let keys: BinaryArray = rows.iter().map(|(key, _)| Some(key.as_bytes())).collect();
        let values: Int32Array = rows.iter().map(|(_, value)| Some(*value)).collect();
        let rows = RecordBatch::try_new(Arc::new(schema), vec![Arc::new(keys), Arc::new(values)]).unwrap();
        let hashes = vec![0; rows.num_rows()];
        Sent { from: (0, Partition(partition)), piece: Piece { rows, hashes } }
    }

    /// Each unit as `a12 b3`.
    fn shown(units: &[Unit]) -> Vec<String> {
        let unit = |unit: &Unit| {
            let Work::Rows { rows, groups } = &unit.work else { panic!("timers") };
            let values = rows.column(0).as_primitive::<arrow::datatypes::Int32Type>();
            let group = |group: &Group| {
                let values: String = group.rows.clone().map(|row| values.value(row).to_string()).collect();
                format!("{}{values}", String::from_utf8_lossy(&group.key.bytes))
            };
            groups.iter().map(group).collect::<Vec<_>>().join(" ")
        };
        units.iter().map(unit).collect()
    }

    #[test]
    fn rows_are_by_key_and_within_a_key_by_partition() {
        let pieces = vec![
            piece(1, &[("b", 3), ("a", 4)]),
            piece(0, &[("a", 1), ("c", 5)]),
            piece(0, &[("b", 7), ("a", 2)]),
        ];
        assert_eq!(shown(&units(pieces, &input(), 4).unwrap()), ["a124", "b73 c5"]);
    }

    #[test]
    fn a_key_is_never_divided_among_units() {
        let pieces = vec![piece(0, &[("a", 1), ("b", 2), ("b", 3), ("b", 4), ("c", 5)])];
        assert_eq!(shown(&units(pieces, &input(), 2).unwrap()), ["a1", "b234", "c5"]);
    }

    #[test]
    fn halves_and_picks_are_of_whole_keys() {
        let pieces = vec![piece(0, &[("a", 1), ("b", 2), ("b", 3), ("c", 4)])];
        let unit = units(pieces, &input(), 9).unwrap().remove(0);
        let picked = unit.only(&[0, 2, 3]).unwrap().unwrap();
        assert_eq!(shown(&[picked]), ["a1 b3 c4"]);
        let [_, second] = unit.halves();
        assert_eq!(shown(std::slice::from_ref(&second)), ["b23 c4"]);
        assert_eq!(shown(&[second.only(&[1, 2]).unwrap().unwrap()]), ["b3 c4"]);
    }

    #[test]
    fn the_timers_of_a_key_stay_with_it() {
        let fired = |at, key: &str| Fired { at, key: Key::of(key.as_bytes()) };
        let unit =
            timer_units(TimerClock::EventTime, &[fired(1, "b"), fired(2, "a"), fired(3, "b")], 9).remove(0);
        let [first, second] = unit.halves();
        let timers = |unit: Unit| {
            let Work::Timers { keys, timers, .. } = unit.work else { panic!("rows") };
            (keys.iter().map(|key| key.bytes.to_vec()).collect::<Vec<_>>(), timers)
        };
        assert_eq!(timers(first), (vec![b"b".to_vec()], vec![(0, 1), (0, 3)]));
        assert_eq!(timers(second), (vec![b"a".to_vec()], vec![(0, 2)]));
    }
}
