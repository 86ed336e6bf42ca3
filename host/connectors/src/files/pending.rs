//! Files that are there and not read yet.

use super::listing::{FileEntry, Location};
use crate::source::Limit;
use engine::{Clock, Result};
use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
    time::Duration,
};

/// How long after a listing the next one is due though nothing points at news.
const QUIET: Duration = Duration::from_secs(5);

/// The same if changes are not told of.
const POLL: Duration = Duration::from_millis(500);

/// Listings may take one part in so many of a core: with news, and without.
const BUSY_SHARE: u32 = 20;
const IDLE_SHARE: u32 = 400;

/// Files found by listing, and when to list again.
pub(crate) struct Pending {
    latest_first: bool,
    settle: Duration,
    /// Those that may be read, in order.
    ready: VecDeque<FileEntry>,
    /// Those that were written to just now, with the time since when they have looked like this.
    unsettled: HashMap<Arc<str>, (FileEntry, Duration)>,
    /// When the last listing started, and how long it took.
    listed: Option<(Duration, Duration)>,
    /// How long after a listing the next one is due if changes are not told of.
    poll: Duration,
}

impl Pending {
    pub(crate) fn new(latest_first: bool, settle: Duration) -> Self {
        Pending {
            latest_first,
            settle,
            ready: VecDeque::new(),
            unsettled: HashMap::new(),
            listed: None,
            poll: POLL,
        }
    }

    /// The same where every listing is paid for.
    pub(crate) fn listed_seldom(self) -> Self {
        Pending { poll: QUIET, ..self }
    }

    pub(crate) fn listed(&self) -> bool {
        self.listed.is_some()
    }

    /// Whether it is time to list.
    pub(crate) fn is_due(&self, changed: bool, watched: bool, clock: &dyn Clock) -> bool {
        self.until_listing(changed, watched, clock).is_zero()
    }

    /// How long until there may be something to say.
    pub(crate) fn until_due(&self, changed: bool, watched: bool, clock: &dyn Clock) -> Duration {
        if !self.ready.is_empty() {
            return Duration::ZERO;
        }
        let listing = self.until_listing(changed, watched, clock);
        self.until_settled(clock).map_or(listing, |settled| settled.min(listing))
    }

    fn until_listing(&self, changed: bool, watched: bool, clock: &dyn Clock) -> Duration {
        let Some((started, took)) = self.listed else { return Duration::ZERO };
        let gap = if changed && watched {
            took * BUSY_SHARE
        } else {
            (took * IDLE_SHARE).max(if watched { QUIET } else { self.poll })
        };
        (started + gap).saturating_sub(clock.monotonic())
    }

    /// Takes the answer of a listing that was started at `started`.
    pub(crate) fn replace(&mut self, found: Vec<FileEntry>, started: Duration, clock: &dyn Clock) {
        let before = std::mem::take(&mut self.unsettled);
        self.ready.clear();
        for file in found {
            let since = before.get(&file.path).filter(|(old, _)| *old == file).map(|(_, since)| *since);
            self.put(file, since.unwrap_or(started), clock);
        }
        self.sort();
        self.listed = Some((started, clock.monotonic().saturating_sub(started)));
    }

    /// A file is settled if it is older than `settle` by its own account, or has not changed before our eyes for that
    /// long: clocks of file servers are wrong at times.
    fn put(&mut self, file: FileEntry, since: Duration, clock: &dyn Clock) {
        if self.unsettled_for(&file, since, clock).is_zero() {
            self.ready.push_back(file);
        } else {
            self.unsettled.insert(file.path.clone(), (file, since));
        }
    }

    /// How long until a file is settled if it stays as it is.
    fn unsettled_for(&self, file: &FileEntry, since: Duration, clock: &dyn Clock) -> Duration {
        let by_eye = (since + self.settle).saturating_sub(clock.monotonic());
        let age = clock.now().0 - file.modified.0;
        match u64::try_from(age) {
            Ok(age) => by_eye.min(self.settle.saturating_sub(Duration::from_micros(age))),
            Err(_) => by_eye,
        }
    }

    /// How long until the next file is settled; none if all are.
    pub(crate) fn until_settled(&self, clock: &dyn Clock) -> Option<Duration> {
        self.unsettled.values().map(|(file, since)| self.unsettled_for(file, *since, clock)).min()
    }

