//! Positions in topics, and what an epoch takes of them. Nothing here talks to anybody.

use engine::{Error, Offset, Range, Result};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// A partition of a topic.
pub(super) type Tp = (String, i32);

/// An offset for each of some partitions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Offsets(BTreeMap<String, BTreeMap<i32, i64>>);

impl Offsets {
    pub(super) fn get(&self, (topic, partition): &Tp) -> Option<i64> {
        self.0.get(topic)?.get(partition).copied()
    }

    pub(super) fn set(&mut self, (topic, partition): Tp, offset: i64) {
        self.0.entry(topic).or_default().insert(partition, offset);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Tp, i64)> + '_ {
        self.0.iter().flat_map(|(topic, partitions)| {
            partitions.iter().map(|(partition, offset)| ((topic.clone(), *partition), *offset))
        })
    }

    pub(super) fn partitions(&self) -> BTreeSet<Tp> {
        self.iter().map(|(tp, _)| tp).collect()
    }

    /// Those that `keep` holds for.
    pub(super) fn only(&self, keep: impl Fn(&Tp) -> bool) -> Offsets {
        self.iter().filter(|(tp, _)| keep(tp)).collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<(Tp, i64)> for Offsets {
    fn from_iter<I: IntoIterator<Item = (Tp, i64)>>(all: I) -> Self {
        let mut offsets = Offsets::default();
        all.into_iter().for_each(|(tp, offset)| offsets.set(tp, offset));
        offsets
    }
}

/// What a range says beside its ends.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Detail {
    /// Where partitions start that the range's start does not name, or that start elsewhere: they were made anew since.
    #[serde(default, skip_serializing_if = "Offsets::is_empty")]
    pub(super) from: Offsets,
    /// The schema in the registry that the columns of the value are from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) value_schema: Option<u32>,
    /// The same of the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) key_schema: Option<u32>,
}

impl Detail {
    pub(super) fn of(range: &Range) -> Result<Self> {
        if range.detail.is_null() { Ok(Detail::default()) } else { read(&range.detail) }
    }

    pub(super) fn schemas(&self) -> (Option<u32>, Option<u32>) {
        (self.value_schema, self.key_schema)
    }

    pub(super) fn value(&self) -> Result<Value> {
        if *self == Detail::default() { Ok(Value::Null) } else { write(self) }
    }
}

/// The offsets that the engine keeps.
pub(super) fn offsets_of(kept: Option<&Offset>) -> Result<Offsets> {
    kept.map_or_else(|| Ok(Offsets::default()), |offset| read(&offset.0))
}

/// The offsets as the engine keeps them.
pub(super) fn kept(offsets: &Offsets) -> Result<Offset> {
    write(offsets).map(Offset)
}

fn read<T: DeserializeOwned>(value: &Value) -> Result<T> {
    T::deserialize(value)
        .map_err(|e| Error::internal(format!("{value} is no position of a Kafka source")).caused_by(e))
}

fn write<T: Serialize>(of: &T) -> Result<Value> {
    serde_json::to_value(of).map_err(|e| Error::internal("writing down a position").caused_by(e))
}

/// How far to go from `from` towards `until`, so that it is about `limit` messages: each partition gives its share of what is there, and
/// one at least.
pub(super) fn share_of(limit: u64, from: &Offsets, until: &Offsets) -> Offsets {
    let size = |tp: &Tp, end: i64| (end - from.get(tp).unwrap_or(end)).max(0);
    let total: i64 = until.iter().map(|(tp, end)| size(&tp, end)).sum();
    if total as u64 <= limit {
        return until.clone();
    }
    let part = |(tp, end): (Tp, i64)| {
        let share = limit as f64 * (size(&tp, end) as f64 / total as f64);
        let share = if share < 1.0 { share.ceil() } else { share.floor() };
        let to = from.get(&tp).map_or(end, |from| end.min(from.saturating_add(share as i64)));
        (tp, to)
    };
    until.iter().map(part).collect()
}

