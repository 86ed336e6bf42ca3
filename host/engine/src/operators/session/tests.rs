use crate::{
    OutputMode,
    operators::driver::{Driver, Row, planned, row},
};

const BY_KEY: &str =
    "SELECT k, session_window, count(*) AS n FROM rows GROUP BY session_window(t, '10 seconds'), k";

fn gap(key: &'static str, seconds: i32, gap: impl Into<Option<&'static str>>) -> Row {
    (Some(key), Some(f64::from(seconds)), 1, gap.into())
}

#[test]
fn a_row_at_the_very_end_of_a_session_belongs_to_it_and_one_after_it_does_not() {
    let mut step = Driver::of(BY_KEY);
    step.epoch(&[row("a", 60), row("a", 70), row("b", 60), row("b", 70.000001)]);
    step.epoch(&[row("a", 80), row("a", 75)]);
    assert_eq!(step.epoch(&[row("z", 160)]), ["{start: 01:00, end: 01:10} | b | 1"]);
    assert_eq!(
        step.epoch(&[row("z", 161)]),
        ["{start: 01:00, end: 01:30} | a | 4", "{start: 01:10.000001, end: 01:20.000001} | b | 1"]
    );
}

#[test]
fn a_late_row_is_dropped_even_if_it_would_join_an_open_session() {
    let mut step = Driver::of(BY_KEY);
    step.epoch(&[row("a", 100)]);
    step.epoch(&[row("a", 80), row("a", 86)]);
    let ports = step.partitions(&[&[row("a", 84), row("a", 85)]]);
    assert_eq!(ports, [vec![], vec!["a | 01:24", "a | 01:25"]]);
    assert_eq!(step.late(), 2);
    step.epoch(&[row("z", 300)]);
    assert_eq!(step.epoch(&[]), ["{start: 01:20, end: 01:36} | a | 2", "{start: 01:40, end: 01:50} | a | 1"]);
    assert_eq!(step.entries(), 1);
}

#[test]
fn a_row_between_two_sessions_makes_them_one_across_partitions_and_epochs() {
    let mut step = Driver::of(
        "SELECT k, session_window, sum(v) AS s, min(t) AS earliest FROM rows GROUP BY k, session_window(t, '10 seconds')",
    );
    step.partitions(&[&[row("a", 60)], &[row("a", 75), row("b", 60)]]);
    assert_eq!(step.epoch(&[row("a", 68)]), ["b | {start: 01:00, end: 01:10} | 1 | 01:00"]);
    step.epoch(&[row("z", 200)]);
    assert_eq!(step.epoch(&[]), ["a | {start: 01:00, end: 01:25} | 3 | 01:00"]);
}

#[test]
fn each_row_may_have_a_gap_of_its_own_and_without_one_it_is_in_no_session() {
    let mut step =
        Driver::of("SELECT session_window, k, count(*) AS n FROM rows GROUP BY session_window(t, g), k");
    step.epoch(&[
        gap("a", 60, "10 seconds"),
        gap("a", 65, "1 second"),
        gap("b", 60, "0 seconds"),
        gap("b", 61, "-3 seconds"),
        gap("b", 62, None),
        gap("b", 63, "rubbish"),
        gap("c", 63, "1.5 seconds"),
        (None, Some(63.0), 1, Some("2 seconds")),
        (Some("d"), None, 1, Some("2 seconds")),
    ]);
    step.epoch(&[gap("z", 260, "1 second")]);
    assert_eq!(
        step.epoch(&[]),
        [
            "{start: 01:00, end: 01:10} | a | 2",
            "{start: 01:03, end: 01:04.500} | c | 1",
            "{start: 01:03, end: 01:05} |  | 1",
        ]
    );
}

#[test]
fn the_session_may_be_all_that_is_grouped_by_and_nothing_need_be_counted() {
    let mut step = Driver::of("SELECT session_window FROM rows GROUP BY session_window(t, '10 seconds')");
    step.epoch(&[row("a", 60), row("b", 65)]);
    step.epoch(&[row("z", 200)]);
    assert_eq!(step.epoch(&[]), ["{start: 01:00, end: 01:15}"]);
}

#[test]
fn in_complete_mode_every_session_is_there_and_late_rows_are_not() {
    let mut step = Driver::of_mode(BY_KEY, OutputMode::Complete);
    step.epoch(&[row("a", 60), row("a", 160)]);
    let three = [
        "{start: 01:00, end: 01:10} | a | 1",
        "{start: 01:50, end: 02:00} | a | 1",
        "{start: 02:40, end: 02:50} | a | 1",
    ];
    assert_eq!(step.epoch(&[row("a", 110)]), three);
    assert_eq!(step.epoch(&[row("a", 64), row("b", 62)]), three);
    assert_eq!(step.late(), 2);
}

#[test]
fn what_cannot_be_is_refused_with_the_remedy() {
    let refused = |sql: &str, watermark, mode| planned(sql, watermark, &[mode]).err().unwrap().report();
    let update = refused(BY_KEY, true, OutputMode::Update);
    assert!(update.contains("use mode = \"append\" or \"complete\" for session_window()"), "{update}");
    let append = refused(BY_KEY, false, OutputMode::Append);
    assert!(append.contains("an event time that has a watermark"), "{append}");
    for (gap, says) in [
        ("'0 seconds'", "is above 0"),
        ("'1 month'", "write the length in days"),
        ("'x'", "is no length of time"),
    ] {
        let sql = format!("SELECT count(*) FROM rows GROUP BY session_window(t, {gap})");
        let error = refused(&sql, true, OutputMode::Append);
        assert!(error.contains(says), "{error}");
    }
    let two = "SELECT count(*) FROM rows GROUP BY session_window(t, '1 second'), window(t, '1 second')";
    assert!(refused(two, true, OutputMode::Append).contains("one window()"), "{two}");
}
