//! Which files there are.

use super::opened::{Disk, Opened};
use crate::stores::{self, Environment};
use engine::{Error, Kind, Result, ResultExt, Timestamp};
use globset::{GlobBuilder, GlobMatcher};
use serde::{Deserialize, Serialize};
use std::{
    collections::HashSet,
    error::Error as StdError,
    fs::{self, Metadata},
    io,
    path::{Component, Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::UNIX_EPOCH,
};

/// A file as it was when it was listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FileEntry {
    /// Its path below the source's directory, with `/` between the parts.
    pub(crate) path: Arc<str>,
    /// Bytes.
    pub(crate) size: u64,
    /// When it was last written.
    pub(crate) modified: Timestamp,
}

impl FileEntry {
    pub(crate) fn new(path: Arc<str>, metadata: &Metadata) -> Self {
        let since =
            metadata.modified().ok().and_then(|t| t.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
        let modified = Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX));
        FileEntry { path, size: metadata.len(), modified }
    }

    #[cfg(feature = "object-store")]
    pub(crate) fn of_object(path: Arc<str>, object: &object_store::ObjectMeta) -> Self {
        FileEntry { path, size: object.size, modified: Timestamp(object.last_modified.timestamp_micros()) }
    }
}

/// Where a source looks for files.
#[derive(Clone, Debug)]
pub(crate) struct Location {
    /// The directory that all of them are in or below.
    pub(crate) directory: PathBuf,
    choice: Choice,
    disk: Disk,
    /// What was skipped because its name is no text, so that each is warned of once.
    nameless: Arc<Mutex<HashSet<PathBuf>>>,
}

#[derive(Clone, Debug)]
enum Choice {
    /// All of the directory itself, and of those below that are called `column=value`.
    Directory,
    /// All below the directory.
    Tree,
    /// Just this one.
    One(String),
    /// Those whose path below the directory matches.
    Pattern(GlobMatcher),
}

