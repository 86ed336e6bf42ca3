//! What is done to the two sides of an operator when they are of different types, where Spark's rule is not DataFusion's.

use super::arithmetic::DIVIDE;
use crate::sql::common::{beside_text, common_type};
use arrow::datatypes::DataType;
use datafusion_common::{DFSchema, Result, ScalarValue, plan_err};
use datafusion_expr::{
    Expr, ExprSchemable, Operator, cast,
    planner::{PlannerResult, RawBinaryExpr},
    sqlparser::ast::BinaryOperator,
};

/// The expression with sides that an operator can take as they are.
pub(super) fn alike(expr: RawBinaryExpr, schema: &DFSchema) -> Result<RawBinaryExpr> {
    let (left, right) = (expr.left.get_type(schema)?, expr.right.get_type(schema)?);
    let RawBinaryExpr { op, left: l, right: r } = expr;
    let arithmetic = is_arithmetic(&op);
    let compared = arithmetic || is_comparison(&op);
    let (l, r) = match (&left, &right) {
        (DataType::Decimal128(..), of) if of.is_integer() && arithmetic => (l, exact(r)),
        (of, DataType::Decimal128(..)) if of.is_integer() && arithmetic => (exact(l), r),
        (DataType::Float32, of) if of.is_integer() && arithmetic => {
            (cast(l, DataType::Float64), cast(r, DataType::Float64))
        }
        (of, DataType::Float32) if of.is_integer() && arithmetic => {
            (cast(l, DataType::Float64), cast(r, DataType::Float64))
        }
        (text, of) if op == BinaryOperator::StringConcat => (as_text(l, text), as_text(r, of)),
        (text, of) if text.is_string() && !of.is_string() && compared => (as_other(l, of, arithmetic), r),
        (of, text) if text.is_string() && !of.is_string() && compared => (l, as_other(r, of, arithmetic)),
        (DataType::Date32 | DataType::Timestamp(..), DataType::Date32 | DataType::Timestamp(..))
            if left != right && (is_comparison(&op) || op == BinaryOperator::Minus) =>
        {
            let time = common_type([&left, &right]).unwrap_or_else(|| left.clone());
            (as_time(l, &left, &time), as_time(r, &right, &time))
        }
        _ => (l, r),
    };
    Ok(RawBinaryExpr { op, left: l, right: r })
}

fn is_arithmetic(op: &BinaryOperator) -> bool {
    use BinaryOperator::*;
    matches!(op, Plus | Minus | Multiply | Divide | Modulo | MyIntegerDivide)
}

fn is_comparison(op: &BinaryOperator) -> bool {
    use BinaryOperator::*;
    matches!(op, Eq | NotEq | Lt | LtEq | Gt | GtEq | Spaceship)
}

/// A text beside a value of another type is what this is. There is no arithmetic of truths and times.
fn as_other(text: Expr, of: &DataType, arithmetic: bool) -> Expr {
    match beside_text(of).filter(|of| of.is_numeric() || takes_text(of) && !arithmetic) {
        Some(of) => cast(text, of),
        None => text,
    }
}

fn takes_text(of: &DataType) -> bool {
    matches!(of, DataType::Boolean | DataType::Timestamp(..) | DataType::Date32)
}

fn as_time(side: Expr, of: &DataType, time: &DataType) -> Expr {
    if of == time { side } else { cast(side, time.clone()) }
}

/// What `||` joins is texts, or arrays.
fn as_text(of: Expr, data_type: &DataType) -> Expr {
    match data_type {
        DataType::List(_) | DataType::Utf8 | DataType::Null => of,
        _ => cast(of, DataType::Utf8),
    }
}

/// A whole number beside a decimal; one that is written down is a decimal of just its digits.
fn exact(number: Expr) -> Expr {
    let written = match &number {
        Expr::Cast(cast) => cast.expr.as_literal(),
        number => number.as_literal(),
    };
    let value = match written {
        Some(ScalarValue::Int64(Some(value))) => *value,
        Some(ScalarValue::Int32(Some(value))) => i64::from(*value),
        _ => return number,
    };
    let digits = u8::try_from(value.unsigned_abs().to_string().len()).unwrap_or(20);
    Expr::Literal(ScalarValue::Decimal128(Some(value.into()), digits, 0), None)
}

/// `div`: the whole part of a quotient.
pub(super) fn quotient(expr: RawBinaryExpr, schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
    let (left, right) = (expr.left.get_type(schema)?, expr.right.get_type(schema)?);
    if left.is_floating() || right.is_floating() {
        return plan_err!("div is of whole numbers and decimals; use floor(a / b)");
    }
    if left.is_decimal() || right.is_decimal() {
        let quotient = DIVIDE.call(vec![expr.left, expr.right]);
        return Ok(PlannerResult::Planned(cast(quotient, DataType::Int64)));
    }
    let whole = |side| cast(side, DataType::Int64);
    let quotient = datafusion_expr::binary_expr(whole(expr.left), Operator::Divide, whole(expr.right));
    Ok(PlannerResult::Planned(quotient))
}
