//! Counts the rows of each key, whatever the key is: what `SELECT …, count(*) … GROUP BY` does.

use streamhost::prelude::*;

/// What is kept, and what leaves behind the columns of the key.
#[derive(Row, Clone)]
pub struct Count {
    n: i64,
}

/// No column is read: only the number of rows matters.
#[streamhost::keyed]
pub fn count(rows: Group<()>, count: &mut Option<Count>) -> [Count; 1] {
    let n = count.as_ref().map_or(0, |count| count.n) + rows.len() as i64;
    *count = Some(Count { n });
    [Count { n }]
}
