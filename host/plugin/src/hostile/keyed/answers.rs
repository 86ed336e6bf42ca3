//! Answers that make no sense, and rows and timers in error.

use super::*;
use arrow::array::StringArray;

fn wrong(said: &str) -> &str {
    said.strip_prefix("it broke the plugin contract: ").unwrap_or_else(|| panic!("{said}"))
}

/// Answers that the rows, or timers, of these numbers are in error, at 900: `retry` of those that may come again.
fn errors(rows: &[(u32, bool)]) -> String {
    let mut text = String::new();
    for (number, (row, retry)) in rows.iter().enumerate() {
        let at = 900 + 16 * number;
        text.push_str(&format!(
            "(i32.store (i32.const {at}) (i32.const {row})) (i32.store8 (i32.const {}) (i32.const {}))
             (i32.store (i32.const {}) (i32.const 512)) (i32.store (i32.const {}) (i32.const 7))",
            at + 4,
            u8::from(*retry),
            at + 8,
            at + 12
        ));
    }
    format!(
        "{text} (i32.store (i32.const 404) (i32.const 900)) (i32.store (i32.const 408) (i32.const {}))",
        rows.len()
    )
}

fn at_once(code: &str) -> Attack {
    Attack::new(&format!("{code} (return (i32.const 384))"))
}

#[tokio::test]
async fn rows_unlike_those_agreed_on_are_refused() {
    let garbage = Attack::with(vec![0xa5; 64], |bytes| format!("{} (return (i32.const 384))", answer(bytes)));
    let said = failure(&garbage).await;
    assert!(wrong(&said).contains("Arrow is refused: message 0: "), "{said}");
    let others = Arc::new(of(&[("key", DataType::Utf8)]));
    let text: Vec<ArrayRef> = vec![Arc::new(StringArray::from(vec!["a"]))];
    let other =
        Attack::with(message(&others, text), |bytes| format!("{} (return (i32.const 384))", answer(bytes)));
    let said = failure(&other).await;
    assert!(wrong(&said).contains("the schema agreed on in `bind` has"), "{said}");
}

#[tokio::test]
async fn a_side_output_that_was_not_named_is_refused() {
    // At 900 a list of one: the name, and no rows.
    let side = "(i32.store (i32.const 900) (i32.const 525)) (i32.store (i32.const 904) (i32.const 4))
                (i32.store (i32.const 396) (i32.const 900)) (i32.store (i32.const 400) (i32.const 1))";
    let said = failure(&at_once(side)).await;
    assert_eq!(wrong(&said), "it answers on a side output `nope` that it did not name in `bind`");
}

#[tokio::test]
async fn errors_in_rows_that_are_not_there_are_refused() {
    let said = failure(&at_once(&errors(&[(1, false)]))).await;
    assert_eq!(wrong(&said), "it reports an error in row 1 of 1");
    let said = failure(&at_once(&errors(&[(u32::MAX, true)]))).await;
    assert_eq!(wrong(&said), format!("it reports an error in row {} of 1", u32::MAX));
    let said = failure(&at_once(&errors(&[(0, false), (0, true)]))).await;
    assert_eq!(wrong(&said), "it reports row 0 twice");
}

#[tokio::test]
async fn columns_that_are_added_make_no_sense_by_key() {
    let adds = Attack { on_bind: "(i32.store8 (i32.const 336) (i32.const 1))".into(), ..Attack::default() };
    assert_eq!(
        refusal(&adds).await,
        "it says that it adds columns, and of what keeps state only rows of its own leave"
    );
}

#[tokio::test]
async fn a_guest_that_reads_no_column_gets_rows_without_columns() {
    let nothing = "(i32.store8 (i32.const 324) (i32.const 1))";
    // What comes in goes out: rows without columns.
    let same = "(i32.store (i32.const 388) (local.get $rows)) (i32.store (i32.const 392) (local.get $size))";
    let attack = Attack { on_bind: nothing.into(), output: Schema::empty(), ..at_once(same) };
    let mut alone = Alone::new(bound(&attack, |_| {}).await);
    let out = run(&mut alone, 1, [5, 6, 5]).await.unwrap();
    assert_eq!(
        out.iter().map(|(_, rows)| (rows.num_columns(), rows.num_rows())).collect::<Vec<_>>(),
        [(0, 3)]
    );
}