/// How many messages there may be between two positions.
pub(super) fn between(from: &Offsets, until: &Offsets) -> u64 {
    until.iter().map(|(tp, end)| (end - from.get(&tp).unwrap_or(end)).max(0) as u64).sum()
}

/// What is to be read of a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) tp: Tp,
    pub(super) from: i64,
    /// Exclusive.
    pub(super) to: i64,
}

/// What a range consists of, in the order of partitions.
pub(super) fn spans(range: &Range) -> Result<Vec<Span>> {
    let (start, end, detail) =
        (offsets_of(range.start.as_ref())?, offsets_of(Some(&range.end))?, Detail::of(range)?);
    let span = |(tp, to): (Tp, i64)| {
        let from = detail.from.get(&tp).or_else(|| start.get(&tp))?;
        (from < to).then_some(Span { tp, from, to })
    };
    Ok(end.iter().filter_map(span).collect())
}

/// Shares spans out among at most `streams`, evenly by size; each share is in the order of partitions. What comes out depends on
/// nothing else.
pub(super) fn shares(mut spans: Vec<Span>, streams: usize) -> Vec<Vec<Span>> {
    spans.sort_by(|a, b| (b.to - b.from).cmp(&(a.to - a.from)).then_with(|| a.tp.cmp(&b.tp)));
    let mut shares: Vec<(i64, Vec<Span>)> = vec![(0, Vec::new()); streams.min(spans.len()).max(1)];
    for span in spans {
        if let Some((size, share)) = shares.iter_mut().min_by_key(|(size, _)| *size) {
            *size += span.to - span.from;
            share.push(span);
        }
    }
    let sorted = shares.into_iter().map(|(_, mut share)| {
        share.sort_by(|a, b| a.tp.cmp(&b.tp));
        share
    });
    sorted.filter(|share| !share.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn offsets(value: Value) -> Offsets {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_limit_is_shared_out_pro_rata_and_small_partitions_are_not_starved() {
        let from = offsets(json!({"t": {"0": 0, "1": 100, "2": 7, "3": 5}}));
        let until = offsets(json!({"t": {"0": 900, "1": 190, "2": 17, "3": 5}}));
        let to = share_of(100, &from, &until);
        assert_eq!(to, offsets(json!({"t": {"0": 90, "1": 109, "2": 8, "3": 5}})));
        assert_eq!(share_of(1000, &from, &until), until);
        // One message of 1,000 partitions is not none of any of them.
        assert_eq!(share_of(1, &from, &until), offsets(json!({"t": {"0": 1, "1": 101, "2": 8, "3": 5}})));
        assert_eq!(between(&from, &until), 1000);
    }

    #[test]
    fn a_range_says_where_each_partition_starts_the_new_ones_and_those_made_anew_too() {
        let from = offsets(json!({"t": {"1": 3, "3": 0}}));
        let range = Range {
            start: Some(Offset(json!({"t": {"0": 5, "3": 50}}))),
            end: Offset(json!({"t": {"0": 9, "1": 4, "2": 8, "3": 2}})),
            detail: Detail { from, ..Detail::default() }.value().unwrap(),
        };
        let span = |partition, from, to| Span { tp: ("t".to_owned(), partition), from, to };
        assert_eq!(spans(&range).unwrap(), [span(0, 5, 9), span(1, 3, 4), span(3, 0, 2)]);
    }

    #[test]
    fn shares_are_even_in_order_and_always_the_same() {
        let span = |partition, to| Span { tp: ("t".to_owned(), partition), from: 0, to };
        let shares = |streams| {
            let of = shares((0..4).map(|p| span(p, [40, 10, 30, 20][p as usize])).collect(), streams);
            of.iter().map(|share| share.iter().map(|s| s.tp.1).collect()).collect::<Vec<Vec<i32>>>()
        };
        assert_eq!(shares(2), [vec![0, 1], vec![2, 3]]);
        assert_eq!(shares(1), [vec![0, 1, 2, 3]]);
        assert_eq!(shares(9).len(), 4);
    }
}
