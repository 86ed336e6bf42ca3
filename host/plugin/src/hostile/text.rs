//! Text of a guest that is not UTF-8, wherever a guest may put text.

use super::*;

/// Not UTF-8, at address 700.
const SPOIL: &str = "(i32.store8 (i32.const 700) (i32.const 255))";
const NO_TEXT: &str = "invalid utf-8 sequence";

/// Puts the address of what is no text, and its length, at address `at`.
fn text_at(at: u32) -> String {
    format!("(i32.store (i32.const {at}) (i32.const 700)) (i32.store (i32.const {}) (i32.const 1))", at + 4)
}

/// One element of a list of the answer; `element` is its address.
fn answering(offset: u32, element: &str) -> Guest {
    Guest::answering(&format!(
        "{SPOIL}{}{element}
         (i32.store offset={offset} (local.get $answer) (i32.const 2048))
         (i32.store offset={} (local.get $answer) (i32.const 1))",
        guest::KEEP_ALL,
        offset + 4
    ))
}

#[tokio::test]
async fn in_what_it_says_of_itself_it_is_refused() {
    let guest = Guest::on_start("(i32.store8 (i32.const 512) (i32.const 255))");
    let error = load(&runtime_with(Arc::new(SystemClock::new())), &guest.component()).await.err().unwrap();
    assert_eq!(error.kind(), engine::Kind::Plugin);
    assert!(error.report().contains(NO_TEXT), "{}", error.report());
}

#[tokio::test]
async fn in_the_name_of_a_column_or_of_a_side_output_it_is_refused_in_bind() {
    let list = |at: u32| {
        format!(
            "(i32.store (i32.const {at}) (i32.const 2048)) (i32.store (i32.const {}) (i32.const 1))",
            at + 4
        )
    };
    let reads = format!("(i32.store8 (i32.const 324) (i32.const 1)) {}", list(328));
    for named in [reads, list(348)] {
        let on_bind = format!("{SPOIL}{}{named}", text_at(2_048));
        let guest = Guest { on_bind, ..Guest::default() };
        let plugin = load(&runtime_with(Arc::new(SystemClock::new())), &guest.component()).await.unwrap();
        let error = plugin.bind(BindSettings::new("guarded", input())).await.err().unwrap();
        assert!(error.report().contains(NO_TEXT), "{}", error.report());
    }
}

#[tokio::test]
async fn in_the_message_of_a_row_error_it_is_refused() {
    let said = failure(&answering(32, &text_at(2_056)), |_| {}).await;
    assert!(said.contains("epoch 7") && said.contains(NO_TEXT), "{said}");
}

#[tokio::test]
async fn in_the_name_of_a_side_output_it_is_refused() {
    let said = failure(&answering(24, &text_at(2_048)), |_| {}).await;
    assert!(said.contains("epoch 7") && said.contains(NO_TEXT), "{said}");
}

#[tokio::test]
async fn in_the_reason_of_a_failure_it_is_refused() {
    let fail = format!(
        "{SPOIL} (i32.store8 (local.get $answer) (i32.const 1)) (i32.store8 offset=4 (local.get $answer) (i32.const 2))
         (i32.store offset=8 (local.get $answer) (i32.const 700)) (i32.store offset=12 (local.get $answer) (i32.const 1))
         (return (local.get $answer))"
    );
    let said = failure(&Guest::on_call(&fail), |_| {}).await;
    assert!(said.contains("epoch 7") && said.contains(NO_TEXT), "{said}");
}
