//! What is put in a plan in the place of what DataFusion would do otherwise than Spark, once all types are known and before
//! anything is worked out: casts, written or implied, and days and months added to a time, which depend on its zone.

use super::{
    Catalog,
    functions::{plus_interval, spark_cast},
};
use arrow::datatypes::{DataType, Field};
use datafusion_common::{
    DFSchema, Result, ScalarValue,
    tree_node::{Transformed, TreeNode},
};
use datafusion_expr::{BinaryExpr, Expr, ExprSchemable, LogicalPlan, Operator, expr_rewriter::NamePreserver};

/// The plan with Spark's meaning.
pub(super) fn as_spark(plan: LogicalPlan, catalog: &Catalog) -> Result<LogicalPlan> {
    let in_utc = catalog.config().execution.time_zone.as_deref().is_none_or(|zone| zone == "UTC");
    let done = plan.transform_up_with_subqueries(|plan| {
        let mut schema = match &plan {
            LogicalPlan::TableScan(scan) => scan.projected_schema.as_ref().clone(),
            _ => DFSchema::empty(),
        };
        plan.inputs().iter().for_each(|input| schema.merge(input.schema()));
        let names = NamePreserver::new(&plan);
        let changed = plan.map_expressions(|expr| {
            let name = names.save(&expr);
            let expr = expr.transform_up(|expr| expression(expr, &schema, in_utc))?;
            Ok(expr.update_data(|expr| name.restore(expr)))
        })?;
        changed.map_data(|plan| plan.recompute_schema())
    });
    Ok(done?.data)
}

fn expression(expr: Expr, schema: &DFSchema, in_utc: bool) -> Result<Transformed<Expr>> {
    let ours = match &expr {
        Expr::Cast(cast) => as_cast(&cast.expr, &cast.field, false, schema),
        Expr::TryCast(cast) => as_cast(&cast.expr, &cast.field, true, schema),
        Expr::BinaryExpr(binary) if !in_utc => later(binary, schema),
        _ => None,
    };
    Ok(ours.map_or_else(|| Transformed::no(expr), Transformed::yes))
}

fn as_cast(of: &Expr, field: &Field, lenient: bool, schema: &DFSchema) -> Option<Expr> {
    // What names a column of no input is not ours to judge: the variable of a lambda.
    spark_cast(of, &of.get_type(schema).ok()?, field.data_type(), lenient)
}

/// A time and days or months. What is exact is the same in every zone, and stays what a join can reckon with.
fn later(BinaryExpr { left, op, right }: &BinaryExpr, schema: &DFSchema) -> Option<Expr> {
    if !matches!(op, Operator::Plus | Operator::Minus) || is_exact(right) {
        return None;
    }
    match (left.get_type(schema).ok()?, right.get_type(schema).ok()?) {
        (DataType::Timestamp(_, Some(_)), DataType::Interval(_)) => {
            Some(plus_interval(left.as_ref().clone(), right.as_ref().clone(), *op == Operator::Minus))
        }
        _ => None,
    }
}

fn is_exact(interval: &Expr) -> bool {
    match interval.as_literal() {
        Some(ScalarValue::IntervalMonthDayNano(Some(of))) => of.months == 0 && of.days == 0,
        _ => false,
    }
}
