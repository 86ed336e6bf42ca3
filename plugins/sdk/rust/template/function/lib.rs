//! A function for SQL: how many words a text has.

use streamhost::prelude::*;

/// What the pipeline may set.
#[streamhost::config]
pub struct Config {
    /// The fewest letters of a word that counts.
    #[serde(default = "one")]
    letters: usize,
}

fn one() -> usize {
    1
}

/// The words of a text that are long enough. Of NULL the result is NULL; with `Option<&str>` it could be another.
///
/// # Errors
/// If there are more than anyone has written.
#[streamhost::function]
pub fn words(text: &str, config: &Config) -> Result<i32> {
    let words = text.split_whitespace().filter(|word| word.chars().count() >= config.letters).count();
    words.try_into().map_err(|_| Error::permanent(format!("there are {words} words")))
}

#[test]
fn the_cases_pass() {
    streamhost::testing::function_cases::<words>(env!("CARGO_MANIFEST_DIR"));
}
