//! Messages to batches.

use super::part::{Part, PartRules, Trouble};
use crate::{
    formats::{
        columns::{Columns, Values},
        ddl,
        rows::{BATCH_ROWS, Tally},
    },
    kafka::settings::Column,
    source::OnBadData,
};
use arrow::{
    array::{ArrayRef, RecordBatch, RecordBatchOptions},
    datatypes::{DataType, Field, Fields, SchemaRef},
};
use engine::{BadRows, Batch, Error, Origin, Place, Position, Result, Wanted};
use rdkafka::{Message, message::Headers};
use std::{mem, sync::Arc};

/// Bytes of keys and values in a batch, but for its last message.
const BATCH_BYTES: usize = 8 << 20;

/// So many offsets without a message are noted one by one; a longer gap starts another piece.
const GAP: u64 = 64;

/// What is the same for all streams of a range.
#[derive(Clone)]
pub(super) struct Rules {
    /// The columns of a batch: the key if asked for, those of the value, `added`, the headers if asked for.
    pub(super) schema: SchemaRef,
    pub(super) key: Option<PartRules>,
    pub(super) value: PartRules,
    pub(super) added: Vec<Column>,
    pub(super) headers: bool,
    pub(super) on_bad_data: OnBadData,
    pub(super) tally: Tally,
}

impl Rules {
    /// The same for a plan that looks at some columns only; the others are NULL.
    pub(super) fn wanting(&self, wanted: Option<&Wanted>) -> Rules {
        let mut rules = self.clone();
        let before = usize::from(self.key.is_some());
        let count = self.value.rows.schema.fields().len();
        if let Some(wanted) = wanted {
            rules.value.rows.wanted = (0..count).filter(|index| wanted.has(before + index)).collect();
        }
        rules
    }
}

/// Collects messages into batches.
pub(super) struct Decoder {
    rules: Rules,
    key: Option<Part>,
    value: Part,
    more: Columns,
    seen: Seen,
    rows: usize,
    bytes: usize,
    /// Those since the last batch; the tally, which others add to too, gets them with it.
    bad_rows: BadRows,
}

impl Decoder {
    pub(super) fn new(rules: Rules) -> Result<Self> {
        let width = rules.added.len() + usize::from(rules.headers);
        let first = rules.schema.fields().len() - width;
        let fields: Fields = rules.schema.fields().iter().skip(first).cloned().collect();
        Ok(Decoder {
            key: rules.key.as_ref().map(Part::new).transpose()?,
            value: Part::new(&rules.value)?,
            more: Columns::new(&fields)?,
            seen: Seen::default(),
            rows: 0,
            bytes: 0,
            bad_rows: BadRows::default(),
            rules,
        })
    }

    /// Takes a message of partition `of`. Answers a batch once there is a full one.
    pub(super) fn push(&mut self, message: &impl Message, of: &Arc<str>) -> Result<Option<Batch>> {
        let (key, value) = (message.key(), message.payload());
        let trouble = self.value.read(value)?;
        let key_trouble = match &mut self.key {
            Some(part) => part.read(key)?,
            None => None,
        };
        if trouble.is_none() && key_trouble.is_none() {
            self.value.keep(value)?;
            if let Some(part) = &mut self.key {
                part.keep(key)?;
            }
            self.keep(message, of);
        } else {
            self.bad(message, of, trouble, key_trouble)?;
        }
        self.bytes += value.map_or(0, <[u8]>::len) + key.map_or(0, <[u8]>::len);
        if self.rows == BATCH_ROWS || self.bytes >= BATCH_BYTES { self.flush() } else { Ok(None) }
    }

    #[cold]
    fn bad(
        &mut self,
        message: &impl Message,
        of: &Arc<str>,
        trouble: Option<Trouble>,
        key_trouble: Option<Trouble>,
    ) -> Result<()> {
        let offset = message.offset().max(0) as u64;
        if self.rules.on_bad_data == OnBadData::Fail {
            let first = trouble.as_ref().map(|t| ("", t)).or(key_trouble.as_ref().map(|t| ("the key: ", t)));
            let (part, trouble) = first.ok_or_else(|| Error::internal("a bad row without a reason"))?;
            return Err(Error::data(format!(
                "{of}, offset {offset}, byte {}: {part}{}; set `on-bad-data` to \"permissive\" or \"drop\" to go on",
                trouble.at + 1,
                trouble.what
            )));
        }
        let at = Position { of: Some(of.clone()), unit: "offset", first: offset, last: offset };
        self.bad_rows.add(BadRows::one(at));
        if self.rules.on_bad_data == OnBadData::Drop {
            self.value.abandon();
            if let Some(part) = &mut self.key {
                part.abandon();
            }
            self.seen.note(of, offset, false);
            return Ok(());
        }
        end_row(&mut self.value, message.payload(), trouble.as_ref())?;
        if let Some(part) = &mut self.key {
            end_row(part, message.key(), key_trouble.as_ref())?;
        }
        self.keep(message, of);
        Ok(())
    }

