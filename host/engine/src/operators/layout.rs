//! What the entries of a step's state are, so that people can read them without the step.

mod tables;

use super::{
    rows::Codec,
    session::spans::{self, Stored},
    stream_join::{Which, store},
};
use crate::{
    Error, Kind, Result, ResultExt,
    sql::{Expression, Rows},
};
use arrow::{
    array::{
        ArrayRef, BooleanArray, RecordBatch, StringArray, StructArray, TimestampMicrosecondArray,
        UInt32Array, UInt64Array,
    },
    buffer::NullBuffer,
    compute::take,
    datatypes::{DataType, Field, FieldRef, Fields, Schema, TimeUnit},
};
use serde::{Deserialize, Serialize};
use std::{collections::HashSet, sync::Arc};

/// What the entries of a step's state are. Stored beside them when there are the first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Layout {
    /// Whether each entry begins with the watermark, 8 bytes of microseconds, at which it is looked at again.
    pub timed: bool,
    /// What an entry is.
    pub entries: Entries,
}

/// What an entry is. Columns are bytes as arrow's row format has them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Entries {
    /// The columns of a key, and what is known of it.
    Keys {
        /// Of the key.
        key: Vec<FieldRef>,
        /// Of the value; the value is empty if there are none.
        value: Vec<FieldRef>,
    },
    /// The columns of a key, and its sessions.
    Sessions {
        /// Of the key.
        key: Vec<FieldRef>,
        /// Of a session's state.
        value: Vec<FieldRef>,
    },
    /// A row of one side of a join, under the columns that it is joined by.
    Joined {
        /// Of what it is joined by.
        key: Vec<FieldRef>,
        /// Of a row of the left.
        left: Vec<FieldRef>,
        /// Of a row of the right.
        right: Vec<FieldRef>,
    },
    /// What a plugin keeps of a key in its tables, and its timers.
    Tables {
        /// Of the key.
        key: Vec<FieldRef>,
        /// The tables.
        tables: Vec<TableLayout>,
    },
    /// A number of rows, 8 bytes.
    Count,
    /// There are none.
    Nothing,
}

/// A table of a plugin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TableLayout {
    /// Its name.
    pub name: String,
    /// Whether it has one value a key, which is not within items.
    pub single: bool,
    /// Of the second key.
    pub second: Vec<FieldRef>,
    /// Of a value.
    pub value: Vec<FieldRef>,
}

/// An instant, as columns have it.
pub(crate) fn instant() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// A column that may be NULL.
pub(crate) fn column(name: impl Into<String>, of: &DataType) -> FieldRef {
    Arc::new(Field::new(name, of.clone(), true))
}

/// A column of what an expression comes to, which is called as the expression, or as the column that it is.
pub(crate) fn column_of(expression: &Expression) -> FieldRef {
    let text = expression.text();
    let is_name = text.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '.');
    let name = text.rsplit('.').next().filter(|_| is_name).unwrap_or(text);
    column(name, expression.data_type())
}

/// Columns of a table in the making.
#[derive(Default)]
struct Columns {
    fields: Vec<FieldRef>,
    columns: Vec<ArrayRef>,
}

impl Columns {
    fn push(&mut self, name: &str, column: ArrayRef) {
        self.fields.push(self::column(name, column.data_type()));
        self.columns.push(column);
    }

    fn decode<'b>(&mut self, fields: &[FieldRef], rows: impl IntoIterator<Item = &'b [u8]>) -> Result<()> {
        if !fields.is_empty() {
            let decoded = Codec::new(fields.iter().map(|f| f.data_type()))?.decode(rows)?;
            self.fields.extend(fields.iter().cloned());
            self.columns.extend(decoded);
        }
        Ok(())
    }

    /// The table. Of columns of one name the later ones get a number.
    fn table(self) -> Result<Rows> {
        let mut taken = HashSet::new();
        let distinct = |field: FieldRef| {
            let mut name = field.name().clone();
            let mut number = 1;
            while !taken.insert(name.to_lowercase()) {
                number += 1;
                name = format!("{}_{number}", field.name());
            }
            // What a column means to a step is of no concern here.
            Arc::new(Field::new(name, field.data_type().clone(), true))
        };
        let fields: Vec<FieldRef> = self.fields.into_iter().map(distinct).collect();
        let schema = Arc::new(Schema::new(fields));
        let rows = RecordBatch::try_new(schema.clone(), self.columns);
        Ok(Rows { schema, batches: vec![rows.doing(Kind::Internal, || "state as a table")?] })
    }
}

/// An entry without its time.
struct Entry<'s> {
    key: &'s [u8],
    value: &'s [u8],
}

impl Layout {
    pub(crate) fn new(timed: bool, entries: Entries) -> Layout {
        Layout { timed, entries }
    }

