use super::{
    file::BlockKind,
    files::{FileRef, StateFiles},
};
use crate::Epoch;
use std::{cmp::Reverse, collections::BTreeMap, mem, sync::Arc};

/// Bytes of full content that a key group may write for each file of its chain, as a rule: what bounds how often a
/// large group that hardly changes is written in full.
const BYTES_A_FILE: u64 = 1 << 10;

/// A chain that is younger than this many files is not written anew for its age, however small.
const YOUNG: u64 = 32;

/// A chain of this age is written anew the next time it is the group's turn, however large. A power of two.
const OLD: u64 = 512;

/// Which files of one operator hold what of its key groups, as far as they are needed.
#[derive(Debug)]
pub(super) struct Ledger {
    /// How many files were written since the table was made, in every run.
    number: u64,
    files: BTreeMap<Epoch, Needed>,
    chains: Vec<Chain>,
}

#[derive(Debug)]
struct Needed {
    unique: Arc<str>,
    /// How many of its blocks are in a chain.
    blocks: usize,
}

/// The blocks that the content of a key group follows from.
#[derive(Clone, Debug, Default)]
struct Chain {
    /// The epochs of the files that have them, ascending; the first block is full. None: the group was always empty.
    blocks: Vec<Epoch>,
    /// The number of the first one's file.
    since: u64,
    /// Bytes of the blocks after the first.
    changes: u64,
}

/// The bytes of a key group that a plan follows from.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Amount {
    /// Of full content.
    pub(super) live: u64,
    /// Of what changed since the last commit.
    pub(super) unwritten: u64,
}

/// What a commit writes of a key group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Planned {
    pub(super) group: u16,
    pub(super) kind: BlockKind,
    pub(super) bytes: u64,
}

impl Ledger {
    /// Of a table that nothing was written of.
    pub(super) fn new(groups: usize) -> Self {
        Ledger { number: 0, files: BTreeMap::new(), chains: vec![Chain::default(); groups] }
    }

    /// The number of the next file.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// The newest epoch with a file.
    pub(super) fn newest(&self) -> Option<Epoch> {
        self.files.last_key_value().map(|(epoch, _)| *epoch)
    }

    /// The epoch of the newest block of a key group.
    pub(super) fn newest_of(&self, group: u16) -> Option<Epoch> {
        self.chains.get(usize::from(group))?.blocks.last().copied()
    }

    /// Notes a file; its blocks are noted next.
    pub(super) fn add_file(&mut self, epoch: Epoch, number: u64, unique: Arc<str>) {
        self.number = number.saturating_add(1);
        self.files.insert(epoch, Needed { unique, blocks: 0 });
    }

    /// Notes a block of the file that was added last. Full content makes what was before it needless.
    pub(super) fn add_block(&mut self, group: u16, full: bool, bytes: u64) {
        let since = self.number.saturating_sub(1);
        let Some(epoch) = self.newest() else { return };
        let Some(chain) = self.chains.get_mut(usize::from(group)) else { return };
        let dropped = match full {
            true => mem::replace(chain, Chain { blocks: vec![epoch], since, changes: 0 }).blocks,
            false => {
                chain.blocks.push(epoch);
                chain.changes += bytes;
                Vec::new()
            }
        };
        if let Some(file) = self.files.get_mut(&epoch) {
            file.blocks += 1;
        }
        dropped.iter().for_each(|epoch| self.release(epoch));
    }

    fn release(&mut self, epoch: &Epoch) {
        if let Some(file) = self.files.get_mut(epoch) {
            file.blocks -= 1;
            if file.blocks == 0 {
                self.files.remove(epoch);
            }
        }
    }

    /// What a commit record has to name.
    pub(super) fn files(&self) -> StateFiles {
        let file = |(epoch, file): (&Epoch, &Needed)| FileRef { epoch: *epoch, unique: file.unique.clone() };
        let full = self.chains.iter().map(|c| c.blocks.first().copied());
        StateFiles::new(self.files.iter().map(file), full)
    }

