//! The columns of a batch, as few kinds of values.

use super::database::Value;
use crate::formats::{
    encode::{EncodeRows, JsonOutput, cell},
    json::encode::JsonRows,
};
use arrow::{
    array::{Array, ArrayRef, AsArray, RecordBatch, StringArray},
    compute::cast,
    datatypes::{
        DataType, Date32Type, Decimal128Type, Field, Float32Type, Float64Type, Int64Type, Schema, TimeUnit,
        TimestampMicrosecondType,
    },
};
use engine::{Error, Result};
use jiff::tz::TimeZone;
use std::sync::Arc;

/// What databases tell apart. Each type of a pipeline is one of these, in the Arrow type that is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Boolean.
    Boolean,
    /// Int64, of values that need this many bits.
    Integer(u8),
    /// Float32.
    Float32,
    /// Float64.
    Float64,
    /// Decimal128.
    Decimal(u8, i8),
    /// Utf8.
    Text,
    /// Binary.
    Bytes,
    /// Date32.
    Date,
    /// Microseconds in UTC.
    Instant,
    /// Microseconds of a clock on the wall.
    Wall,
    /// Utf8: arrays, maps and structs.
    Json,
}

impl Kind {
    /// The kind of a type; none for one that pipelines do not have.
    pub(crate) fn of(data_type: &DataType) -> Option<Self> {
        Some(match data_type {
            DataType::Boolean => Kind::Boolean,
            DataType::Int8 => Kind::Integer(8),
            DataType::Int16 | DataType::UInt8 => Kind::Integer(16),
            DataType::Int32 | DataType::UInt16 => Kind::Integer(32),
            DataType::Int64 | DataType::UInt32 => Kind::Integer(64),
            DataType::UInt64 => Kind::Decimal(20, 0),
            DataType::Float16 | DataType::Float32 => Kind::Float32,
            DataType::Float64 => Kind::Float64,
            DataType::Decimal32(p, s) | DataType::Decimal64(p, s) | DataType::Decimal128(p, s) => {
                Kind::Decimal(*p, *s)
            }
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null => Kind::Text,
            DataType::Binary
            | DataType::LargeBinary
            | DataType::BinaryView
            | DataType::FixedSizeBinary(_) => Kind::Bytes,
            DataType::Date32 | DataType::Date64 => Kind::Date,
            DataType::Timestamp(_, Some(_)) => Kind::Instant,
            DataType::Timestamp(_, None) => Kind::Wall,
            DataType::List(_) | DataType::Struct(_) | DataType::Map(..) => Kind::Json,
            DataType::Dictionary(_, values) => return Kind::of(values),
            _ => return None,
        })
    }

    /// The Arrow type of its values.
    fn data_type(self) -> DataType {
        match self {
            Kind::Boolean => DataType::Boolean,
            Kind::Integer(_) => DataType::Int64,
            Kind::Float32 => DataType::Float32,
            Kind::Float64 => DataType::Float64,
            Kind::Decimal(precision, scale) => DataType::Decimal128(precision, scale),
            Kind::Text | Kind::Json => DataType::Utf8,
            Kind::Bytes => DataType::Binary,
            Kind::Date => DataType::Date32,
            Kind::Instant => crate::formats::ddl::timestamp(),
            Kind::Wall => DataType::Timestamp(TimeUnit::Microsecond, None),
        }
    }
}

/// The rows of a batch, each column in the one Arrow type of its kind.
pub(crate) struct Cells {
    pub(crate) columns: Vec<(Kind, ArrayRef)>,
    pub(crate) rows: usize,
}

impl Cells {
    /// The rows of a batch. Nested values are written as JSON, times in them in `zone`.
    pub(crate) fn new(batch: &RecordBatch, zone: &TimeZone) -> Result<Self> {
        let schema = batch.schema();
        let fields = schema.fields().iter().zip(batch.columns());
        let columns = fields.map(|(field, column)| column_of(field, column, zone)).collect::<Result<_>>()?;
        Ok(Cells { columns, rows: batch.num_rows() })
    }

    /// With a last column that counts the rows.
    pub(crate) fn numbered(mut self, from: u64) -> Self {
        let numbers =
            arrow::array::Int64Array::from_iter_values((0..self.rows).map(|row| (from + row as u64) as i64));
        self.columns.push((Kind::Integer(64), Arc::new(numbers)));
        self
    }
}

/// The kind of a column. The error says what to do with one that databases cannot store.
pub(crate) fn kind_of(field: &Field) -> Result<Kind> {
    Kind::of(field.data_type()).ok_or_else(|| {
        Error::invalid(format!(
            "column {} has type {}, which is not stored in databases; convert it in a step before, such as with CAST({} AS STRING)",
            field.name(),
            field.data_type(),
            field.name()
        ))
    })
}

fn column_of(field: &Field, column: &ArrayRef, zone: &TimeZone) -> Result<(Kind, ArrayRef)> {
    let kind = kind_of(field)?;
    let values: ArrayRef = match kind {
        Kind::Json => Arc::new(json(column, zone)?),
        _ if *column.data_type() == kind.data_type() => column.clone(),
        _ => cast(column, &kind.data_type())
            .map_err(|e| Error::data(format!("column {}", field.name())).caused_by(e))?,
    };
    Ok((kind, values))
}

