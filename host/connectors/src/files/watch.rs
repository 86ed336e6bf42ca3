//! Being told of changes in directories.

use super::listing::{Location, is_hidden};
use notify::{
    Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher,
    event::{AccessKind, AccessMode},
};
use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::sync::Notify;

/// How many names of files that were written to are kept until somebody asks.
const NAMES: usize = 1000;

/// Watches where files are expected. Events may get lost, so it only says when to list sooner.
pub(crate) struct Watch {
    news: Arc<News>,
    /// None if the system has no watches left, or none for this directory.
    watcher: Option<RecommendedWatcher>,
}

#[derive(Default)]
struct News {
    changed: AtomicBool,
    /// Some of the files that were written to.
    written: Mutex<HashSet<String>>,
    notify: Arc<Notify>,
}

impl News {
    fn take(&self, event: &Event, directory: &Path) {
        let below = |path: &PathBuf| Some(path.strip_prefix(directory).ok()?.to_str()?.to_owned());
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let room = NAMES.saturating_sub(written.len());
        written.extend(event.paths.iter().filter_map(below).take(room));
        drop(written);
        self.tell();
    }

    fn tell(&self) {
        self.changed.store(true, Ordering::Release);
        self.notify.notify_one();
    }
}

impl Watch {
    /// Starts watching.
    pub(crate) fn start(location: &Location) -> Self {
        let news = Arc::new(News { changed: true.into(), ..News::default() });
        let watcher = watcher(location, news.clone());
        if let Err(error) = &watcher {
            let path = location.directory.display();
            tracing::debug!(%path, %error, "no notifications, listing the directory instead");
        }
        Watch { news, watcher: watcher.ok() }
    }

    /// Whether events come at all.
    pub(crate) fn works(&self) -> bool {
        self.watcher.is_some()
    }

    /// Whether anything changed since this was asked last.
    pub(crate) fn take_changed(&self) -> bool {
        self.news.changed.swap(false, Ordering::AcqRel)
    }

    /// Files that were written to since this was asked last, by their path below the directory; not all if there are many.
    pub(crate) fn take_written(&self) -> HashSet<String> {
        std::mem::take(&mut self.news.written.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes back that the change was taken note of.
    pub(crate) fn put_back(&self) {
        self.news.tell();
    }

    /// Wakes one waiter at each change.
    pub(crate) fn notifier(&self) -> Arc<Notify> {
        self.news.notify.clone()
    }
}

fn watcher(location: &Location, news: Arc<News>) -> notify::Result<RecommendedWatcher> {
    // Events name files by their absolute path.
    let directory = std::path::absolute(&location.directory).map_err(notify::Error::io)?;
    let below = directory.clone();
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| match event {
        Ok(event) if matters(&event) => news.take(&event, &below),
        Ok(_) => {}
        Err(_) => news.tell(),
    })?;
    let depth = if location.is_deep() { RecursiveMode::Recursive } else { RecursiveMode::NonRecursive };
    watcher.watch(&directory, depth)?;
    Ok(watcher)
}

/// Whether a file may be there, or complete, that was not. Reading files makes events too.
fn matters(event: &Event) -> bool {
    let kind = match event.kind {
        EventKind::Access(access) => access == AccessKind::Close(AccessMode::Write),
        EventKind::Remove(_) => false,
        _ => true,
    };
    let hidden = |path: &PathBuf| path.file_name().and_then(|n| n.to_str()).is_some_and(is_hidden);
    kind && (event.need_rescan() || event.paths.is_empty() || !event.paths.iter().all(hidden))
}
