//! Aggregate functions that DataFusion has in other words, or with another type.

use datafusion_expr::sqlparser::ast::{
    AccessExpr, BinaryOperator, CastKind, DataType, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArgumentList, FunctionArguments, Ident, NullTreatment, ObjectName, Value,
};

pub(super) fn cast(expr: Expr, data_type: DataType) -> Expr {
    Expr::Cast { kind: CastKind::Cast, expr: Box::new(expr), data_type, array: false, format: None }
}

/// `first(x, true)` is `first(x) IGNORE NULLS`.
fn nulls_ignored(call: &mut Function) {
    let FunctionArguments::List(list) = &mut call.args else { return };
    let [_, FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Value(ignored)))] = &list.args[..] else {
        return;
    };
    let Value::Boolean(ignored) = ignored.value else { return };
    call.null_treatment =
        Some(if ignored { NullTreatment::IgnoreNulls } else { NullTreatment::RespectNulls });
    list.args.truncate(1);
}

/// Puts a call, whose arguments are put already, in DataFusion's words.
pub(super) fn in_other_words(expr: &mut Expr) {
    let Expr::Function(call) = expr else { return };
    match super::name(&call.name).to_lowercase().as_str() {
        "first" | "first_value" | "last" | "last_value" | "any_value" => nulls_ignored(call),
        "approx_count_distinct" => *expr = cast(expr.clone(), DataType::BigInt(None)),
        "max_by" => by(expr, "max"),
        "min_by" => by(expr, "min"),
        _ => {}
    }
}

/// `max_by(x, y)` is the `x` of the largest pair of `y` and `x`, of those whose `y` is known.
fn by(expr: &mut Expr, extreme: &str) {
    let Expr::Function(call) = expr else { return };
    let FunctionArguments::List(FunctionArgumentList { args, .. }) = &call.args else { return };
    let [
        FunctionArg::Unnamed(FunctionArgExpr::Expr(value)),
        FunctionArg::Unnamed(FunctionArgExpr::Expr(order)),
    ] = &args[..]
    else {
        return;
    };
    let text = |text: &str| Expr::Value(Value::SingleQuotedString(text.to_owned()).into());
    let pair = function("named_struct", vec![text("y"), order.clone(), text("x"), value.clone()]);
    let mut extreme = function(extreme, vec![Expr::Function(pair)]);
    let known = Expr::IsNotNull(Box::new(order.clone()));
    extreme.filter = Some(Box::new(match call.filter.take() {
        Some(filter) => Expr::BinaryOp { left: filter, op: BinaryOperator::And, right: Box::new(known) },
        None => known,
    }));
    *expr = Expr::CompoundFieldAccess {
        root: Box::new(Expr::Function(extreme)),
        access_chain: vec![AccessExpr::Dot(text("x"))],
    };
}

fn function(name: &str, args: Vec<Expr>) -> Function {
    let args = args.into_iter().map(|arg| FunctionArg::Unnamed(FunctionArgExpr::Expr(arg))).collect();
    let list = FunctionArgumentList { duplicate_treatment: None, args, clauses: Vec::new() };
    Function {
        name: ObjectName::from(Ident::new(name)),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(list),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    }
}
