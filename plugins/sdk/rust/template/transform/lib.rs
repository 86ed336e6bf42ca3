//! Splits a text into a row for each of its words.

use streamhost::prelude::*;

/// The columns that the plugin reads.
#[derive(Row)]
pub struct Line<'a> {
    text: Option<&'a str>,
}

/// The columns of the rows that leave.
#[derive(Row)]
pub struct Word<'a> {
    word: &'a str,
}

/// The rows that a row becomes.
#[streamhost::transform]
pub fn words(line: Line<'_>) -> impl Iterator<Item = Word<'_>> {
    line.text.unwrap_or_default().split_whitespace().map(|word| Word { word })
}

#[test]
fn the_cases_pass() {
    streamhost::testing::cases::<words>(env!("CARGO_MANIFEST_DIR"));
}
