use super::{
    file::{Block, BlockKind, Damage, StateFile},
    files::{FileRef, StateFiles},
    group::KeyGroups,
    ledger::Ledger,
    record::{self, Record},
};
use crate::{CheckpointStore, Error, Kind, Result};

/// Reads every file once, in the order of epochs, and shows each record that the content of a key group follows from, in
/// the order in which they hold.
pub(super) async fn replay(
    store: &dyn CheckpointStore,
    operator: &str,
    groups: KeyGroups,
    files: &StateFiles,
    mut show: impl FnMut(u16, &Record<'_>),
) -> Result<Ledger> {
    let mut ledger = Ledger::new(groups.count());
    for file in files.refs() {
        let path = file.path(operator);
        let failed = |wrong: Wrong| wrong.error(&format!("{}/{path}", store.location()), operator);
        let bytes = store.read(&path).await?.ok_or_else(|| failed(Wrong::Missing))?;
        let expected = Expected { operator, groups, files, file };
        expected.replay(&bytes, &mut ledger, &mut show).map_err(failed)?;
    }
    Ok(ledger)
}

/// What a file has to be to fit the commit record.
struct Expected<'a> {
    operator: &'a str,
    groups: KeyGroups,
    files: &'a StateFiles,
    file: FileRef,
}

impl Expected<'_> {
    fn replay(
        &self,
        bytes: &[u8],
        ledger: &mut Ledger,
        show: &mut impl FnMut(u16, &Record<'_>),
    ) -> Result<(), Wrong> {
        let file = StateFile::parse(bytes).map_err(Wrong::Damaged)?;
        self.check(&file)?;
        ledger.add_file(self.file.epoch, file.number, self.file.unique.clone());
        for block in &file.blocks {
            if !self.counts(block, ledger)? {
                continue;
            }
            ledger.add_block(block.group, block.kind == BlockKind::Full, block.bytes.len() as u64);
            let mut records = 0;
            let mut rest = block.bytes;
            while !rest.is_empty() {
                let (record, after) = record::split(rest).ok_or(Wrong::Records(block.group))?;
                show(block.group, &record);
                records += 1;
                rest = after;
            }
            if records != block.records {
                return Err(Wrong::Records(block.group));
            }
        }
        Ok(())
    }

    fn check(&self, file: &StateFile<'_>) -> Result<(), Wrong> {
        if file.operator != self.operator {
            return Err(Wrong::Operator(file.operator.to_owned()));
        }
        if usize::from(file.groups) != self.groups.count() {
            return Err(Wrong::Groups(file.groups, self.groups.count()));
        }
        if file.epoch != self.file.epoch {
            return Err(Wrong::Epoch(file.epoch.0));
        }
        if *file.unique != *self.file.unique {
            return Err(Wrong::Unique(file.unique.to_owned()));
        }
        let is_full = |group| file.blocks.iter().any(|b| b.group == group && b.kind == BlockKind::Full);
        match self.files.full_in(file.epoch).find(|group| !is_full(*group)) {
            Some(group) => Err(Wrong::NotFull(group)),
            None => Ok(()),
        }
    }

    /// Whether a block is part of its group's chain, and not one that later full content stands for.
    fn counts(&self, block: &Block<'_>, ledger: &Ledger) -> Result<bool, Wrong> {
        let full = self.files.full_of(block.group).ok_or(Wrong::Chain(block.group))?;
        match block.kind {
            _ if self.file.epoch < full => Ok(false),
            BlockKind::Full if self.file.epoch == full => Ok(true),
            BlockKind::Changes { after } if ledger.newest_of(block.group) == Some(after) => Ok(true),
            _ => Err(Wrong::Chain(block.group)),
        }
    }
}

