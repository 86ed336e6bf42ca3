//! What goes wrong, and when; and a disk that it happens to.

use crate::{CheckpointStore, CommitStep, Created, Epoch, Error, Kind, Observer, Result};
use async_trait::async_trait;
use bytes::Bytes;
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
};

/// After so many hosts nothing goes wrong any more.
const HOSTS: u64 = 8;

/// Decides of everything that can fail whether it does: the same for the same seed.
pub(super) struct Fate(Mutex<State>);

struct State {
    rng: SmallRng,
    /// Of so many operations about one fails; none does if it is 0.
    odds: u32,
    /// The power is gone: nothing works until the next host.
    dark: bool,
    hosts: u64,
    failures: u64,
    cuts: u64,
    /// Every operation in order.
    trace: Vec<String>,
}

impl Fate {
    fn new(seed: u64, odds: u32) -> Self {
        let rng = SmallRng::seed_from_u64(seed);
        Fate(Mutex::new(State { rng, odds, dark: false, hosts: 0, failures: 0, cuts: 0, trace: Vec::new() }))
    }

    /// One under which nothing fails.
    pub(super) fn kind() -> Self {
        Fate::new(0, 0)
    }

    pub(super) fn of(seed: u64) -> Self {
        Fate::new(seed, 1)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Another host starts; answers its parallelism.
    pub(super) fn next_host(&self) -> u32 {
        let mut state = self.state();
        state.dark = false;
        state.hosts += 1;
        state.odds = if state.hosts > HOSTS { 0 } else { state.rng.random_range(10..150) };
        state.rng.random_range(1..=4)
    }

    /// Nothing fails from now on.
    pub(super) fn calm(&self) {
        let mut state = self.state();
        (state.odds, state.dark) = (0, false);
    }

    pub(super) fn is_dark(&self) -> bool {
        self.state().dark
    }

    pub(super) fn failures(&self) -> u64 {
        self.state().failures
    }

    pub(super) fn cuts(&self) -> u64 {
        self.state().cuts
    }

    pub(super) fn trace(&self) -> Vec<String> {
        self.state().trace.clone()
    }

    fn coin(&self) -> bool {
        self.state().rng.random_bool(0.5)
    }

    /// Does `act`, if it is to be. Of what fails, the one half was done all the same; and for some it was the power.
    pub(super) fn attempt<T>(&self, what: &str, act: impl FnOnce() -> T) -> Result<T> {
        let mut state = self.state();
        if state.dark {
            return Err(Error::internal("the power is gone"));
        }
        state.trace.push(what.to_owned());
        let odds = state.odds;
        if odds == 0 || !state.rng.random_ratio(1, odds) {
            return Ok(act());
        }
        state.failures += 1;
        if state.rng.random_bool(0.5) {
            act();
        }
        state.dark = state.rng.random_ratio(1, 3);
        state.cuts += u64::from(state.dark);
        match state.dark {
            true => Err(Error::internal(format!("the power went: {what}"))),
            false => Err(Error::new(Kind::Unavailable, format!("not now: {what}"))),
        }
    }
}

impl Observer for Fate {
    /// A host may die between any two steps.
    fn reached(&self, epoch: Epoch, step: CommitStep) -> Result<()> {
        self.attempt(&format!("epoch {epoch}: {step:?}"), || ())
    }
}

/// Holds records as [`crate::checkpoint::LocalStore`] does: one that was written stays, whatever happens then, and one whose
/// writing was cut off is not there; but that one was deleted is forgotten if the power goes before its folder was synced,
/// which the next record there does.
pub(super) struct Disk {
    fate: Arc<Fate>,
    records: Mutex<Records>,
}

#[derive(Default)]
struct Records {
    there: BTreeMap<String, Bytes>,
    /// Deleted, but not for good.
    deleted: BTreeMap<String, Bytes>,
}

impl Disk {
    pub(super) fn new(fate: Arc<Fate>) -> Self {
        Disk { fate, records: Mutex::default() }
    }

    fn records(&self) -> MutexGuard<'_, Records> {
        self.records.lock().unwrap()
    }

    /// What was not synced is lost, or not.
    pub(super) fn lose_power(&self) {
        let mut records = self.records();
        for (name, record) in std::mem::take(&mut records.deleted) {
            if self.fate.coin() {
                records.there.insert(name, record);
            }
        }
    }

    /// Deletes a record for good.
    pub(super) fn remove(&self, name: &str) {
        self.records().there.remove(name).unwrap();
    }
}

/// The name without what makes it unique, which no seed decides.
fn known(name: &str) -> &str {
    if name.starts_with("state/") { name.split('-').next().unwrap() } else { name }
}

fn folder(name: &str) -> &str {
    name.rsplit_once('/').map_or("", |(folder, _)| folder)
}

#[async_trait]
impl CheckpointStore for Disk {
    async fn read(&self, name: &str) -> Result<Option<Bytes>> {
        self.fate.attempt(&format!("read {}", known(name)), || self.records().there.get(name).cloned())
    }

    async fn create(&self, name: &str, record: Bytes) -> Result<Created> {
        self.fate.attempt(&format!("create {}", known(name)), || {
            let mut records = self.records();
            if records.there.contains_key(name) {
                return Created::Lost;
            }
            records.there.insert(name.to_owned(), record);
            records.deleted.retain(|deleted, _| folder(deleted) != folder(name));
            Created::Won
        })
    }

    async fn list(&self, of: &str) -> Result<Vec<String>> {
        self.fate.attempt(&format!("list {of}"), || {
            let records = self.records();
            let inside = records.there.keys().filter(|name| folder(name) == of);
            inside.map(|name| name[of.len() + 1..].to_owned()).collect()
        })
    }

    async fn delete(&self, name: &str) -> Result<()> {
        self.fate.attempt(&format!("delete {}", known(name)), || {
            let mut records = self.records();
            if let Some(record) = records.there.remove(name) {
                records.deleted.insert(name.to_owned(), record);
            }
        })
    }

    fn location(&self) -> String {
        "disk".into()
    }
}
