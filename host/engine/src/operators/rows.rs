//! Columns as bytes and back: keys and values of state.

use crate::{Error, Kind, Result, ResultExt};
use arrow::{
    array::{Array, ArrayRef, AsArray, Float32Array, Float64Array, ListArray, StructArray},
    datatypes::{DataType, Float32Type, Float64Type, Schema},
    row::{RowConverter, Rows, SortField},
};
use std::sync::Arc;

/// Turns rows of certain columns into bytes: equal rows into equal bytes.
pub struct Codec {
    converter: RowConverter,
}

impl Codec {
    /// Of kind [`Invalid`](Kind::Invalid) if a column is of a type that cannot be one of them.
    pub fn new<'a>(types: impl IntoIterator<Item = &'a DataType>) -> Result<Self> {
        let fields = types.into_iter().map(|of| SortField::new(of.clone())).collect();
        let converter = RowConverter::new(fields);
        Ok(Codec {
            converter: converter
                .doing(Kind::Invalid, || "a column of this type can be no key and no part of state")?,
        })
    }

    /// Rows as bytes.
    pub fn encode(&self, columns: &[ArrayRef]) -> Result<Rows> {
        self.converter.convert_columns(columns).doing(Kind::Internal, || "columns of state as bytes")
    }

    /// The columns of rows that [`Codec::encode`] made, maybe in an earlier process.
    pub fn decode<'a>(&self, rows: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<ArrayRef>> {
        let parser = self.converter.parser();
        let rows = rows.into_iter().map(|bytes| parser.parse(bytes));
        self.converter.convert_rows(rows).doing(Kind::Internal, || "columns of state from bytes")
    }
}

/// The column as a key: every NaN is one, and so are 0.0 and -0.0, also within structs and lists.
pub(crate) fn as_key(column: ArrayRef) -> Result<ArrayRef> {
    let doing = || "a key of floats";
    Ok(match column.data_type() {
        DataType::Float64 => {
            let floats: Float64Array = column.as_primitive::<Float64Type>().unary(|f: f64| match f {
                f if f.is_nan() => f64::NAN,
                f => f + 0.0,
            });
            Arc::new(floats)
        }
        DataType::Float32 => {
            let floats: Float32Array = column.as_primitive::<Float32Type>().unary(|f: f32| match f {
                f if f.is_nan() => f32::NAN,
                f => f + 0.0,
            });
            Arc::new(floats)
        }
        of if !has_floats(of) => column,
        DataType::Struct(_) => {
            let (fields, parts, nulls) = column.as_struct().clone().into_parts();
            let parts = parts.into_iter().map(as_key).collect::<Result<_>>()?;
            Arc::new(StructArray::try_new(fields, parts, nulls).doing(Kind::Internal, doing)?)
        }
        DataType::List(_) => {
            let (item, offsets, values, nulls) = column.as_list::<i32>().clone().into_parts();
            let list = ListArray::try_new(item, offsets, as_key(values)?, nulls);
            Arc::new(list.doing(Kind::Internal, doing)?)
        }
        _ => column,
    })
}

fn has_floats(of: &DataType) -> bool {
    match of {
        DataType::Float64 | DataType::Float32 => true,
        DataType::Struct(fields) => fields.iter().any(|field| has_floats(field.data_type())),
        DataType::List(item) => has_floats(item.data_type()),
        _ => false,
    }
}

/// The index of the column of this name, whose case does not matter.
pub(crate) fn column(schema: &Schema, name: &str) -> Result<usize> {
    let found = schema.fields().iter().position(|field| field.name().eq_ignore_ascii_case(name));
    found.ok_or_else(|| {
        let there: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        Error::invalid(format!("there is no column `{name}`; there are: {}", there.join(", ")))
    })
}
