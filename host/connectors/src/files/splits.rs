//! How the files of an epoch are shared out to partitions.

use super::listing::FileEntry;

/// Parts of files that are smaller than this are not worth another reader.
const LEAST: u64 = 1 << 20;

/// A part of a file: what starts in it belongs to it. That is every line, or row group, whose first byte it has.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Split {
    /// The file.
    pub(crate) file: FileEntry,
    /// First byte.
    pub(crate) start: u64,
    /// Byte behind the last.
    pub(crate) end: u64,
}

/// Gives each partition an equal share of the bytes, in order: the partitions one after the other are the input in its
/// order. Files that `may_cut` allows are cut where one share ends and the next begins; others go, whole, to the
/// partition that their middle falls into. It follows from the arguments alone, so a replay reads the same.
pub(crate) fn assign(
    files: &[FileEntry],
    partitions: usize,
    may_cut: impl Fn(&FileEntry) -> bool,
) -> Vec<Vec<Split>> {
    let partitions = partitions.max(1) as u128;
    let total: u128 = files.iter().map(weight).sum();
    let mut shares = vec![Vec::new(); partitions as usize];
    let mut before = 0u128;
    for file in files {
        let weight = weight(file);
        let share_of = |byte: u128| (byte * partitions / total.max(1)).min(partitions - 1);
        let cuts = if may_cut(file) { cuts(before, weight, total, partitions) } else { Vec::new() };
        let mut start = 0;
        for end in cuts.into_iter().chain([file.size]) {
            let middle = before + u128::from(start + end.max(start)) / 2;
            if let Some(share) = shares.get_mut(share_of(middle) as usize) {
                share.push(Split { file: file.clone(), start, end });
            }
            start = end;
        }
        before += weight;
    }
    shares
}

/// An empty file counts too, so that it is read, and an error about it seen.
fn weight(file: &FileEntry) -> u128 {
    u128::from(file.size.max(1))
}

/// Where shares end inside a file of `weight` bytes that has `before` bytes before it.
fn cuts(before: u128, weight: u128, total: u128, partitions: u128) -> Vec<u64> {
    let mut cuts = Vec::new();
    let mut last = 0;
    for share in 1..partitions {
        let boundary = total * share / partitions;
        let at = boundary.saturating_sub(before);
        if at >= last + u128::from(LEAST) && at + u128::from(LEAST) <= weight {
            cuts.push(at as u64);
            last = at;
        }
    }
    cuts
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::Timestamp;

    fn files(megabytes: &[u64]) -> Vec<FileEntry> {
        let file = |(i, mb): (usize, &u64)| FileEntry {
            path: format!("{i}").into(),
            size: mb << 20,
            modified: Timestamp(0),
        };
        megabytes.iter().enumerate().map(file).collect()
    }

    fn show(shares: Vec<Vec<Split>>) -> Vec<String> {
        let split = |s: &Split| format!("{}[{}-{}]", s.file.path, s.start >> 20, s.end >> 20);
        shares.iter().map(|s| s.iter().map(split).collect::<Vec<_>>().join(" ")).collect()
    }

    #[test]
    fn large_files_are_cut_where_shares_end() {
        assert_eq!(show(assign(&files(&[100]), 2, |_| true)), ["0[0-50]", "0[50-100]"]);
        assert_eq!(show(assign(&files(&[30, 90]), 3, |_| true)), ["0[0-30] 1[0-10]", "1[10-50]", "1[50-90]"]);
    }

    #[test]
    fn files_that_cannot_be_cut_stay_whole_and_in_order() {
        assert_eq!(
            show(assign(&files(&[10, 10, 10, 10]), 2, |_| false)),
            ["0[0-10] 1[0-10]", "2[0-10] 3[0-10]"]
        );
        assert_eq!(show(assign(&files(&[0, 0, 0]), 2, |_| true)), ["0[0-0] 1[0-0]", "2[0-0]"]);
        assert_eq!(show(assign(&files(&[1]), 4, |_| true)).concat(), "0[0-1]");
    }

    #[test]
    fn every_byte_is_in_exactly_one_split_in_order() {
        let files = files(&[3, 50, 1, 0, 7, 200, 2]);
        for partitions in 1..20 {
            let all: Vec<_> =
                assign(&files, partitions, |f| f.size > 10 << 20).into_iter().flatten().collect();
            let mut expected = files.iter();
            let mut next = expected.next();
            let mut at = 0;
            for split in &all {
                let file = next.unwrap();
                assert_eq!((&split.file, split.start), (file, at));
                at = split.end;
                if at == file.size {
                    (next, at) = (expected.next(), 0);
                }
            }
            assert_eq!(next, None);
        }
    }
}
