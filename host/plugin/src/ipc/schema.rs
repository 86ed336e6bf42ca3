use super::{
    MAX_COLUMNS, MAX_DEPTH,
    frame::Frame,
    refusal::{Reason, Refusal},
};
use arrow::datatypes::{DataType, Field, FieldRef, Fields, IntervalUnit, Schema, SchemaRef, TimeUnit};
use arrow_ipc::{DateUnit, Endianness, MessageHeader, Precision, Type};
use engine::{Error, Result};
use std::{collections::HashSet, sync::Arc};

/// The schema in an IPC schema message of a guest, without any metadata of its own.
///
/// # Errors
///
/// [`Kind::Plugin`](engine::Kind::Plugin), caused by a [`Refusal`], for everything that does not cross the boundary
/// (see the module) and for two columns of one name.
pub fn decode_schema(message: &[u8]) -> Result<SchemaRef> {
    read(message).map_err(|refusal| Error::plugin("the plugin's Arrow schema is refused").caused_by(refusal))
}

fn read(bytes: &[u8]) -> Result<SchemaRef, Refusal> {
    let frame = Frame::at(bytes, 0)?;
    frame.expect(MessageHeader::Schema)?;
    match bytes.len() - frame.body.start {
        0 => {}
        bytes => return Err(Reason::Trailing { bytes }.into()),
    }
    let schema = frame.message.header_as_schema().ok_or(Reason::Missing { part: "header" })?;
    if schema.endianness() != Endianness::Little {
        return Err(Reason::BigEndian.into());
    }
    let fields = schema.fields().ok_or(Reason::Missing { part: "list of fields" })?;
    Ok(Arc::new(Schema::new(Walk { columns: 0 }.fields(fields.iter(), 1)?)))
}

/// A walk over the fields of a schema that counts them: several fields may share their children, so the size of
/// the message does not bound the size of the schema.
struct Walk {
    columns: usize,
}

impl Walk {
    fn fields<'a>(
        &mut self,
        fields: impl Iterator<Item = arrow_ipc::Field<'a>>,
        depth: usize,
    ) -> Result<Fields, Refusal> {
        let mut names = HashSet::new();
        let mut found = Vec::new();
        for field in fields {
            let field = self.field(field, depth)?;
            if !names.insert(field.name().clone()) {
                return Err(Reason::DuplicateName.in_column(field.name()));
            }
            found.push(field);
        }
        Ok(found.into())
    }

    fn field(&mut self, field: arrow_ipc::Field<'_>, depth: usize) -> Result<FieldRef, Refusal> {
        let name = field.name().unwrap_or_default();
        self.columns += 1;
        if self.columns > MAX_COLUMNS {
            return Err(Reason::TooManyColumns { most: MAX_COLUMNS }.in_column(name));
        }
        if depth > MAX_DEPTH {
            return Err(Reason::TooDeep { most: MAX_DEPTH }.in_column(name));
        }
        if field.dictionary().is_some() {
            return Err(Reason::Feature { what: "dictionaries" }.in_column(name));
        }
        let children = field.children().into_iter().flatten();
        let children = self.fields(children, depth + 1).map_err(|refusal| refusal.below(name))?;
        let data_type = data_type(&field, children).map_err(|reason| reason.in_column(name))?;
        Ok(Arc::new(Field::new(name, data_type, field.nullable())))
    }
}

/// The type of a field, if it is one that crosses the boundary.
fn data_type(field: &arrow_ipc::Field<'_>, children: Fields) -> Result<DataType, Reason> {
    let code = field.type_type();
    if let Some(what) = feature(code) {
        return Err(Reason::Feature { what });
    }
    match code {
        Type::List | Type::LargeList | Type::FixedSizeList | Type::Map | Type::Struct_ => {
            nested(field, children)
        }
        _ if children.is_empty() => plain(field)?.ok_or_else(|| Reason::Type { what: name_of(code) }),
        _ => Err(Reason::Type { what: format!("{} with children", name_of(code)) }),
    }
}

fn feature(code: Type) -> Option<&'static str> {
    match code {
        Type::Utf8View | Type::BinaryView | Type::ListView | Type::LargeListView => Some("views"),
        Type::RunEndEncoded => Some("run-end encoded arrays"),
        Type::Union => Some("unions"),
        _ => None,
    }
}

fn nested(field: &arrow_ipc::Field<'_>, children: Fields) -> Result<DataType, Reason> {
    if field.type_type() == Type::Struct_ {
        return Ok(DataType::Struct(children));
    }
    let [child] = children.as_ref() else {
        return Err(Reason::Type {
            what: format!("{} of {} children", name_of(field.type_type()), children.len()),
        });
    };
    let child = child.clone();
    if let Some(list) = field.type_as_fixed_size_list() {
        let size = at_least_one("size of a fixed-size list", list.listSize())?;
        return Ok(DataType::FixedSizeList(child, size));
    }
    if let Some(map) = field.type_as_map() {
        return entries(&child).map(|()| DataType::Map(child, map.keysSorted()));
    }
    Ok(if field.type_type() == Type::List { DataType::List(child) } else { DataType::LargeList(child) })
}

fn entries(entries: &Field) -> Result<(), Reason> {
    match entries.data_type() {
        DataType::Struct(fields) if fields.len() == 2 && !entries.is_nullable() => Ok(()),
        other => Err(Reason::Type {
            what: format!("map of {other}: its entries are structs of key and value, never null"),
        }),
    }
}

