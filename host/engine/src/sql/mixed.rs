//! Doubles beside decimals.

use arrow::datatypes::DataType;
use datafusion_common::{DFSchema, tree_node::Transformed};
use datafusion_expr::{Expr, ExprSchemable, cast};

/// Functions that give one of their arguments back, and so want them to be of one type.
const ALIKE: [&str; 8] = ["coalesce", "greatest", "least", "nullif", "nvl", "nvl2", "if", "nanvl"];

/// Casts the decimals to doubles where both stand beside each other.
pub(super) fn doubles(mut expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
    let mut changed = false;
    for mut beside in operands(&mut expr) {
        let has = |is: fn(&DataType) -> bool, of: &[&mut Expr]| {
            of.iter().any(|of| of.get_type(schema).is_ok_and(|of| is(&of)))
        };
        if !has(DataType::is_floating, &beside) || !has(DataType::is_decimal, &beside) {
            continue;
        }
        for of in &mut beside {
            if of.get_type(schema).is_ok_and(|of| of.is_decimal()) {
                **of = cast(of.clone(), DataType::Float64);
                changed = true;
            }
        }
    }
    if changed { Transformed::yes(expr) } else { Transformed::no(expr) }
}

/// What an expression compares, or gives one of.
fn operands(expr: &mut Expr) -> Vec<Vec<&mut Expr>> {
    match expr {
        Expr::BinaryExpr(binary) => vec![vec![&mut binary.left, &mut binary.right]],
        Expr::Between(between) => vec![vec![&mut between.expr, &mut between.low, &mut between.high]],
        Expr::InList(list) => {
            let of: &mut Expr = &mut list.expr;
            vec![[of].into_iter().chain(&mut list.list).collect()]
        }
        Expr::Case(case) => {
            let (when, then): (Vec<_>, Vec<_>) =
                case.when_then_expr.iter_mut().map(|(when, then)| (when.as_mut(), then.as_mut())).unzip();
            let compared = case.expr.as_deref_mut().map(|of| [of].into_iter().chain(when).collect());
            let given = then.into_iter().chain(case.else_expr.as_deref_mut()).collect();
            compared.into_iter().chain([given]).collect()
        }
        Expr::ScalarFunction(call) if ALIKE.contains(&call.func.name()) => {
            vec![call.args.iter_mut().collect()]
        }
        _ => Vec::new(),
    }
}
