use super::{
    Registry, folder,
    index::{Entry, is_release},
    keys::SigningKey,
    manifest::{MANIFEST, Manifest},
    name::Release,
    package::Package,
    sign::serial,
};
use engine::{Error, Kind, Result, ResultExt, Timestamp};
use std::fs;

/// What came of adding a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Added {
    /// It is there now.
    New,
    /// It was there already, with the same bytes.
    Same,
}

impl Registry {
    /// Adds a release: whole or, on any failure, not at all. `at_step` is told of the places where a crash must leave nothing behind.
    ///
    /// Kind `Invalid` if its version is there with other bytes, or if it is not signed as this registry asks.
    pub fn add(&self, package: &Package, at_step: &dyn Fn(&str)) -> Result<Added> {
        let release = package.release()?;
        let _lock = self.lock()?;
        self.sweep_staging()?;
        let target = self.folder(&release);
        if is_release(&target) {
            self.refuse_other(&release, package)?;
            return Ok(Added::Same);
        }
        self.admit(&release, &package.manifest, &package.signatures)?;
        let mut ledger = self.ledger(&release)?;
        ledger.refuse_replayed(&release, &package.signatures)?;
        // The folder of an earlier version of this program, or one that somebody has copied half.
        folder::remove(&target)?;
        let staged = self.staging().join(release.to_string());
        folder::make(&staged)?;
        let put = package.write(&staged).and_then(|()| {
            at_step("staged");
            self.publish(&staged, &release)
        });
        put.inspect_err(|_| drop(folder::remove(&staged)))?;
        at_step("published");
        let entry = Entry::of(&package.manifest, crate::load::digest(package.manifest.text()?.as_bytes()));
        self.note(&release, entry)?;
        if !package.signatures.is_empty() {
            ledger.note(&release, &package.signatures);
            self.write_ledger(&release, &ledger)?;
        }
        Ok(Added::New)
    }

    fn publish(&self, staged: &std::path::Path, release: &Release) -> Result<()> {
        let target = self.folder(release);
        let above = self.dir.join(release.name.as_str());
        folder::make(&above)?;
        fs::rename(staged, &target)
            .doing(Kind::Unavailable, || format!("moving {} to its place", target.display()))?;
        folder::sync(&above)
    }

    fn refuse_other(&self, release: &Release, package: &Package) -> Result<()> {
        let (there, _) = Manifest::read(&self.folder(release), Some(release))?;
        if there == package.manifest {
            return Ok(());
        }
        let differs = |path: &&String| there.files.get(*path) != package.manifest.files.get(*path);
        let mut paths: Vec<&String> =
            there.files.keys().chain(package.manifest.files.keys()).filter(differs).collect();
        paths.sort_unstable();
        paths.dedup();
        let paths: Vec<&str> = paths.into_iter().map(String::as_str).collect();
        let what = if paths.is_empty() { MANIFEST.into() } else { paths.join(", ") };
        Err(Error::invalid(format!(
            "{release} is in the registry {} already, with another {what}: a version never changes; give the plugin another version",
            self.dir.display()
        )))
    }

    /// Removes what adds that were interrupted have left; the lock is held, so nobody else is adding.
    pub(super) fn sweep_staging(&self) -> Result<Vec<String>> {
        let left = folder::names(&self.staging())?;
        for name in &left {
            folder::remove(&self.staging().join(name))?;
        }
        Ok(left)
    }
}

impl Package {
    /// Signs it before it is added.
    pub fn sign(&mut self, key: &SigningKey, now: Timestamp) -> Result<()> {
        self.signatures.add(&self.manifest, key, serial(now))
    }
}
