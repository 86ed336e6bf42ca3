//! The files that one partition of an epoch is writing.

use super::{
    disk::{create_dir, failed, parent},
    epoch::Job,
    manifest::Entry,
    names,
};
use crate::formats::encode::FileEncoder;
use arrow::array::RecordBatch;
use engine::{Partition, Result};
use std::{
    collections::HashMap,
    fs::File,
    path::{Path, PathBuf},
    sync::Arc,
};

/// How many files of one partition are open at most; the one written longest ago is closed for another.
const OPEN_FILES: usize = 64;

/// How much the encoders of one partition hold in memory at most, in bytes, before the fullest writes it out.
const HELD_BYTES: usize = 48 << 20;

/// Writes the rows of one partition, each directory to a file of its own, one after the other as they get full.
#[derive(Default)]
pub(super) struct Lane {
    open: HashMap<String, OpenFile>,
    finished: Vec<Entry>,
    /// Files so far; the next one's number.
    sequence: u32,
    /// Writes so far, to know which file has not been written to for longest.
    clock: u64,
}

struct OpenFile {
    staged: PathBuf,
    entry: Entry,
    file: Arc<File>,
    encoder: FileEncoder<Arc<File>>,
    written_at: u64,
}

impl Lane {
    /// Appends rows to the file of `folder`.
    pub(super) fn write(
        &mut self,
        job: &Job,
        lane: Partition,
        folder: String,
        rows: &RecordBatch,
    ) -> Result<()> {
        let mut rest = rows.clone();
        while rest.num_rows() > 0 {
            self.make_room(&folder)?;
            let file = self.file(job, lane, &folder)?;
            let room = job.max_rows.saturating_sub(file.entry.rows).max(1);
            let now = rest.slice(0, rest.num_rows().min(usize::try_from(room).unwrap_or(usize::MAX)));
            rest = rest.slice(now.num_rows(), rest.num_rows() - now.num_rows());
            file.write(&now)?;
            if file.entry.rows >= job.max_rows || file.encoder.bytes() >= job.max_bytes {
                self.close(&folder)?;
            }
        }
        self.bound_memory()
    }

    /// Closes every file and answers what was written, in no order.
    pub(super) fn finish(&mut self) -> Result<Vec<Entry>> {
        for (_, file) in std::mem::take(&mut self.open) {
            self.finished.push(file.close()?);
        }
        Ok(std::mem::take(&mut self.finished))
    }

    fn file(&mut self, job: &Job, lane: Partition, folder: &str) -> Result<&mut OpenFile> {
        self.clock += 1;
        let file = match self.open.remove(folder) {
            Some(file) => file,
            None => {
                self.sequence += 1;
                OpenFile::create(job, lane, folder, self.sequence - 1)?
            }
        };
        let file = self.open.entry(folder.to_owned()).or_insert(file);
        file.written_at = self.clock;
        Ok(file)
    }

    fn close(&mut self, folder: &str) -> Result<()> {
        if let Some(file) = self.open.remove(folder) {
            self.finished.push(file.close()?);
        }
        Ok(())
    }

    fn make_room(&mut self, folder: &str) -> Result<()> {
        if self.open.len() < OPEN_FILES || self.open.contains_key(folder) {
            return Ok(());
        }
        let oldest =
            self.open.iter().min_by_key(|(_, file)| file.written_at).map(|(folder, _)| folder.clone());
        oldest.map_or(Ok(()), |folder| self.close(&folder))
    }

    fn bound_memory(&mut self) -> Result<()> {
        let held: usize = self.open.values().map(|file| file.encoder.held()).sum();
        if held <= HELD_BYTES {
            return Ok(());
        }
        let fullest = self.open.values_mut().max_by_key(|file| file.encoder.held());
        fullest.map_or(Ok(()), OpenFile::flush)
    }
}

impl OpenFile {
    fn create(job: &Job, lane: Partition, folder: &str, sequence: u32) -> Result<Self> {
        let name = job.ticket.staged(lane, sequence);
        let staged = job.ledger.staged(&name);
        create_dir(parent(&staged))?;
        let file = File::options()
            .write(true)
            .create_new(true)
            .open(&staged)
            .map_err(failed("creating", &staged))?;
        let file = Arc::new(file);
        let encoder = job.encoding.file(job.codec, &job.file_schema, &job.zone, file.clone())?;
        let published = names::published(&job.begin, &job.ticket, lane, sequence, &job.extension);
        let entry = Entry { staged: name, path: folder.to_owned() + &published, rows: 0, bytes: 0 };
        Ok(OpenFile { staged, entry, file, encoder, written_at: 0 })
    }

    fn write(&mut self, rows: &RecordBatch) -> Result<()> {
        self.encoder.write(rows).map_err(|e| e.while_doing(writing(&self.staged)))?;
        self.entry.rows += rows.num_rows() as u64;
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        self.encoder.flush().map_err(|e| e.while_doing(writing(&self.staged)))
    }

    fn close(mut self) -> Result<Entry> {
        self.encoder.finish().map_err(|e| e.while_doing(writing(&self.staged)))?;
        let synced = self.file.sync_all().and_then(|()| self.file.metadata());
        self.entry.bytes = synced.map_err(failed("syncing", &self.staged))?.len();
        Ok(self.entry)
    }
}

fn writing(staged: &Path) -> String {
    format!("writing {}; the output directory must be writable and have room", staged.display())
}
