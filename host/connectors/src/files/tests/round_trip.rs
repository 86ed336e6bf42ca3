//! What the sink writes is what the source reads.

use super::{at_dir, batches, options, put, read_all, started, table};
use crate::{
    files::{
        FilesSettings, MetadataField,
        sink::{FileSink, FileSinkOptions},
    },
    source::SourceOptions,
};
use arrow::{
    array::{ArrayRef, Int64Array, RecordBatch, StringArray},
    compute::concat_batches,
};
use engine::{Begin, Begun, Partition, Reach, Sink, Source};
use std::{fs, sync::Arc};
use tempfile::TempDir;

fn rows() -> RecordBatch {
    let text = vec![Some("a,b"), None, Some("\"q\" \\ ü"), Some("a,b"), Some("x=y/z %"), Some("1")];
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("n", Arc::new(Int64Array::from(vec![Some(1), None, Some(3), Some(4), Some(5), Some(6)]))),
        ("w", Arc::new(StringArray::from(text))),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, c)| (n, c, true))).unwrap()
}

/// Writes the rows as one epoch, with these settings besides the path.
async fn written(rest: &str) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let settings = format!("{{\"path\": {:?}, {rest}}}", dir.path());
    let sink = FileSink::new(serde_json::from_str(&settings).unwrap(), FileSinkOptions::default()).unwrap();
    let begin = Begin::of("q", "out", 0, rows().schema());
    let Begun::Writer(writer) = sink.begin(&begin).await.unwrap() else { panic!("nothing is stored yet") };
    writer.write(Partition(0), rows()).await.unwrap();
    writer.commit().await.unwrap();
    dir
}

async fn read(dir: &TempDir, options: SourceOptions) -> RecordBatch {
    let read = read_all(at_dir(dir), options).await.unwrap();
    concat_batches(&read[0].rows.schema(), read.iter().map(|b| &b.rows)).unwrap()
}

#[tokio::test]
async fn every_format_and_compression_comes_back() {
    for format in ["json", "csv", "parquet"] {
        for compression in ["none", "gzip", "zstd"] {
            let dir = written(&format!("\"format\": \"{format}\", \"compression\": \"{compression}\"")).await;
            assert_eq!(read(&dir, options("n BIGINT, w STRING")).await, rows(), "{format} {compression}");
        }
    }
}

#[tokio::test]
async fn partition_directories_come_back_as_columns() {
    for format in ["json", "csv", "parquet"] {
        let dir = written(&format!("\"format\": \"{format}\", \"partition-by\": [\"w\"]")).await;
        assert!(dir.path().join("w=__HIVE_DEFAULT_PARTITION__").is_dir());
        let back = read_all(at_dir(&dir), options("n BIGINT, w STRING")).await.unwrap();
        let mut lines: Vec<_> = table(&back).lines().map(str::to_owned).collect();
        lines.sort_unstable();
        assert_eq!(lines, ["1|a,b", "3|\"q\" \\ ü", "4|a,b", "5|x=y/z %", "6|1", "n|w", "|"], "{format}");
    }
}

#[tokio::test]
async fn metadata_says_where_a_row_is_from_as_it_was_planned() {
    let dir = tempfile::tempdir().unwrap();
    put(&dir, "k=1/f.json", "{\"a\":1}\n", 0);
    let metadata = vec![
        MetadataField::FilePath,
        MetadataField::FileName,
        MetadataField::FileSize,
        MetadataField::FileModificationTime,
    ];
    let read = read_all(FilesSettings { metadata, ..at_dir(&dir) }, options("a INT, k INT")).await.unwrap();
    let path = fs::canonicalize(dir.path()).unwrap().join("k=1/f.json");
    let expected = format!(
        "a|k|_metadata\n1|1|{{file_path: {}, file_name: f.json, file_size: 8, file_modification_time: 2023-11-14T22:13:20Z}}\n",
        path.display()
    );
    assert_eq!(table(&read), expected);
}

#[tokio::test]
async fn of_parquet_only_columns_that_somebody_looks_at_are_read() {
    let dir = written("\"format\": \"parquet\"").await;
    let source = started(at_dir(&dir), SourceOptions::default(), Reach::Once).await;
    source.want([1].into_iter().collect());
    let planned = source.latest(None).await.unwrap().unwrap();
    let read = batches(&source, &planned.range, 1).await.unwrap();
    assert_eq!(read[0].rows.schema(), rows().schema());
    assert_eq!((read[0].rows.column(0).null_count(), read[0].rows.column(1)), (6, rows().column(1)));
}
