//! The end of a release: nobody begins to use it, then nobody needs it, then it is gone.

use super::{
    Registry, folder,
    index::is_release,
    name::{PluginName, Release, parse_version},
    pins::Pin,
};
use engine::{Error, Kind, Result, ResultExt};
use std::{collections::BTreeSet, fs};

/// The most bytes of a reason.
const LARGEST: u64 = 64 << 10;

impl Registry {
    /// Why a release was yanked, if it was.
    pub(super) fn yanked(&self, release: &Release) -> Result<Option<String>> {
        folder::read_text(&self.yank_path(release), LARGEST)
    }

    /// Keeps a release from being chosen by anyone who does not run it already; with no reason, an empty text.
    pub fn yank(&self, release: &Release, reason: &str) -> Result<()> {
        let _lock = self.lock()?;
        self.existing(release)?;
        folder::make(&self.dir.join(".yanked"))?;
        folder::replace(&self.yank_path(release), reason.as_bytes())
    }

    /// Takes a yank back.
    pub fn unyank(&self, release: &Release) -> Result<()> {
        let _lock = self.lock()?;
        self.existing(release)?;
        folder::remove(&self.yank_path(release))
    }

    fn yank_path(&self, release: &Release) -> std::path::PathBuf {
        self.dir.join(".yanked").join(release.to_string())
    }

    /// Removes a release that no checkpoint needs. `needs` answers the digests that the checkpoint of a pin needs; none if it is gone.
    ///
    /// Kind `Invalid` if one does; whatever `needs` fails with otherwise, for then nobody knows.
    pub async fn remove(
        &self,
        release: &Release,
        needs: impl AsyncFn(&Pin) -> Result<Option<BTreeSet<String>>>,
    ) -> Result<()> {
        let registry = self.clone();
        let lock = tokio::task::spawn_blocking(move || registry.lock()).await;
        let _lock = lock.doing(Kind::Internal, || "waiting for the registry")??;
        self.existing(release)?;
        for pin in self.pins()? {
            let Some(digest) = pin.plugins.get(&release.to_string()) else { continue };
            let needed = needs(&pin).await.map_err(|e| {
                e.while_doing(format!(
                    "{release} stays: whether checkpoint {} needs it cannot be told",
                    pin.checkpoint
                ))
            })?;
            if needed.is_some_and(|needed| needed.contains(digest)) {
                return Err(Error::invalid(format!(
                    "{release} stays: checkpoint {} needs it; let its query go on with another version first, or delete the checkpoint",
                    pin.checkpoint
                )));
            }
        }
        self.delete(release)
    }

    /// Out of sight in one step; the lock is held.
    fn delete(&self, release: &Release) -> Result<()> {
        let gone = self.staging().join(format!("{release}.removed"));
        folder::make(&self.staging())?;
        folder::remove(&gone)?;
        fs::rename(self.folder(release), &gone).doing(Kind::Unavailable, || format!("removing {release}"))?;
        folder::sync(&self.dir.join(release.name.as_str()))?;
        folder::remove(&self.yank_path(release))?;
        self.write_index()?;
        folder::remove(&gone)
    }

    /// Removes what nobody can use: what interrupted adds have left, folders without a manifest, notes of checkpoints that are gone;
    /// and with `yanked`, yanked releases that no checkpoint needs. Answers a line for each.
    pub async fn collect(
        &self,
        yanked: bool,
        needs: impl AsyncFn(&Pin) -> Result<Option<BTreeSet<String>>>,
    ) -> Result<Vec<String>> {
        if !self.dir.is_dir() {
            return Ok(Vec::new());
        }
        let registry = self.clone();
        let lock = tokio::task::spawn_blocking(move || registry.lock()).await;
        let _lock = lock.doing(Kind::Internal, || "waiting for the registry")??;
        let mut gone: Vec<String> =
            self.sweep_staging()?.into_iter().map(|name| format!("{name}, half written")).collect();
        gone.extend(self.sweep_halves()?);
        let mut needed = BTreeSet::new();
        for pin in self.pins()? {
            match needs(&pin).await {
                Ok(Some(digests)) => needed.extend(digests),
                Ok(None) => {
                    self.unpin(&pin.checkpoint)?;
                    gone.push(format!("the pin of checkpoint {}, which is gone", pin.checkpoint));
                }
                // What cannot be told is needed.
                Err(error) => {
                    tracing::warn!(checkpoint = pin.checkpoint, "its plugins stay: {}", error.report());
                    needed.extend(pin.plugins.into_values());
                }
            }
        }
        for listed in self.list()?.into_iter().filter(|listed| yanked && listed.yanked.is_some()) {
            if !needed.contains(&listed.digest) {
                self.delete(&listed.release)?;
                gone.push(format!("{}, yanked", listed.release));
            }
        }
        self.write_index()?;
        Ok(gone)
    }

    /// Removes folders of versions that have no manifest, and those of plugins that have no version.
    fn sweep_halves(&self) -> Result<Vec<String>> {
        let mut gone = Vec::new();
        for name in folder::names(&self.dir)? {
            let of_plugin = self.dir.join(&name);
            if PluginName::parse(&name).is_err() || !folder::is_folder(&of_plugin) {
                continue;
            }
            let versions = folder::names(&of_plugin)?;
            for version in versions.iter().filter(|version| parse_version(version).is_ok()) {
                let half = of_plugin.join(version);
                if folder::is_folder(&half) && !is_release(&half) {
                    folder::remove(&half)?;
                    gone.push(format!("{name}@{version}, half written"));
                }
            }
            // Fails, and is to, if anything is left in it.
            let _ = fs::remove_dir(&of_plugin);
        }
        Ok(gone)
    }
}