impl Location {
    /// Looks at what `path` is. [`Kind::Invalid`] if there is nothing.
    pub(crate) fn new(path: &Path, recursive: bool, environment: &Environment) -> Result<Self> {
        if stores::address(path).is_some() {
            return Self::remote(path, recursive, environment);
        }
        match fs::metadata(path) {
            Ok(found) if found.is_dir() => {
                let choice = if recursive { Choice::Tree } else { Choice::Directory };
                Ok(Self::of(path, choice))
            }
            Ok(_) => Self::one(path),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                Self::pattern(path).unwrap_or_else(|| Err(missing(path)))
            }
            Err(e) => Err(Error::invalid(format!("path {}: cannot be read", path.display())).caused_by(e)),
        }
    }

    /// A prefix of an object store, or a pattern in it. Whether there is something is seen when it is listed.
    #[cfg(feature = "object-store")]
    fn remote(path: &Path, recursive: bool, environment: &Environment) -> Result<Self> {
        let (directory, choice) = match Self::divided(path)? {
            Some((directory, glob)) => (directory, Choice::Pattern(glob)),
            None => (path, if recursive { Choice::Tree } else { Choice::Directory }),
        };
        let disk = Disk::Store(stores::Root::new(directory, environment)?);
        Ok(Location { disk, ..Self::of(directory, choice) })
    }

    #[cfg(not(feature = "object-store"))]
    fn remote(path: &Path, _: bool, _: &Environment) -> Result<Self> {
        Err(stores::built_without("object-store").while_doing(path.display().to_string()))
    }

    /// Whether the files are objects of a store, which appear whole and are told of by nobody.
    pub(crate) fn is_remote(&self) -> bool {
        !matches!(self.disk, Disk::Here)
    }

    /// Opens a file.
    pub(crate) fn open(&self, path: &str) -> io::Result<Opened> {
        self.disk.open(path, &self.full(path))
    }

    /// Removes a file.
    pub(crate) fn remove(&self, path: &str) -> io::Result<()> {
        self.disk.remove(path, &self.full(path))
    }

    fn one(path: &Path) -> Result<Self> {
        let name = path.file_name().and_then(|n| n.to_str()).ok_or_else(|| not_text(path))?;
        let directory = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Ok(Self::of(directory, Choice::One(name.to_owned())))
    }

    /// A directory as whoever takes it for a table reads it, whether it is there yet or not.
    pub(crate) fn table(directory: &Path) -> Self {
        Self::of(directory, Choice::Directory)
    }

    fn of(directory: &Path, choice: Choice) -> Self {
        Location { directory: directory.to_path_buf(), choice, disk: Disk::Here, nameless: Arc::default() }
    }

    /// A pattern, whose directory is all that stands before the first part with a special character.
    fn pattern(path: &Path) -> Option<Result<Self>> {
        let (directory, glob) = match Self::divided(path) {
            Ok(divided) => divided?,
            Err(error) => return Some(Err(error)),
        };
        let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
        match directory.is_dir() {
            true => Some(Ok(Self::of(directory, Choice::Pattern(glob)))),
            false => Some(Err(missing(directory))),
        }
    }

    fn divided(path: &Path) -> Result<Option<(&Path, GlobMatcher)>> {
        let special = |part: &Path| part.to_string_lossy().contains(['*', '?', '[', '{']);
        let Some(directory) = path.ancestors().find(|a| !special(a)) else { return Ok(None) };
        let pattern = path.strip_prefix(directory).ok().filter(|p| special(p)).and_then(Path::to_str);
        let Some(pattern) = pattern else { return Ok(None) };
        let glob = GlobBuilder::new(pattern).literal_separator(true).build();
        let glob =
            glob.map_err(|e| Error::invalid(format!("path {}: not a pattern", path.display())).caused_by(e))?;
        Ok(Some((directory, glob.compile_matcher())))
    }

    /// Whether changes further down than the directory itself are worth watching for. A partition that is created later is
    /// found by listing only, which is better than to watch a large tree that is not meant.
    pub(crate) fn is_deep(&self) -> bool {
        self.is_tree() || (matches!(self.choice, Choice::Directory) && self.has_partitions())
    }

    fn has_partitions(&self) -> bool {
        let entries = fs::read_dir(&self.directory).into_iter().flatten().flatten();
        entries.filter(|e| e.file_name().to_string_lossy().contains('=')).any(|e| e.path().is_dir())
    }

    /// Whether everything below the directory is meant, whatever it is called.
    pub(crate) fn is_tree(&self) -> bool {
        matches!(self.choice, Choice::Tree | Choice::Pattern(_))
    }

    /// The path to open a file by.
    pub(crate) fn full(&self, path: &str) -> PathBuf {
        if self.directory == Path::new(".") { PathBuf::from(path) } else { self.directory.join(path) }
    }

    /// The files that are there now, but for the `known` ones, in no particular order. What `known` answers yes to costs no
    /// more than reading its name.
    pub(crate) fn list(&self, known: &dyn Fn(&str) -> bool) -> Result<Vec<FileEntry>> {
        let mut found = Vec::new();
        #[cfg(feature = "object-store")]
        if let Disk::Store(root) = &self.disk {
            return self.list_store(root, known);
        }
        match &self.choice {
            Choice::One(name) if known(name) => {}
            Choice::One(name) => found.extend(self.look(name)?),
            _ => self.list_directory("", known, &mut found)?,
        }
        Ok(found)
    }

    /// Whether a file of this path, absolute and without `..`, would be listed if it were there.
    pub(crate) fn covers(&self, file: &Path) -> Result<bool> {
        let directory = lexical(&self.directory)?;
        let Some(below) = file.strip_prefix(directory).ok().and_then(Path::to_str) else { return Ok(false) };
        Ok(match &self.choice {
            Choice::One(one) => one == below,
            _ => self.reaches(below) && self.wants(below),
        })
    }

    /// Whether no directory or name on the way is left alone.
    fn reaches(&self, below: &str) -> bool {
        let mut folders: Vec<&str> = below.split('/').collect();
        let name = folders.pop().unwrap_or_default();
        let seen = |name: &str| !is_hidden(name);
        folders.iter().all(|folder| seen(folder) && self.descends(folder)) && seen(name)
    }

    #[cfg(feature = "object-store")]
    fn list_store(&self, root: &stores::Root, known: &dyn Fn(&str) -> bool) -> Result<Vec<FileEntry>> {
        let listed = root.list_blocking("").map_err(|e| unreadable(&self.directory, e))?;
        let meant = |name: &str| self.reaches(name) && self.wants(name) && !known(name);
        let found = listed.into_iter().filter(|(name, _)| meant(name));
        Ok(found.map(|(name, object)| FileEntry::of_object(name.into(), &object)).collect())
    }

    /// The file as it is now; none if it is gone or is no file.
    pub(crate) fn look(&self, path: &str) -> Result<Option<FileEntry>> {
        match self.disk.look(path, &self.full(path)) {
            Ok(found) => Ok(found),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(unreadable(&self.full(path), e)),
        }
    }

    fn list_directory(
        &self,
        below: &str,
        known: &dyn Fn(&str) -> bool,
        found: &mut Vec<FileEntry>,
    ) -> Result<()> {
        let directory = self.full(below);
        let entries = match fs::read_dir(&directory) {
            // It was there when its parent was read.
            Err(e) if e.kind() == io::ErrorKind::NotFound && !below.is_empty() => return Ok(()),
            entries => entries.map_err(|e| unreadable(&directory, e))?,
        };
        for entry in entries {
            let entry = entry.map_err(|e| unreadable(&directory, e))?;
            let name = entry.file_name();
            let Some(name) = name.to_str() else {
                self.skip_nameless(entry.path());
                continue;
            };
            if is_hidden(name) {
                continue;
            }
            let path = if below.is_empty() { name.to_owned() } else { format!("{below}/{name}") };
            let kind = entry.file_type().map_err(|e| unreadable(&entry.path(), e))?;
            if kind.is_dir() || (kind.is_symlink() && entry.path().is_dir()) {
                if self.descends(name) && !kind.is_symlink() {
                    self.list_directory(&path, known, found)?;
                }
            } else if self.wants(&path) && !known(&path) {
                found.extend(self.look(&path)?);
            }
        }
        Ok(())
    }

    /// Ranges and columns hold paths as text, so what has none cannot be read.
    fn skip_nameless(&self, path: PathBuf) {
        let mut nameless = self.nameless.lock().unwrap_or_else(PoisonError::into_inner);
        if !nameless.contains(&path) {
            tracing::warn!(path = %path.display(), "is not read: its name is not valid UTF-8; rename it");
            nameless.insert(path);
        }
    }

    fn descends(&self, name: &str) -> bool {
        self.is_tree() || (matches!(self.choice, Choice::Directory) && name.contains('='))
    }

    fn wants(&self, path: &str) -> bool {
        match &self.choice {
            Choice::Pattern(glob) => glob.is_match(path),
            _ => true,
        }
    }
}

