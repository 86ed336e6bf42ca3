//! What is in the files, and what is refused.

use super::*;
use arrow::array::StringArray;
use engine::Kind;
use std::io::Read;

fn settings(json: &str) -> FileSinkSettings {
    serde_json::from_str(json).unwrap()
}

fn in_dir(dir: &tempfile::TempDir, rest: &str) -> FileSink {
    let settings = settings(&format!(r#"{{"path": {:?}{rest}}}"#, dir.path()));
    FileSink::new(settings, FileSinkOptions::default()).unwrap()
}

fn words() -> RecordBatch {
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("w", Arc::new(StringArray::from(vec![Some("a"), None, Some("b"), Some("a")]))),
        ("n", Arc::new(Int64Array::from(vec![1, 2, 3, 4]))),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

async fn run_words(sink: &FileSink, rows: RecordBatch) {
    let begin = Begin { partitions: 1, schema: rows.schema(), ..begin_of(0) };
    sink.accepts(OutputMode::Append, &rows.schema()).unwrap();
    let writer = writer(sink, &begin).await.unwrap();
    writer.write(Partition(0), rows).await.unwrap();
    writer.commit().await.unwrap();
}

fn text(dir: &tempfile::TempDir) -> Vec<(String, String)> {
    let paths = visible(dir.path()).into_iter();
    let name = |path: &Path| path.strip_prefix(dir.path()).unwrap().display().to_string();
    paths.map(|path| (name(&path), fs::read_to_string(&path).unwrap())).collect()
}

#[tokio::test]
async fn each_format_writes_what_it_says() {
    for (rest, name, content) in [
        (
            r#", "format": "json""#,
            "json",
            "{\"w\":\"a\",\"n\":1}\n{\"n\":2}\n{\"w\":\"b\",\"n\":3}\n{\"w\":\"a\",\"n\":4}\n",
        ),
        (r#", "format": "csv", "csv": {"header": true}"#, "csv", "w,n\na,1\n,2\nb,3\na,4\n"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        run_words(&in_dir(&dir, rest), words()).await;
        assert_eq!(text(&dir), [(format!("q1-0-out-0-0.{name}"), content.to_owned())]);
    }
    let dir = tempfile::tempdir().unwrap();
    run_words(&in_dir(&dir, r#", "format": "text""#), words().project(&[0]).unwrap()).await;
    assert_eq!(text(&dir), [("q1-0-out-0-0.txt".to_owned(), "a\n\nb\na\n".to_owned())]);
    let dir = tempfile::tempdir().unwrap();
    run_words(&in_dir(&dir, ""), words()).await;
    assert_eq!(read_parquet(&dir.path().join("q1-0-out-0-0.parquet")), [words()]);
}

#[tokio::test]
async fn text_files_are_compressed_as_their_extension_says() {
    let whole = "1\n2\n3\n";
    let dir = tempfile::tempdir().unwrap();
    run_words(&in_dir(&dir, r#", "format": "csv", "compression": "gzip""#), numbers(1..4)).await;
    let mut text = String::new();
    let file = fs::File::open(dir.path().join("q1-0-out-0-0.csv.gz")).unwrap();
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap();
    assert_eq!(text, whole);
    let dir = tempfile::tempdir().unwrap();
    run_words(&in_dir(&dir, r#", "format": "csv", "compression": "zstd""#), numbers(1..4)).await;
    let file = fs::File::open(dir.path().join("q1-0-out-0-0.csv.zst")).unwrap();
    assert_eq!(zstd::decode_all(file).unwrap(), whole.as_bytes());
}

#[tokio::test]
async fn every_parquet_codec_reads_back() {
    for codec in ["none", "snappy", "gzip", "zstd"] {
        let dir = tempfile::tempdir().unwrap();
        run_words(&in_dir(&dir, &format!(r#", "compression": "{codec}""#)), words()).await;
        assert_eq!(read_parquet(&visible(dir.path())[0]), [words()], "{codec}");
    }
}

#[tokio::test]
async fn partition_columns_become_directories() {
    let dir = tempfile::tempdir().unwrap();
    run_words(&in_dir(&dir, r#", "format": "json", "partition-by": ["w"]"#), words()).await;
    let files = [
        ("w=__HIVE_DEFAULT_PARTITION__/q1-0-out-0-1.json", "{\"n\":2}\n"),
        ("w=a/q1-0-out-0-0.json", "{\"n\":1}\n{\"n\":4}\n"),
        ("w=b/q1-0-out-0-2.json", "{\"n\":3}\n"),
    ];
    assert_eq!(text(&dir), files.map(|(name, text)| (name.to_owned(), text.to_owned())));
}

#[tokio::test]
async fn more_directories_than_files_may_be_open_are_written_one_after_the_other() {
    let dir = tempfile::tempdir().unwrap();
    let keys: ArrayRef = Arc::new(Int64Array::from_iter_values((0..400).map(|i| i % 200)));
    let values: ArrayRef = Arc::new(Int64Array::from_iter_values(0..400));
    let rows = RecordBatch::try_from_iter([("k", keys), ("n", values)]).unwrap();
    run_words(&in_dir(&dir, r#", "partition-by": ["k"]"#), rows).await;
    assert_eq!(plain(dir.path()), (0..400).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_full_file_is_followed_by_another() {
    let dir = tempfile::tempdir().unwrap();
    run_words(&in_dir(&dir, r#", "max-file": {"rows": 4}"#), numbers(0..10)).await;
    let sizes: Vec<_> = visible(dir.path()).iter().map(|p| read_parquet(p)[0].num_rows()).collect();
    assert_eq!(sizes, [4, 4, 2]);
    let dir = tempfile::tempdir().unwrap();
    let sink = in_dir(&dir, r#", "format": "csv", "max-file": {"bytes": "1KiB"}"#);
    let writer = writer(&sink, &begin_of(0)).await.unwrap();
    for _ in 0..5 {
        writer.write(Partition(0), numbers(0..300)).await.unwrap();
    }
    writer.commit().await.unwrap();
    assert_eq!(visible(dir.path()).len(), 5);
}

#[tokio::test]
async fn an_epoch_without_rows_is_stored_without_a_file() {
    let dir = tempfile::tempdir().unwrap();
    run_words(&in_dir(&dir, ""), numbers([])).await;
    assert!(visible(dir.path()).is_empty());
    assert!(matches!(sink(dir.path()).begin(&begin_of(0)).await.unwrap(), Begun::Stored(_)));
}

#[tokio::test]
async fn parts_of_an_unmarked_epoch_are_all_kept() {
    let dir = tempfile::tempdir().unwrap();
    let begin = Begin { marked: false, ..begin_of(0) };
    for part in 0..3 {
        let writer = writer(&sink(dir.path()), &begin).await.unwrap();
        write(writer.as_ref(), rows_of(part)).await.unwrap();
        writer.commit().await.unwrap();
    }
    assert_eq!(plain(dir.path()), values_of(0..3));
    assert_eq!(by_manifest(dir.path()), values_of(0..3));
}

#[tokio::test]
async fn an_output_that_cannot_be_written_is_unavailable_and_named() {
    let dir = tempfile::tempdir().unwrap();
    let blocked = dir.path().join("file");
    fs::write(&blocked, "").unwrap();
    let error = sink(&blocked).open(&query(), SINK).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable);
    assert!(error.report().contains(&blocked.display().to_string()), "{}", error.report());
}

#[test]
fn a_full_disk_is_unavailable() {
    for encoding in [Encoding::Parquet, Encoding::Json(JsonOutput::default())] {
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let schema = words().schema();
        let mut file = encoding.file(Codec::None, &schema, &TimeZone::UTC, full).unwrap();
        let error = file.write(&words()).and_then(|()| file.finish()).unwrap_err();
        assert_eq!(error.kind(), Kind::Unavailable, "{}", error.report());
        assert!(error.report().contains("No space left"), "{}", error.report());
    }
}

#[tokio::test]
async fn a_damaged_manifest_is_an_error_that_names_it() {
    let dir = tempfile::tempdir().unwrap();
    run(&sink(dir.path()), 0).await.unwrap();
    let manifest = dir.path().join(".streamhost/q1/out/manifests/0");
    fs::write(&manifest, "{\"version\":1").unwrap();
    let error = run(&sink(dir.path()), 0).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Internal);
    assert!(error.report().contains("manifests/0 is damaged"), "{}", error.report());
}

#[test]
fn what_cannot_be_kept_is_refused_with_what_would_work() {
    let refusal = |json: &str, mode, rows: &RecordBatch| {
        let sink = FileSink::new(settings(json), FileSinkOptions::default())?;
        sink.accepts(mode, &rows.schema())
    };
    let says = |json: &str, mode, words: &RecordBatch, what: &str| {
        let error = refusal(json, mode, words).unwrap_err();
        assert_eq!(error.kind(), Kind::Invalid);
        assert!(error.report().contains(what), "{}", error.report());
    };
    let append = OutputMode::Append;
    says(r#"{"path": "out"}"#, OutputMode::Complete, &words(), "mode = \"append\"");
    says(r#"{"path": "out", "format": "text"}"#, append, &words(), "one STRING column");
    says(
        r#"{"path": "out", "format": "csv", "compression": "snappy"}"#,
        append,
        &words(),
        "gzip, zstd or none",
    );
    says(r#"{"path": "out", "partition-by": ["x"]}"#, append, &words(), "no column x");
    says(r#"{"path": "out", "csv": {"header": true}}"#, append, &words(), "format = \"csv\"");
    assert_eq!(refusal(r#"{"path": "out"}"#, append, &words()).unwrap(), Guarantee::ExactlyOnce);
}

#[test]
fn a_misspelled_setting_is_refused_and_a_format_follows_from_the_path() {
    assert!(serde_json::from_str::<FileSinkSettings>(r#"{"path": "out", "formt": "csv"}"#).is_err());
    assert_eq!(settings(r#"{"path": "out.csv"}"#).encoding().unwrap().name(), "csv");
    assert_eq!(settings(r#"{"path": "out"}"#).encoding().unwrap().name(), "parquet");
}
