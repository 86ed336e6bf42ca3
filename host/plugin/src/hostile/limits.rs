//! What a guest may take.

use super::*;
use std::time::Duration;

const FOREVER: &str = "(loop $forever (br $forever))";

fn short(settings: &mut BindSettings) {
    settings.limits.cpu_per_call = Duration::from_millis(50);
}

#[tokio::test]
async fn an_endless_loop_ends_with_its_time_on_the_processor() {
    let said = failure(&Guest::on_call(FOREVER), short).await;
    assert_eq!(
        said,
        "Plugin: plugin hostile 0.0.1 (step guarded), epoch 7, a.json, lines 1-64: \
         one call computed for more than 50ms (limits.cpu-per-call)"
    );
}

#[tokio::test(flavor = "current_thread")]
async fn a_neighbour_on_the_same_thread_goes_on_while_a_guest_loops() {
    let step = bound(&Guest::on_call(FOREVER), short).await;
    let turns = async {
        let mut turns = 0;
        loop {
            tokio::task::yield_now().await;
            turns += 1;
            if turns == 3 {
                return turns;
            }
        }
    };
    let (ended, turns) = tokio::join!(run(&step, 0..1), turns);
    assert!(ended.is_err() && turns == 3);
}

#[tokio::test]
async fn limits_hold_on_the_thousandth_call_too() {
    let step = bound(&Guest::on_bad_row(FOREVER), short).await;
    let mut worker = step.worker().await.unwrap();
    for _ in 0..999 {
        process(&mut *worker, 0..8).await.unwrap();
    }
    let ended = process(&mut *worker, [666]).await.unwrap_err();
    assert!(ended.report().contains("computed for more than 50ms"), "{}", ended.report());
    assert_eq!(step.progress().calls, 1_000);
}

#[tokio::test]
async fn a_guest_that_grows_its_memory_is_refused() {
    let grow = "(loop $more (br_if $more (i32.ne (i32.const -1) (memory.grow (i32.const 16))))) unreachable";
    let said = failure(&Guest::on_call(grow), |s| s.limits.memory = 8 << 20).await;
    assert!(said.contains("more than 8 MiB of memory"), "{said}");
}

#[tokio::test]
async fn memories_are_counted_together() {
    let top = "(memory $second 100)";
    let grow = "(if (i32.eq (i32.const -1) (memory.grow $second (i32.const 100))) (then unreachable))";
    let guest = Guest::on_call(grow).with_behind(top);
    let said = failure(&guest, |s| s.limits.memory = 10 << 20).await;
    assert!(said.contains("more than 10 MiB of memory"), "{said}");
}

#[tokio::test]
async fn a_guest_with_too_many_memories_does_not_start() {
    let guest = Guest::default().with_behind(&"(memory 1)".repeat(8));
    let error = load(&runtime_with(Arc::new(SystemClock::new())), &guest.component()).await.err().unwrap();
    assert!(error.report().contains("memory"), "{}", error.report());
}

#[tokio::test]
async fn a_guest_that_grows_its_tables_is_refused() {
    let grow = "(loop $more (br_if $more (i32.ne (i32.const -1)
        (table.grow $t (ref.null func) (i32.const 10000))))) unreachable";
    let guest = Guest::on_call(grow).with_behind("(table $t 1 funcref)");
    let said = failure(&guest, |_| {}).await;
    assert!(said.contains("more than 100000 table elements"), "{said}");
}

#[tokio::test]
async fn deep_recursion_is_a_crash_of_the_guest_alone() {
    let guest = Guest::on_call("(call $deep)").with_behind("(func $deep (call $deep) (call $deep))");
    let said = failure(&guest, |_| {}).await;
    assert!(said.contains("call stack exhausted"), "{said}");
}

#[tokio::test]
async fn an_answer_larger_than_its_input_allows_is_not_copied() {
    let answer = "(drop (memory.grow (i32.const 800)))
        (i32.store8 offset=4 (local.get $answer) (i32.const 1))
        (i32.store offset=12 (local.get $answer) (i32.const 50000000))";
    let said = failure(&Guest::answering(answer), |_| {}).await;
    assert!(said.contains("handed over more than"), "{said}");
}

#[tokio::test]
async fn an_answer_outside_the_guests_memory_breaks_the_contract() {
    let answer = "(i32.store8 offset=4 (local.get $answer) (i32.const 1))
        (i32.store offset=8 (local.get $answer) (i32.const 0x7fff0000))
        (i32.store offset=12 (local.get $answer) (i32.const 8))";
    let said = failure(&Guest::answering(answer), |_| {}).await;
    assert!(said.contains("broke the plugin contract"), "{said}");
}

#[tokio::test]
async fn a_log_flood_ends_at_the_limit_of_host_calls() {
    let import = r#"(import "streamhost:plugin/log@0.1.0" "write" (func $log (param i32 i32 i32)))"#;
    let flood = "(loop $more (call $log (i32.const 2) (i32.const 512) (i32.const 7)) (br $more))";
    let said = failure(&Guest::on_call(flood).with_top(import), |_| {}).await;
    assert!(said.contains("called the host more than 10000 times"), "{said}");
}

#[tokio::test]
async fn shares_say_how_near_a_guest_came() {
    let step = bound(&Guest::default(), |_| {}).await;
    run(&step, 0..64).await.unwrap();
    let shares = step.shares();
    let memory = shares.iter().find(|s| s.limit == "memory").unwrap();
    assert_eq!((memory.used, memory.allowed, memory.unit), (4 << 16, 128 << 20, "bytes"));
}
