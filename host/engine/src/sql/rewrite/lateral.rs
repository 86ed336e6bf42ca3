//! `FROM t LATERAL VIEW explode(a) v AS x` as `FROM (SELECT *, explode(a) AS x FROM t) t`.

use crate::{Error, Result};
use datafusion_expr::sqlparser::{
    ast::{
        Expr, Ident, LateralView, ObjectName, Query, Select, SelectItem, SetExpr, TableAlias, TableFactor,
        TableWithJoins, VisitMut, VisitorMut,
    },
    parser::Parser,
};
use std::ops::ControlFlow::{self, Break, Continue};

/// Takes the views of every `SELECT` into what it reads from.
pub(super) fn views(query: &mut Query) -> Result<()> {
    match query.visit(&mut Selects) {
        Break(error) => Err(error),
        Continue(()) => Ok(()),
    }
}

struct Selects;

impl VisitorMut for Selects {
    type Break = Error;

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Error> {
        while !select.lateral_views.is_empty() {
            let view = select.lateral_views.remove(0);
            let mut named = View(super::name(&view.lateral_view_name));
            if let Err(error) = taken_in(select, view) {
                return Break(error);
            }
            let _ = select.visit(&mut named);
        }
        Continue(())
    }
}

/// What a view gives is a column of the table now: `v.x` is `x`.
struct View(String);

impl VisitorMut for View {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::CompoundIdentifier(names) = expr
            && let [view, column, rest @ ..] = &names[..]
            && view.value.eq_ignore_ascii_case(&self.0)
        {
            *expr = match rest {
                [] => Expr::Identifier(column.clone()),
                _ => Expr::CompoundIdentifier(names.iter().skip(1).cloned().collect()),
            };
        }
        Continue(())
    }
}

fn taken_in(select: &mut Select, view: LateralView) -> Result<()> {
    let Expr::Function(mut call) = view.lateral_view else { return refused("it is of a call of explode()") };
    let called = super::name(&call.name).to_lowercase();
    let called = match (called.as_str(), view.outer) {
        ("explode", false) => "explode",
        ("explode", true) | ("explode_outer", _) => "explode_outer",
        _ => return refused(&format!("{called}() makes no rows here; explode() and explode_outer() do")),
    };
    call.name = ObjectName::from(vec![Ident::new(called)]);
    let column = match &view.lateral_col_alias[..] {
        [] => Ident::new("col"),
        [column] => column.clone(),
        _ => return refused("explode() of an array gives one column; a map is not taken here"),
    };
    let [TableWithJoins { relation, joins }] = &mut select.from[..] else {
        return refused("it is of one table; join in a step before");
    };
    let alias = match (&*relation, joins.is_empty()) {
        (
            TableFactor::Table { alias: Some(alias), .. } | TableFactor::Derived { alias: Some(alias), .. },
            true,
        ) => alias.name.clone(),
        (TableFactor::Table { name, .. }, true) => Ident::with_quote('`', super::name(name)),
        _ => return refused("it is of one table, or of a query with a name; join in a step before"),
    };
    let exploded = SelectItem::ExprWithAlias { expr: Expr::Function(call), alias: column };
    let subquery = exploded_from(relation.clone(), exploded)?;
    let alias = TableAlias { explicit: true, name: alias, columns: Vec::new(), at: None };
    *relation = TableFactor::Derived { lateral: false, subquery, alias: Some(alias), sample: None };
    Ok(())
}

/// `SELECT *, exploded FROM relation`
fn exploded_from(relation: TableFactor, exploded: SelectItem) -> Result<Box<Query>> {
    let parsed = Parser::new(&crate::sql::dialect::Spark).try_with_sql("SELECT * FROM t");
    let mut query = parsed
        .and_then(|mut parser| parser.parse_query())
        .map_err(|e| Error::internal(format!("LATERAL VIEW: {e}")))?;
    if let SetExpr::Select(inner) = &mut *query.body {
        inner.projection.push(exploded);
        inner.from = vec![TableWithJoins { relation, joins: Vec::new() }];
    }
    Ok(query)
}

fn refused<T>(what: &str) -> Result<T> {
    Err(Error::invalid(format!("SQL: LATERAL VIEW: {what}")))
}

#[cfg(test)]
mod tests {
    use crate::{
        Result,
        sql::{Catalog, Sql},
    };
    use arrow::datatypes::{DataType, Field, Schema};
    use std::sync::Arc;

    fn columns(sql: &str) -> Result<Vec<String>> {
        let list = DataType::List(Arc::new(Field::new_list_field(DataType::Int32, true)));
        let inner = DataType::Struct(vec![Field::new("b", DataType::Int32, true)].into());
        let s = DataType::Struct(
            vec![Field::new("a", inner, true), Field::new("c", DataType::Utf8, true)].into(),
        );
        let fields = [("k", DataType::Utf8), ("list", list.clone()), ("other", list), ("s", s)];
        let fields: Vec<Field> = fields.into_iter().map(|(name, of)| Field::new(name, of, true)).collect();
        let catalog = Catalog::new([("t".to_owned(), Arc::new(Schema::new(fields)))].into(), "UTC");
        let planned = Sql::parse(sql)?.plan(Arc::new(catalog))?;
        Ok(planned.schema().fields().iter().map(|field| field.name().clone()).collect())
    }

    #[test]
    fn a_view_is_a_column_of_the_table_and_under_its_own_name_too() {
        for (sql, names) in [
            ("SELECT k, x FROM t LATERAL VIEW explode(list) v AS x WHERE v.x > 1", vec!["k", "x"]),
            ("SELECT t.k, v.x FROM t LATERAL VIEW OUTER explode(t.list) v AS x", vec!["k", "x"]),
            ("SELECT q.k, x + 1 AS n FROM t q LATERAL VIEW explode(list) v AS x", vec!["k", "n"]),
            (
                "SELECT x, y FROM t LATERAL VIEW explode(list) v AS x LATERAL VIEW explode(other) w AS y",
                vec!["x", "y"],
            ),
        ] {
            assert_eq!(columns(sql).unwrap(), names, "{sql}");
        }
        let refused = columns("SELECT pos FROM t LATERAL VIEW posexplode(list) v AS pos, x").unwrap_err();
        assert!(refused.report().contains("posexplode() makes no rows here"), "{}", refused.report());
    }

    #[test]
    fn a_field_is_called_as_the_last_of_its_names() {
        for (sql, names) in [
            ("SELECT w.a FROM (SELECT s AS w FROM t)", vec!["a"]),
            ("SELECT s.a.b, t.s.c FROM t", vec!["b", "c"]),
            ("SELECT s.* FROM t", vec!["a", "c"]),
        ] {
            assert_eq!(columns(sql).unwrap(), names, "{sql}");
        }
    }
}
