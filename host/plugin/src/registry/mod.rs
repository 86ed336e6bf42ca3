//! The registry: a directory of plugins by name and version.
//!
//! ```text
//! <name>/<version>/plugin.toml      what it is, and the digest of each of its files
//! <name>/<version>/component.wasm   with README.md, schema/… and tests/…
//! <name>/<version>/plugin.sig       who vouches for it
//! index.json                        follows from the folders, and is made anew when it does not fit them
//! registry.toml                     its owner's: whose signatures are asked for
//! .staging/  .pins/  .yanked/  .signed/  .lock
//! ```
//!
//! # Invariants
//!
//! - A release is there as a whole or not at all: it is written below `.staging`, brought to disk, and renamed to its place.
//! - It never changes: the same name and version with other bytes is refused. Only its signatures are replaced, by newer ones.
//! - Whoever changes anything holds the lock, a file lock that ends with its process. Readers take none.
//! - Nothing is used before its digest is what its manifest says, and a checkpoint's what that says.
//! - Every part of a path is a name that was checked; links are not followed.

mod add;
mod folder;
mod index;
mod keys;
mod manifest;
mod name;
mod package;
mod pins;
mod read;
mod retire;
mod sign;
#[cfg(test)]
mod tests;
mod verify;
mod watch;

pub use add::Added;
pub use keys::{PublicKey, SigningKey};
pub use manifest::Manifest;
pub use name::{PluginName, Release, Wanted};
pub use package::Package;
pub use pins::Pin;
pub use read::{Details, Found, Listed};
pub use sign::{Policy, sign_package};
pub use watch::Watch;

use engine::{Kind, Result, ResultExt};
use std::{
    fs::{File, OpenOptions},
    path::{Path, PathBuf},
};

/// A directory of plugins. It is made when the first one is added.
#[derive(Clone, Debug)]
pub struct Registry {
    dir: PathBuf,
}

/// Held by whoever changes a registry, until it is dropped or the process ends.
struct Lock {
    _file: File,
}

impl Registry {
    /// The registry in `dir`; nothing is looked at yet.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Registry { dir: dir.into() }
    }

    /// Where it is.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    fn folder(&self, release: &Release) -> PathBuf {
        self.dir.join(release.name.as_str()).join(release.version.to_string())
    }

    fn staging(&self) -> PathBuf {
        self.dir.join(".staging")
    }

    /// Waits until nobody else changes anything.
    fn lock(&self) -> Result<Lock> {
        folder::make(&self.dir)?;
        let path = self.dir.join(".lock");
        let doing = || format!("locking the registry {}; it must be writable", self.dir.display());
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let file = file.doing(Kind::Unavailable, doing)?;
        file.lock().doing(Kind::Unavailable, doing)?;
        Ok(Lock { _file: file })
    }
}
