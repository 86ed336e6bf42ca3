//! Functions of doubles that are NULL, or NaN, or an error where DataFusion's are something else.

use super::function::function;
use crate::sql::types::name_of;
use arrow::{
    array::{Array, ArrayRef, AsArray, BooleanArray, Float64Array, StringArray},
    datatypes::{DataType, Float32Type, Float64Type},
};
use datafusion_common::{Result, exec_err};
use datafusion_expr::ScalarUDF;
use std::sync::{Arc, LazyLock};

pub(super) fn functions() -> Vec<Arc<ScalarUDF>> {
    let double = |_: &[DataType]| DataType::Float64;
    vec![
        function("sqrt(number)", one, double, |columns, _| unary(columns, |x| Some(x.sqrt()))),
        function("ln(number)", one, double, |columns, _| unary(columns, |x| above(x, 0.0).map(f64::ln))),
        function("log2(number)", one, double, |columns, _| unary(columns, |x| above(x, 0.0).map(f64::log2))),
        function("log10(number)", one, double, |columns, _| {
            unary(columns, |x| above(x, 0.0).map(f64::log10))
        }),
        function("log1p(number)", one, double, |columns, _| {
            unary(columns, |x| above(x, -1.0).map(f64::ln_1p))
        }),
        function("signum(number)", one, double, |columns, _| {
            unary(columns, |x| Some(if x == 0.0 || x.is_nan() { x } else { x.signum() }))
        }),
        function("rint(number)", one, double, |columns, _| unary(columns, |x| Some(x.round_ties_even()))),
        function("log([base, ]number)", one_or_two, double, |columns, _| match columns {
            [_] => unary(columns, |x| above(x, 0.0).map(f64::ln)),
            _ => binary(columns, |base, x| Some(above(x, 0.0)?.ln() / above(base, 0.0)?.ln())),
        }),
        REMAINDER.clone(),
        function("isnan(number)", either_float, |_| DataType::Boolean, is_nan),
        function("e()", none, double, |_, _| Ok(Arc::new(Float64Array::from(vec![std::f64::consts::E])))),
        function(
            "typeof(value)",
            any,
            |_| DataType::Utf8,
            |columns, _| {
                let [of] = columns else { return exec_err!("typeof(value)") };
                let name = name_of(of.data_type()).to_lowercase().replace(", ", ",");
                Ok(Arc::new(StringArray::from(vec![name; of.len()])))
            },
        ),
    ]
}

/// `%` of doubles.
static REMAINDER: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
    function(
        "remainder(number, divisor)",
        two,
        |_| DataType::Float64,
        |columns, _| {
            let [numbers, divisors] = columns else { return exec_err!("remainder(number, divisor)") };
            let rows =
                numbers.as_primitive::<Float64Type>().iter().zip(divisors.as_primitive::<Float64Type>());
            let rows = rows.map(|row| match row {
                (Some(_), Some(0.0)) => exec_err!("division by zero; use try_mod for NULL instead"),
                (x, divisor) => Ok(x.zip(divisor).map(|(x, divisor)| x % divisor)),
            });
            Ok(Arc::new(rows.collect::<Result<Float64Array>>()?))
        },
    )
});

pub(super) fn remainder(of: datafusion_expr::Expr, divisor: datafusion_expr::Expr) -> datafusion_expr::Expr {
    REMAINDER.call(vec![of, divisor])
}

fn any(of: &[DataType]) -> Option<Vec<DataType>> {
    (of.len() == 1).then(|| of.to_vec())
}

fn none(of: &[DataType]) -> Option<Vec<DataType>> {
    of.is_empty().then(Vec::new)
}

fn as_double(of: &DataType) -> Option<DataType> {
    (of.is_numeric() || of.is_null() || of.is_string()).then_some(DataType::Float64)
}

fn one(of: &[DataType]) -> Option<Vec<DataType>> {
    (of.len() == 1).then(|| of.iter().map(as_double).collect())?
}

fn two(of: &[DataType]) -> Option<Vec<DataType>> {
    (of.len() == 2).then(|| of.iter().map(as_double).collect())?
}

fn one_or_two(of: &[DataType]) -> Option<Vec<DataType>> {
    one(of).or_else(|| two(of))
}

fn either_float(of: &[DataType]) -> Option<Vec<DataType>> {
    match of {
        [DataType::Float32] => Some(vec![DataType::Float32]),
        of => one(of),
    }
}

/// A number that is above another, or is none.
fn above(x: f64, least: f64) -> Option<f64> {
    (x > least || x.is_nan()).then_some(x)
}

fn unary(columns: &[ArrayRef], f: impl Fn(f64) -> Option<f64>) -> Result<ArrayRef> {
    let [numbers] = columns else { return exec_err!("a number is expected") };
    let numbers: Float64Array = numbers.as_primitive::<Float64Type>().unary_opt(f);
    Ok(Arc::new(numbers))
}

fn binary(columns: &[ArrayRef], f: impl Fn(f64, f64) -> Option<f64>) -> Result<ArrayRef> {
    let [left, right] = columns else { return exec_err!("two numbers are expected") };
    let rows = left.as_primitive::<Float64Type>().iter().zip(right.as_primitive::<Float64Type>());
    Ok(Arc::new(rows.map(|(left, right)| f(left?, right?)).collect::<Float64Array>()))
}

/// NULL is a number, as far as this goes.
fn is_nan(columns: &[ArrayRef], _: &datafusion_common::config::ConfigOptions) -> Result<ArrayRef> {
    let [numbers] = columns else { return exec_err!("isnan(number)") };
    let nan: BooleanArray = match numbers.data_type() {
        DataType::Float32 => {
            numbers.as_primitive::<Float32Type>().iter().map(|x| Some(x.is_some_and(f32::is_nan))).collect()
        }
        _ => numbers.as_primitive::<Float64Type>().iter().map(|x| Some(x.is_some_and(f64::is_nan))).collect(),
    };
    Ok(Arc::new(nan))
}
