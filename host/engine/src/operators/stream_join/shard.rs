//! One shard of a join: matches what comes with what waits.

use super::{
    Plan, Which,
    scatter::{FRONT, Fate, padded},
    store::{New, Rows, Stored, parts, row_of},
};
use crate::{
    EpochContext, Error, Kind, Operator, Piece, Result, ResultExt, ShardState, Timeline, Timestamp,
    event_time::Watermark,
    operators::{chain::made, rows::Codec},
    sql::EpochTime,
};
use arrow::{
    array::{
        Array, ArrayRef, AsArray, BinaryArray, BooleanArray, Int64Array, RecordBatch, UInt8Array, UInt32Array,
    },
    compute::{concat_batches, filter_record_batch, prep_null_mask_filter, take_arrays},
    datatypes::{Int64Type, UInt8Type},
};
use datafusion_common::JoinType;
use hashbrown::{HashTable, hash_table::Entry};
use std::{ops::Range, sync::Arc};

/// Pairs that are looked at together, and rows that leave together.
const CHUNK: usize = 8192;

/// So many rows of a side are matched together at most: a key that is in several pieces is looked up in state once.
const TOGETHER: usize = 1 << 16;

type Out = Vec<(usize, RecordBatch)>;

pub(super) struct JoinShard {
    plan: Arc<Plan>,
    now: Timestamp,
    eviction: Watermark,
    left: Codec,
    right: Codec,
    pieces: Vec<(Which, Piece)>,
}

/// A piece with its columns by name.
struct Incoming<'p> {
    which: Which,
    keys: &'p BinaryArray,
    hashes: &'p [u64],
    fates: &'p UInt8Array,
    due: &'p Int64Array,
    /// The side's own columns.
    columns: &'p [ArrayRef],
}

impl<'p> Incoming<'p> {
    fn new(which: Which, piece: &'p Piece) -> Result<Self> {
        let columns = piece.rows.columns();
        let ([keys, fates, due], columns) =
            columns.split_first_chunk::<FRONT>().ok_or_else(|| Error::internal("a piece lacks columns"))?;
        Ok(Incoming {
            which,
            keys: keys.as_binary(),
            hashes: &piece.hashes,
            fates: fates.as_primitive::<UInt8Type>(),
            due: due.as_primitive::<Int64Type>(),
            columns,
        })
    }

    fn is(&self, row: usize, fate: Fate) -> bool {
        self.fates.value(row) == fate as u8
    }

    fn rows(&self) -> Range<usize> {
        0..self.hashes.len()
    }

    fn due(&self, row: usize) -> i64 {
        if self.due.is_null(row) { i64::MAX } else { self.due.value(row) }
    }
}

/// The keys of a piece, each with its rows, in the order in which they came.
#[derive(Default)]
struct Keys<'p> {
    index: HashTable<usize>,
    keys: Vec<KeyRows<'p>>,
}

struct KeyRows<'p> {
    hash: u64,
    key: &'p [u8],
    rows: Vec<usize>,
}

impl<'p> Keys<'p> {
    /// Of the rows that go into state, or may match what is there.
    fn of(incoming: &Incoming<'p>) -> Self {
        let mut all = Keys::default();
        for (row, hash) in incoming.hashes.iter().enumerate() {
            if !incoming.is(row, Fate::Alone) {
                all.add(*hash, incoming.keys.value(row), row);
            }
        }
        all
    }

    fn add(&mut self, hash: u64, key: &'p [u8], row: usize) {
        let keys = &self.keys;
        let same = |at: &usize| keys.get(*at).is_some_and(|of| of.key == key);
        let rehash = |at: &usize| keys.get(*at).map_or(0, |of| of.hash);
        match self.index.entry(hash, same, rehash) {
            Entry::Occupied(there) => {
                self.keys.iter_mut().skip(*there.get()).take(1).for_each(|of| of.rows.push(row))
            }
            Entry::Vacant(free) => {
                free.insert(keys.len());
                self.keys.push(KeyRows { hash, key, rows: vec![row] });
            }
        }
    }
}

