//! `SELECT a + 1 AS b, b * 2 AS c`: the name of an item is known to those after it, unless a column of FROM has that name.

use crate::{
    Error, Result,
    sql::tokens::{FEWER, MOST_OPERATORS},
};
use arrow::datatypes::SchemaRef;
use datafusion_expr::sqlparser::ast::{
    AccessExpr, Expr, Ident, Query, Select, SelectItem, SetExpr, TableAlias, TableFactor, TableWithJoins,
    Value, Visit, VisitMut, Visitor, VisitorMut,
};
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    ops::ControlFlow::{self, Break, Continue},
};

/// The columns of the tables that a query may read, those that stand in WITH included: names in lower case. Of a table
/// whose columns are not known there are none.
pub(super) struct Columns(HashMap<String, Option<HashSet<String>>>);

impl Columns {
    pub(super) fn new(tables: &BTreeMap<String, SchemaRef>) -> Columns {
        let columns = |schema: &SchemaRef| schema.fields().iter().map(|f| f.name().to_lowercase()).collect();
        Columns(tables.iter().map(|(name, schema)| (name.to_lowercase(), Some(columns(schema)))).collect())
    }

    /// Takes in what stands in front of a query.
    pub(super) fn with(&mut self, query: &Query) {
        for table in query.with.iter().flat_map(|with| &with.cte_tables) {
            let columns = self.named(Some(&table.alias), || self.of_query(&table.query));
            self.0.insert(table.alias.name.value.to_lowercase(), columns);
        }
    }

    fn of_query(&self, query: &Query) -> Option<HashSet<String>> {
        let mut body = &*query.body;
        loop {
            body = match body {
                SetExpr::Select(select) => return self.of_select(select),
                SetExpr::SetOperation { left, .. } => left,
                SetExpr::Query(query) => &query.body,
                _ => return None,
            };
        }
    }

    fn of_select(&self, select: &Select) -> Option<HashSet<String>> {
        let mut columns = HashSet::new();
        for item in &select.projection {
            match item {
                SelectItem::ExprWithAlias { alias, .. } => drop(columns.insert(alias.value.to_lowercase())),
                SelectItem::UnnamedExpr(expr) => drop(columns.insert(super::spark_name(expr).to_lowercase())),
                // Too many do no harm.
                _ => columns.extend(self.of_from(select)?),
            }
        }
        Some(columns)
    }

    /// The columns that a SELECT may name.
    fn of_from(&self, select: &Select) -> Option<HashSet<String>> {
        let mut columns = HashSet::new();
        for from in &select.from {
            columns.extend(self.of_factor(&from.relation)?);
            for join in &from.joins {
                columns.extend(self.of_factor(&join.relation)?);
            }
        }
        Some(columns)
    }

    fn of_factor(&self, factor: &TableFactor) -> Option<HashSet<String>> {
        match factor {
            TableFactor::Table { name, alias, args: None, .. } => {
                self.named(alias.as_ref(), || self.0.get(&super::name(name).to_lowercase())?.clone())
            }
            TableFactor::Derived { subquery, alias, .. } => {
                self.named(alias.as_ref(), || self.of_query(subquery))
            }
            TableFactor::NestedJoin { table_with_joins, .. } => {
                let joins = table_with_joins.joins.iter().map(|join| &join.relation);
                let all = [&table_with_joins.relation].into_iter().chain(joins).map(|of| self.of_factor(of));
                Some(all.collect::<Option<Vec<_>>>()?.into_iter().flatten().collect())
            }
            _ => None,
        }
    }

    /// The columns of `AS x(i, j)`, or what they are without.
    fn named(
        &self,
        alias: Option<&TableAlias>,
        else_: impl FnOnce() -> Option<HashSet<String>>,
    ) -> Option<HashSet<String>> {
        match alias.map(|alias| &alias.columns[..]) {
            None | Some([]) => else_(),
            Some(columns) => Some(columns.iter().map(|column| column.name.value.to_lowercase()).collect()),
        }
    }
}

/// Puts what an item is where a later one names it.
pub(super) fn written_out(select: &mut Select, columns: &Columns) -> Result<()> {
    let Some(columns) = columns.of_from(select) else { return Ok(()) };
    let relations = select.from.iter().flat_map(relations).collect();
    let mut known = Known { names: HashMap::new(), relations, hidden: Vec::new(), queries: 0, operators: 0 };
    for item in &mut select.projection {
        let (SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }) = item else { continue };
        if let Break(error) = expr.visit(&mut known) {
            return Err(error);
        }
        if let SelectItem::ExprWithAlias { expr, alias } = item {
            let name = alias.value.to_lowercase();
            if !columns.contains(&name) {
                let items = known.names.entry(name).or_default();
                items.push(Item { size: Size::of(expr), expr: expr.clone() });
            }
        }
    }
    Ok(())
}

