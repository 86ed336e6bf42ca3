//! `JOIN` of a stream with a table: each row of the stream with the rows that the table has in the running epoch.

use super::{
    chain::{Chain, made},
    rows::{Codec, as_key},
};
use crate::{Error, Kind, Result, ResultExt, TableRows, Wanted, plan::NamedTable, sql::Expression};
use arrow::{
    array::{Array, ArrayRef, BooleanArray, RecordBatch, UInt32Array},
    buffer::NullBuffer,
    compute::take_arrays,
    datatypes::SchemaRef,
};
use datafusion_common::JoinType;
use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

/// Pairs that are looked at together.
const CHUNK: usize = 8192;

/// A join with a table on the right.
pub(crate) struct TableJoin {
    /// Inner, left outer, left semi or left anti.
    pub(crate) kind: JoinType,
    pub(crate) table: Arc<NamedTable>,
    /// What happens to the table's rows before they are joined.
    pub(crate) before: Chain,
    /// What is to be equal, of the stream and of the table.
    pub(crate) keys: [Vec<Expression>; 2],
    /// Whether a NULL among the keys is equal to a NULL.
    pub(crate) null_safe: bool,
    /// What must hold beside the keys, over `pairs`.
    pub(crate) filter: Option<Expression>,
    /// How many columns the stream has.
    pub(crate) width: usize,
    /// The columns of the stream, then those of the table.
    pub(crate) pairs: SchemaRef,
    /// What comes out.
    pub(crate) schema: SchemaRef,
    /// The table's rows by key, of the version that was last asked for.
    pub(crate) index: Mutex<Option<Arc<Index>>>,
}

/// A version of the table, ready to be looked up.
pub(crate) struct Index {
    of: Arc<TableRows>,
    columns: Vec<ArrayRef>,
    rows: HashMap<Box<[u8]>, Vec<u32>>,
}

/// Rows of the stream and of the table that go together; none of the table stands for NULLs.
#[derive(Default)]
struct Pairs {
    left: Vec<u32>,
    right: Vec<Option<u32>>,
}

impl TableJoin {
    pub(crate) fn text(&self) -> String {
        let [left, right] = &self.keys;
        let keys = left.iter().zip(right).map(|(l, r)| format!("{} = {}", l.text(), r.text()));
        let kind = match self.kind {
            JoinType::Left => "left outer join",
            JoinType::LeftSemi => "left semi join",
            JoinType::LeftAnti => "left anti join",
            _ => "inner join",
        };
        let filter =
            self.filter.iter().map(|filter| format!(", where {}", filter.text())).collect::<String>();
        format!(
            "{kind} with table `{}` on {}{filter}",
            self.table.name,
            keys.collect::<Vec<_>>().join(" and ")
        )
    }

    /// Which columns of the stream have to be there for those of what comes out.
    pub(crate) fn reads(&self, wanted: &Wanted) -> Wanted {
        let of_stream = |all: &Wanted| all.through(self.width, |column| [column].into_iter().collect());
        let [keys, _] = &self.keys;
        let own =
            of_stream(wanted).and(keys.iter().map(Expression::reads).fold(Wanted::nothing(), Wanted::and));
        self.filter.iter().map(|filter| of_stream(&filter.reads())).fold(own, Wanted::and)
    }

    pub(crate) fn run(&self, rows: &RecordBatch) -> Result<RecordBatch> {
        let index = self.index()?;
        let matching = self.matching(rows, &index)?;
        let pairs = match self.kind {
            JoinType::Left => with_the_others(rows.num_rows(), &matching),
            JoinType::LeftSemi | JoinType::LeftAnti => {
                let left = on_their_own(rows.num_rows(), &matching, self.kind == JoinType::LeftSemi);
                let columns = taken(rows.columns(), &UInt32Array::from(left))?;
                let count = columns.first().map_or(0, |column| column.len());
                return made(&self.schema, columns, count);
            }
            _ => matching,
        };
        self.rows_of(&self.schema, rows, &index, &pairs)
    }

    fn index(&self) -> Result<Arc<Index>> {
        let held = self.table.held();
        let held =
            held.ok_or_else(|| Error::internal(format!("table `{}` was not read", self.table.name)))?;
        let mut index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(index) = index.as_ref().filter(|index| Arc::ptr_eq(&index.of, &held)) {
            return Ok(index.clone());
        }
        let made = Arc::new(self.indexed(held)?);
        *index = Some(made.clone());
        Ok(made)
    }

