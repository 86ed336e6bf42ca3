//! Spark's names of types.

use super::dialect::Spark;
use arrow::datatypes::{DataType, Field, FieldRef, Fields, IntervalUnit, TimeUnit};
use datafusion_common::{Result, plan_err};
use datafusion_expr::{
    planner::TypePlanner,
    sqlparser::{
        ast::{ArrayElemTypeDef, DataType as Name, ExactNumberInfo, StructField, TimezoneInfo},
        parser::Parser,
        tokenizer::Token,
    },
};
use std::sync::Arc;

/// The type of an instant.
pub(crate) fn timestamp() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// The type of an array of these.
pub(crate) fn array_of(item: DataType) -> DataType {
    DataType::List(Arc::new(Field::new_list_field(item, true)))
}

/// The type of a map.
pub(crate) fn map_of(key: DataType, value: DataType) -> DataType {
    let entry = Fields::from(vec![Field::new("key", key, false), Field::new("value", value, true)]);
    DataType::Map(Arc::new(Field::new("entries", DataType::Struct(entry), false)), false)
}

/// What a type of Spark's is in Arrow.
#[derive(Debug)]
pub(super) struct SparkTypes;

impl TypePlanner for SparkTypes {
    fn plan_type_field(&self, of: &Name) -> Result<Option<FieldRef>> {
        Ok(Some(Arc::new(Field::new("", data_type(of)?, true))))
    }
}

/// Levels of types inside types.
const MOST_DEPTH: usize = 100;

/// Refuses a text in which types are nested so deeply that reading it could not end well.
pub(super) fn refuse_deep(text: &str) -> crate::Result<()> {
    let mut depth = 0usize;
    let mut from = 0;
    for (at, bracket) in text.match_indices(['<', '>']) {
        let before = text.get(from..at).unwrap_or_default().trim_end().to_ascii_uppercase();
        let opens = ["ARRAY", "MAP", "STRUCT"].iter().any(|name| before.ends_with(name));
        depth = match bracket {
            "<" if opens => depth + 1,
            ">" => depth.saturating_sub(1),
            _ => depth,
        };
        if depth > MOST_DEPTH {
            return Err(crate::Error::invalid(format!(
                "SQL: a type is nested more than {MOST_DEPTH} levels deep"
            )));
        }
        from = at + 1;
    }
    Ok(())
}

/// The type that a text names: columns, `a INT, b ARRAY<STRING>`, which are a struct, or a type.
pub(super) fn parse(text: &str) -> Result<DataType> {
    refuse_deep(text).map_err(|e| datafusion_common::plan_datafusion_err!("{}", e.report()))?;
    let name = text.trim().to_ascii_uppercase();
    let is_type = ["STRUCT<", "ARRAY<", "MAP<"].iter().any(|front| name.replace(' ', "").starts_with(front));
    let text = if is_type { text.to_owned() } else { format!("STRUCT<{text}>") };
    let parsed = Parser::new(&Spark).try_with_sql(&text).and_then(|mut parser| {
        let parsed = parser.parse_data_type()?;
        parser.expect_token(&Token::EOF)?;
        Ok(parsed)
    });
    match parsed {
        Ok(parsed) => data_type(&parsed),
        Err(e) => plan_err!("{text:?} is no schema: {e}"),
    }
}

fn data_type(of: &Name) -> Result<DataType> {
    Ok(match of {
        Name::Boolean | Name::Bool => DataType::Boolean,
        Name::TinyInt(_) => DataType::Int8,
        Name::SmallInt(_) => DataType::Int16,
        Name::Int(_) | Name::Integer(_) => DataType::Int32,
        Name::BigInt(_) => DataType::Int64,
        Name::Float(_) | Name::Real => DataType::Float32,
        Name::Double(_) | Name::DoublePrecision => DataType::Float64,
        Name::Decimal(of) | Name::Numeric(of) | Name::Dec(of) => decimal(of)?,
        Name::String(_) | Name::Text | Name::Varchar(_) | Name::Char(_) | Name::Character(_) => {
            DataType::Utf8
        }
        Name::Binary(_) => DataType::Binary,
        Name::Date => DataType::Date32,
        Name::Timestamp(None, TimezoneInfo::None) => timestamp(),
        Name::TimestampNtz(_) => DataType::Timestamp(TimeUnit::Microsecond, None),
        Name::Interval { .. } => DataType::Interval(IntervalUnit::MonthDayNano),
        Name::Array(ArrayElemTypeDef::AngleBracket(item)) => array_of(data_type(item)?),
        Name::Map(key, value) => map_of(data_type(key)?, data_type(value)?),
        Name::Struct(fields, _) => DataType::Struct(fields.iter().map(field).collect::<Result<_>>()?),
        Name::Custom(name, _) => named(&name.to_string())?,
        other => return plan_err!("there is no type {other}; {THERE_ARE}"),
    })
}

