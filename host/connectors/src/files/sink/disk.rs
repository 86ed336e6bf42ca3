//! File system calls that are durable, and whose errors name the file.

use engine::{Error, Kind, Result, ResultExt};
use std::{
    fs::{self, File},
    io::{self, ErrorKind},
    path::Path,
};

/// An I/O error of the output directory, with what was being done to which file.
pub(super) fn failed(doing: &str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let text = format!("{doing} {}", path.display());
    move |error| {
        let (kind, remedy) = match error.kind() {
            ErrorKind::InvalidFilename => {
                (Kind::Data, "; a value of partition-by is too long for a directory's name")
            }
            ErrorKind::Unsupported => (Kind::Invalid, "; the output needs a file system with hard links"),
            _ => (Kind::Unavailable, "; the output directory must be writable and have room"),
        };
        Error::new(kind, text + remedy).caused_by(error)
    }
}

/// Creates a directory and those above it. Each new name is synced in the directory that holds it.
pub(super) fn create_dir(path: &Path) -> Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let above = parent(path);
    create_dir(above)?;
    match fs::create_dir(path) {
        Err(e) if e.kind() != ErrorKind::AlreadyExists => Err(e).map_err(failed("creating directory", path)),
        _ => sync_dir(above),
    }
}

/// The directory that holds `path`.
pub(super) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(above) if !above.as_os_str().is_empty() => above,
        _ => Path::new("."),
    }
}

/// Makes the names in a directory durable.
pub(super) fn sync_dir(path: &Path) -> Result<()> {
    File::open(path).and_then(|dir| dir.sync_all()).map_err(failed("syncing directory", path))
}

/// The names in a directory, in no order; none if it is not there.
pub(super) fn names(path: &Path) -> Result<Vec<String>> {
    let entries = match fs::read_dir(path) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(failed("listing", path))?,
    };
    let names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
    names.collect::<io::Result<_>>().map_err(failed("listing", path))
}

/// Removes a file; none is fine.
pub(super) fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(e).map_err(failed("removing", path)),
        _ => Ok(()),
    }
}

/// The content of a file; none if it is not there.
pub(super) fn read(path: &Path) -> Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        other => other.map(Some).doing(Kind::Unavailable, || format!("reading {}", path.display())),
    }
}
