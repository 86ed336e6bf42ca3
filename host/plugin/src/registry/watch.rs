use super::Registry;
use engine::{Kind, Result, ResultExt};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use std::sync::Arc;
use tokio::sync::Notify;

/// Says when something in a registry may have changed.
pub struct Watch {
    news: Arc<Notify>,
    _watcher: RecommendedWatcher,
}

impl Registry {
    /// Begins to watch; what was there before is not told of. The directory has to be there.
    pub fn watch(&self) -> Result<Watch> {
        let news = Arc::new(Notify::new());
        let tell = news.clone();
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            // Looking at files makes events too, and whoever is told looks at files.
            if !event.is_ok_and(|event| matches!(event.kind, EventKind::Access(_))) {
                tell.notify_one();
            }
        });
        let doing = || format!("watching the registry {}", self.dir.display());
        let mut watcher = watcher.doing(Kind::Unavailable, doing)?;
        watcher.watch(&self.dir, RecursiveMode::Recursive).doing(Kind::Unavailable, doing)?;
        Ok(Watch { news, _watcher: watcher })
    }
}

impl Watch {
    /// Waits for the next change, or answers at once if there was one since it was asked last.
    pub async fn changed(&self) {
        self.news.notified().await;
    }
}
