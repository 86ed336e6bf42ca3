use engine::{Error, Kind, Result, ResultExt};
use rustix::process::geteuid;
use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    hash::{DefaultHasher, Hash, Hasher},
    io::{self, ErrorKind, Read, Seek, SeekFrom, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};
use wasmtime::Engine;

/// Bytes of the digest behind the code of an entry: `sha256:` and 64 digits.
const DIGEST: usize = 71;
/// Bytes of the seal at the end of an entry.
const SEAL: usize = 32;
/// Bytes of the key that seals are made with.
const KEY: usize = 32;
/// What the names of entries end with.
const CODE: &str = "code";

/// Machine code of plugins that were compiled before.
///
/// Loading machine code means running it outside any sandbox, so what is loaded must be what this user's host wrote:
/// the directory is private (0700), and each entry ends with a keyed BLAKE3 hash over its name and all before, under a key
/// that only this user can read (0600). An entry that does not check out is reported and compiled again.
///
/// A start of a plugin is to take milliseconds, whatever its size. So code is mapped and not read, which is why an entry is
/// never written in place; entries are found by BLAKE3, which takes a third of SHA-256's time; and the digest that the
/// component is known by is kept in the entry.
pub(crate) struct Cache {
    dir: PathBuf,
    key: [u8; KEY],
}

/// What an entry is the compiled form of.
pub(crate) struct Entry {
    name: String,
}

/// What the cache has of a component.
#[derive(Debug, PartialEq)]
pub(crate) struct Kept {
    /// `sha256:` and the component's digest.
    pub(crate) digest: String,
    /// The file that begins with its code.
    pub(crate) code: PathBuf,
}

impl Entry {
    /// This component, compiled for this engine.
    pub(crate) fn of(wasm: &[u8], engine: &Engine) -> Self {
        let mut fingerprint = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut fingerprint);
        Entry { name: format!("{}-{:016x}.{CODE}", blake3::hash(wasm).to_hex(), fingerprint.finish()) }
    }
}

impl Cache {
    /// The cache in `dir`; none, and a line in the log, if it cannot be used safely.
    pub(crate) fn open_or_warn(dir: &Path) -> Option<Self> {
        match Cache::open(dir) {
            Ok(cache) => Some(cache),
            Err(e) => {
                tracing::warn!("compiled plugins are not kept: {}", e.report());
                None
            }
        }
    }

    fn open(dir: &Path) -> Result<Self> {
        make_private(dir)?;
        let key = read_or_make_key(dir)?;
        Ok(Cache { dir: dir.to_owned(), key })
    }

    /// What is kept of an entry, if it is there and this host wrote it.
    pub(crate) fn get(&self, entry: &Entry) -> Option<Kept> {
        let code = self.dir.join(&entry.name);
        match self.checked(entry, &code) {
            Ok(Some(digest)) => Some(Kept { digest, code }),
            Ok(None) => {
                tracing::warn!(
                    "{} was not written by this host; the plugin is compiled again",
                    code.display()
                );
                None
            }
            Err(e) if e.kind() == ErrorKind::NotFound => None,
            Err(e) => {
                tracing::warn!("{}: {e}; the plugin is compiled again", code.display());
                None
            }
        }
    }

    /// The digest in a file; none if the file is not as this host wrote it.
    fn checked(&self, entry: &Entry, path: &Path) -> io::Result<Option<String>> {
        let mut file = File::open(path)?;
        let Some(sealed) = file.metadata()?.len().checked_sub(SEAL as u64) else { return Ok(None) };
        let mut hasher = self.hasher(entry);
        hasher.update_reader((&file).take(sealed))?;
        let mut seal = [0; SEAL];
        file.read_exact(&mut seal)?;
        // This comparison takes as long for any two seals.
        if hasher.finalize() != seal || sealed < DIGEST as u64 {
            return Ok(None);
        }
        let mut digest = [0; DIGEST];
        file.seek(SeekFrom::Start(sealed - DIGEST as u64))?;
        file.read_exact(&mut digest)?;
        Ok(String::from_utf8(digest.into()).ok())
    }

