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
    let tools = work.join("tools");
    let dir = tools.join(name);
    if dir.join(COMPLETE).exists() {
        return Ok(dir);
    }
    let doing = || format!("installing tools in {}", dir.display());
    fs::create_dir_all(&tools).doing(Kind::Unavailable, doing)?;
    let lock = File::create(tools.join(format!("{name}.lock"))).doing(Kind::Unavailable, doing)?;
    lock.lock().doing(Kind::Unavailable, doing)?;
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
