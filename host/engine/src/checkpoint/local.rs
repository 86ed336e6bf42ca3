use super::{CheckpointStore, Created};
use crate::{Kind, Result, ResultExt};
use async_trait::async_trait;
use bytes::Bytes;
use std::{
    fs::{self, File},
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
};

/// A checkpoint in a directory of this machine.
///
/// A record is written to a hidden temporary file, synced, and linked to its name: `link` fails if the name is
/// taken, so it is atomic and exclusive in one step. Then the directory is synced.
#[derive(Debug)]
pub struct LocalStore {
    root: PathBuf,
}

impl LocalStore {
    /// A store in `root`, which is created with the first record.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        LocalStore { root: root.into() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }
}

#[async_trait]
impl CheckpointStore for LocalStore {
    async fn read(&self, name: &str) -> Result<Option<Bytes>> {
        let path = self.path(name);
        match fs::read(&path) {
            Ok(record) => Ok(Some(record.into())),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            Err(e) => {
                Err(e).doing(Kind::Unavailable, || format!("reading checkpoint file {}", path.display()))
            }
        }
    }

    async fn create(&self, name: &str, record: Bytes) -> Result<Created> {
        let path = self.path(name);
        create(&path, &record).doing(Kind::Unavailable, || {
            format!(
                "writing checkpoint file {}; the directory must be writable and have room",
                path.display()
            )
        })
    }

    async fn list(&self, folder: &str) -> Result<Vec<String>> {
        let path = self.path(folder);
        list(&path).doing(Kind::Unavailable, || format!("listing checkpoint directory {}", path.display()))
    }

    async fn delete(&self, name: &str) -> Result<()> {
        let path = self.path(name);
        match fs::remove_file(&path) {
            Err(e) if e.kind() != ErrorKind::NotFound => {
                Err(e).doing(Kind::Unavailable, || format!("deleting checkpoint file {}", path.display()))
            }
            _ => Ok(()),
        }
    }

    fn location(&self) -> String {
        self.root.display().to_string()
    }
}

fn create(path: &Path, record: &[u8]) -> io::Result<Created> {
    let folder = path.parent().ok_or(ErrorKind::InvalidInput)?;
    create_dir_synced(folder)?;
    let temporary = folder.join(format!(".{}.tmp", uuid::Uuid::new_v4()));
    let linked = write_synced(&temporary, record).and_then(|()| fs::hard_link(&temporary, path));
    // Also after a failure: a temporary file has no reader.
    let _ = fs::remove_file(&temporary);
    match linked {
        Ok(()) => {
            File::open(folder)?.sync_all()?;
            Ok(Created::Won)
        }
        Err(e) if e.kind() == ErrorKind::AlreadyExists => Ok(Created::Lost),
        Err(e) => Err(e),
    }
}

fn write_synced(path: &Path, record: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(record)?;
    file.sync_all()
}

/// Creates a directory and those above it; each new name is synced in the directory that holds it.
fn create_dir_synced(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let above = match folder.parent() {
        Some(p) if !p.as_os_str().is_empty() => p,
        _ => Path::new("."),
    };
    create_dir_synced(above)?;
    match fs::create_dir(folder) {
        Err(e) if e.kind() != ErrorKind::AlreadyExists => Err(e),
        _ => File::open(above)?.sync_all(),
    }
}

fn list(folder: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') {
            names.push(name);
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn of_two_creators_one_wins_and_the_record_stays_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let store = LocalStore::new(dir.path().join("deep/er"));
        assert_eq!(store.create("offsets/0", "a".into()).await.unwrap(), Created::Won);
        assert_eq!(store.create("offsets/0", "b".into()).await.unwrap(), Created::Lost);
        assert_eq!(store.read("offsets/0").await.unwrap().unwrap(), "a");
        assert_eq!(store.list("offsets").await.unwrap(), ["0"]);
        store.delete("offsets/0").await.unwrap();
        store.delete("offsets/0").await.unwrap();
        assert_eq!(store.read("offsets/0").await.unwrap(), None);
        assert!(store.list("none").await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn what_a_crash_left_half_written_is_no_record() {
        let dir = tempfile::tempdir().unwrap();
        let store = LocalStore::new(dir.path());
        assert_eq!(store.create("offsets/0", "whole".into()).await.unwrap(), Created::Won);
        // A host that dies in between leaves its temporary file.
        write_synced(&dir.path().join("offsets/.1.tmp"), b"ha").unwrap();
        assert_eq!(store.list("offsets").await.unwrap(), ["0"]);
        assert_eq!(store.create("offsets/1", "whole".into()).await.unwrap(), Created::Won);
        assert_eq!(store.read("offsets/1").await.unwrap().unwrap(), "whole");
    }
}
