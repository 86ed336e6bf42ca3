//! Which directory a row goes to.

use super::names::{NULL_FOLDER, hive_safe};
use crate::formats::encode::cell::{Style, cells};
use arrow::{
    array::{Array, RecordBatch, UInt32Array},
    compute::take_record_batch,
    datatypes::Schema,
};
use engine::{Error, Kind, Result, ResultExt};
use jiff::tz::TimeZone;
use std::collections::HashMap;

/// Hive's layout: `country=de/day=2025-01-01/`. The columns in the path are not in the file.
#[derive(Debug)]
pub(super) struct Layout {
    /// Index and escaped name of each partition column.
    folders: Vec<(usize, String)>,
    /// Indices of the columns that are in the file.
    columns: Vec<usize>,
    style: Style,
}

impl Layout {
    /// [`Kind::Invalid`] if a column is not there, cannot be a directory, or none is left for the file.
    pub(super) fn new(partition_by: &[String], schema: &Schema, zone: &TimeZone) -> Result<Self> {
        let folders = partition_by
            .iter()
            .map(|name| Ok((folder(name, schema)?, hive_safe(name))))
            .collect::<Result<Vec<_>>>()?;
        let in_path = |i: &usize| folders.iter().any(|(at, _)| at == i);
        let columns: Vec<_> = (0..schema.fields().len()).filter(|i| !in_path(i)).collect();
        match columns.is_empty() {
            true => Err(Error::invalid(
                "partition-by names every column, so that files would have none; leave one out",
            )),
            false => Ok(Layout { folders, columns, style: Style { zone: zone.clone(), iso: false } }),
        }
    }

    /// The columns of the files.
    pub(super) fn file_schema(&self, schema: &Schema) -> Result<Schema> {
        schema.project(&self.columns).doing(Kind::Internal, || "the columns of a file")
    }

    /// The rows by directory, in the order in which directories first occur; `""` is the output itself, else it ends
    /// with `/`.
    pub(super) fn split(&self, rows: &RecordBatch) -> Result<Vec<(String, RecordBatch)>> {
        let doing = || "dividing rows by partition-by";
        let file_rows = rows.project(&self.columns).doing(Kind::Internal, doing)?;
        if self.folders.is_empty() {
            return Ok(vec![(String::new(), file_rows)]);
        }
        let part = |(folder, rows)| {
            let part =
                take_record_batch(&file_rows, &UInt32Array::from(rows)).doing(Kind::Internal, doing)?;
            Ok((folder, part))
        };
        groups(self.folders_of(rows)?).into_iter().map(part).collect()
    }

    fn folders_of(&self, rows: &RecordBatch) -> Result<Vec<String>> {
        let mut folders = vec![String::new(); rows.num_rows()];
        let mut text = String::new();
        for (index, name) in &self.folders {
            let column = rows.column(*index);
            let cell = cells(column, &self.style)?;
            for (row, folder) in folders.iter_mut().enumerate() {
                text.clear();
                if column.is_valid(row) {
                    cell(row, &mut text);
                }
                folder.push_str(name);
                folder.push('=');
                folder.push_str(&if text.is_empty() { NULL_FOLDER.into() } else { hive_safe(&text) });
                folder.push('/');
            }
        }
        Ok(folders)
    }
}

/// The numbers of the rows of each folder.
fn groups(folders: Vec<String>) -> Vec<(String, Vec<u32>)> {
    let mut groups: Vec<(String, Vec<u32>)> = Vec::new();
    let mut known: HashMap<String, usize> = HashMap::new();
    for (row, folder) in (0..).zip(folders) {
        let group = *known.entry(folder).or_insert_with_key(|folder| {
            groups.push((folder.clone(), Vec::new()));
            groups.len() - 1
        });
        groups.get_mut(group).into_iter().for_each(|(_, rows)| rows.push(row));
    }
    groups
}

fn folder(name: &str, schema: &Schema) -> Result<usize> {
    let (index, field) = schema.column_with_name(name).ok_or_else(|| {
        let names: Vec<_> = schema.fields().iter().map(|f| f.name().as_str()).collect();
        Error::invalid(format!("partition-by: there is no column {name}; there are {}", names.join(", ")))
    })?;
    if name.starts_with(['_', '.']) {
        return Err(Error::invalid(format!(
            "partition-by: readers take a directory {name}=… for hidden; rename the column"
        )));
    }
    if field.data_type().is_nested() {
        let of = field.data_type();
        return Err(Error::invalid(format!(
            "partition-by: column {name} is a {of}, which cannot name a directory"
        )));
    }
    Ok(index)
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, AsArray, Int64Array, StringArray, TimestampMicrosecondArray};
    use std::sync::Arc;

    fn rows() -> RecordBatch {
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("c", Arc::new(StringArray::from(vec![Some("de"), None, Some("de"), Some(""), Some("a/b")]))),
            ("n", Arc::new(Int64Array::from(vec![1, 2, 3, 4, 5]))),
            ("t", Arc::new(TimestampMicrosecondArray::from(vec![0; 5]))),
        ];
        RecordBatch::try_from_iter(columns).unwrap()
    }

    #[test]
    fn rows_go_to_hive_directories_without_the_columns_in_the_path() {
        let layout = Layout::new(&["c".into(), "t".into()], rows().schema_ref(), &TimeZone::UTC).unwrap();
        let parts = layout.split(&rows()).unwrap();
        let shown: Vec<_> = parts
            .iter()
            .map(|(folder, rows)| {
                assert_eq!(rows.schema().fields().len(), 1);
                let values = rows.column(0).as_primitive::<arrow::datatypes::Int64Type>();
                (folder.as_str(), values.values().to_vec())
            })
            .collect();
        let time = "t=1970-01-01 00%3A00%3A00/";
        assert_eq!(
            shown,
            [
                (format!("c=de/{time}").as_str(), vec![1, 3]),
                (format!("c=__HIVE_DEFAULT_PARTITION__/{time}").as_str(), vec![2, 4]),
                (format!("c=a%2Fb/{time}").as_str(), vec![5]),
            ]
        );
    }

    #[test]
    fn without_partition_columns_rows_stay_together() {
        let parts = Layout::new(&[], rows().schema_ref(), &TimeZone::UTC).unwrap().split(&rows()).unwrap();
        assert_eq!(parts, [(String::new(), rows())]);
    }

    #[test]
    fn columns_that_cannot_be_directories_are_refused() {
        let refusal = |by: &[&str]| {
            let by: Vec<_> = by.iter().map(|s| (*s).to_owned()).collect();
            Layout::new(&by, rows().schema_ref(), &TimeZone::UTC).unwrap_err().to_string()
        };
        assert!(refusal(&["x"]).contains("there are c, n, t"));
        assert!(refusal(&["c", "n", "t"]).contains("every column"));
    }
}
