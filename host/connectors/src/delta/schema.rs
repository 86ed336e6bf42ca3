//! Columns of a table and columns of rows.

use super::protocol::Description;
use crate::formats::{ddl, parquet::decode::known_type};
use arrow::{
    array::{ArrayRef, RecordBatch, RecordBatchOptions},
    compute::{CastOptions, cast_with_options},
    datatypes::{DataType, Field, FieldRef, Schema, SchemaRef},
};
use deltalake_core::{
    StructType,
    kernel::engine::arrow_conversion::{TryIntoArrow, TryIntoKernel},
};
use engine::{Error, Kind, Result, ResultExt};
use std::sync::Arc;

/// The columns of a table, in the types that the engine has for them; each may be NULL.
pub(crate) fn columns(table: &Description) -> Result<Schema> {
    let stored = stored(&parse(&table.schema_string)?)?;
    let field = |f: &FieldRef| Field::new(f.name(), known_type(f.data_type()), true);
    Ok(Schema::new(stored.fields().iter().map(field).collect::<Vec<_>>()))
}

/// A table's columns from its log.
pub(crate) fn parse(schema_string: &str) -> Result<StructType> {
    serde_json::from_str(schema_string).doing(Kind::Data, || "the columns of a Delta table")
}

/// The columns as files of a table have them.
pub(super) fn stored(table: &StructType) -> Result<Schema> {
    table.try_into_arrow().doing(Kind::Data, || "the columns of a Delta table")
}

/// The columns of a new table for these rows. [`Kind::Invalid`] if Delta has no type for one.
pub(crate) fn of_rows(rows: &Schema) -> Result<StructType> {
    let nullable = rows.fields().iter().map(|f| f.as_ref().clone().with_nullable(true));
    let nullable = Schema::new(nullable.collect::<Vec<_>>());
    for field in nullable.fields() {
        let alone: Result<StructType, _> = (&Schema::new(vec![field.clone()])).try_into_kernel();
        alone.doing(Kind::Invalid, || {
            let of = ddl::print_type(field.data_type());
            format!("column {} is {of}, for which Delta has no type; cast it", field.name())
        })?;
    }
    (&nullable).try_into_kernel().doing(Kind::Invalid, || "the columns as a Delta table")
}

/// Whether `all` has every column of `some`, in the same type.
pub(crate) fn has_all(all: &Schema, some: &Schema) -> bool {
    let has = |field: &FieldRef| {
        find(all, field.name()).is_some_and(|at| all.field(at).data_type() == field.data_type())
    };
    some.fields().iter().all(has)
}

/// How rows fit into a table.
#[derive(Clone, Debug)]
pub(crate) struct Fit {
    /// The columns that are written, in the table's order, spelling and types.
    pub(crate) written: SchemaRef,
    /// For each of them, which of the rows' it is.
    from: Vec<usize>,
    /// The table's columns with those that the rows have beyond them, if there are any.
    pub(crate) evolved: Option<StructType>,
}

impl Fit {
    /// [`Kind::Invalid`] if the rows have a column that the table does not have or has otherwise, or lack one that may not be
    /// NULL.
    pub(crate) fn new(table: &StructType, rows: &Schema, merge: bool) -> Result<Fit> {
        let stored_now = stored(table)?;
        let is_new = |i: &usize| find(&stored_now, rows.field(*i).name()).is_none();
        let new: Vec<usize> = (0..rows.fields().len()).filter(is_new).collect();
        let mut evolved = None;
        if !new.is_empty() {
            let new = rows.project(&new).doing(Kind::Internal, || "new columns")?;
            if !merge {
                return Err(more_columns(&stored_now, &new));
            }
            let new = of_rows(&new)?;
            let fields = table.fields().cloned().chain(new.fields().cloned());
            evolved = Some(StructType::try_new(fields).doing(Kind::Internal, || "more columns")?);
        }
        let stored = evolved.as_ref().map_or(Ok(stored_now), stored)?;
        let mut written = Vec::new();
        let mut from = Vec::new();
        for field in stored.fields() {
            match find(rows, field.name()) {
                Some(at) => {
                    fits(rows.field(at), field)?;
                    written.push(field.clone());
                    from.push(at);
                }
                None if field.is_nullable() => {}
                None => return Err(lacks(field)),
            }
        }
        Ok(Fit { written: Arc::new(Schema::new(written)), from, evolved })
    }

    /// The rows as the table has them.
    pub(crate) fn arrange(&self, rows: &RecordBatch) -> Result<RecordBatch> {
        let exact = CastOptions { safe: false, ..CastOptions::default() };
        let column = |(at, field): (&usize, &FieldRef)| -> Result<ArrayRef> {
            let column = rows.column(*at);
            if column.data_type() == field.data_type() {
                return Ok(column.clone());
            }
            cast_with_options(column, field.data_type(), &exact)
                .doing(Kind::Data, || format!("column {} for a Delta table", field.name()))
        };
        let columns = self.from.iter().zip(self.written.fields()).map(column).collect::<Result<_>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
        RecordBatch::try_new_with_options(self.written.clone(), columns, &options).doing(Kind::Data, || {
            "a row has NULL in a column that is NOT NULL in the Delta table; filter such rows, or fill them in"
        })
    }
}

fn find(schema: &Schema, name: &str) -> Option<usize> {
    schema.fields().iter().position(|f| f.name().eq_ignore_ascii_case(name))
}

/// Whether values can be stored as they are, or widened.
fn fits(rows: &Field, table: &Field) -> Result<()> {
    let (rows_type, table_type) = (known_type(rows.data_type()), known_type(table.data_type()));
    if rows_type == table_type || widens(&rows_type, &table_type) {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "column {} is {}, but {} in the Delta table; cast it, or write to another table",
        rows.name(),
        ddl::print_type(&rows_type),
        ddl::print_type(&table_type)
    )))
}

fn widens(from: &DataType, to: &DataType) -> bool {
    use DataType::{Float32, Float64, Int8, Int16, Int32, Int64};
    let rank = |of: &DataType| match of {
        Int8 => Some(1),
        Int16 => Some(2),
        Int32 => Some(3),
        Int64 => Some(4),
        _ => None,
    };
    match (from, to) {
        (Float32, Float64) => true,
        (from, to) => rank(from).zip(rank(to)).is_some_and(|(from, to)| from < to),
    }
}

fn more_columns(table: &Schema, new: &Schema) -> Error {
    Error::invalid(format!(
        "the Delta table has no column {}; its columns are {}; set merge-schema = true to add them, or leave them out",
        new.fields().iter().map(|f| f.name().as_str()).collect::<Vec<_>>().join(", "),
        ddl::print(table)
    ))
}

fn lacks(field: &Field) -> Error {
    Error::invalid(format!(
        "column {} is NOT NULL in the Delta table, and the rows do not have it; add it",
        field.name()
    ))
}
