use engine::{Error, Kind, Result, ResultExt};
use hmac::{Hmac, Mac};
use rustix::process::geteuid;
use sha2::Sha256;
use std::{
    fs::{self, DirBuilder, OpenOptions},
    hash::{DefaultHasher, Hash, Hasher},
    io::{self, ErrorKind, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};
use wasmtime::Engine;

/// Bytes of the seal at the start of an entry.
const SEAL: usize = 32;
/// Bytes of the key that seals are made with.
const KEY: usize = 32;
/// What the names of entries end with.
const CODE: &str = "code";

/// Machine code of plugins that were compiled before.
///
/// Loading machine code means running it outside any sandbox, so what is loaded must be what this user's host wrote:
/// the directory is private (0700), and each entry begins with an HMAC-SHA256 over its name and its code under a key
/// that only this user can read (0600). An entry that does not check out is reported and compiled again.
pub(crate) struct Cache {
    dir: PathBuf,
    key: [u8; KEY],
}

/// What an entry is the compiled form of.
pub(crate) struct Entry {
    name: String,
}

impl Entry {
    /// The component with this digest, compiled for this engine.
    pub(crate) fn new(digest: &str, engine: &Engine) -> Self {
        let mut fingerprint = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut fingerprint);
        let digest = digest.trim_start_matches("sha256:");
        Entry { name: format!("{digest}-{:016x}.{CODE}", fingerprint.finish()) }
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

    /// The code of an entry, if it is there and this host wrote it.
    pub(crate) fn get(&self, entry: &Entry) -> Option<Vec<u8>> {
        let path = self.dir.join(&entry.name);
        let mut sealed = match fs::read(&path) {
            Ok(sealed) => sealed,
            Err(e) if e.kind() == ErrorKind::NotFound => return None,
            Err(e) => {
                tracing::warn!("{}: {e}; the plugin is compiled again", path.display());
                return None;
            }
        };
        if !self.is_sealed(entry, &sealed) {
            tracing::warn!("{} was not written by this host; the plugin is compiled again", path.display());
            return None;
        }
        sealed.drain(..SEAL);
        Some(sealed)
    }

    /// Keeps code. A reader sees all of an entry or nothing of it.
    pub(crate) fn put(&self, entry: &Entry, code: &[u8]) -> Result<()> {
        let path = self.dir.join(&entry.name);
        let temporary = self.dir.join(format!("{}.{}", entry.name, std::process::id()));
        let written = write_new(&temporary, &[&self.seal(entry, code), code]);
        written
            .and_then(|()| fs::rename(&temporary, &path))
            .inspect_err(|_| drop(fs::remove_file(&temporary)))
            .doing(Kind::Unavailable, || format!("keeping compiled code in {}", path.display()))
    }

    fn is_sealed(&self, entry: &Entry, sealed: &[u8]) -> bool {
        let Some((seal, code)) = sealed.split_at_checked(SEAL) else { return false };
        self.mac(entry, code).verify_slice(seal).is_ok()
    }

    fn seal(&self, entry: &Entry, code: &[u8]) -> [u8; SEAL] {
        self.mac(entry, code).finalize().into_bytes().into()
    }

    /// The name is part of it, so that an entry cannot pass for another plugin's.
    fn mac(&self, entry: &Entry, code: &[u8]) -> Hmac<Sha256> {
        #[allow(clippy::expect_used, reason = "HMAC takes a key of any length")]
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).expect("a key of 32 bytes");
        mac.update(entry.name.as_bytes());
        mac.update(&[0]);
        mac.update(code);
        mac
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
