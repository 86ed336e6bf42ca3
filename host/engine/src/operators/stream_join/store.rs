//! The rows of a side in state.
//!
//! ```text
//! key    side (1 byte) · the join's key · index, u32 big endian
//! value  matched (1 byte) · at index 0: number of rows, u32 little endian · the row
//! ```
//!
//! # Invariants
//!
//! - The rows of a side and key have the indices from 0 up to their number, without a gap: when some leave, the last ones
//!   take their places. So the rows of a key are found without a scan.
//! - There is an entry for each row and no other.
//! - Everything of a key, of both sides, lies under the hash of the join's key.

use super::Which;
use crate::{Error, Result, ShardState};

/// Bytes behind the join's key in a key of state.
const INDEX: usize = size_of::<u32>();

/// A row in state.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stored<'s> {
    pub(super) index: u32,
    /// Whether the row has matched. Kept up to date for outer sides alone.
    pub(super) matched: bool,
    pub(super) row: &'s [u8],
}

/// A row on its way into state.
pub(super) struct New<'r> {
    pub(super) row: &'r [u8],
    pub(super) matched: bool,
    /// The watermark, in microseconds, at which it leaves.
    pub(super) due: Option<i64>,
}

/// The rows of one side under one key.
pub(super) struct Rows<'k> {
    pub(super) which: Which,
    pub(super) hash: u64,
    /// The join's key.
    pub(super) key: &'k [u8],
}

impl Rows<'_> {
    /// All of them, by index.
    pub(super) fn load<'s>(&self, state: &'s ShardState<'_>, out: &mut Vec<Stored<'s>>) -> Result<()> {
        for index in 0..self.count(state)? {
            out.push(self.stored(state, index)?.1);
        }
        Ok(())
    }

    /// Adds rows behind those that are there.
    pub(super) fn append(&self, state: &mut ShardState<'_>, rows: &[New<'_>]) -> Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        let before = self.count(state)?;
        let count = u32::try_from(rows.len()).ok().and_then(|new| before.checked_add(new));
        let count = count.ok_or_else(too_many)?;
        for (index, New { row, matched, due }) in (before..).zip(rows) {
            self.put(state, Stored { index, matched: *matched, row }, count, *due)?;
        }
        match before {
            // The first row is new, and says it already.
            0 => Ok(()),
            _ => self.set_count(state, before, count),
        }
    }

    /// Marks rows as matched.
    pub(super) fn set_matched(&self, state: &mut ShardState<'_>, indices: &[u32]) -> Result<()> {
        let count = self.count(state)?;
        for index in indices {
            let (due, stored) = self.stored(state, *index)?;
            let row = stored.row.to_vec();
            self.put(state, Stored { matched: true, row: &row, ..stored_at(*index) }, count, due)?;
        }
        Ok(())
    }

    /// Removes rows. `indices` are in ascending order.
    pub(super) fn remove(&self, state: &mut ShardState<'_>, indices: &[u32]) -> Result<()> {
        let count = self.count(state)?;
        let kept = count.saturating_sub(indices.len() as u32);
        let stay = |index: &u32| indices.binary_search(index).is_err();
        let holes = indices.iter().copied().filter(|index| *index < kept);
        for (hole, last) in holes.zip((kept..count).filter(stay)) {
            let (due, stored) = self.stored(state, last)?;
            let (matched, row) = (stored.matched, stored.row.to_vec());
            self.put(state, Stored { index: hole, matched, row: &row }, count, due)?;
        }
        for index in kept..count {
            state.remove(self.hash, &self.key_of(index))?;
        }
        self.set_count(state, count, kept)
    }

    fn count(&self, state: &ShardState<'_>) -> Result<u32> {
        let Some(first) = state.get(self.hash, &self.key_of(0))? else { return Ok(0) };
        let count = first.get(1..).and_then(|rest| rest.first_chunk()).ok_or_else(torn)?;
        Ok(u32::from_le_bytes(*count))
    }

    /// The first row says how many there are.
    fn set_count(&self, state: &mut ShardState<'_>, before: u32, count: u32) -> Result<()> {
        if count == before || count == 0 {
            return Ok(());
        }
        let (due, first) = self.stored(state, 0)?;
        let (matched, row) = (first.matched, first.row.to_vec());
        self.put(state, Stored { index: 0, matched, row: &row }, count, due)
    }

    fn stored<'s>(&self, state: &'s ShardState<'_>, index: u32) -> Result<(Option<i64>, Stored<'s>)> {
        let entry = state.entry(self.hash, &self.key_of(index))?;
        let (due, value) = entry.ok_or_else(torn)?;
        let (matched, row) = value_of(value, index)?;
        Ok((due, Stored { index, matched, row }))
    }

    fn put(
        &self,
        state: &mut ShardState<'_>,
        Stored { index, matched, row }: Stored<'_>,
        count: u32,
        due: Option<i64>,
    ) -> Result<()> {
        let mut value = Vec::with_capacity(1 + size_of::<u32>() + row.len());
        value.push(u8::from(matched));
        if index == 0 {
            value.extend_from_slice(&count.to_le_bytes());
        }
        value.extend_from_slice(row);
        state.put(self.hash, &self.key_of(index), &value, due)
    }

    fn key_of(&self, index: u32) -> Vec<u8> {
        let mut key = Vec::with_capacity(1 + self.key.len() + INDEX);
        key.push(match self.which {
            Which::Left => 0,
            Which::Right => 1,
        });
        key.extend_from_slice(self.key);
        key.extend_from_slice(&index.to_be_bytes());
        key
    }
}

/// A key of state in its parts.
pub(in crate::operators) fn parts(key: &[u8]) -> Result<(Which, &[u8], u32)> {
    let (side, rest) = key.split_first().ok_or_else(torn)?;
    let (key, index) = rest.split_last_chunk::<INDEX>().ok_or_else(torn)?;
    let which = if *side == 0 { Which::Left } else { Which::Right };
    Ok((which, key, u32::from_be_bytes(*index)))
}

/// A value in its parts: whether the row has matched, and the row.
pub(in crate::operators) fn value_of(value: &[u8], index: u32) -> Result<(bool, &[u8])> {
    let (matched, rest) = value.split_first().ok_or_else(torn)?;
    let row = match index {
        0 => rest.get(size_of::<u32>()..).ok_or_else(torn)?,
        _ => rest,
    };
    Ok((*matched != 0, row))
}

/// The row of a value that [`parts`] gave the index of, and whether it has matched.
pub(super) fn row_of<'s>(
    state: &'s ShardState<'_>,
    hash: u64,
    of: (Which, &[u8], u32),
) -> Result<Stored<'s>> {
    let (which, key, index) = of;
    Ok(Rows { which, hash, key }.stored(state, index)?.1)
}

fn stored_at(index: u32) -> Stored<'static> {
    Stored { index, matched: false, row: &[] }
}

fn torn() -> Error {
    Error::internal("the state of a join lacks a row that it counts")
}

fn too_many() -> Error {
    Error::data(
        "a key of the join has more rows in state than can be counted: use finer keys, or a shorter range of time",
    )
}
