//! Rows that cannot be processed.

use super::*;
use crate::Retry;
use arrow::array::AsArray;
use guest::KEEP_ALL;
use std::time::Duration;

fn crashing() -> Guest {
    Guest::on_bad_row("unreachable")
}

fn skipping(settings: &mut BindSettings) {
    settings.on_error = OnError::Skip;
}

#[tokio::test]
async fn under_fail_a_crash_ends_the_query() {
    let said = run(&bound(&crashing(), |_| {}).await, [1, 666, 3]).await.unwrap_err();
    assert!(
        said.starts_with(
            "Plugin: plugin hostile 0.0.1 (step guarded), epoch 7, a.json, lines 1-3: it crashed"
        ),
        "{said}"
    );
}

#[tokio::test]
async fn under_skip_only_the_row_that_crashes_is_lost_and_the_order_is_kept() {
    let step = bound(&crashing(), skipping).await;
    let mut given: Vec<i64> = (0..500).collect();
    given[77] = 666;
    given[401] = 666;
    let out = run(&step, given.clone()).await.unwrap();
    given.retain(|x| *x != 666);
    assert_eq!(values(&out, 0), given);
    let progress = step.progress();
    assert_eq!((progress.rows_in, progress.rows_out, progress.rows_error), (500, 498, 2));
}

#[tokio::test]
async fn a_crashed_instance_is_replaced_and_its_memory_is_gone() {
    let crash = "(global.set $crashed (i32.const 1)) unreachable";
    let guest =
        Guest { on_call: "(if (global.get $crashed) (then unreachable))".into(), ..Guest::on_bad_row(crash) };
    let step = bound(&guest.with_behind("(global $crashed (mut i32) (i32.const 0))"), skipping).await;
    let mut worker = step.worker().await.unwrap();
    let out = process(&mut *worker, [1, 666, 3]).await.unwrap();
    assert_eq!(values(&out, 0), [1, 3]);
    assert_eq!(values(&process(&mut *worker, [4]).await.unwrap(), 0), [4]);
}

#[tokio::test]
async fn a_dead_letter_says_who_where_and_why() {
    let step = bound(&crashing(), |s| s.on_error = OnError::DeadLetter).await;
    let [_, port] = step.ports() else { panic!("{:?}", step.ports()) };
    assert_eq!(port.name, "dead-letter");
    let out = run(&step, [1, 2, 666]).await.unwrap();
    assert_eq!((values(&out, 0), values(&out, 1)), (vec![1, 2], vec![666]));
    let letter = &out.iter().find(|(port, _)| *port == 1).unwrap().1.rows;
    let text = |name: &str| letter.column_by_name(name).unwrap().as_string::<i32>().value(0).to_owned();
    assert_eq!((text("_plugin"), text("_plugin_version")), ("hostile".into(), "0.0.1".into()));
    assert!(text("_plugin_digest").starts_with("sha256:") && text("_error").contains("unreachable"));
    assert_eq!(text("_position"), "a.json, line 3");
    assert_eq!(letter.schema(), port.schema);
}

#[tokio::test]
async fn a_search_for_bad_rows_that_takes_too_long_ends_the_query() {
    let guest = Guest::on_bad_row("(loop $forever (br $forever))");
    let adjust = |s: &mut BindSettings| {
        skipping(s);
        s.limits.cpu_per_call = Duration::from_millis(20);
        s.limits.search = Duration::from_millis(50);
    };
    let said = run(&bound(&guest, adjust).await, vec![666; 64]).await.unwrap_err();
    assert!(said.contains("gave up finding the rows it fails on after 50ms"), "{said}");
}

#[tokio::test]
async fn too_many_rows_in_error_end_the_query() {
    let adjust = |s: &mut BindSettings| {
        skipping(s);
        s.max_error_rate = Some(0.2);
    };
    let step = bound(&crashing(), adjust).await;
    assert!(run(&step, vec![666; 99]).await.is_ok(), "99 rows say nothing yet");
    let good_and_bad = |bad| [vec![666; bad], vec![1; 100 - bad]].concat();
    assert!(run(&step, good_and_bad(20)).await.is_ok());
    let said = run(&step, good_and_bad(21)).await.unwrap_err();
    assert!(said.contains("21 of 100 rows are in error"), "{said}");
}

