//! The file system as an object store whose writes survive a power cut.

use super::local::{create_dir, sync_dir};
use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result, UploadPart,
    local::LocalFileSystem, path::Path,
};
use std::{
    fmt,
    fs::{self, File},
    io::{self, ErrorKind, Write},
    ops::Range,
    path::PathBuf,
    sync::Arc,
};

/// [`LocalFileSystem`] from the root on, but what `put_opts` and uploads have answered is on the disk, and its name too:
/// the library itself never syncs, so that after a power cut the log of a table could name files that are empty.
#[derive(Debug, Clone)]
pub(crate) struct DurableFiles(Arc<LocalFileSystem>);

impl DurableFiles {
    pub(crate) fn new() -> Self {
        DurableFiles(Arc::new(LocalFileSystem::new()))
    }
}

impl fmt::Display for DurableFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("files of this machine")
    }
}

#[async_trait]
impl ObjectStore for DurableFiles {
    async fn put_opts(&self, at: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let path = self.0.path_to_filesystem(at)?;
        match options.mode {
            PutMode::Update(_) => self.0.put_opts(at, payload, options).await,
            mode => blocking(move || put(&path, &payload, &mode)).await,
        }
    }

    async fn put_multipart_opts(
        &self,
        at: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let path = self.0.path_to_filesystem(at)?;
        let upload = self.0.put_multipart_opts(at, options).await?;
        Ok(Box::new(DurableUpload { upload, path }))
    }

    async fn get_opts(&self, at: &Path, options: GetOptions) -> Result<GetResult> {
        self.0.get_opts(at, options).await
    }

    async fn get_ranges(&self, at: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.0.get_ranges(at, ranges).await
    }

    fn delete_stream(&self, at: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.0.delete_stream(at)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.0.list(prefix)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.0.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.0.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.0.copy_opts(from, to, options).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.0.rename_opts(from, to, options).await
    }
}

#[derive(Debug)]
struct DurableUpload {
    upload: Box<dyn MultipartUpload>,
    path: PathBuf,
}

#[async_trait]
impl MultipartUpload for DurableUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        self.upload.put_part(data)
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let done = self.upload.complete().await?;
        let path = self.path.clone();
        blocking(move || {
            File::open(&path)
                .and_then(|file| file.sync_all())
                .and_then(|()| sync_above(&path))
                .map_err(failed)
        })
        .await?;
        Ok(done)
    }

    async fn abort(&mut self) -> Result<()> {
        self.upload.abort().await
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|source| Error::JoinError { source })?
}

/// Whole or not at all: written under a name that no reader takes, synced, and only then given its own.
fn put(path: &std::path::Path, payload: &PutPayload, mode: &PutMode) -> Result<PutResult> {
    let hidden = format!(".{}.tmp", uuid::Uuid::new_v4().simple());
    let draft = path.with_file_name(hidden);
    let written = write(&draft, payload).and_then(|()| match mode {
        PutMode::Create => fs::hard_link(&draft, path),
        _ => fs::rename(&draft, path),
    });
    // Also after a failure: nobody reads a draft.
    let _ = fs::remove_file(&draft);
    written.and_then(|()| sync_above(path)).map_err(|source| match source.kind() {
        ErrorKind::AlreadyExists => {
            Error::AlreadyExists { path: path.display().to_string(), source: source.into() }
        }
        _ => failed(source),
    })?;
    Ok(PutResult { e_tag: None, version: None })
}

fn write(draft: &std::path::Path, payload: &PutPayload) -> io::Result<()> {
    create_dir(draft.parent().ok_or(ErrorKind::InvalidInput)?)?;
    let mut file = File::create(draft)?;
    payload.iter().try_for_each(|part| file.write_all(part))?;
    file.sync_all()
}

fn sync_above(path: &std::path::Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), sync_dir)
}

fn failed(source: io::Error) -> Error {
    Error::Generic { store: "files of this machine", source: source.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use object_store::ObjectStoreExt;

    fn at(dir: &tempfile::TempDir, name: &str) -> Path {
        Path::from_absolute_path(dir.path().join(name)).unwrap()
    }

    #[tokio::test]
    async fn of_two_who_create_a_file_one_wins_and_nothing_else_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let (store, name) = (DurableFiles::new(), at(&dir, "deep/er/0.json"));
        let create = PutOptions::from(PutMode::Create);
        store.put_opts(&name, "a".into(), create.clone()).await.unwrap();
        let second = store.put_opts(&name, "b".into(), create).await;
        assert!(matches!(second, Err(Error::AlreadyExists { .. })), "{second:?}");
        assert_eq!(store.get(&name).await.unwrap().bytes().await.unwrap(), "a");
        store.put(&name, "c".into()).await.unwrap();
        assert_eq!(store.get(&name).await.unwrap().bytes().await.unwrap(), "c");
        assert_eq!(fs::read_dir(dir.path().join("deep/er")).unwrap().count(), 1);
    }

    #[tokio::test]
    async fn an_upload_appears_when_it_is_complete() {
        let dir = tempfile::tempdir().unwrap();
        let (store, name) = (DurableFiles::new(), at(&dir, "x/big"));
        let mut upload = store.put_multipart(&name).await.unwrap();
        upload.put_part("ab".into()).await.unwrap();
        assert!(!dir.path().join("x/big").exists());
        upload.put_part("c".into()).await.unwrap();
        upload.complete().await.unwrap();
        assert_eq!(fs::read(dir.path().join("x/big")).unwrap(), b"abc");
    }
}
