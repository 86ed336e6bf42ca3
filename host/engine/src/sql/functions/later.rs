//! `+` and `-` of dates: with days, and with lengths of time.

use crate::sql::types::timestamp;
use arrow::datatypes::{DataType, IntervalMonthDayNano};
use datafusion_common::{DFSchema, Result, ScalarValue};
use datafusion_expr::{
    Expr, ExprSchemable, Operator, binary_expr, cast, lit,
    planner::{PlannerResult, RawBinaryExpr},
    sqlparser::ast::BinaryOperator,
};

const NANOS_OF_DAY: i64 = 86_400_000_000_000;

/// A date and a number of days are a date; a date and hours are a time.
pub(super) fn planned(expr: RawBinaryExpr, schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
    use DataType::{Date32, Interval};
    let (left, right) = (expr.left.get_type(schema)?, expr.right.get_type(schema)?);
    let plus = matches!(expr.op, BinaryOperator::Plus);
    let planned = match (&left, &right) {
        (Date32, days) if days.is_integer() => days_later(&expr.left, &expr.right, plus),
        (days, Date32) if days.is_integer() && plus => days_later(&expr.right, &expr.left, true),
        (Date32, Interval(_)) => hours_later(&expr.left, &expr.right, plus),
        (Interval(_), Date32) if plus => hours_later(&expr.right, &expr.left, true),
        _ => None,
    };
    Ok(planned.map_or(PlannerResult::Original(expr), PlannerResult::Planned))
}

fn days_later(date: &Expr, days: &Expr, plus: bool) -> Option<Expr> {
    let function = super::scalars().remove(if plus { "date_add" } else { "date_sub" });
    function.map(|function| function.call(vec![date.clone(), days.clone()]))
}

/// None if the interval has no hours, minutes or seconds. Of such, 24 hours are a day, as Spark takes them.
fn hours_later(date: &Expr, by: &Expr, plus: bool) -> Option<Expr> {
    let IntervalMonthDayNano { months, days, nanoseconds } = written(by)?;
    if nanoseconds == 0 {
        return None;
    }
    let whole = i32::try_from(nanoseconds / NANOS_OF_DAY).ok()?;
    let by = IntervalMonthDayNano::new(months, days.checked_add(whole)?, nanoseconds % NANOS_OF_DAY);
    let by = lit(ScalarValue::IntervalMonthDayNano(Some(by)));
    let op = if plus { Operator::Plus } else { Operator::Minus };
    Some(binary_expr(cast(date.clone(), timestamp()), op, by))
}

/// An interval that is written down, or the sum of such.
fn written(of: &Expr) -> Option<IntervalMonthDayNano> {
    match of {
        Expr::Literal(ScalarValue::IntervalMonthDayNano(of), _) => *of,
        Expr::Negative(of) => {
            let of = written(of)?;
            Some(IntervalMonthDayNano::new(-of.months, -of.days, -of.nanoseconds))
        }
        Expr::BinaryExpr(sum) if sum.op == Operator::Plus => {
            let (one, other) = (written(&sum.left)?, written(&sum.right)?);
            Some(IntervalMonthDayNano::new(
                one.months.checked_add(other.months)?,
                one.days.checked_add(other.days)?,
                one.nanoseconds.checked_add(other.nanoseconds)?,
            ))
        }
        _ => None,
    }
}
