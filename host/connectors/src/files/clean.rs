//! What becomes of files that were read.

use super::{
    listing::{FileEntry, Location},
    settings::Clean,
};
use engine::Result;
use std::{fs, io, path::Path};

/// Deletes or archives the files, and answers those that are then no longer there. One that is gone, or is not what was
/// read, is left as it is, so doing it again does no harm; one that cannot be removed is warned of, for its rows are safe
/// where they went.
pub(crate) fn all(location: &Location, clean: &Clean, files: Vec<FileEntry>) -> Result<Vec<FileEntry>> {
    let mut gone = Vec::new();
    for file in files {
        if location.look(&file.path)?.as_ref() != Some(&file) {
            gone.push(file);
            continue;
        }
        let full = location.full(&file.path);
        let result = match clean {
            Clean::Off => Ok(()),
            Clean::Delete => fs::remove_file(&full),
            Clean::Archive(to) => archive(&full, &to.join(&*file.path)),
        };
        match result {
            Ok(()) => gone.push(file),
            Err(error) => {
                tracing::warn!(path = %full.display(), %error, "was read, and cannot be cleaned away")
            }
        }
    }
    Ok(gone)
}

fn archive(from: &Path, to: &Path) -> io::Result<()> {
    if let Some(directory) = to.parent() {
        fs::create_dir_all(directory)?;
    }
    match fs::rename(from, to) {
        Err(e) if e.kind() == io::ErrorKind::CrossesDevices => copy_over(from, to),
        result => result,
    }
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
