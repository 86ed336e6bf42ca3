//! What a table's log says of a file's rows, for readers to skip files by.

use jiff::{Timestamp, civil::date};
use parquet::{
    basic::{LogicalType, TimeUnit},
    file::{metadata::ParquetMetaData, statistics::Statistics},
    schema::types::ColumnDescriptor,
};
use serde_json::{Map, Value, json};

/// As many columns have statistics, as other writers have it.
const COLUMNS: usize = 32;

/// The statistics of a file as JSON text. A bound is left out wherever it could be wrong: a reader then reads the file.
pub(super) fn of_file(file: &ParquetMetaData) -> String {
    let mut nulls = Map::new();
    let mut least = Map::new();
    let mut most = Map::new();
    for (index, column) in file.file_metadata().schema_descr().columns().iter().enumerate() {
        let [name] = column.path().parts() else { continue };
        if nulls.len() == COLUMNS {
            break;
        }
        let groups: Vec<Option<&Statistics>> =
            file.row_groups().iter().map(|group| group.column(index).statistics()).collect();
        let counts: Option<u64> = groups.iter().map(|of| of.and_then(Statistics::null_count_opt)).sum();
        let Some(count) = counts else { continue };
        nulls.insert(name.clone(), json!(count));
        if let Some((min, max)) = bounds(column, &groups) {
            least.insert(name.clone(), min);
            most.insert(name.clone(), max);
        }
    }
    let rows = file.file_metadata().num_rows();
    json!({ "numRecords": rows, "minValues": least, "maxValues": most, "nullCount": nulls }).to_string()
}

/// Least and largest value; none if there is no value, or none that JSON can say and readers compare as this does. Of floats
/// the statistics leave out NaN, so they bound nothing.
fn bounds(column: &ColumnDescriptor, groups: &[Option<&Statistics>]) -> Option<(Value, Value)> {
    let logical = column.logical_type_ref();
    let mut integers = Bounds::default();
    let mut texts = Bounds::default();
    for group in groups {
        match (*group)? {
            Statistics::Int32(of) => {
                integers.add(of.min_opt().map(|v| i64::from(*v)), of.max_opt().map(|v| i64::from(*v)))
            }
            Statistics::Int64(of) => integers.add(of.min_opt().copied(), of.max_opt().copied()),
            Statistics::ByteArray(of) if matches!(logical, Some(LogicalType::String)) => {
                let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).ok();
                let (min, max) = (of.min_bytes_opt().map(text), of.max_bytes_opt().map(text));
                if min == Some(None) || max == Some(None) {
                    return None;
                }
                texts.add(min.flatten(), max.flatten());
            }
            _ => return None,
        }
    }
    match integers.both() {
        Some((min, max)) => Some((integer(min, logical)?, integer(max, logical)?)),
        None => texts.both().map(|(min, max)| (json!(min), json!(max))),
    }
}

struct Bounds<T> {
    min: Option<T>,
    max: Option<T>,
}

impl<T> Default for Bounds<T> {
    fn default() -> Self {
        Bounds { min: None, max: None }
    }
}

impl<T: Ord> Bounds<T> {
    /// Takes the bounds of a row group in; one of NULLs alone has none.
    fn add(&mut self, min: Option<T>, max: Option<T>) {
        self.min = self.min.take().into_iter().chain(min).min();
        self.max = self.max.take().into_iter().chain(max).max();
    }

    fn both(self) -> Option<(T, T)> {
        self.min.zip(self.max)
    }
}

fn integer(value: i64, logical: Option<&LogicalType>) -> Option<Value> {
    match logical {
        None | Some(LogicalType::Integer(_)) => Some(json!(value)),
        Some(LogicalType::Date) => {
            let days = jiff::Span::new().try_days(value).ok()?;
            Some(json!(date(1970, 1, 1).checked_add(days).ok()?.to_string()))
        }
        Some(LogicalType::Timestamp(of)) if of.unit == TimeUnit::MICROS => {
            let time = Timestamp::from_microsecond(value).ok()?;
            let zone = if of.is_adjusted_to_u_t_c { "Z" } else { "" };
            Some(json!(format!("{}{zone}", time.strftime("%Y-%m-%dT%H:%M:%S%.6f"))))
        }
        _ => None,
    }
}