/// A type without children; none if there is no such type.
fn plain(field: &arrow_ipc::Field<'_>) -> Result<Option<DataType>, Reason> {
    Ok(Some(match field.type_type() {
        Type::Null => DataType::Null,
        Type::Bool => DataType::Boolean,
        Type::Utf8 => DataType::Utf8,
        Type::LargeUtf8 => DataType::LargeUtf8,
        Type::Binary => DataType::Binary,
        Type::LargeBinary => DataType::LargeBinary,
        _ => return parametric(field),
    }))
}

/// A type that has parameters, all of which are checked here.
fn parametric(field: &arrow_ipc::Field<'_>) -> Result<Option<DataType>, Reason> {
    let found = match field.type_type() {
        Type::Int => field.type_as_int().and_then(integer),
        Type::FloatingPoint => field.type_as_floating_point().and_then(float),
        Type::Date => field.type_as_date().and_then(date),
        Type::Time => field.type_as_time().and_then(time),
        Type::Timestamp => field.type_as_timestamp().and_then(timestamp),
        Type::Duration => {
            field.type_as_duration().and_then(|d| Some(DataType::Duration(time_unit(d.unit())?)))
        }
        Type::Interval => field.type_as_interval().and_then(interval),
        Type::Decimal => field.type_as_decimal().and_then(decimal),
        Type::FixedSizeBinary => match field.type_as_fixed_size_binary() {
            Some(binary) => Some(DataType::FixedSizeBinary(at_least_one(
                "width of a fixed-size binary",
                binary.byteWidth(),
            )?)),
            None => None,
        },
        _ => None,
    };
    Ok(found)
}

fn integer(int: arrow_ipc::Int<'_>) -> Option<DataType> {
    Some(match (int.bitWidth(), int.is_signed()) {
        (8, true) => DataType::Int8,
        (16, true) => DataType::Int16,
        (32, true) => DataType::Int32,
        (64, true) => DataType::Int64,
        (8, false) => DataType::UInt8,
        (16, false) => DataType::UInt16,
        (32, false) => DataType::UInt32,
        (64, false) => DataType::UInt64,
        _ => return None,
    })
}

fn float(float: arrow_ipc::FloatingPoint<'_>) -> Option<DataType> {
    Some(match float.precision() {
        Precision::HALF => DataType::Float16,
        Precision::SINGLE => DataType::Float32,
        Precision::DOUBLE => DataType::Float64,
        _ => return None,
    })
}

fn date(date: arrow_ipc::Date<'_>) -> Option<DataType> {
    Some(match date.unit() {
        DateUnit::DAY => DataType::Date32,
        DateUnit::MILLISECOND => DataType::Date64,
        _ => return None,
    })
}

fn time(time: arrow_ipc::Time<'_>) -> Option<DataType> {
    let unit = time_unit(time.unit())?;
    Some(match (time.bitWidth(), unit) {
        (32, TimeUnit::Second | TimeUnit::Millisecond) => DataType::Time32(unit),
        (64, TimeUnit::Microsecond | TimeUnit::Nanosecond) => DataType::Time64(unit),
        _ => return None,
    })
}

fn timestamp(timestamp: arrow_ipc::Timestamp<'_>) -> Option<DataType> {
    Some(DataType::Timestamp(time_unit(timestamp.unit())?, timestamp.timezone().map(Into::into)))
}

fn interval(interval: arrow_ipc::Interval<'_>) -> Option<DataType> {
    Some(DataType::Interval(match interval.unit() {
        arrow_ipc::IntervalUnit::YEAR_MONTH => IntervalUnit::YearMonth,
        arrow_ipc::IntervalUnit::DAY_TIME => IntervalUnit::DayTime,
        arrow_ipc::IntervalUnit::MONTH_DAY_NANO => IntervalUnit::MonthDayNano,
        _ => return None,
    }))
}

fn decimal(decimal: arrow_ipc::Decimal<'_>) -> Option<DataType> {
    let (of, digits): (fn(u8, i8) -> DataType, u8) = match decimal.bitWidth() {
        32 => (DataType::Decimal32, 9),
        64 => (DataType::Decimal64, 18),
        128 => (DataType::Decimal128, 38),
        256 => (DataType::Decimal256, 76),
        _ => return None,
    };
    let precision = u8::try_from(decimal.precision()).ok().filter(|p| (1..=digits).contains(p))?;
    let scale = i8::try_from(decimal.scale()).ok().filter(|s| s.unsigned_abs() <= precision)?;
    Some(of(precision, scale))
}

fn time_unit(unit: arrow_ipc::TimeUnit) -> Option<TimeUnit> {
    Some(match unit {
        arrow_ipc::TimeUnit::SECOND => TimeUnit::Second,
        arrow_ipc::TimeUnit::MILLISECOND => TimeUnit::Millisecond,
        arrow_ipc::TimeUnit::MICROSECOND => TimeUnit::Microsecond,
        arrow_ipc::TimeUnit::NANOSECOND => TimeUnit::Nanosecond,
        _ => return None,
    })
}

/// Rows of no size would take no bytes, and libraries differ in what they make of them.
fn at_least_one(what: &'static str, number: i32) -> Result<i32, Reason> {
    if number < 1 { Err(Reason::Type { what: format!("with a {what} of {number}") }) } else { Ok(number) }
}

fn name_of(code: Type) -> String {
    code.variant_name()
        .map_or_else(|| format!("with code {}", code.0), |name| format!("{name} of these parameters"))
}
