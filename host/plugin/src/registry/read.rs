use super::{
    Registry,
    index::is_release,
    keys::PublicKey,
    manifest::{COMPONENT, Manifest},
    name::{Release, Wanted, succeeds},
    sign::{Policy, Signatures},
};
use crate::{load::Plugin, runtime::Runtime};
use engine::{Error, Kind, Result, ResultExt};
use semver::Version;
use std::{collections::BTreeSet, path::PathBuf};

/// A release in a list.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// What it is.
    pub release: Release,
    /// One line on what it does.
    pub summary: String,
    /// What it can be used as.
    pub worlds: Vec<String>,
    /// The digest of its component.
    pub digest: String,
    /// Why nobody is to begin to use it, if so.
    pub yanked: Option<String>,
}

/// All about one release.
#[derive(Clone, Debug)]
pub struct Details {
    /// What its manifest says.
    pub manifest: Manifest,
    /// Who has signed it.
    pub signed_by: Vec<PublicKey>,
    /// Why nobody is to begin to use it, if so.
    pub yanked: Option<String>,
    /// Where it is.
    pub folder: PathBuf,
}

/// A release that will do, and what its bytes are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// What it is.
    pub release: Release,
    /// `sha256:…` of its component.
    pub digest: String,
}

impl Registry {
    /// Every release, by name and version.
    pub fn list(&self) -> Result<Vec<Listed>> {
        let index = self.index()?;
        let listed = |release: Release| {
            let entry = index.get(&release)?.clone();
            let yanked = self.yanked(&release);
            Some(yanked.map(|yanked| Listed {
                summary: entry.summary,
                worlds: entry.worlds,
                digest: entry.component,
                yanked,
                release,
            }))
        };
        index.releases().into_iter().filter_map(listed).collect()
    }

    /// Releases whose name, summary or worlds have every one of these words in them, whatever the case.
    pub fn search(&self, words: &[String]) -> Result<Vec<Listed>> {
        let mut found = self.list()?;
        let words: Vec<String> = words.iter().map(|word| word.to_lowercase()).collect();
        found.retain(|listed| {
            let Listed { release, summary, worlds, .. } = listed;
            let text = format!("{} {summary} {}", release.name, worlds.join(" ")).to_lowercase();
            words.iter().all(|word| text.contains(word))
        });
        Ok(found)
    }

    /// The newest release that will do and is not yanked.
    pub fn resolve(&self, wanted: &Wanted) -> Result<Found> {
        let mut versions: Vec<Version> = self.versions(wanted)?.into_iter().collect();
        while let Some(version) = versions.pop() {
            let release = Release { name: wanted.name.clone(), version };
            if wanted.accepts(&release.version) && self.yanked(&release)?.is_none() {
                return self.found(release);
            }
        }
        Err(self.none(wanted)?)
    }

    /// The newest release that will do in the place of `current`, if there is one.
    pub fn successor(&self, wanted: &Wanted, current: &Release) -> Result<Option<Found>> {
        for version in self.versions(wanted)?.into_iter().rev() {
            let release = Release { name: wanted.name.clone(), version };
            let fits = wanted.accepts(&release.version) && succeeds(&release.version, &current.version);
            if fits && self.yanked(&release)?.is_none() {
                return self.found(release).map(Some);
            }
        }
        Ok(None)
    }

    /// What this release is, which has to be there.
    pub fn found(&self, release: Release) -> Result<Found> {
        let (manifest, digest) = Manifest::read(&self.existing(&release)?, Some(&release))?;
        self.refuse_edited(&release, &digest)?;
        Ok(Found { digest: manifest.component().to_owned(), release })
    }

    /// All about a release.
    pub fn info(&self, release: &Release) -> Result<Details> {
        let folder = self.existing(release)?;
        let (manifest, _) = Manifest::read(&folder, Some(release))?;
        let signed_by = Signatures::read(&folder)?.check(&manifest)?;
        Ok(Details { manifest, signed_by, yanked: self.yanked(release)?, folder })
    }