    /// How long until the last file is settled; none if all are.
    pub(crate) fn until_all_settled(&self, clock: &dyn Clock) -> Option<Duration> {
        self.unsettled.values().map(|(file, since)| self.unsettled_for(file, *since, clock)).max()
    }

    /// Looks at the unsettled files.
    pub(crate) fn look_again(&mut self, location: &Location, clock: &dyn Clock) -> Result<()> {
        let due = self.until_settled(clock).is_some_and(|d| d.is_zero());
        if !due {
            return Ok(());
        }
        for (path, (old, since)) in std::mem::take(&mut self.unsettled) {
            if let Some(file) = location.look(&path)? {
                let since = if file == old { since } else { clock.monotonic() };
                self.put(file, since, clock);
            }
        }
        self.sort();
        Ok(())
    }

    /// Forgets the unsettled files, and names them.
    pub(crate) fn give_up_unsettled(&mut self) -> Vec<String> {
        std::mem::take(&mut self.unsettled).into_keys().map(|path| path.to_string()).collect()
    }

    fn sort(&mut self) {
        let files = self.ready.make_contiguous();
        files.sort_unstable_by(|a, b| (a.modified, &a.path).cmp(&(b.modified, &b.path)));
        if self.latest_first {
            files.reverse();
        }
    }

    /// The first files up to the limit, at least one, as they are now. They stay until they are removed.
    pub(crate) fn take_up_to(
        &mut self,
        limit: Option<Limit>,
        location: &Location,
        clock: &dyn Clock,
    ) -> Result<Vec<FileEntry>> {
        loop {
            let count = within(&self.ready, limit);
            let planned: Vec<_> = self.ready.iter().take(count).cloned().collect();
            let changed = self.changed(&planned, location)?;
            if changed.is_empty() {
                return Ok(planned);
            }
            // The listing was some time ago: take what changed out of the queue, and plan anew.
            self.remove(
                &planned.iter().filter(|f| changed.contains_key(&f.path)).cloned().collect::<Vec<_>>(),
            );
            for file in changed.into_values().flatten() {
                self.put(file, clock.monotonic(), clock);
            }
            self.sort();
        }
    }

    /// Those of `planned` that are no longer what they were, as they are now.
    fn changed(
        &self,
        planned: &[FileEntry],
        location: &Location,
    ) -> Result<HashMap<Arc<str>, Option<FileEntry>>> {
        let mut changed = HashMap::new();
        for file in planned {
            let now = location.look(&file.path)?;
            if now.as_ref() != Some(file) {
                changed.insert(file.path.clone(), now);
            }
        }
        Ok(changed)
    }

    /// How much waits behind `files`, in the unit of the limit.
    pub(crate) fn beyond(&self, files: &[FileEntry], limit: Option<Limit>) -> u64 {
        let rest = self.ready.iter().skip(files.len());
        match limit {
            Some(Limit::Bytes(_)) => rest.map(|f| f.size).sum(),
            _ => rest.count() as u64,
        }
    }

    /// Forgets files that were read.
    pub(crate) fn remove(&mut self, files: &[FileEntry]) {
        let gone: HashSet<&str> = files.iter().map(|f| &*f.path).collect();
        while self.ready.front().is_some_and(|f| gone.contains(&*f.path)) {
            self.ready.pop_front();
        }
        if self.ready.iter().take(gone.len()).any(|f| gone.contains(&*f.path)) {
            self.ready.retain(|f| !gone.contains(&*f.path));
        }
        self.unsettled.retain(|path, _| !gone.contains(&**path));
    }
}

/// How many of the first files a limit allows: at least one, and of bytes fewer than the limit, as Spark has it.
fn within(files: &VecDeque<FileEntry>, limit: Option<Limit>) -> usize {
    match limit {
        None | Some(Limit::Rows(_)) => files.len(),
        Some(Limit::Files(count)) => files.len().min(usize::try_from(count.max(1)).unwrap_or(usize::MAX)),
        Some(Limit::Bytes(bytes)) => {
            let mut sum = 0u64;
            let fits = |file: &&FileEntry| {
                sum = sum.saturating_add(file.size);
                sum < bytes.0
            };
            files.iter().take_while(fits).count().max(files.len().min(1))
        }
    }
}