/// What tables of FROM are called here, in lower case.
fn relations(from: &TableWithJoins) -> Vec<String> {
    let joins = from.joins.iter().map(|join| &join.relation);
    let name = |factor: &TableFactor| match factor {
        TableFactor::Table { alias: Some(alias), .. } | TableFactor::Derived { alias: Some(alias), .. } => {
            Some(alias.name.value.to_lowercase())
        }
        TableFactor::Table { name, .. } => Some(super::name(name).to_lowercase()),
        _ => None,
    };
    [&from.relation].into_iter().chain(joins).filter_map(name).collect()
}

struct Item {
    expr: Expr,
    size: Size,
}

/// How often a thing is worked out that stands at several places.
#[derive(Default)]
struct Size {
    operators: usize,
    /// A function that would not come to the same again, or makes rows.
    once: Option<String>,
}

/// Functions whose value is not the same at two places.
const ONCE: [&str; 12] = [
    "explode",
    "explode_outer",
    "posexplode",
    "posexplode_outer",
    "inline",
    "inline_outer",
    "stack",
    "rand",
    "randn",
    "random",
    "uuid",
    "shuffle",
];

impl Size {
    fn of(expr: &Expr) -> Size {
        let mut size = Size::default();
        let _ = expr.visit(&mut size);
        size
    }
}

impl Visitor for Size {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        self.operators += 1;
        if let Expr::Function(call) = expr {
            let name = super::name(&call.name).to_lowercase();
            if ONCE.contains(&name.as_str()) {
                self.once = Some(name);
            }
        }
        Continue(())
    }
}

struct Known {
    /// What names stand for, in lower case; several of one name are none.
    names: HashMap<String, Vec<Item>>,
    /// What is in front of a point stands for one of these first.
    relations: HashSet<String>,
    /// The variables of the lambdas around.
    hidden: Vec<String>,
    /// How many queries inside the item are around: these do not see its names.
    queries: usize,
    operators: usize,
}

impl Known {
    fn named(&mut self, name: &Ident) -> Result<Option<Expr>> {
        let lower = name.value.to_lowercase();
        if self.queries > 0 || self.hidden.contains(&lower) {
            return Ok(None);
        }
        let item = match self.names.get(&lower).map(|items| &items[..]) {
            None | Some([]) => return Ok(None),
            Some([item]) => item,
            Some(items) => {
                return Err(Error::invalid(format!(
                    "SQL: `{name}` is the name of {} items of the SELECT before it; give them different ones",
                    items.len()
                )));
            }
        };
        if let Some(function) = &item.size.once {
            return Err(Error::invalid(format!(
                "SQL: `{name}` is {function}(…) in the same SELECT; use it in a SELECT around this one, or in a step after"
            )));
        }
        self.operators += item.size.operators;
        if self.operators > MOST_OPERATORS {
            return Err(Error::invalid(format!(
                "SQL: the items of a SELECT, with what `{name}` and other names in it stand for, have more than {MOST_OPERATORS} operators; {FEWER}"
            )));
        }
        Ok(Some(Expr::Nested(Box::new(item.expr.clone()))))
    }
}

impl VisitorMut for Known {
    type Break = Error;