/// An absolute path without `.` and `..`, as it is written: what it names need not exist.
pub(crate) fn lexical(path: &Path) -> Result<PathBuf> {
    let absolute = std::path::absolute(path)
        .doing(Kind::Invalid, || format!("path {}: cannot be made absolute", path.display()))?;
    let mut lexical = PathBuf::new();
    for part in absolute.components() {
        match part {
            Component::ParentDir => {
                lexical.pop();
            }
            part => lexical.push(part),
        }
    }
    Ok(lexical)
}

/// Names that belong to other programs, and to files that are still being written.
pub(crate) fn is_hidden(name: &str) -> bool {
    let unfinished = [".tmp", ".part", ".partial", ".crdownload", ".swp", "~"];
    // A partition directory such as `_date=2025-01-01` is data.
    name.starts_with('.')
        || (name.starts_with('_') && !name.contains('='))
        || unfinished.iter().any(|end| name.ends_with(end))
}

fn missing(path: &Path) -> Error {
    Error::invalid(format!(
        "path {}: there is no such file or directory; create it or correct `path`",
        path.display()
    ))
}

fn not_text(path: &Path) -> Error {
    Error::invalid(format!("path {}: the name is not valid UTF-8; rename it", path.display()))
}

/// An error of the file system, by who has to act.
pub(crate) fn unreadable(path: &Path, error: io::Error) -> Error {
    let (kind, what) = match error.kind() {
        io::ErrorKind::PermissionDenied => (Kind::Invalid, "may not be read; give this process the right to"),
        io::ErrorKind::NotFound => (Kind::Data, "is not there any more"),
        io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => {
            return damaged(path, "is", error);
        }
        _ => (Kind::Unavailable, "cannot be read"),
    };
    Error::new(kind, format!("{} {what}", path.display())).caused_by(error)
}

