//! What a plugin keeps by key, as rows: one a value, or a timer.

use super::{Columns, Entry, TableLayout, side, torn};
use crate::{
    Result,
    keyed::{Named, TimerClock, items, named, times},
};
use arrow::{
    array::{ArrayRef, StringArray, TimestampMicrosecondArray},
    datatypes::FieldRef,
};
use std::sync::Arc;

/// One row in the making.
struct Row<'s> {
    entry: u32,
    key: &'s [u8],
    of: &'s str,
    /// Of a timer.
    at: Option<i64>,
    second: &'s [u8],
    value: &'s [u8],
}

/// Adds the columns: `of`, the table's name or the timer's clock; those of the key; `at`, of a timer; and for each table its second
/// key and its value as a struct, NULL where a row is of another. Answers the entry that each row is of.
pub(super) fn decode(
    key: &[FieldRef],
    tables: &[TableLayout],
    all: &[Entry<'_>],
    columns: &mut Columns,
) -> Result<Vec<u32>> {
    let mut rows = Vec::new();
    for (entry, Entry { key, value }) in (0..).zip(all) {
        match named(key)? {
            Named::Timers(clock, key) => {
                let of = match clock {
                    TimerClock::EventTime => "event-time timer",
                    TimerClock::ProcessingTime => "processing-time timer",
                };
                let row = |at| Row { entry, key, of, at: Some(at), second: &[], value: &[] };
                rows.extend(times(value)?.into_iter().map(row));
            }
            Named::Table(name, key) => {
                let table = tables.iter().find(|table| table.name == name).ok_or_else(torn)?;
                let row = |second, value| Row { entry, key, of: name, at: None, second, value };
                match table.single {
                    true => rows.push(row(&[], value)),
                    false => rows.extend(items(value)?.into_iter().map(|item| row(item.second, item.value))),
                }
            }
        }
    }
    columns.push("of", Arc::new(rows.iter().map(|row| Some(row.of)).collect::<StringArray>()));
    columns.decode(key, rows.iter().map(|row| row.key))?;
    let at: TimestampMicrosecondArray = rows.iter().map(|row| row.at).collect();
    columns.push("at", Arc::new(at.with_timezone("UTC")));
    for table in tables {
        if !table.second.is_empty() {
            columns.push(&format!("{}_key", table.name), of(table, &table.second, &rows, |row| row.second)?);
        }
        columns.push(&table.name, of(table, &table.value, &rows, |row| row.value)?);
    }
    Ok(rows.iter().map(|row| row.entry).collect())
}

/// What the rows of one table have in these columns.
fn of<'s>(
    table: &TableLayout,
    fields: &[FieldRef],
    rows: &[Row<'s>],
    part: impl Fn(&Row<'s>) -> &'s [u8],
) -> Result<ArrayRef> {
    side(
        fields,
        rows.iter().map(|row| (row.at.is_none() && row.of == table.name).then(|| part(row))).collect(),
    )
}
