//! The types of columns in PostgreSQL.

use crate::{formats::ddl, sql::connected::cells::Kind};
use arrow::datatypes::{DataType, TimeUnit};

/// A type, as far as values are written to it in its binary format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PgType {
    Boolean,
    /// Of so many bytes.
    Integer(u8),
    Float4,
    Float8,
    /// With at most so many digits behind the point.
    Numeric(Option<i8>),
    /// Of at most so many characters.
    Text(Option<usize>),
    Bytes,
    Date,
    Timestamp,
    Timestamptz,
    Json,
    Jsonb,
    Uuid,
    /// Any other.
    Other,
}

impl PgType {
    /// The type that `format_type` calls so.
    pub(super) fn parse(text: &str) -> Self {
        let (name, arguments) = match text.split_once('(') {
            Some((name, rest)) => (name.trim_end(), rest.split_once(')').map_or(rest, |(of, _)| of)),
            None => (text, ""),
        };
        let zoned = text.ends_with("with time zone");
        let argument =
            |index: usize| arguments.split(',').nth(index).and_then(|n| n.trim().parse::<usize>().ok());
        match name {
            "boolean" => PgType::Boolean,
            "smallint" => PgType::Integer(2),
            "integer" => PgType::Integer(4),
            "bigint" => PgType::Integer(8),
            "real" => PgType::Float4,
            "double precision" => PgType::Float8,
            "numeric" => PgType::Numeric(argument(0).map(|_| argument(1).unwrap_or(0) as i8)),
            "text" | "enum" | "citext" => PgType::Text(None),
            "character varying" | "character" => PgType::Text(argument(0)),
            "bytea" => PgType::Bytes,
            "date" => PgType::Date,
            name if name.starts_with("timestamp") && zoned => PgType::Timestamptz,
            name if name.starts_with("timestamp") => PgType::Timestamp,
            "json" => PgType::Json,
            "jsonb" => PgType::Jsonb,
            "uuid" => PgType::Uuid,
            _ => PgType::Other,
        }
    }
}

/// The type of a column that is made for values of a kind.
pub(super) fn column_type(of: Kind) -> String {
    match of {
        Kind::Boolean => "boolean".into(),
        Kind::Integer(8 | 16) => "smallint".into(),
        Kind::Integer(32) => "integer".into(),
        Kind::Integer(_) => "bigint".into(),
        Kind::Float32 => "real".into(),
        Kind::Float64 => "double precision".into(),
        Kind::Decimal(precision, scale) => format!("numeric({precision}, {})", scale.max(0)),
        Kind::Text => "text".into(),
        Kind::Bytes => "bytea".into(),
        Kind::Date => "date".into(),
        Kind::Instant => "timestamp with time zone".into(),
        Kind::Wall => "timestamp without time zone".into(),
        Kind::Json => "jsonb".into(),
    }
}

/// What a kind is called in a pipeline.
pub(super) fn words(kind: Kind) -> &'static str {
    match kind {
        Kind::Boolean => "a BOOLEAN",
        Kind::Integer(_) => "a whole number",
        Kind::Float32 => "a FLOAT",
        Kind::Float64 => "a DOUBLE",
        Kind::Decimal(..) => "such a DECIMAL",
        Kind::Text => "a STRING",
        Kind::Bytes => "a BINARY",
        Kind::Date => "a DATE",
        Kind::Instant => "a TIMESTAMP",
        Kind::Wall => "a TIMESTAMP_NTZ",
        Kind::Json => "JSON of an ARRAY, MAP or STRUCT",
    }
}

/// What a column is read as. Types that pipelines do not have are read as text.
pub(super) fn arrow_type(text: &str) -> DataType {
    match PgType::parse(text) {
        PgType::Boolean => DataType::Boolean,
        PgType::Integer(2) => DataType::Int16,
        PgType::Integer(4) => DataType::Int32,
        PgType::Integer(_) => DataType::Int64,
        PgType::Float4 => DataType::Float32,
        PgType::Float8 => DataType::Float64,
        PgType::Numeric(_) => numeric(text),
        PgType::Bytes => DataType::Binary,
        PgType::Date => DataType::Date32,
        PgType::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
        PgType::Timestamptz => ddl::timestamp(),
        PgType::Text(_) | PgType::Json | PgType::Jsonb | PgType::Uuid | PgType::Other => DataType::Utf8,
    }
}

/// A numeric without limits has Spark's widest type with as many digits on either side.
fn numeric(text: &str) -> DataType {
    let arguments = text.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    let mut numbers = arguments.into_iter().flat_map(|of| of.split(',')).map(|n| n.trim().parse::<i16>());
    match (numbers.next(), numbers.next()) {
        (Some(Ok(precision @ 1..=38)), Some(Ok(scale @ 0..=38))) if scale <= precision => {
            DataType::Decimal128(precision as u8, scale as i8)
        }
        (Some(Ok(precision @ 1..=38)), None) => DataType::Decimal128(precision as u8, 0),
        _ => DataType::Decimal128(38, 18),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_made_for_a_kind_is_read_as_that_kind() {
        for of in [
            DataType::Boolean,
            DataType::Int16,
            DataType::Int32,
            DataType::Int64,
            DataType::Float32,
            DataType::Float64,
            DataType::Decimal128(12, 3),
            DataType::Utf8,
            DataType::Binary,
            DataType::Date32,
            ddl::timestamp(),
            DataType::Timestamp(TimeUnit::Microsecond, None),
        ] {
            let column_type = column_type(Kind::of(&of).unwrap());
            assert_eq!(arrow_type(&column_type), of, "{column_type}");
        }
    }

    #[test]
    fn types_are_known_by_what_the_server_calls_them() {
        for (text, of) in [
            ("numeric", PgType::Numeric(None)),
            ("numeric(10,2)", PgType::Numeric(Some(2))),
            ("character varying(20)", PgType::Text(Some(20))),
            ("character varying", PgType::Text(None)),
            ("timestamp(3) without time zone", PgType::Timestamp),
            ("timestamp with time zone", PgType::Timestamptz),
            ("inet", PgType::Other),
        ] {
            assert_eq!(PgType::parse(text), of, "{text}");
        }
    }
}