/// What became of a piece's rows, and of those that they met.
struct Met {
    /// For each row of the piece, whether it matched.
    rows: Vec<bool>,
    /// For each row that was met, by key of the piece and index, whether it matched now.
    stored: Vec<(usize, u32, bool)>,
}

/// Pairs that may match.
#[derive(Default)]
struct Pairs<'s> {
    rows: Vec<u32>,
    /// The other side's row, and its place in [`Met::stored`].
    stored: Vec<(usize, &'s [u8])>,
}

impl JoinShard {
    pub(super) fn new(plan: Arc<Plan>, cx: &EpochContext) -> Result<Self> {
        let (left, right) = (plan.left.codec()?, plan.right.codec()?);
        Ok(JoinShard { now: cx.now, eviction: cx.in_force.eviction, left, right, pieces: Vec::new(), plan })
    }

    fn codec(&self, which: Which) -> &Codec {
        match which {
            Which::Left => &self.left,
            Which::Right => &self.right,
        }
    }

    fn take(&self, which: Which, piece: &Piece, state: &mut ShardState<'_>, out: &mut Out) -> Result<()> {
        let incoming = Incoming::new(which, piece)?;
        self.alone(&incoming, out)?;
        let keys = Keys::of(&incoming).keys;
        let met = self.meet(&incoming, &keys, state, out)?;
        self.settle(which.other(), &keys, &met, state)?;
        self.store(&incoming, &keys, &met, state)
    }

    /// Emits the rows that nothing could match.
    fn alone(&self, incoming: &Incoming<'_>, out: &mut Out) -> Result<()> {
        let rows = incoming.rows().filter(|row| incoming.is(*row, Fate::Alone)).map(|row| row as u32);
        let rows = UInt32Array::from_iter_values(rows);
        if rows.is_empty() {
            return Ok(());
        }
        let columns = taken(incoming.columns, &rows)?;
        out.push((0, padded(&self.plan.schema, incoming.which, columns, rows.len())?));
        Ok(())
    }