    /// The entries as a table. A column `leaves_at` is added where they have a time: the watermark that makes an entry leave.
    pub fn table<'s>(&self, entries: impl IntoIterator<Item = (&'s [u8], &'s [u8])>) -> Result<Rows> {
        let mut all = Vec::new();
        let mut times = Vec::new();
        for (key, value) in entries {
            let value = match self.timed {
                true => {
                    let (time, value) = value.split_first_chunk().ok_or_else(torn)?;
                    let time = i64::from_le_bytes(*time);
                    times.push((time != i64::MAX).then_some(time));
                    value
                }
                false => value,
            };
            all.push(Entry { key, value });
        }
        let mut columns = Columns::default();
        let of_entry = self.entries.decode(&all, &mut columns)?;
        if self.timed {
            let times: ArrayRef = Arc::new(TimestampMicrosecondArray::from(times).with_timezone("UTC"));
            let times = take(&times, &UInt32Array::from(of_entry), None);
            columns.push("leaves_at", times.doing(Kind::Internal, || "state as a table")?);
        }
        columns.table()
    }
}

impl Entries {
    /// Adds the columns, and answers the entry that each row is of.
    fn decode(&self, all: &[Entry<'_>], columns: &mut Columns) -> Result<Vec<u32>> {
        match self {
            Entries::Keys { key, value } => {
                columns.decode(key, all.iter().map(|entry| entry.key))?;
                columns.decode(value, all.iter().map(|entry| entry.value))?;
            }
            Entries::Sessions { key, value } => return sessions(key, value, all, columns),
            Entries::Joined { key, left, right } => joined(key, [left, right], all, columns)?,
            Entries::Tables { key, tables } => return tables::decode(key, tables, all, columns),
            Entries::Count => {
                let count =
                    |entry: &Entry<'_>| entry.value.try_into().map(u64::from_le_bytes).map_err(|_| torn());
                let counts = all.iter().map(count).collect::<Result<Vec<u64>>>()?;
                columns.push("rows", Arc::new(UInt64Array::from(counts)));
            }
            Entries::Nothing => {}
        }
        Ok((0..all.len() as u32).collect())
    }
}

/// A row a session.
fn sessions(
    key: &[FieldRef],
    value: &[FieldRef],
    all: &[Entry<'_>],
    columns: &mut Columns,
) -> Result<Vec<u32>> {
    let mut of_entry = Vec::new();
    let (mut keys, mut states, mut starts, mut ends) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (at, entry) in (0..).zip(all) {
        for Stored { span, state } in spans::stored(entry.value)? {
            of_entry.push(at);
            keys.push(entry.key);
            states.push(state);
            starts.push(span.start);
            ends.push(span.end);
        }
    }
    columns.decode(key, keys)?;
    columns.push("start", Arc::new(TimestampMicrosecondArray::from(starts).with_timezone("UTC")));
    columns.push("end", Arc::new(TimestampMicrosecondArray::from(ends).with_timezone("UTC")));
    columns.decode(value, states)?;
    Ok(of_entry)
}

/// A row a row of either side.
fn joined(
    key: &[FieldRef],
    sides: [&Vec<FieldRef>; 2],
    all: &[Entry<'_>],
    columns: &mut Columns,
) -> Result<()> {
    let mut rows = Vec::with_capacity(all.len());
    for entry in all {
        let (which, key, index) = store::parts(entry.key)?;
        let (matched, row) = store::value_of(entry.value, index)?;
        rows.push((which, key, matched, row));
    }
    let sides_of = rows.iter().map(|(which, ..)| Some(if *which == Which::Left { "left" } else { "right" }));
    columns.push("side", Arc::new(sides_of.collect::<StringArray>()));
    columns.decode(key, rows.iter().map(|(_, key, ..)| *key))?;
    columns.push(
        "matched",
        Arc::new(rows.iter().map(|(.., matched, _)| Some(*matched)).collect::<BooleanArray>()),
    );
    let [left, right] = sides;
    for (name, which, fields) in [("left", Which::Left, left), ("right", Which::Right, right)] {
        let of = rows.iter().map(|(side, .., row)| (*side == which).then_some(*row));
        columns.push(name, side(fields, of.collect())?);
    }
    Ok(())
}

/// Rows of one side as structs; NULL where a row is the other side's.
fn side(fields: &[FieldRef], rows: Vec<Option<&[u8]>>) -> Result<ArrayRef> {
    let mut own = 0;
    let place = rows.iter().map(|row| {
        row.map(|_| {
            own += 1;
            own - 1
        })
    });
    let place: UInt32Array = place.collect();
    let doing = || "rows of a join as a table";
    let decoded = Codec::new(fields.iter().map(|f| f.data_type()))?.decode(rows.iter().flatten().copied())?;
    let spread = decoded.iter().map(|column| take(column, &place, None)).collect::<Result<Vec<_>, _>>();
    let there = NullBuffer::from(rows.iter().map(Option::is_some).collect::<Vec<bool>>());
    let fields: Fields = fields.iter().map(|f| column(f.name(), f.data_type())).collect();
    let rows = StructArray::try_new(fields, spread.doing(Kind::Internal, doing)?, Some(there));
    Ok(Arc::new(rows.doing(Kind::Internal, doing)?))
}

fn torn() -> Error {
    Error::internal("an entry of state is cut off")
}
