//! Whole numbers that get too large: an error of `+`, `-` and `*`, NULL of `try_add` and its like.

use super::function::{Run, function};
use arrow::{
    array::{Array, ArrayRef, AsArray, Float64Array, PrimitiveArray},
    compute::{kernels::numeric, try_binary},
    datatypes::{
        ArrowPrimitiveType, DataType, Decimal128Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    },
};
use datafusion_common::{Result, exec_err};
use datafusion_expr::{Expr, Operator, ScalarUDF};
use std::sync::{Arc, LazyLock};

static ADD: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
    function("checked_add(a, b)", same, first, |columns, _| both(columns, |a, b| Ok(numeric::add(a, b)?)))
});
static SUBTRACT: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
    function("checked_subtract(a, b)", same, first, |columns, _| {
        both(columns, |a, b| Ok(numeric::sub(a, b)?))
    })
});
static MULTIPLY: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
    function("checked_multiply(a, b)", same, first, |columns, _| {
        both(columns, |a, b| Ok(numeric::mul(a, b)?))
    })
});

/// The operator on two whole numbers of one type, as a function that is never folded into another number.
pub(crate) fn checked(left: Expr, op: Operator, right: Expr) -> Option<Expr> {
    let function = match op {
        Operator::Plus => &ADD,
        Operator::Minus => &SUBTRACT,
        Operator::Multiply => &MULTIPLY,
        _ => return None,
    };
    Some(function.call(vec![left, right]))
}

pub(super) fn functions() -> Vec<Arc<ScalarUDF>> {
    let function = |usage, run: Run| function(usage, common, first, run);
    vec![
        function("try_add(a, b)", |columns, _| {
            tried(columns, Try { int: i64::checked_add, exact: i128::checked_add, double: |a, b| a + b })
        }),
        function("try_subtract(a, b)", |columns, _| {
            tried(columns, Try { int: i64::checked_sub, exact: i128::checked_sub, double: |a, b| a - b })
        }),
        function("try_multiply(a, b)", |columns, _| {
            tried(columns, Try { int: i64::checked_mul, exact: |_, _| None, double: |a, b| a * b })
        }),
    ]
}

fn same(of: &[DataType]) -> Option<Vec<DataType>> {
    Some(of.to_vec())
}

fn first(of: &[DataType]) -> DataType {
    of.first().cloned().unwrap_or(DataType::Null)
}

/// The wider of two types of whole numbers; a double beside a double.
fn common(of: &[DataType]) -> Option<Vec<DataType>> {
    let [left, right] = of else { return None };
    let wider = [DataType::Int64, DataType::Int32, DataType::Int16, DataType::Int8];
    let whole = |of: &DataType| of.is_integer() || of.is_null();
    let both = match (left, right) {
        (left, right) if whole(left) && whole(right) => {
            wider.into_iter().find(|wide| wide == left || wide == right)?
        }
        (left, right) if left == right && left.is_decimal() => left.clone(),
        (left, right) if left.is_numeric() && right.is_numeric() => DataType::Float64,
        _ => return None,
    };
    Some(vec![both.clone(), both])
}

fn both(
    columns: &[ArrayRef],
    op: impl Fn(&dyn arrow::array::Datum, &dyn arrow::array::Datum) -> Result<ArrayRef>,
) -> Result<ArrayRef> {
    let [left, right] = columns else { return exec_err!("two numbers are expected") };
    op(left, right)
}

/// One operation, on each kind of numbers.
#[derive(Clone, Copy)]
struct Try {
    int: fn(i64, i64) -> Option<i64>,
    exact: fn(i128, i128) -> Option<i128>,
    double: fn(f64, f64) -> f64,
}

fn tried(columns: &[ArrayRef], op: Try) -> Result<ArrayRef> {
    let [left, right] = columns else { return exec_err!("two numbers are expected") };
    match left.data_type() {
        DataType::Int8 => whole::<Int8Type>(left, right, op.int),
        DataType::Int16 => whole::<Int16Type>(left, right, op.int),
        DataType::Int32 => whole::<Int32Type>(left, right, op.int),
        DataType::Int64 => whole::<Int64Type>(left, right, op.int),
        DataType::Decimal128(precision, _) => {
            let most = 10_i128.pow(u32::from(*precision));
            let (left, right) =
                (left.as_primitive::<Decimal128Type>(), right.as_primitive::<Decimal128Type>());
            let sums = left.iter().zip(right).map(|(a, b)| (op.exact)(a?, b?).filter(|sum| sum.abs() < most));
            let sums = sums.collect::<PrimitiveArray<Decimal128Type>>();
            Ok(Arc::new(sums.with_data_type(left.data_type().clone())))
        }
        _ => {
            let (left, right) = (left.as_primitive::<Float64Type>(), right.as_primitive::<Float64Type>());
            let sums: Float64Array = try_binary(left, right, |a, b| Ok((op.double)(a, b)))?;
            Ok(Arc::new(sums))
        }
    }
}

fn whole<T: ArrowPrimitiveType>(
    left: &ArrayRef,
    right: &ArrayRef,
    op: fn(i64, i64) -> Option<i64>,
) -> Result<ArrayRef>
where
    T::Native: Into<i64> + TryFrom<i64>,
{
    let rows = left.as_primitive::<T>().iter().zip(right.as_primitive::<T>());
    let results = rows.map(|(a, b)| T::Native::try_from(op(a?.into(), b?.into())?).ok());
    Ok(Arc::new(results.collect::<PrimitiveArray<T>>()))
}
