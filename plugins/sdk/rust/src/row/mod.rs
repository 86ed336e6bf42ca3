//! Functions over rows: a struct for a row, read from columns and written to them.
//!
//! `#[derive(Row)]` makes both directions from the struct's fields. A field's name is the column's, its type the column's type:
//!
//! | field | column |
//! | --- | --- |
//! | `bool` | `BOOLEAN` |
//! | `i8`, `i16`, `i32`, `i64` | `TINYINT`, `SMALLINT`, `INT`, `BIGINT`; or, to read, narrower ones |
//! | `f32` | `FLOAT`; or, to read, `SMALLINT`, `TINYINT` |
//! | `f64` | `DOUBLE`; or, to read, `FLOAT`, `INT`, `SMALLINT`, `TINYINT` |
//! | `&str`, `String` | `STRING` |
//! | `&[u8]`, `Vec<u8>` | `BINARY` |
//! | [`Date`], [`Timestamp`] | `DATE`, `TIMESTAMP` |
//! | `Option` of one of them | the same, and nulls |
//!
//! A wider column is refused, as not each of its values has a place in the field. Other columns are for functions over batches.

mod drive;
mod field;
mod time;

pub use drive::{expand, filter, filter_map, map, read};
pub use field::{FieldType, ReadField, WriteField};
pub use time::{Date, Timestamp};

use arrow_array::RecordBatch;
use arrow_schema::{DataType, Field, Schema};

use crate::{Error, Result, ddl, schema};

/// A struct whose fields are columns. Made by `#[derive(Row)]`.
pub trait Row {
    /// The columns, in the order of the fields.
    fn fields() -> Vec<Field>;
}

/// A row that is read from a batch.
pub trait ReadRow<'a>: Row + Sized {
    /// The columns, opened.
    type Columns;

    /// Finds the columns and checks their types.
    ///
    /// # Errors
    /// If one is missing or has another type.
    fn columns(batch: &'a RecordBatch) -> Result<Self::Columns>;

    /// Reads one row.
    ///
    /// # Errors
    /// If a column is null whose field is no `Option`.
    fn read(columns: &Self::Columns, row: usize) -> Result<Self>;

    /// Whether the columns have just this row there.
    fn stands(&self, columns: &Self::Columns, row: usize) -> bool;
}

/// A row of which nothing is read: where only the number of rows matters.
impl Row for () {
    fn fields() -> Vec<Field> {
        Vec::new()
    }
}

impl<'a> ReadRow<'a> for () {
    type Columns = ();

    fn columns(_: &'a RecordBatch) -> Result<()> {
        Ok(())
    }

    fn read((): &(), _: usize) -> Result<()> {
        Ok(())
    }

    fn stands(&self, (): &(), _: usize) -> bool {
        true
    }
}

/// A row that is written to a batch.
pub trait WriteRow: Row {
    /// A builder for each column.
    type Builders: Default;

    /// Adds the row.
    fn write(self, builders: &mut Self::Builders);

    /// Adds a row of nulls, in place of one in error.
    fn write_null(builders: &mut Self::Builders);

    /// The rows added so far, as columns in the order of the fields.
    ///
    /// # Errors
    /// None for builders that were filled by `write` alone.
    fn finish(builders: Self::Builders) -> Result<RecordBatch>;
}

/// The names of a row's columns, which the plugin reads.
pub fn names<R: Row>() -> Vec<String> {
    R::fields().iter().map(|field| field.name().clone()).collect()
}

/// The columns of both, which have as many rows.
pub(crate) fn beside(one: &RecordBatch, other: &RecordBatch) -> Result<RecordBatch> {
    let fields = one.schema_ref().fields().iter().chain(other.schema_ref().fields()).cloned();
    let columns = one.columns().iter().chain(other.columns()).cloned();
    let schema = Schema::new(fields.collect::<Vec<_>>());
    Ok(RecordBatch::try_new(schema.into(), columns.collect())?)
}

/// Opens the column of a field.
///
/// # Errors
/// If it is missing or has another type.
pub fn column<'a, F: ReadField<'a>>(batch: &'a RecordBatch, name: &str) -> Result<F::Column> {
    let Some(array) = batch.column_by_name(name) else {
        return Err(schema::missing_column(name, batch.schema_ref()));
    };
    F::open(array.as_ref()).ok_or_else(|| mismatch(name, array.data_type(), &F::data_type()))
}

fn mismatch(name: &str, found: &DataType, wanted: &DataType) -> Error {
    let (has, wants) = (ddl::type_name(found), ddl::type_name(wanted));
    let remedy = match found.is_numeric() && wanted.is_numeric() {
        true => format!(", which not every {has} is; cast the column before this step"),
        false => String::new(),
    };
    Error::invalid(format!("column `{name}` has type {has}, and the plugin reads {wants}{remedy}"))
}

/// Reads a field of a row.
///
/// # Errors
/// If it is null and the field is no `Option`.
pub fn value<'a, F: ReadField<'a>>(column: &F::Column, row: usize, name: &str) -> Result<F> {
    F::get(column, row).ok_or_else(|| Error::permanent(format!("`{name}` is null")))
}
