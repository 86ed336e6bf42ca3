//! Columns that come from a file's path and not from its bytes.

use super::{
    listing::FileEntry,
    settings::{FilesSettings, MetadataField},
};
use crate::formats::{columns::Columns, csv::decode::push, ddl};
use arrow::{
    array::{
        ArrayRef, Int64Array, RecordBatch, RecordBatchOptions, StringArray, StructArray,
        TimestampMicrosecondArray, UInt32Array,
    },
    compute::take,
    datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef},
    error::ArrowError,
};
use engine::{Error, Result};
use jiff::tz::TimeZone;
use std::{path::Path, sync::Arc};

/// The name of the column about the file.
pub(crate) const METADATA: &str = "_metadata";

/// `column=value` parts of a path, decoded.
pub(crate) fn parts(path: &str) -> Vec<(String, Option<String>)> {
    let directories = path.rsplit_once('/').map_or("", |(d, _)| d);
    let part = |part: &str| {
        let (name, value) = part.split_once('=')?;
        let value = (value != "__HIVE_DEFAULT_PARTITION__").then(|| unescape(value));
        Some((unescape(name), value))
    };
    directories.split('/').filter_map(part).collect()
}

/// `%3A` and the like, which stand for characters that a file system does not take.
fn unescape(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let code = tail.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match code.filter(|_| *first == b'%').and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                rest = tail.get(2..).unwrap_or_default();
            }
            None => {
                out.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// `_metadata` as a column.
pub(crate) fn metadata_field(fields: &[MetadataField]) -> Field {
    let field = |f: &MetadataField| match f {
        MetadataField::FilePath => Field::new("file_path", DataType::Utf8, true),
        MetadataField::FileName => Field::new("file_name", DataType::Utf8, true),
        MetadataField::FileSize => Field::new("file_size", DataType::Int64, true),
        MetadataField::FileModificationTime => Field::new("file_modification_time", ddl::timestamp(), true),
    };
    Field::new(METADATA, DataType::Struct(fields.iter().map(field).collect()), true)
}

/// The schema with `_metadata` behind it, if any of it is wanted.
pub(crate) fn with_metadata(schema: &Schema, wanted: &[MetadataField]) -> SchemaRef {
    let mut fields: Vec<FieldRef> = schema.fields().iter().cloned().collect();
    if !wanted.is_empty() {
        fields.push(Arc::new(metadata_field(wanted)));
    }
    Arc::new(Schema::new(fields))
}

impl FilesSettings {
    /// The columns of the rows of files whose own columns are `data`: with `_metadata` behind them, if any of it is wanted.
    pub fn with_metadata(&self, data: &Schema) -> SchemaRef {
        with_metadata(data, &self.metadata)
    }

    /// The columns of the files themselves: those of `rows` but for the `_metadata` that is added to them.
    pub fn without_metadata(&self, rows: &Schema) -> Schema {
        let added = |field: &&FieldRef| !self.metadata.is_empty() && field.name() == METADATA;
        Schema::new(rows.fields().iter().filter(|f| !added(f)).cloned().collect::<Vec<_>>())
    }

    /// [`engine::Kind::Invalid`] if the columns that the user names would make a second `_metadata`.
    pub(super) fn check_metadata(&self, named: &Schema) -> Result<()> {
        if self.metadata.is_empty() || named.fields().find(METADATA).is_none() {
            return Ok(());
        }
        Err(Error::invalid(format!(
            "schema: `metadata` adds the column `{METADATA}`; take it out of `schema`, or rename it if the files have it"
        )))
    }
}

/// The columns of one file that are the same in each of its rows.
pub(crate) struct PathColumns {
    /// What batches have in the end.
    schema: SchemaRef,
    /// Columns by index, each with its value as an array of one row; one that is not in the file's own columns comes last.
    constants: Vec<(usize, ArrayRef)>,
}

impl PathColumns {
    /// For `file`, whose own columns are `columns`. A value of the path that does not fit its column is an error.
    pub(crate) fn new(
        columns: &SchemaRef,
        wanted: &[MetadataField],
        file: &FileEntry,
        full: &Path,
        zone: &TimeZone,
    ) -> Result<Self> {
        let mut constants = Vec::new();
        for (name, value) in parts(&file.path) {
            if let Some((index, field)) = columns.fields().find(&name) {
                constants
                    .push((index, one(field, value.as_deref(), zone).ok_or_else(|| misfit(full, field))?));
            }
        }
        if !wanted.is_empty() {
            let value = metadata(wanted, file, full)
                .map_err(|e| Error::internal("building _metadata").caused_by(e))?;
            constants.push((columns.fields().len(), value));
        }
        Ok(PathColumns { schema: with_metadata(columns, wanted), constants })
    }

    /// Whether the column at `index` comes from the path.
    pub(crate) fn has(&self, index: usize) -> bool {
        self.constants.iter().any(|(i, _)| *i == index)
    }

    /// `rows`, the file's own columns, with these in their places.
    pub(crate) fn put_into(&self, rows: RecordBatch) -> Result<RecordBatch> {
        if self.constants.is_empty() {
            return Ok(rows);
        }
        let count = rows.num_rows();
        let mut arrays = rows.columns().to_vec();
        for (index, value) in &self.constants {
            let repeated = take(value, &UInt32Array::from(vec![0; count]), None).map_err(failed)?;
            match arrays.get_mut(*index) {
                Some(place) => *place = repeated,
                None => arrays.push(repeated),
            }
        }
        let options = RecordBatchOptions::new().with_row_count(Some(count));
        RecordBatch::try_new_with_options(self.schema.clone(), arrays, &options).map_err(failed)
    }
}

fn failed(error: ArrowError) -> Error {
    Error::internal("adding the columns of a path").caused_by(error)
}

fn misfit(full: &Path, field: &Field) -> Error {
    Error::data(format!(
        "{}: the value of {:?} in the path is no {}; correct the directory's name or the schema",
        full.display(),
        field.name(),
        ddl::print_type(field.data_type())
    ))
}

/// An array of one value.
fn one(field: &FieldRef, value: Option<&str>, zone: &TimeZone) -> Option<ArrayRef> {
    let fields: Fields = vec![field.clone()].into();
    let mut columns = Columns::new(&fields).ok()?;
    if let Some(text) = value {
        push(columns.cell(0)?, text.as_bytes(), zone)?;
    }
    columns.end_row();
    let batch = columns.take(&Arc::new(Schema::new(fields))).ok()?;
    batch.columns().first().cloned()
}

fn metadata(wanted: &[MetadataField], file: &FileEntry, full: &Path) -> Result<ArrayRef, ArrowError> {
    let name = file.path.rsplit('/').next().unwrap_or_default();
    let array = |field: &MetadataField| -> ArrayRef {
        match field {
            MetadataField::FilePath => Arc::new(StringArray::from(vec![full.to_string_lossy().into_owned()])),
            MetadataField::FileName => Arc::new(StringArray::from(vec![name.to_owned()])),
            MetadataField::FileSize => Arc::new(Int64Array::from(vec![file.size as i64])),
            MetadataField::FileModificationTime => {
                Arc::new(TimestampMicrosecondArray::from(vec![file.modified.0]).with_timezone("UTC"))
            }
        }
    };
    let DataType::Struct(fields) = metadata_field(wanted).data_type().clone() else {
        return Err(ArrowError::SchemaError("_metadata is a STRUCT".into()));
    };
    Ok(Arc::new(StructArray::try_new(fields, wanted.iter().map(array).collect(), None)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::util::pretty::pretty_format_batches;
    use engine::Timestamp;

    fn entry(path: &str) -> FileEntry {
        FileEntry { path: path.into(), size: 7, modified: Timestamp(1_000_000) }
    }

    #[test]
    fn partition_columns_and_metadata_are_put_in_place() {
        let schema = Arc::new(ddl::parse("n INT, day DATE, k STRING").unwrap());
        let file = entry("day=2025-01-02/k=a%3Ab/x.json");
        let wanted = [MetadataField::FileName, MetadataField::FileSize];
        let columns =
            PathColumns::new(&schema, &wanted, &file, Path::new("in/x.json"), &TimeZone::UTC).unwrap();
        let mut own = Columns::new(schema.fields()).unwrap();
        own.end_row();
        let rows = columns.put_into(own.take(&schema).unwrap()).unwrap();
        let text = pretty_format_batches(&[rows]).unwrap().to_string();
        assert!(text.contains("|   | 2025-01-02 | a:b | {file_name: x.json, file_size: 7} |"), "{text}");
    }

    #[test]
    fn a_value_of_the_path_that_does_not_fit_is_an_error() {
        let schema = Arc::new(ddl::parse("day DATE").unwrap());
        let error = PathColumns::new(&schema, &[], &entry("day=monday/x"), Path::new("in/x"), &TimeZone::UTC);
        assert!(error.err().unwrap().report().contains("the value of \"day\" in the path is no DATE"));
    }

    #[test]
    fn the_files_own_columns_are_those_without_what_is_added() {
        let wanted = FilesSettings { metadata: vec![MetadataField::FileName], ..FilesSettings::at("in") };
        let data = ddl::parse("n INT").unwrap();
        let rows = wanted.with_metadata(&data);
        assert_eq!(ddl::print(&rows), "n INT, _metadata STRUCT<file_name: STRING>");
        assert_eq!(wanted.without_metadata(&rows), data);
        assert_eq!(FilesSettings::at("in").without_metadata(&rows), *rows, "their own `_metadata` stays");
        let error = wanted.check_metadata(&rows).unwrap_err().report();
        assert!(error.starts_with("schema: `metadata` adds the column `_metadata`; take it out"), "{error}");
        FilesSettings::at("in").check_metadata(&rows).unwrap();
    }

    #[test]
    fn a_default_partition_is_null() {
        assert_eq!(
            parts("a=1/b=__HIVE_DEFAULT_PARTITION__/f=x"),
            [("a".into(), Some("1".into())), ("b".into(), None)]
        );
    }
}
