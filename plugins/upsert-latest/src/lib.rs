#![doc = include_str!("../README.md")]

mod newest;
mod statement;

use streamhost::arrow::compute::take_record_batch;
use streamhost::arrow::datatypes::Schema;
use streamhost::prelude::*;
use streamhost::{OutputColumns, ddl};

/// Which rows replace which.
#[streamhost::config]
pub struct Config {
    /// The table, with its schema in front if it needs one: `reports.users`.
    table: String,
    /// The columns by which a row replaces an older one: a unique key of the table.
    keys: Vec<String>,
    /// The column that says which row is newer.
    newest: String,
    /// The output's name.
    #[serde(default = "latest")]
    output: String,
}

fn latest() -> String {
    "latest".into()
}

/// The table has the columns that come in.
fn outputs(config: &Config, input: &Schema) -> Result<Vec<OutputColumns>> {
    if config.keys.is_empty() {
        return Err(Error::invalid("config: `keys` names at least one column"));
    }
    let mut named = config.keys.iter().chain([&config.newest]);
    if let Some(missing) = named.find(|name| input.column_with_name(name).is_none()) {
        return Err(Error::invalid(format!(
            "config: there is no column `{missing}`; the columns are {}",
            ddl::print(input)
        )));
    }
    Ok(vec![(config.output.clone(), input.clone())])
}

/// Inserts rows whose key is new, and updates those whose row is older.
///
/// # Errors
/// If a key is null, or the output cannot run the statement.
#[streamhost::batch_sink(outputs = outputs)]
pub fn upsert(rows: Rows, outputs: &Outputs, config: &Config) -> Result<()> {
    let columns = rows.schema().clone();
    let statement = statement::upsert(config, &columns);
    for batch in rows {
        let batch = batch?;
        // One statement a key, not one a row. What the table has already the statement compares by itself.
        let newest = newest::rows(&batch, &config.keys, &config.newest)?;
        outputs.execute(&config.output, &statement, &take_record_batch(&batch, &newest)?)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use streamhost::testing;

    #[test]
    fn the_cases_pass() {
        testing::sink_cases::<upsert>(env!("CARGO_MANIFEST_DIR"));
    }

    #[test]
    fn the_statement_is_the_one_in_the_readme() {
        let config = r#"{"table": "users", "keys": ["id"], "newest": "at"}"#;
        let sink = testing::bind_sink::<upsert>(config, "id INT, name STRING, at TIMESTAMP").expect("a sink");
        let stored = sink.run(r#"{"id": 1}"#).expect("a statement");
        let (_, readme) = include_str!("../README.md").split_once("```sql\n").expect("a statement");
        assert_eq!(readme.lines().next(), Some(&*stored.statements[0].statement));
    }

    #[test]
    fn an_epoch_without_rows_runs_no_statement() {
        let config = r#"{"table": "t", "keys": ["id"], "newest": "at"}"#;
        let sink = testing::bind_sink::<upsert>(config, "id INT, at INT").expect("a sink");
        assert_eq!(sink.run(""), Ok(testing::Stored::default()));
    }
}
