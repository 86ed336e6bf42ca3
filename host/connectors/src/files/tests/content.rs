//! What is in files, good and bad.

use super::{at_dir, batches, fails, options, put, read_all, started, table};
use crate::{
    files::{FileFormat, FilesSettings, MetadataField},
    source::{OnBadData, SourceOptions},
    units::ByteSize,
};
use arrow::array::RecordBatch;
use engine::{Kind, Reach, Result, Source};
use std::{fs, sync::Arc};
use tempfile::TempDir;

#[tokio::test]
async fn partition_directories_and_metadata_become_columns() {
    let dir = tempfile::tempdir().unwrap();
    put(&dir, "day=2025-01-02/f.csv", "1\n2\n", 0);
    let settings =
        FilesSettings { metadata: vec![MetadataField::FileName, MetadataField::FileSize], ..at_dir(&dir) };
    let read = read_all(settings, options("day DATE, n INT")).await.unwrap();
    let meta = "{file_name: f.csv, file_size: 4}";
    assert_eq!(table(&read), format!("day|n|_metadata\n2025-01-02|1|{meta}\n2025-01-02|2|{meta}\n"));
}

#[tokio::test]
async fn bad_rows_are_nulls_or_dropped_or_end_the_query() {
    let dir = tempfile::tempdir().unwrap();
    put(
        &dir,
        "f.json",
        b"{\"a\":1}\n{\"a\":\"x\",\"b\":true}\noops\n{\"a\":3000000000}\n\xff\n{\"a\":6}\n",
        0,
    );
    let read = read_all(at_dir(&dir), options("a INT, b BOOLEAN, _corrupt_record STRING")).await.unwrap();
    let expected = "a|b|_corrupt_record\n1||\n|true|{\"a\":\"x\",\"b\":true}\n||oops\n||{\"a\":3000000000}\n||\u{fffd}\n6||\n";
    assert_eq!(table(&read), expected);
    let drop = SourceOptions { on_bad_data: OnBadData::Drop, ..options("a INT, b BOOLEAN") };
    let read = read_all(at_dir(&dir), drop).await.unwrap();
    assert_eq!(table(&read), "a|b\n1|\n6|\n");
    assert!(read[0].origin.position(1).to_string().ends_with("f.json, line 6"));
    let fail = SourceOptions { on_bad_data: OnBadData::Fail, ..options("a INT, b BOOLEAN") };
    let error = fails(at_dir(&dir), fail).await;
    assert_eq!(error.kind(), Kind::Data);
    assert!(
        error.report().contains("f.json, line 2, byte 6: column \"a\" is INT, but the value is no number"),
        "{}",
        error.report()
    );
}

/// What is read of `f.json` if a plan looks at column `a` alone, and how many of its rows were bad.
async fn read_column_a(dir: &TempDir, options: SourceOptions) -> Result<(String, u64)> {
    let source = started(at_dir(dir), options, Reach::Once).await;
    source.want([0].into_iter().collect());
    let planned = source.latest(None).await?.unwrap();
    let read = batches(&source, &planned.range, 2).await?;
    Ok((table(&read), source.bad_rows().count))
}

#[tokio::test]
async fn values_that_nobody_looks_at_are_not_read() {
    let dir = tempfile::tempdir().unwrap();
    put(&dir, "f.json", "{\"b\":\"x\",\"a\":1}\n{\"a\":2,\"b\":true}\n{\"a\":\"y\"}\n{\"a\":4,\"b\":\n", 0);
    let columns = "a INT, b BOOLEAN, _corrupt_record STRING";
    let read = read_column_a(&dir, options(columns)).await.unwrap();
    assert_eq!(read, ("a|b|_corrupt_record\n1||\n2||\n||\n||\n".to_owned(), 2));
    let drop = SourceOptions { on_bad_data: OnBadData::Drop, ..options("a INT, b BOOLEAN") };
    let read = read_column_a(&dir, drop).await.unwrap();
    assert_eq!(read, ("a|b\n2|true\n".to_owned(), 3), "which rows are dropped is the same for every plan");
}

#[tokio::test]
async fn deep_json_and_long_lines_are_bad_rows() {
    let dir = tempfile::tempdir().unwrap();
    let deep = format!("{{\"x\":{}\n", "[".repeat(100_000));
    let long = format!("{{\"x\":\"{}\"}}\n", "x".repeat(3 << 19));
    put(&dir, "f.json", format!("{{\"a\":1}}\n{deep}{long}{{\"a\":2}}\n"), 0);
    let settings = FilesSettings { max_line_bytes: ByteSize(1 << 20), ..at_dir(&dir) };
    let read = read_all(settings, options("a INT")).await.unwrap();
    assert_eq!(table(&read), "a\n1\n\n\n2\n");
    assert_eq!(read.last().unwrap().origin.position(3).first, 4);
}

#[tokio::test]
async fn what_has_no_place_goes_to_the_rescue_column() {
    let dir = tempfile::tempdir().unwrap();
    put(&dir, "f.json", "{\"a\":1}\n{\"a\":\"x\",\"n\\\"w\":[1, 2]}\n", 0);
    let rescue = SourceOptions { rescue: Some("_rescued".into()), ..options("a INT") };
    let read = read_all(at_dir(&dir), rescue).await.unwrap();
    assert_eq!(table(&read), "a|_rescued\n1|\n|{\"a\":\"x\",\"n\\\"w\":[1, 2]}\n");
}

