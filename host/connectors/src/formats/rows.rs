//! Rows from lines, and what becomes of those that cannot be read.

use super::{columns::Columns, csv::decode::CsvRow, json::decode::JsonRow, lines};
use crate::source::OnBadData;
use arrow::{array::RecordBatch, datatypes::SchemaRef};
use engine::{BadRows, Batch, Origin, Place, Position, Result, Wanted};
use jiff::tz::TimeZone;
use std::{
    mem,
    sync::{Arc, Mutex, PoisonError},
};

/// The column that gets the text of a row that could not be read, if the schema has it.
pub const CORRUPT_RECORD: &str = "_corrupt_record";

/// Rows in a batch at most.
pub const BATCH_ROWS: usize = 8192;

/// Text in a batch at most, in bytes, but for its last block.
const BATCH_BYTES: usize = 8 << 20;

/// How one line becomes one row.
pub(crate) enum LineFormat {
    Json(JsonRow),
    Csv(CsvRow),
    /// The whole line is the value of this column.
    Text(Option<usize>),
}

/// What was in a line.
pub(crate) enum Verdict {
    /// A row.
    Row,
    /// Nothing.
    Blank,
    /// Not what the schema asks for.
    Bad(Fault),
}

/// Why a line is bad.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Fault {
    /// In words.
    pub(crate) what: &'static str,
    /// The column whose value does not fit, while the other columns can be kept; none if the whole row is lost.
    pub(crate) column: Option<usize>,
    /// Where in the line, in bytes from 0.
    pub(crate) at: usize,
}

/// What is the same for every file of a source.
#[derive(Clone, Debug)]
pub(crate) struct RowRules {
    /// The columns to fill, `_corrupt_record` and the rescue column among them.
    pub(crate) schema: SchemaRef,
    pub(crate) on_bad_data: OnBadData,
    pub(crate) rescue: Option<String>,
    pub(crate) time_zone: TimeZone,
    pub(crate) tally: Tally,
    /// The columns that anybody looks at. A value for another one is not read, so it is not bad either: that makes no
    /// difference where bad values become NULL, and only there is it heeded.
    pub(crate) wanted: Wanted,
}

impl RowRules {
    /// Whether the values of the column at `index` are read.
    pub(crate) fn reads(&self, index: usize) -> bool {
        self.wanted.has(index) || self.on_bad_data != OnBadData::Permissive || self.keeps_bad_values()
    }

    /// Whether what does not fit its column goes to another one that somebody looks at.
    fn keeps_bad_values(&self) -> bool {
        let special = [Some(CORRUPT_RECORD), self.rescue.as_deref()];
        let fields = self.schema.fields().iter().enumerate();
        fields.filter(|(_, f)| special.contains(&Some(f.name().as_str()))).any(|(i, _)| self.wanted.has(i))
    }
}

/// The bad rows of a source, counted by all that decode for it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally(Arc<Mutex<BadRows>>);

