//! Epochs of files in an object store, which has no rename.

use super::{
    AtStep,
    epoch::Job,
    lane::{Lane, Shelf},
    names::{Ticket, file_safe},
};
use crate::stores::{Root, Uploads, failed_io};
use arrow::array::RecordBatch;
use async_trait::async_trait;
use bytes::Bytes;
use engine::{Begin, Begun, Epoch, EpochWriter, Error, Kind, Partition, QueryId, Result, ResultExt, Token};
use object_store::{MultipartId, PutMode, UpdateVersion, multipart::PartId};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::{
    collections::BTreeMap,
    io::{self, ErrorKind, Write},
    sync::{Arc, Mutex, PoisonError},
};

/// What goes as one piece of an upload, which must not be less than 5 MiB.
const PART_BYTES: usize = 8 << 20;

const VERSION: u32 = 1;

/// The records of one sink of one query, `<output>/.streamhost/<query id>/<sink>/`:
///
/// ```text
/// head                            JSON: which writer has which epoch; replaced only by who has seen it as it is
/// manifests/<epoch>-<writer>      JSON: the uploads that a writer wants completed
/// ```
///
/// # Why nothing is staged
///
/// A file is uploaded in pieces under its final name, where it is not there until the upload is completed: then all of it
/// is, at once. An upload that is not completed costs a copy of nothing, is seen by nobody, and can be completed by whoever
/// knows its pieces. So a writer puts down what is to be completed (the manifest), gets itself into the head (the commit),
/// and completes; if it dies in between, the next host completes the same uploads. Copying from a staging place instead
/// would move every byte twice, and leave a half of a large copy to be undone.
///
/// # Invariants
///
/// - The head names one writer an epoch, and no epoch below its floor gets one any more. It is replaced by compare and swap, so of
///   two hosts one wins and the other sees that it has lost.
/// - Files have their writer in their names: no writer completes or aborts another's upload but by a manifest.
/// - `published` in the head is an epoch whose uploads are all completed. Those of a later one are completed again, which
///   changes nothing.
pub(super) struct ObjectLedger {
    root: Root,
    uploads: Arc<Uploads>,
    home: String,
    at_step: Option<AtStep>,
    /// Uploads that no manifest names yet, by the paths of their files.
    begun: Mutex<Vec<(String, MultipartId)>>,
}

/// Uploads of an epoch that failed would lie in the store, and be paid for, until somebody cleans up.
impl Drop for ObjectLedger {
    fn drop(&mut self) {
        self.unnamed().into_iter().for_each(|(path, upload)| self.uploads.abandon(&path, upload));
    }
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    version: u32,
    /// Epochs below this one are finished for good.
    floor: u64,
    /// The newest epoch whose files are all there.
    published: Option<u64>,
    /// By epoch, whose it is.
    writers: BTreeMap<u64, String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    version: u32,
    epoch: Epoch,
    writer: String,
    files: Vec<Entry>,
}

/// One file.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    /// Its path, relative to the output.
    path: String,
    /// The store's name for the upload, and for each of its pieces.
    upload: MultipartId,
    parts: Vec<String>,
    rows: u64,
    bytes: u64,
}

impl Manifest {
    fn token(&self) -> Token {
        let rows: u64 = self.files.iter().map(|f| f.rows).sum();
        let bytes: u64 = self.files.iter().map(|f| f.bytes).sum();
        Token(json!({ "files": self.files.len(), "rows": rows, "bytes": bytes }))
    }
}

impl ObjectLedger {
    pub(super) fn new(root: &Root, query: &QueryId, sink: &str, at_step: Option<AtStep>) -> Result<Self> {
        let uploads = Uploads::new(root)
            .ok_or_else(|| Error::internal(format!("{} is no object store", root.shown)))?;
        let home = format!(".streamhost/{}/{}", file_safe(&query.0), file_safe(sink));
        let begun = Mutex::default();
        Ok(ObjectLedger { root: root.clone(), uploads: Arc::new(uploads), home, at_step, begun })
    }

