//! Reading what was planned.

use super::{
    listing::{FileEntry, Location, unreadable},
    opened::Opened,
    path_columns::PathColumns,
    settings::{FileFormat, FilesSettings},
    splits::Split,
};
use crate::formats::{
    compression::Compression,
    csv::decode::CsvRow,
    json::decode::JsonRow,
    lines::{Block, LineReader, lines},
    parquet::decode::read_row_groups,
    rows::{CORRUPT_RECORD, LineFormat, LinePlace, RowDecoder, RowRules},
};
use engine::{Batch, Error, Result};
use std::{
    io::{self, Read, Seek, SeekFrom},
    path::Path,
    sync::Arc,
};

/// Takes batches as they are read; an error ends the reading.
pub(crate) type Out<'a> = &'a mut dyn FnMut(Batch) -> Result<()>;

/// What to do about a file that a planned epoch needs and does not find. The epoch cannot go on with less: a sink may have
/// stored it already, with the rows that are missing now.
const PUT_BACK: &str = "put it back as it was, its modification time too, and start again; or go on without it by \
     `on-bad-file = \"skip\"`; deliver files by renaming them into place";

/// Everything that reading a range needs to know.
#[derive(Clone, Debug)]
pub(crate) struct Reading {
    pub(crate) location: Location,
    pub(crate) settings: FilesSettings,
    pub(crate) rules: RowRules,
}

/// A file that is open, and the part of it to read. Of a file of lines that has grown meanwhile, only the bytes that were
/// planned are looked at, so that a replay reads the same.
struct Open<'a> {
    split: &'a Split,
    file: &'a Opened,
    full: &'a Path,
    constants: &'a PathColumns,
}

impl Reading {
    /// Whether partitions may share the file.
    pub(crate) fn may_cut(&self, file: &FileEntry) -> bool {
        compression_of(&self.settings, Path::new(&*file.path)) == Compression::None
    }

    /// Reads one split; `out` gets its batches in order. Fails if what was planned is no longer there.
    pub(crate) fn split(&self, split: &Split, out: Out<'_>) -> Result<()> {
        let full = self.location.full(&split.file.path);
        let file = self.location.open(&split.file.path).map_err(|e| unopened(&full, e))?;
        self.growth(&split.file, &file, &full)?;
        let zone = &self.rules.time_zone;
        let constants =
            PathColumns::new(&self.rules.schema, &self.settings.metadata, &split.file, &full, zone)?;
        let open = Open { split, file: &file, full: &full, constants: &constants };
        let mut finish = |batch: Batch| out(Batch { rows: constants.put_into(batch.rows)?, ..batch });
        let result = match format_of(&self.settings, &full)? {
            FileFormat::Parquet => {
                let own = self.own_columns(&constants);
                let own: Vec<_> = own.into_iter().filter(|index| self.rules.wanted.has(*index)).collect();
                read_row_groups(&file, &full, split.start..split.end, &self.rules, &own, &mut finish)
            }
            format => self.lines(format, &open, &mut finish),
        };
        // Of a file that was cut off while it was read, say that, rather than what its new end looked like.
        let growth = self.growth(&split.file, &file, &full)?;
        // The other splits of the file would only say it again.
        if growth > 0 && split.start == 0 {
            let (path, planned, now) = (full.display(), split.file.size, split.file.size + growth);
            tracing::warn!(%path, planned, now, "grew after it was planned: what was added is not read; deliver files by renaming them into place");
        }
        result
    }

    /// How many bytes the file has more than were planned. Fails if what was planned cannot be read any more: lines can
    /// if the file has only grown; what is compressed, and Parquet, needs its end where it was.
    fn growth(&self, planned: &FileEntry, file: &Opened, full: &Path) -> Result<u64> {
        let now = file.entry(planned.path.clone()).map_err(|e| unreadable(full, e))?;
        let of_lines = format_of(&self.settings, full)? != FileFormat::Parquet && self.may_cut(planned);
        match now.size.checked_sub(planned.size) {
            Some(0) if now == *planned => Ok(0),
            Some(growth @ 1..) if of_lines => Ok(growth),
            _ => Err(changed(planned, &now, full)),
        }
    }

    /// The columns that a file's own data fills.
    fn own_columns(&self, constants: &PathColumns) -> Vec<usize> {
        let special = [Some(CORRUPT_RECORD), self.rules.rescue.as_deref()];
        let fields = self.rules.schema.fields().iter().enumerate();
        let own = fields.filter(|(i, f)| !constants.has(*i) && !special.contains(&Some(f.name().as_str())));
        own.map(|(i, _)| i).collect()
    }

