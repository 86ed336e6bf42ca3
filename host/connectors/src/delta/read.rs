//! The rows of a table's files.

use crate::{formats::parquet::decode::known_type, stores::failed};
use arrow::{
    array::{ArrayRef, RecordBatch, RecordBatchOptions, StringArray, UInt32Array, new_null_array},
    compute::{CastOptions, cast_with_options, take},
    datatypes::{DataType, Field, FieldRef, SchemaRef},
};
use deltalake_core::kernel::Add;
use engine::{Error, Kind, Result, ResultExt, Wanted};
use futures::{Stream, StreamExt};
use object_store::{ObjectStore, path::Path as ObjectPath};
#[allow(
    deprecated,
    reason = "until the library has its next reader of objects, this is the one that is kept"
)]
use parquet::arrow::{ParquetRecordBatchStreamBuilder, ProjectionMask, async_reader::ParquetObjectReader};
use std::{collections::HashMap, sync::Arc};

/// Rows in a batch.
const BATCH_ROWS: usize = crate::formats::rows::BATCH_ROWS;

/// A file of a table, to be read.
#[derive(Clone, Debug)]
pub(crate) struct DataFile {
    pub(crate) path: String,
    pub(crate) size: u64,
    pub(crate) partition: HashMap<String, Option<String>>,
}

impl DataFile {
    /// [`Kind::Invalid`] if a deletion vector says which of its rows do not count.
    pub(crate) fn of(add: &Add) -> Result<Self> {
        if add.deletion_vector.is_some() {
            return Err(Error::invalid(format!(
                "rows of {} were deleted by a deletion vector, which is not read here; REORG TABLE … APPLY (PURGE) writes such files anew",
                add.path
            )));
        }
        Ok(DataFile {
            path: add.path.clone(),
            size: u64::try_from(add.size).unwrap_or(0),
            partition: add.partition_values.clone(),
        })
    }
}

/// The rows of a file with the columns of `schema`: by name from the file or from its partition, NULL if neither has one or nobody
/// looks.
pub(crate) async fn rows_of(
    store: Arc<dyn ObjectStore>,
    file: DataFile,
    schema: SchemaRef,
    wanted: &Wanted,
) -> Result<impl Stream<Item = Result<RecordBatch>> + Send + use<>> {
    let path = ObjectPath::parse(&file.path).doing(Kind::Data, || format!("a file called {}", file.path))?;
    #[allow(deprecated, reason = "as above")]
    let reader = ParquetObjectReader::new(store, path).with_file_size(file.size);
    let opened = ParquetRecordBatchStreamBuilder::new(reader).await;
    let builder = opened.map_err(|e| broken(&file.path, e))?;
    let arranged = Arranged::new(builder.schema(), schema, &file, wanted)?;
    let mask = ProjectionMask::roots(builder.parquet_schema(), arranged.read.iter().copied());
    let rows = builder.with_projection(mask).with_batch_size(BATCH_ROWS).build();
    let rows = rows.map_err(|e| broken(&file.path, e))?;
    Ok(rows.map(move |rows| arranged.arrange(&rows.map_err(|e| broken(&file.path, e))?, &file.path)))
}

/// A file that was deleted is told from a store that does not answer.
fn broken(path: &str, error: parquet::errors::ParquetError) -> Error {
    let gone = || {
        Error::data(format!(
            "{path} of the Delta table is not there any more, deleted by a vacuum perhaps; start a new query, or from a later version"
        ))
    };
    match error {
        parquet::errors::ParquetError::External(external) => match external.downcast::<object_store::Error>()
        {
            Ok(error) if matches!(*error, object_store::Error::NotFound { .. }) => gone().caused_by(*error),
            Ok(error) => failed(format!("reading {path}"), *error),
            Err(error) => Error::new(Kind::Unavailable, format!("reading {path}")).caused_by(error),
        },
        error => Error::data(format!("{path} of the Delta table is damaged")).caused_by(error),
    }
}

/// Where each column comes from.
struct Arranged {
    schema: SchemaRef,
    from: Vec<From>,
    /// Indices of the file's columns to read.
    read: Vec<usize>,
}

enum From {
    File(String),
    /// One value for all rows.
    Constant(ArrayRef),
    Nowhere,
}

impl Arranged {
    fn new(file: &SchemaRef, schema: SchemaRef, of: &DataFile, wanted: &Wanted) -> Result<Self> {
        let mut read = Vec::new();
        let mut from = Vec::new();
        for (index, field) in schema.fields().iter().enumerate() {
            if !wanted.has(index) {
                from.push(From::Nowhere);
                continue;
            }
            let partition = of.partition.iter().find(|(name, _)| name.eq_ignore_ascii_case(field.name()));
            if let Some((_, value)) = partition {
                from.push(From::Constant(constant(field, value.as_deref())?));
                continue;
            }
            let same = |(_, f): &(usize, &FieldRef)| f.name().eq_ignore_ascii_case(field.name());
            match file.fields().iter().enumerate().find(same) {
                Some((at, found)) => {
                    read.push(at);
                    from.push(From::File(found.name().clone()));
                }
                None => from.push(From::Nowhere),
            }
        }
        Ok(Arranged { schema, from, read })
    }

    fn arrange(&self, rows: &RecordBatch, path: &str) -> Result<RecordBatch> {
        let doing = || format!("the rows of {path}");
        let column = |(from, field): (&From, &FieldRef)| -> Result<ArrayRef> {
            match from {
                From::File(name) => match rows.column_by_name(name) {
                    Some(column) => cast(column, field.data_type()).doing(Kind::Data, doing),
                    None => Ok(new_null_array(field.data_type(), rows.num_rows())),
                },
                From::Constant(value) => {
                    let all = UInt32Array::from(vec![0; rows.num_rows()]);
                    take(value, &all, None).doing(Kind::Internal, doing)
                }
                From::Nowhere => Ok(new_null_array(field.data_type(), rows.num_rows())),
            }
        };
        let columns = self.from.iter().zip(self.schema.fields()).map(column).collect::<Result<_>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
        RecordBatch::try_new_with_options(self.schema.clone(), columns, &options).doing(Kind::Data, doing)
    }
}

fn cast(column: &ArrayRef, to: &DataType) -> Result<ArrayRef, arrow::error::ArrowError> {
    if column.data_type() == to {
        return Ok(column.clone());
    }
    cast_with_options(column, to, &CastOptions { safe: false, ..CastOptions::default() })
}

/// The value of a partition column, from its text in the log.
fn constant(field: &Field, value: Option<&str>) -> Result<ArrayRef> {
    let text: ArrayRef = Arc::new(StringArray::from(vec![value.filter(|text| !text.is_empty())]));
    let kind = known_type(field.data_type());
    let read = match &kind {
        // Written in UTC, with a zone or without.
        DataType::Timestamp(unit, Some(_)) => cast(&text, &DataType::Timestamp(*unit, None))
            .or_else(|_| cast(&text, &kind))
            .and_then(|time| cast(&time, &kind)),
        _ => cast(&text, &kind),
    };
    let read = read.and_then(|value| cast(&value, field.data_type()));
    read.doing(Kind::Data, || format!("the value {value:?} of the partition column {}", field.name()))
}
