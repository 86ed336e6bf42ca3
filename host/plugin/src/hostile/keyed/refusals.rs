//! What a guest may not do with its state: it is told, and nothing changes.

use super::*;
use engine::{
    event_time::{InForce, Watermark},
    sql::with_delay,
};

/// One timer, at 800: its key and its time.
fn timer(key: u32, at: i64) -> String {
    format!("(i32.store (i32.const 800) (i32.const {key})) (i64.store (i32.const 808) (i64.const {at}))")
}

const EVENT_TIME: u8 = 0;
const PROCESSING_TIME: u8 = 1;

fn set(clock: u8, key: u32, at: i64) -> String {
    let call =
        format!("(call $host_set_timers (i32.const {clock}) (i32.const 800) (i32.const 1) (i32.const 640))");
    asks(&format!("{}{call}", timer(key, at)))
}

#[tokio::test]
async fn a_timer_that_its_clock_has_reached_is_refused() {
    let said = failure(&Attack::new(&set(PROCESSING_TIME, 0, 2_000_000))).await;
    assert_eq!(
        said,
        "it sets a timer at 1970-01-01T00:00:02.000Z, which the time of the epoch, 1970-01-01T00:00:02.000Z, has reached"
    );
    let never = failure(&Attack::new(&set(PROCESSING_TIME, 0, i64::MIN))).await;
    assert!(never.starts_with("it sets a timer at "), "{never}");
}

#[tokio::test]
async fn a_timer_of_event_time_that_the_watermark_has_reached_is_refused() {
    let schema = Schema::new(vec![
        Field::new("x", DataType::Int64, false),
        Field::new(
            "at",
            DataType::Timestamp(arrow::datatypes::TimeUnit::Microsecond, Some("UTC".into())),
            true,
        ),
    ]);
    let timed = Arc::new(with_delay(&schema, "at", 0));
    let step = bound(&Attack::new(&set(EVENT_TIME, 0, 3_000_000)), |s| s.bind.input = timed.clone()).await;
    let mut alone = Alone::new(step);
    let at = arrow::array::TimestampMicrosecondArray::from(vec![9_000_000]).with_timezone("UTC");
    let rows = RecordBatch::try_new(timed, vec![Arc::new(Int64Array::from(vec![5])), Arc::new(at)]).unwrap();
    let in_force = InForce { late: Watermark::default(), eviction: Watermark(3_000) };
    let cx = EpochContext { in_force, ..epoch(1) };
    let error = alone.epoch(&cx, &rows).await.unwrap_err();
    assert!(
        error.report().ends_with("which the watermark, 1970-01-01T00:00:03.000Z, has reached"),
        "{}",
        error.report()
    );
}

#[tokio::test]
async fn a_timer_of_event_time_where_there_is_none_is_for_the_pipeline_to_change() {
    let said = failure_of(&Attack::new(&set(EVENT_TIME, 0, i64::MAX)), |_| {}).await;
    let expected = "Invalid: plugin hostile 0.0.1 (step guarded), epoch 1, key (5): it sets a timer of event time, and its input has no \
                    watermark: add watermark = ";
    assert!(said.starts_with(expected), "{said}");
}

#[tokio::test]
async fn keys_that_were_not_given_are_refused() {
    let numbers = "(i32.store (i32.const 800) (i32.const 1))";
    let table =
        |call: &str| asks(&format!("{numbers}(call {call} (i32.const 800) (i32.const 1) (i32.const 640))"));
    let attacks = [
        Attack::new(&table("$host_get (call $table) (i32.const 1)")),
        Attack::new(&table("$host_remove (call $table)")),
        Attack::new(&table("$host_clear_all_timers (i32.const 1)")),
        Attack::new(&set(PROCESSING_TIME, 1, i64::MAX)),
        Attack::new(&set(PROCESSING_TIME, 1, i64::MAX).replace("host_set", "host_clear")),
        Attack::with(entries(&[(0, 1), (1, 1)]), put),
    ];
    for attack in &attacks {
        assert_eq!(failure(attack).await, "it names key 1, and the call has 1 keys", "{}", attack.attack);
    }
}

fn put(bytes: &str) -> String {
    asks(&format!("(call $host_put (call $table) {bytes} (i32.const 640))"))
}

