#![doc = include_str!("../README.md")]

use streamhost::arrow::array::ArrowPrimitiveType;
use streamhost::arrow::array::types::{
    Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type,
};
use streamhost::arrow::buffer::BooleanBuffer;
use streamhost::arrow::compute::bits_where;
use streamhost::arrow::datatypes::DataType;
use streamhost::prelude::*;

/// What is compared with what.
#[streamhost::config]
#[serde(default)]
pub struct Config {
    /// The column of numbers.
    column: String,
    /// How the column's value compares with the threshold in the rows that are kept.
    op: Op,
    /// The number that values are compared with.
    threshold: Number,
}

/// A comparison.
#[streamhost::config]
#[derive(Clone, Copy)]
pub enum Op {
    /// The value is greater.
    #[serde(rename = ">")]
    Greater,
    /// The value is greater or the same.
    #[serde(rename = ">=")]
    GreaterOrEqual,
    /// The value is less.
    #[serde(rename = "<")]
    Less,
    /// The value is less or the same.
    #[serde(rename = "<=")]
    LessOrEqual,
    /// The value is the same.
    #[serde(rename = "==")]
    Equal,
    /// The value is another.
    #[serde(rename = "!=")]
    Unequal,
}

/// A whole number, compared with whole numbers exactly, or a fraction.
#[streamhost::config]
#[serde(untagged)]
#[derive(Clone, Copy)]
pub enum Number {
    /// Without a decimal point.
    Whole(i64),
    /// With one.
    Fraction(f64),
}

impl Default for Config {
    fn default() -> Self {
        Self { column: "value".into(), op: Op::Greater, threshold: Number::Whole(10) }
    }
}

fn reads(config: &Config) -> Vec<String> {
    vec![config.column.clone()]
}

/// Keeps the rows whose value passes the comparison; null passes none.
///
/// # Errors
/// If the column is no number.
#[streamhost::filter(reads = reads)]
pub fn keep(batch: &RecordBatch, config: &Config) -> Result<BooleanArray> {
    let column = batch.column(0);
    let kept = match column.data_type() {
        DataType::Float64 => fractions::<Float64Type>(column, config),
        DataType::Float32 => fractions::<Float32Type>(column, config),
        DataType::Int64 => match config.threshold {
            Number::Whole(threshold) => {
                let values = column.as_primitive::<Int64Type>().values();
                passing(values, |value| value, config.op, threshold)
            }
            Number::Fraction(threshold) => {
                let values = column.as_primitive::<Int64Type>().values();
                passing(values, |value| order(value as f64), config.op, order(threshold))
            }
        },
        DataType::Int8 => whole::<Int8Type>(column, config),
        DataType::Int16 => whole::<Int16Type>(column, config),
        DataType::Int32 => whole::<Int32Type>(column, config),
        DataType::UInt8 => whole::<UInt8Type>(column, config),
        DataType::UInt16 => whole::<UInt16Type>(column, config),
        DataType::UInt32 => whole::<UInt32Type>(column, config),
        other => {
            let name = &config.column;
            return Err(Error::invalid(format!(
                "column `{name}` has type {other}, which is no number to compare"
            )));
        }
    };
    Ok(BooleanArray::new(kept, column.nulls().cloned()))
}

fn fractions<T: ArrowPrimitiveType<Native: Into<f64>>>(column: &ArrayRef, config: &Config) -> BooleanBuffer {
    let threshold = match config.threshold {
        Number::Whole(whole) => whole as f64,
        Number::Fraction(fraction) => fraction,
    };
    passing(column.as_primitive::<T>().values(), |value| order(value.into()), config.op, order(threshold))
}

/// Types that are exact both as `i64` and as `f64`.
fn whole<T: ArrowPrimitiveType<Native: Into<f64> + Into<i64>>>(
    column: &ArrayRef,
    config: &Config,
) -> BooleanBuffer {
    let values = column.as_primitive::<T>().values();
    match config.threshold {
        Number::Whole(threshold) => passing(values, Into::into, config.op, threshold),
        Number::Fraction(threshold) => {
            passing(values, |value| order(value.into()), config.op, order(threshold))
        }
    }
}

/// A whole number that sorts as the fraction does in Spark: both zeros are the same, NaN is the largest.
fn order(value: f64) -> i64 {
    // Adding zero makes -0.0 into 0.0; the sign of a NaN says nothing.
    let value = if value.is_nan() { f64::NAN } else { value + 0.0 };
    let bits = value.to_bits() as i64;
    bits ^ (((bits >> 63) as u64) >> 1) as i64
}

/// One loop for each comparison, so that each compiles to vector instructions.
fn passing<T: Copy>(values: &[T], order: impl Fn(T) -> i64, op: Op, threshold: i64) -> BooleanBuffer {
    match op {
        Op::Greater => bits_where(values, |value| order(value) > threshold),
        Op::GreaterOrEqual => bits_where(values, |value| order(value) >= threshold),
        Op::Less => bits_where(values, |value| order(value) < threshold),
        Op::LessOrEqual => bits_where(values, |value| order(value) <= threshold),
        Op::Equal => bits_where(values, |value| order(value) == threshold),
        Op::Unequal => bits_where(values, |value| order(value) != threshold),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use streamhost::testing;

    #[test]
    fn the_cases_pass() {
        testing::cases::<keep>(env!("CARGO_MANIFEST_DIR"));
    }

    #[test]
    fn fractions_sort_as_in_spark() {
        let ascending = [f64::NEG_INFINITY, -1.5, -0.0, f64::MIN_POSITIVE, 10.0, f64::INFINITY, f64::NAN];
        assert!(ascending.windows(2).all(|pair| order(pair[0]) < order(pair[1])));
        assert_eq!(order(-0.0), order(0.0));
        assert_eq!(order(-f64::NAN), order(f64::NAN));
    }

    #[test]
    fn a_column_that_is_no_number_is_refused() {
        let error = testing::bind::<keep>("", "value STRING").err().map(|error| error.to_string());
        assert_eq!(error.as_deref(), Some("column `value` has type Utf8, which is no number to compare"));
    }
}
