use super::{
    file::{BlockKind, StateFile, Writer},
    files::{self, FileRef, StateFiles},
    group::{KeyGroup, KeyGroups, Size},
    ledger::{Amount, Ledger, Planned},
    replay,
};
use crate::{CheckpointStore, Created, Epoch, Error, Result};
use bytes::Bytes;
use std::sync::{Arc, Mutex, MutexGuard};

/// The state of one operator.
///
/// Workers share it and lock the groups they own. A commit sees all groups at one moment; it is for the caller to ask
/// for it when every worker is at the end of the epoch, and holds no group.
pub struct StateTable {
    operator: String,
    groups: KeyGroups,
    slots: Vec<Slot>,
    disk: Mutex<Disk>,
}

struct Slot {
    group: Mutex<KeyGroup>,
    size: Arc<Size>,
}

/// What of the table is durable.
struct Disk {
    ledger: Ledger,
    /// The epoch whose file was handed to the store, until that has said that it is durable.
    unsure: Option<Epoch>,
}

impl StateTable {
    /// An empty table that was never committed.
    pub fn new(operator: impl Into<String>, groups: KeyGroups) -> Self {
        let slot = |_| {
            let group = KeyGroup::default();
            Slot { size: group.size(), group: Mutex::new(group) }
        };
        StateTable {
            operator: operator.into(),
            groups,
            slots: (0..groups.count()).map(slot).collect(),
            disk: Mutex::new(Disk { ledger: Ledger::new(groups.count()), unsure: None }),
        }
    }

    /// How its keys are divided.
    pub fn groups(&self) -> KeyGroups {
        self.groups
    }

