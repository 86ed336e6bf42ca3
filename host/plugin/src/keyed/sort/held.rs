//! Rows in memory.

use super::{
    super::groups::{Group, Unit, Work},
    lost,
    run::Layout,
    sorting,
};
use arrow::{
    array::{Array, ArrayRef, AsArray, BinaryArray, RecordBatch, UInt64Array},
    compute::interleave_record_batch,
};
use engine::{Error, Result, keyed::Key};
use std::{cmp::Ordering, sync::Arc};

/// Pieces as they came.
#[derive(Default)]
pub(super) struct Held {
    pieces: Vec<HeldPiece>,
    bytes: usize,
}

struct HeldPiece {
    keys: BinaryArray,
    /// The columns without the key.
    rows: RecordBatch,
    /// Input and partition.
    from: u64,
    /// Its number among all pieces of the epoch.
    number: u32,
}

/// A row, and the first bytes of its key, which settle most comparisons.
#[derive(Clone, Copy)]
struct Place {
    prefix: u64,
    piece: u32,
    row: u32,
}

/// Rows in memory, in order.
pub(in crate::keyed) struct InOrder {
    pieces: Vec<HeldPiece>,
    order: Vec<Place>,
    at: usize,
}

impl Held {
    /// Takes a piece, whose first column is the key; answers how many bytes its rows have.
    pub(super) fn add(
        &mut self,
        layout: &Layout,
        from: u64,
        number: u32,
        piece: &RecordBatch,
    ) -> Result<usize> {
        let keys = piece.columns().first().and_then(|keys| keys.as_binary_opt::<i32>()).cloned();
        let keys = keys.ok_or_else(|| Error::internal("a piece lacks the keys of its rows"))?;
        let columns = piece.columns().get(1..).unwrap_or_default().to_vec();
        let rows = sorting(crate::schema::assemble(&layout.input, columns, piece.num_rows()))?;
        let of_column = |column: &ArrayRef| column.to_data().get_slice_memory_size().unwrap_or(0);
        let bytes: usize = piece.columns().iter().map(of_column).sum();
        self.bytes += bytes + piece.num_rows() * size_of::<Place>();
        self.pieces.push(HeldPiece { keys, rows, from, number });
        Ok(bytes)
    }

    /// What it takes in memory, about, the order of its rows included.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }
}

impl InOrder {
    pub(super) fn of(held: Held) -> Result<Self> {
        let mut pieces = held.pieces;
        // Stable: what one partition sent stays in order.
        pieces.sort_by_key(|piece| piece.from);
        let mut order = Vec::with_capacity(pieces.iter().map(|piece| piece.keys.len()).sum());
        for (number, piece) in pieces.iter().enumerate() {
            let places = (0..piece.keys.len()).map(|row| Place {
                prefix: prefix(piece.keys.value(row)),
                piece: number as u32,
                row: row as u32,
            });
            order.extend(places);
        }
        let key = |place: &Place| {
            pieces.get(place.piece as usize).map(|piece| piece.keys.value(place.row as usize))
        };
        order.sort_unstable_by(|a, b| {
            let keys = a.prefix.cmp(&b.prefix).then_with(|| key(a).cmp(&key(b)));
            keys.then_with(|| (a.piece, a.row).cmp(&(b.piece, b.row)))
        });
        Ok(InOrder { pieces, order, at: 0 })
    }

    /// Whole keys with so many rows, or one key that has more; none at the end.
    pub(super) fn unit(&mut self, most: usize) -> Result<Option<Unit>> {
        let start = self.at;
        let mut groups: Vec<Group> = Vec::new();
        while let Some(first) = self.order.get(self.at).copied() {
            let others = self.order.get(self.at..).unwrap_or_default();
            let rows =
                others.iter().take_while(|place| self.compare(place, &first) == Ordering::Equal).count();
            let from = self.at - start;
            if from > 0 && from + rows > most {
                break;
            }
            groups.push(Group { key: Key::of(self.key(&first)?), rows: from..from + rows });
            self.at += rows;
        }
        if groups.is_empty() {
            return Ok(None);
        }
        let (rows, places) = self.taken(start..self.at)?;
        Ok(Some(Unit::new(Work::Rows { rows, places, groups })))
    }

    /// All rows as a file has them, so many at a time.
    pub(super) fn chunks(self, layout: &Layout, most: usize) -> impl Iterator<Item = Result<RecordBatch>> {
        let starts = (0..self.order.len()).step_by(most.max(1));
        starts.map(move |from| {
            let range = from..self.order.len().min(from + most);
            let (rows, places) = self.taken(range.clone())?;
            let places_of = self.order.get(range).unwrap_or_default();
            let keys = places_of.iter().map(|place| self.key(place)).collect::<Result<Vec<_>>>()?;
            let from =
                places_of.iter().map(|place| Ok(self.piece(place)?.from)).collect::<Result<Vec<_>>>()?;
            layout.chunk(BinaryArray::from_vec(keys), from.into(), places, &rows)
        })
    }

    /// These rows, and for each its piece and its row there.
    fn taken(&self, range: std::ops::Range<usize>) -> Result<(RecordBatch, UInt64Array)> {
        let order = self.order.get(range).unwrap_or_default();
        let batches: Vec<&RecordBatch> = self.pieces.iter().map(|piece| &piece.rows).collect();
        let indices: Vec<(usize, usize)> =
            order.iter().map(|place| (place.piece as usize, place.row as usize)).collect();
        let places =
            order.iter().map(|place| Ok(u64::from(self.piece(place)?.number) << 32 | u64::from(place.row)));
        let places = places.collect::<Result<Vec<u64>>>()?;
        Ok((sorting(interleave_record_batch(&batches, &indices))?, places.into()))
    }

    fn compare(&self, a: &Place, b: &Place) -> Ordering {
        let key = |place: &Place| self.key(place).ok();
        a.prefix.cmp(&b.prefix).then_with(|| key(a).cmp(&key(b)))
    }

    fn piece(&self, place: &Place) -> Result<&HeldPiece> {
        self.pieces.get(place.piece as usize).ok_or_else(lost)
    }

    fn key(&self, place: &Place) -> Result<&[u8]> {
        Ok(self.piece(place)?.keys.value(place.row as usize))
    }
}

/// The first eight bytes, which are ordered as the key is.
fn prefix(key: &[u8]) -> u64 {
    let mut bytes = [0; 8];
    bytes.iter_mut().zip(key).for_each(|(to, byte)| *to = *byte);
    u64::from_be_bytes(bytes)
}

/// A column as one of several.
pub(super) fn column(array: impl Array + 'static) -> ArrayRef {
    Arc::new(array)
}
