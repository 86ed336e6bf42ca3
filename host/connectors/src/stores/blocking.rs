//! Objects for code that reads and lists as one does files: on threads that may wait.

use super::Root;
use bytes::{Buf, Bytes};
use engine::{Error, Kind, Result, ResultExt};
use futures::TryStreamExt;
use object_store::{
    Error as StoreError, MultipartId, ObjectMeta, ObjectStoreExt, PutMode, PutOptions, Result as StoreResult,
    UpdateVersion, multipart::PartId, path::Path as ObjectPath,
};
use std::{
    io::{self, Read, Seek, SeekFrom},
    sync::{Arc, Mutex, OnceLock, PoisonError, mpsc},
};
use tokio::runtime::{Handle, Runtime};

/// How much of an object is fetched at a time.
const PIECE: u64 = 4 << 20;

/// Waits for a store, whatever thread this is: its work is done by a runtime of its own.
pub(crate) fn wait<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> Result<T> {
    let (send, receive) = mpsc::sync_channel(1);
    runtime()?.spawn(async move {
        // Nobody waits any more: then nobody needs to know.
        let _ = send.send(work.await);
    });
    receive.recv().doing(Kind::Internal, || "the thread that talks to object stores ended")
}

fn runtime() -> Result<&'static Handle> {
    static RUNTIME: OnceLock<std::result::Result<Runtime, String>> = OnceLock::new();
    let started = RUNTIME.get_or_init(|| {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(2).thread_name("object-store").enable_all().build().map_err(|e| e.to_string())
    });
    match started {
        Ok(runtime) => Ok(runtime.handle()),
        Err(why) => Err(Error::new(Kind::Unavailable, format!("starting threads for object stores: {why}"))),
    }
}

/// An I/O error that keeps what the store has said.
pub(crate) fn io_error(error: StoreError) -> io::Error {
    let kind = match &error {
        StoreError::NotFound { .. } => io::ErrorKind::NotFound,
        StoreError::AlreadyExists { .. } | StoreError::Precondition { .. } => io::ErrorKind::AlreadyExists,
        StoreError::PermissionDenied { .. } | StoreError::Unauthenticated { .. } => {
            io::ErrorKind::PermissionDenied
        }
        _ => io::ErrorKind::Other,
    };
    io::Error::new(kind, error)
}

/// An I/O error of a store, by who has to act.
pub(crate) fn failed_io(doing: String, error: io::Error) -> Error {
    match error.downcast::<StoreError>() {
        Ok(error) => super::failed(doing, error),
        Err(error) => Error::new(Kind::Unavailable, doing).caused_by(error),
    }
}

fn answered<T>(answer: Result<StoreResult<T>>) -> io::Result<T> {
    answer.map_err(io::Error::other)?.map_err(io_error)
}

impl Root {
    /// All objects below a folder, with their names below this root.
    pub(crate) fn list_blocking(&self, folder: &str) -> io::Result<Vec<(String, ObjectMeta)>> {
        let (store, prefix) = (self.store.clone(), self.at(folder).map_err(io::Error::other)?);
        let found: Vec<ObjectMeta> =
            answered(wait(async move { store.list(Some(&prefix)).try_collect().await }))?;
        let below = |meta: ObjectMeta| {
            let parts = meta.location.prefix_match(&self.prefix)?;
            let name = parts.map(|part| part.as_ref().to_owned()).collect::<Vec<_>>().join("/");
            Some((name, meta))
        };
        Ok(found.into_iter().filter_map(below).collect())
    }

    /// What the store says of an object.
    pub(crate) fn head_blocking(&self, name: &str) -> io::Result<ObjectMeta> {
        let (store, path) = (self.store.clone(), self.at(name).map_err(io::Error::other)?);
        answered(wait(async move { store.head(&path).await }))
    }

    /// An object's bytes, and which state of it they are.
    pub(crate) fn read_blocking(&self, name: &str) -> io::Result<(Bytes, UpdateVersion)> {
        let (store, path) = (self.store.clone(), self.at(name).map_err(io::Error::other)?);
        answered(wait(async move {
            let got = store.get(&path).await?;
            let version = UpdateVersion { e_tag: got.meta.e_tag.clone(), version: got.meta.version.clone() };
            Ok::<_, StoreError>((got.bytes().await?, version))
        }))
    }

    /// Puts an object.
    pub(crate) fn put_blocking(&self, name: &str, bytes: Bytes, mode: PutMode) -> io::Result<()> {
        let (store, path) = (self.store.clone(), self.at(name).map_err(io::Error::other)?);
        answered(wait(async move { store.put_opts(&path, bytes.into(), PutOptions::from(mode)).await }))
            .map(drop)
    }

