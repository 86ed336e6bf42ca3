//! What calls have changed of entries, and nobody has kept yet.

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use std::{hash::BuildHasher, ops::Range};

/// What an entry takes in memory beside its bytes, about.
const OVERHEAD: u64 = 64;

/// What becomes of an entry: the time and the bytes that it has from now on, or that it is gone.
#[derive(Debug, PartialEq)]
pub(super) struct Change<'c> {
    /// The hash of its key.
    pub(super) key: u64,
    pub(super) name: &'c [u8],
    pub(super) to: Option<(i64, &'c [u8])>,
}

/// Changes in the order in which they were made. There are as many as keys in a call, so all their bytes lie in one piece of memory.
#[derive(Default)]
pub(super) struct List {
    bytes: Vec<u8>,
    all: Vec<At>,
}

/// A change, with the places of its bytes.
#[derive(Clone)]
struct At {
    key: u64,
    name: Range<usize>,
    to: Option<(i64, Range<usize>)>,
}

impl List {
    /// Adds a change: `name` appends the entry's name, and `to` what it holds, and says its time, if it is not to go.
    pub(super) fn push<E>(
        &mut self,
        key: u64,
        name: impl FnOnce(&mut Vec<u8>),
        to: impl FnOnce(&mut Vec<u8>) -> Result<Option<i64>, E>,
    ) -> Result<(), E> {
        let start = self.bytes.len();
        name(&mut self.bytes);
        let middle = self.bytes.len();
        let time = to(&mut self.bytes)?;
        let to = time.map(|time| (time, middle..self.bytes.len()));
        self.all.push(At { key, name: start..middle, to });
        Ok(())
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.all.clear();
    }

    /// What the entries that do not go take in memory, about.
    pub(super) fn size(&self) -> u64 {
        let size = |at: &At| at.to.as_ref().map_or(0, |(_, to)| (at.name.len() + to.len()) as u64 + OVERHEAD);
        self.all.iter().map(size).sum()
    }

    fn change(&self, at: &At) -> Change<'_> {
        let of = |range: &Range<usize>| self.bytes.get(range.clone()).unwrap_or_default();
        Change { key: at.key, name: of(&at.name), to: at.to.as_ref().map(|(time, to)| (*time, of(to))) }
    }

    fn name(&self, index: usize) -> &[u8] {
        self.all.get(index).map_or(&[], |at| self.change(at).name)
    }
}

/// The last change of each entry.
#[derive(Default)]
pub(super) struct Changes {
    list: List,
    by_name: HashTable<usize>,
    hasher: RandomState,
}

impl Changes {
    /// The last change of the entry of this name.
    pub(super) fn get(&self, name: &[u8]) -> Option<Change<'_>> {
        let hash = self.hasher.hash_one(name);
        let at = self.by_name.find(hash, |index| self.list.name(*index) == name)?;
        self.list.all.get(*at).map(|at| self.list.change(at))
    }

    /// Takes changes over that were made later.
    pub(super) fn extend(&mut self, later: &List) {
        let Changes { list, by_name, hasher } = self;
        let from = list.bytes.len();
        list.bytes.extend_from_slice(&later.bytes);
        by_name.reserve(later.all.len(), |index| hasher.hash_one(list.name(*index)));
        for at in &later.all {
            let moved = |range: &Range<usize>| range.start + from..range.end + from;
            let to = at.to.as_ref().map(|(time, to)| (*time, moved(to)));
            let at = At { key: at.key, name: moved(&at.name), to };
            let name = list.change(&at).name;
            let hash = hasher.hash_one(name);
            match by_name.find(hash, |index| list.name(*index) == name).copied() {
                Some(index) => list.all.get_mut(index).into_iter().for_each(|before| *before = at.clone()),
                None => {
                    by_name.insert_unique(hash, list.all.len(), |index| hasher.hash_one(list.name(*index)));
                    list.all.push(at);
                }
            }
        }
    }

    /// All of them; each entry is there once.
    pub(super) fn iter(&self) -> impl Iterator<Item = Change<'_>> {
        self.list.all.iter().map(|at| self.list.change(at))
    }

    pub(super) fn clear(&mut self) {
        self.list.clear();
        self.by_name.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(changes: &[(&str, Option<(i64, &str)>)]) -> List {
        let mut list = List::default();
        for (name, to) in changes {
            let appended = list.push(
                name.len() as u64,
                |bytes| bytes.extend_from_slice(name.as_bytes()),
                |bytes| {
                    bytes.extend_from_slice(to.map_or("", |(_, to)| to).as_bytes());
                    Ok::<_, ()>(to.map(|(time, _)| time))
                },
            );
            assert_eq!(appended, Ok(()));
        }
        list
    }

    #[test]
    fn of_each_entry_the_last_change_counts() {
        let mut changes = Changes::default();
        changes.extend(&list(&[("a", Some((1, "x"))), ("bb", Some((2, "y")))]));
        changes.extend(&list(&[("a", Some((3, "longer"))), ("ccc", None)]));
        changes.extend(&list(&[("bb", None)]));
        let all: Vec<Change<'_>> = changes.iter().collect();
        let expected = [
            Change { key: 1, name: b"a", to: Some((3, b"longer")) },
            Change { key: 2, name: b"bb", to: None },
            Change { key: 3, name: b"ccc", to: None },
        ];
        assert_eq!(all, expected);
        assert_eq!(changes.get(b"a"), Some(Change { key: 1, name: b"a", to: Some((3, b"longer")) }));
        assert_eq!(changes.get(b"d"), None);
        changes.clear();
        assert_eq!((changes.get(b"a"), changes.iter().count()), (None, 0));
    }

    #[test]
    fn what_goes_takes_no_room() {
        assert_eq!(list(&[("a", Some((1, "xyz"))), ("b", None)]).size(), 4 + OVERHEAD);
    }
}
