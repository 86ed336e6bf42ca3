//! What a guest may take.

use super::{speech::Log, *};
use std::{cell::Cell, time::Duration};

const FOREVER: &str = "(loop $forever (br $forever))";

fn short(settings: &mut BindSettings) {
    settings.limits.cpu_per_call = Duration::from_millis(50);
}

#[tokio::test]
async fn an_endless_loop_ends_with_its_time_on_the_processor() {
    let step = bound(&Guest::on_call(FOREVER), short).await;
    let said = run(&step, 0..64).await.unwrap_err();
    let used = step.shares().into_iter().find(|s| s.limit == "cpu-per-call").unwrap().used;
    assert_eq!(used, 50, "not a tick more");
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

/// Calls of a worker, one after the other with a turn for others between them, until `done` says that it is enough.
async fn calls(worker: &mut dyn Worker, mut done: impl FnMut(usize) -> bool) -> Vec<Duration> {
    let clock = SystemClock::new();
    let mut times = Vec::new();
    while !done(times.len()) {
        let start = clock.monotonic();
        process(worker, 0..64).await.unwrap();
        times.push(clock.monotonic() - start);
        tokio::task::yield_now().await;
    }
    times
}

fn p99(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() * 99 / 100]
}

#[tokio::test(flavor = "current_thread")]
async fn a_neighbour_on_the_same_thread_has_a_call_for_every_tick_that_a_guest_loops() {
    let runtime = runtime_with(Arc::new(SystemClock::new()));
    let looping = bound_on(&runtime, &Guest::on_call(FOREVER), short).await;
    let neighbour = bound_on(&runtime, &Guest::default(), |_| {}).await;
    let mut worker = neighbour.worker().await.unwrap();
    let ended = Cell::new(false);
    let looping = async {
        run(&looping, 0..1).await.unwrap_err();
        ended.set(true);
    };
    let ((), times) = tokio::join!(looping, calls(&mut *worker, |_| ended.get()));
    // The loop may take five ticks and gives way after each but the last.
    assert!(times.len() >= 4, "{} calls", times.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_neighbours_calls_take_as_long_as_ever_while_a_guest_loops() {
    let runtime = runtime_with(Arc::new(SystemClock::new()));
    let neighbour = bound_on(&runtime, &Guest::default(), |_| {}).await;
    let looping = bound_on(&runtime, &Guest::on_call(FOREVER), |s| s.limits.cpu_per_call /= 4).await;
    let mut worker = neighbour.worker().await.unwrap();
    let looping = tokio::spawn(async move { run(&looping, 0..1).await.map(|_| ()) });
    let beside = calls(&mut *worker, |_| looping.is_finished()).await;
    let alone = calls(&mut *worker, |made| made == beside.len()).await;
    let (beside, alone) = (p99(beside), p99(alone));
    // Room for what else runs on this machine: a call that had to wait for the loop would take a tick, ten milliseconds.
    assert!(beside < alone * 4 + Duration::from_millis(5), "{beside:?} beside a loop, {alone:?} without");
}

/// Does no harm in 999 calls, then this.
async fn at_last(guest: &Guest, adjust: impl FnOnce(&mut BindSettings)) -> (PluginStep, Result<Out, Error>) {
    let step = bound(guest, adjust).await;
    let mut worker = step.worker().await.unwrap();
    for _ in 0..999 {
        process(&mut *worker, 0..8).await.unwrap();
    }
    let ended = process(&mut *worker, [666]).await;
    assert_eq!(step.progress().calls, 1_000, "of one instance");
    (step, ended)
}

const LOG: &str = r#"(import "streamhost:plugin/log@0.9.0" "write" (func $log (param i32 i32 i32)))"#;
const GROW: &str =
    "(loop $more (br_if $more (i32.ne (i32.const -1) (memory.grow (i32.const 16))))) unreachable";

fn says_for_ever(message: u32) -> String {
    format!("(loop $more (call $log (i32.const 2) (i32.const 0) (i32.const {message})) (br $more))")
}

#[tokio::test]
async fn limits_hold_on_the_thousandth_call_too() {
    let huge = "(if (i64.eq (i64.const 666) (local.get $value)) (then
        (drop (memory.grow (i32.const 800))) (i32.store offset=12 (local.get $answer) (i32.const 50000000))))";
    let huge = Guest::answering(&format!("{}{huge}", guest::KEEP_ALL));
    let attacks = [
        (Guest::on_bad_row(FOREVER), "computed for more than 500ms"),
        (Guest::on_bad_row(GROW), "more than 128 MiB of memory"),
        (Guest::on_bad_row(&says_for_ever(1)).with_top(LOG), "called the host more than 10000 times"),
        (huge, "handed over more than"),
    ];
    for (guest, limit) in attacks {
        let said = at_last(&guest, |s| s.limits.cpu_per_call /= 4).await.1.unwrap_err().report();
        assert!(said.contains(limit), "{limit}: {said}");
    }
}

#[tokio::test]
async fn the_thousandth_call_may_say_as_much_as_the_first_and_no_more() {
    // A thousand zeros, each of which is five bytes once it is escaped.
    let line = "(call $log (i32.const 2) (i32.const 131072) (i32.const 1000))";
    let guest = Guest { on_call: line.into(), ..Guest::on_bad_row(&line.repeat(100)) }.with_top(LOG);
    let log = Log::start();
    let limits =
        |s: &mut BindSettings| (s.limits.log_per_call, s.limits.log_per_minute) = (20_000, usize::MAX);
    at_last(&guest, limits).await.1.unwrap();
    let lines = log.text().lines().filter(|line| line.contains(r"\u{0}")).count();
    assert_eq!(lines, 999 + 4);
}

#[tokio::test]
async fn a_guest_that_grows_its_memory_is_refused() {
    let said = failure(&Guest::on_call(GROW), |s| s.limits.memory = 8 << 20).await;
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
    let said = failure(&Guest::on_call(&says_for_ever(7)).with_top(LOG), |_| {}).await;
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
