//! An epoch's rows as calls.

use std::ops::Range;

use arrow_array::{RecordBatch, UInt32Array};
use arrow_schema::{Schema, SchemaRef};
use arrow_select::take::take_record_batch;

use super::key::order;
use crate::bindings::stateful::exports::streamhost::plugin::keyed::Groups;
use crate::{Result, ipc};

/// What a call is given.
pub(super) struct Call {
    /// A row for each key.
    pub(super) keys: RecordBatch,
    /// Which row of the epoch each row of the call is.
    pub(super) rows: Vec<u32>,
    pub(super) sent: Groups,
}

/// Some keys, each with the place of its rows among the sorted ones.
struct Part {
    groups: Vec<Range<usize>>,
    more: bool,
}

/// Sorts rows by their keys, and divides them into calls of so many rows at most.
pub(super) fn split(
    rows: &RecordBatch,
    keys: &Schema,
    columns: &SchemaRef,
    most: usize,
) -> Result<Vec<Call>> {
    let (keys, columns) = (project(rows, keys)?, project(rows, columns)?);
    let order = order(&keys)?;
    let mut sorted: Vec<u32> = (0..rows.num_rows() as u32).collect();
    sorted.sort_by(|a, b| order(*a as usize, *b as usize));
    let mut groups = Vec::new();
    for same in sorted.chunk_by(|a, b| order(*a as usize, *b as usize).is_eq()) {
        let start = groups.last().map_or(0, |group: &Range<usize>| group.end);
        groups.push(start..start + same.len());
    }
    parts(groups, most).into_iter().map(|part| call(&part, &sorted, &keys, &columns)).collect()
}

fn project(rows: &RecordBatch, columns: &Schema) -> Result<RecordBatch> {
    let places = columns.fields().iter().map(|field| rows.schema_ref().index_of(field.name()));
    Ok(rows.project(&places.collect::<Result<Vec<_>, _>>()?)?)
}

/// A key with more rows than a call has is alone in its calls.
fn parts(groups: Vec<Range<usize>>, most: usize) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut open = Part { groups: Vec::new(), more: false };
    for group in groups {
        let start = open.groups.first().map_or(group.start, |first| first.start);
        if group.end - start > most && !open.groups.is_empty() {
            parts.push(std::mem::replace(&mut open, Part { groups: Vec::new(), more: false }));
        }
        let mut rest = group;
        while rest.len() > most {
            let cut = rest.start + most;
            parts.push(Part { groups: std::iter::once(rest.start..cut).collect(), more: true });
            rest.start = cut;
        }
        let last_of_many = parts.last().is_some_and(|part: &Part| part.more) && open.groups.is_empty();
        open.groups.push(rest);
        if last_of_many {
            parts.push(std::mem::replace(&mut open, Part { groups: Vec::new(), more: false }));
        }
    }
    parts.extend((!open.groups.is_empty()).then_some(open));
    parts
}

fn call(part: &Part, sorted: &[u32], keys: &RecordBatch, columns: &RecordBatch) -> Result<Call> {
    let first = part.groups.first().map_or(0, |group| group.start);
    let end = part.groups.last().map_or(0, |group| group.end);
    let rows = sorted.get(first..end).unwrap_or_default().to_vec();
    let starts: Vec<u32> = part.groups.iter().map(|group| (group.start - first) as u32).collect();
    let heads = starts.iter().filter_map(|start| rows.get(*start as usize).copied());
    let keys = take_record_batch(keys, &UInt32Array::from_iter_values(heads))?;
    let taken = match columns.num_columns() {
        // Rows without columns are only counted.
        0 => columns.slice(0, rows.len()),
        _ => take_record_batch(columns, &UInt32Array::from(rows.clone()))?,
    };
    let mut sent = Groups { keys: Vec::new(), starts, rows: Vec::new(), more: part.more };
    ipc::encode(&keys, &mut sent.keys)?;
    ipc::encode(&taken, &mut sent.rows)?;
    Ok(Call { keys, rows, sent })
}
