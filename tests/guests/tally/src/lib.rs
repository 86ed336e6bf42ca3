//! A plugin with state of which tests make versions without building it again: they replace texts in its component by others of the
//! same length.

use std::hint::black_box;
use streamhost::prelude::*;

/// What is kept of a key.
#[derive(Row, Clone, Default)]
pub struct Tally {
    /// So long that its name is in the component's data as one text.
    tallied_since_the_first_row_of_the_key_that_ever_came_in: i64,
}

/// What leaves.
#[derive(Row)]
pub struct Said {
    n: i64,
    by_version: String,
}

/// Counts the rows of a key; the version that is to be found out adds a row too many.
#[streamhost::keyed]
pub fn tally(rows: Group<()>, tally: &mut Option<Tally>) -> [Said; 1] {
    let before = tally.take().unwrap_or_default().tallied_since_the_first_row_of_the_key_that_ever_came_in;
    let extra = i64::from(black_box(HONESTY).ends_with("cheats"));
    let tallied = before + rows.len() as i64 + extra;
    *tally = Some(Tally { tallied_since_the_first_row_of_the_key_that_ever_came_in: tallied });
    [Said { n: tallied, by_version: black_box(env!("CARGO_PKG_VERSION")).to_owned() }]
}

/// Ends with `counts`, or of a version that counts otherwise with `cheats`.
static HONESTY: &str = "honesty: counts";
