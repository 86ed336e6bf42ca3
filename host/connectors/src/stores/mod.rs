//! Where data is kept: directories of this machine, and object stores, `s3://bucket/path` and `az://container/path`.

#[cfg(feature = "object-store")]
mod blocking;
#[cfg(feature = "object-store")]
mod checkpoint;
#[cfg(any(feature = "delta", feature = "object-store"))]
mod durable;
#[cfg(any(feature = "delta", feature = "object-store"))]
pub(crate) mod local;
mod names;
#[cfg(feature = "object-store")]
mod remote;
#[cfg(any(feature = "delta", feature = "object-store"))]
mod root;

#[cfg(feature = "object-store")]
pub(crate) use blocking::{ObjectFile, Uploads, failed_io};
#[cfg(any(feature = "delta", feature = "object-store"))]
pub(crate) use root::{Root, failed};

use crate::secret::Secret;
use engine::{CheckpointStore, Error, Result, checkpoint::LocalStore};
use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Answers the value of a variable, if it is set.
type Variables = dyn Fn(&str) -> Option<String> + Send + Sync;

/// Looks an environment variable up: credentials of object stores come from there, unless they are given for a store.
#[derive(Clone)]
pub struct Environment {
    variables: Arc<Variables>,
    /// For what is kept below an address: values that come before those of the environment.
    stores: Arc<Vec<Store>>,
}

/// Values for what is kept below an address.
#[derive(Clone)]
struct Store {
    address: String,
    values: BTreeMap<String, Secret>,
}

impl Environment {
    /// One that answers what `of` does.
    pub fn new(of: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Environment { variables: Arc::new(of), stores: Arc::default() }
    }

    /// The value of a variable, if it is set.
    pub fn get(&self, name: &str) -> Option<String> {
        (self.variables)(name)
    }

    /// The same environment with values for all that is kept below an address. [`engine::Kind::Invalid`] if there is no such
    /// setting.
    pub fn with_store(mut self, address: &str, values: BTreeMap<String, Secret>) -> Result<Self> {
        if let Some(unknown) = values.keys().find(|name| !settings(address).contains(&name.as_str())) {
            let known = settings(address).join(", ");
            return Err(Error::invalid(format!("there is no option `{unknown}`; there are: {known}")));
        }
        let address = address.trim_end_matches('/').to_owned();
        Arc::make_mut(&mut self.stores).push(Store { address, values });
        Ok(self)
    }

    /// What is set for an address: by the nearest store above it, else by the environment.
    #[cfg(feature = "object-store")]
    pub(crate) fn at(&self, address: &str) -> Environment {
        let below = |store: &&Store| {
            let rest = address.strip_prefix(&*store.address);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let above = self.stores.iter().filter(below).max_by_key(|store| store.address.len());
        let Some(Store { values, .. }) = above.cloned() else { return self.clone() };
        let variables = self.variables.clone();
        Environment::new(move |name| match values.get(name) {
            Some(value) => Some(value.expose().to_owned()),
            None => variables(name),
        })
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

/// Whether an address is one of an object store that is known here.
pub fn is_store(address: &str) -> bool {
    !settings(address).is_empty()
}

/// What can be set for the object store of an address, by the names that it has in the environment.
fn settings(address: &str) -> &'static [&'static str] {
    match address.split_once("://") {
        Some(("s3" | "s3a", _)) => &names::AWS,
        Some(("az" | "azure", _)) => &names::AZURE,
        _ => &[],
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

    #[cfg(feature = "object-store")]
    #[test]
    fn the_nearest_store_above_an_address_says_what_is_set_there() {
        let key = |value| BTreeMap::from([("AWS_ACCESS_KEY_ID".to_owned(), Secret::new(value))]);
        let environment = Environment::new(|name| Some(format!("own {name}")));
        let environment = environment.with_store("s3://lake/", key("lake")).unwrap();
        let environment = environment.with_store("s3://lake/raw", key("raw")).unwrap();
        let at = |address: &str, name: &str| environment.at(address).get(name).unwrap();
        assert_eq!(at("s3://lake/table", "AWS_ACCESS_KEY_ID"), "lake");
        assert_eq!(at("s3://lake/raw/table", "AWS_ACCESS_KEY_ID"), "raw");
        assert_eq!(at("s3://lake/rawest", "AWS_ACCESS_KEY_ID"), "lake");
        assert_eq!(at("s3://lakes", "AWS_ACCESS_KEY_ID"), "own AWS_ACCESS_KEY_ID");
        assert_eq!(at("s3://lake", "AWS_REGION"), "own AWS_REGION");
        let wrong = BTreeMap::from([("AWS_KEY".to_owned(), Secret::new("hunter2"))]);
        let e = environment.with_store("s3://lake", wrong).unwrap_err().report();
        assert!(e.starts_with("there is no option `AWS_KEY`; there are: AWS_ACCESS_KEY_ID,"), "{e}");
    }

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
