use super::DropDuplicates;
use crate::{
    OutputMode,
    operators::driver::{Driver, Row, planned, row, schema},
};
use std::sync::Arc;

const NO_TIME: Row = (Some("a"), None, 1, None);

fn by(keys: &[&str], within_watermark: bool) -> Driver {
    let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
    let step = DropDuplicates::new(&schema(true), Some(&keys), within_watermark).unwrap();
    Driver::new(Arc::new(step), schema(true), 3)
}

#[test]
fn the_first_row_of_a_key_passes_and_partitions_come_in_order() {
    let mut step = by(&["k"], false);
    let (first, second) = ([row("a", 3), row("b", 9), row("a", 1)], [row("b", 1), row("c", 2)]);
    let mut out = step.partitions(&[&first, &second]).swap_remove(0);
    out.sort();
    assert_eq!(out, ["a | 00:03 | 1 |", "b | 00:09 | 1 |", "c | 00:02 | 1 |"]);
    assert_eq!(step.epoch(&[row("c", 9), row("d", 9)]), ["d | 00:09 | 1 |"]);
}

#[test]
fn a_key_with_event_time_leaves_once_the_watermark_covers_it_and_is_late_after_that() {
    let mut step = by(&["k", "t"], false);
    step.epoch(&[row("a", 10), row("a", 11)]);
    assert_eq!(step.epoch(&[row("b", 16), row("a", 10)]), ["b | 00:16 | 1 |"]);
    // The watermark, 11 s, evicts; the late filter, 6 s, lets the row pass once more.
    assert_eq!((step.epoch(&[]).len(), step.entries()), (0, 1));
    let ports = step.partitions(&[&[row("a", 11), row("a", 12)]]);
    assert_eq!(ports, [["a | 00:12 | 1 |"], ["a | 00:11 | 1 |"]]);
    assert_eq!(step.late(), 1);
}

#[test]
fn within_the_watermark_the_first_row_says_when_its_key_leaves() {
    let mut step = by(&["k"], true);
    assert_eq!(step.epoch(&[row("a", 10), row("a", 2)]), ["a | 00:10 | 1 |"]);
    assert_eq!(step.epoch(&[row("a", 14)]), [""; 0]);
    assert_eq!(step.epoch(&[row("b", 20)]), ["b | 00:20 | 1 |"]);
    // It expires at 15 s, by the watermark of this very epoch: that comes after its rows.
    assert_eq!(step.epoch(&[row("a", 16)]), [""; 0]);
    assert_eq!(step.epoch(&[row("a", 17)]), ["a | 00:17 | 1 |"]);
}

#[test]
fn rows_that_come_too_late_never_pass_even_if_event_time_is_not_in_the_key() {
    let mut step = by(&["k"], false);
    step.epoch(&[row("b", 100)]);
    step.epoch(&[row("e", 101)]);
    let late = step.partitions(&[&[row("f", 5), row("g", 95), row("h", 96)]]);
    assert_eq!(late, [vec!["h | 01:36 | 1 |"], vec!["f | 00:05 | 1 |", "g | 01:35 | 1 |"]]);
    assert_eq!((step.late(), step.entries()), (2, 3));
}

#[test]
fn a_row_without_event_time_is_remembered_for_ever_or_as_one_of_1970() {
    let (mut forever, mut within) = (by(&["k", "t"], false), by(&["k"], true));
    for step in [&mut forever, &mut within] {
        assert_eq!(step.epoch(&[NO_TIME, NO_TIME]), ["a |  | 1 |"]);
        assert_eq!(step.epoch(&[NO_TIME, row("b", 100)]), ["b | 01:40 | 1 |"]);
        step.epoch(&[]);
    }
    assert_eq!(forever.epoch(&[NO_TIME]), [""; 0]);
    assert_eq!(within.epoch(&[NO_TIME]), ["a |  | 1 |"]);
}

#[test]
fn select_distinct_drops_duplicates_of_all_columns_and_nulls_are_equal() {
    let mut step = Driver::of_mode("SELECT DISTINCT k, v FROM rows WHERE v < 3", OutputMode::Update);
    let null = (None, Some(1.0), 1, None);
    let other = (Some("a"), Some(1.0), 2, None);
    let dropped = (Some("a"), Some(1.0), 3, None);
    let rows = [null, row("a", 1), row("a", 2), other, null, dropped];
    assert_eq!(step.epoch(&rows), [" | 1", "a | 1", "a | 2"]);
    assert_eq!(step.epoch(&[null]), [""; 0]);
}

#[test]
fn every_not_a_number_is_one_key_and_so_are_both_zeros() {
    let mut step = Driver::of("SELECT DISTINCT CAST(k AS DOUBLE) AS f FROM rows");
    let rows = ["NaN", "-0.0", "0.0", "NaN"].map(|text| row(text, 1));
    assert_eq!(step.epoch(&rows), ["-0.0", "NaN"]);
    assert_eq!(step.epoch(&rows), [""; 0]);
}

#[test]
fn what_cannot_be_is_refused_with_the_remedy() {
    let refused = |watermark, keys: &[&str], within| {
        let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
        DropDuplicates::new(&schema(watermark), Some(&keys), within).err().unwrap().report()
    };
    assert!(
        refused(false, &["k"], true).starts_with("within-watermark needs a watermark; add watermark = {")
    );
    assert_eq!(refused(true, &["x"], false), "there is no column `x`; there are: k, t, v, g");
    assert!(refused(true, &[], false).starts_with("keys is empty;"));
    let complete = planned("SELECT DISTINCT k FROM rows", true, &[OutputMode::Complete]).err().unwrap();
    assert!(complete.report().contains("use mode = \"append\" or \"update\", or GROUP BY"), "{complete:?}");
}