#[tokio::test]
async fn what_a_table_of_its_kind_cannot_do_is_refused() {
    let on = |call: &str| {
        let call = call.to_owned();
        move |bytes: &str| asks(&format!("(call {call} (call $table) {bytes} (i32.const 640))"))
    };
    let entry = entries(&[(0, 1)]);
    assert_eq!(
        failure(&Attack::with(entry.clone(), on("$host_append"))).await,
        "it appends to its table `t`, which is no sequence table"
    );
    let number: ArrayRef = Arc::new(UInt32Array::from(vec![0]));
    let key = Arc::new(Schema::new(vec![Field::new("key", DataType::UInt32, false)]));
    let found = message(&key, vec![number]);
    let looks = failure(&Attack::with(found.clone(), on("$host_find"))).await;
    assert_eq!(looks, "it looks for entries of its table `t`, which is no mapping table");
    let removes = failure(&Attack::with(found, on("$host_remove_found"))).await;
    assert_eq!(removes, "it removes entries of its table `t`, which is no mapping table");
}

#[tokio::test]
async fn a_table_that_was_not_declared_is_refused() {
    let open = asks("(call $host_open (i32.const 525) (i32.const 4) (i32.const 640))");
    assert_eq!(failure(&Attack::new(&open)).await, "it opens a table `nope`, which it did not declare");
}

#[tokio::test]
async fn entries_that_are_no_arrow_or_of_other_columns_are_refused() {
    let garbage = failure(&Attack::with(vec![0xa5; 300], put)).await;
    assert!(garbage.starts_with("the plugin's Arrow is refused: message 0: "), "{garbage}");
    let mut cut = entries(&[(0, 1), (0, 2)]);
    cut.truncate(cut.len() - 8);
    let cut = failure(&Attack::with(cut, put)).await;
    assert!(cut.starts_with("the plugin's Arrow is refused: message 0: "), "{cut}");
    let key = Arc::new(Schema::new(vec![Field::new("key", DataType::UInt32, false)]));
    let alone = failure(&Attack::with(message(&key, vec![Arc::new(UInt32Array::from(vec![0]))]), put)).await;
    assert!(alone.starts_with("the plugin's Arrow is refused: message 0: "), "{alone}");
    let nulls = Arc::new(of(&[("key", DataType::UInt32), ("v", DataType::Int64)]));
    let null_key: Vec<ArrayRef> =
        vec![Arc::new(UInt32Array::from(vec![None])), Arc::new(Int64Array::from(vec![1]))];
    let null_key = failure(&Attack::with(message(&nulls, null_key), put)).await;
    assert!(null_key.starts_with("the plugin's Arrow is refused: message 0: "), "{null_key}");
}

#[tokio::test]
async fn a_refusal_that_a_guest_ignores_changes_nothing() {
    let ignored = Attack::with(entries(&[(0, 9), (1, 9)]), |bytes| {
        format!("(call $host_put (call $table) {bytes} (i32.const 640))")
    });
    let mut alone = Alone::new(bound(&ignored, |_| {}).await);
    run(&mut alone, 0, [5]).await.unwrap();
    assert_eq!(remembered(&run(&mut alone, 1, [5]).await.unwrap()), [7], "nothing of it was put");
}

#[tokio::test]
async fn a_guest_that_crashes_over_a_refusal_says_which_it_was() {
    let open = "(call $host_open (i32.const 525) (i32.const 4) (i32.const 640)) unreachable";
    let said = failure(&Attack::new(open)).await;
    assert!(said.starts_with("it crashed: "), "{said}");
    assert!(
        said.ends_with("before that it was refused: it opens a table `nope`, which it did not declare"),
        "{said}"
    );
}

/// Puts a value of a table `t (v STRING)` of 40 KiB for the first key.
fn large() -> Attack {
    let text = Arc::new(of(&[("key", DataType::UInt32), ("v", DataType::Utf8)]));
    let columns: Vec<ArrayRef> = vec![
        Arc::new(UInt32Array::from(vec![0])),
        Arc::new(arrow::array::StringArray::from(vec!["x".repeat(40_000)])),
    ];
    let large = message(&text, columns);
    let open = "(call $host_open (i32.const 525) (i32.const 4) (i32.const 700))";
    let put = |bytes: &str| {
        asks(&format!("{open}(call $host_put (i32.load (i32.const 704)) {bytes} (i32.const 640))"))
    };
    Attack { tables: vec![value(), value_of("nope", &[("v", DataType::Utf8)])], ..Attack::with(large, put) }
}

