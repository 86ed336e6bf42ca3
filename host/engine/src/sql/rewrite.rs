//! What is done to a query before names are looked up: names are matched as Spark matches them, without regard to case,
//! and columns without a name get Spark's.

mod aggregates;
mod calls;
mod grouping;
mod ignored;
pub(super) mod known;
mod lateral;
mod literals;
mod reused;
mod stars;
mod windows;

use super::Catalog;
use crate::{Error, Result};
use arrow::datatypes::SchemaRef;
use datafusion_expr::sqlparser::ast::{
    self, DataType, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, ObjectName, ObjectNamePart,
    Query, SelectItem, SetExpr, Value, VisitMut, VisitorMut,
};
use std::{
    collections::{HashMap, HashSet},
    ops::ControlFlow::{self, Break, Continue},
};

/// The name of a table as it is written.
pub(super) fn name(of: &ObjectName) -> String {
    let parts =
        of.0.iter().map(|part| part.as_ident().map_or_else(|| part.to_string(), |ident| ident.value.clone()));
    parts.collect::<Vec<_>>().join(".")
}

pub(super) fn rewrite(query: &mut Query, catalog: &Catalog) -> Result<()> {
    ignored::refuse(query)?;
    known::functions(query, catalog)?;
    lateral::views(query)?;
    let mut spelling = Spelling::default();
    for (table, schema) in catalog.tables() {
        spelling.add(table);
        schema.fields().iter().for_each(|field| spelling.add(field.name()));
    }
    let relations = catalog.tables().keys().map(|table| table.to_lowercase()).collect();
    let mut aliases = Aliases { spelling, relations };
    let _ = query.visit(&mut aliases);
    let Aliases { spelling, relations } = aliases;
    let columns = catalog.tables().values().flat_map(|schema| schema.fields());
    let columns = columns.map(|field| field.name().to_lowercase()).collect();
    let schemas = catalog.tables().values().cloned().collect();
    let names = reused::Columns::new(catalog.tables());
    let mut rewrite = Rewrite { spelling, columns, relations, schemas, names, outermost: true };
    match query.visit(&mut rewrite) {
        Break(error) => Err(error),
        Continue(()) => Ok(()),
    }
}

/// Names as they are written, by what they are in lower case. The first spelling of several wins.
#[derive(Default)]
struct Spelling(HashMap<String, String>);

impl Spelling {
    fn add(&mut self, name: &str) {
        self.0.entry(name.to_lowercase()).or_insert_with(|| name.to_owned());
    }

    fn correct(&self, ident: &mut Ident) {
        if let Some(known) = self.0.get(&ident.value.to_lowercase()) {
            ident.value.clone_from(known);
        }
    }
}

/// Collects the names that the query itself gives.
struct Aliases {
    spelling: Spelling,
    /// The names of tables and of queries that stand for one, in lower case.
    relations: HashSet<String>,
}

impl Aliases {
    fn relation(&mut self, alias: &Ident) {
        self.spelling.add(&alias.value);
        self.relations.insert(alias.value.to_lowercase());
    }
}

impl VisitorMut for Aliases {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        for table in query.with.iter().flat_map(|with| &with.cte_tables) {
            self.relation(&table.alias.name);
        }
        selects(&mut query.body, &mut |select| {
            for item in &select.projection {
                if let SelectItem::ExprWithAlias { alias, .. } = item {
                    self.spelling.add(&alias.value);
                }
            }
        });
        Continue(())
    }

    fn pre_visit_table_factor(&mut self, table: &mut ast::TableFactor) -> ControlFlow<()> {
        if let ast::TableFactor::Table { alias: Some(alias), .. }
        | ast::TableFactor::Derived { alias: Some(alias), .. } = table
        {
            self.relation(&alias.name);
        }
        Continue(())
    }
}

