//! Rows of one partition to the first of each key.

use super::{LATE_PORT, Plan};
use crate::{
    Batch, EpochContext, Kind, Piece, Result, ResultExt, Scatter, Scattered, Timestamp,
    event_time::Watermark,
    operators::{
        chain::made,
        keys::{encode, hashed},
        rows::Codec,
    },
    sql::EpochTime,
};
use arrow::{
    array::{RecordBatch, UInt32Array},
    compute::take_record_batch,
};
use hashbrown::{HashTable, hash_table::Entry};
use std::sync::Arc;

/// So many bytes of keys are held: what bounds the memory of a partition.
const HELD: usize = 16 << 20;

pub(super) struct FirstOfPartition {
    plan: Arc<Plan>,
    now: Timestamp,
    late: Watermark,
    codec: Codec,
    seen: Seen,
}

impl FirstOfPartition {
    pub(super) fn new(plan: Arc<Plan>, cx: &EpochContext) -> Result<Self> {
        let codec = plan.codec()?;
        Ok(FirstOfPartition { plan, now: cx.now, late: cx.in_force.late, codec, seen: Seen::default() })
    }

    /// The rows whose keys were not seen before.
    fn first(&mut self, rows: &RecordBatch) -> Result<Option<Piece>> {
        let keys = encode(&self.codec, self.plan.key_columns(rows))?;
        let first = keys.iter().enumerate().filter(|(_, key)| self.seen.is_new(key.data()));
        let (first, keys): (Vec<u32>, Vec<&[u8]>) = first.map(|(row, key)| (row as u32, key.data())).unzip();
        if first.is_empty() {
            return Ok(None);
        }
        let (keys, hashes) = hashed(keys.into_iter());
        let rows = match first.len() == rows.num_rows() {
            true => rows.clone(),
            false => take_record_batch(rows, &UInt32Array::from(first))
                .doing(Kind::Internal, || "the first rows of keys")?,
        };
        let columns = [keys].into_iter().chain(rows.columns().iter().cloned()).collect();
        Ok(Some(Piece::new(made(&self.plan.pieces(), columns, hashes.len())?, hashes)))
    }
}

impl Scatter for FirstOfPartition {
    fn on_batch(&mut self, batch: &Batch, out: &mut Scattered) -> Result<()> {
        let _now = EpochTime::set(self.now.0);
        let mut rows = self.plan.before.run(&batch.rows)?;
        if let Some((in_time, late)) = self.plan.in_time(&rows, self.late)? {
            out.side.push((LATE_PORT, late));
            rows = in_time;
        }
        out.pieces.extend(self.first(&rows)?);
        Ok(())
    }

    fn on_end(&mut self, _: &mut Scattered) -> Result<()> {
        Ok(())
    }
}

/// Keys that were sent. It may forget, and so let a key pass again: the shard has the last word.
#[derive(Default)]
struct Seen {
    keys: HashTable<Box<[u8]>>,
    bytes: usize,
}

impl Seen {
    fn is_new(&mut self, key: &[u8]) -> bool {
        if self.bytes > HELD {
            *self = Seen::default();
        }
        match self.keys.entry(crate::hash(key), |other| **other == *key, |other| crate::hash(other)) {
            Entry::Occupied(_) => false,
            Entry::Vacant(free) => {
                free.insert(key.into());
                self.bytes += size_of::<Box<[u8]>>() + key.len();
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_holds_no_more_keys_than_it_has_memory_for() {
        let mut seen = Seen::default();
        let key = |n: usize| [vec![0; HELD / 4], n.to_le_bytes().to_vec()].concat();
        assert!((0..4).all(|n| seen.is_new(&key(n))));
        assert!(seen.is_new(&key(0)), "it has forgotten");
        assert!(!seen.is_new(&key(0)));
        assert!(seen.bytes <= HELD);
    }
}