    /// Keeps code of the component with this digest. A reader sees all of an entry or nothing of it.
    pub(crate) fn put(&self, entry: &Entry, digest: &str, code: &[u8]) -> Result<()> {
        let path = self.dir.join(&entry.name);
        let temporary = self.dir.join(format!("{}.{}", entry.name, std::process::id()));
        let seal = self.hasher(entry).update(code).update(digest.as_bytes()).finalize();
        let written = write_new(&temporary, &[code, digest.as_bytes(), seal.as_bytes()]);
        written
            .and_then(|()| fs::rename(&temporary, &path))
            .inspect_err(|_| drop(fs::remove_file(&temporary)))
            .doing(Kind::Unavailable, || format!("keeping compiled code in {}", path.display()))
    }

    /// Begun with the name, so that an entry cannot pass for another plugin's.
    fn hasher(&self, entry: &Entry) -> blake3::Hasher {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(entry.name.as_bytes()).update(&[0]);
        hasher
    }
}

fn make_private(dir: &Path) -> Result<()> {
    let doing = || format!("making the directory {} for compiled plugins", dir.display());
    DirBuilder::new().recursive(true).mode(0o700).create(dir).doing(Kind::Unavailable, doing)?;
    let facts = fs::symlink_metadata(dir).doing(Kind::Unavailable, doing)?;
    let ours = facts.is_dir() && facts.uid() == geteuid().as_raw() && facts.mode() & 0o077 == 0;
    if ours {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "{} must be a directory of this user that nobody else can enter: chmod 700 it, or choose another",
        dir.display()
    )))
}

/// The key of the cache in `dir`. Two hosts that start at once agree: the one that creates the file decides. A key that is
/// damaged, as a crash or a full disk leave it, is made anew; what was sealed with it can then be told from forgeries by
/// nobody, and goes.
fn read_or_make_key(dir: &Path) -> Result<[u8; KEY]> {
    let path = dir.join("key");
    let doing = || format!("reading the key of the plugin cache, {}", path.display());
    make_key(&path, |new, path| fs::hard_link(new, path))
        .or_else(|e| if e.kind() == ErrorKind::AlreadyExists { Ok(()) } else { Err(e) })
        .doing(Kind::Unavailable, doing)?;
    if let Some(key) = read_key(&path).doing(Kind::Unavailable, doing)? {
        return Ok(key);
    }
    tracing::warn!("{} was damaged and is made anew; all plugins are compiled again", path.display());
    remove_entries(dir).doing(Kind::Unavailable, doing)?;
    make_key(&path, |new, path| fs::rename(new, path)).doing(Kind::Unavailable, doing)?;
    // Of two hosts that do this the last one decides.
    let key = read_key(&path).doing(Kind::Unavailable, doing)?;
    key.ok_or_else(|| Error::new(Kind::Unavailable, format!("{} is damaged again", path.display())))
}

/// Writes a new key to a file of its own, which `publish` then brings to `path` in one step.
fn make_key(path: &Path, publish: impl FnOnce(&Path, &Path) -> io::Result<()>) -> io::Result<()> {
    let mut key = [0; KEY];
    getrandom::fill(&mut key).map_err(io::Error::other)?;
    let new = path.with_extension(std::process::id().to_string());
    let made = write_new(&new, &[&key]).and_then(|()| publish(&new, path));
    let _ = fs::remove_file(&new);
    made
}

/// The key in a file; none if it has another length than a key.
fn read_key(path: &Path) -> io::Result<Option<[u8; KEY]>> {
    Ok(fs::read(path)?.try_into().ok())
}

fn remove_entries(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == CODE) {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

fn write_new(path: &Path, parts: &[&[u8]]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    parts.iter().try_for_each(|part| file.write_all(part))
}