const THERE_ARE: &str = "there are BOOLEAN, TINYINT, SMALLINT, INT, BIGINT, FLOAT, DOUBLE, DECIMAL(p, s), STRING, BINARY, DATE, TIMESTAMP, ARRAY<T>, MAP<K, V> and STRUCT<a: T, …>";

fn named(name: &str) -> Result<DataType> {
    Ok(match name.to_ascii_uppercase().as_str() {
        "BYTE" => DataType::Int8,
        "SHORT" => DataType::Int16,
        "LONG" => DataType::Int64,
        "TIMESTAMP_NTZ" => DataType::Timestamp(TimeUnit::Microsecond, None),
        "TIMESTAMP_LTZ" => timestamp(),
        _ => return plan_err!("there is no type {name}; {THERE_ARE}"),
    })
}

fn field(of: &StructField) -> Result<FieldRef> {
    let name = of.field_name.as_ref().map(|name| name.value.clone()).unwrap_or_default();
    Ok(Arc::new(Field::new(name, data_type(&of.field_type)?, true)))
}

fn decimal(of: &ExactNumberInfo) -> Result<DataType> {
    let (precision, scale) = match of {
        ExactNumberInfo::None => (10, 0),
        ExactNumberInfo::Precision(precision) => (*precision, 0),
        ExactNumberInfo::PrecisionAndScale(precision, scale) => (*precision, *scale),
    };
    match (u8::try_from(precision), i8::try_from(scale)) {
        (Ok(p @ 1..=38), Ok(s)) if s >= 0 && s.unsigned_abs() <= p => Ok(DataType::Decimal128(p, s)),
        _ => plan_err!(
            "DECIMAL({precision}, {scale}): at most 38 digits, and not more behind the point than in all"
        ),
    }
}

/// Whether Spark's SQL has this type, as we hold its values.
pub(super) fn is_sparks(of: &DataType) -> bool {
    use DataType::*;
    match of {
        Boolean | Int8 | Int16 | Int32 | Int64 | Float32 | Float64 | Decimal128(..) | Utf8 | Binary
        | Date32 => true,
        Timestamp(TimeUnit::Microsecond, zone) => zone.as_deref().is_none_or(|zone| zone == "UTC"),
        Interval(IntervalUnit::MonthDayNano) => true,
        List(item) => is_sparks(item.data_type()),
        Map(entries, _) => is_sparks(entries.data_type()),
        Struct(fields) => fields.iter().all(|field| is_sparks(field.data_type())),
        _ => false,
    }
}

/// A type as Spark's SQL calls it; Arrow's word where Spark has none.
pub(super) fn name_of(of: &DataType) -> String {
    match of {
        DataType::Boolean => "BOOLEAN".into(),
        DataType::Int8 => "TINYINT".into(),
        DataType::Int16 => "SMALLINT".into(),
        DataType::Int32 => "INT".into(),
        DataType::Int64 => "BIGINT".into(),
        DataType::Float32 => "FLOAT".into(),
        DataType::Float64 => "DOUBLE".into(),
        DataType::Decimal128(precision, scale) => format!("DECIMAL({precision}, {scale})"),
        DataType::Utf8 => "STRING".into(),
        DataType::Binary => "BINARY".into(),
        DataType::Date32 => "DATE".into(),
        DataType::Timestamp(_, Some(_)) => "TIMESTAMP".into(),
        DataType::Timestamp(_, None) => "TIMESTAMP_NTZ".into(),
        DataType::List(item) => format!("ARRAY<{}>", name_of(item.data_type())),
        other => other.to_string(),
    }
}
