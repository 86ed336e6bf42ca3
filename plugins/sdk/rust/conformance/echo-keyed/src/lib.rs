//! Keeps rows in tables of every kind, and puts out what they had before.

use std::sync::Arc;

use streamhost::arrow::array::StringArray;
use streamhost::arrow::compute::{concat_batches, take_rows};
use streamhost::arrow::datatypes::{DataType, Field, Schema};
use streamhost::keyed::{Before, Entries, Groups, Input, Keyed, Output, Plan, State, Table};
use streamhost::prelude::*;
use streamhost::{Manifest, NoConfig};

/// The plugin.
pub enum Echo {}

impl Keyed for Echo {
    const MANIFEST: Manifest = Manifest {
        name: env!("CARGO_PKG_NAME"),
        version: env!("CARGO_PKG_VERSION"),
        summary: env!("CARGO_PKG_DESCRIPTION"),
        deterministic: true,
        asks: &[],
    };
    type Config = NoConfig;

    fn reads(_: &NoConfig) -> Option<Vec<String>> {
        Some(vec!["place".into(), "value".into()])
    }

    fn plan(_: &NoConfig, input: &Input) -> Result<Plan> {
        let columns = |names: &[usize]| input.rows.project(names).map_err(Error::invalid);
        let tables = vec![
            Table::value("last", columns(&[0, 1])?),
            Table::sequence("all", columns(&[0, 1])?),
            Table::mapping("by", columns(&[0])?, columns(&[1])?),
        ];
        Ok(Plan { tables, ..Plan::of(told(&input.rows)) })
    }

    fn process(
        _: &NoConfig,
        _: &Context,
        groups: &Groups,
        state: &State<'_>,
        _: &mut RowErrors,
    ) -> Result<Output> {
        let (last, all, by) = (state.open("last")?, state.open("all")?, state.open("by")?);
        let schema = Arc::new(told(groups.rows().schema_ref()));
        let of = [("last", last.get()?), ("all", all.get()?), ("by", by.get()?)];
        let before = of.iter().map(|(table, entries)| rows_of(table, entries, &schema));
        let before = concat_batches(&schema, &before.collect::<Result<Vec<_>>>()?)?;

        let keys = 0..groups.len() as u32;
        let lasts: Vec<u32> = keys.clone().map(|key| groups.range(key as usize).end as u32 - 1).collect();
        last.put(&keys.clone().collect::<Vec<_>>(), &picked(groups.rows(), &lasts)?)?;
        let of_rows = keys.flat_map(|key| groups.range(key as usize).map(move |_| key));
        let (of_rows, rows) = (of_rows.collect::<Vec<_>>(), whole(groups.rows())?);
        all.append(&of_rows, &rows)?;
        by.put(&of_rows, &rows)?;
        Ok(before.into())
    }

    fn migrate(_: &NoConfig, before: &Before) -> Result<RecordBatch> {
        whole(before.entries())
    }
}

streamhost::keyed::export!(Echo);

/// The columns that leave: the table, and what is kept of a row.
fn told(rows: &Schema) -> Schema {
    let table = Arc::new(Field::new("table", DataType::Utf8, true));
    Schema::new([table].into_iter().chain(rows.fields().iter().cloned()).collect::<Vec<_>>())
}

fn rows_of(table: &str, entries: &Entries, schema: &Arc<Schema>) -> Result<RecordBatch> {
    let names = StringArray::from(vec![table; entries.keys().len()]);
    let kept = entries.second().columns().iter().chain(entries.values().columns()).cloned();
    let columns = [Arc::new(names) as ArrayRef].into_iter().chain(kept);
    Ok(RecordBatch::try_new(schema.clone(), columns.collect())?)
}

/// All rows, of columns that are made anew.
fn whole(rows: &RecordBatch) -> Result<RecordBatch> {
    picked(rows, &(0..rows.num_rows() as u32).collect::<Vec<_>>())
}

fn picked(rows: &RecordBatch, picked: &[u32]) -> Result<RecordBatch> {
    let columns = rows.columns().iter().map(|column| take_rows(column, picked));
    Ok(RecordBatch::try_new(rows.schema(), columns.collect::<Result<_>>()?)?)
}
