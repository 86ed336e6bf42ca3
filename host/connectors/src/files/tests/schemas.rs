//! Files that do not agree about their columns.

use super::{
    Reach, at_dir, batches, content::parquet, fails, limited, options, put, read_all, restarted, started,
    table,
};
use crate::source::{Limit, OnBadData, SourceOptions};
use engine::{Kind, Source};

/// Two files that have an INT and a text in the same column.
fn two_files(extension: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let (number, text) = if extension == "csv" { ("1", "x") } else { ("{\"a\":1}", "{\"a\":\"x\"}") };
    put(&dir, &format!("0.{extension}"), number, 0);
    put(&dir, &format!("1.{extension}"), text, 1);
    dir
}

#[tokio::test]
async fn a_file_with_another_type_is_rows_of_null_or_an_error_that_names_it() {
    for extension in ["json", "csv"] {
        let dir = two_files(extension);
        assert_eq!(table(&read_all(at_dir(&dir), options("a INT")).await.unwrap()), "a\n1\n\n");
        let fail = SourceOptions { on_bad_data: OnBadData::Fail, ..options("a INT") };
        let error = fails(at_dir(&dir), fail).await;
        assert_eq!(error.kind(), Kind::Data);
        assert!(error.report().contains(&format!("1.{extension}, line 1, ")), "{}", error.report());
        assert!(error.report().contains("column \"a\" is INT"), "{}", error.report());
    }
}

#[tokio::test]
async fn a_type_that_is_inferred_holds_what_all_files_have() {
    let dir = two_files("json");
    let source = started(at_dir(&dir), options("infer"), Reach::Once).await;
    let range = source.latest(None).await.unwrap().unwrap().range;
    assert_eq!(range.detail["schema"], "a STRING");
    assert_eq!(table(&batches(&source, &range, 1).await.unwrap()), "a\n1\nx\n");
    let dir = two_files("csv");
    assert_eq!(table(&read_all(at_dir(&dir), options("infer")).await.unwrap()), "_c0\n1\nx\n");
}

#[tokio::test]
async fn a_file_that_comes_after_its_type_was_inferred_is_held_to_it() {
    let dir = tempfile::tempdir().unwrap();
    put(&dir, "0.json", "{\"a\":1}", 0);
    let options = SourceOptions { on_bad_data: OnBadData::Fail, ..options("infer") };
    let first = started(at_dir(&dir), options.clone(), Reach::AvailableNow).await;
    let range = first.latest(None).await.unwrap().unwrap().range;
    put(&dir, "1.json", "{\"a\":\"x\"}", 1);
    let second = restarted(at_dir(&dir), options, &[&range], Reach::AvailableNow).await;
    let next = second.latest(Some(&range.end)).await.unwrap().unwrap().range;
    let error = batches(&second, &next, 1).await.unwrap_err();
    assert!(error.report().contains("1.json, line 1, byte 6: column \"a\" is BIGINT"), "{}", error.report());
}

#[tokio::test]
async fn parquet_files_of_different_types_are_widened_or_named() {
    let dir = tempfile::tempdir().unwrap();
    put(&dir, "0.parquet", parquet("a INT", 1), 0);
    put(&dir, "1.parquet", parquet("a BIGINT", 2), 1);
    let read = read_all(at_dir(&dir), SourceOptions::default()).await.unwrap();
    assert_eq!(table(&read), "a\n0\n0\n1\n");
    put(&dir, "2.parquet", parquet("a STRING", 1), 2);
    let error = fails(at_dir(&dir), SourceOptions::default()).await;
    assert_eq!(error.kind(), Kind::Data);
    let says = "2.parquet: column \"a\" is STRING, but the schema says INT; correct the schema";
    assert!(error.report().contains(says), "{}", error.report());
}

#[tokio::test]
async fn a_parquet_value_that_does_not_fit_is_no_damage() {
    let dir = tempfile::tempdir().unwrap();
    put(&dir, "f.parquet", parquet("a INT", 300), 0);
    let error = fails(at_dir(&dir), options("a TINYINT")).await;
    assert_eq!(error.kind(), Kind::Data);
    let says = "f.parquet: rows 129 to";
    assert!(error.report().contains(says) && error.report().contains("TINYINT"), "{}", error.report());
}

#[tokio::test]
async fn new_columns_extend_the_schema_from_their_range_on() {
    let dir = tempfile::tempdir().unwrap();
    put(&dir, "0.json", "{\"a\":1}\n", 0);
    put(&dir, "1.json", "{\"a\":2,\"new\":true}\n", 1);
    let evolving = SourceOptions { evolve: true, ..limited("a INT", Limit::Files(1)) };
    let source = started(at_dir(&dir), evolving, Reach::AvailableNow).await;
    let first = source.latest(None).await.unwrap().unwrap().range;
    source.release(&first).await.unwrap();
    let second = source.latest(Some(&first.end)).await.unwrap().unwrap().range;
    assert_eq!(table(&batches(&source, &second, 1).await.unwrap()), "a|new\n2|true\n");
    source.release(&second).await.unwrap();
    assert_eq!(table(&batches(&source, &first, 1).await.unwrap()), "a\n1\n");
    assert_eq!(source.schema(Some(&first)).unwrap().fields().len(), 1);
    assert_eq!(source.schema(None).unwrap().fields().len(), 2);
}

#[tokio::test]
async fn columns_that_came_later_are_known_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let options = SourceOptions { evolve: true, ..limited("a INT", Limit::Files(1)) };
    put(&dir, "0.json", "{\"a\":1}\n", 0);
    put(&dir, "1.json", "{\"a\":2,\"new\":true}\n", 1);
    let first = started(at_dir(&dir), options.clone(), Reach::AvailableNow).await;
    let one = first.latest(None).await.unwrap().unwrap().range;
    first.release(&one).await.unwrap();
    let two = first.latest(Some(&one.end)).await.unwrap().unwrap().range;
    // It dies before the second epoch is committed.
    put(&dir, "2.json", "{\"a\":3}\n", 2);
    let second = restarted(at_dir(&dir), options, &[&one, &two], Reach::AvailableNow).await;
    assert_eq!(second.schema(Some(&one)).unwrap().fields().len(), 1);
    assert_eq!(table(&batches(&second, &two, 1).await.unwrap()), "a|new\n2|true\n");
    second.release(&two).await.unwrap();
    let three = second.latest(Some(&two.end)).await.unwrap().unwrap().range;
    assert_eq!(table(&batches(&second, &three, 1).await.unwrap()), "a|new\n3|\n");
    assert_eq!(table(&batches(&second, &one, 1).await.unwrap()), "a\n1\n");
}