    /// Takes the uploads that no manifest names.
    fn unnamed(&self) -> Vec<(String, MultipartId)> {
        std::mem::take(&mut *self.begun.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn step(&self, name: &str) {
        if let Some(at_step) = &self.at_step {
            at_step(name);
        }
    }

    /// Completes what the newest writer that committed may not have got to.
    pub(super) fn roll_forward(&self) -> Result<()> {
        let Some((head, _)) = self.head()? else { return Ok(()) };
        match head.writers.last_key_value() {
            Some((epoch, writer)) if head.published.is_none_or(|done| done < *epoch) => {
                let manifest = self.manifest(*epoch, writer)?;
                self.publish(&manifest)
            }
            _ => Ok(()),
        }
    }

    /// The token of a writer that has this epoch, once its files are there.
    fn stored(&self, epoch: Epoch) -> Result<Option<Token>> {
        let Some((head, _)) = self.head()? else { return Ok(None) };
        if epoch.0 < head.floor {
            return Err(self.long_ago(epoch, head.floor));
        }
        let Some(writer) = head.writers.get(&epoch.0) else { return Ok(None) };
        let manifest = self.manifest(epoch.0, writer)?;
        if head.published.is_none_or(|done| done < epoch.0) {
            self.publish(&manifest)?;
        }
        Ok(Some(manifest.token()))
    }

    /// Gets the writer into the head, unless another has the epoch. True if it is the writer's.
    fn claim(&self, ticket: &Ticket, retain: u64) -> Result<bool> {
        loop {
            let (mut head, mode) = match self.head()? {
                Some((head, seen)) => (head, PutMode::Update(seen)),
                None => (Head::default(), PutMode::Create),
            };
            let epoch = ticket.epoch.0;
            if epoch < head.floor {
                return Err(self.long_ago(ticket.epoch, head.floor));
            }
            if let Some(writer) = head.writers.get(&epoch) {
                return Ok(*writer == ticket.writer);
            }
            let old = head.floor;
            head.version = VERSION;
            head.floor = old.max(epoch.saturating_sub(retain));
            // Epochs are committed in order, each after the one before is published.
            head.published = head.writers.last_key_value().map(|(epoch, _)| *epoch).max(head.published);
            head.writers.insert(epoch, ticket.writer.clone());
            head.writers = head.writers.split_off(&head.floor);
            let text = serde_json::to_vec(&head).doing(Kind::Internal, || "writing the head of a sink")?;
            match self.root.put_blocking(&self.at("head"), text.into(), mode) {
                // Another was quicker, or this one was and never heard back: the head tells.
                Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
                put => {
                    put.map_err(|e| self.failed("writing", "head", e))?;
                    self.forget(old, head.floor);
                    return Ok(true);
                }
            }
        }
    }

    /// Makes every file of a manifest appear.
    fn publish(&self, manifest: &Manifest) -> Result<()> {
        for file in &manifest.files {
            let parts = file.parts.iter().map(|id| PartId { content_id: id.clone() }).collect();
            let completed = self.uploads.complete(&file.path, &file.upload, parts);
            // Completed before, by this host or by another.
            let there = |why: io::Error| match self.root.head_blocking(&file.path) {
                Ok(meta) if meta.size == file.bytes => Ok(()),
                // It was not, then, and why it is not now says whether it may be later.
                Err(e) if e.kind() == ErrorKind::NotFound => Err(self.failed("publishing", &file.path, why)),
                Ok(_) => Err(Error::data(format!(
                    "{}/{} was replaced by another file",
                    self.root.shown, file.path
                ))),
                Err(e) => Err(self.failed("publishing", &file.path, e)),
            };
            completed.or_else(there)?;
            self.step("renamed-one");
        }
        Ok(())
    }

    fn head(&self) -> Result<Option<(Head, UpdateVersion)>> {
        match self.root.read_blocking(&self.at("head")) {
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            read => {
                let (text, seen) = read.map_err(|e| self.failed("reading", "head", e))?;
                let head: Head = self.parse("head", &text)?;
                Ok(Some((head, seen)))
            }
        }
    }

    fn manifest(&self, epoch: u64, writer: &str) -> Result<Manifest> {
        let name = format!("manifests/{epoch}-{writer}");
        let read = self.root.read_blocking(&self.at(&name));
        let (text, _) = read.map_err(|e| self.failed("reading", &name, e))?;
        self.parse(&name, &text)
    }

    fn put_manifest(&self, manifest: &Manifest) -> Result<()> {
        let name = format!("manifests/{}-{}", manifest.epoch, manifest.writer);
        let text = serde_json::to_vec_pretty(manifest).doing(Kind::Internal, || "writing a manifest")?;
        let put = self.root.put_blocking(&self.at(&name), text.into(), PutMode::Overwrite);
        put.map_err(|e| self.failed("writing", &name, e))
    }

    /// Deletes the manifests of epochs that fell below the floor. Those that cannot be deleted now stay.
    fn forget(&self, old: u64, floor: u64) {
        if old == floor {
            return;
        }
        let epoch = |name: &str| name.rsplit('/').next()?.split('-').next()?.parse::<u64>().ok();
        for (name, _) in self.root.list_blocking(&self.at("manifests")).unwrap_or_default() {
            if epoch(&name).is_some_and(|epoch| epoch < floor) {
                let _ = self.root.delete_blocking(&name);
            }
        }
    }

    fn at(&self, name: &str) -> String {
        format!("{}/{name}", self.home)
    }

    fn parse<T: for<'de> Deserialize<'de>>(&self, name: &str, text: &[u8]) -> Result<T> {
        let at = self.at(name);
        serde_json::from_slice(text).doing(Kind::Internal, || {
            format!("{}/{at} is damaged; restore it, or write to a new place", self.root.shown)
        })
    }

    fn failed(&self, doing: &str, name: &str, error: io::Error) -> Error {
        failed_io(format!("{doing} {}/{name}", self.root.shown), error)
    }

    fn long_ago(&self, epoch: Epoch, floor: u64) -> Error {
        Error::new(
            Kind::Fenced,
            format!(
                "{}: epoch {epoch} was finished long ago, what is remembered starts at epoch {floor}; another host has \
                 gone on, or the checkpoint was reset too far back: start a new query",
                self.root.shown
            ),
        )
    }
}

impl Shelf for ObjectLedger {
    type Out = ObjectOut;
    type Entry = Entry;

    fn create(&self, _: &str, path: &str) -> Result<ObjectOut> {
        let upload = self.uploads.begin(path).map_err(|e| self.failed("writing", path, e))?;
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        begun.push((path.to_owned(), upload.clone()));
        let writing = Upload { path: path.to_owned(), upload, parts: Vec::new(), held: Vec::new(), bytes: 0 };
        Ok(ObjectOut { uploads: self.uploads.clone(), writing: Arc::new(Mutex::new(writing)) })
    }

    fn close(&self, out: ObjectOut, _: String, path: String, rows: u64) -> Result<Entry> {
        let mut writing = out.writing.lock().unwrap_or_else(PoisonError::into_inner);
        // An upload has a piece at least.
        if !writing.held.is_empty() || writing.parts.is_empty() {
            writing.send(&out.uploads).map_err(|e| self.failed("writing", &path, e))?;
        }
        let (upload, parts, bytes) = (writing.upload.clone(), writing.parts.clone(), writing.bytes);
        Ok(Entry { path, upload, parts, rows, bytes })
    }

    fn shown(&self, _: &str, path: &str) -> String {
        format!("{}/{path}", self.root.shown)
    }
}

/// A file on its way.
#[derive(Clone)]
pub(super) struct ObjectOut {
    uploads: Arc<Uploads>,
    writing: Arc<Mutex<Upload>>,
}

struct Upload {
    path: String,
    upload: MultipartId,
    parts: Vec<String>,
    held: Vec<u8>,
    bytes: u64,
}

impl Upload {
    fn send(&mut self, uploads: &Uploads) -> io::Result<()> {
        let piece = Bytes::from(std::mem::take(&mut self.held));
        let part = uploads.part(&self.path, &self.upload, self.parts.len(), piece)?;
        self.parts.push(part.content_id);
        Ok(())
    }
}

impl Write for ObjectOut {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        writing.held.extend_from_slice(bytes);
        writing.bytes += bytes.len() as u64;
        if writing.held.len() >= PART_BYTES {
            writing.send(&self.uploads)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes one epoch; see [`ObjectLedger`] for the protocol.
pub(super) struct ObjectEpoch {
    job: Job,
    ledger: Arc<ObjectLedger>,
    lanes: Vec<Mutex<Lane<ObjectLedger>>>,
}

impl ObjectEpoch {
    /// Enters the epoch, or answers that it is there already.
    pub(super) async fn begin(job: Job, ledger: ObjectLedger) -> Result<Begun> {
        let ledger = Arc::new(ledger);
        let (asked, epoch, marked) = (ledger.clone(), job.begin.epoch, job.begin.marked);
        let stored = move || if marked { asked.stored(epoch) } else { Ok(None) };
        if let Some(token) = blocking(stored).await? {
            return Ok(Begun::Stored(token));
        }
        let lanes = (0..job.begin.partitions).map(|_| Mutex::default()).collect();
        Ok(Begun::Writer(Box::new(ObjectEpoch { job, ledger, lanes })))
    }

    fn publish(self) -> Result<Token> {
        let mut files = Vec::new();
        for lane in self.lanes {
            files.extend(lane.into_inner().unwrap_or_else(PoisonError::into_inner).finish(&*self.ledger)?);
        }
        let (ledger, ticket, begin) = (&self.ledger, &self.job.ticket, &self.job.begin);
        ledger.step("staged");
        let manifest =
            Manifest { version: VERSION, epoch: ticket.epoch, writer: ticket.writer.clone(), files };
        // From here on somebody may complete them.
        drop(ledger.unnamed());
        if !begin.marked {
            return ledger.publish(&manifest).map(|()| manifest.token());
        }
        ledger.put_manifest(&manifest)?;
        if ledger.claim(ticket, self.job.retain)? {
            ledger.step("manifest-written");
            ledger.publish(&manifest)?;
            ledger.step("renamed-all");
            return Ok(manifest.token());
        }
        for file in &manifest.files {
            // What cannot be aborted now, the store throws away after the time it is set to.
            let _ = ledger.uploads.abort(&file.path, &file.upload);
        }
        ledger.stored(ticket.epoch)?.ok_or_else(|| lost(begin))
    }
}

fn lost(begin: &Begin) -> Error {
    Error::new(
        Kind::Fenced,
        format!("sink {}: another host has taken over epoch {}", begin.sink, begin.epoch),
    )
}

/// Runs what waits for the store on a thread that may.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work).await.doing(Kind::Internal, || "a thread of a files sink")?
}

#[async_trait]
impl EpochWriter for ObjectEpoch {
    async fn write(&self, partition: Partition, rows: RecordBatch) -> Result<()> {
        let lane = self.lanes.get(partition.index()).ok_or_else(|| {
            Error::internal(format!("partition {partition} of {} was written", self.job.begin.partitions))
        })?;
        let mut lane = lane.lock().unwrap_or_else(PoisonError::into_inner);
        let parts = self.job.layout.split(&rows)?;
        parts
            .into_iter()
            .try_for_each(|(folder, rows)| lane.write(&self.job, &*self.ledger, partition, folder, &rows))
    }

    async fn commit(self: Box<Self>) -> Result<Token> {
        blocking(move || self.publish()).await
    }
}