    /// Locks a group. One that does not exist, or that a worker held when it panicked, is an error of kind
    /// [`Internal`](crate::Kind::Internal).
    pub fn group(&self, index: usize) -> Result<MutexGuard<'_, KeyGroup>> {
        let slot = self.slots.get(index).ok_or_else(|| {
            Error::internal(format!(
                "operator `{}` has {} key groups, and was asked for number {index}",
                self.operator,
                self.groups.count()
            ))
        })?;
        slot.group.lock().map_err(|_| self.torn("a worker panicked while it changed it"))
    }

    /// How many keys there are. Takes no lock.
    pub fn rows(&self) -> u64 {
        self.slots.iter().map(|slot| slot.size.rows()).sum()
    }

    /// Bytes of memory. Takes no lock.
    pub fn bytes(&self) -> u64 {
        self.slots.iter().map(|slot| slot.size.bytes()).sum()
    }

    /// Writes what changed since the last commit, and answers what the commit record has to name. Writes no file if
    /// nothing changed and no key group is due.
    ///
    /// `unique` tells this run's files from those of other runs, one that crashed in this epoch or one that goes on in
    /// another process: letters and digits, new whenever the table was restored. One for a whole run keeps the commit
    /// records short.
    ///
    /// After an error, or if it is dropped half-way, the table cannot be committed again: restore it.
    pub async fn commit(
        &self,
        store: &dyn CheckpointStore,
        epoch: Epoch,
        unique: &str,
    ) -> Result<StateFiles> {
        let (file, files) = self.write(epoch, unique)?;
        if let Some((path, bytes)) = file {
            let created = store.create(&path, bytes).await;
            let doing = || format!("committing the state of operator `{}` in epoch {epoch}", self.operator);
            if created.map_err(|e| e.while_doing(doing()))? == Created::Lost {
                return Err(Error::internal(format!(
                    "{}: {}/{path} is there already, so `unique` was not; a restored table needs a new one",
                    doing(),
                    store.location()
                )));
            }
            self.disk()?.unsure = None;
        }
        Ok(files)
    }

    /// The table as it was after the commit whose record has these files.
    ///
    /// A file that is missing, damaged or another's is an error of kind [`Data`](crate::Kind::Data) that names it.
    pub async fn restore(
        store: &dyn CheckpointStore,
        operator: impl Into<String>,
        groups: KeyGroups,
        files: &StateFiles,
    ) -> Result<StateTable> {
        let mut table = StateTable::new(operator, groups);
        let StateTable { operator, slots, .. } = &mut table;
        let ledger = replay::replay(store, operator, groups, files, |group, record| {
            if let Some(Ok(group)) = slots.get_mut(usize::from(group)).map(|slot| slot.group.get_mut()) {
                group.load(record);
            }
        })
        .await?;
        table.disk = Mutex::new(Disk { ledger, unsure: None });
        Ok(table)
    }

    /// Deletes the operator's files that none of `kept` names, up to the newest epoch that one of them names. For a
    /// host that still owns the query, with the state files of every commit record that is kept.
    pub async fn forget(store: &dyn CheckpointStore, operator: &str, kept: &[StateFiles]) -> Result<()> {
        StateFiles::forget(store, operator, kept).await
    }

    /// Makes the file of a commit, if there has to be one, and notes it as written.
    fn write(&self, epoch: Epoch, unique: &str) -> Result<(Option<(String, Bytes)>, StateFiles)> {
        let mut disk = self.disk()?;
        self.refuse(&disk, epoch, unique)?;
        let mut groups: Vec<_> = (0..self.slots.len()).map(|i| self.group(i)).collect::<Result<_>>()?;
        let amount =
            |g: &MutexGuard<'_, KeyGroup>| Amount { live: g.live_bytes(), unwritten: g.unwritten_bytes() };
        let amounts: Vec<Amount> = groups.iter().map(amount).collect();
        let plan = disk.ledger.plan(&amounts);
        if plan.is_empty() {
            return Ok((None, disk.ledger.files()));
        }
        disk.unsure = Some(epoch);
        let name = FileRef { epoch, unique: unique.into() };
        let bytes = self.write_file(&name, plan, &mut disk.ledger, &mut groups);
        Ok((Some((name.path(&self.operator), bytes)), disk.ledger.files()))
    }

    fn write_file(
        &self,
        name: &FileRef,
        plan: Vec<Planned>,
        ledger: &mut Ledger,
        groups: &mut [MutexGuard<'_, KeyGroup>],
    ) -> Bytes {
        let about = StateFile {
            number: ledger.number(),
            epoch: name.epoch,
            groups: self.groups.count() as u16,
            operator: &self.operator,
            unique: &name.unique,
            blocks: Vec::new(),
        };
        let bytes: u64 = plan.iter().map(|p| p.bytes).sum();
        let mut file = Writer::new(&about, plan.len(), bytes as usize);
        ledger.add_file(name.epoch, about.number, name.unique.clone());
        for Planned { group, kind, .. } in plan {
            let Some(content) = groups.get_mut(usize::from(group)) else { continue };
            let full = kind == BlockKind::Full;
            let written = file.block(group, kind, |out| match full {
                true => content.write_full(out),
                false => content.write_changes(out),
            });
            ledger.add_block(group, full, written);
        }
        file.finish()
    }

    fn refuse(&self, disk: &Disk, epoch: Epoch, unique: &str) -> Result<()> {
        if let Some(failed) = disk.unsure {
            return Err(self.torn(&format!("writing it failed in epoch {failed}")));
        }
        if let Some(newest) = disk.ledger.newest().filter(|newest| *newest >= epoch) {
            return Err(Error::internal(format!(
                "the state of operator `{}` was committed in epoch {newest}, and cannot be in epoch {epoch} after that",
                self.operator
            )));
        }
        if !files::is_unique(unique) {
            return Err(Error::internal(format!(
                "`{unique}` cannot be in the name of a state file: letters and digits can"
            )));
        }
        Ok(())
    }

    fn disk(&self) -> Result<MutexGuard<'_, Disk>> {
        self.disk.lock().map_err(|_| self.torn("a commit panicked"))
    }

    fn torn(&self, why: &str) -> Error {
        Error::internal(format!(
            "the state of operator `{}` in memory is not what the checkpoint has, because {why}; it has to be restored from the last commit",
            self.operator
        ))
    }
}
