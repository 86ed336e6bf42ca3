//! The rows of a shard's epoch, by key.
//!
//! ```text
//! pieces ──► Held ──in order──────────────────────► units
//!             │ more than it may hold               ▲
//!             └─in order──► Run, Run, … ──► Merge ──┘
//! ```
//!
//! Rows are held in memory up to a bound; what is beyond it goes, in order, to files without a name. So an epoch takes no more
//! memory than the bound and what its largest key has, whose rows belong together.
//!
//! # Invariants
//!
//! - Rows are ordered by key, those of a key by input, partition and when they were sent. Which units they are divided into follows
//!   from the rows alone: neither the bound shows, nor when pieces came.

mod held;
mod merge;
mod run;

use super::groups::Unit;
use arrow::datatypes::SchemaRef;
use engine::{Error, Kind, Origin, Partition, Piece, Result, ResultExt};
use held::{Held, InOrder};
use merge::Merge;
use run::{Layout, Run};
use std::{path::PathBuf, sync::Arc};

/// Runs that are merged at once. The bound is divided among what is read of each.
const FAN_IN: usize = 32;

/// Takes rows in any order of keys.
pub(super) struct Sorter {
    layout: Arc<Layout>,
    bound: Bound,
    held: Held,
    runs: Vec<Run>,
    origins: Vec<Origin>,
    rows: usize,
    bytes: usize,
}

/// How much may be held, and where the rest goes.
#[derive(Clone, Debug)]
pub(super) struct Bound {
    /// Bytes.
    pub(super) most: usize,
    /// A directory.
    pub(super) scratch: PathBuf,
}

/// Where rows in order are.
enum Sorted {
    /// All of them are in memory.
    Held(InOrder),
    /// Some are in files. None while it is being read.
    Merged(Option<Merge>),
}

/// How many rows a unit may have.
#[derive(Clone, Copy, Debug)]
pub(super) struct UnitSize {
    pub(super) rows: usize,
    pub(super) bytes: usize,
}

/// Rows in order, in units.
pub(super) struct InUnits {
    sorted: Sorted,
    /// Rows of a unit, but for a key that has more.
    most: usize,
}

impl Sorter {
    /// Of rows of these columns.
    pub(super) fn new(input: &SchemaRef, bound: Bound) -> Self {
        let (held, runs, origins) = Default::default();
        Sorter { layout: Arc::new(Layout::new(input)), bound, held, runs, origins, rows: 0, bytes: 0 }
    }

    /// What came so far, which is what there is from now on with the one that is left.
    pub(super) fn take(&mut self) -> Self {
        let empty = Sorter::new(&self.layout.input, self.bound.clone());
        std::mem::replace(self, empty)
    }

    /// Takes the rows that a partition of an input sent; those of one partition come in the order in which they were sent.
    pub(super) async fn add(&mut self, input: usize, partition: Partition, piece: Piece) -> Result<()> {
        let number = self.origins.len() as u32;
        self.origins.push(piece.origin);
        let from = (input as u64) << 32 | u64::from(partition.0);
        let bytes = self.held.add(&self.layout, from, number, &piece.rows)?;
        self.rows += piece.rows.num_rows();
        self.bytes += bytes;
        match self.held.bytes() > self.bound.most {
            true => self.spill().await,
            false => Ok(()),
        }
    }

    /// Puts what is held into a file. Where there are many files already, these become one: which is older than the new one then
    /// still stands.
    async fn spill(&mut self) -> Result<()> {
        let (held, mut runs) = (std::mem::take(&mut self.held), std::mem::take(&mut self.runs));
        let (layout, bound) = (self.layout.clone(), self.bound.clone());
        let chunk = self.chunk();
        self.runs = apart(move || {
            runs.push(Run::write(&layout, &bound, InOrder::of(held)?.chunks(&layout, chunk))?);
            if runs.len() < FAN_IN {
                return Ok(runs);
            }
            let merge = Merge::new(layout.clone(), runs)?;
            Ok(vec![Run::write(&layout, &bound, merge.chunks(chunk))?])
        })
        .await?;
        Ok(())
    }

    /// Rows that are written, and read again, together: so many that one chunk of each run fits into the bound.
    fn chunk(&self) -> usize {
        (self.bound.most / FAN_IN / self.row_bytes()).clamp(1, 8192)
    }

    /// About how many bytes a row has.
    fn row_bytes(&self) -> usize {
        self.bytes.div_ceil(self.rows.max(1)).max(1)
    }

    /// No more rows come. Beside them, where those of each piece were in their source.
    pub(super) async fn units(mut self, size: UnitSize) -> Result<(InUnits, Vec<Origin>)> {
        let most = (size.bytes / self.row_bytes()).clamp(1, size.rows);
        let sorted = match self.runs.is_empty() {
            true => Sorted::Held(InOrder::of(std::mem::take(&mut self.held))?),
            false => {
                if !self.held.is_empty() {
                    self.spill().await?;
                }
                let (layout, runs) = (self.layout.clone(), std::mem::take(&mut self.runs));
                Sorted::Merged(Some(apart(move || Merge::new(layout, runs)).await?))
            }
        };
        Ok((InUnits { sorted, most }, self.origins))
    }

    /// Bytes of the rows that are held, and files.
    #[cfg(test)]
    fn held(&self) -> (usize, usize) {
        (self.held.bytes(), self.runs.len())
    }
}

impl InUnits {
    /// The next rows; none at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Unit>> {
        let most = self.most;
        match &mut self.sorted {
            Sorted::Held(rows) => rows.unit(most),
            Sorted::Merged(merge) => {
                let mut reading = merge.take().ok_or_else(lost)?;
                let (unit, reading) = apart(move || Ok((reading.unit(most)?, reading))).await?;
                *merge = Some(reading);
                Ok(unit)
            }
        }
    }
}

/// Does what reads and writes files where nobody waits for it but who asked.
async fn apart<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .doing(Kind::Internal, || "rows by key, on a thread of their own")?
}

/// About the arrow library's refusals, which are ours to prevent.
fn sorting<T>(done: std::result::Result<T, arrow::error::ArrowError>) -> Result<T> {
    done.doing(Kind::Internal, || "rows by key")
}

fn lost() -> Error {
    Error::internal("a row is lost while rows are ordered by key")
}

#[cfg(test)]
mod tests;
