//! Told when a plugin's source changes.

use super::{Project, sources};
use engine::{Kind, Result, ResultExt};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use std::{
    path::Path,
    sync::mpsc::{Receiver, channel},
    time::Duration,
};

/// Editors write a file in several steps, and some several files.
const SETTLES: Duration = Duration::from_millis(100);

/// The changes of the source in a folder, one after the other.
pub struct Changes {
    changed: Receiver<()>,
    _watcher: RecommendedWatcher,
}

impl Changes {
    /// Begins to watch the folder of a plugin; what was there before is not told of. [`engine::Kind::Invalid`] if it is no plugin's.
    pub fn of(folder: &Path) -> Result<Self> {
        let project = Project::open(folder, folder)?;
        let root = project.absolute();
        let (tell, changed) = channel();
        let below = root.clone();
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            if event.is_ok_and(|event| matters(&below, &event)) {
                let _ = tell.send(());
            }
        });
        let doing = || format!("watching {}", folder.display());
        let mut watcher = watcher.doing(Kind::Unavailable, doing)?;
        watcher.watch(&root, RecursiveMode::Recursive).doing(Kind::Unavailable, doing)?;
        Ok(Changes { changed, _watcher: watcher })
    }

    /// Waits for the next change, and until it is quiet again.
    pub fn wait(&mut self) -> Result<()> {
        let ended = || "the system does not tell of changes any more";
        self.changed.recv().doing(Kind::Unavailable, ended)?;
        while self.changed.recv_timeout(SETTLES).is_ok() {}
        Ok(())
    }
}

/// Whether a source may be another now. Looking at files makes events too, and so does what a build writes.
fn matters(folder: &Path, event: &Event) -> bool {
    let source = |path: &Path| path.strip_prefix(folder).is_ok_and(sources::is_source_path);
    !matches!(event.kind, EventKind::Access(_)) && event.paths.iter().any(|path| source(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_change_of_a_source_is_told_and_what_a_build_writes_is_not() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("go.mod"), "module my-filter\n").unwrap();
        let mut changes = Changes::of(dir.path()).unwrap();
        fs::write(dir.path().join("my-filter.wasm"), "").unwrap();
        fs::create_dir(dir.path().join("node_modules")).unwrap();
        assert!(changes.changed.recv_timeout(Duration::from_millis(300)).is_err());
        fs::write(dir.path().join("plugin.go"), "package main\n").unwrap();
        changes.wait().unwrap();
    }
}
