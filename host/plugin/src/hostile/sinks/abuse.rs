//! What a guest may not do, and what ends it.

use super::*;

#[tokio::test]
async fn behind_the_end_there_is_no_row_and_no_time() {
    let place = Store::default();
    let again = "(if (call $next) (then unreachable))".repeat(3);
    let polite = sink(&Attack::new(&format!("{PASS_ON} {again}")), &place).await;
    store(&polite, 0).await.unwrap();
    assert_eq!(place.rows().len(), 8);
    let asks_on = "(loop $on (drop (call $next)) (br $on))";
    assert_eq!(failure(&Attack::new(asks_on)).await, "one call called the host more than 10000 times");
}

/// Writes this, whatever becomes of it.
fn writes(name: (u32, u32), rows: (u32, u32)) -> Attack {
    Attack::new(&format!(
        "(drop (call $write_to (i32.const {}) (i32.const {}) (i32.const {}) (i32.const {}))) {PASS_ON}",
        name.0, name.1, rows.0, rows.1
    ))
}

#[tokio::test]
async fn an_output_that_was_not_named_fails_the_epoch_whatever_the_guest_answers() {
    let said = failure(&writes((527, 4), (0, 0))).await;
    assert_eq!(said, "it writes to an output `nope`; in `bind` it named: out");
}

#[tokio::test]
async fn rows_that_are_no_arrow_or_of_other_columns_fail_the_epoch_whatever_the_guest_answers() {
    let said = failure(&writes((524, 3), (512, 12))).await;
    assert!(said.starts_with("what it writes to output `out`: the plugin's Arrow is refused: "), "{said}");
    let two = Arc::new(Schema::new(vec![
        Field::new("x", DataType::Int64, false),
        Field::new("y", DataType::Int64, false),
    ]));
    let rows = RecordBatch::try_new(two.clone(), vec![guest::rows(0..2).column(0).clone(); 2]).unwrap();
    let message = ipc::Encoder::new(&two).unwrap().encode(&rows).unwrap();
    let data: String = message.iter().map(|byte| format!("\\{byte:02x}")).collect();
    let attack = writes((524, 3), (4_096, message.len() as u32));
    let attack = Attack { top: format!("(data (i32.const 4096) \"{data}\")"), ..attack };
    let said = failure(&attack).await;
    assert!(said.starts_with("what it writes to output `out`: the plugin's Arrow is refused: "), "{said}");
}

#[tokio::test]
async fn a_statement_on_an_output_that_takes_none_fails_the_epoch() {
    let schema = ipc::encode_schema(&input()).unwrap().len();
    let message = ipc::Encoder::new(&input()).unwrap().encode(&guest::rows(0..1)).unwrap();
    let data: String = message.iter().map(|byte| format!("\\{byte:02x}")).collect();
    let execute = |schema: usize| Attack {
        top: format!("(data (i32.const 4096) \"{data}\")"),
        ..Attack::new(&format!(
            "(call $host_execute (i32.const 524) (i32.const 3) (i32.const 512) (i32.const 7)
               (i32.const 1024) (i32.const {schema}) (i32.const 4096) (i32.const {}) (i32.const 704))",
            message.len()
        ))
    };
    let said = failure(&execute(schema)).await;
    assert_eq!(said, "Invalid: output `out`: this output takes no statements; use an SQL output");
    let said = failure(&execute(schema - 9)).await;
    assert!(
        said.starts_with("what it writes to output `out`: the plugin's Arrow schema is refused"),
        "{said}"
    );
}