#[tokio::test]
async fn a_good_past_does_not_cover_a_plugin_that_turned_bad_and_a_replay_says_the_same() {
    let adjust = |s: &mut BindSettings| {
        skipping(s);
        s.max_error_rate = Some(0.2);
    };
    let step = bound(&crashing(), adjust).await;
    for _ in 0..20 {
        run(&step, 0..600).await.unwrap();
    }
    let turned = [vec![666; 60], vec![1; 140]].concat();
    let said = run(&step, turned.clone()).await.unwrap_err();
    assert!(said.contains("60 of 200 rows are in error"), "{said}");
    assert_eq!(run(&step, turned).await.unwrap_err(), said);
}

/// Fails with a failure of this kind at the first `times` calls.
fn failing(kind: u8, times: u32) -> Guest {
    let fail = format!(
        "(global.set $calls (i32.add (global.get $calls) (i32.const 1)))
         (if (i32.le_u (global.get $calls) (i32.const {times})) (then
           (i32.store8 (local.get $answer) (i32.const 1))
           (i32.store8 offset=4 (local.get $answer) (i32.const {kind}))
           (i32.store offset=8 (local.get $answer) (i32.const 512))
           (i32.store offset=12 (local.get $answer) (i32.const 7))
           (return (local.get $answer))))"
    );
    Guest::on_call(&fail).with_behind("(global $calls (mut i32) (i32.const 0))")
}

fn patient(settings: &mut BindSettings) {
    settings.retry = Retry { attempts: 2, first: Duration::from_millis(1), ..Retry::default() };
}

#[tokio::test]
async fn a_transient_failure_is_tried_again() {
    let out = run(&bound(&failing(1, 2), patient).await, [1, 2]).await.unwrap();
    assert_eq!(values(&out, 0), [1, 2]);
}

#[tokio::test]
async fn a_failure_that_stays_transient_is_unavailable() {
    let said = run(&bound(&failing(1, 3), patient).await, [1, 2]).await.unwrap_err();
    assert!(said.starts_with("Unavailable: ") && said.ends_with("lines 1-2: hostile"), "{said}");
}

/// Reports row 1 as one to try again at the first `times` calls, each of which must have the rows that are then left.
fn postponing(times: u32) -> Guest {
    let check = "(global.set $calls (i32.add (global.get $calls) (i32.const 1)))
        (if (i32.ne (local.get $rows) (select (i32.const 3) (i32.const 1) (i32.eq (global.get $calls) (i32.const 1))))
          (then unreachable))";
    let answer = format!(
        "{KEEP_ALL}
         (if (i32.le_u (global.get $calls) (i32.const {times})) (then
           (i32.store (i32.const 2048) (i32.ne (local.get $rows) (i32.const 1)))
           (i32.store8 (i32.const 2052) (i32.const 1))
           (i32.store (i32.const 2056) (i32.const 512)) (i32.store (i32.const 2060) (i32.const 7))
           (i32.store (i32.load offset=8 (local.get $answer))
             (select (i32.const 5) (i32.const 0) (i32.eq (local.get $rows) (i32.const 3))))
           (i32.store offset=32 (local.get $answer) (i32.const 2048))
           (i32.store offset=36 (local.get $answer) (i32.const 1))))"
    );
    let guest = Guest { on_call: check.into(), ..Guest::answering(&answer) };
    guest.with_behind("(global $calls (mut i32) (i32.const 0))")
}

#[tokio::test]
async fn a_row_that_may_pass_later_is_tried_again_alone() {
    let step = bound(&postponing(2), patient).await;
    assert_eq!(values(&run(&step, [1, 2, 3]).await.unwrap(), 0), [1, 3, 2]);
    let progress = step.progress();
    assert_eq!((progress.calls, progress.rows_in, progress.rows_out, progress.rows_error), (3, 3, 3, 0));
}

#[tokio::test]
async fn a_row_that_never_passes_is_in_error_after_as_many_tries_as_the_pipeline_says() {
    let adjust = |s: &mut BindSettings| {
        patient(s);
        s.on_error = OnError::DeadLetter;
    };
    let step = bound(&postponing(3), adjust).await;
    let out = run(&step, [1, 2, 3]).await.unwrap();
    assert_eq!((values(&out, 0), values(&out, 1)), (vec![1, 3], vec![2]));
    assert_eq!(step.progress().calls, 3, "the first try and two more");
    let said = run(&bound(&postponing(1), |_| {}).await, [1, 2, 3]).await.unwrap_err();
    assert!(said.ends_with("a.json, line 2: hostile"), "without `retry` it is an error at once: {said}");
}

#[tokio::test]
async fn a_permanent_failure_concerns_rows() {
    let step = bound(&failing(2, 2), skipping).await;
    assert_eq!(values(&run(&step, [1, 2]).await.unwrap(), 0), [2], "the batch failed, then its first half");
}
