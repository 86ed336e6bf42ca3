//! `SELECT window.start … GROUP BY window(time, '10 minutes')`: the name of the function stands for the window grouped by.

use datafusion_expr::sqlparser::ast::{
    AccessExpr, Expr, GroupByExpr, Ident, Select, SelectItem, Value, VisitMut, VisitorMut,
};
use std::ops::ControlFlow;

const NAMES: [&str; 2] = ["window", "session_window"];

/// Puts the window that a query groups by where the query names it, unless `is_column` says that a column has that name.
pub(super) fn named(select: &mut Select, is_column: impl Fn(&str) -> bool) {
    let GroupByExpr::Expressions(by, _) = &select.group_by else { return };
    let windows: Vec<Window> = by.iter().filter_map(window).filter(|w| !is_column(w.name)).collect();
    for mut window in windows {
        for item in &mut select.projection {
            window.keep_name(item);
            let _ = item.visit(&mut window);
        }
        let _ = select.having.visit(&mut window);
    }
}

struct Window {
    name: &'static str,
    call: Expr,
}

fn window(by: &Expr) -> Option<Window> {
    let Expr::Function(call) = by else { return None };
    let called = super::name(&call.name).to_lowercase();
    let name = NAMES.into_iter().find(|name| *name == called)?;
    Some(Window { name, call: by.clone() })
}

impl Window {
    /// Whether it is what `first` means.
    fn is(&self, first: &Ident) -> bool {
        first.value.eq_ignore_ascii_case(self.name)
    }

    /// A column of a window is called as it is written: `window.start` is `start`.
    fn keep_name(&self, item: &mut SelectItem) {
        let SelectItem::UnnamedExpr(expr) = item else { return };
        let alias = match &*expr {
            Expr::Identifier(name) if self.is(name) => Ident::new(self.name),
            Expr::CompoundIdentifier(names) => match &names[..] {
                [first, .., last] if self.is(first) => last.clone(),
                _ => return,
            },
            _ => return,
        };
        *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias };
    }
}

impl VisitorMut for Window {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        match expr {
            Expr::Identifier(name) if self.is(name) => *expr = self.call.clone(),
            Expr::CompoundIdentifier(names) => {
                if let [first, rest @ ..] = &names[..]
                    && self.is(first)
                {
                    let part = |name: &Ident| {
                        // The parts of a window are `start` and `end`, however they are written.
                        let name = Value::SingleQuotedString(name.value.to_lowercase());
                        AccessExpr::Dot(Expr::Value(name.with_empty_span()))
                    };
                    let access_chain = rest.iter().map(part).collect();
                    *expr = Expr::CompoundFieldAccess { root: Box::new(self.call.clone()), access_chain };
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        operators::driver::schema,
        sql::{Catalog, Sql},
    };
    use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
    use std::sync::Arc;

    #[test]
    fn the_window_grouped_by_is_named_as_its_function_is() {
        for (columns, names) in [
            ("window, count(*) AS n", ["window", "n"]),
            ("window.start, count(*) AS n", ["start", "n"]),
            ("Window.`end` AS until, window_time(window) AS at", ["until", "at"]),
        ] {
            let sql = format!(
                "SELECT {columns} FROM rows GROUP BY window(t, '10 seconds') HAVING window.start IS NOT NULL"
            );
            assert_eq!(columns_of(&sql), names, "{sql}");
        }
    }

    #[test]
    fn a_column_of_that_name_is_the_column() {
        let window = Field::new("window", DataType::Int32, true);
        let time = Field::new("t", DataType::Timestamp(TimeUnit::Microsecond, None), true);
        let tables = [("rows".to_owned(), Arc::new(Schema::new(vec![window, time])))].into();
        let sql =
            Sql::parse("SELECT window AS w FROM rows GROUP BY window, window(t, '10 seconds')").unwrap();
        let planned = sql.plan(Arc::new(Catalog::new(tables, "UTC"))).unwrap();
        assert_eq!(planned.schema().field(0).data_type(), &DataType::Int32);
    }

    fn columns_of(sql: &str) -> Vec<String> {
        let tables = [("rows".to_owned(), schema(true))].into();
        let planned = Sql::parse(sql).unwrap().plan(Arc::new(Catalog::new(tables, "UTC"))).unwrap();
        planned.schema().fields().iter().map(|field| field.name().clone()).collect()
    }
}