#[tokio::test]
async fn writing_for_ever_ends_with_what_may_be_written_for_a_batch() {
    let same = "(drop (call $next))
      (loop $more
        (drop (call $write_to (i32.const 524) (i32.const 3) (i32.load (i32.const 644)) (i32.load (i32.const 648))))
        (br $more))";
    let said = failure(&Attack::new(same)).await;
    assert_eq!(said, "one call handed over more than 10000 rows (limits.output-rows)");
    let much = "(loop $more
        (drop (call $write_to (i32.const 524) (i32.const 3) (i32.const 0) (i32.const 500000))) (br $more))";
    let said = failure(&Attack::new(much)).await;
    assert!(said.starts_with("what it writes to output `out`: the plugin's Arrow is refused"), "{said}");
    let nothing = "(loop $more
        (drop (call $write_to (i32.const 524) (i32.const 3) (i32.const 0) (i32.const 0))) (br $more))";
    assert_eq!(failure(&Attack::new(nothing)).await, "one call called the host more than 10000 times");
}

#[tokio::test]
async fn what_a_batch_allows_to_be_written_is_allowed_again_with_the_next() {
    let place = Store::default();
    let sink = sink(&Attack::new(PASS_ON), &place).await;
    let writer = writer(&sink, 0).await;
    for _ in 0..5 {
        writer.write(Partition(0), guest::rows(0..9_000)).await.unwrap();
    }
    writer.commit().await.unwrap();
    assert_eq!(place.rows().len(), 45_000);
}

#[tokio::test]
async fn computing_for_ever_ends_with_its_time_after_any_batch() {
    let attack = Attack::new(&format!("{PASS_ON} (loop $forever (br $forever))"));
    let said = failure(&attack).await;
    assert_eq!(said, "one call computed for more than 500ms (limits.cpu-per-call)");
}

#[tokio::test(flavor = "current_thread")]
async fn blocking_in_a_call_of_the_host_takes_its_time() {
    let clock = Arc::new(ManualClock::new(Timestamp(0)));
    let attack = Attack {
        top: r#"(import "wasi:clocks/monotonic-clock@0.2.0" "subscribe-duration" (func $subscribe (param i64) (result i32)))
          (import "wasi:io/poll@0.2.0" "[method]pollable.block" (func $block (param i32)))"#
            .into(),
        ..Attack::new("(drop (call $next)) (call $block (call $subscribe (i64.const 3600000000000)))")
    };
    let sink = sink_with(clock.clone(), &attack, &[&Store::default()]).await;
    let advance = async {
        for _ in 0..100 {
            tokio::task::yield_now().await;
            clock.advance(Duration::from_secs(1));
        }
    };
    let (ended, ()) = tokio::join!(store(&sink, 0), advance);
    let said = ended.unwrap_err().report();
    assert!(said.contains("one call took longer than 10s (limits.wall-per-call)"), "{said}");
}

#[tokio::test]
async fn a_step_cannot_write_to_outputs() {
    let write =
        r#"(import "streamhost:plugin/outputs@0.9.0" "write" (func $write (param i32 i32 i32 i32 i32)))"#;
    let call = "(call $write (i32.const 512) (i32.const 7) (i32.const 0) (i32.const 0) (i32.const 640))";
    let said = super::super::failure(&Guest::on_call(call).with_top(write), |_| {}).await;
    assert!(said.contains("it calls what only the sink of an epoch may call"), "{said}");
}

#[tokio::test]
async fn a_plugin_in_a_place_that_it_is_not_made_for_is_told_where_it_belongs() {
    let runtime = runtime_with(Arc::new(SystemClock::new()));
    let step = load(&runtime, &Guest::default().component()).await.unwrap();
    let error = step.bind_sink(SinkSettings::new("audit", input())).await.err().unwrap();
    assert_eq!(
        (error.kind(), error.report()),
        (
            Kind::Invalid,
            "plugin hostile 0.0.1: it cannot be used under [sinks]: it exports transform and not `foreach-batch`: \
             put it under [steps]"
                .into()
        )
    );
    let sink = load(&runtime, &Attack::new(IDLE).component()).await.unwrap();
    let error = sink.bind(BindSettings::new("guarded", input())).await.err().unwrap();
    assert_eq!(
        error.report(),
        "step guarded: plugin hostile 0.0.1: it cannot be used under [steps]: it exports foreach-batch and not \
         `transform`: put it under [sinks]"
    );
}