#[tokio::test]
async fn the_failure_of_a_call_is_of_its_key_and_of_no_other() {
    // Crashes if the first key of the call is 666, which is at the end of the message of one key.
    let crash = "(if (i64.eq (i64.const 666) (i64.load (i32.add (local.get $keys) (i32.sub (local.get $keys_size) (i32.const 8)))))
        (then unreachable))";
    let step = bound(&Attack::new(crash), |s| s.bind.on_error = OnError::DeadLetter).await;
    let letters = step.ports().iter().position(|port| port.name == "dead-letter").unwrap();
    let mut alone = Alone::new(step);
    run(&mut alone, 0, [666]).await.unwrap();
    let out = run(&mut alone, 1, [1, 666, 2, 666]).await.unwrap();
    let letters: Vec<&RecordBatch> =
        out.iter().filter(|(port, _)| *port == letters).map(|(_, rows)| rows).collect();
    let text = |name: &str| {
        let column = letters.iter().map(|rows| rows.column_by_name(name).unwrap().as_string::<i32>().clone());
        column.flat_map(|c| c.iter().map(|v| v.unwrap().to_owned()).collect::<Vec<_>>()).collect::<Vec<_>>()
    };
    assert_eq!(text("_position"), ["input, row 1", "input, row 3"]);
    assert!(text("_error").iter().all(|why| why.starts_with("it crashed: ")), "{:?}", text("_error"));
    assert_eq!(remembered(&run(&mut alone, 2, [666]).await.unwrap()), [7], "its state is as it was");
}

/// Sets a timer of processing time for the first key in epoch 1, which fires in the next one; and what it answers then.
fn firing(fired: &str) -> Attack {
    let set = "(i32.store (i32.const 800) (i32.const 0)) (i64.store (i32.const 808) (i64.const 2500000))
        (call $host_set_timers (i32.const 1) (i32.const 800) (i32.const 1) (i32.const 640))
        (if (i32.load8_u (i32.const 640)) (then (return (call $pass_on))))";
    Attack { fired: fired.into(), ..Attack::new(set) }
}

/// Fires the timer; answers how that ends.
async fn fire(
    fired: &str,
    adjust: impl FnOnce(&mut KeyedSettings),
) -> (Result<Out, String>, Arc<KeyedPlugin>) {
    let step = bound(&firing(fired), adjust).await;
    let mut alone = Alone::new(step.clone());
    run(&mut alone, 1, [5]).await.unwrap();
    (run(&mut alone, 2, []).await, step)
}

#[tokio::test]
async fn a_timer_in_error_ends_the_query_or_is_left_out_as_a_row_is() {
    let said = fire(&errors(&[(0, false)]), |_| {}).await.0.unwrap_err();
    assert_eq!(said, "Plugin: plugin hostile 0.0.1 (step guarded), epoch 2, key (5): hostile");
    let (out, step) = fire(&errors(&[(0, false)]), |s| s.bind.on_error = OnError::Skip).await;
    assert_eq!(out.unwrap().len(), 0);
    assert_eq!(step.progress().unwrap().rows_error, 1);
    let said = fire(&errors(&[(1, false)]), |_| {}).await.0.unwrap_err();
    assert!(said.ends_with("it broke the plugin contract: it reports an error in row 1 of 1"), "{said}");
}

#[tokio::test]
async fn the_dead_letter_of_a_timer_has_its_key_and_says_when_it_was_to_fire() {
    let (out, step) = fire(&errors(&[(0, false)]), |s| s.bind.on_error = OnError::DeadLetter).await;
    let out = out.unwrap();
    let [(port, letter)] = &out[..] else { panic!("{out:?}") };
    assert_eq!(step.ports()[*port].name, "dead-letter");
    assert_eq!(x(letter), [5]);
    let text = |name: &str| letter.column_by_name(name).unwrap().as_string::<i32>().value(0).to_owned();
    assert_eq!(text("_position"), "a timer of processing time at 1970-01-01T00:00:02.500Z");
    assert_eq!(text("_error"), "hostile");
}

#[tokio::test]
async fn a_timer_that_may_pass_later_comes_again_alone() {
    // Is in error at the first call of the instance, and passes at the second.
    let once = format!(
        "(if (i32.eqz (i32.load (i32.const 600))) (then (i32.store (i32.const 600) (i32.const 1)) {}))",
        errors(&[(0, true)])
    );
    let clock = Arc::new(ManualClock::new(Timestamp(0)));
    let runtime = runtime_with(clock.clone());
    let adjust = |s: &mut KeyedSettings| {
        s.bind.retry = crate::Retry { attempts: 1, first: std::time::Duration::ZERO, ..Default::default() }
    };
    let step = Arc::new(try_bind_on(&runtime, &firing(&once), adjust).await.map_err(|e| e.report()).unwrap());
    let mut alone = Alone::new(step.clone());
    run(&mut alone, 1, [5]).await.unwrap();
    step.progress();
    run(&mut alone, 2, []).await.unwrap();
    let progress = step.progress().unwrap();
    assert_eq!((progress.calls, progress.rows_error), (2, 0));
}
