//! What is put in a plan in the place of what DataFusion would do otherwise than Spark, once all types are known and before
//! anything is worked out: casts, written or implied, and days and months added to a time, which depend on its zone.

use super::{
    Catalog,
    common::{self, plain_type},
    functions::{checked, plus_interval, spark_cast},
    types::name_of,
};
use arrow::datatypes::{DataType, Field};
use datafusion_common::{
    Column, DFSchema, Result, ScalarValue, plan_err,
    tree_node::{Transformed, TreeNode},
};
use datafusion_expr::{
    BinaryExpr, Expr, ExprSchemable, LogicalPlan, Operator, Projection, expr_rewriter::NamePreserver,
};
use std::sync::Arc;

/// The plan with what has to be so before DataFusion gives values beside each other one type: they have Spark's.
pub(super) fn before_types(plan: LogicalPlan) -> Result<LogicalPlan> {
    rewritten(plan, &common::alike, &common::union)
}

/// The plan with Spark's meaning.
pub(super) fn as_spark(plan: LogicalPlan, catalog: &Catalog) -> Result<LogicalPlan> {
    let in_utc = catalog.config().execution.time_zone.as_deref().is_none_or(|zone| zone == "UTC");
    rewritten(plan, &|expr, schema| expression(expr, schema, in_utc), &plain_aggregates)
}

/// The plan with other expressions under the same names, and, of these, another plan.
fn rewritten(
    plan: LogicalPlan,
    expression: &dyn Fn(Expr, &DFSchema) -> Result<Transformed<Expr>>,
    then: &dyn Fn(LogicalPlan) -> Result<LogicalPlan>,
) -> Result<LogicalPlan> {
    let done = plan.transform_up_with_subqueries(|plan| {
        let mut schema = match &plan {
            LogicalPlan::TableScan(scan) => scan.projected_schema.as_ref().clone(),
            _ => DFSchema::empty(),
        };
        plan.inputs().iter().for_each(|input| schema.merge(input.schema()));
        let names = NamePreserver::new(&plan);
        let changed = plan.map_expressions(|expr| {
            let name = names.save(&expr);
            let expr = expr.transform_up(|expr| expression(expr, &schema))?;
            Ok(expr.update_data(|expr| name.restore(expr)))
        })?;
        changed.map_data(|plan| then(plan.recompute_schema()?))
    });
    Ok(done?.data)
}

fn expression(expr: Expr, schema: &DFSchema, in_utc: bool) -> Result<Transformed<Expr>> {
    let ours = match &expr {
        Expr::Cast(cast) => as_cast(&cast.expr, &cast.field, false, schema)?,
        Expr::TryCast(cast) => as_cast(&cast.expr, &cast.field, true, schema)?,
        Expr::BinaryExpr(binary) => {
            constant(binary, schema).or_else(|| later(binary, schema).filter(|_| !in_utc))
        }
        Expr::Negative(of) => negative(of, schema),
        Expr::ScalarFunction(_) => plain(&expr, schema),
        _ => None,
    };
    Ok(ours.map_or_else(|| Transformed::no(expr), Transformed::yes))
}

/// Arithmetic of constants, which DataFusion works out without a look at overflows. It has checks where rows are evaluated.
fn constant(BinaryExpr { left, op, right }: &BinaryExpr, schema: &DFSchema) -> Option<Expr> {
    let whole = |side: &Expr| side.get_type(schema).is_ok_and(|of| of.is_integer());
    if left.any_column_refs() || right.any_column_refs() || !whole(left) || !whole(right) {
        return None;
    }
    checked(left.as_ref().clone(), *op, right.as_ref().clone())
}

/// The least of the whole numbers has no opposite.
fn negative(of: &Expr, schema: &DFSchema) -> Option<Expr> {
    let whole = of.get_type(schema).is_ok_and(|of| of.is_integer());
    whole.then(|| datafusion_spark::function::math::negative().call(vec![of.clone()]))
}

/// The same columns, in types that Spark has.
fn plain_aggregates(plan: LogicalPlan) -> Result<LogicalPlan> {
    let LogicalPlan::Aggregate(aggregate) = &plan else { return Ok(plan) };
    let is_plain = |field: &Arc<Field>| plain_type(field.data_type()) == *field.data_type();
    if aggregate.schema.fields().iter().all(is_plain) {
        return Ok(plan);
    }
    let columns = aggregate.schema.iter().map(|(table, field)| {
        let column = Expr::Column(Column::from((table, field)));
        match plain_type(field.data_type()) {
            plain if plain == *field.data_type() => column,
            plain => datafusion_expr::cast(column, plain).alias_qualified(table.cloned(), field.name()),
        }
    });
    let columns = columns.collect();
    Ok(LogicalPlan::Projection(Projection::try_new(columns, Arc::new(plan))?))
}

/// What a function gives, as a type that Spark has.
fn plain(call: &Expr, schema: &DFSchema) -> Option<Expr> {
    let of = call.get_type(schema).ok()?;
    let plain = plain_type(&of);
    (plain != of).then(|| datafusion_expr::cast(call.clone(), plain))
}

fn as_cast(of: &Expr, field: &Field, lenient: bool, schema: &DFSchema) -> Result<Option<Expr>> {
    // What names a column of no input is not ours to judge: the variable of a lambda.
    let Ok(from) = of.get_type(schema) else { return Ok(None) };
    let instead = match (&from, field.data_type()) {
        (DataType::Date32, to) if to.is_numeric() => "use unix_date()",
        (from, DataType::Date32) if from.is_numeric() => "use date_from_unix_date()",
        (from, DataType::Binary) if from.is_numeric() => "cast it to STRING first",
        (from, to) => return Ok(spark_cast(of, from, to, lenient)),
    };
    plan_err!("{of}: {} cannot be cast to {}; {instead}", name_of(&from), name_of(field.data_type()))
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
