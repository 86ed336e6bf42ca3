//! Files, written so that they are there whole or not at all, and read so that none is larger than it may be.

use engine::{Error, Kind, Result, ResultExt};
use std::{
    fs::{self, File},
    io::{ErrorKind, Read, Write},
    path::{Path, PathBuf},
};

/// Files of a package.
const MOST_FILES: usize = 1_000;

/// The bytes of a file; an error if it has more than `most`, or is a link or no file.
pub(super) fn read(path: &Path, most: u64) -> Result<Vec<u8>> {
    let doing = || format!("reading {}", path.display());
    let facts = fs::symlink_metadata(path).doing(Kind::Invalid, doing)?;
    if !facts.is_file() {
        return Err(Error::invalid(format!(
            "{} is a link or no file; put the file itself there",
            path.display()
        )));
    }
    let mut bytes = Vec::new();
    let file = File::open(path).doing(Kind::Unavailable, doing)?;
    file.take(most + 1).read_to_end(&mut bytes).doing(Kind::Unavailable, doing)?;
    if bytes.len() as u64 > most {
        return Err(Error::invalid(format!("{} is larger than {most} bytes", path.display())));
    }
    Ok(bytes)
}

/// The same of text; none if there is no such file.
pub(super) fn read_text(path: &Path, most: u64) -> Result<Option<String>> {
    if !exists(path)? {
        return Ok(None);
    }
    let bytes = read(path, most)?;
    let text = String::from_utf8(bytes);
    text.map(Some).doing(Kind::Data, || format!("{} is no text: put it back from a copy", path.display()))
}

/// Whether anything has this name.
pub(super) fn exists(path: &Path) -> Result<bool> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(false),
        Err(e) => Err(e).doing(Kind::Unavailable, || format!("looking for {}", path.display())),
    }
}

/// The names in a folder, sorted, hidden ones too; none if there is no such folder. Names that are no text are left out.
pub(super) fn names(folder: &Path) -> Result<Vec<String>> {
    let doing = || format!("listing {}", folder.display());
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(Vec::new()),
        Err(e) => return Err(e).doing(Kind::Unavailable, doing),
    };
    let mut names = Vec::new();
    for entry in entries {
        names.extend(entry.doing(Kind::Unavailable, doing)?.file_name().into_string());
    }
    names.sort_unstable();
    Ok(names)
}

/// Whether it is a folder itself, not a link to one.
pub(super) fn is_folder(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|facts| facts.is_dir())
}

/// The paths of all files below a folder, with `/`, from the folder on. Links are files here, which reading then refuses.
pub(super) fn files(folder: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let mut todo = vec![String::new()];
    while let Some(below) = todo.pop() {
        for name in names(&folder.join(&below))? {
            let path = if below.is_empty() { name } else { format!("{below}/{name}") };
            if is_folder(&folder.join(&path)) {
                todo.push(path)
            } else {
                found.push(path)
            }
            if found.len() + todo.len() > MOST_FILES {
                return Err(Error::invalid(format!(
                    "{} has more than {MOST_FILES} files and folders",
                    folder.display()
                )));
            }
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// Writes a new file, and brings it to disk.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let written = File::create_new(path).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.doing(Kind::Unavailable, || no_room(path))
}

/// Writes a file in the place of one that may be there. A reader sees the one or the other.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = path.parent().ok_or_else(|| Error::internal("a file without a folder"))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let new = folder.join(format!(".{name}.{}", std::process::id()));
    let _ = fs::remove_file(&new);
    let written = write(&new, bytes)
        .and_then(|()| fs::rename(&new, path).doing(Kind::Unavailable, || no_room(path)))
        .inspect_err(|_| drop(fs::remove_file(&new)));
    written.and_then(|()| sync(folder))
}

/// Makes a folder and those above it, on disk.
pub(super) fn make(folder: &Path) -> Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let above = match folder.parent() {
        Some(above) if !above.as_os_str().is_empty() => above.to_owned(),
        _ => PathBuf::from("."),
    };
    make(&above)?;
    match fs::create_dir(folder) {
        Err(e) if e.kind() != ErrorKind::AlreadyExists => Err(e).doing(Kind::Unavailable, || no_room(folder)),
        _ => sync(&above),
    }
}

/// Brings the names in a folder to disk.
pub(super) fn sync(folder: &Path) -> Result<()> {
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.doing(Kind::Unavailable, || format!("bringing {} to disk", folder.display()))
}

/// Removes a file or a folder with all that is in it; none is fine.
pub(super) fn remove(path: &Path) -> Result<()> {
    let removed = if is_folder(path) { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(e) if e.kind() != ErrorKind::NotFound => {
            Err(e).doing(Kind::Unavailable, || format!("removing {}", path.display()))
        }
        _ => Ok(()),
    }
}

fn no_room(path: &Path) -> String {
    format!("writing {}; the directory must be writable and have room", path.display())
}