    fn indexed(&self, of: Arc<TableRows>) -> Result<Index> {
        let rows = self.before.run(&of.rows)?;
        let mut index = Index { of, columns: rows.columns().to_vec(), rows: HashMap::new() };
        let [_, keys] = &self.keys;
        let (keys, nulls) = self.encoded(keys, &rows)?;
        for (row, key) in (0..).zip(&keys) {
            if !nulls.as_ref().is_some_and(|nulls| nulls.is_null(row as usize)) {
                index.rows.entry(key.data().into()).or_default().push(row);
            }
        }
        Ok(index)
    }

    /// The keys as bytes, and which of them are equal to nothing.
    fn encoded(
        &self,
        keys: &[Expression],
        rows: &RecordBatch,
    ) -> Result<(arrow::row::Rows, Option<NullBuffer>)> {
        let codec = Codec::new(keys.iter().map(Expression::data_type))?;
        let keys = keys.iter().map(|key| as_key(key.evaluate(rows)?)).collect::<Result<Vec<_>>>()?;
        let nulls = keys
            .iter()
            .fold(None, |nulls, key| NullBuffer::union(nulls.as_ref(), key.logical_nulls().as_ref()));
        Ok((codec.encode(&keys)?, nulls.filter(|_| !self.null_safe)))
    }

    /// The pairs that match, in the order of the stream's rows.
    fn matching(&self, rows: &RecordBatch, index: &Index) -> Result<Pairs> {
        let [keys, _] = &self.keys;
        let (keys, nulls) = self.encoded(keys, rows)?;
        let (mut all, mut some) = (Pairs::default(), Pairs::default());
        for (row, key) in (0..).zip(&keys) {
            if nulls.as_ref().is_some_and(|nulls| nulls.is_null(row as usize)) {
                continue;
            }
            for found in index.rows.get(key.data()).into_iter().flatten() {
                some.left.push(row);
                some.right.push(Some(*found));
                if some.left.len() == CHUNK {
                    self.keep(rows, index, std::mem::take(&mut some), &mut all)?;
                }
            }
        }
        self.keep(rows, index, some, &mut all)?;
        Ok(all)
    }

    fn keep(&self, rows: &RecordBatch, index: &Index, some: Pairs, all: &mut Pairs) -> Result<()> {
        let holds = match &self.filter {
            Some(filter) if !some.left.is_empty() => {
                filter.holds(&self.rows_of(&self.pairs, rows, index, &some)?)?
            }
            _ => BooleanArray::from(vec![true; some.left.len()]),
        };
        for (pair, holds) in some.left.into_iter().zip(some.right).zip(&holds) {
            if holds == Some(true) {
                all.left.push(pair.0);
                all.right.push(pair.1);
            }
        }
        Ok(())
    }

    fn rows_of(
        &self,
        schema: &SchemaRef,
        rows: &RecordBatch,
        index: &Index,
        pairs: &Pairs,
    ) -> Result<RecordBatch> {
        let left = taken(rows.columns(), &UInt32Array::from(pairs.left.clone()))?;
        let right = taken(&index.columns, &UInt32Array::from(pairs.right.clone()))?;
        made(schema, [left, right].concat(), pairs.left.len())
    }
}

impl fmt::Debug for TableJoin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

/// The pairs, and in its place each row that is in none of them.
fn with_the_others(rows: usize, pairs: &Pairs) -> Pairs {
    let mut all = Pairs::default();
    let mut matching = pairs.left.iter().zip(&pairs.right).peekable();
    for row in 0..rows as u32 {
        let before = all.left.len();
        while let Some((_, right)) = matching.next_if(|(left, _)| **left == row) {
            all.left.push(row);
            all.right.push(*right);
        }
        if all.left.len() == before {
            all.left.push(row);
            all.right.push(None);
        }
    }
    all
}

/// The rows that are in a pair, or those that are in none.
fn on_their_own(rows: usize, pairs: &Pairs, matched: bool) -> Vec<u32> {
    (0..rows as u32).filter(|row| pairs.left.binary_search(row).is_ok() == matched).collect()
}

fn taken(columns: &[ArrayRef], rows: &UInt32Array) -> Result<Vec<ArrayRef>> {
    take_arrays(columns, rows, None).doing(Kind::Internal, || "rows of a join")
}

#[cfg(test)]
mod tests;
