#![doc = include_str!("../README.md")]

mod date;
mod router;

use std::sync::Arc;

use streamhost::arrow::array::StringArray;
use streamhost::arrow::compute::filter_record_batch;
use streamhost::arrow::datatypes::{DataType, Field, Schema};
use streamhost::prelude::*;
use streamhost::{OutputColumns, ddl};

use date::{Pattern, days};
use router::{Route, Router};

/// Which rows go where.
#[streamhost::config]
pub struct Config {
    /// The column of dates, a DATE or a TIMESTAMP. A TIMESTAMP's date is that in UTC.
    column: String,
    /// The new column's name.
    #[serde(default = "day")]
    r#as: String,
    /// The new column's text, in which `{year}`, `{month}` and `{day}` stand for the date's.
    #[serde(default = "iso")]
    text: String,
    /// The output of the rows that no route takes.
    #[serde(default = "days_output")]
    output: String,
    /// Outputs of stretches of time. A row goes to the first that takes its date.
    #[serde(default)]
    routes: Vec<Route>,
    /// The output of the rows without a date. Without one they are an error.
    undated: Option<String>,
}

fn day() -> String {
    "day".into()
}

fn iso() -> String {
    "{year}-{month}-{day}".into()
}

fn days_output() -> String {
    "days".into()
}

/// Every output has the columns that come in, and the new one.
fn outputs(config: &Config, input: &Schema) -> Result<Vec<OutputColumns>> {
    let found = input.column_with_name(&config.column).ok_or_else(|| {
        Error::invalid(format!(
            "config: there is no column `{}`; the columns are {}",
            config.column,
            ddl::print(input)
        ))
    })?;
    if !matches!(found.1.data_type(), DataType::Date32 | DataType::Timestamp(..)) {
        let has = ddl::type_name(found.1.data_type());
        return Err(Error::invalid(format!(
            "config: column `{}` has type {has}, and dates are DATE or TIMESTAMP",
            config.column
        )));
    }
    if input.column_with_name(&config.r#as).is_some() {
        return Err(Error::invalid(format!(
            "config: there is a column `{}` already; name another one with `as`",
            config.r#as
        )));
    }
    Pattern::parse(&config.text)?;
    let columns = with_text(config, input);
    let names = Router::new(config)?.into_names();
    Ok(names.into_iter().map(|name| (name, columns.clone())).collect())
}

fn with_text(config: &Config, input: &Schema) -> Schema {
    let added = Arc::new(Field::new(&config.r#as, DataType::Utf8, true));
    Schema::new(input.fields().iter().cloned().chain([added]).collect::<Vec<_>>())
}

/// Adds the text of each row's date, and stores the row where its date goes.
///
/// # Errors
/// If a row has no date and the configuration does not say where such rows go, or if the host cannot take them.
#[streamhost::batch_sink(outputs = outputs)]
pub fn route(rows: Rows, outputs: &Outputs, config: &Config) -> Result<()> {
    let (router, pattern) = (Router::new(config)?, Pattern::parse(&config.text)?);
    for batch in rows {
        let batch = batch?;
        let days = days(&batch, &config.column)?;
        let places = router.places(&days, &config.column)?;
        let batch = dated(config, &batch, pattern.texts(&days))?;
        for (place, name) in router.names().iter().enumerate() {
            let here: BooleanArray = places.iter().map(|of| Some(*of == place)).collect();
            if here.true_count() > 0 {
                outputs.write(name, &filter_record_batch(&batch, &here)?)?;
            }
        }
    }
    Ok(())
}

fn dated(config: &Config, batch: &RecordBatch, texts: StringArray) -> Result<RecordBatch> {
    let schema = Arc::new(with_text(config, batch.schema_ref()));
    let columns = batch.columns().iter().cloned().chain([Arc::new(texts) as ArrayRef]).collect();
    Ok(RecordBatch::try_new(schema, columns)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use streamhost::testing;

    #[test]
    fn the_cases_pass() {
        testing::sink_cases::<route>(env!("CARGO_MANIFEST_DIR"));
    }

    #[test]
    fn each_batch_of_an_epoch_is_routed() {
        let sink = testing::bind_sink::<route>(r#"{"column": "at"}"#, "at DATE").expect("a sink");
        let stored = sink.run_batches(&[r#"{"at": "2025-03-01"}"#, r#"{"at": "1969-12-31"}"#]).expect("rows");
        let rows = &stored.outputs[0].1;
        assert_eq!(
            rows.iter().map(|row| row["day"].as_str()).collect::<Vec<_>>(),
            [Some("2025-03-01"), Some("1969-12-31")]
        );
    }
}
