//! Where data is kept: directories of this machine, and object stores, `s3://bucket/path` and `az://container/path`.

#[cfg(feature = "object-store")]
mod blocking;
#[cfg(feature = "object-store")]
mod checkpoint;
#[cfg(any(feature = "delta", feature = "object-store"))]
mod durable;
#[cfg(any(feature = "delta", feature = "object-store"))]
pub(crate) mod local;
#[cfg(feature = "object-store")]
mod remote;
#[cfg(any(feature = "delta", feature = "object-store"))]
mod root;

#[cfg(feature = "object-store")]
pub(crate) use blocking::{ObjectFile, Uploads, failed_io};
#[cfg(any(feature = "delta", feature = "object-store"))]
pub(crate) use root::{Root, failed};

use engine::{CheckpointStore, Error, Result, checkpoint::LocalStore};
use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Looks an environment variable up: credentials of object stores come from there.
#[derive(Clone)]
pub struct Environment(Arc<dyn Fn(&str) -> Option<String> + Send + Sync>);

impl Environment {
    /// One that answers what `of` does.
    pub fn new(of: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Environment(Arc::new(of))
    }

    /// The value of a variable, if it is set.
    pub fn get(&self, name: &str) -> Option<String> {
        (self.0)(name)
    }
}

impl Default for Environment {
    /// No variable is set.
    fn default() -> Self {
        Environment::new(|_| None)
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The values may be secrets.
        f.write_str("Environment")
    }
}

/// The address of a path that is not one of this machine, such as `s3://bucket/table`.
pub fn address(path: &Path) -> Option<&str> {
    let text = path.to_str()?;
    let (scheme, _) = text.split_once("://")?;
    let plain = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric());
    plain.then_some(text)
}

/// A path from `folder` on; an address stays what it is.
pub fn resolve(folder: &Path, path: &Path) -> PathBuf {
    match address(path) {
        Some(_) => path.to_owned(),
        None => folder.join(path),
    }
}

/// A checkpoint in a directory or at an address; nothing is asked of it yet. [`engine::Kind::Invalid`] if there can be none.
pub fn checkpoint(path: &Path, environment: &Environment) -> Result<Arc<dyn CheckpointStore>> {
    match address(path) {
        Some(_) => remote_checkpoint(path, environment),
        None => Ok(Arc::new(LocalStore::new(path))),
    }
}

#[cfg(feature = "object-store")]
fn remote_checkpoint(path: &Path, environment: &Environment) -> Result<Arc<dyn CheckpointStore>> {
    Ok(Arc::new(checkpoint::ObjectCheckpoint::new(path, environment)?))
}

#[cfg(not(feature = "object-store"))]
fn remote_checkpoint(path: &Path, _: &Environment) -> Result<Arc<dyn CheckpointStore>> {
    Err(built_without("object-store").while_doing(path.display().to_string()))
}

/// [`engine::Kind::Invalid`]: a connector that the settings ask for is not in this program.
pub fn built_without(feature: &str) -> Error {
    Error::invalid(format!(
        "this streamhost was built without `{feature}`; build it with `--features {feature}`"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_scheme_and_is_not_joined_to_a_folder() {
        let folder = Path::new("jobs/one");
        assert_eq!(resolve(folder, Path::new("s3://b/t")), Path::new("s3://b/t"));
        assert_eq!(address(Path::new("s3://b/t")), Some("s3://b/t"));
        for path in ["out", "/out", "a b://c", "://x", "3s://x"] {
            assert_eq!(address(Path::new(path)), None, "{path}");
            assert_eq!(resolve(folder, Path::new(path)), folder.join(path));
        }
    }
}
