#![doc = include_str!("../README.md")]

use std::sync::Arc;

use streamhost::arrow::array::types::{Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type};
use streamhost::arrow::array::{ArrowPrimitiveType, Float64Array};
use streamhost::arrow::compute::{bits_where, select};
use streamhost::arrow::datatypes::DataType;
use streamhost::prelude::*;
use streamhost::{Columns, Output};

/// What is divided by what.
#[streamhost::config]
#[serde(default)]
pub struct Config {
    /// The column of numbers.
    column: String,
    /// The new column's name; `normalized_` and the column's by default.
    r#as: Option<String>,
    /// What each value is divided by.
    divisor: f64,
    /// Keeps only rows whose value is greater.
    above: Option<f64>,
}

impl Default for Config {
    fn default() -> Self {
        Self { column: "value".into(), r#as: None, divisor: 100.0, above: None }
    }
}

impl Config {
    fn reads(&self) -> Vec<String> {
        vec![self.column.clone()]
    }

    fn name(&self) -> String {
        self.r#as.clone().unwrap_or_else(|| format!("normalized_{}", self.column))
    }
}

/// The new column, for all rows or for those above a limit.
pub enum Normalized {
    /// A value for each row.
    All(RecordBatch),
    /// The rows kept, and a value for each of these.
    Above(BooleanArray, RecordBatch),
}

impl Columns for Normalized {
    fn into_output(self) -> Output {
        match self {
            Self::All(columns) => columns.into_output(),
            Self::Above(keep, columns) => (keep, columns).into_output(),
        }
    }
}

/// Adds the quotient; null stays null.
///
/// # Errors
/// If the column is no number, or the divisor is 0.
#[streamhost::map(reads = Config::reads)]
pub fn normalize(batch: &RecordBatch, config: &Config) -> Result<Normalized> {
    if config.divisor == 0.0 {
        return Err(Error::invalid("config: `divisor` is 0"));
    }
    let column = batch.column(0);
    match column.data_type() {
        DataType::Float64 => divide::<Float64Type>(column, config, |value| value),
        DataType::Float32 => divide::<Float32Type>(column, config, f64::from),
        DataType::Int8 => divide::<Int8Type>(column, config, f64::from),
        DataType::Int16 => divide::<Int16Type>(column, config, f64::from),
        DataType::Int32 => divide::<Int32Type>(column, config, f64::from),
        DataType::Int64 => divide::<Int64Type>(column, config, |value| value as f64),
        other => Err(Error::invalid(format!(
            "column `{}` has type {other}, which is no number to divide",
            config.column
        ))),
    }
}

fn divide<T: ArrowPrimitiveType>(
    column: &ArrayRef,
    config: &Config,
    number: impl Fn(T::Native) -> f64,
) -> Result<Normalized> {
    let values = column.as_primitive::<T>();
    // Dividing all of them fills vector registers; picking the values first would divide them one by one.
    let quotients =
        || values.values().iter().map(|value| number(*value) / config.divisor).collect::<Vec<_>>();
    let Some(limit) = config.above else {
        let quotients = Float64Array::new(quotients().into(), values.nulls().cloned());
        return Ok(Normalized::All(column_of(config, quotients)?));
    };
    let above = bits_where(values.values(), |value| number(value) > limit);
    let kept = match values.nulls() {
        Some(valid) => &above & valid.inner(),
        None => above,
    };
    let quotients = Float64Array::new(select(&quotients(), &kept).into(), None);
    Ok(Normalized::Above(BooleanArray::new(kept, None), column_of(config, quotients)?))
}

fn column_of(config: &Config, values: Float64Array) -> Result<RecordBatch> {
    Ok(RecordBatch::try_from_iter([(config.name(), Arc::new(values) as ArrayRef)])?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use streamhost::testing;

    #[test]
    fn the_cases_pass() {
        testing::cases::<normalize>(env!("CARGO_MANIFEST_DIR"));
    }

    #[test]
    fn a_divisor_of_zero_is_refused() {
        let error = testing::bind::<normalize>(r#"{"divisor": 0}"#, "value INT").err();
        assert_eq!(error, Some(Error::invalid("config: `divisor` is 0")));
    }
}
