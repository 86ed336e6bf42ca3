//! Types by the names that Spark has for them.

use arrow::datatypes::{DataType, Field, TimeUnit};

/// Spark's name of a type on one line, such as `struct<a:int,b:array<string>>`; an Arrow type that Spark does not have keeps
/// Arrow's.
pub fn type_name(of: &DataType) -> String {
    match of {
        DataType::Null => "void".into(),
        DataType::Boolean => "boolean".into(),
        DataType::Int8 => "tinyint".into(),
        DataType::Int16 => "smallint".into(),
        DataType::Int32 => "int".into(),
        DataType::Int64 => "bigint".into(),
        DataType::Float32 => "float".into(),
        DataType::Float64 => "double".into(),
        DataType::Decimal128(precision, scale) => format!("decimal({precision},{scale})"),
        DataType::Utf8 => "string".into(),
        DataType::Binary => "binary".into(),
        DataType::Date32 => "date".into(),
        DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => "timestamp".into(),
        DataType::Timestamp(TimeUnit::Microsecond, None) => "timestamp_ntz".into(),
        DataType::List(item) => format!("array<{}>", type_name(item.data_type())),
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(entry) => {
                let names: Vec<_> = entry.iter().map(|field| type_name(field.data_type())).collect();
                format!("map<{}>", names.join(","))
            }
            other => other.to_string(),
        },
        DataType::Struct(fields) => {
            let named = |field: &Field| format!("{}:{}", field.name(), type_name(field.data_type()));
            let named: Vec<_> = fields.iter().map(|field| named(field)).collect();
            format!("struct<{}>", named.join(","))
        }
        other => format!("{other}"),
    }
}