    /// What the next commit writes, ascending by key group.
    ///
    /// A group that changed gets its changes written, or its full content in place of them
    /// - if that is no more;
    /// - if the blocks of changes together would be as large as it, so that in the long run every byte of a change is
    ///   written twice at most. Most overdue first, and not more than twice what the epoch changed, but always one:
    ///   many groups come due together, and their epoch must not take longer than others. As each byte of full content
    ///   takes a byte of changes out of the chains, twice is more than comes in, so the chains of all groups never
    ///   have many more changes than live bytes;
    /// - if its chain is old and it is the group's [`turn`].
    ///
    /// The last two hold for a group that did not change, too; if there is none, and nothing changed, nothing is written.
    pub(super) fn plan(&self, amounts: &[Amount]) -> Vec<Planned> {
        let changed: u64 = amounts.iter().map(|a| a.unwritten).sum();
        let mut groups: Vec<Candidate<'_>> = (0..)
            .zip(&self.chains)
            .zip(amounts)
            .map(|((group, chain), amount)| Candidate { group, chain, amount: *amount, full: false })
            .collect();
        for c in &mut groups {
            let no_more = c.amount.unwritten > 0 && c.amount.live <= c.amount.unwritten;
            c.full = no_more || c.is_old(self.number);
        }
        let mut overdue: Vec<_> = groups.iter_mut().filter(|c| !c.full && c.overdue().is_some()).collect();
        overdue.sort_by_key(|c| Reverse(c.overdue()));
        let mut spent = 0;
        for c in overdue {
            if spent > 0 && spent + c.amount.live > 2 * changed {
                break;
            }
            spent += c.amount.live;
            c.full = true;
        }
        groups.iter().filter_map(Candidate::planned).collect()
    }
}

/// A key group before a commit.
struct Candidate<'a> {
    group: u16,
    chain: &'a Chain,
    amount: Amount,
    full: bool,
}

impl Candidate<'_> {
    /// By how many bytes the changes are more than the full content, if there are some to drop.
    fn overdue(&self) -> Option<u64> {
        let changes = self.chain.changes + self.amount.unwritten;
        (self.chain.changes > 0).then(|| changes.checked_sub(self.amount.live))?
    }

    /// Whether the chain is to be written anew for its age, in the file of this number.
    fn is_old(&self, number: u64) -> bool {
        let files = (self.amount.live / BYTES_A_FILE).next_power_of_two().clamp(YOUNG, OLD);
        let age = number.saturating_sub(self.chain.since);
        self.chain.blocks.len() > 1 && age >= files && turn(self.group, number, files)
    }

    fn planned(&self) -> Option<Planned> {
        let kind = match (self.full, self.chain.blocks.last()) {
            (false, _) if self.amount.unwritten == 0 => return None,
            (false, Some(after)) => BlockKind::Changes { after: *after },
            _ => BlockKind::Full,
        };
        let bytes = if kind == BlockKind::Full { self.amount.live } else { self.amount.unwritten };
        Some(Planned { group: self.group, kind, bytes })
    }
}

