use super::{
    Registry, folder,
    manifest::Manifest,
    name::{PluginName, Release, parse_version},
};
use engine::{Kind, Result, ResultExt};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

/// The file with it.
const INDEX: &str = "index.json";
/// The most bytes of it.
const LARGEST: u64 = 64 << 20;
const FORMAT: u32 = 1;

/// What there is, so that nobody has to read every manifest to list them. It follows from the folders and is made anew whenever it
/// does not fit them; all that only it knows is what each manifest was when it was added.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Index {
    version: u32,
    /// Name → version → what it is.
    plugins: BTreeMap<String, BTreeMap<String, Entry>>,
}

/// A release, as it was added.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    pub(super) summary: String,
    pub(super) worlds: Vec<String>,
    /// The digest of its component.
    pub(super) component: String,
    /// The digest of its manifest.
    pub(super) manifest: String,
}

impl Entry {
    pub(super) fn of(manifest: &Manifest, digest: String) -> Self {
        Entry {
            summary: manifest.summary.clone(),
            worlds: manifest.worlds.clone(),
            component: manifest.component().to_owned(),
            manifest: digest,
        }
    }
}

impl Index {
    pub(super) fn get(&self, release: &Release) -> Option<&Entry> {
        self.plugins.get(release.name.as_str())?.get(&release.version.to_string())
    }

    pub(super) fn put(&mut self, release: &Release, entry: Entry) {
        let versions = self.plugins.entry(release.name.to_string()).or_default();
        versions.insert(release.version.to_string(), entry);
    }

    /// All releases, by name and version.
    pub(super) fn releases(&self) -> BTreeSet<Release> {
        let all = self.plugins.iter().flat_map(|(name, versions)| versions.keys().map(move |v| (name, v)));
        all.filter_map(|(name, version)| Release::new(name, version).ok()).collect()
    }
}

impl Registry {
    /// The index, of what is there now.
    pub(super) fn index(&self) -> Result<Index> {
        let there = self.folders()?;
        let kept = self.kept_index();
        if kept.releases() == there {
            return Ok(kept);
        }
        Ok(self.rebuilt(&kept, &there))
    }

    /// Writes what follows from the folders; the lock is held.
    pub(super) fn write_index(&self) -> Result<()> {
        let mut index = self.index()?;
        index.version = FORMAT;
        let text = serde_json::to_vec_pretty(&index).doing(Kind::Internal, || "writing the index")?;
        folder::replace(&self.dir.join(INDEX), &text)
    }

    /// Notes a release as it is added; the lock is held.
    pub(super) fn note(&self, release: &Release, entry: Entry) -> Result<()> {
        let mut index = self.index()?;
        index.version = FORMAT;
        index.put(release, entry);
        let text = serde_json::to_vec_pretty(&index).doing(Kind::Internal, || "writing the index")?;
        folder::replace(&self.dir.join(INDEX), &text)
    }

    fn kept_index(&self) -> Index {
        let text = folder::read_text(&self.dir.join(INDEX), LARGEST).ok().flatten();
        let index = text.and_then(|text| serde_json::from_str::<Index>(&text).ok());
        index.filter(|index| index.version == FORMAT).unwrap_or_default()
    }

    /// What was known stays; what is new is read. A release whose manifest cannot be read is left out: `verify` says why.
    fn rebuilt(&self, kept: &Index, there: &BTreeSet<Release>) -> Index {
        let mut index = Index { version: FORMAT, ..Index::default() };
        for release in there {
            let known = kept.get(release).cloned();
            let read = || {
                let (manifest, digest) = Manifest::read(&self.folder(release), Some(release)).ok()?;
                Some(Entry::of(&manifest, digest))
            };
            if let Some(entry) = known.or_else(read) {
                index.put(release, entry);
            }
        }
        index
    }

    /// Every release that has a folder with a manifest. What has other names is none: a folder that is being added, or a stranger.
    pub(super) fn folders(&self) -> Result<BTreeSet<Release>> {
        let mut releases = BTreeSet::new();
        for name in folder::names(&self.dir)? {
            let Ok(name) = PluginName::parse(&name) else { continue };
            let of_plugin = self.dir.join(name.as_str());
            if !folder::is_folder(&of_plugin) {
                continue;
            }
            for version in folder::names(&of_plugin)? {
                let Ok(version) = parse_version(&version) else { continue };
                let release = Release { name: name.clone(), version };
                if is_release(&self.folder(&release)) {
                    releases.insert(release);
                }
            }
        }
        Ok(releases)
    }
}

/// Whether a folder was added as a whole: its manifest is written last, and comes to its place with all of it.
pub(super) fn is_release(folder: &Path) -> bool {
    folder::is_folder(folder) && folder.join(super::manifest::MANIFEST).is_file()
}