/// Each value of a nested column as JSON.
fn json(column: &ArrayRef, zone: &TimeZone) -> Result<StringArray> {
    let schema = Arc::new(Schema::new(vec![Field::new("", column.data_type().clone(), true)]));
    let failed = |e| Error::internal("writing nested values as JSON").caused_by(e);
    let batch = RecordBatch::try_new(schema, vec![column.clone()]).map_err(failed)?;
    let mut lines = Vec::new();
    JsonRows::new(&JsonOutput::default(), zone.clone()).encode(&batch, &mut lines)?;
    let lines = String::from_utf8(lines).map_err(|e| Error::internal("JSON is no text").caused_by(e))?;
    // A line is an object of one field without a name, or an empty one for NULL.
    Ok(lines
        .lines()
        .map(|line| line.strip_prefix("{\"\":").and_then(|rest| rest.strip_suffix('}')))
        .collect())
}

/// How values are written where databases differ.
pub(crate) struct Writing {
    /// Behind a point in time.
    pub(crate) utc: &'static str,
    /// Whether the database has a word for NaN and the infinities: NaN, and the others.
    pub(crate) nan: bool,
    pub(crate) infinity: bool,
}

/// The value of a row.
pub(crate) type ValueOf<'a> = Box<dyn Fn(usize) -> Result<Value, String> + 'a>;

impl Writing {
    /// The values of a column, points in time as a clock in `zone` shows them; the error of one that the database cannot store says why.
    pub(crate) fn values<'a>(&self, kind: Kind, column: &'a ArrayRef, zone: TimeZone) -> Result<ValueOf<'a>> {
        let value: ValueOf<'a> = match kind {
            Kind::Boolean => {
                let values = column.as_boolean();
                Box::new(|row| Ok(Value::Integer(values.value(row).into())))
            }
            Kind::Integer(_) => {
                let values = column.as_primitive::<Int64Type>();
                Box::new(|row| Ok(Value::Integer(values.value(row))))
            }
            Kind::Float32 => {
                let values = column.as_primitive::<Float32Type>();
                self.real(move |row| values.value(row).into())
            }
            Kind::Float64 => {
                let values = column.as_primitive::<Float64Type>();
                self.real(move |row| values.value(row))
            }
            Kind::Decimal(..) => {
                let values = column.as_primitive::<Decimal128Type>();
                Box::new(|row| Ok(Value::Text(values.value_as_string(row))))
            }
            Kind::Text | Kind::Json => {
                let values = column.as_string::<i32>();
                Box::new(|row| Ok(Value::Text(values.value(row).to_owned())))
            }
            Kind::Bytes => {
                let values = column.as_binary::<i32>();
                Box::new(|row| Ok(Value::Bytes(values.value(row).to_vec())))
            }
            Kind::Date | Kind::Instant | Kind::Wall => self.times(kind, column, zone)?,
        };
        Ok(Box::new(move |row| if column.is_null(row) { Ok(Value::Null) } else { value(row) }))
    }

    fn real<'a>(&self, value: impl Fn(usize) -> f64 + 'a) -> ValueOf<'a> {
        let (nan, infinity) = (self.nan, self.infinity);
        Box::new(move |row| {
            match value(row) {
            value if value.is_nan() && !nan => {
                Err("NaN, for which the database has no value; turn it into NULL in a step before, with nullif or nanvl".into())
            }
            value if value.is_infinite() && !infinity => {
                Err(format!("{value}, for which the database has no value; turn it into NULL in a step before"))
            }
            value => Ok(Value::Real(value)),
        }
        })
    }

    fn times<'a>(&self, kind: Kind, column: &'a ArrayRef, zone: TimeZone) -> Result<ValueOf<'a>> {
        let cell = cell::cells(&**column, &cell::Style { zone, iso: false })?;
        let utc = if kind == Kind::Instant { self.utc } else { "" };
        // Years beyond 9999 are written by their number alone, which would be read as another time.
        let plain = |text: &str| text.len() >= 10 && text.as_bytes().get(4) == Some(&b'-');
        Ok(Box::new(move |row| {
            let mut text = String::new();
            cell(row, &mut text);
            if !plain(&text) {
                return Err(format!("{text}, which is no time from the year 0 to 9999"));
            }
            Ok(Value::Text(text + utc))
        }))
    }

    /// All values, row by row. A column has a name, for errors, and a zone in which it shows points in time.
    pub(crate) fn rows(&self, cells: &Cells, of: impl Fn(usize) -> (String, TimeZone)) -> Result<Vec<Value>> {
        let values = cells.columns.iter().enumerate();
        let values = values.map(|(index, (kind, column))| self.values(*kind, column, of(index).1));
        let columns: Vec<ValueOf<'_>> = values.collect::<Result<_>>()?;
        let mut values = Vec::with_capacity(cells.rows * columns.len());
        for row in 0..cells.rows {
            for (index, value) in columns.iter().enumerate() {
                let value = value(row).map_err(|why| misfit(&of(index).0, &why))?;
                values.push(value);
            }
        }
        Ok(values)
    }
}

/// A value that cannot be stored.
pub(crate) fn misfit(column: &str, why: &str) -> Error {
    Error::data(format!("column {column} has the value {why}"))
}

/// A value for a message: not more of it than one can read.
pub(crate) fn shown(value: &str) -> String {
    const MOST: usize = 64;
    match value.char_indices().nth(MOST) {
        Some((end, _)) => format!("{:?}…", value.get(..end).unwrap_or_default()),
        None => format!("{value:?}"),
    }
}

/// Days since 1970-01-01.
pub(crate) fn days(column: &ArrayRef) -> &arrow::array::PrimitiveArray<Date32Type> {
    column.as_primitive()
}

/// Microseconds since 1970-01-01T00:00:00.
pub(crate) fn micros(column: &ArrayRef) -> &arrow::array::PrimitiveArray<TimestampMicrosecondType> {
    column.as_primitive()
}
