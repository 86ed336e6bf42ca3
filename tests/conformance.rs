//! Every recorded scenario: whole at several parallelisms, resumed after every epoch, and crashed at every step.

use std::path::Path;
use tests::conformance::{How, pipelines, run, scenarios};

/// Runs it and fails with what differs; whether it was interrupted as asked.
async fn same(scenario: &Path, parallelism: u32, how: How) -> bool {
    let ran = run(scenario, parallelism, how).await;
    let (difference, interrupted) =
        ran.unwrap_or_else(|e| panic!("{}, {how:?}: {}", scenario.display(), e.report()));
    if let Some(difference) = difference {
        panic!("{}, {how:?}, parallelism {parallelism}: {difference}", scenario.display());
    }
    interrupted
}

fn each(mut check: impl AsyncFnMut(&Path)) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let all = scenarios(&pipelines()).unwrap();
    assert!(!all.is_empty());
    all.iter().for_each(|scenario| runtime.block_on(check(scenario)));
}

#[test]
fn every_recorded_answer_is_given_at_every_parallelism() {
    each(async |scenario| {
        for parallelism in [1, 2, 4] {
            same(scenario, parallelism, How::Whole).await;
        }
    });
}

#[test]
fn every_recorded_answer_is_given_by_a_query_that_is_resumed_after_every_epoch() {
    each(async |scenario| {
        assert!(same(scenario, 2, How::Resumed).await);
    });
}

#[test]
fn every_recorded_answer_is_given_by_a_query_that_crashes_at_any_step() {
    each(async |scenario| {
        // In the short form every fourth step, beginning with another one for each scenario.
        let every = if std::env::var_os("STREAMHOST_TEST_LONG").is_some() { 1 } else { 4 };
        let mut step = scenario.as_os_str().len() as u64 % every;
        while same(scenario, 2, How::CrashedAt(step)).await {
            step += every;
        }
        assert!(step > 10, "{}: {step} steps", scenario.display());
    });
}