/// Whether it is a group's turn in the file of this number: once in `files` of them, a power of two up to [`OLD`].
///
/// So work for age is spread: of up to `files` groups no two take the same turn. And it bounds every chain. A turn among
/// [`OLD`] files is a turn among any fewer, so whatever a group's size is in between, it has one in [`OLD`] files in a
/// row at which an age of [`OLD`] is enough. At the second one after a block of changes was written the chain is that
/// old, and the block goes. Hence the blocks of changes of every chain lie within the last 2 × [`OLD`] files, those of
/// a group that stays small within the last 2 × [`YOUNG`], and besides there is one file with full content a group.
fn turn(group: u16, number: u64, files: u64) -> bool {
    // Odd, so that neighbours differ in their low bits too; near the golden section of OLD, so that they lie far apart.
    let turn = u64::from(group) * 317;
    number % files == turn % files
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A ledger, the bytes that its groups hold, and what was written.
    struct Bench {
        ledger: Ledger,
        live: Vec<u64>,
        epoch: u64,
        /// Bytes of full content and of all of the last file.
        full: u64,
        written: u64,
    }

    impl Bench {
        fn new(live: Vec<u64>) -> Self {
            let mut bench = Bench { ledger: Ledger::new(live.len()), live, epoch: 0, full: 0, written: 0 };
            bench.commit(&bench.live.clone());
            bench
        }

        /// An epoch that changes this many bytes of each group; answers how many it wrote.
        fn commit(&mut self, changed: &[u64]) -> u64 {
            let amounts = self.live.iter().zip(changed);
            let amounts: Vec<_> = amounts.map(|(live, c)| Amount { live: *live, unwritten: *c }).collect();
            let plan = self.ledger.plan(&amounts);
            if !plan.is_empty() {
                self.ledger.add_file(Epoch(self.epoch), self.ledger.number(), "a".into());
            }
            for p in &plan {
                self.ledger.add_block(p.group, p.kind == BlockKind::Full, p.bytes);
            }
            self.epoch += 1;
            self.full = plan.iter().filter(|p| p.kind == BlockKind::Full).map(|p| p.bytes).sum();
            let written = plan.iter().map(|p| p.bytes).sum();
            self.written += written;
            written
        }

        /// The most files that a group's changes go back.
        fn reach(&self) -> u64 {
            let second = self.ledger.chains.iter().filter_map(|c| c.blocks.get(1));
            second.map(|epoch| self.epoch - epoch.0).max().unwrap_or(0)
        }
    }

    #[test]
    fn what_was_never_written_is_written_in_full() {
        let ledger = Ledger::new(2);
        let plan = ledger.plan(&[Amount::default(), Amount { live: 5, unwritten: 5 }]);
        assert_eq!(plan, [Planned { group: 1, kind: BlockKind::Full, bytes: 5 }]);
    }

    #[test]
    fn in_the_long_run_a_changed_byte_is_written_twice_and_no_epoch_writes_much_more_than_others() {
        let mut bench = Bench::new(vec![100_000; 64]);
        let changed = vec![1000; 64];
        let mut most = 0;
        for _ in 0..2000 {
            most = most.max(bench.commit(&changed));
            let chains: u64 = bench.ledger.chains.iter().map(|c| c.changes).sum();
            assert!(chains <= 64 * 101_000, "{chains}");
        }
        assert!(most <= 3 * 64_000 + 100_000, "{most} bytes in one epoch");
        let written = bench.written - 64 * 100_000;
        assert!(written <= 2 * 2000 * 64_000, "{written}");
        assert!(written >= 2000 * 64_000 * 19 / 10, "{written}: chains are cut as they should be");
    }

    #[test]
    fn changes_of_small_groups_go_64_files_back_at_most() {
        let mut bench = Bench::new(vec![30_000; 64]);
        for _ in 0..1000 {
            bench.commit(&[10; 64]);
            assert!(bench.reach() <= 2 * YOUNG, "{}", bench.reach());
            assert!(bench.full <= 64 / 16 * 30_000, "{}", bench.full);
        }
        assert!(bench.ledger.files().len() <= 64 + 64);
    }

    #[test]
    fn changes_of_large_groups_go_1024_files_back_and_writing_them_in_full_is_spread() {
        let mut bench = Bench::new(vec![16 << 20; 64]);
        let mut full = 0;
        for _ in 0..5000 {
            bench.commit(&[10; 64]);
            assert!(bench.reach() <= 2 * OLD, "{}", bench.reach());
            assert!(bench.full <= 16 << 20, "two groups in one epoch");
            full += bench.full;
        }
        assert!(full / 5000 <= 64 * (16 << 20) / OLD);
        assert!(bench.ledger.files().len() as u64 <= 2 * OLD + 64);
    }

    #[test]
    fn no_change_of_size_keeps_a_chain_from_being_cut() {
        let mut bench = Bench::new(vec![16 << 20; 64]);
        for epoch in 0..5000u64 {
            bench.commit(&[10; 64]);
            assert!(bench.reach() <= 2 * OLD, "{}", bench.reach());
            for (group, live) in (0u64..).zip(&mut bench.live) {
                *live = (1 << 12) << ((epoch * 7 + group * 13) % 12);
            }
        }
    }

    #[test]
    fn a_table_at_rest_writes_what_is_due_little_by_little_and_then_nothing() {
        let mut bench = Bench::new(vec![1000; 64]);
        bench.commit(&[900; 64]);
        bench.live.fill(100);
        let mut files = 0;
        while bench.commit(&[0; 64]) > 0 {
            files += 1;
            assert!(bench.full <= 3 * 100, "{}: one that is overdue, and two whose turn it is", bench.full);
        }
        assert_eq!((files, bench.reach()), (bench.ledger.files().len(), 0));
        assert_eq!(bench.commit(&[0; 64]), 0);
    }

    #[test]
    fn a_group_that_lies_still_is_not_written_again() {
        let mut bench = Bench::new(vec![100_000; 64]);
        let mut changed = [0; 64];
        changed[5] = 100;
        for _ in 0..3000 {
            bench.commit(&changed);
            assert!(bench.full == 0 || bench.full == 100_000);
        }
        assert_eq!(bench.ledger.files().full_of(4), Some(Epoch(0)));
    }
}
