//! What files are called.

use engine::{Begin, Epoch, Partition};
use std::fmt::Write;

/// The directory of rows whose partition column is NULL, as Hive and Spark call it.
pub(crate) const NULL_FOLDER: &str = "__HIVE_DEFAULT_PARTITION__";

/// One writer of one epoch; no two are the same, in whatever process.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ticket {
    pub(super) epoch: Epoch,
    pub(super) writer: String,
}

impl Ticket {
    pub(super) fn new(epoch: Epoch) -> Self {
        Ticket { epoch, writer: uuid::Uuid::new_v4().simple().to_string() }
    }

    /// The writer that a staging file belongs to.
    pub(super) fn of(file: &str) -> Option<Self> {
        let (epoch, rest) = file.split_once('-')?;
        let writer = rest.split(['-', '.']).next()?.to_owned();
        Some(Ticket { epoch: Epoch(epoch.parse().ok()?), writer })
    }

    pub(super) fn owns(&self, file: &str) -> bool {
        Ticket::of(file).as_ref() == Some(self)
    }

    pub(super) fn draft(&self) -> String {
        format!("{}-{}.draft", self.epoch, self.writer)
    }

    /// Without the extension of its format, so that no pattern of a reader matches it.
    pub(super) fn staged(&self, partition: Partition, sequence: u32) -> String {
        format!("{}-{}-{partition}-{sequence}", self.epoch, self.writer)
    }

    /// The manifest of an epoch that anybody may add to.
    pub(super) fn unmarked(&self) -> String {
        format!("{}-{}", self.epoch, self.writer)
    }
}

/// The final name of a file. A replay of the epoch gives it the same one, unless the epoch is unmarked or names go `by_writer`.
pub(super) fn published(
    begin: &Begin,
    ticket: &Ticket,
    partition: Partition,
    sequence: u32,
    extension: &str,
    by_writer: bool,
) -> String {
    let (query, sink) = (file_safe(&begin.query.0), file_safe(&begin.sink));
    let unmarked = if begin.marked && !by_writer { String::new() } else { format!("-{}", ticket.writer) };
    format!("{query}-{}-{sink}-{partition}-{sequence}{unmarked}.{extension}", begin.epoch)
}

/// The epoch of a file, by its final name, if it is of this sink. The names have been made safe.
pub(super) fn published_epoch(file: &str, query: &str, sink: &str) -> Option<Epoch> {
    let (epoch, rest) = file.strip_prefix(query)?.strip_prefix('-')?.split_once('-')?;
    let ours = rest.strip_prefix(sink)?.strip_prefix('-')?;
    // Of sinks `a` and `a-1`, only one has a number there.
    let partition = ours.split_once('-')?.0;
    (partition.parse::<u32>().is_ok()).then_some(Epoch(epoch.parse().ok()?))
}

/// A name as part of a file name: what a file system or a reader could take for something else is percent-encoded.
pub(super) fn file_safe(name: &str) -> String {
    let plain = |i: usize, c: char| c.is_ascii_alphanumeric() || (i > 0 && matches!(c, '-' | '_' | '.'));
    escaped(name, plain)
}

/// A column's name or value as part of a directory's name, with the characters that Spark and Hive escape.
pub(crate) fn hive_safe(text: &str) -> String {
    escaped(text, |_, c| !c.is_ascii_control() && !"\"#%'*/:=?\\{[]^".contains(c))
}

fn escaped(text: &str, plain: impl Fn(usize, char) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    for (i, c) in text.char_indices() {
        match plain(i, c) {
            true => out.push(c),
            false => c.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| {
                let _ = write!(out, "%{byte:02X}");
            }),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_staging_file_tells_its_writer() {
        let ticket = Ticket::new(Epoch(12));
        assert_eq!(Ticket::of(&ticket.draft()), Some(ticket.clone()));
        assert!(ticket.owns(&ticket.staged(Partition(1), 7)));
        assert!(!Ticket::new(Epoch(12)).owns(&ticket.draft()));
        assert_eq!(Ticket::of("notes.txt"), None);
    }

    #[test]
    fn a_published_file_tells_its_epoch() {
        let begin = Begin::of("q-1", "out", 7, std::sync::Arc::new(arrow::datatypes::Schema::empty()));
        let name = published(&begin, &Ticket::new(Epoch(7)), Partition(0), 3, "json.gz", false);
        assert_eq!(name, "q-1-7-out-0-3.json.gz");
        assert_eq!(published_epoch(&name, "q-1", "out"), Some(Epoch(7)));
        assert_eq!(published_epoch(&name, "q-1", "ou"), None);
        assert_eq!(published_epoch("q-1-7-out-late-0-3.json", "q-1", "out"), None);
    }

    #[test]
    fn values_are_escaped_as_spark_escapes_them() {
        assert_eq!(hive_safe("2025-01-01 10:00:00"), "2025-01-01 10%3A00%3A00");
        assert_eq!(hive_safe("a/b=c%d\\e\n\u{7f}"), "a%2Fb%3Dc%25d%5Ce%0A%7F");
        assert_eq!(hive_safe("größe é"), "größe é");
    }

    #[test]
    fn a_hostile_name_stays_one_visible_file_name() {
        assert_eq!(file_safe("../x"), "%2E.%2Fx");
        assert_eq!(file_safe("_out"), "%5Fout");
        assert_eq!(file_safe("late-purchases_1"), "late-purchases_1");
    }
}
