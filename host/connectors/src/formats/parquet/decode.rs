//! Reads Parquet by row groups.

use crate::{
    files::{Opened, damaged},
    formats::{
        ddl,
        rows::{BATCH_ROWS, RowRules},
    },
};
use arrow::{
    array::{ArrayRef, RecordBatch, RecordBatchOptions, new_null_array},
    compute::{CastOptions, can_cast_types, cast_with_options},
    datatypes::{DataType, Field, Schema, SchemaRef},
    error::ArrowError,
};
use engine::{Batch, Error, Place, Result};
use parquet::{
    arrow::{
        ProjectionMask,
        arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder},
    },
    file::metadata::RowGroupMetaData,
};
use std::{error::Error as StdError, ops::Range, path::Path, sync::Arc};

/// The columns of a Parquet file in the types that pipelines know.
pub(crate) fn schema_of(file: &Opened, full: &Path) -> Result<Schema> {
    let metadata = load(file, full)?;
    let field = |f: &Arc<Field>| Field::new(f.name(), known_type(f.data_type()), true);
    Ok(Schema::new(metadata.schema().fields().iter().map(field).collect::<Vec<_>>()))
}

/// The type that DDL names for `kind`; nested types come back in their usual Arrow form.
pub(crate) fn known_type(kind: &DataType) -> DataType {
    let parsed = ddl::parse(&format!("c {}", ddl::print_type(kind)));
    parsed.ok().and_then(|s| s.fields().first().map(|f| f.data_type().clone())).unwrap_or(DataType::Utf8)
}

/// Reads the row groups whose first byte lies in `bytes`. Columns are found by name and cast to the schema's types; one
/// that the file does not have, or that is not one of its `own`, is NULL.
pub(crate) fn read_row_groups(
    file: &Opened,
    full: &Path,
    bytes: Range<u64>,
    rules: &RowRules,
    own: &[usize],
    out: &mut dyn FnMut(Batch) -> Result<()>,
) -> Result<()> {
    let metadata = load(file, full)?;
    let columns = Columns::find(&rules.schema, metadata.schema(), own, full)?;
    let mask = ProjectionMask::roots(metadata.parquet_schema(), columns.read.iter().copied());
    let of: Arc<str> = full.display().to_string().into();
    let mut first = 1;
    for (index, group) in metadata.metadata().row_groups().iter().enumerate() {
        if bytes.contains(&start_of(group)) {
            let input = file.again().map_err(|e| broken(full, e))?;
            let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(input, metadata.clone())
                .with_row_groups(vec![index])
                .with_projection(mask.clone())
                .with_batch_size(BATCH_ROWS)
                .build()
                .map_err(|e| broken(full, e))?;
            let mut next = first;
            for rows in reader {
                let rows = rows.map_err(|e| broken(full, e))?;
                let place = Place::At { of: of.clone(), unit: "row", first: next };
                let before = next;
                next += rows.num_rows() as u64;
                let rows =
                    columns.arrange(&rows).map_err(|e| misfit(full, before..next, &columns.schema, e))?;
                out(Batch::read(rows, place))?;
            }
        }
        first += u64::try_from(group.num_rows()).map_err(|e| broken(full, e))?;
    }
    Ok(())
}

fn load(file: &Opened, full: &Path) -> Result<ArrowReaderMetadata> {
    ArrowReaderMetadata::load(file, ArrowReaderOptions::new()).map_err(|e| broken(full, e))
}

fn start_of(group: &RowGroupMetaData) -> u64 {
    let start = |offset: i64| u64::try_from(offset).unwrap_or(0);
    let columns = group.columns().iter();
    columns.map(|c| start(c.dictionary_page_offset().unwrap_or(c.data_page_offset()))).min().unwrap_or(0)
}

fn broken(full: &Path, error: impl Into<Box<dyn StdError + Send + Sync>>) -> Error {
    damaged(full, "is no Parquet file, or is", error)
}

fn misfit(full: &Path, rows: Range<u64>, schema: &Schema, error: ArrowError) -> Error {
    let (first, last) = (rows.start, rows.end.saturating_sub(1));
    Error::data(format!(
        "{}: rows {first} to {last} have a value that is out of range; the schema says {}; correct the schema",
        full.display(),
        ddl::print(schema)
    ))
    .caused_by(error)
}

/// Which of a file's columns become which of the schema's.
struct Columns {
    schema: SchemaRef,
    /// For each column of the schema the file's, by name.
    sources: Vec<Option<String>>,
    /// Indices of the file's columns to read.
    read: Vec<usize>,
}

impl Columns {
    fn find(schema: &SchemaRef, file: &SchemaRef, own: &[usize], full: &Path) -> Result<Self> {
        let mut read = Vec::new();
        let mut sources = vec![None; schema.fields().len()];
        for index in own {
            let Some(wanted) = schema.fields().get(*index) else { continue };
            let same = |(_, f): &(usize, &Arc<Field>)| f.name().eq_ignore_ascii_case(wanted.name());
            let Some((at, found)) = file.fields().iter().enumerate().find(same) else { continue };
            if !fits(found.data_type(), wanted.data_type()) {
                return Err(conflict(full, wanted, found));
            }
            read.push(at);
            if let Some(source) = sources.get_mut(*index) {
                *source = Some(found.name().clone());
            }
        }
        Ok(Columns { schema: schema.clone(), sources, read })
    }

    fn arrange(&self, rows: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        let column = |(source, field): (&Option<String>, &Arc<Field>)| -> Result<ArrayRef, ArrowError> {
            let exact = CastOptions { safe: false, ..CastOptions::default() };
            match source.as_ref().and_then(|name| rows.column_by_name(name)) {
                Some(array) => cast_with_options(array, field.data_type(), &exact),
                None => Ok(new_null_array(field.data_type(), rows.num_rows())),
            }
        };
        let arrays = self.sources.iter().zip(self.schema.fields()).map(column).collect::<Result<_, _>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
        RecordBatch::try_new_with_options(self.schema.clone(), arrays, &options)
    }
}

/// Whether values of the type found can be read as the type wanted, as they are or widened; text is not parsed.
fn fits(found: &DataType, wanted: &DataType) -> bool {
    let is_text = |t: &DataType| t.is_string() || t.is_binary();
    found == wanted || (can_cast_types(found, wanted) && is_text(found) == is_text(wanted))
}

fn conflict(full: &Path, wanted: &Field, found: &Field) -> Error {
    let print = |field: &Field| ddl::print_type(field.data_type());
    Error::data(format!(
        "{}: column {:?} is {}, but the schema says {}; correct the schema, or read such files by a source of their own",
        full.display(),
        wanted.name(),
        print(found),
        print(wanted)
    ))
}