    /// Loads a release, if its component is that of `found` to the byte and the policies admit it.
    pub async fn load(&self, runtime: &Runtime, found: &Found, policy: &Policy) -> Result<Plugin> {
        let Found { release, digest } = found;
        let (registry, checked, policy) = (self.clone(), release.clone(), policy.clone());
        let manifest = move || registry.trusted(&checked, &policy);
        let manifest = tokio::task::spawn_blocking(manifest).await;
        let manifest = manifest.doing(Kind::Internal, || format!("looking at {release}"))??;
        if manifest.component() != digest {
            return Err(Error::data(format!(
                "{release} in the registry {} is not what it was: its digest is {}, and {digest} was asked for; a version never changes, so \
                 put back what was there, or ask for another version",
                self.dir.display(),
                manifest.component()
            )));
        }
        let path = self.folder(release).join(COMPONENT);
        runtime.load_exact(&path, digest).await.map_err(|e| e.while_doing(release.to_string()))
    }

    /// The manifest of a release that the policies admit, and that is the one that was added.
    fn trusted(&self, release: &Release, policy: &Policy) -> Result<Manifest> {
        let (manifest, digest) = Manifest::read(&self.existing(release)?, Some(release))?;
        self.refuse_edited(release, &digest)?;
        self.admitted(release, &manifest, policy)?;
        Ok(manifest)
    }

    /// Refuses a manifest that is not the one that was added.
    pub(super) fn refuse_edited(&self, release: &Release, digest: &str) -> Result<()> {
        match self.index()?.get(release) {
            Some(entry) if entry.manifest != digest => Err(Error::data(format!(
                "{} was changed since it was added; put it back from a copy, or remove the version and add it again",
                self.folder(release).join(super::manifest::MANIFEST).display()
            ))),
            _ => Ok(()),
        }
    }

    /// The folder of a release that is there.
    pub(super) fn existing(&self, release: &Release) -> Result<PathBuf> {
        let folder = self.folder(release);
        if is_release(&folder) {
            return Ok(folder);
        }
        let there: Vec<String> =
            self.of_plugin(release.name.as_str())?.iter().map(ToString::to_string).collect();
        let there = if there.is_empty() { "no version of it".into() } else { there.join(", ") };
        Err(Error::invalid(format!(
            "{release} is not in the registry {}, which has {there}; `streamhost plugin add` adds one",
            self.dir.display()
        )))
    }

    fn versions(&self, wanted: &Wanted) -> Result<BTreeSet<Version>> {
        self.of_plugin(wanted.name.as_str())
    }

    /// The versions of a plugin.
    pub(super) fn of_plugin(&self, name: &str) -> Result<BTreeSet<Version>> {
        let of_plugin = self.dir.join(name);
        if !super::folder::is_folder(&of_plugin) {
            return Ok(BTreeSet::new());
        }
        let names = super::folder::names(&of_plugin)?.into_iter();
        let releases = names.filter_map(|version| Release::new(name, &version).ok());
        Ok(releases
            .filter(|release| is_release(&self.folder(release)))
            .map(|release| release.version)
            .collect())
    }

    /// Why nothing will do.
    fn none(&self, wanted: &Wanted) -> Result<Error> {
        let place = self.dir.display();
        let mut there = Vec::new();
        for version in self.versions(wanted)? {
            let release = Release { name: wanted.name.clone(), version };
            let yanked = self.yanked(&release)?.map_or("", |_| " (yanked)");
            there.push(format!("{}{yanked}", release.version));
        }
        if !there.is_empty() {
            return Ok(Error::invalid(format!(
                "no version of `{}` in the registry {place} fits {}; it has {}",
                wanted.name,
                wanted.versions(),
                there.join(", ")
            )));
        }
        let names: BTreeSet<String> = self.folders()?.into_iter().map(|of| of.name.to_string()).collect();
        let names = if names.is_empty() {
            "is empty".into()
        } else {
            format!("has {}", Vec::from_iter(names).join(", "))
        };
        Ok(Error::invalid(format!(
            "there is no plugin `{}` in the registry {place}, which {names}; `streamhost plugin add` adds one, `--registry` names another \
             directory",
            wanted.name
        )))
    }
}
