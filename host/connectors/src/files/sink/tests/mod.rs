//! The file sink as a query and a reader of its output see it.

mod crash;
mod hosts;
mod output;

use super::*;
use crate::formats::encode::cell::{Style, cells};
use ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use engine::{EpochWriter, Partition, Token};
use std::{fs, path::Path};

const SINK: &str = "out";

fn query() -> QueryId {
    QueryId("q1".into())
}

fn sink_with(path: &Path, options: FileSinkOptions) -> FileSink {
    FileSink::new(FileSinkSettings::new(path), options).unwrap()
}

fn sink(path: &Path) -> FileSink {
    sink_with(path, FileSinkOptions::default())
}

fn numbers(values: impl IntoIterator<Item = i64>) -> RecordBatch {
    let values: ArrayRef = Arc::new(Int64Array::from_iter_values(values));
    RecordBatch::try_from_iter([("n", values)]).unwrap()
}

fn begin_of(epoch: u64) -> Begin {
    Begin { partitions: 2, ..Begin::of(&query().0, SINK, epoch, numbers([]).schema()) }
}

/// The rows of an epoch: three in each of two partitions.
fn rows_of(epoch: u64) -> [RecordBatch; 2] {
    let from = epoch as i64 * 10;
    [numbers(from..from + 3), numbers(from + 5..from + 8)]
}

fn values_of(epochs: impl IntoIterator<Item = u64>) -> Vec<i64> {
    epochs
        .into_iter()
        .flat_map(|e| e as i64 * 10..e as i64 * 10 + 8)
        .filter(|v| ![3, 4].contains(&(v % 10)))
        .collect()
}

async fn writer(sink: &FileSink, begin: &Begin) -> Result<Box<dyn EpochWriter>> {
    match sink.begin(begin).await? {
        Begun::Writer(writer) => Ok(writer),
        Begun::Stored(token) => panic!("epoch {} is stored: {token:?}", begin.epoch),
    }
}

async fn write(writer: &dyn EpochWriter, rows: impl IntoIterator<Item = RecordBatch>) -> Result<()> {
    for (partition, rows) in (0..).zip(rows) {
        writer.write(Partition(partition), rows).await?;
    }
    Ok(())
}

/// Runs an epoch as the engine does, and answers what its commit record would hold.
async fn run(sink: &FileSink, epoch: u64) -> Result<Token> {
    match sink.begin(&begin_of(epoch)).await? {
        Begun::Stored(token) => Ok(token),
        Begun::Writer(writer) => {
            write(writer.as_ref(), rows_of(epoch)).await?;
            writer.commit().await
        }
    }
}

/// The paths that a reader takes for data, relative to the output, sorted.
fn visible(output: &Path) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    let mut folders = vec![output.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let (path, name) = entry.map(|e| (e.path(), e.file_name())).unwrap();
            match name.to_string_lossy().starts_with(['.', '_']) {
                true => {}
                false if path.is_dir() => folders.push(path),
                false => paths.push(path),
            }
        }
    }
    paths.sort();
    paths
}

fn read_parquet(path: &Path) -> Vec<RecordBatch> {
    let file = fs::File::open(path).unwrap();
    ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap().map(Result::unwrap).collect()
}

/// Every value that a reader of these files sees, sorted.
fn values_in(paths: impl IntoIterator<Item = PathBuf>) -> Vec<i64> {
    let style = Style { zone: TimeZone::UTC, iso: false };
    let mut values = Vec::new();
    for rows in paths.into_iter().flat_map(|path| read_parquet(&path)) {
        let cell = cells(rows.column(0), &style).unwrap();
        for row in 0..rows.num_rows() {
            let mut text = String::new();
            cell(row, &mut text);
            values.push(text.parse().unwrap());
        }
    }
    values.sort();
    values
}

/// What somebody reads who lists the directory.
fn plain(output: &Path) -> Vec<i64> {
    values_in(visible(output))
}

/// What somebody reads who asks the manifests.
fn by_manifest(output: &Path) -> Vec<i64> {
    values_in(published(output, &query()).unwrap().into_iter().map(|f| f.path))
}

fn staging(output: &Path) -> Vec<String> {
    disk::names(&output.join(".streamhost/q1/out/staging")).unwrap()
}
