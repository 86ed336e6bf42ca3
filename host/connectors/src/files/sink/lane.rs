//! The files that one partition of an epoch is writing.

use super::{epoch::Job, names};
use crate::formats::encode::FileEncoder;
use arrow::array::RecordBatch;
use engine::{Partition, Result};
use std::{collections::HashMap, io::Write};

/// How many files of one partition are open at most; the one written longest ago is closed for another.
const OPEN_FILES: usize = 64;

/// How much the encoders of one partition hold in memory at most, in bytes, before the fullest writes it out.
const HELD_BYTES: usize = 48 << 20;

/// Where files are written, before anybody sees them.
pub(super) trait Shelf {
    /// Takes the bytes of a file.
    type Out: Write + Clone + Send;
    /// A file that is whole and durable.
    type Entry: Send;

    /// Begins a file: its name until it is published, and its path in the output.
    fn create(&self, staged: &str, path: &str) -> Result<Self::Out>;

    /// Ends a file to which everything was written.
    fn close(&self, out: Self::Out, staged: String, path: String, rows: u64) -> Result<Self::Entry>;

    /// Where it is, for messages.
    fn shown(&self, staged: &str, path: &str) -> String;
}

/// Writes the rows of one partition, each directory to a file of its own, one after the other as they get full.
pub(super) struct Lane<S: Shelf> {
    open: HashMap<String, OpenFile<S>>,
    finished: Vec<S::Entry>,
    /// Files so far; the next one's number.
    sequence: u32,
    /// Writes so far, to know which file has not been written to for longest.
    clock: u64,
}

struct OpenFile<S: Shelf> {
    staged: String,
    path: String,
    rows: u64,
    out: S::Out,
    encoder: FileEncoder<S::Out>,
    written_at: u64,
}

impl<S: Shelf> Default for Lane<S> {
    fn default() -> Self {
        Lane { open: HashMap::new(), finished: Vec::new(), sequence: 0, clock: 0 }
    }
}

impl<S: Shelf> Lane<S> {
    /// Appends rows to the file of `folder`.
    pub(super) fn write(
        &mut self,
        job: &Job,
        shelf: &S,
        lane: Partition,
        folder: String,
        rows: &RecordBatch,
    ) -> Result<()> {
        let mut rest = rows.clone();
        while rest.num_rows() > 0 {
            self.make_room(shelf, &folder)?;
            let file = self.file(job, shelf, lane, &folder)?;
            let room = job.max_rows.saturating_sub(file.rows).max(1);
            let now = rest.slice(0, rest.num_rows().min(usize::try_from(room).unwrap_or(usize::MAX)));
            rest = rest.slice(now.num_rows(), rest.num_rows() - now.num_rows());
            file.write(shelf, &now)?;
            if file.rows >= job.max_rows || file.encoder.bytes() >= job.max_bytes {
                self.close(shelf, &folder)?;
            }
        }
        self.bound_memory(shelf)
    }

    /// Closes every file and answers what was written, in no order.
    pub(super) fn finish(&mut self, shelf: &S) -> Result<Vec<S::Entry>> {
        for (_, file) in std::mem::take(&mut self.open) {
            self.finished.push(file.close(shelf)?);
        }
        Ok(std::mem::take(&mut self.finished))
    }

    fn file(&mut self, job: &Job, shelf: &S, lane: Partition, folder: &str) -> Result<&mut OpenFile<S>> {
        self.clock += 1;
        let file = match self.open.remove(folder) {
            Some(file) => file,
            None => {
                self.sequence += 1;
                OpenFile::create(job, shelf, lane, folder, self.sequence - 1)?
            }
        };
        let file = self.open.entry(folder.to_owned()).or_insert(file);
        file.written_at = self.clock;
        Ok(file)
    }

    fn close(&mut self, shelf: &S, folder: &str) -> Result<()> {
        if let Some(file) = self.open.remove(folder) {
            self.finished.push(file.close(shelf)?);
        }
        Ok(())
    }

    fn make_room(&mut self, shelf: &S, folder: &str) -> Result<()> {
        if self.open.len() < OPEN_FILES || self.open.contains_key(folder) {
            return Ok(());
        }
        let oldest =
            self.open.iter().min_by_key(|(_, file)| file.written_at).map(|(folder, _)| folder.clone());
        oldest.map_or(Ok(()), |folder| self.close(shelf, &folder))
    }

    fn bound_memory(&mut self, shelf: &S) -> Result<()> {
        let held: usize = self.open.values().map(|file| file.encoder.held()).sum();
        if held <= HELD_BYTES {
            return Ok(());
        }
        let fullest = self.open.values_mut().max_by_key(|file| file.encoder.held());
        fullest.map_or(Ok(()), |file| file.flush(shelf))
    }
}

impl<S: Shelf> OpenFile<S> {
    fn create(job: &Job, shelf: &S, lane: Partition, folder: &str, sequence: u32) -> Result<Self> {
        let staged = job.ticket.staged(lane, sequence);
        let name = names::published(&job.begin, &job.ticket, lane, sequence, &job.extension, job.by_writer);
        let path = folder.to_owned() + &name;
        let out = shelf.create(&staged, &path)?;
        let encoder = job.encoding.file(job.codec, &job.file_schema, &job.zone, out.clone())?;
        Ok(OpenFile { staged, path, rows: 0, out, encoder, written_at: 0 })
    }

    fn write(&mut self, shelf: &S, rows: &RecordBatch) -> Result<()> {
        self.encoder.write(rows).map_err(|e| e.while_doing(self.writing(shelf)))?;
        self.rows += rows.num_rows() as u64;
        Ok(())
    }

    fn flush(&mut self, shelf: &S) -> Result<()> {
        self.encoder.flush().map_err(|e| e.while_doing(self.writing(shelf)))
    }

    fn close(self, shelf: &S) -> Result<S::Entry> {
        let writing = self.writing(shelf);
        self.encoder.finish().map_err(|e| e.while_doing(writing))?;
        shelf.close(self.out, self.staged, self.path, self.rows)
    }

    fn writing(&self, shelf: &S) -> String {
        let shown = shelf.shown(&self.staged, &self.path);
        format!("writing {shown}; the output directory must be writable and have room")
    }
}