struct Rewrite {
    spelling: Spelling,
    /// The names of all tables' columns in lower case.
    columns: HashSet<String>,
    /// The names of all tables, and of queries that stand for one, in lower case.
    relations: HashSet<String>,
    /// The columns of every table.
    schemas: Vec<SchemaRef>,
    /// The same, by table.
    names: reused::Columns,
    /// Whether no query was seen yet.
    outermost: bool,
}

impl Rewrite {
    /// Gives a column that has no name the one that Spark would give it.
    fn named(&self, item: &mut SelectItem) {
        let SelectItem::UnnamedExpr(expr) = item else { return };
        let named = match &*expr {
            Expr::Identifier(_) => true,
            // Of a column of a table; a part of a struct has no name here.
            Expr::CompoundIdentifier(idents) => match &idents[..] {
                [table, _] => {
                    let table = table.value.to_lowercase();
                    self.relations.contains(&table) && !self.columns.contains(&table)
                }
                _ => false,
            },
            _ => false,
        };
        if !named {
            let alias = Ident::with_quote('`', spark_name(expr));
            *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias };
        }
    }

    /// A column that comes out is called as the query calls it: `SELECT K` gives `K`, whatever the table has.
    /// Answers that name, if it is another.
    fn named_as_written(&self, item: &mut SelectItem) -> Option<String> {
        let SelectItem::UnnamedExpr(expr) = item else { return None };
        let name = match &*expr {
            Expr::Identifier(name) => name.clone(),
            Expr::CompoundIdentifier(names) => names.last()?.clone(),
            _ => return None,
        };
        let mut known = name.clone();
        self.spelling.correct(&mut known);
        if known.value == name.value {
            return None;
        }
        let alias = Ident::with_quote('`', name.value.clone());
        *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias };
        Some(name.value)
    }

    /// The columns of `USING` are names, not expressions.
    fn using(&self, join: &mut ast::Join) {
        use ast::{JoinConstraint::Using, JoinOperator::*};
        if let Join(Using(columns))
        | Inner(Using(columns))
        | Left(Using(columns))
        | LeftOuter(Using(columns))
        | Right(Using(columns))
        | RightOuter(Using(columns))
        | FullOuter(Using(columns))
        | LeftSemi(Using(columns)) = &mut join.join_operator
        {
            for part in columns.iter_mut().flat_map(|column| &mut column.0) {
                if let ObjectNamePart::Identifier(ident) = part {
                    self.spelling.correct(ident);
                }
            }
        }
    }
}

impl VisitorMut for Rewrite {
    type Break = Error;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Error> {
        if std::mem::take(&mut self.outermost)
            && let Some(select) = first_select(&mut query.body)
        {
            let named =
                select.projection.iter_mut().map(|item| self.named_as_written(item)).collect::<Vec<_>>();
            sorted_by_place(query, &named);
        }
        self.names.with(query);
        let mut refused = None;
        selects(&mut query.body, &mut |select| {
            stars::written_out(select, &self.schemas, &self.relations);
            select.projection.iter_mut().for_each(|item| self.named(item));
            refused = refused.take().or(reused::written_out(select, &self.names).err());
            select.from.iter_mut().flat_map(|from| &mut from.joins).for_each(|join| self.using(join));
            windows::named(select, |name| self.columns.contains(name));
            grouping::written_out(select);
        });
        for table in query.with.iter_mut().flat_map(|with| &mut with.cte_tables) {
            self.spelling.correct(&mut table.alias.name);
        }
        refused.map_or(Continue(()), Break)
    }

    fn pre_visit_table_factor(&mut self, table: &mut ast::TableFactor) -> ControlFlow<Error> {
        if let ast::TableFactor::Table { alias, .. } | ast::TableFactor::Derived { alias, .. } = table
            && let Some(alias) = alias
        {
            self.spelling.correct(&mut alias.name);
        }
        Continue(())
    }

