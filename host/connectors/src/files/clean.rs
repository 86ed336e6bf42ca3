//! What becomes of files that were read.

use super::{
    listing::{FileEntry, Location},
    settings::Clean,
};
use engine::Result;
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Deletes or archives the files, and answers those whose names are free for others then. One that is gone, or is not what
/// was read, is left as it is, so doing it again does no harm; one that cannot be removed is warned of, for its rows are safe
/// where they went.
pub(crate) fn all(location: &Location, clean: &Clean, files: Vec<FileEntry>) -> Result<Vec<FileEntry>> {
    let mut free = Vec::new();
    for file in files {
        let full = location.full(&file.path);
        let now = location.look(&file.path)?;
        if now.as_ref().is_some_and(|now| now.size > file.size) {
            tracing::warn!(path = %full.display(), "is larger than what was read: it stays, and is read whole as another file");
        }
        if now.as_ref() != Some(&file) || is_removed(location, &full, clean, &file) {
            free.push(file);
        }
    }
    Ok(free)
}

fn is_removed(location: &Location, full: &Path, clean: &Clean, file: &FileEntry) -> bool {
    let result = match clean {
        Clean::Off => Ok(()),
        Clean::Delete => location.remove(&file.path),
        Clean::Archive(to) => archive(full, &to.join(&*file.path)),
    };
    if let Err(error) = &result {
        tracing::warn!(path = %full.display(), %error, "was read, and cannot be cleaned away");
    }
    result.is_ok()
}

fn archive(from: &Path, to: &Path) -> io::Result<()> {
    if let Some(directory) = to.parent() {
        fs::create_dir_all(directory)?;
    }
    let to = free(to);
    match fs::rename(from, &to) {
        Err(e) if e.kind() == io::ErrorKind::CrossesDevices => copy_over(from, &to),
        result => result,
    }
}

/// The path, or the first of `path.1`, `path.2` that is not taken by an earlier file of the same name.
fn free(path: &Path) -> PathBuf {
    let numbered = |n: u32| PathBuf::from(format!("{}.{n}", path.display()));
    let mut names = std::iter::once(path.to_owned()).chain((1..).map(numbered));
    names.find(|name| !name.exists()).unwrap_or_else(|| path.to_owned())
}

/// To another file system: under a hidden name first, so that the archive never has half a file.
fn copy_over(from: &Path, to: &Path) -> io::Result<()> {
    let name = to.file_name().unwrap_or_default().to_string_lossy();
    let unfinished = to.with_file_name(format!(".{name}.tmp"));
    fs::copy(from, &unfinished)?;
    fs::File::open(&unfinished)?.sync_all()?;
    fs::rename(&unfinished, to)?;
    fs::remove_file(from)
}