    fn pre_visit_query(&mut self, _: &mut Query) -> ControlFlow<Error> {
        self.queries += 1;
        Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<Error> {
        self.queries -= 1;
        Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Error> {
        if let Expr::Lambda(lambda) = expr {
            let params = lambda.params.iter().map(|param| param.name.value.to_lowercase());
            self.hidden.extend(params);
        }
        Continue(())
    }

    // On the way back: what is put in is not looked at again.
    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Error> {
        let named = match expr {
            Expr::Lambda(lambda) => {
                self.hidden.truncate(self.hidden.len().saturating_sub(lambda.params.iter().count()));
                return Continue(());
            }
            Expr::Identifier(name) => self.named(name),
            Expr::CompoundIdentifier(names) => match &names[..] {
                [table, ..] if self.relations.contains(&table.value.to_lowercase()) => Ok(None),
                [first, rest @ ..] => self.named(first).map(|of| of.map(|of| parts(of, rest))),
                [] => return Continue(()),
            },
            _ => return Continue(()),
        };
        match named {
            Err(error) => return Break(error),
            Ok(None) => {}
            Ok(Some(of)) => *expr = of,
        }
        Continue(())
    }
}

/// `of.a.b`
fn parts(of: Expr, names: &[Ident]) -> Expr {
    let part = |name: &Ident| {
        AccessExpr::Dot(Expr::Value(Value::SingleQuotedString(name.value.clone()).with_span(name.span)))
    };
    Expr::CompoundFieldAccess { root: Box::new(of), access_chain: names.iter().map(part).collect() }
}

#[cfg(test)]
mod tests {
    use crate::{
        Result,
        sql::{Catalog, Sql},
    };
    use arrow::datatypes::{DataType, Field, Schema};
    use std::sync::Arc;

    fn types(sql: &str) -> Result<Vec<String>> {
        let list = DataType::List(Arc::new(Field::new_list_field(DataType::Int32, true)));
        let fields = [("k", DataType::Utf8), ("v", DataType::Int32), ("list", list)];
        let fields: Vec<Field> = fields.into_iter().map(|(name, of)| Field::new(name, of, true)).collect();
        let catalog = Catalog::new([("t".to_owned(), Arc::new(Schema::new(fields)))].into(), "UTC");
        let planned = Sql::parse(sql)?.plan(Arc::new(catalog))?;
        let column = |field: &Arc<Field>| format!("{} {}", field.name(), field.data_type());
        Ok(planned.schema().fields().iter().map(column).collect())
    }

    #[test]
    fn the_name_of_an_item_is_known_to_those_after_it_unless_a_column_has_it() {
        for (sql, columns) in [
            (
                "SELECT v + 1 AS b, b * 2.5D AS c, C > 1 AS d FROM t",
                vec!["b Int32", "c Float64", "d Boolean"],
            ),
            ("SELECT CAST(v AS STRING) AS k, k FROM t LIMIT 1", vec![]),
            ("SELECT CAST(k AS INT) AS n, n + 1 AS m FROM (SELECT k FROM t)", vec!["n Int32", "m Int32"]),
            ("SELECT v AS b, x + b AS c FROM (SELECT v, v AS x, k AS B FROM t)", vec![]),
            ("WITH w AS (SELECT v AS x FROM t) SELECT x AS y, y + 1 AS z FROM w", vec!["y Int32", "z Int32"]),
            ("SELECT struct(v AS x) AS st, st.x + 1 AS y FROM t", vec!["", "y Int32"]),
            (
                "SELECT k, sum(v) AS s, s + 1 AS u FROM t GROUP BY k HAVING u > 1",
                vec!["k Utf8", "s Int64", "u Int64"],
            ),
            (
                "SELECT v AS x, transform(list, x -> x + 0.5D) AS l, x AS y FROM t",
                vec!["x Int32", "", "y Int32"],
            ),
            ("SELECT v AS t, t.k FROM t", vec!["t Int32", "k Utf8"]),
            ("SELECT `v` AS `A b`, `a B` + 1 AS c FROM t", vec!["A b Int32", "c Int32"]),
        ] {
            let found = types(sql);
            if columns.is_empty() {
                // The column is a text: the sum is none, or the two have one name.
                let said = found.unwrap_err().report();
                assert!(said.contains("k") || said.contains("B"), "{sql}: {said}");
                continue;
            }
            let found = found.unwrap_or_else(|e| panic!("{sql}: {}", e.report()));
            assert_eq!(found.len(), columns.len(), "{sql}");
            for (found, column) in found.iter().zip(columns).filter(|(_, column)| !column.is_empty()) {
                assert_eq!(found, column, "{sql}");
            }
        }
    }

    #[test]
    fn a_name_that_is_not_one_value_or_would_never_end_is_refused() {
        let doubled: String = (0..40).map(|n| format!(", c{n} + c{n} AS c{}", n + 1)).collect();
        for (sql, why) in [
            ("SELECT v AS b, v + 1 AS b, b AS c FROM t".to_owned(), "`b` is the name of 2 items"),
            ("SELECT explode(list) AS e, e + 1 AS f FROM t".into(), "`e` is explode(…) in the same SELECT"),
            (format!("SELECT v AS c0{doubled} FROM t"), "more than 10000 operators"),
            ("SELECT v + 1 AS b, (SELECT b) AS c FROM t".into(), "in the place of a value"),
        ] {
            let said = types(&sql).unwrap_err().report();
            assert!(said.contains(why), "{sql}: {said}");
        }
    }
}
