//! Rows of several files, in order.

use super::{
    super::groups::{Group, Unit, Work},
    lost,
    run::{Cursor, Layout, Run},
    sorting,
};
use arrow::{array::RecordBatch, compute::interleave_record_batch};
use engine::{Result, keyed::Key};
use std::{cmp::Ordering, sync::Arc};

/// Rows of several runs, in order.
pub(in crate::keyed) struct Merge {
    layout: Arc<Layout>,
    /// By age: of rows of the same key, input and partition those of the older run come first.
    runs: Vec<Cursor>,
    /// The runs that have rows left, by the row that each is at.
    order: Vec<usize>,
    picked: Picked,
}

/// Rows that were taken from the runs, and not yet handed on.
#[derive(Default)]
struct Picked {
    chunks: Vec<RecordBatch>,
    /// The chunk and the row in it.
    rows: Vec<(usize, usize)>,
    groups: Vec<Group>,
    /// For each run, where its chunk is among `chunks`, if it is.
    of_run: Vec<Option<usize>>,
}

impl Merge {
    /// Of these runs, the oldest first.
    pub(super) fn new(layout: Arc<Layout>, runs: Vec<Run>) -> Result<Self> {
        let runs = runs.into_iter().filter_map(|run| Cursor::new(run).transpose());
        let runs = runs.collect::<Result<Vec<_>>>()?;
        let mut order: Vec<usize> = (0..runs.len()).collect();
        order.sort_by(|a, b| compare(&runs, *a, *b));
        let picked = Picked { of_run: vec![None; runs.len()], ..Picked::default() };
        Ok(Merge { layout, runs, order, picked })
    }

    /// Whole keys with so many rows, or one key that has more; none at the end.
    pub(super) fn unit(&mut self, most: usize) -> Result<Option<Unit>> {
        // Until there are too many rows, and they are of more than one key.
        while (self.picked.rows.len() <= most || self.picked.groups.len() < 2) && self.pick()? {}
        let whole = match self.picked.rows.len() > most && self.picked.groups.len() > 1 {
            true => self.picked.groups.len() - 1,
            false => self.picked.groups.len(),
        };
        let (groups, rows) = self.picked.take(whole)?;
        if groups.is_empty() {
            return Ok(None);
        }
        let (rows, places) = self.layout.split(&rows)?;
        Ok(Some(Unit::new(Work::Rows { rows, places, groups })))
    }

    /// All rows as a file has them, so many at a time.
    pub(super) fn chunks(mut self, most: usize) -> impl Iterator<Item = Result<RecordBatch>> {
        std::iter::from_fn(move || self.chunk(most).transpose())
    }

    /// What is read of the files and not yet handed on.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        let read = self.runs.iter().map(|run| &run.chunk);
        let picked = self.picked.chunks.iter();
        read.chain(picked)
            .map(|chunk| {
                chunk.columns().iter().map(|c| c.to_data().get_slice_memory_size().unwrap()).sum::<usize>()
            })
            .sum()
    }

    fn chunk(&mut self, most: usize) -> Result<Option<RecordBatch>> {
        while self.picked.rows.len() < most && self.pick()? {}
        let (groups, rows) = self.picked.take(self.picked.groups.len())?;
        Ok((!groups.is_empty()).then_some(rows))
    }

    /// Takes the first row of all that are left. False if there is none.
    fn pick(&mut self) -> Result<bool> {
        let Some(run) = self.order.first().copied() else { return Ok(false) };
        let cursor = self.runs.get_mut(run).ok_or_else(lost)?;
        self.picked.add(run, cursor)?;
        let (before, of_run) = (cursor.chunk.num_rows(), self.picked.of_run.get_mut(run));
        let last = cursor.row + 1 == before;
        let left = cursor.advance()?;
        if let (true, Some(of_run)) = (last, of_run) {
            *of_run = None;
        }
        self.order.remove(0);
        if left {
            let runs = &self.runs;
            let at = self.order.partition_point(|other| compare(runs, *other, run) == Ordering::Less);
            self.order.insert(at, run);
        }
        Ok(true)
    }
}

impl Picked {
    /// Adds the row that a cursor is at.
    fn add(&mut self, run: usize, cursor: &Cursor) -> Result<()> {
        let of_run = self.of_run.get_mut(run).ok_or_else(lost)?;
        let chunk = *of_run.get_or_insert_with(|| {
            self.chunks.push(cursor.chunk.clone());
            self.chunks.len() - 1
        });
        let (key, _) = cursor.head();
        let at = self.rows.len();
        self.rows.push((chunk, cursor.row));
        match self.groups.last_mut().filter(|group| *group.key.bytes == *key) {
            Some(group) => group.rows.end = at + 1,
            None => self.groups.push(Group { key: Key::of(key), rows: at..at + 1 }),
        }
        Ok(())
    }

    /// The first so many groups with their rows. The others stay, as do their chunks alone.
    fn take(&mut self, groups: usize) -> Result<(Vec<Group>, RecordBatch)> {
        let left = self.groups.split_off(groups);
        let taken = std::mem::replace(&mut self.groups, left);
        let end = taken.last().map_or(0, |group| group.rows.end);
        let rows_left = self.rows.split_off(end);
        let rows = std::mem::replace(&mut self.rows, rows_left);
        let chunks: Vec<&RecordBatch> = self.chunks.iter().collect();
        let made = match rows.is_empty() {
            true => RecordBatch::new_empty(Arc::new(arrow::datatypes::Schema::empty())),
            false => sorting(interleave_record_batch(&chunks, &rows))?,
        };
        self.groups.iter_mut().for_each(|group| group.rows = group.rows.start - end..group.rows.end - end);
        self.forget();
        Ok((taken, made))
    }

    /// Lets go of the chunks that no row is of any more.
    fn forget(&mut self) {
        let mut kept: Vec<Option<usize>> = vec![None; self.chunks.len()];
        let mut chunks = Vec::new();
        for (chunk, _) in &mut self.rows {
            let Some(to) = kept.get_mut(*chunk) else { continue };
            *chunk = *to.get_or_insert_with(|| {
                chunks.extend(self.chunks.get(*chunk).cloned());
                chunks.len() - 1
            });
        }
        for of_run in &mut self.of_run {
            *of_run = of_run.and_then(|chunk| kept.get(chunk).copied().flatten());
        }
        self.chunks = chunks;
    }
}

/// Which of two runs is at the earlier row.
fn compare(runs: &[Cursor], a: usize, b: usize) -> Ordering {
    let head = |run: usize| runs.get(run).map(Cursor::head);
    head(a).cmp(&head(b)).then(a.cmp(&b))
}
