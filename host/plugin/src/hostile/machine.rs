//! What a guest sees of the machine it runs on.

use super::*;
use std::time::Duration;

const CLOCK: &str = r#"
  (import "wasi:clocks/monotonic-clock@0.2.0" "subscribe-duration" (func $subscribe (param i64) (result i32)))
  (import "wasi:io/poll@0.2.0" "[method]pollable.block" (func $block (param i32)))"#;

#[tokio::test(flavor = "current_thread")]
async fn a_guest_that_blocks_in_a_host_call_ends_with_its_time_on_the_clock() {
    let clock = Arc::new(ManualClock::new(Timestamp(0)));
    let guest = Guest::on_call("(call $block (call $subscribe (i64.const 3600000000000)))").with_top(CLOCK);
    let step = bound_with(clock.clone(), &guest, |_| {}).await;
    let advance = async {
        for _ in 0..100 {
            tokio::task::yield_now().await;
            clock.advance(Duration::from_secs(1));
        }
    };
    let (ended, ()) = tokio::join!(run(&step, 0..1), advance);
    let said = ended.unwrap_err();
    assert!(said.contains("one call took longer than 10s (limits.wall-per-call)"), "{said}");
}

#[tokio::test]
async fn a_guest_that_opens_resources_for_ever_crashes() {
    let open = "(loop $more (drop (call $subscribe (i64.const 1))) (br $more))";
    let said = failure(&Guest::on_call(open).with_top(CLOCK), |_| {}).await;
    assert!(said.contains("table has no free keys") || said.contains("full"), "{said}");
}

#[tokio::test]
async fn there_are_no_files_variables_or_arguments() {
    let top = r#"
      (import "wasi:cli/environment@0.2.0" "get-environment" (func $variables (param i32)))
      (import "wasi:cli/environment@0.2.0" "get-arguments" (func $arguments (param i32)))
      (import "wasi:filesystem/preopens@0.2.0" "get-directories" (func $directories (param i32)))"#;
    let look = ["$variables", "$arguments", "$directories"]
        .map(|f| format!("(call {f} (i32.const 640)) (if (i32.load (i32.const 644)) (then unreachable))"))
        .concat();
    let step = bound(&Guest::on_call(&look).with_top(top), |_| {}).await;
    assert_eq!(values(&run(&step, 0..3).await.unwrap(), 0), [0, 1, 2]);
}

#[tokio::test]
async fn a_made_up_directory_opens_no_file() {
    let top = r#"(import "wasi:filesystem/types@0.2.0" "[method]descriptor.open-at"
        (func $open (param i32 i32 i32 i32 i32 i32 i32)))"#;
    for descriptor in [0, 1, 3, 4, -1] {
        let open = format!(
            "(call $open (i32.const {descriptor}) (i32.const 1) (i32.const 512) (i32.const 7)
               (i32.const 0) (i32.const 1) (i32.const 640))"
        );
        let said = failure(&Guest::on_call(&open).with_top(top), |_| {}).await;
        assert!(said.contains("unknown handle index"), "{said}");
    }
}

const RANDOM_BYTES: &str =
    r#"(import "wasi:random/random@0.2.0" "get-random-bytes" (func $bytes (param i64 i32)))"#;

/// Asks the host for random bytes, and does `code` when the host asks for memory to put them in.
fn within_an_import(code: &str) -> Guest {
    let on_call = "(global.set $inside (i32.const 1)) (call $bytes (i64.const 64) (i32.const 640))";
    let on_alloc = format!("(if (global.get $inside) (then {code}))");
    let behind = "(global $inside (mut i32) (i32.const 0)) (func $deep (call $deep) (call $deep))";
    Guest { on_alloc, ..Guest::on_call(on_call) }.with_top(RANDOM_BYTES).with_behind(behind)
}

#[tokio::test]
async fn deep_recursion_inside_an_import_is_a_crash_of_the_guest_alone() {
    let said = failure(&within_an_import("(call $deep)"), |_| {}).await;
    assert!(said.contains("call stack exhausted"), "{said}");
}

#[tokio::test]
async fn an_import_inside_an_import_is_a_crash_of_the_guest_alone() {
    let said = failure(&within_an_import("(call $bytes (i64.const 64) (i32.const 640))"), |_| {}).await;
    assert!(said.contains("cannot leave component instance"), "{said}");
}

#[tokio::test]
async fn an_import_at_the_bottom_of_a_full_stack_leaves_the_host_its_own() {
    let fall = "(func $fall (call $bytes (i64.const 1) (i32.const 640)) (call $fall) (call $fall))";
    let guest = Guest::on_call("(call $fall)").with_top(RANDOM_BYTES).with_behind(fall);
    let said = failure(&guest, |s| s.limits.host_calls = u64::MAX).await;
    assert!(said.contains("call stack exhausted"), "{said}");
}

/// Keeps the rows whose bit is set in the first random number.
fn sampler() -> Guest {
    let top = r#"(import "wasi:random/random@0.2.0" "get-random-u64" (func $random (result i64)))"#;
    let answer = "(i64.store (i32.const 704) (call $random))
        (i32.store8 offset=4 (local.get $answer) (i32.const 1))
        (i32.store offset=8 (local.get $answer) (i32.const 704))
        (i32.store offset=12 (local.get $answer) (i32.const 8))";
    Guest::answering(answer).with_top(top)
}

#[tokio::test]
async fn randomness_repeats_in_a_replay_and_differs_between_batches() {
    let step = bound(&sampler(), |_| {}).await;
    let first = values(&run(&step, 0..64).await.unwrap(), 0);
    assert_eq!(values(&run(&step, 0..64).await.unwrap(), 0), first);
    let mut other = Vec::new();
    let elsewhere = Place::At { of: "b.json".into(), unit: "line", first: 1 };
    let batch = Batch::read(guest::rows(0..64), elsewhere);
    step.worker().await.unwrap().process(&context(), batch, &mut other).await.unwrap();
    assert_ne!(values(&other, 0), first);
}
