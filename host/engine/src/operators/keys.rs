//! Keys as bytes: which row has which, and when an entry is final.

use super::rows::{Codec, as_key};
use crate::{Kind, Result, ResultExt, sql};
use arrow::{
    array::{ArrayRef, BinaryArray, BinaryBuilder, Int64Array},
    row::Rows,
};
use hashbrown::{HashTable, hash_table::Entry};
use std::sync::Arc;

/// Keys, numbered in the order in which they were first seen.
#[derive(Default)]
pub(crate) struct KeyIndex<'k> {
    index: HashTable<usize>,
    keys: Vec<(u64, &'k [u8])>,
}

impl<'k> KeyIndex<'k> {
    /// The number of a key.
    pub(crate) fn number(&mut self, hash: u64, key: &'k [u8]) -> usize {
        let keys = &self.keys;
        let same = |at: &usize| keys.get(*at).is_some_and(|(_, other)| *other == key);
        let rehash = |at: &usize| keys.get(*at).map_or(0, |(hash, _)| *hash);
        match self.index.entry(hash, same, rehash) {
            Entry::Occupied(there) => *there.get(),
            Entry::Vacant(free) => {
                let at = keys.len();
                free.insert(at);
                self.keys.push((hash, key));
                at
            }
        }
    }

    /// All of them, with their hashes.
    pub(crate) fn into_keys(self) -> Vec<(u64, &'k [u8])> {
        self.keys
    }
}

/// Columns as keys, every row's as bytes.
pub(crate) fn encode(codec: &Codec, columns: impl IntoIterator<Item = ArrayRef>) -> Result<Rows> {
    codec.encode(&columns.into_iter().map(as_key).collect::<Result<Vec<_>>>()?)
}

/// Keys as a column of a piece, and their stable hashes.
pub(crate) fn hashed<'k>(keys: impl Iterator<Item = &'k [u8]>) -> (ArrayRef, Vec<u64>) {
    let mut column = BinaryBuilder::new();
    let mut hashes = Vec::with_capacity(keys.size_hint().0);
    for key in keys {
        column.append_value(key);
        hashes.push(crate::hash(key));
    }
    let column: BinaryArray = column.finish();
    (Arc::new(column), hashes)
}

/// The times, in microseconds, at which entries of these event times are final: a window's is its end.
pub(crate) fn final_at(times: &ArrayRef) -> Result<Int64Array> {
    let after = i64::from(sql::is_window(times.data_type()));
    let times = sql::instants(times).doing(Kind::Internal, || "event times")?;
    Ok(arrow::compute::unary(&times, |time: i64| time.saturating_add(after)))
}
