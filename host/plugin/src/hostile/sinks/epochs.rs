//! What becomes of epochs.

use super::*;

#[tokio::test]
async fn an_epoch_is_stored_in_the_outputs_when_the_call_has_ended() {
    let place = Store::default();
    let sink = sink(&Attack::new(PASS_ON), &place).await;
    assert_eq!(sink.accepts(OutputMode::Update, &input()).unwrap(), Guarantee::ExactlyOnce);
    sink.open(&QueryId("q".into()), "audit").await.unwrap();
    let token = store(&sink, 0).await.unwrap();
    assert_eq!((place.rows(), token.0.to_string()), ((0..8).collect(), r#"{"out":"written"}"#.into()));
    assert_eq!(*place.0.names.lock().unwrap(), ["audit.out", "audit.out"]);
    let Begun::Stored(token) = sink.begin(&epoch(0)).await.unwrap() else { panic!("it has the epoch") };
    assert_eq!(token.0.to_string(), r#"{"out":"stored"}"#);
    let progress = sink.progress().unwrap();
    assert_eq!((progress.calls, progress.rows_in, progress.rows_out), (1, 8, 8));
}

#[tokio::test]
async fn on_a_replay_an_output_that_has_the_epoch_gets_nothing_and_the_others_do() {
    let both = PASS_ON.replace(
        "(br $more)",
        "(drop (call $write_to (i32.const 2003) (i32.const 5) (i32.load (i32.const 644)) (i32.load (i32.const 648))))
         (br $more)",
    );
    let attack = Attack { outputs: vec!["out", "other"], ..Attack::new(&both) };
    let (first, second) = (Store::default(), Store::default());
    first.0.epochs.lock().unwrap().push(3);
    let sink = sink_with(Arc::new(SystemClock::new()), &attack, &[&first, &second]).await;
    let token = store(&sink, 3).await.unwrap();
    assert_eq!((first.rows(), second.rows()), (vec![], (0..8).collect()));
    assert_eq!(token.0.to_string(), r#"{"out":"stored","other":"written"}"#);
}

#[tokio::test]
async fn a_plugin_that_writes_nowhere_promises_nothing_and_is_called_again() {
    let attack = Attack { outputs: vec![], ..Attack::new(IDLE) };
    let sink = sink_with(Arc::new(SystemClock::new()), &attack, &[]).await;
    assert_eq!(sink.accepts(OutputMode::Append, &input()).unwrap(), Guarantee::BestEffort);
    for _ in 0..2 {
        assert_eq!(store(&sink, 0).await.unwrap().0.to_string(), "{}");
    }
}

#[tokio::test]
async fn rows_that_nobody_asks_for_are_dropped() {
    let place = Store::default();
    let sink = sink(&Attack::new(IDLE), &place).await;
    let writer = writer(&sink, 0).await;
    for _ in 0..100 {
        writer.write(Partition(0), guest::rows(0..5)).await.unwrap();
    }
    writer.commit().await.unwrap();
    assert_eq!((place.rows(), place.0.epochs.lock().unwrap().clone()), (vec![], vec![0]));
}

#[tokio::test]
async fn a_crash_in_the_middle_of_an_epoch_leaves_nothing_and_the_next_epoch_has_a_new_instance() {
    let place = Store::default();
    let once = "(if (i64.eq (i64.const 0) (local.get 2)) (then unreachable))";
    let sink = sink(&Attack::new(&format!("(drop (call $next)) {once} {PASS_ON}")), &place).await;
    let error = store(&sink, 0).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Plugin);
    assert!(error.report().starts_with("plugin hostile 0.0.1: it crashed: "), "{}", error.report());
    assert_eq!((place.rows(), place.0.open.load(Relaxed)), (vec![], 0));
    store(&sink, 1).await.unwrap();
    assert_eq!(place.rows(), [5, 6, 7], "the first batch was read and not written");
}

#[tokio::test(flavor = "current_thread")]
async fn waiting_for_rows_takes_none_of_its_time() {
    let clock = Arc::new(ManualClock::new(Timestamp(0)));
    let place = Store::default();
    let sink = sink_with(clock.clone(), &Attack::new(PASS_ON), &[&place]).await;
    let writer = writer(&sink, 0).await;
    for _ in 0..3 {
        writer.write(Partition(0), guest::rows(0..2)).await.unwrap();
        // Until the guest waits for more.
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        for _ in 0..20 {
            tokio::task::yield_now().await;
            clock.advance(Duration::from_secs(60));
        }
    }
    writer.commit().await.unwrap();
    assert_eq!(place.rows(), [0, 1, 0, 1, 0, 1]);
}

#[tokio::test]
async fn what_fails_in_an_output_is_the_outputs_failure_whatever_the_guest_answers() {
    let place = Store::default();
    let sink = sink(&Attack::new(PASS_ON), &place).await;
    place.0.full.store(true, Relaxed);
    let error = store(&sink, 0).await.unwrap_err();
    assert_eq!((error.kind(), error.report()), (Kind::Unavailable, "output `out`: the disk is full".into()));
    place.0.full.store(false, Relaxed);
    store(&sink, 0).await.unwrap();
    assert_eq!(place.rows().len(), 8);
}

#[tokio::test]
async fn what_the_guest_says_of_its_failure_decides_who_must_act() {
    for (code, kind) in [(0, Kind::Invalid), (1, Kind::Unavailable), (2, Kind::Plugin)] {
        let fails = format!(
            "(i32.store8 (i32.const 384) (i32.const 1)) (i32.store8 (i32.const 388) (i32.const {code}))
             (i32.store (i32.const 392) (i32.const 512)) (i32.store (i32.const 396) (i32.const 7))"
        );
        let sink = sink(&Attack::new(&fails), &Store::default()).await;
        let error = store(&sink, 0).await.unwrap_err();
        assert_eq!((error.kind(), error.report()), (kind, "plugin hostile 0.0.1: hostile".into()));
    }
}

#[tokio::test]
async fn an_epoch_that_is_dropped_is_abandoned_at_once() {
    let place = Store::default();
    let sink = sink(&Attack::new(PASS_ON), &place).await;
    let writer = writer(&sink, 0).await;
    writer.write(Partition(0), guest::rows(0..5)).await.unwrap();
    drop(writer);
    assert_eq!(place.0.open.load(Relaxed), 0, "the writers are the epoch's, not the call's");
    store(&sink, 0).await.unwrap();
    assert_eq!(place.rows(), (0..8).collect::<Vec<_>>());
}

#[tokio::test(flavor = "current_thread")]
async fn a_guest_that_does_not_pull_holds_back_who_writes() {
    let clock = Arc::new(ManualClock::new(Timestamp(0)));
    let attack = Attack {
        top: r#"(import "wasi:clocks/monotonic-clock@0.2.0" "subscribe-duration" (func $subscribe (param i64) (result i32)))
          (import "wasi:io/poll@0.2.0" "[method]pollable.block" (func $block (param i32)))"#
            .into(),
        ..Attack::new("(call $block (call $subscribe (i64.const 3600000000000)))")
    };
    let sink = sink_with(clock, &attack, &[&Store::default()]).await;
    let writer = writer(&sink, 0).await;
    let mut taken = 0;
    for _ in 0..10 {
        tokio::task::yield_now().await;
        taken += u32::from(writer.write(Partition(0), guest::rows(0..1)).now_or_never().is_some());
    }
    assert_eq!(taken, 2, "what fits into the channel");
}

#[tokio::test]
async fn outputs_and_grants_have_to_be_the_same() {
    let component = Attack::new(IDLE).component();
    let clock = || Arc::new(SystemClock::new());
    let refusal = bound_sink(clock(), &component).await.grant(vec![]).err().unwrap();
    assert_eq!(refusal.report(), "it writes to an output `out`, which it was not granted");
    let bound = bound_sink(clock(), &component).await;
    let store = Store::default();
    let mut both = grants(&bound, &[&store]);
    both.extend(grants(&bound, &[&store]).into_iter().map(|grant| Grant { name: "more".into(), ..grant }));
    assert_eq!(bound.grant(both).err().unwrap().report(), "it has no output `more`");
}