    /// Matches a piece's rows with what is stored of the other side, and emits what comes of it.
    fn meet(
        &self,
        incoming: &Incoming<'_>,
        keys: &[KeyRows<'_>],
        state: &ShardState<'_>,
        out: &mut Out,
    ) -> Result<Met> {
        let mut met = Met { rows: vec![false; incoming.hashes.len()], stored: Vec::new() };
        let mut pairs = Pairs::default();
        let mut there = Vec::new();
        for (at, key) in keys.iter().enumerate() {
            there.clear();
            let other = Rows { which: incoming.which.other(), hash: key.hash, key: key.key };
            if key.rows.iter().any(|row| incoming.is(*row, Fate::Match)) {
                other.load(state, &mut there)?;
            }
            let first = met.stored.len();
            met.stored.extend(there.iter().map(|stored: &Stored<'_>| (at, stored.index, false)));
            for row in key.rows.iter().filter(|row| incoming.is(**row, Fate::Match)) {
                for (nth, stored) in there.iter().enumerate() {
                    pairs.rows.push(*row as u32);
                    pairs.stored.push((first + nth, stored.row));
                    if pairs.rows.len() == CHUNK {
                        self.emit(incoming, &mut pairs, &mut met, out)?;
                    }
                }
            }
        }
        self.emit(incoming, &mut pairs, &mut met, out)?;
        if self.plan.semi() && incoming.which == Which::Left {
            self.emit_matched(incoming, &met.rows, out)?;
        }
        Ok(met)
    }

    /// Finds which of the pairs match, and emits them.
    fn emit(
        &self,
        incoming: &Incoming<'_>,
        pairs: &mut Pairs<'_>,
        met: &mut Met,
        out: &mut Out,
    ) -> Result<()> {
        let Pairs { rows, stored } = std::mem::take(pairs);
        if rows.is_empty() {
            return Ok(());
        }
        let batch = self.pair_up(incoming, &rows, &stored)?;
        let matches = match &self.plan.filter {
            Some(filter) => without_nulls(filter.holds(&batch)?),
            None => BooleanArray::from(vec![true; rows.len()]),
        };
        // Of a semi join's pairs, those whose left row matches for the first time.
        let mut news = Vec::with_capacity(rows.len());
        for ((row, (stored, _)), matches) in rows.iter().zip(&stored).zip(matches.values()) {
            let row = met.rows.get_mut(*row as usize);
            let stored = met.stored.get_mut(*stored).map(|(_, _, matched)| matched);
            let (Some(row), Some(stored)) = (row, stored) else {
                return Err(Error::internal("a pair of no rows"));
            };
            news.push(matches && !*stored);
            *row |= matches;
            *stored |= matches;
        }
        match (self.plan.kind, incoming.which) {
            (JoinType::LeftSemi, Which::Left) => Ok(()),
            (JoinType::LeftSemi, Which::Right) => self.push(&batch, &BooleanArray::from(news), out),
            _ => self.push(&batch, &matches, out),
        }
    }

    /// Emits those of `batch` that `kept` has: both sides' columns, or the left's where no more are wanted.
    fn push(&self, batch: &RecordBatch, kept: &BooleanArray, out: &mut Out) -> Result<()> {
        let rows = kept.true_count();
        if rows == 0 {
            return Ok(());
        }
        let wanted = self.plan.schema.fields().len();
        let batch =
            batch.project(&(0..wanted).collect::<Vec<_>>()).doing(Kind::Internal, || "columns of a join")?;
        let batch = match rows == batch.num_rows() {
            true => batch,
            false => filter_record_batch(&batch, kept).doing(Kind::Internal, || "rows that match")?,
        };
        out.push((0, made(&self.plan.schema, batch.columns().to_vec(), rows)?));
        Ok(())
    }

    fn emit_matched(&self, incoming: &Incoming<'_>, matched: &[bool], out: &mut Out) -> Result<()> {
        let rows = (0..).zip(matched).filter(|(_, matched)| **matched).map(|(row, _)| row);
        let rows = UInt32Array::from_iter_values(rows);
        if rows.is_empty() {
            return Ok(());
        }
        out.push((0, made(&self.plan.schema, taken(incoming.columns, &rows)?, rows.len())?));
        Ok(())
    }

    /// The pairs as rows: the left's columns, then the right's.
    fn pair_up(
        &self,
        incoming: &Incoming<'_>,
        rows: &[u32],
        stored: &[(usize, &[u8])],
    ) -> Result<RecordBatch> {
        let new = taken(incoming.columns, &UInt32Array::from(rows.to_vec()))?;
        let old = self.codec(incoming.which.other()).decode(stored.iter().map(|(_, row)| *row))?;
        let columns = match incoming.which {
            Which::Left => [new, old].concat(),
            Which::Right => [old, new].concat(),
        };
        made(&self.plan.pairs, columns, rows.len())
    }

    /// Notes in state which of the other side's rows matched: a row of a semi join that has come out is needed no more.
    fn settle(
        &self,
        other: Which,
        keys: &[KeyRows<'_>],
        met: &Met,
        state: &mut ShardState<'_>,
    ) -> Result<()> {
        let leave = self.plan.semi() && other == Which::Left;
        if !leave && !self.plan.outer(other) {
            return Ok(());
        }
        for same_key in met.stored.chunk_by(|a, b| a.0 == b.0) {
            let Some(key) = same_key.first().and_then(|(at, _, _)| keys.get(*at)) else { continue };
            let matched: Vec<u32> = same_key.iter().filter(|of| of.2).map(|of| of.1).collect();
            let rows = Rows { which: other, hash: key.hash, key: key.key };
            match leave {
                true => rows.remove(state, &matched)?,
                false => rows.set_matched(state, &matched)?,
            }
        }
        Ok(())
    }

    /// Puts a piece's rows into state, those aside that nobody will ask for.
    fn store(
        &self,
        incoming: &Incoming<'_>,
        keys: &[KeyRows<'_>],
        met: &Met,
        state: &mut ShardState<'_>,
    ) -> Result<()> {
        let encoded = self.codec(incoming.which).encode(incoming.columns)?;
        let matched = |row: usize| met.rows.get(row).copied().unwrap_or_default();
        let outer = self.plan.outer(incoming.which);
        let wanted = |row: &usize| match incoming.which {
            Which::Left => !(self.plan.semi() && matched(*row)),
            // The left of this epoch is stored already: what is due has nothing to wait for but to be emitted.
            Which::Right => !self.eviction.covers(incoming.due(*row)) || (outer && !matched(*row)),
        };
        let mut new = Vec::new();
        for key in keys {
            new.clear();
            new.extend(key.rows.iter().copied().filter(wanted).map(|row| New {
                row: encoded.row(row).data(),
                matched: matched(row),
                due: self.plan.timed().then(|| incoming.due(row)),
            }));
            Rows { which: incoming.which, hash: key.hash, key: key.key }.append(state, &new)?;
        }
        Ok(())
    }

    /// Lets go of the rows that nothing can match any more. Those of an outer side that never did come out.
    fn evict(&self, state: &mut ShardState<'_>, out: &mut Out) -> Result<()> {
        let mut due: Vec<Box<[u8]>> = state
            .take_due(Timeline::EventTime, self.eviction.micros())?
            .into_iter()
            .map(|(_, key)| key)
            .collect();
        due.sort_unstable();
        let due = due.iter().map(|key| parts(key)).collect::<Result<Vec<_>>>()?;
        for which in [Which::Left, Which::Right] {
            if self.plan.outer(which) {
                self.emit_unmatched(which, &due, state, out)?;
            }
        }
        for same_key in due.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)) {
            let Some((which, key, _)) = same_key.first().copied() else { continue };
            let indices: Vec<u32> = same_key.iter().map(|of| of.2).collect();
            Rows { which, hash: crate::hash(key), key }.remove(state, &indices)?;
        }
        Ok(())
    }

    fn emit_unmatched(
        &self,
        which: Which,
        due: &[(Which, &[u8], u32)],
        state: &ShardState<'_>,
        out: &mut Out,
    ) -> Result<()> {
        let mut rows = Vec::new();
        for of in due.iter().filter(|of| of.0 == which) {
            let stored = row_of(state, crate::hash(of.1), *of)?;
            if !stored.matched {
                rows.push(stored.row);
            }
        }
        for rows in rows.chunks(CHUNK) {
            let columns = self.codec(which).decode(rows.iter().copied())?;
            out.push((0, padded(&self.plan.schema, which, columns, rows.len())?));
        }
        Ok(())
    }
}

impl Operator for JoinShard {
    fn on_piece(&mut self, input: usize, piece: Piece) -> Result<()> {
        self.pieces.push((self.plan.of_input(input), piece));
        Ok(())
    }

    fn on_epoch_end(&mut self, state: &mut ShardState<'_>, out: &mut Out) -> Result<()> {
        let _now = EpochTime::set(self.now.0);
        // The left's inputs are the first ones.
        let mut pieces = std::mem::take(&mut self.pieces).into_iter().peekable();
        while let Some((which, piece)) = pieces.next() {
            let mut rows = piece.hashes.len();
            let mut parts = vec![piece];
            while let Some((_, next)) =
                pieces.next_if(|(of, next)| *of == which && rows + next.hashes.len() <= TOGETHER)
            {
                rows += next.hashes.len();
                parts.push(next);
            }
            self.take(which, &whole(parts)?, state, out)?;
        }
        if self.plan.timed() {
            self.evict(state, out)?;
        }
        Ok(())
    }
}

fn whole(pieces: Vec<Piece>) -> Result<Piece> {
    let schema = match pieces.as_slice() {
        [several, _, ..] => several.rows.schema(),
        _ => return pieces.into_iter().next().ok_or_else(|| Error::internal("no piece to join")),
    };
    let rows = concat_batches(&schema, pieces.iter().map(|piece| &piece.rows));
    let rows = rows.doing(Kind::Internal, || "pieces of a side")?;
    Ok(Piece::new(rows, pieces.into_iter().flat_map(|piece| piece.hashes).collect()))
}

fn taken(columns: &[ArrayRef], rows: &UInt32Array) -> Result<Vec<ArrayRef>> {
    take_arrays(columns, rows, None).doing(Kind::Internal, || "rows of a join")
}

fn without_nulls(holds: BooleanArray) -> BooleanArray {
    if holds.null_count() > 0 { prep_null_mask_filter(&holds) } else { holds }
}
