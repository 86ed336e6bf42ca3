//! What is put in a plan in the place of what DataFusion would do otherwise than Spark, once all types are known and before
//! anything is worked out: casts, written or implied, and days and months added to a time, which depend on its zone.

use super::{
    Catalog,
    functions::{checked, plus_interval, spark_cast},
};
use arrow::datatypes::{DataType, Field};
use datafusion_common::{
    DFSchema, Result, ScalarValue,
    tree_node::{Transformed, TreeNode},
};
use datafusion_expr::{
    BinaryExpr, Expr, ExprSchemable, LogicalPlan, Operator, expr::InList, expr_rewriter::NamePreserver,
};
use std::sync::Arc;

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
            let expr = expr.transform_down(|expr| Ok(doubles(expr, &schema)))?.data;
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

/// What a function gives, as a type that Spark has.
fn plain(call: &Expr, schema: &DFSchema) -> Option<Expr> {
    let of = call.get_type(schema).ok()?;
    let plain = plain_type(&of);
    (plain != of).then(|| datafusion_expr::cast(call.clone(), plain))
}

fn plain_type(of: &DataType) -> DataType {
    match of {
        DataType::Utf8View | DataType::LargeUtf8 => DataType::Utf8,
        DataType::BinaryView | DataType::LargeBinary => DataType::Binary,
        DataType::UInt64 | DataType::UInt32 => DataType::Int64,
        DataType::List(item) | DataType::LargeList(item) => match plain_type(item.data_type()) {
            plain if matches!(of, DataType::List(_)) && plain == *item.data_type() => of.clone(),
            plain => DataType::List(Arc::new(Field::clone(item).with_data_type(plain))),
        },
        of => of.clone(),
    }
}

/// `double IN (0.5, …)`: numbers that are written down are decimals, and not every double is one.
fn doubles(expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
    let double = match &expr {
        Expr::InList(list) => match list.expr.as_ref() {
            Expr::Cast(cast) if cast.field.data_type().is_decimal() => cast
                .expr
                .get_type(schema)
                .is_ok_and(|of| of.is_floating())
                .then(|| cast.expr.as_ref().clone()),
            _ => None,
        },
        _ => None,
    };
    match (expr, double) {
        (Expr::InList(InList { list, negated, .. }), Some(of)) => {
            let double = |of| datafusion_expr::cast(of, DataType::Float64);
            let list = list.into_iter().map(double).collect();
            Transformed::yes(Expr::InList(InList { expr: Box::new(double(of)), list, negated }))
        }
        (expr, _) => Transformed::no(expr),
    }
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
