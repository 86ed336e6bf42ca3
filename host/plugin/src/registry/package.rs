//! What is added to a registry: a component, what belongs to it, and who vouches for it.

use super::{
    folder,
    manifest::{COMPONENT, MANIFEST, Manifest, largest},
    name::{Release, check_path},
    sign::{SIGNATURES, Signatures},
};
use crate::{load::digest, runtime::Runtime};
use engine::{Error, Kind, Result, ResultExt};
use std::{collections::BTreeMap, path::Path};

/// The JSON Schema of its configuration, where a package brings none itself.
const CONFIG_SCHEMA: &str = "schema/config.json";
/// The most bytes of all files of a package together.
const LARGEST_PACKAGE: usize = 128 << 20;

/// A release that is whole: all its bytes are at hand, and are what its manifest says.
pub struct Package {
    pub(super) manifest: Manifest,
    pub(super) files: BTreeMap<String, Vec<u8>>,
    pub(super) signatures: Signatures,
}

impl Package {
    /// Of a component, with the README.md, schema/ and tests/ of the folder beside it, if one is given. Fails with kind `Invalid` if
    /// it is no plugin, or if its name or a file's cannot be.
    pub async fn gather(runtime: &Runtime, component: &Path, beside: Option<&Path>) -> Result<Self> {
        let mut files = match beside {
            Some(folder) => belonging(folder)?,
            None => BTreeMap::new(),
        };
        files.insert(COMPONENT.into(), folder::read(component, largest(COMPONENT))?);
        let plugin = runtime.load_exact(component, &digest_of(&files, COMPONENT)).await?;
        let schema = &plugin.description().config_schema;
        if !files.contains_key(CONFIG_SCHEMA) && !schema.is_empty() {
            files.insert(CONFIG_SCHEMA.into(), schema.clone().into_bytes());
        }
        let manifest =
            Manifest::of(&plugin, &files).map_err(|e| e.while_doing(component.display().to_string()))?;
        Ok(Package { manifest, files, signatures: Signatures::default() })
    }

    /// A package that was made before: a release's folder of a registry, or a copy of one. Fails with kind `Data` if a file is not as
    /// its manifest says.
    pub async fn read(runtime: &Runtime, folder: &Path) -> Result<Self> {
        let (manifest, _) = Manifest::read(folder, None)?;
        let release = manifest.release()?;
        refuse_others(folder, &manifest)?;
        let mut files = BTreeMap::new();
        for (path, expected) in &manifest.files {
            let bytes = folder::read(&folder.join(path), largest(path))?;
            refuse_changed(&folder.join(path), &bytes, expected)?;
            files.insert(path.clone(), bytes);
        }
        refuse_huge(folder, &files)?;
        let plugin = runtime.load_exact(&folder.join(COMPONENT), manifest.component()).await?;
        let said = &plugin.description();
        let is = Release::new(&said.name, &said.version)?;
        if is != release {
            return Err(Error::invalid(format!(
                "{} says {release}, and the component says that it is {is}",
                folder.join(MANIFEST).display()
            )));
        }
        let signatures = Signatures::read(folder)?;
        signatures.check(&manifest).map_err(|e| e.while_doing(folder.display().to_string()))?;
        Ok(Package { manifest, files, signatures })
    }

    /// What it is.
    pub fn release(&self) -> Result<Release> {
        self.manifest.release()
    }

    /// Whether this folder is a package, rather than a plugin's source.
    pub fn is_in(folder: &Path) -> bool {
        folder.join(MANIFEST).is_file()
    }

    /// Writes all of it into a folder that is there and empty, the manifest last.
    pub(super) fn write(&self, to: &Path) -> Result<()> {
        for (path, bytes) in &self.files {
            let file = to.join(path);
            if let Some(above) = file.parent() {
                folder::make(above)?;
            }
            folder::write(&file, bytes)?;
        }
        if !self.signatures.is_empty() {
            folder::write(&to.join(SIGNATURES), self.signatures.text()?.as_bytes())?;
        }
        folder::write(&to.join(MANIFEST), self.manifest.text()?.as_bytes())?;
        for path in self.files.keys() {
            let above = to.join(path);
            above.parent().map_or(Ok(()), folder::sync)?;
        }
        folder::sync(to)
    }
}

fn digest_of(files: &BTreeMap<String, Vec<u8>>, path: &str) -> String {
    files.get(path).map_or_else(String::new, |bytes| digest(bytes))
}

/// The files of a folder that are part of a package if a plugin of it is.
fn belonging(folder: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut files = BTreeMap::new();
    let mut take = |path: String| {
        let take = check_path(&path).and_then(|()| folder::read(&folder.join(&path), largest(&path)));
        take.map(|bytes| drop(files.insert(path, bytes)))
    };
    if folder::exists(&folder.join("README.md"))? {
        take("README.md".into())?;
    }
    for part in ["schema", "tests"] {
        for path in folder::files(&folder.join(part))? {
            // What editors and systems leave behind.
            if !path.split('/').any(|part| part.starts_with('.')) {
                take(format!("{part}/{path}"))?;
            }
        }
    }
    refuse_huge(folder, &files)?;
    Ok(files)
}

fn refuse_huge(folder: &Path, files: &BTreeMap<String, Vec<u8>>) -> Result<()> {
    if files.values().map(Vec::len).sum::<usize>() <= LARGEST_PACKAGE {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "the files of {} are larger than {} MiB together: too large for a plugin",
        folder.display(),
        LARGEST_PACKAGE >> 20
    )))
}

/// What nobody vouches for is no part of a package.
pub(super) fn refuse_others(folder: &Path, manifest: &Manifest) -> Result<()> {
    let known =
        |path: &String| manifest.files.contains_key(path) || [MANIFEST, SIGNATURES].contains(&path.as_str());
    match folder::files(folder)?.into_iter().find(|path| !known(path)) {
        None => Ok(()),
        Some(path) => Err(Error::data(format!(
            "{} is not among the files that {MANIFEST} names; move it away",
            folder.join(path).display()
        ))),
    }
}

pub(super) fn refuse_changed(path: &Path, bytes: &[u8], expected: &str) -> Result<()> {
    let found = digest(bytes);
    if found == expected {
        return Ok(());
    }
    Err(Error::data(format!(
        "{} is not what was added: its digest is {found}, and {MANIFEST} says {expected}; put it back from a copy, or remove the version \
         and add it again",
        path.display()
    )))
}

/// The bytes of a file, if they are what the manifest says.
pub(super) fn verified(folder: &Path, path: &str, expected: &str) -> Result<()> {
    let file = folder.join(path);
    let bytes = folder::read(&file, largest(path)).doing(Kind::Data, || format!("checking {path}"))?;
    refuse_changed(&file, &bytes, expected)
}
