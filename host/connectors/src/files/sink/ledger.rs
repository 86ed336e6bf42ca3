//! The record of what a sink has published, and the protocol around it.

use super::{
    disk::{create_dir, failed, names, parent, read, remove, sync_dir},
    lane::Shelf,
    manifest::{Entry, Manifest},
    names::{Ticket, file_safe},
};
use engine::{Epoch, Error, Kind, QueryId, Result};
use std::{
    collections::BTreeSet,
    fs::{self, File, OpenOptions},
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

/// Called with the name of each step of a commit once it is done: `staged`, `manifest-written`, `renamed-one` after
/// every file, `renamed-all`. A crash test stops the process there.
pub type AtStep = Arc<dyn Fn(&str) + Send + Sync>;

/// The hidden directory of one sink of one query: `<output>/.streamhost/<query id>/<sink>/`.
///
/// ```text
/// staging/<epoch>-<writer>.draft              made first by every writer; becomes the manifest
/// staging/<epoch>-<writer>-<partition>-<n>    its files, until they are published
/// manifests/<epoch>                           of the writer that won the epoch: a hard link to its draft
/// manifests/<epoch>-<writer>                  of each writer of an unmarked epoch, none of which excludes another
/// ```
///
/// # Invariants
///
/// - A writer commits by linking its own draft to the epoch's manifest. So it can commit once, only if nobody else has, and
///   only as long as its draft is there. **Who removes a draft and then finds no manifest of that writer knows that there
///   will never be one**, and may delete the writer's files, alive as it may be.
/// - A manifest's staging file leaves its place by being renamed to its final name, and in no other way: if it is gone, it
///   has been published, whatever became of it later.
/// - The staging directory keeps a trace of a writer until its files are durable under their final names.
/// - Manifests are removed from the oldest up, and only below the floor of a manifest that stays, after the drafts of
///   those epochs. A writer makes its draft before it looks at the floor, so it cannot slip through between.
pub(super) struct Ledger {
    output: PathBuf,
    staging: PathBuf,
    manifests: PathBuf,
    at_step: Option<AtStep>,
}

impl Shelf for Ledger {
    type Out = Arc<File>;
    type Entry = Entry;

    fn create(&self, staged: &str, _: &str) -> Result<Arc<File>> {
        let staged = self.staged(staged);
        create_dir(parent(&staged))?;
        let file = File::options().write(true).create_new(true).open(&staged);
        file.map(Arc::new).map_err(failed("creating", &staged))
    }

    fn close(&self, out: Arc<File>, staged: String, path: String, rows: u64) -> Result<Entry> {
        let synced = out.sync_all().and_then(|()| out.metadata());
        let bytes = synced.map_err(failed("syncing", &self.staged(&staged)))?.len();
        Ok(Entry { staged, path, rows, bytes })
    }

    fn shown(&self, staged: &str, _: &str) -> String {
        self.staged(staged).display().to_string()
    }
}

/// How an attempt to commit ended.
pub(super) enum Claimed {
    /// The manifest is ours.
    Won,
    /// The epoch is another writer's.
    Lost,
}

impl Ledger {
    pub(super) fn new(output: &Path, query: &QueryId, sink: &str, at_step: Option<AtStep>) -> Self {
        Ledger::at(output, &file_safe(&query.0), &file_safe(sink), at_step)
    }

    /// The same, by names that have been made safe.
    pub(super) fn at(output: &Path, query: &str, sink: &str, at_step: Option<AtStep>) -> Self {
        let home = output.join(".streamhost").join(query).join(sink);
        Ledger {
            output: output.to_owned(),
            staging: home.join("staging"),
            manifests: home.join("manifests"),
            at_step,
        }
    }

    pub(super) fn create(&self) -> Result<()> {
        create_dir(&self.staging)?;
        create_dir(&self.manifests)
    }

    /// Tells the crash test where the commit is.
    pub(super) fn step(&self, name: &str) {
        if let Some(at_step) = &self.at_step {
            at_step(name);
        }
    }

    /// The path of a staging file.
    pub(super) fn staged(&self, name: &str) -> PathBuf {
        self.staging.join(name)
    }

    /// Enters a writer: from here on it may commit.
    pub(super) fn enter(&self, ticket: &Ticket) -> Result<()> {
        let draft = self.staging.join(ticket.draft());
        OpenOptions::new().write(true).create_new(true).open(&draft).map_err(failed("creating", &draft))?;
        Ok(())
    }

    /// Ends a writer whose files are published.
    pub(super) fn leave(&self, ticket: &Ticket) -> Result<()> {
        remove(&self.staging.join(ticket.draft()))
    }

    /// Takes everything of a writer away: publishes its files if it had committed, else deletes them, after which it
    /// cannot commit any more.
    pub(super) fn revoke(&self, ticket: &Ticket) -> Result<()> {
        remove(&self.staging.join(ticket.draft()))?;
        if let Some(manifest) = self.won_by(ticket)? {
            self.publish(&manifest)?;
        }
        for name in names(&self.staging)?.iter().filter(|n| ticket.owns(n)) {
            remove(&self.staging.join(name))?;
        }
        Ok(())
    }

    /// Revokes the writers of the epochs that are `due`.
    pub(super) fn sweep(&self, due: impl Fn(Epoch) -> bool) -> Result<()> {
        let tickets: BTreeSet<_> = names(&self.staging)?.iter().filter_map(|n| Ticket::of(n)).collect();
        tickets.iter().filter(|t| due(t.epoch)).try_for_each(|t| self.revoke(t))
    }

    /// Makes the manifest, whose files are durable, known under `name`, unless another has that name.
    pub(super) fn claim(&self, ticket: &Ticket, manifest: &Manifest, name: &str) -> Result<Claimed> {
        sync_dir(&self.staging)?;
        let draft = self.staging.join(ticket.draft());
        // Without `create`: the draft of a revoked writer stays away.
        let written = OpenOptions::new().write(true).truncate(true).open(&draft);
        let mut file = written.map_err(|e| revoked(ticket, &draft, e))?;
        file.write_all(&manifest.to_bytes()?)
            .and_then(|()| file.sync_all())
            .map_err(failed("writing", &draft))?;
        match fs::hard_link(&draft, self.manifests.join(name)) {
            Err(e) if e.kind() == ErrorKind::AlreadyExists => return Ok(Claimed::Lost),
            linked => linked.map_err(|e| revoked(ticket, &draft, e))?,
        }
        Ok(Claimed::Won)
    }

    /// Gives the manifest's files their final names, those of them that have not got them yet.
    pub(super) fn publish(&self, manifest: &Manifest) -> Result<()> {
        // Whoever linked it may not have got to this, and a file must not outlive the manifest that it is in.
        sync_dir(&self.manifests)?;
        let mut folders = BTreeSet::new();
        for file in &manifest.files {
            let target = self.output.join(&file.path);
            create_dir(parent(&target))?;
            self.rename(&self.staging.join(&file.staged), &target)?;
            folders.insert(parent(&target).to_owned());
            self.step("renamed-one");
        }
        // Also those that another host renamed: it may not have got to it.
        folders.iter().try_for_each(|f| sync_dir(f))?;
        sync_dir(&self.staging)
    }

    fn rename(&self, staged: &Path, target: &Path) -> Result<()> {
        match fs::rename(staged, target) {
            Err(e) if e.kind() == ErrorKind::NotFound && !staged.exists() => Ok(()),
            renamed => renamed.map_err(failed("publishing", target)),
        }
    }

    /// Where a file of a manifest is now.
    pub(super) fn place(&self, file: &Entry) -> PathBuf {
        Some(self.staging.join(&file.staged))
            .filter(|p| p.exists())
            .unwrap_or_else(|| self.output.join(&file.path))
    }

    /// The manifest of an epoch.
    pub(super) fn manifest(&self, epoch: Epoch) -> Result<Option<Manifest>> {
        self.read(&epoch.to_string())
    }

    /// Epochs below this one are finished for good.
    pub(super) fn floor(&self) -> Result<Epoch> {
        let Some((newest, name)) = self.recorded()?.pop_last() else {
            return Ok(Epoch(0));
        };
        // If it has gone since it was listed, others are well beyond it.
        Ok(self.read(&name)?.map_or(newest.next(), |m| m.floor))
    }

    /// Forgets the epochs below `floor`, which the newest manifest has made known.
    pub(super) fn forget(&self, floor: Epoch) -> Result<()> {
        let old: Vec<_> = self.recorded()?.into_iter().filter(|(epoch, _)| *epoch < floor).collect();
        if old.is_empty() {
            return Ok(());
        }
        self.sweep(|epoch| epoch < floor)?;
        old.iter().try_for_each(|(_, name)| remove(&self.manifests.join(name)))
    }

    /// All manifests, in the order of their epochs.
    pub(super) fn all(&self) -> Result<Vec<Manifest>> {
        let names = self.recorded()?.into_iter();
        names.filter_map(|(_, name)| self.read(&name).transpose()).collect()
    }

    fn recorded(&self) -> Result<BTreeSet<(Epoch, String)>> {
        let epoch = |name: &str| name.split('-').next()?.parse().ok().map(Epoch);
        Ok(names(&self.manifests)?.into_iter().filter_map(|name| Some((epoch(&name)?, name))).collect())
    }

    fn won_by(&self, ticket: &Ticket) -> Result<Option<Manifest>> {
        let own = match self.manifest(ticket.epoch)? {
            Some(manifest) if manifest.writer == ticket.writer => Some(manifest),
            _ => self.read(&ticket.unmarked())?,
        };
        Ok(own)
    }

    fn read(&self, name: &str) -> Result<Option<Manifest>> {
        let path = self.manifests.join(name);
        read(&path)?.map(|text| Manifest::parse(&text, &path)).transpose()
    }
}

fn revoked(ticket: &Ticket, draft: &Path, error: std::io::Error) -> Error {
    match error.kind() {
        ErrorKind::NotFound => Error::new(
            Kind::Fenced,
            format!(
                "epoch {}: another host has taken over {}; end one of the two",
                ticket.epoch,
                parent(draft).display()
            ),
        ),
        _ => failed("committing", draft)(error),
    }
}