    fn lines(&self, format: FileFormat, open: &Open<'_>, out: Out<'_>) -> Result<()> {
        let header = match (format, &self.settings.csv) {
            (FileFormat::Csv, Some(csv)) if csv.header => self.first_line(open)?,
            _ => None,
        };
        let format = self.line_format(format, header.as_deref(), open);
        let format = format.map_err(|e| e.while_doing(open.full.display().to_string()))?;
        let mut decoder = RowDecoder::new(format, self.rules.clone())?;
        let mut reader = self.line_reader(open).map_err(|e| unreadable(open.full, e))?;
        let mut place = LinePlace { of: name_of_part(open), next: 1 };
        let mut skip_header = header.is_some() && open.split.start == 0;
        while let Some(block) = reader.next().map_err(|e| unreadable(open.full, e))? {
            match block {
                Block::Lines(mut block) => {
                    if std::mem::take(&mut skip_header) {
                        block = memchr::memchr(b'\n', block)
                            .and_then(|at| block.get(at + 1..))
                            .unwrap_or_default();
                        place.next = 2;
                    }
                    decoder.block(block, &mut place, out)?;
                }
                Block::TooLong(shown) => decoder.too_long(shown, &mut place, out)?,
            }
        }
        decoder.flush(&mut place)?.map_or(Ok(()), out)
    }

    /// The first line of the file, wherever the split is; none if the file is empty.
    fn first_line(&self, open: &Open<'_>) -> Result<Option<Vec<u8>>> {
        let io = |e| unreadable(open.full, e);
        rewind(open.file, 0).map_err(io)?;
        let planned = open.file.take(open.split.file.size);
        let bytes = compression_of(&self.settings, open.full).reader(planned).map_err(io)?;
        let mut reader = LineReader::new(bytes, self.longest());
        match reader.next().map_err(io)? {
            Some(Block::Lines(block)) => Ok(lines(block).next().map(<[u8]>::to_vec)),
            Some(Block::TooLong(_)) => Err(Error::data(format!(
                "{}, line 1: the header is longer than `max-line-bytes`",
                open.full.display()
            ))),
            None => Ok(None),
        }
    }

    fn line_format(&self, format: FileFormat, header: Option<&[u8]>, open: &Open<'_>) -> Result<LineFormat> {
        let own = self.own_columns(open.constants);
        Ok(match format {
            FileFormat::Csv => {
                let rules = self.settings.csv.clone().unwrap_or_default().rules()?;
                LineFormat::Csv(match header {
                    Some(line) => CsvRow::by_header(rules, line, self.rules.schema.fields(), &own)?,
                    None => CsvRow::in_order(rules, own),
                })
            }
            FileFormat::Text => LineFormat::Text(own.first().copied()),
            FileFormat::Json | FileFormat::Parquet => LineFormat::Json(JsonRow::default()),
        })
    }

    fn line_reader<'a>(&self, open: &Open<'a>) -> io::Result<LineReader<Box<dyn Read + Send + 'a>>> {
        let Split { start, end, .. } = *open.split;
        rewind(open.file, start.saturating_sub(1))?;
        match compression_of(&self.settings, open.full) {
            Compression::None => {
                let bytes = open.file.take(open.split.file.size - start.saturating_sub(1));
                LineReader::between(Box::new(bytes), self.longest(), start, end)
            }
            packed => Ok(LineReader::new(packed.reader(open.file)?, self.longest())),
        }
    }

    fn longest(&self) -> usize {
        usize::try_from(self.settings.max_line_bytes.0).unwrap_or(usize::MAX)
    }
}

/// The format that is set, or what the file's extension says.
pub(crate) fn format_of(settings: &FilesSettings, path: &Path) -> Result<FileFormat> {
    settings.format.or_else(|| FileFormat::of(path)).ok_or_else(|| {
        Error::invalid(format!(
            "{}: its name does not tell the format; set `format` to csv, json, text or parquet",
            path.display()
        ))
    })
}

/// The compression that is set, or what the file's extension says.
pub(crate) fn compression_of(settings: &FilesSettings, path: &Path) -> Compression {
    settings.compression.unwrap_or_else(|| Compression::of(path))
}

fn rewind(mut file: &Opened, at: u64) -> io::Result<()> {
    file.seek(SeekFrom::Start(at)).map(drop)
}

/// The name that the lines of a split are counted under. Counting from the start of the file would mean to read all that
/// stands before the split, so lines of a later one are counted from the first that starts in it.
fn name_of_part(open: &Open<'_>) -> Arc<str> {
    let name = open.full.display();
    match open.split.start {
        0 => name.to_string().into(),
        start => format!("{name} from byte {start}").into(),
    }
}

/// A file that was planned cannot be opened.
fn unopened(full: &Path, error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::NotFound => {
            Error::data(format!("{} is not there any more; {PUT_BACK}", full.display())).caused_by(error)
        }
        _ => unreadable(full, error),
    }
}

fn changed(planned: &FileEntry, now: &FileEntry, full: &Path) -> Error {
    let exact = |file: &FileEntry| jiff::Timestamp::from_microsecond(file.modified.0).unwrap_or_default();
    Error::data(format!(
        "{} changed after it was planned: then {} bytes of {}, now {} bytes of {}; {PUT_BACK}",
        full.display(),
        planned.size,
        exact(planned),
        now.size,
        exact(now)
    ))
}
