use super::{
    folder,
    name::{Release, check_path},
};
use crate::{
    abi,
    compile::LARGEST,
    load::{Plugin, digest},
    role::Role,
};
use engine::{Error, Kind, Result, ResultExt};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, path::Path};

/// The file that says what a package is.
pub(super) const MANIFEST: &str = "plugin.toml";
/// The component.
pub(super) const COMPONENT: &str = "component.wasm";
/// The most bytes of a manifest.
pub(super) const LARGEST_MANIFEST: u64 = 1 << 20;
/// The most bytes of any other file but the component.
const LARGEST_FILE: u64 = 16 << 20;

/// `plugin.toml`: what a release is, and the digest of each of its files. It is made when the release is added; the digest of its
/// text stands for the release as a whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The plugin's name, as it says itself.
    pub name: String,
    /// Its version, as it says itself.
    pub version: String,
    /// One line on what it does.
    pub summary: String,
    /// What it can be used as.
    pub worlds: Vec<String>,
    /// Whether it promises the same output bytes for the same input.
    pub deterministic: bool,
    /// The capabilities that it wants.
    pub asks: Vec<String>,
    /// The version of the contract that it was built for.
    pub contract: String,
    /// Path → `sha256:…`, of every file but this one and its signatures.
    pub files: BTreeMap<String, String>,
}

impl Manifest {
    /// Of a component and the files beside it.
    pub(super) fn of(plugin: &Plugin, files: &BTreeMap<String, Vec<u8>>) -> Result<Self> {
        let about = plugin.description();
        // Both become parts of paths.
        let release = Release::new(&about.name, &about.version)
            .map_err(|e| e.while_doing("the plugin says itself what it is called"))?;
        Ok(Manifest {
            name: release.name.to_string(),
            version: release.version.to_string(),
            summary: about.summary.clone(),
            worlds: plugin.roles().into_iter().map(|role| world(role).to_owned()).collect(),
            deterministic: about.deterministic,
            asks: about.asks.clone(),
            contract: abi::VERSION.into(),
            files: files.iter().map(|(path, bytes)| (path.clone(), digest(bytes))).collect(),
        })
    }

    /// Reads the one of a package, which must be of `release` if that is known.
    pub(super) fn read(package: &Path, release: Option<&Release>) -> Result<(Self, String)> {
        let path = package.join(MANIFEST);
        let text = folder::read_text(&path, LARGEST_MANIFEST)?;
        let text = text.ok_or_else(|| Error::data(format!("{} is missing", path.display())))?;
        let manifest: Manifest = toml::from_str(&text)
            .doing(Kind::Data, || format!("{} was damaged or changed by hand", path.display()))?;
        manifest.check(release).map_err(|e| e.while_doing(path.display().to_string()))?;
        Ok((manifest, digest(text.as_bytes())))
    }

    fn check(&self, release: Option<&Release>) -> Result<()> {
        let is = self.release()?;
        if let Some(release) = release.filter(|release| **release != is) {
            return Err(Error::data(format!(
                "it is of {is} and stands in the folder of {release}: it was copied or changed by hand"
            )));
        }
        self.files.keys().try_for_each(|path| check_path(path))?;
        if !self.files.contains_key(COMPONENT) {
            return Err(Error::data(format!("it names no {COMPONENT}")));
        }
        Ok(())
    }

    /// What it is.
    pub fn release(&self) -> Result<Release> {
        Release::new(&self.name, &self.version)
    }

    /// The digest of the component.
    pub fn component(&self) -> &str {
        self.files.get(COMPONENT).map_or("", String::as_str)
    }

    pub(super) fn text(&self) -> Result<String> {
        toml::to_string(self).doing(Kind::Internal, || format!("writing {MANIFEST}"))
    }
}

/// The most bytes that this file of a package may have.
pub(super) fn largest(path: &str) -> u64 {
    if path == COMPONENT { LARGEST } else { LARGEST_FILE }
}

/// The world of the contract that a role is called after.
fn world(role: Role) -> &'static str {
    match role {
        Role::Transform => "stateless",
        Role::Keyed => "stateful",
        Role::BatchSink => "batch-sink",
        Role::Functions => "sql-functions",
    }
}