/// A file that is there, and is not what it should be; `what` stands between its name and that.
pub(crate) fn damaged(path: &Path, what: &str, error: impl Into<Box<dyn StdError + Send + Sync>>) -> Error {
    let remedy =
        "deliver it again under another name, and go on without this one by `on-bad-file = \"skip\"`";
    Error::data(format!("{} {what} damaged or cut off; {remedy}", path.display())).caused_by(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn touch(directory: &Path, names: &[&str]) {
        for name in names {
            let path = directory.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
    }

    fn names(location: &Location) -> Vec<String> {
        let mut names: Vec<_> =
            location.list(&|_| false).unwrap().iter().map(|f| f.path.to_string()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_directory_has_its_own_files_and_those_of_partitions() {
        let dir = tempfile::tempdir().unwrap();
        touch(dir.path(), &["a", "b.tmp", ".c", "_d", "e~", "sub/f", "day=1/g", "day=1/hour=2/h", "_x=1/i"]);
        let location = Location::new(dir.path(), false, &Environment::default()).unwrap();
        assert_eq!(names(&location), ["_x=1/i", "a", "day=1/g", "day=1/hour=2/h"]);
        let tree = Location::new(dir.path(), true, &Environment::default()).unwrap();
        assert_eq!(names(&tree), ["_x=1/i", "a", "day=1/g", "day=1/hour=2/h", "sub/f"]);
    }

    #[test]
    fn one_file_and_patterns() {
        let dir = tempfile::tempdir().unwrap();
        touch(dir.path(), &["a.json", "b.csv", "x/c.json", "x/y/d.json"]);
        let at = |path: &str| Location::new(&dir.path().join(path), false, &Environment::default());
        assert_eq!(names(&at("b.csv").unwrap()), ["b.csv"]);
        assert_eq!(names(&at("*.json").unwrap()), ["a.json"]);
        assert_eq!(names(&at("*/c.{json,csv}").unwrap()), ["x/c.json"]);
        assert_eq!(names(&at("**/*.json").unwrap()), ["a.json", "x/c.json", "x/y/d.json"]);
    }

    #[test]
    fn what_has_no_text_for_a_name_is_skipped_and_warned_of_once() {
        use std::{ffi::OsStr, os::unix::ffi::OsStrExt};
        let dir = tempfile::tempdir().unwrap();
        touch(dir.path(), &["a.json"]);
        let odd = dir.path().join(OsStr::from_bytes(b"\xff.json"));
        fs::write(&odd, "x").unwrap();
        fs::create_dir(dir.path().join(OsStr::from_bytes(b"\xfe"))).unwrap();
        let location = Location::new(dir.path(), true, &Environment::default()).unwrap();
        for _ in 0..2 {
            assert_eq!(names(&location), ["a.json"]);
            assert_eq!(location.nameless.lock().unwrap().len(), 2, "each is known after it was warned of");
        }
        let error = Location::new(&odd, false, &Environment::default()).unwrap_err();
        assert!(error.report().contains("not valid UTF-8; rename it"), "{}", error.report());
    }

    #[test]
    fn a_missing_path_says_so() {
        let error = Location::new(Path::new("/nonexistent/in"), false, &Environment::default()).unwrap_err();
        assert_eq!(error.kind(), Kind::Invalid);
        assert!(error.report().contains("/nonexistent/in: there is no such file or directory"));
        assert!(Location::new(Path::new("/nonexistent/*.json"), false, &Environment::default()).is_err());
    }
}
