//! `GROUP BY … WITH ROLLUP`, `grouping()` and `grouping_id()` in DataFusion's words.

use super::calls::cast;
use datafusion_expr::sqlparser::ast::{
    DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, GroupByExpr,
    GroupByWithModifier, Ident, ObjectNamePart, Select, VisitMut, VisitorMut,
};
use std::ops::ControlFlow;

/// Puts modifiers in front, and writes out what `grouping_id()` is of.
pub(super) fn written_out(select: &mut Select) {
    let GroupByExpr::Expressions(by, modifiers) = &mut select.group_by else { return };
    for modifier in std::mem::take(modifiers) {
        let each = || by.iter().map(|expr| vec![expr.clone()]).collect();
        *by = match modifier {
            GroupByWithModifier::Rollup => vec![Expr::Rollup(each())],
            GroupByWithModifier::Cube => vec![Expr::Cube(each())],
            GroupByWithModifier::GroupingSets(sets) => vec![sets],
            GroupByWithModifier::Totals => continue,
        };
    }
    let mut all = GroupingId(Vec::new());
    for expr in by.iter() {
        match expr {
            Expr::Rollup(sets) | Expr::Cube(sets) | Expr::GroupingSets(sets) => {
                sets.iter().flatten().for_each(|expr| all.add(expr));
            }
            expr => all.add(expr),
        }
    }
    let _ = select.projection.visit(&mut all);
    let _ = select.having.visit(&mut all);
}

/// Everything grouped by, once.
struct GroupingId(Vec<Expr>);

impl GroupingId {
    fn add(&mut self, expr: &Expr) {
        if !self.0.contains(expr) {
            self.0.push(expr.clone());
        }
    }
}

impl VisitorMut for GroupingId {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Function(Function { name, args: FunctionArguments::List(list), .. }) = expr
            && super::name(name).eq_ignore_ascii_case("grouping_id")
            && list.args.is_empty()
        {
            let argument = |expr: &Expr| FunctionArg::Unnamed(FunctionArgExpr::Expr(expr.clone()));
            list.args = self.0.iter().map(argument).collect();
        }
        ControlFlow::Continue(())
    }
}

/// `grouping()` of one and of several columns, with Spark's types.
pub(super) fn typed(expr: &mut Expr) {
    let Expr::Function(call) = expr else { return };
    let [ObjectNamePart::Identifier(name)] = &mut call.name.0[..] else { return };
    let of = match name.value.to_lowercase().as_str() {
        "grouping" => DataType::TinyInt(None),
        "grouping_id" => DataType::BigInt(None),
        _ => return,
    };
    *name = Ident::new("grouping");
    *expr = cast(expr, of);
}
