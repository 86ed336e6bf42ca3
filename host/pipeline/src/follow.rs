//! `follow = true`: newer versions of a running step's plugin.
//!
//! A task watches the registry. What is newer and compatible is loaded, bound to the step's own configuration and columns, and given a
//! batch without rows, or a call without keys, all beside the running query. Only what passes is handed over, between two epochs,
//! and its instance is ready by then. What does not pass changes nothing but the log and the progress.

use crate::{
    bound::{BoundPlugin, Terms},
    releases::Releases,
};
use arrow::datatypes::SchemaRef;
use engine::{Clock, Error, Keyed, Result, plan::Renewed};
use plugin::{
    BindSettings, Plugin, Runtime,
    registry::{Found, Registry, Wanted, Watch},
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{sync::Notify, task::JoinHandle};

/// How often to look where the system tells of no changes.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// The steps of a query that follow the registry.
pub(crate) struct Follower {
    shared: Arc<Shared>,
    task: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    releases: Arc<Releases>,
    runtime: Arc<Runtime>,
    clock: Arc<dyn Clock>,
    /// By the step's name.
    followed: Mutex<BTreeMap<String, Followed>>,
    notices: Mutex<Vec<String>>,
    /// A step has begun to be followed.
    more: Notify,
}

/// A step, and what may take its place.
#[derive(Clone)]
pub(crate) struct Followed {
    pub(crate) wanted: Wanted,
    pub(crate) current: Found,
    terms: Terms,
    /// What runs or ran first: the columns stay, and what is kept by key.
    step: BoundPlugin,
    ready: Option<(Found, BoundPlugin)>,
    /// What was said of the newest version last.
    refused: Option<String>,
}

impl Followed {
    pub(crate) fn new(wanted: Wanted, current: Found, terms: Terms, step: BoundPlugin) -> Self {
        Followed { wanted, current, terms, step, ready: None, refused: None }
    }
}

impl Follower {
    pub(crate) fn new(releases: Arc<Releases>, runtime: Arc<Runtime>, clock: Arc<dyn Clock>) -> Self {
        let shared = Shared {
            releases,
            runtime,
            clock,
            followed: Mutex::default(),
            notices: Mutex::default(),
            more: Notify::new(),
        };
        Follower { shared: Arc::new(shared), task: Mutex::default() }
    }

    /// Begins to follow a step, or goes on with its new columns.
    pub(crate) fn follow(&self, step: &str, followed: Followed) {
        self.shared.followed().insert(step.to_owned(), followed);
        self.shared.more.notify_one();
        let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        task.get_or_insert_with(|| tokio::spawn(self.shared.clone().run()));
    }

    /// The steps that are to take the place of those that run.
    pub(crate) fn renewed(&self) -> Vec<Renewed> {
        let mut renewed = Vec::new();
        for (name, followed) in self.shared.followed().iter_mut() {
            let Some((found, step)) = followed.ready.take() else { continue };
            let before = std::mem::replace(&mut followed.current, found);
            let now = &followed.current;
            self.shared.releases.moves_on(name, &followed.wanted, now.clone());
            let notice = format!("step `{name}` runs {} now, after {}", now.release, before.release);
            tracing::info!("{notice}");
            self.shared.notices().push(notice);
            renewed.push(Renewed { name: name.clone(), work: step.work() });
        }
        renewed
    }

    /// What happened since this was asked last.
    pub(crate) fn notices(&self) -> Vec<String> {
        std::mem::take(&mut *self.shared.notices())
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let task = self.task.get_mut().unwrap_or_else(PoisonError::into_inner);
        task.take().into_iter().for_each(|task| task.abort());
    }
}

impl Shared {
    async fn run(self: Arc<Self>) {
        let watch = self.releases.registry().and_then(Registry::watch);
        let watch = watch.inspect_err(|error| {
            tracing::warn!(?LOOK_EVERY, "looking for newer plugins from time to time: {}", error.report());
        });
        let watch = watch.ok();
        loop {
            let all = self.followed().clone();
            for (step, followed) in all {
                self.look(&step, followed).await;
            }
            tokio::select! {
                () = self.changed(watch.as_ref()) => {}
                () = self.more.notified() => {}
            }
        }
    }

    async fn changed(&self, watch: Option<&Watch>) {
        match watch {
            Some(watch) => watch.changed().await,
            None => self.clock.sleep(LOOK_EVERY).await,
        }
    }

    /// Looks whether there is something newer for a step, and gets it ready.
    async fn look(&self, name: &str, followed: Followed) {
        let newest = self
            .releases
            .registry()
            .and_then(|registry| registry.successor(&followed.wanted, &followed.current.release));
        let found = match newest {
            Ok(Some(found)) if followed.ready.as_ref().is_none_or(|(ready, _)| *ready != found) => found,
            Ok(_) => return,
            Err(error) => return self.stays(name, &followed.current, &error.report()),
        };
        match self.prepare(&followed, &found).await {
            Ok(step) => {
                // On disk before the query has to wait for it.
                self.releases.pin_in_registry(&found);
                self.hand_over(name, &followed.current, found, step);
            }
            Err(error) => {
                self.stays(name, &followed.current, &error.while_doing(found.release.to_string()).report());
            }
        }
    }

    async fn prepare(&self, followed: &Followed, found: &Found) -> Result<BoundPlugin> {
        let registry = self.releases.registry()?;
        let plugin = registry.load(&self.runtime, found, self.releases.policy()).await?;
        refuse_config(&plugin, &followed.terms.bind)?;
        let step = BoundPlugin::bind(&plugin, followed.terms.clone()).await?;
        if ports(&step) != ports(&followed.step) {
            return Err(Error::invalid("its columns are others than those of the version that runs"));
        }
        match (&step, &followed.step) {
            (BoundPlugin::Stateless(step), _) => step.try_out().await?,
            (BoundPlugin::Keyed(step), BoundPlugin::Keyed(now)) if step.identity() != now.identity() => {
                return Err(Error::invalid(
                    "it keeps other tables than the version that runs, or newer ones; start the query again, which migrates them",
                ));
            }
            (BoundPlugin::Keyed(step), _) => step.try_out().await?,
        }
        Ok(step)
    }

    fn hand_over(&self, name: &str, for_one: &Found, found: Found, step: BoundPlugin) {
        let mut all = self.followed();
        // It may have been bound to other columns meanwhile.
        if let Some(followed) = all.get_mut(name)
            && followed.current == *for_one
            && ports(&step) == ports(&followed.step)
            && followed.terms.bind.input == step.input()
        {
            followed.ready = Some((found, step));
            followed.refused = None;
        }
    }

    /// Says once why a step goes on with what it has.
    fn stays(&self, name: &str, current: &Found, why: &str) {
        let notice = format!("step `{name}` stays with {}: {why}", current.release);
        let mut all = self.followed();
        let Some(followed) = all.get_mut(name) else { return };
        if followed.refused.as_ref() != Some(&notice) {
            tracing::warn!("{notice}");
            self.notices().push(notice.clone());
            followed.refused = Some(notice);
        }
    }

    fn followed(&self) -> MutexGuard<'_, BTreeMap<String, Followed>> {
        // Every critical section leaves it whole.
        self.followed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn notices(&self) -> MutexGuard<'_, Vec<String>> {
        self.notices.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn refuse_config(plugin: &Plugin, settings: &BindSettings) -> Result<()> {
    let misfits = plugin.check_config(&settings.config)?;
    let misfits: Vec<String> = misfits.iter().map(|misfit| misfit.to_string()).collect();
    if misfits.is_empty() { Ok(()) } else { Err(Error::invalid(misfits.join("; "))) }
}

fn ports(step: &BoundPlugin) -> Vec<(String, SchemaRef)> {
    step.ports().iter().map(|port| (port.name.clone(), port.schema.clone())).collect()
}
