//! Tools that a build brings by itself, from a package registry: installed once for all plugins.

use engine::{Kind, Result, ResultExt};
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

/// Written when everything is there.
const COMPLETE: &str = "complete";

/// The directory of the tools with this name, which has their versions in it. Unless it is there it is made, empty, for
/// `install` to fill. Builds that want the same at once wait for one of them.
pub(super) fn installed(
    work: &Path,
    name: &str,
    install: impl FnOnce(&Path) -> Result<()>,
) -> Result<PathBuf> {
    let dir = work.join("tools").join(name);
    if dir.join(COMPLETE).exists() {
        return Ok(dir);
    }
    let doing = || format!("installing tools in {}", dir.display());
    let _lock = locked(&dir)?;
    if dir.join(COMPLETE).exists() {
        return Ok(dir);
    }
    if dir.exists() {
        fs::remove_dir_all(&dir).doing(Kind::Unavailable, doing)?;
    }
    fs::create_dir(&dir).doing(Kind::Unavailable, doing)?;
    install(&dir)?;
    fs::write(dir.join(COMPLETE), "").doing(Kind::Unavailable, doing)?;
    Ok(dir)
}

/// Waits until nobody else works in a directory, which need not be there; until the answer is dropped, others wait.
pub(super) fn locked(dir: &Path) -> Result<File> {
    let doing = || format!("taking the lock of {}", dir.display());
    if let Some(parent) = dir.parent() {
        fs::create_dir_all(parent).doing(Kind::Unavailable, doing)?;
    }
    // The name may have dots of its own.
    let mut path = dir.as_os_str().to_owned();
    path.push(".lock");
    let lock = File::create(path).doing(Kind::Unavailable, doing)?;
    lock.lock().doing(Kind::Unavailable, doing)?;
    Ok(lock)
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::Error;

    #[test]
    fn tools_are_installed_once_and_again_only_after_a_failure() {
        let work = tempfile::tempdir().unwrap();
        let failed = installed(work.path(), "kit-1.0", |dir| {
            fs::write(dir.join("half"), "").unwrap();
            Err(Error::invalid("no network"))
        });
        assert_eq!(failed.err().unwrap().report(), "no network");
        let dir = installed(work.path(), "kit-1.0", |dir| {
            assert!(!dir.join("half").exists(), "what failed leaves nothing");
            fs::write(dir.join("tool"), "").unwrap();
            Ok(())
        });
        assert!(dir.unwrap().join("tool").exists());
        installed(work.path(), "kit-1.0", |_| Err(Error::invalid("again"))).unwrap();
    }
}