#[tokio::test]
async fn too_much_state_is_told_to_the_guest_and_a_matter_of_the_data_if_it_passes_that_on() {
    let mut alone = Alone::new(bound(&large(), |_| {}).await).with_max_state(20_000);
    run(&mut alone, 0, [5]).await.unwrap();
    let said = run(&mut alone, 1, [5]).await.unwrap_err();
    assert_eq!(
        said,
        "Data: plugin hostile 0.0.1 (step guarded), epoch 1, key (5): there is no room for more state (`max-state`): let entries \
         leave, or ask for more"
    );
    assert_eq!(remembered(&run(&mut alone, 2, [5]).await.unwrap()), [7]);
    let mut roomy = Alone::new(bound(&large(), |_| {}).await).with_max_state(200_000);
    run(&mut roomy, 1, [5]).await.unwrap();
}

#[tokio::test]
async fn a_key_for_which_there_is_no_room_can_be_left_out() {
    let step = bound(&large(), |s| s.bind.on_error = OnError::DeadLetter).await;
    let letters = step.ports().iter().position(|port| port.name == "dead-letter").unwrap();
    let mut alone = Alone::new(step).with_max_state(20_000);
    let out = run(&mut alone, 1, [5, 6]).await.unwrap();
    let rejected: usize =
        out.iter().filter(|(port, _)| *port == letters).map(|(_, rows)| rows.num_rows()).sum();
    assert_eq!(rejected, 2);
}

#[tokio::test]
async fn state_is_there_in_calls_that_work_by_key_alone() {
    let open = "(call $host_open (i32.const 524) (i32.const 1) (i32.const 640))";
    let said = refusal(&Attack { on_bind: open.into(), ..Attack::default() }).await;
    let expected = "it calls what only work by key may call, and only while it is at it";
    assert!(said.contains(expected), "{said}");
    let said = refusal(&Attack { on_tables: open.into(), ..Attack::default() }).await;
    assert!(said.contains(expected), "{said}");
}

#[tokio::test]
async fn handles_that_nobody_gave_and_handles_without_end_are_the_guests_end() {
    let said = failure(&Attack::asking(
        "(call $host_get (i32.const 77) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 640))",
    ))
    .await;
    assert!(said.ends_with("unknown handle index 77"), "{said}");
    let said = failure(&Attack::new("(loop $more (drop (call $table)) (br $more))")).await;
    assert!(said.contains("handle limit exceeded") || said.contains("table has no free keys"), "{said}");
}

#[tokio::test]
async fn the_last_of_several_values_of_a_key_is_its_value() {
    let twice =
        Attack::with(entries(&[(0, 8), (0, 9)]), |bytes| format!("{} (return (i32.const 384))", put(bytes)));
    let mut alone = Alone::new(bound(&twice, |_| {}).await);
    run(&mut alone, 1, [5]).await.unwrap();
    assert_eq!(remembered(&run(&mut alone, 2, [5]).await.unwrap()), [9]);
}

#[tokio::test]
async fn entries_come_by_key_and_once_however_the_keys_are_named() {
    let every = Attack {
        blobs: vec![entries(&[(0, 7), (1, 8), (2, 9)]), [2_u32, 0, 2].map(u32::to_le_bytes).concat()],
        ..Attack::default()
    };
    let named = blob(&every.blobs, 1).replace("(i32.const 12)", "(i32.const 3)");
    let get = format!("(call $host_get (call $table) (i32.const 1) {named} (i32.const 640))");
    let attack = format!(
        "{} (i64.store (i32.const 388) (i64.load (i32.const 644))) (return (i32.const 384))",
        asks(&get)
    );
    let mut alone = Alone::new(bound(&Attack { attack, ..every }, |_| {}).await);
    run(&mut alone, 0, [4, 5, 6]).await.unwrap();
    assert_eq!(remembered(&run(&mut alone, 1, [4, 5, 6]).await.unwrap()), [7, 9]);
}
