//! `/`, `div` and `%` as Spark has them: a quotient of whole numbers is a double, and a division by zero is an error.

use super::{alike::ARRAY, later, lists, time};
use crate::sql::expression::{text, with_casts};
use arrow::{
    array::{Array, ArrayRef, AsArray, BooleanArray, Float64Array},
    compute::kernels::{cmp, numeric},
    datatypes::{DataType, Field, Float64Type},
};
use datafusion_common::{Result, ScalarValue, TableReference, exec_err, plan_err, utils::take_function_args};
use datafusion_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
    planner::{ExprPlanner, PlannerResult, RawAggregateExpr, RawBinaryExpr, RawFieldAccessExpr},
};
use std::sync::{Arc, LazyLock};

/// Gives operators Spark's meaning where DataFusion's is another.
#[derive(Debug)]
pub(super) struct SparkOperators;

pub(super) static DIVIDE: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
    Arc::new(ScalarUDF::new_from_impl(Divide { signature: Signature::user_defined(Volatility::Immutable) }))
});

impl ExprPlanner for SparkOperators {
    fn plan_binary_op(
        &self,
        expr: RawBinaryExpr,
        schema: &datafusion_common::DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>> {
        use datafusion_expr::{ExprSchemable, sqlparser::ast::BinaryOperator};
        let numbers = |side: &Expr| -> Result<bool> {
            Ok(side.get_type(schema)?.is_numeric() || side.get_type(schema)?.is_null())
        };
        let expr = super::operands::alike(expr, schema)?;
        let list = |side: &Expr| -> Result<bool> { Ok(matches!(side.get_type(schema)?, DataType::List(_))) };
        match expr.op {
            BinaryOperator::Divide if numbers(&expr.left)? && numbers(&expr.right)? => {
                Ok(PlannerResult::Planned(DIVIDE.call(vec![expr.left, expr.right])))
            }
            BinaryOperator::MyIntegerDivide => super::operands::quotient(expr, schema),
            BinaryOperator::Modulo => {
                let double = |side: &Expr| {
                    Ok::<_, datafusion_common::DataFusionError>(side.get_type(schema)?.is_floating())
                };
                Ok(PlannerResult::Planned(match double(&expr.left)? || double(&expr.right)? {
                    true => super::floats::remainder(expr.left, expr.right),
                    false => datafusion_spark::function::math::modulus().call(vec![expr.left, expr.right]),
                }))
            }
            BinaryOperator::PGBitwiseShiftLeft => {
                Ok(shift(datafusion_spark::function::bitwise::shiftleft(), expr))
            }
            BinaryOperator::PGBitwiseShiftRight => {
                Ok(shift(datafusion_spark::function::bitwise::shiftright(), expr))
            }
            BinaryOperator::Plus | BinaryOperator::Minus => later::planned(expr, schema),
            // Beside an array, an array; an array and an element are left to whoever refuses them.
            BinaryOperator::StringConcat if list(&expr.left)? == list(&expr.right)? => {
                Ok(PlannerResult::Planned(lists::CONCAT.call(vec![expr.left, expr.right])))
            }
            _ => Ok(PlannerResult::Original(expr)),
        }
    }

    fn plan_field_access(
        &self,
        expr: RawFieldAccessExpr,
        schema: &datafusion_common::DFSchema,
    ) -> Result<PlannerResult<RawFieldAccessExpr>> {
        Ok(PlannerResult::Planned(super::access::access(expr, schema)?))
    }

    fn plan_compound_identifier(
        &self,
        field: &Field,
        qualifier: Option<&TableReference>,
        names: &[String],
    ) -> Result<PlannerResult<Vec<Expr>>> {
        let mut of = field.data_type().clone();
        let mut expr = Expr::Column(datafusion_common::Column::from((qualifier, field)));
        for name in names {
            expr = super::access::named(expr, &of, name)?;
            of = super::access::type_of_named(&of, name);
        }
        Ok(PlannerResult::Planned(expr))
    }

    /// DataFusion's names of values leave casts out: two aggregates that differ in one alone would have one name.
    fn plan_aggregate(&self, mut expr: RawAggregateExpr) -> Result<PlannerResult<RawAggregateExpr>> {
        for of in expr.args.iter_mut().filter(|of| of.any_column_refs()) {
            let exact = text(&with_casts(of));
            if exact != text(of) {
                *of = std::mem::take(of).alias(exact);
            }
        }
        Ok(PlannerResult::Original(expr))
    }

    fn plan_make_map(&self, args: Vec<Expr>) -> Result<PlannerResult<Vec<Expr>>> {
        let (pairs, rest) = args.as_chunks::<2>();
        if !rest.is_empty() {
            return plan_err!("map(key, value, …): the last key has no value");
        }
        let keys = pairs.iter().map(|[key, _]| key.clone()).collect();
        let values = pairs.iter().map(|[_, value]| value.clone()).collect();
        let map = datafusion_functions_nested::map::map_udf();
        Ok(PlannerResult::Planned(map.call(vec![ARRAY.call(keys), ARRAY.call(values)])))
    }

    fn plan_extract(&self, args: Vec<Expr>) -> Result<PlannerResult<Vec<Expr>>> {
        let [part, of] = take_function_args("extract", args)?;
        match part.as_literal().and_then(|part| part.try_as_str().flatten()) {
            Some(name) => Ok(PlannerResult::Planned(time::part(name, of)?)),
            None => plan_err!("extract(part FROM time): the part is a name, such as YEAR"),
        }
    }
}

fn shift(function: Arc<ScalarUDF>, expr: RawBinaryExpr) -> PlannerResult<RawBinaryExpr> {
    PlannerResult::Planned(function.call(vec![expr.left, expr.right]))
}

pub(super) fn functions() -> Vec<Arc<ScalarUDF>> {
    vec![DIVIDE.clone()]
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Divide {
    signature: Signature,
}

impl ScalarUDFImpl for Divide {
    fn name(&self) -> &str {
        "divide"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, of: &[DataType]) -> Result<Vec<DataType>> {
        // A literal such as 1.5 is a decimal: beside a column of doubles it is one too.
        let decimals =
            of.iter().all(|of| of.is_decimal() || of.is_integer()) && of.iter().any(DataType::is_decimal);
        Ok(of.iter().map(|of| if decimals { as_decimal(of) } else { DataType::Float64 }).collect())
    }

    fn return_type(&self, of: &[DataType]) -> Result<DataType> {
        match of {
            [DataType::Decimal128(p1, s1), DataType::Decimal128(p2, s2)] => {
                Ok(quotient((*p1, *s1), (*p2, *s2)))
            }
            _ => Ok(DataType::Float64),
        }
    }

    fn display_name(&self, args: &[Expr]) -> Result<String> {
        let [left, right] = take_function_args("divide", args)?;
        Ok(format!("({left} / {right})"))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let result = args.return_field.data_type().clone();
        let scalars = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let [left, right] = take_function_args("divide", args.args)?;
        let rows = if scalars { 1 } else { rows };
        let (left, right) = (left.into_array(rows)?, right.into_array(rows)?);
        let answer: ArrayRef = match (left.data_type(), right.data_type()) {
            (DataType::Float64, DataType::Float64) => {
                Arc::new(quotients(left.as_primitive(), right.as_primitive())?)
            }
            _ => decimal_quotients(&left, &right, &result)?,
        };
        match scalars {
            true => Ok(ScalarValue::try_from_array(&answer, 0)?.into()),
            false => Ok(answer.into()),
        }
    }
}

fn quotients(left: &Float64Array, right: &Float64Array) -> Result<Float64Array> {
    let zero = |(i, divisor): (usize, &f64)| *divisor == 0.0 && !right.is_null(i) && !left.is_null(i);
    if right.values().iter().enumerate().any(zero) {
        return exec_err!("division by zero; use try_divide for NULL instead");
    }
    Ok(arrow::compute::binary::<Float64Type, Float64Type, _, Float64Type>(left, right, |a, b| a / b)?)
}

/// The decimal type that holds a whole number, or a decimal itself.
pub(in crate::sql) fn as_decimal(of: &DataType) -> DataType {
    match of {
        DataType::Int8 | DataType::UInt8 => DataType::Decimal128(3, 0),
        DataType::Int16 | DataType::UInt16 => DataType::Decimal128(5, 0),
        DataType::Int32 | DataType::UInt32 => DataType::Decimal128(10, 0),
        DataType::Int64 | DataType::UInt64 => DataType::Decimal128(20, 0),
        decimal => decimal.clone(),
    }
}

/// The type of a quotient of decimals: all digits before the point, at least six behind it, 38 in all.
fn quotient((p1, s1): (u8, i8), (p2, s2): (u8, i8)) -> DataType {
    let (p1, s1, p2, s2) = (i32::from(p1), i32::from(s1), i32::from(p2), i32::from(s2));
    let scale = (s1 + p2 + 1).max(6);
    let whole = p1 - s1 + s2;
    let precision = whole + scale;
    let (precision, scale) = match precision {
        ..=38 => (precision, scale),
        _ => (38, (38 - whole).max(scale.min(6))),
    };
    DataType::Decimal128(precision.clamp(1, 38) as u8, scale as i8)
}

fn decimal_quotients(left: &ArrayRef, right: &ArrayRef, of: &DataType) -> Result<ArrayRef> {
    let zero = cmp::eq(right, &zero_of(right)?)?;
    if any_true(&zero, left) {
        return exec_err!("division by zero; use try_divide for NULL instead");
    }
    let DataType::Decimal128(_, scale) = of else { return exec_err!("a quotient of decimals is a decimal") };
    // With so many digits before the division there are as many as are asked for after it.
    let wide = DataType::Decimal256(76, (*scale).saturating_add(scale_of(right)).saturating_add(1));
    let dividend = arrow::compute::cast(left, &wide)?;
    let divisor = arrow::compute::cast(right, &DataType::Decimal256(76, scale_of(right)))?;
    let exact = numeric::div(&dividend, &divisor)?;
    Ok(arrow::compute::cast(&exact, of)?)
}

fn scale_of(array: &ArrayRef) -> i8 {
    match array.data_type() {
        DataType::Decimal128(_, scale) => *scale,
        _ => 0,
    }
}

fn zero_of(array: &ArrayRef) -> Result<arrow::array::Scalar<ArrayRef>> {
    Ok(arrow::array::Scalar::new(ScalarValue::new_zero(array.data_type())?.to_array()?))
}

fn any_true(of: &BooleanArray, valid: &ArrayRef) -> bool {
    of.iter().enumerate().any(|(i, bit)| bit == Some(true) && !valid.is_null(i))
}
