//! A plugin with state of which tests make versions without building it again: they replace texts in its component by others of the
//! same length.

use std::{
    hint::black_box,
    sync::atomic::{AtomicI64, Ordering::Relaxed},
};
use streamhost::prelude::*;

/// What is kept of a key.
#[derive(Row, Clone, Default)]
pub struct Tally {
    n: i64,
}

/// What leaves.
#[derive(Row)]
pub struct Said {
    n: i64,
    by_version: String,
}

/// Counts the rows of a key; the version that is to be found out adds a row too many.
#[streamhost::keyed(tables(so_far(version = version())))]
pub fn tally(rows: Group<()>, so_far: &mut Option<Tally>) -> [Said; 1] {
    let before = so_far.take().unwrap_or_default().n;
    let extra = match black_box(HONESTY) {
        "honesty: cheats" => 1,
        "honesty: lies !" => CALLS.fetch_add(1, Relaxed),
        _ => 0,
    };
    let n = before + rows.len() as i64 + extra;
    *so_far = Some(Tally { n });
    [Said { n, by_version: black_box(env!("CARGO_PKG_VERSION")).to_owned() }]
}

/// Or of a version that counts otherwise `cheats`; of one that is not deterministic, as it says it is, `lies !`.
static HONESTY: &str = "honesty: counts";

static CALLS: AtomicI64 = AtomicI64::new(0);

/// Ends with `older`, or of a version that keeps state of another version with `newer`.
static KEPT: &str = "what is kept is older";

fn version() -> u32 {
    1 + u32::from(black_box(KEPT).ends_with("newer"))
}