    /// Deletes an object; none is fine.
    pub(crate) fn delete_blocking(&self, name: &str) -> io::Result<()> {
        let (store, path) = (self.store.clone(), self.at(name).map_err(io::Error::other)?);
        match answered(wait(async move { store.delete(&path).await })) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
            deleted => deleted,
        }
    }
}

/// An object that is read as a file is.
#[derive(Clone, Debug)]
pub(crate) struct ObjectFile {
    root: Root,
    path: ObjectPath,
    pub(crate) meta: ObjectMeta,
    at: Arc<Mutex<Place>>,
}

/// Where reading stands, and what has been fetched and not been read.
#[derive(Debug, Default)]
struct Place {
    position: u64,
    fetched: Bytes,
}

impl ObjectFile {
    pub(crate) fn open(root: &Root, name: &str) -> io::Result<Self> {
        let path = root.at(name).map_err(io::Error::other)?;
        let meta = root.head_blocking(name)?;
        Ok(ObjectFile { root: root.clone(), path, meta, at: Arc::default() })
    }

    /// The same object, read from its start on its own.
    pub(crate) fn again(&self) -> Self {
        ObjectFile { at: Arc::default(), ..self.clone() }
    }

    /// Some of its bytes. An object that was replaced since it was opened is an error.
    pub(crate) fn fetch(&self, start: u64, length: u64) -> io::Result<Bytes> {
        let end = (start + length).min(self.meta.size);
        if start >= end {
            return Ok(Bytes::new());
        }
        let (store, path, e_tag) = (self.root.store.clone(), self.path.clone(), self.meta.e_tag.clone());
        let options = object_store::GetOptions {
            if_match: e_tag,
            range: Some((start..end).into()),
            ..object_store::GetOptions::default()
        };
        answered(wait(async move { store.get_opts(&path, options).await?.bytes().await }))
    }
}

impl Read for &ObjectFile {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut at = self.at.lock().unwrap_or_else(PoisonError::into_inner);
        if at.fetched.is_empty() {
            at.fetched = self.fetch(at.position, PIECE)?;
        }
        let count = out.len().min(at.fetched.len());
        at.fetched.copy_to_slice(out.get_mut(..count).unwrap_or_default());
        at.position += count as u64;
        Ok(count)
    }
}

impl Seek for &ObjectFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let mut at = self.at.lock().unwrap_or_else(PoisonError::into_inner);
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::End(by) => self.meta.size.checked_add_signed(by),
            SeekFrom::Current(by) => at.position.checked_add_signed(by),
        };
        let position = position.ok_or(io::ErrorKind::InvalidInput)?;
        *at = Place { position, fetched: Bytes::new() };
        Ok(position)
    }
}

/// An upload in pieces that is there, for all who look, from when it is completed. Whoever knows its parts can do that.
pub(crate) struct Uploads {
    store: Arc<dyn object_store::multipart::MultipartStore>,
    root: Root,
}

impl Uploads {
    pub(crate) fn new(root: &Root) -> Option<Self> {
        Some(Uploads { store: root.multipart.clone()?, root: root.clone() })
    }

    pub(crate) fn begin(&self, name: &str) -> io::Result<MultipartId> {
        let (store, path) = (self.store.clone(), self.root.at(name).map_err(io::Error::other)?);
        answered(wait(async move { store.create_multipart(&path).await }))
    }

    pub(crate) fn part(
        &self,
        name: &str,
        id: &MultipartId,
        index: usize,
        bytes: Bytes,
    ) -> io::Result<PartId> {
        let (store, path, id) =
            (self.store.clone(), self.root.at(name).map_err(io::Error::other)?, id.clone());
        answered(wait(async move { store.put_part(&path, &id, index, bytes.into()).await }))
    }

    pub(crate) fn complete(&self, name: &str, id: &MultipartId, parts: Vec<PartId>) -> io::Result<()> {
        let (store, path, id) =
            (self.store.clone(), self.root.at(name).map_err(io::Error::other)?, id.clone());
        answered(wait(async move { store.complete_multipart(&path, &id, parts).await })).map(drop)
    }

    /// Aborts one that nobody will complete, and waits for nothing. What fails here the store throws away after the time it is set to.
    pub(crate) fn abandon(&self, name: &str, id: MultipartId) {
        let (Ok(path), Ok(runtime), store) = (self.root.at(name), runtime(), self.store.clone()) else {
            return;
        };
        drop(runtime.spawn(async move { store.abort_multipart(&path, &id).await }));
    }

    pub(crate) fn abort(&self, name: &str, id: &MultipartId) -> io::Result<()> {
        let (store, path, id) =
            (self.store.clone(), self.root.at(name).map_err(io::Error::other)?, id.clone());
        answered(wait(async move { store.abort_multipart(&path, &id).await }))
    }
}
