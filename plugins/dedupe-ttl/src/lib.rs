#![doc = include_str!("../README.md")]

use std::sync::Arc;

use streamhost::arrow::array::TimestampMicrosecondArray;
use streamhost::arrow::compute::take_rows;
use streamhost::arrow::datatypes::Schema;
use streamhost::keyed::{Groups, Input, Keyed, Output, Plan, State, Table};
use streamhost::prelude::*;
use streamhost::{Interval, Manifest, ddl};

/// For how long a key is remembered.
#[streamhost::config]
pub struct Config {
    /// For how long after a row of a key further ones are dropped, by the time at which they are processed.
    ttl: Interval,
}

/// The plugin.
pub enum Dedupe {}

impl Keyed for Dedupe {
    const MANIFEST: Manifest = Manifest {
        name: env!("CARGO_PKG_NAME"),
        version: env!("CARGO_PKG_VERSION"),
        summary: env!("CARGO_PKG_DESCRIPTION"),
        deterministic: true,
        asks: &[],
    };
    type Config = Config;

    fn plan(config: &Config, input: &Input) -> Result<Plan> {
        let seen = Table::value("seen", ddl::parse("at TIMESTAMP")?).with_ttl(config.ttl.0);
        Ok(Plan { tables: vec![seen], ..Plan::of(Schema::clone(&input.rows)) })
    }

    /// What is in the table was seen within the time: the host removes the rest.
    fn process(
        _: &Config,
        cx: &Context,
        groups: &Groups,
        state: &State<'_>,
        _: &mut RowErrors,
    ) -> Result<Output> {
        let seen = state.open("seen")?;
        let known = seen.get()?;
        let new: Vec<u32> =
            (0..groups.len() as u32).filter(|key| known.keys().binary_search(key).is_err()).collect();
        let now = TimestampMicrosecondArray::from(vec![cx.now; new.len()]).with_timezone("UTC");
        seen.put(&new, &RecordBatch::try_from_iter([("at", Arc::new(now) as ArrayRef)])?)?;
        let first: Vec<u32> = new.iter().map(|key| groups.range(*key as usize).start as u32).collect();
        let columns = groups.rows().columns().iter().map(|column| take_rows(column, &first));
        Ok(RecordBatch::try_new(groups.rows().schema(), columns.collect::<Result<_>>()?)?.into())
    }
}

streamhost::keyed::export!(Dedupe);

#[cfg(test)]
mod tests {
    use super::*;
    use streamhost::testing;

    #[test]
    fn the_cases_pass() {
        testing::keyed_cases::<Dedupe>(env!("CARGO_MANIFEST_DIR"));
    }

    #[test]
    fn a_key_beyond_a_batch_leaves_once() {
        let mut job =
            testing::bind_keyed::<Dedupe>(r#"{"ttl": "1h"}"#, "id INT, n INT", &["id"]).expect("a job");
        let rows: String = (0..9).map(|n| format!("{{\"id\": 1, \"n\": {n}}}\n")).collect();
        job.batch_rows(2).epoch(&rows).expect("rows").expect(r#"{"id": 1, "n": 0}"#);
    }
}
