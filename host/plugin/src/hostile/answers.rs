//! Answers that make no sense.

use super::*;
use crate::ipc;
use arrow::datatypes::{DataType, Field, Schema};

fn schema(names: &[&str]) -> Vec<u8> {
    let fields: Vec<_> = names.iter().map(|name| Field::new(*name, DataType::Int64, true)).collect();
    ipc::encode_schema(&Schema::new(fields)).unwrap()
}

/// An answer of kind `kind` that is the `size` bytes from address `at` on.
fn bytes(kind: u8, at: u32, size: u32) -> String {
    format!(
        "(i32.store8 offset=4 (local.get $answer) (i32.const {kind}))
         (i32.store offset=8 (local.get $answer) (i32.const {at}))
         (i32.store offset=12 (local.get $answer) (i32.const {size}))"
    )
}

/// Errors in these rows, all others kept.
fn errors(rows: &[u32]) -> String {
    let list = rows.iter().zip((2_048..).step_by(16)).map(|(row, at)| {
        format!(
            "(i32.store (i32.const {at}) (i32.const {row}))
             (i32.store (i32.const {}) (i32.const 512)) (i32.store (i32.const {}) (i32.const 7))",
            at + 8,
            at + 12
        )
    });
    let list: String = list.collect();
    format!(
        "{list} {} (i32.store offset=32 (local.get $answer) (i32.const 2048))
         (i32.store offset=36 (local.get $answer) (i32.const {}))",
        bytes(1, 4_096, 8),
        rows.len()
    )
}

async fn refusal(guest: &Guest) -> String {
    let said = failure(guest, |_| {}).await;
    let start = "Plugin: plugin hostile 0.0.1 (step guarded), epoch 7, a.json, lines 1-64: it broke the plugin contract: ";
    said.strip_prefix(start).unwrap_or_else(|| panic!("{said}")).to_owned()
}

#[tokio::test]
async fn a_bitmap_of_another_length_is_refused() {
    let said = refusal(&Guest::answering(&bytes(1, 4_096, 7))).await;
    assert_eq!(said, "its bitmap has 7 bytes where 64 rows take 8");
}

#[tokio::test]
async fn an_answer_of_another_kind_than_agreed_is_refused() {
    let said = refusal(&Guest::answering(&bytes(0, 4_096, 0))).await;
    assert!(said.contains("agreed in `bind` to keep the input's columns"), "{said}");
}

#[tokio::test]
async fn bytes_that_are_no_arrow_are_refused() {
    let guest = Guest { output: (true, schema(&["y"])), ..Guest::answering(&bytes(2, 512, 12)) };
    let said = refusal(&guest).await;
    assert!(said.contains("Arrow"), "{said}");
}

#[tokio::test]
async fn added_columns_of_too_few_rows_are_refused() {
    let guest = Guest { output: (true, schema(&["y"])), ..Guest::answering(&bytes(2, 512, 0)) };
    assert_eq!(refusal(&guest).await, "it adds columns of 0 rows to 64 rows");
}

#[tokio::test]
async fn an_error_in_a_row_that_was_not_given_is_refused() {
    assert_eq!(refusal(&Guest::answering(&errors(&[64]))).await, "it reports an error in row 64 of 64");
}

#[tokio::test]
async fn an_error_reported_twice_is_refused() {
    assert_eq!(refusal(&Guest::answering(&errors(&[3, 3]))).await, "it reports row 3 twice");
}

#[tokio::test]
async fn a_row_both_kept_and_in_error_is_refused() {
    let all = format!("(i64.store (i32.const 4096) (i64.const -1)) {}", errors(&[3]));
    assert_eq!(refusal(&Guest::answering(&all)).await, "it keeps row 3, which it reports as an error");
}

async fn bind_refusal(output: (bool, Vec<u8>)) -> String {
    let guest = Guest { output, ..Guest::default() };
    let plugin = load(&runtime_with(Arc::new(SystemClock::new())), &guest.component()).await.unwrap();
    let error = plugin.bind(BindSettings::new("guarded", input())).await.err().unwrap();
    assert_eq!(error.kind(), engine::Kind::Invalid, "{}", error.report());
    error.report()
}

#[tokio::test]
async fn columns_that_are_there_already_are_refused() {
    let said = bind_refusal((true, schema(&["X"]))).await;
    assert_eq!(said, "step guarded: plugin hostile 0.0.1: its output would have the column `X` twice");
}

#[tokio::test]
async fn duplicate_columns_are_refused() {
    assert!(bind_refusal((false, schema(&["a", "A"]))).await.contains("its output has the column `A` twice"));
}

#[tokio::test]
async fn a_schema_that_is_no_schema_is_refused() {
    let plugin = Guest { output: (false, vec![1, 2, 3]), ..Guest::default() };
    let plugin = load(&runtime_with(Arc::new(SystemClock::new())), &plugin.component()).await.unwrap();
    let error = plugin.bind(BindSettings::new("guarded", input())).await.err().unwrap();
    assert!(error.report().contains("the schema of its output"), "{}", error.report());
}