    fn pre_visit_relation(&mut self, relation: &mut ObjectName) -> ControlFlow<Error> {
        // `step.late` is one name here, not a schema and a table.
        let mut ident = Ident::new(name(relation));
        self.spelling.correct(&mut ident);
        relation.0 = vec![ObjectNamePart::Identifier(ident)];
        Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Error> {
        match expr {
            Expr::Identifier(ident) => self.spelling.correct(ident),
            Expr::CompoundIdentifier(idents) => {
                idents.iter_mut().for_each(|ident| self.spelling.correct(ident))
            }
            Expr::Function(_) => calls::in_other_words(expr),
            Expr::RLike { .. }
            | Expr::Ceil { .. }
            | Expr::Floor { .. }
            | Expr::Substring { .. }
            | Expr::Struct { .. } => calls::as_call(expr),
            Expr::CompoundFieldAccess { access_chain, .. } => access_chain.iter_mut().for_each(by_name),
            Expr::Like { .. } | Expr::ILike { .. } => {
                return literals::escaped(expr).map_or_else(Break, Continue);
            }
            Expr::UnaryOp { op: op @ ast::UnaryOperator::BangNot, .. } => *op = ast::UnaryOperator::Not,
            Expr::UnaryOp { op: ast::UnaryOperator::BitwiseNot, .. } => calls::as_call(expr),
            Expr::UnaryOp { op: ast::UnaryOperator::Minus, expr: of } => match &**of {
                // The least of the whole numbers has no positive counterpart.
                Expr::Value(ast::ValueWithSpan { value: Value::Number(digits, long), span }) => {
                    let negative = Value::Number(format!("-{digits}"), *long).with_span(*span);
                    *expr = Expr::Value(negative);
                }
                Expr::Interval(_) => {}
                _ => calls::as_call(expr),
            },
            _ => {}
        }
        Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Error> {
        match expr {
            // How a number is rounded is no value of type INT.
            Expr::Function(call) if ROUNDING.contains(&name(&call.name).to_lowercase().as_str()) => {
                if let FunctionArguments::List(list) = &mut call.args {
                    list.args.iter_mut().skip(1).for_each(|arg| {
                        if let FunctionArg::Unnamed(FunctionArgExpr::Expr(digits)) = arg {
                            plain(digits);
                        }
                    });
                }
            }
            // An interval's number is part of the literal.
            Expr::Interval(interval) => {
                if let Err(error) = literals::of_units(interval) {
                    return Break(error);
                }
                if let Expr::Cast { expr: inner, .. } = &mut *interval.value {
                    interval.value = inner.clone();
                }
            }
            Expr::Value(value) => {
                if let Value::Number(digits, long) = &value.value {
                    if !long && digits.parse::<i32>().is_ok() {
                        *expr = int(expr.clone());
                    } else if digits.parse::<i64>().is_err()
                        && digits.bytes().all(|digit| digit.is_ascii_digit())
                    {
                        let all = ast::ExactNumberInfo::PrecisionAndScale(digits.len() as u64, 0);
                        *expr = calls::cast(&calls::text(digits), DataType::Decimal(all));
                    } else if digits.contains(['e', 'E']) {
                        *expr =
                            calls::cast(&calls::text(digits), DataType::Double(ast::ExactNumberInfo::None));
                    }
                }
            }
            Expr::Function(_) => {
                grouping::typed(expr);
                aggregates::typed(expr);
            }
            _ => {}
        }
        Continue(())
    }

    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<Error> {
        // What counts rows or columns is no value of type INT.
        if let Some(ast::LimitClause::LimitOffset { limit, offset, .. }) = &mut query.limit_clause {
            limit.iter_mut().for_each(plain);
            offset.iter_mut().for_each(|offset| plain(&mut offset.value));
        }
        if let Some(ast::OrderBy { kind: ast::OrderByKind::Expressions(by), .. }) = &mut query.order_by {
            by.iter_mut().for_each(|by| plain(&mut by.expr));
        }
        selects(&mut query.body, &mut |select| {
            if let ast::GroupByExpr::Expressions(by, _) = &mut select.group_by {
                by.iter_mut().for_each(plain);
            }
        });
        Continue(())
    }
}

const ROUNDING: [&str; 5] = ["round", "bround", "ceil", "ceiling", "floor"];

/// A field is named, as a text is.
fn by_name(access: &mut ast::AccessExpr) {
    if let ast::AccessExpr::Dot(of @ Expr::Identifier(_)) = access {
        *of = calls::text(&of.to_string());
    }
}

/// A whole number that fits is of type INT in Spark, not BIGINT.
fn int(number: Expr) -> Expr {
    calls::cast(&number, DataType::Int(None))
}

/// Takes [`int`] back.
fn plain(expr: &mut Expr) {
    if let Expr::Cast { expr: inner, data_type: DataType::Int(None), .. } = expr
        && matches!(&**inner, Expr::Value(value) if matches!(value.value, Value::Number(..)))
    {
        *expr = (**inner).clone();
    }
}

/// Every `SELECT` of a body, those of a union included.
fn selects(body: &mut SetExpr, each: &mut impl FnMut(&mut ast::Select)) {
    match body {
        SetExpr::Select(select) => each(select),
        SetExpr::SetOperation { left, right, .. } => {
            selects(left, each);
            selects(right, each);
        }
        _ => {}
    }
}

/// What a union is sorted by is a column of it, not of a table: those with names of their own are named by their place.
fn sorted_by_place(query: &mut Query, named: &[Option<String>]) {
    let SetExpr::SetOperation { .. } = &*query.body else { return };
    let Some(ast::OrderBy { kind: ast::OrderByKind::Expressions(by), .. }) = &mut query.order_by else {
        return;
    };
    for by in by {
        let Expr::Identifier(name) = &by.expr else { continue };
        let is = |own: &Option<String>| own.as_ref().is_some_and(|own| own.eq_ignore_ascii_case(&name.value));
        if let Some(place) = named.iter().position(is) {
            by.expr = Expr::Value(Value::Number((place + 1).to_string(), false).with_span(name.span));
        }
    }
}

/// The `SELECT` that names the columns of a body.
fn first_select(body: &mut SetExpr) -> Option<&mut ast::Select> {
    match body {
        SetExpr::Select(select) => Some(select),
        SetExpr::SetOperation { left, .. } => first_select(left),
        SetExpr::Query(query) => first_select(&mut query.body),
        _ => None,
    }
}

fn spark_name(expr: &Expr) -> String {
    match expr {
        Expr::Function(call) => {
            let name = name(&call.name);
            match name.to_lowercase().as_str() {
                window @ ("window" | "session_window") => window.to_owned(),
                "explode" => "col".into(),
                _ => format!("{}({})", name, arguments(&call.args)),
            }
        }
        Expr::BinaryOp { left, op, right } => format!("({} {op} {})", spark_name(left), spark_name(right)),
        Expr::Nested(inner) => spark_name(inner),
        Expr::Identifier(ident) => ident.value.clone(),
        Expr::CompoundIdentifier(idents) => {
            idents.last().map(|ident| ident.value.clone()).unwrap_or_default()
        }
        // What is last of `a[0].b` names it.
        Expr::CompoundFieldAccess { access_chain, .. } => match access_chain.last() {
            Some(ast::AccessExpr::Dot(Expr::Identifier(field))) => field.value.clone(),
            _ => expr.to_string(),
        },
        other => other.to_string(),
    }
}

fn arguments(of: &FunctionArguments) -> String {
    let FunctionArguments::List(list) = of else { return String::new() };
    let names = list.args.iter().map(|arg| match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Wildcard) => "1".into(),
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => spark_name(expr),
        other => other.to_string(),
    });
    names.collect::<Vec<_>>().join(", ")
}
