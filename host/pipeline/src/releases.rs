//! Which releases of the registry a pipeline's plugins are: chosen once, then those that the checkpoint says.

use engine::{Error, Release as Pinned, Releases as Pins, Result};
use plugin::registry::{Found, Policy, Registry, Release, Wanted};
use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// What each place of a pipeline runs: a step by its name, a sink or a function by `sinks.` or `functions.` and its name.
pub(crate) struct Releases {
    registry: Option<Registry>,
    /// What the pipeline asks for beside the registry itself.
    policy: Policy,
    /// Whose records say what was chosen before.
    checkpoint: Option<String>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Whether a query runs, rather than being looked at.
    running: bool,
    pinned: Pins,
    /// Whether what is pinned is used whatever the pipeline asks for: an epoch runs again.
    exact: bool,
    used: BTreeMap<String, (Wanted, Found)>,
}

impl Releases {
    pub(crate) fn new(registry: Option<Registry>, policy: Policy, checkpoint: Option<PathBuf>) -> Self {
        let checkpoint = checkpoint.map(|path| path.display().to_string());
        Releases { registry, policy, checkpoint, state: Mutex::default() }
    }

    /// Whose signatures the pipeline asks for.
    pub(crate) fn policy(&self) -> &Policy {
        &self.policy
    }

    pub(crate) fn registry(&self) -> Result<&Registry> {
        self.registry.as_ref().ok_or_else(no_registry)
    }

    pub(crate) fn is_running(&self) -> bool {
        self.state().running
    }

    /// The release that a place runs: as before, if there was a before.
    pub(crate) fn choose(&self, place: &str, wanted: &Wanted) -> Result<Found> {
        let known = self.state().used.get(place).map(|(_, found)| found.clone());
        let found = match known {
            Some(found) => found,
            None => {
                let (pinned, exact) = {
                    let state = self.state();
                    (state.pinned.get(place).cloned(), state.exact)
                };
                let kept =
                    pinned.map(|pinned| self.kept(place, &pinned, wanted, exact)).transpose()?.flatten();
                kept.map_or_else(|| self.registry()?.resolve(wanted), Ok)?
            }
        };
        self.uses(place, wanted, found.clone());
        Ok(found)
    }

    /// What the checkpoint says, unless the pipeline asks for something else by now.
    fn kept(&self, place: &str, pinned: &Pinned, wanted: &Wanted, exact: bool) -> Result<Option<Found>> {
        let release = Release::new(&pinned.plugin, &pinned.version)?;
        if !exact && (release.name != wanted.name || !wanted.accepts(&release.version)) {
            return Ok(None);
        }
        let why = || {
            let remedy = match exact {
                true => "an epoch has to run again with the version that it first ran with: add that again",
                false => "the version stays until you ask for another one: add it again, or change `plugin`",
            };
            format!("`{place}` ran {release} ({}); {remedy}", pinned.digest)
        };
        let found = self.registry()?.found(release.clone()).map_err(|e| e.while_doing(why()))?;
        if found.digest != pinned.digest {
            return Err(Error::data(format!(
                "the registry has another {release} than before, with the digest {}: a version never changes",
                found.digest
            ))
            .while_doing(why()));
        }
        Ok(Some(found))
    }

    /// Notes what a place runs from now on; and, of a query with a checkpoint, in the registry that it is needed.
    pub(crate) fn uses(&self, place: &str, wanted: &Wanted, found: Found) {
        if self.is_running() {
            self.pin_in_registry(&found);
        }
        self.state().used.insert(place.to_owned(), (wanted.clone(), found));
    }

    /// As [`Releases::uses`], of what is noted in the registry already.
    pub(crate) fn moves_on(&self, place: &str, wanted: &Wanted, found: Found) {
        self.state().used.insert(place.to_owned(), (wanted.clone(), found));
    }

    /// A registry that cannot be written to can be read: then nobody can remove anything from it here either.
    pub(crate) fn pin_in_registry(&self, found: &Found) {
        let (Some(registry), Some(checkpoint)) = (&self.registry, &self.checkpoint) else { return };
        let pinned = registry.pin(checkpoint, [(found.release.clone(), found.digest.clone())]);
        if let Err(error) = pinned {
            tracing::warn!(
                release = %found.release,
                "the registry does not know that checkpoint {checkpoint} needs this release: {}",
                error.report()
            );
        }
    }

    /// What ran, before anything is chosen or chosen anew. Answers whether anything that was chosen is another release now.
    pub(crate) fn pin(&self, pins: &Pins, exact: bool) -> Result<bool> {
        let used = {
            let mut state = self.state();
            (state.running, state.exact) = (true, exact);
            state.pinned.clone_from(pins);
            state.used.clone()
        };
        let mut changed = false;
        for (place, (wanted, before)) in used {
            let Some(pinned) = pins.get(&place) else { continue };
            let kept = self.kept(&place, pinned, &wanted, exact)?;
            let now = kept.map_or_else(|| self.registry()?.resolve(&wanted), Ok)?;
            if now != before {
                changed = true;
                self.uses(&place, &wanted, now);
            }
        }
        Ok(changed)
    }

    /// What there is to be written down of an epoch.
    pub(crate) fn in_use(&self) -> Pins {
        let state = self.state();
        let used = state.used.iter().map(|(place, (_, found))| (place.clone(), pinned(found)));
        used.collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every critical section leaves it whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn pinned(found: &Found) -> Pinned {
    Pinned {
        plugin: found.release.name.to_string(),
        version: found.release.version.to_string(),
        digest: found.digest.clone(),
    }
}

/// The error of whoever needs the registry where nobody has said where it is.
pub fn no_registry() -> Error {
    Error::invalid(
        "there is no registry: neither XDG_DATA_HOME nor HOME is set; give its directory with --registry",
    )
}
