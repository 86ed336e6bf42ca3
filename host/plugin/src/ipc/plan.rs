use arrow::{
    array::{ArrayRef, RecordBatch},
    compute::{CastOptions, can_cast_types, cast_with_options},
    datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef},
};
use engine::{Error, Kind, Result, ResultExt};
use std::sync::Arc;

/// Which columns of a batch a guest sees, and as what.
///
/// | the host has | the guest sees |
/// | --- | --- |
/// | dictionary, run-end encoded | its values |
/// | string and binary views, large strings and binaries | strings and binaries |
/// | large lists, list views | lists |
/// | 32- and 64-bit decimals | 128-bit decimals |
/// | union, and what has a fixed size of 0 | refused |
///
/// Everything else crosses as it is, at any depth. Metadata of schema and fields stays with the host.
pub(super) struct Plan {
    guest: SchemaRef,
    columns: Vec<Column>,
}

struct Column {
    index: usize,
    host: DataType,
    /// What to cast to; none if guest and host agree.
    cast: Option<DataType>,
}

impl Plan {
    /// A plan for columns `indices` of `input`, in that order.
    pub(super) fn new(input: &Schema, indices: impl Iterator<Item = usize>) -> Result<Self> {
        let mut fields = Vec::new();
        let mut columns = Vec::new();
        for index in indices {
            let Some(field) = input.fields().get(index) else {
                return Err(Error::internal(format!("there is no column {index} to encode for a plugin")));
            };
            let (seen, column) = column(index, field)?;
            fields.push(seen);
            columns.push(column);
        }
        Ok(Plan { guest: Arc::new(Schema::new(fields)), columns })
    }

    /// What the guest sees.
    pub(super) fn guest(&self) -> &SchemaRef {
        &self.guest
    }

    /// The columns of `batch` that the guest sees, cast where needed.
    pub(super) fn arrays<'a>(&'a self, batch: &'a RecordBatch) -> impl Iterator<Item = Result<Seen<'a>>> {
        self.columns.iter().map(|column| column.of(batch))
    }
}

/// A column as the guest sees it.
pub(super) enum Seen<'a> {
    /// It crosses as it is.
    AsIs(&'a ArrayRef),
    /// It had to be cast.
    Cast(ArrayRef),
}

impl Seen<'_> {
    pub(super) fn array(&self) -> &ArrayRef {
        match self {
            Seen::AsIs(array) => array,
            Seen::Cast(array) => array,
        }
    }
}

impl Column {
    fn of<'a>(&self, batch: &'a RecordBatch) -> Result<Seen<'a>> {
        let Some(array) = batch.columns().get(self.index).filter(|a| *a.data_type() == self.host) else {
            return Err(self.differs(batch));
        };
        match &self.cast {
            None => Ok(Seen::AsIs(array)),
            Some(to) => cast(array, to).map(Seen::Cast),
        }
    }

    fn differs(&self, batch: &RecordBatch) -> Error {
        Error::internal(format!(
            "a batch for a plugin has not the schema that the plugin was bound to: column {} is to be {}, the batch has {}",
            self.index,
            self.host,
            batch.schema()
        ))
    }
}

fn cast(array: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    // A value that does not fit is an error, not a null.
    let strict = CastOptions { safe: false, ..CastOptions::default() };
    cast_with_options(array, to, &strict).doing(Kind::Data, || {
        format!("casting {} to {to} for a plugin; smaller batches may fit", array.data_type())
    })
}

fn column(index: usize, field: &Field) -> Result<(Field, Column)> {
    let host = field.data_type().clone();
    let guest = guest_type(&host).filter(|guest| *guest == host || can_cast_types(&host, guest));
    let Some(guest) = guest else {
        return Err(Error::invalid(format!(
            "column `{}` is {host}, which no plugin can take; cast it in a `sql` step before, or leave it out of the columns that the plugin reads",
            field.name()
        )));
    };
    let cast = (guest != host).then(|| guest.clone());
    Ok((Field::new(field.name(), guest, field.is_nullable()), Column { index, host, cast }))
}

/// What a guest sees of a column of type `host`; none if it cannot see it at all.
fn guest_type(host: &DataType) -> Option<DataType> {
    Some(match host {
        DataType::Union(..) | DataType::FixedSizeBinary(0) | DataType::FixedSizeList(_, 0) => return None,
        DataType::Dictionary(_, values) => guest_type(values)?,
        DataType::RunEndEncoded(_, values) => guest_type(values.data_type())?,
        DataType::Utf8View | DataType::LargeUtf8 => DataType::Utf8,
        DataType::BinaryView | DataType::LargeBinary => DataType::Binary,
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item) => DataType::List(guest_field(item)?),
        DataType::FixedSizeList(item, size) => DataType::FixedSizeList(guest_field(item)?, *size),
        DataType::Struct(fields) => {
            DataType::Struct(fields.iter().map(guest_field).collect::<Option<Fields>>()?)
        }
        DataType::Map(entries, sorted) => DataType::Map(guest_field(entries)?, *sorted),
        DataType::Decimal32(precision, scale) | DataType::Decimal64(precision, scale) => {
            DataType::Decimal128(*precision, *scale)
        }
        other => other.clone(),
    })
}

fn guest_field(field: &FieldRef) -> Option<FieldRef> {
    Some(Arc::new(Field::new(field.name(), guest_type(field.data_type())?, field.is_nullable())))
}