/// Why a file that a commit record names cannot be used.
enum Wrong {
    Missing,
    Damaged(Damage),
    Operator(String),
    Groups(u16, usize),
    Epoch(u64),
    Unique(String),
    /// It should have the full content of this key group.
    NotFull(u16),
    /// Its block of this key group is not the one that comes next.
    Chain(u16),
    /// The block of this key group has other records than it says.
    Records(u16),
}

impl Wrong {
    fn error(self, file: &str, operator: &str) -> Error {
        let why = match &self {
            Wrong::Missing => "it is missing".into(),
            Wrong::Damaged(damage) => damage.to_string(),
            Wrong::Operator(other) => format!("it belongs to operator `{other}`"),
            Wrong::Groups(file, asked) => {
                format!("it was written for {file} key groups, and this checkpoint has {asked}")
            }
            Wrong::Epoch(epoch) => format!("it was written by epoch {epoch}"),
            Wrong::Unique(other) => {
                format!(
                    "it was written by another start, whose files have `{other}` in their names, so it was copied or moved there"
                )
            }
            Wrong::NotFull(group) => {
                format!("it does not have the full content of key group {group}, as the commit record says")
            }
            Wrong::Chain(group) => {
                format!("what it has of key group {group} does not follow what comes before it")
            }
            Wrong::Records(group) => format!("its records of key group {group} are not whole"),
        };
        let (kind, remedy) = match self {
            Wrong::Damaged(Damage::Version(_)) => (Kind::Invalid, ""),
            _ => (
                Kind::Data,
                "; restore the file from a copy, or go back to an epoch whose state is whole with `checkpoint reset`",
            ),
        };
        Error::new(
            kind,
            format!("the state of operator `{operator}` cannot be read from {file}: {why}{remedy}"),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::file::Writer;
    use super::*;
    use crate::{Created, Epoch, checkpoint::MemoryStore};
    use rand::{RngExt, SeedableRng, rngs::SmallRng};

    /// Reads a table of one group whose only file has these bytes as its block, with checksums that are right.
    async fn read(records: u64, block: &[u8]) -> Result<Ledger> {
        let groups = KeyGroups::new(std::num::NonZeroU16::MIN);
        let about = StateFile {
            number: u64::MAX,
            epoch: Epoch(0),
            groups: 1,
            operator: "counts",
            unique: "a",
            blocks: Vec::new(),
        };
        let mut writer = Writer::new(&about, 1, block.len());
        writer.block(0, BlockKind::Full, |out| {
            out.extend_from_slice(block);
            records
        });
        let store = MemoryStore::default();
        let file = FileRef { epoch: Epoch(0), unique: "a".into() };
        assert_eq!(store.create(&file.path("counts"), writer.finish()).await.unwrap(), Created::Won);
        let files = StateFiles::new([file].into_iter(), [Some(Epoch(0))].into_iter());
        replay(&store, "counts", groups, &files, |_, _| ()).await
    }

    fn block() -> Vec<u8> {
        [record::put(b"key", b"value"), record::removal(b"gone"), record::put(b"", b"")].concat()
    }

    #[tokio::test]
    async fn records_that_are_not_whole_or_not_as_many_as_said_are_an_error() {
        assert!(read(3, &block()).await.is_ok());
        for len in 0..block().len() {
            let report = read(3, &block()[..len]).await.unwrap_err().report();
            assert!(report.contains("0-a.state: its records of key group 0 are not whole"), "{report}");
        }
        assert!(read(4, &block()).await.is_err());
    }

    #[tokio::test]
    async fn records_that_were_made_up_panic_nobody() {
        let mut rng = SmallRng::seed_from_u64(3);
        let mut refused = 0;
        for _ in 0..20_000 {
            let mut bytes = block();
            for _ in 0..rng.random_range(1..4) {
                let at = rng.random_range(0..bytes.len());
                bytes[at] = rng.random();
            }
            refused += u32::from(read(3, &bytes).await.is_err());
        }
        assert!((5_000..20_000).contains(&refused), "{refused}");
    }
}
