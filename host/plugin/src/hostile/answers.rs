//! Answers that make no sense.

use super::*;
use crate::ipc;
use arrow::{
    array::StringArray,
    datatypes::{DataType, Field, Schema},
};

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

/// A message of one column `y` of text, 64 rows of `aaaa`, as data of a guest at address 8192.
fn text_column() -> (Vec<u8>, Vec<u8>) {
    let schema = Arc::new(Schema::new(vec![Field::new("y", DataType::Utf8, false)]));
    let text = StringArray::from(vec!["aaaa"; 64]);
    let rows = RecordBatch::try_new(schema.clone(), vec![Arc::new(text)]).unwrap();
    let mut encoder = ipc::Encoder::new(&schema).unwrap();
    (ipc::encode_schema(encoder.schema()).unwrap(), encoder.encode(&rows).unwrap())
}

fn adding_text(message: &[u8], schema: Vec<u8>) -> Guest {
    let data: String = message.iter().map(|byte| format!("\\{byte:02x}")).collect();
    let answer = bytes(2, 8_192, message.len() as u32);
    let guest = Guest { output: (true, schema), ..Guest::answering(&answer) };
    guest.with_behind(&format!("(data (i32.const 8192) \"{data}\")"))
}

#[tokio::test]
async fn text_that_is_not_utf_8_is_refused_in_a_column() {
    let (schema, mut message) = text_column();
    let step = bound(&adding_text(&message, schema.clone()), |_| {}).await;
    assert_eq!(run(&step, 0..64).await.unwrap()[0].1.rows.num_columns(), 2, "text is taken");
    let at = message.windows(4).rposition(|w| w == b"aaaa").unwrap();
    message[at] = 0xff;
    let said = refusal(&adding_text(&message, schema)).await;
    assert!(said.contains("column `y`") && said.contains("UTF-8"), "{said}");
}

/// Imports the clock of the guest.
const NOW: &str = r#"(import "wasi:clocks/monotonic-clock@0.2.0" "now" (func $now (result i64)))"#;

#[tokio::test]
async fn the_clock_of_a_guest_does_not_begin_at_zero() {
    let trap = "(if (i64.eqz (call $now)) (then unreachable))";
    let guest = Guest { on_bind: trap.into(), ..Guest::default() }.with_top(NOW);
    bound_with(Arc::new(ManualClock::new(Timestamp(0))), &guest, |_| {}).await;
}

#[tokio::test]
async fn a_new_instance_that_agrees_to_something_else_is_refused() {
    let other =
        "(if (i64.gt_u (call $now) (i64.const 500000000)) (then (i32.store8 (i32.const 336) (i32.const 0))))";
    let guest = Guest { on_bind: other.into(), ..Guest::default() }.with_top(NOW);
    let clock = Arc::new(ManualClock::new(Timestamp(0)));
    let step = bound_with(clock.clone(), &guest, |_| {}).await;
    run(&step, 0..1).await.unwrap();
    clock.advance(std::time::Duration::from_secs(1));
    let said = run(&step, 0..1).await.unwrap_err();
    assert!(said.contains("a new instance answered `bind` otherwise than the first"), "{said}");
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
async fn a_dead_letters_column_that_the_input_has_already_is_refused() {
    let taken = Arc::new(Schema::new(vec![
        Field::new("x", DataType::Int64, false),
        Field::new("_error", DataType::Utf8, true),
    ]));
    let plugin =
        runtime_with(Arc::new(SystemClock::new())).empty_plugin().await.map_err(|e| e.report()).unwrap();
    let settings = BindSettings::new("guarded", taken);
    assert!(plugin.bind(settings.clone()).await.is_ok(), "without dead letters it is a column as any other");
    let error = plugin.bind(BindSettings { on_error: OnError::DeadLetter, ..settings }).await.err().unwrap();
    assert_eq!(
        (error.kind(), error.report()),
        (
            engine::Kind::Invalid,
            "step guarded: plugin empty 0.1.0: its input has a column `_error`, which dead letters add: \
             rename that column in a step before"
                .into()
        )
    );
}

#[tokio::test]
async fn a_schema_that_is_no_schema_is_refused() {
    let plugin = Guest { output: (false, vec![1, 2, 3]), ..Guest::default() };
    let plugin = load(&runtime_with(Arc::new(SystemClock::new())), &plugin.component()).await.unwrap();
    let error = plugin.bind(BindSettings::new("guarded", input())).await.err().unwrap();
    assert!(error.report().contains("the schema of its output"), "{}", error.report());
}