    /// Ends the row of a message whose key and value are in their columns.
    #[inline]
    fn keep(&mut self, message: &impl Message, of: &Arc<str>) {
        self.seen.note(of, message.offset().max(0) as u64, true);
        self.rows += 1;
        for (index, column) in self.rules.added.iter().enumerate() {
            add(&mut self.more, index, *column, message);
        }
        if self.rules.headers {
            add_headers(&mut self.more, self.rules.added.len(), message);
        }
        self.more.end_row();
    }

    /// The rows collected so far; none if there are none.
    pub(super) fn flush(&mut self) -> Result<Option<Batch>> {
        self.bytes = 0;
        if self.bad_rows.count > 0 {
            self.rules.tally.add(mem::take(&mut self.bad_rows));
        }
        let origin = mem::take(&mut self.seen).origin();
        let rows = mem::take(&mut self.rows);
        if rows == 0 {
            return Ok(None);
        }
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(self.rules.schema.fields().len());
        columns.extend(self.key.as_mut().map(Part::take_one).transpose()?);
        columns.extend(self.value.take()?);
        columns.extend(self.more.take_arrays()?);
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let rows = RecordBatch::try_new_with_options(self.rules.schema.clone(), columns, &options)
            .map_err(|e| Error::internal("building a batch").caused_by(e))?;
        Ok(Some(Batch { rows, origin }))
    }
}

fn end_row(part: &mut Part, bytes: Option<&[u8]>, trouble: Option<&Trouble>) -> Result<()> {
    match trouble {
        Some(trouble) => part.keep_bad(bytes, trouble),
        None => part.keep(bytes),
    }
}

/// The columns that are known of a message beside its key and its value.
pub(super) fn column_type(column: Column) -> DataType {
    match column {
        Column::Topic => DataType::Utf8,
        Column::Partition => DataType::Int32,
        Column::Offset => DataType::Int64,
        Column::Timestamp => ddl::timestamp(),
    }
}

/// The column of headers.
pub(super) fn headers_type() -> DataType {
    let fields = vec![Field::new("key", DataType::Utf8, true), Field::new("value", DataType::Binary, true)];
    ddl::array_of(DataType::Struct(fields.into()))
}

#[inline]
fn add(columns: &mut Columns, index: usize, column: Column, message: &impl Message) {
    let Some(cell) = columns.cell(index) else { return };
    match (column, &mut cell.values) {
        (Column::Topic, Values::Text(text)) => {
            text.data.extend_from_slice(message.topic().as_bytes());
            cell.end_bytes();
        }
        (Column::Partition, Values::Int32(values)) => {
            values.push(message.partition());
            cell.appended();
        }
        (Column::Offset, Values::Int64(values)) => {
            values.push(message.offset());
            cell.appended();
        }
        (Column::Timestamp, Values::Timestamp { values, .. }) => match message.timestamp().to_millis() {
            Some(millis) => {
                values.push(millis.saturating_mul(1000));
                cell.appended();
            }
            None => cell.push_null(),
        },
        _ => {}
    }
}

/// A message without headers has NULL there.
fn add_headers(columns: &mut Columns, index: usize, message: &impl Message) {
    let (Some(cell), Some(headers)) = (columns.cell(index), message.headers()) else { return };
    let Values::List { ends, items, .. } = &mut cell.values else { return };
    for header in headers.iter() {
        let Values::Struct(pair) = &mut items.values else { return };
        if let Some(key) = pair.cell(0) {
            key.push_bytes(header.key.as_bytes());
        }
        if let (Some(value), Some(bytes)) = (pair.cell(1), header.value) {
            value.push_bytes(bytes);
        }
        pair.end_row();
        items.appended();
    }
    ends.push(items.len() as i32);
    cell.appended();
}

/// Which offsets of which partitions became rows.
#[derive(Default)]
struct Seen {
    origin: Origin,
    run: Option<Run>,
}

/// Offsets in a row.
struct Run {
    of: Arc<str>,
    first: u64,
    count: usize,
    /// A bit for each, only if one of them is no row.
    kept: Option<Vec<bool>>,
}

impl Seen {
    #[inline]
    fn note(&mut self, of: &Arc<str>, offset: u64, kept: bool) {
        match &mut self.run {
            Some(run) if Arc::ptr_eq(&run.of, of) && offset.wrapping_sub(run.next()) <= GAP => {
                for _ in run.next()..offset {
                    run.push(false);
                }
                run.push(kept);
            }
            _ => {
                self.end_run();
                let mut run = Run { of: of.clone(), first: offset, count: 0, kept: None };
                run.push(kept);
                self.run = Some(run);
            }
        }
    }

    fn end_run(&mut self) {
        if let Some(run) = self.run.take() {
            self.origin = mem::take(&mut self.origin).then(run.origin());
        }
    }

    fn origin(mut self) -> Origin {
        self.end_run();
        self.origin
    }
}

impl Run {
    fn next(&self) -> u64 {
        self.first + self.count as u64
    }

    #[inline]
    fn push(&mut self, kept: bool) {
        if !kept {
            self.kept.get_or_insert_with(|| vec![true; self.count]);
        }
        if let Some(bits) = &mut self.kept {
            bits.push(kept);
        }
        self.count += 1;
    }

    fn origin(self) -> Origin {
        let all = Origin::at(Place::At { of: self.of, unit: "offset", first: self.first }, self.count);
        match self.kept {
            Some(kept) => all.keep(&kept.into()),
            None => all,
        }
    }
}
