//! Being told of changes in directories.

use super::listing::{Location, is_hidden};
use notify::{
    Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher,
    event::{AccessKind, AccessMode},
};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use tokio::sync::Notify;

/// Watches where files are expected. Events may get lost, so it only says when to list sooner.
pub(crate) struct Watch {
    changed: Arc<AtomicBool>,
    notify: Arc<Notify>,
    /// None if the system has no watches left, or none for this directory.
    watcher: Option<RecommendedWatcher>,
}

impl Watch {
    /// Starts watching.
    pub(crate) fn start(location: &Location) -> Self {
        let changed = Arc::new(AtomicBool::new(true));
        let notify = Arc::new(Notify::new());
        let watcher = watcher(location, changed.clone(), notify.clone());
        if let Err(error) = &watcher {
            let path = location.directory.display();
            tracing::debug!(%path, %error, "no notifications, listing the directory instead");
        }
        Watch { changed, notify, watcher: watcher.ok() }
    }

    /// Whether events come at all.
    pub(crate) fn works(&self) -> bool {
        self.watcher.is_some()
    }

    /// Whether anything changed since this was asked last.
    pub(crate) fn take_changed(&self) -> bool {
        self.changed.swap(false, Ordering::AcqRel)
    }

    /// Takes back that the change was taken note of.
    pub(crate) fn put_back(&self) {
        self.changed.store(true, Ordering::Release);
        self.notify.notify_one();
    }

    /// Wakes one waiter at each change.
    pub(crate) fn notifier(&self) -> Arc<Notify> {
        self.notify.clone()
    }
}

fn watcher(
    location: &Location,
    changed: Arc<AtomicBool>,
    notify: Arc<Notify>,
) -> notify::Result<RecommendedWatcher> {
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
        if event.as_ref().map_or(true, matters) {
            changed.store(true, Ordering::Release);
            notify.notify_one();
        }
    })?;
    let depth = if location.is_deep() { RecursiveMode::Recursive } else { RecursiveMode::NonRecursive };
    watcher.watch(&location.directory, depth)?;
    Ok(watcher)
}

/// Whether a file may be there, or complete, that was not. Reading files makes events too.
fn matters(event: &Event) -> bool {
    let kind = match event.kind {
        EventKind::Access(access) => access == AccessKind::Close(AccessMode::Write),
        EventKind::Remove(_) => false,
        _ => true,
    };
    let hidden = |path: &std::path::PathBuf| path.file_name().and_then(|n| n.to_str()).is_some_and(is_hidden);
    kind && (event.need_rescan() || event.paths.is_empty() || !event.paths.iter().all(hidden))
}