#[tokio::test]
async fn csv_with_a_header_is_read_by_name() {
    let dir = tempfile::tempdir().unwrap();
    put(&dir, "f.csv", "b,extra,A\nx,9,1\n\"y \\\"z\\\", \"\"q\"\"\",9,2\n,9,\n\"\",9,3\n", 0);
    let settings =
        FilesSettings { csv: Some(serde_json::from_str("{\"header\":true}").unwrap()), ..at_dir(&dir) };
    let read = read_all(settings.clone(), options("a INT, b STRING")).await.unwrap();
    assert_eq!(table(&read), "a|b\n1|x\n2|y \"z\", \"q\"\n|\n3|\n");
    assert_eq!(read[0].rows.column(1).null_count(), 1, "an empty value is NULL, one in quotes is a text");
    assert!(read[0].origin.position(0).to_string().ends_with("line 2"));
    let error = fails(settings, options("a INT, c STRING")).await;
    assert_eq!(error.kind(), Kind::Data);
    let says = "f.csv: line 1: the header has no column \"c\"; expected [a, c], found [b, extra, A]";
    assert!(error.report().contains(says), "{}", error.report());
}

#[tokio::test]
async fn csv_lines_of_another_length_are_bad_rows() {
    let dir = tempfile::tempdir().unwrap();
    put(&dir, "f.csv", "1,x\n2\n3,y,z\n4,\"open\nz,w\n", 0);
    let read = read_all(at_dir(&dir), options("a INT, b STRING, _corrupt_record STRING")).await.unwrap();
    let expected = "a|b|_corrupt_record\n1|x|\n2||2\n3|y|3,y,z\n||4,\"open\n|w|z,w\n";
    assert_eq!(table(&read), expected);
}

#[tokio::test]
async fn text_is_one_column() {
    let dir = tempfile::tempdir().unwrap();
    put(&dir, "f.txt", "a\n\nb c", 0);
    let read = read_all(at_dir(&dir), SourceOptions::default()).await.unwrap();
    assert_eq!(table(&read), "value\na\n\nb c\n");
}

pub(super) fn gzip(text: &str) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut out, text.as_bytes()).unwrap();
    out.finish().unwrap()
}

#[tokio::test]
async fn compressed_files_are_read_and_truncated_ones_named() {
    let dir = tempfile::tempdir().unwrap();
    let text = "{\"a\":1}\n{\"a\":2}\n";
    put(&dir, "f.json.gz", gzip(text), 0);
    put(&dir, "g.json.zst", zstd::encode_all(text.as_bytes(), 1).unwrap(), 1);
    let read = read_all(at_dir(&dir), options("a INT")).await.unwrap();
    assert_eq!(table(&read), "a\n1\n2\n1\n2\n");
    for name in ["f.json.gz", "g.json.zst"] {
        let dir2 = tempfile::tempdir().unwrap();
        let whole = fs::read(dir.path().join(name)).unwrap();
        put(&dir2, name, &whole[..whole.len() - 4], 0);
        let error = fails(at_dir(&dir2), options("a INT")).await;
        assert_eq!(error.kind(), Kind::Data);
        assert!(error.report().contains(name), "{}", error.report());
    }
}

pub(super) fn parquet(ddl: &str, rows: usize) -> Vec<u8> {
    let schema = Arc::new(crate::formats::ddl::parse(ddl).unwrap());
    let values = arrow::array::Int32Array::from_iter_values(0..rows as i32);
    let array = arrow::compute::cast(&values, schema.field(0).data_type()).unwrap();
    let batch = RecordBatch::try_new(schema.clone(), vec![array]).unwrap();
    let groups =
        parquet::file::properties::WriterProperties::builder().set_max_row_group_row_count(Some(4)).build();
    let mut writer = parquet::arrow::ArrowWriter::try_new(Vec::new(), schema, Some(groups)).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap()
}

#[tokio::test]
async fn parquet_is_read_by_name_and_widened() {
    let dir = tempfile::tempdir().unwrap();
    put(&dir, "f.parquet", parquet("a INT", 10), 0);
    let read = read_all(at_dir(&dir), options("b STRING, a BIGINT")).await.unwrap();
    assert_eq!(table(&read), "b|a\n|0\n|1\n|2\n|3\n|4\n|5\n|6\n|7\n|8\n|9\n");
    assert!(read.last().unwrap().origin.position(1).to_string().ends_with("f.parquet, row 10"));
}

#[tokio::test]
async fn a_damaged_or_conflicting_parquet_file_is_an_error_that_names_it() {
    let dir = tempfile::tempdir().unwrap();
    let whole = parquet("a INT", 10);
    put(&dir, "f.parquet", &whole[..whole.len() - 10], 0);
    let error = fails(at_dir(&dir), options("a INT")).await;
    assert_eq!(error.kind(), Kind::Data);
    assert!(error.report().contains("f.parquet is no Parquet file, or is damaged"), "{}", error.report());
    put(&dir, "f.parquet", parquet("a STRING", 10), 0);
    let error = fails(at_dir(&dir), options("a INT")).await;
    assert!(
        error.report().contains("f.parquet: column \"a\" is STRING, but the schema says INT"),
        "{}",
        error.report()
    );
}

#[tokio::test]
async fn a_format_that_nothing_tells_is_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    put(&dir, "f.data", "{}", 0);
    let error = fails(at_dir(&dir), options("a INT")).await;
    assert_eq!(error.kind(), Kind::Invalid);
    assert!(error.report().contains("set `format`"), "{}", error.report());
    let settings = FilesSettings { format: Some(FileFormat::Json), ..at_dir(&dir) };
    assert_eq!(table(&read_all(settings, options("a INT")).await.unwrap()), "a\n\n");
}