impl Tally {
    pub(crate) fn add(&self, bad: BadRows) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).add(bad);
    }

    /// What was counted since the last call.
    pub(crate) fn take(&self) -> BadRows {
        mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Collects rows from lines into batches.
pub(crate) struct RowDecoder {
    format: LineFormat,
    rules: RowRules,
    cells: Cells,
    corrupt: Option<usize>,
    lines: LinesSeen,
    bytes: usize,
    /// Those since the last batch; the tally, which others add to too, gets them with it.
    bad_rows: BadRows,
}

/// Where the values of a row go.
pub(crate) struct Cells {
    pub(crate) columns: Columns,
    pub(crate) time_zone: TimeZone,
    /// The rescue column, and what it will say of this row: the inside of a JSON object.
    pub(crate) rescue: Option<usize>,
    pub(crate) rescued: Vec<u8>,
}

impl Cells {
    /// Keeps a value that has no place in the schema, given as JSON. Without a rescue column it is dropped.
    #[cold]
    pub(crate) fn rescue(&mut self, name: &[u8], value: &[u8]) {
        if self.rescue.is_some() {
            self.rescued.push(if self.rescued.is_empty() { b'{' } else { b',' });
            self.rescued.push(b'"');
            self.rescued.extend_from_slice(name);
            self.rescued.extend_from_slice(b"\":");
            self.rescued.extend_from_slice(value);
        }
    }

    pub(crate) fn end_row(&mut self) {
        if !self.rescued.is_empty() {
            self.rescued.push(b'}');
            if let Some(cell) = self.rescue.and_then(|i| self.columns.cell(i)) {
                cell.push_bytes(&self.rescued);
            }
            self.rescued.clear();
        }
        self.columns.end_row();
    }

    pub(crate) fn abandon_row(&mut self) {
        self.rescued.clear();
        self.columns.abandon_row();
    }
}

impl RowDecoder {
    pub(crate) fn new(format: LineFormat, rules: RowRules) -> Result<Self> {
        let mut columns = Columns::new(rules.schema.fields())?;
        // Neither is a field that data could name.
        let corrupt = columns.reserve(CORRUPT_RECORD);
        let rescue = rules.rescue.as_deref().and_then(|name| columns.reserve(name));
        (0..rules.schema.fields().len())
            .filter(|index| !rules.reads(*index))
            .for_each(|index| columns.leave_out(index));
        let cells = Cells { columns, time_zone: rules.time_zone.clone(), rescue, rescued: Vec::new() };
        let (lines, bad_rows) = (LinesSeen::default(), BadRows::default());
        Ok(RowDecoder { format, rules, cells, corrupt, lines, bytes: 0, bad_rows })
    }

    /// Decodes the lines of a block, handing out batches as they get full.
    pub(crate) fn block(
        &mut self,
        block: &[u8],
        place: &mut LinePlace,
        out: &mut dyn FnMut(Batch) -> Result<()>,
    ) -> Result<()> {
        let valid = std::str::from_utf8(block).is_ok();
        for line in lines::lines(block) {
            let verdict = if valid || std::str::from_utf8(line).is_ok() {
                self.decode(line)
            } else {
                Verdict::Bad(Fault { what: "not valid UTF-8", column: None, at: 0 })
            };
            self.settle(verdict, line, place, out)?;
        }
        self.bytes += block.len();
        Ok(())
    }

    /// Takes note of a line that was too long to be held, of which `shown` are the first bytes.
    pub(crate) fn too_long(
        &mut self,
        shown: &[u8],
        place: &mut LinePlace,
        out: &mut dyn FnMut(Batch) -> Result<()>,
    ) -> Result<()> {
        let fault = Fault { what: "the line is longer than `max-line-bytes`", column: None, at: 0 };
        self.settle(Verdict::Bad(fault), shown, place, out)
    }

    /// The rows collected so far; none if there are none.
    pub(crate) fn flush(&mut self, place: &mut LinePlace) -> Result<Option<Batch>> {
        self.bytes = 0;
        if self.bad_rows.count > 0 {
            self.rules.tally.add(mem::take(&mut self.bad_rows));
        }
        let origin = mem::take(&mut self.lines).origin(place);
        if self.cells.columns.rows() == 0 {
            return Ok(None);
        }
        let rows: RecordBatch = self.cells.columns.take(&self.rules.schema)?;
        Ok(Some(Batch { rows, origin }))
    }

    #[inline]
    fn decode(&mut self, line: &[u8]) -> Verdict {
        match &mut self.format {
            LineFormat::Json(json) => json.row(line, &mut self.cells),
            LineFormat::Csv(csv) => csv.row(line, &mut self.cells),
            LineFormat::Text(column) => {
                if let Some(cell) = column.and_then(|i| self.cells.columns.cell(i)) {
                    cell.push_bytes(line);
                }
                Verdict::Row
            }
        }
    }

    /// Ends the row of a line, as its verdict says.
    #[inline]
    fn settle(
        &mut self,
        verdict: Verdict,
        line: &[u8],
        place: &mut LinePlace,
        out: &mut dyn FnMut(Batch) -> Result<()>,
    ) -> Result<()> {
        match verdict {
            Verdict::Row => self.keep_row(),
            Verdict::Blank => self.lines.skipped(),
            Verdict::Bad(fault) => self.bad(fault, line, place)?,
        }
        if (self.cells.columns.rows() == BATCH_ROWS || self.bytes >= BATCH_BYTES)
            && let Some(batch) = self.flush(place)?
        {
            out(batch)?;
        }
        Ok(())
    }

    #[inline]
    fn keep_row(&mut self) {
        self.cells.end_row();
        self.lines.kept();
    }

    #[cold]
    fn bad(&mut self, fault: Fault, line: &[u8], place: &LinePlace) -> Result<()> {
        match self.rules.on_bad_data {
            OnBadData::Fail => return Err(self.failure(fault, place)),
            OnBadData::Drop => {
                self.count_bad(place);
                self.cells.abandon_row();
                self.lines.skipped();
            }
            OnBadData::Permissive => {
                self.count_bad(place);
                if fault.column.is_none() {
                    self.cells.abandon_row();
                }
                if let Some(cell) = self.corrupt.and_then(|i| self.cells.columns.cell(i)) {
                    cell.push_bytes(String::from_utf8_lossy(line).as_bytes());
                }
                self.keep_row();
            }
        }
        Ok(())
    }

    fn count_bad(&mut self, place: &LinePlace) {
        let line = self.line(place);
        let at = Position { of: Some(place.of.clone()), unit: "line", first: line, last: line };
        self.bad_rows.add(BadRows::one(at));
    }

    /// The number of the line that is being decoded.
    fn line(&self, place: &LinePlace) -> u64 {
        place.next + self.lines.count as u64
    }

    fn failure(&self, fault: Fault, place: &LinePlace) -> engine::Error {
        let column = fault.column.and_then(|i| self.cells.columns.fields().get(i));
        let what = match column {
            Some(field) => format!(
                "column {:?} is {}, but {}",
                field.name(),
                super::ddl::print_type(field.data_type()),
                fault.what
            ),
            None => fault.what.to_owned(),
        };
        let line = self.line(place);
        engine::Error::data(format!(
            "{}, line {line}, byte {}: {what}; set `on-bad-data` to \"permissive\" or \"drop\" to go on",
            place.of,
            fault.at + 1
        ))
    }
}

/// Where lines are.
#[derive(Clone, Debug)]
pub(crate) struct LinePlace {
    /// The file, or the part of it that lines are counted in.
    pub(crate) of: Arc<str>,
    /// The number of the next line to be put into a batch, from 1.
    pub(crate) next: u64,
}

/// Which of the lines of a batch became rows.
#[derive(Default)]
struct LinesSeen {
    count: usize,
    /// A bit for every line, only if one was skipped.
    kept: Option<Vec<bool>>,
}

impl LinesSeen {
    #[inline]
    fn kept(&mut self) {
        self.count += 1;
        if let Some(kept) = &mut self.kept {
            kept.push(true);
        }
    }

    fn skipped(&mut self) {
        self.kept.get_or_insert_with(|| vec![true; self.count]).push(false);
        self.count += 1;
    }

    fn origin(self, place: &mut LinePlace) -> Origin {
        let at = Place::At { of: place.of.clone(), unit: "line", first: place.next };
        place.next += self.count as u64;
        let all = Origin::at(at, self.count);
        match self.kept {
            Some(kept) => all.keep(&kept.into()),
            None => all,
        }
    }
}
