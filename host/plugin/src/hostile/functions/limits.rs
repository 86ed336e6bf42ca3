//! Limits of calls, which a thread waits for.

use super::*;
use std::{
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::Duration,
};

const FOREVER: &str = "(loop $more (br $more))";
const CLOCK: &str = r#"
  (import "wasi:clocks/monotonic-clock@0.2.0" "subscribe-duration" (func $subscribe (param i64) (result i32)))
  (import "wasi:io/poll@0.2.0" "[method]pollable.block" (func $block (param i32)))"#;

async fn limited(
    clock: Arc<dyn Clock>,
    attack: &Attack,
    adjust: impl FnOnce(&mut FunctionSettings),
) -> Arc<dyn Function> {
    let bound = try_bind(clock, attack, adjust).await.map_err(|e| e.report()).unwrap();
    bound.function("same").unwrap()
}

async fn endless() -> Arc<dyn Function> {
    let adjust = |settings: &mut FunctionSettings| settings.limits.cpu_per_call = Duration::from_millis(100);
    limited(Arc::new(SystemClock::new()), &Attack::calling(FOREVER), adjust).await
}

#[tokio::test(flavor = "current_thread")]
async fn an_endless_loop_ends_with_its_time_on_the_processor_each_time() {
    let endless = endless().await;
    for _ in 0..3 {
        let said = call(&*endless, 0..64).unwrap_err();
        assert!(said.ends_with("one call computed for more than 100ms (limits.cpu-per-call)"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn other_tasks_go_on_beside_an_endless_loop() {
    let endless = endless().await;
    let over = Arc::new(AtomicBool::new(false));
    let ended = over.clone();
    let looping = tokio::spawn(async move {
        let said = call(&*endless, 0..64).unwrap_err();
        ended.store(true, Relaxed);
        said
    });
    // The only thread of the runtime has the loop, until somebody takes over its tasks.
    let neighbour = tokio::spawn(async move { over.load(Relaxed) });
    assert!(!neighbour.await.unwrap(), "the neighbour had to wait for the loop to end");
    assert!(looping.await.unwrap().contains("limits.cpu-per-call"));
}

#[tokio::test(flavor = "current_thread")]
async fn a_function_that_blocks_in_a_host_call_ends_with_its_time_on_the_clock() {
    let clock = Arc::new(ManualClock::new(Timestamp(0)));
    let attack = Attack {
        top: CLOCK.into(),
        ..Attack::calling("(call $block (call $subscribe (i64.const 3600000000000)))")
    };
    let blocked = limited(clock.clone(), &attack, |_| {}).await;
    let over = AtomicBool::new(false);
    let said = std::thread::scope(|threads| {
        threads.spawn(|| {
            while !over.load(Relaxed) {
                clock.advance(Duration::from_secs(1));
                std::thread::yield_now();
            }
        });
        let said = call(&*blocked, 0..64);
        over.store(true, Relaxed);
        said.unwrap_err()
    });
    assert!(said.ends_with("one call took longer than 10s (limits.wall-per-call)"), "{said}");
}

#[tokio::test(flavor = "current_thread")]
async fn time_passes_for_a_guest_that_sleeps_though_the_only_thread_waits_for_it() {
    let sleeps = format!(
        "(call $block (call $subscribe (i64.const 20000000))) {}",
        answer("(local.get $message)", "(local.get $size)")
    );
    let attack = Attack { top: CLOCK.into(), ..Attack::calling(&sleeps) };
    let sleeping = limited(Arc::new(SystemClock::new()), &attack, |_| {}).await;
    assert_eq!(numbers(&call(&*sleeping, 0..3).unwrap()), [0, 1, 2]);
}

#[tokio::test]
async fn limits_of_memory_and_of_answers_are_those_of_the_pipeline() {
    let adjust = |settings: &mut FunctionSettings| settings.limits.memory = 1 << 20;
    let grows = "(if (i32.eq (i32.const -1) (memory.grow (i32.const 64))) (then unreachable))";
    let said = call(&*limited(Arc::new(SystemClock::new()), &Attack::calling(grows), adjust).await, 0..64);
    let said = said.unwrap_err();
    assert!(said.ends_with("it wanted more than 1 MiB of memory (limits.memory)"), "{said}");
    let adjust = |settings: &mut FunctionSettings| settings.limits.output_bytes = 4096;
    let said = call(&*limited(Arc::new(SystemClock::new()), &Attack::default(), adjust).await, 0..4096);
    let said = said.unwrap_err();
    assert!(said.ends_with("one call handed over more than 4096 bytes (limits.output)"), "{said}");
}
