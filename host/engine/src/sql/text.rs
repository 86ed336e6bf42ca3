//! The text of a query, and its tables.

use super::{
    Catalog, Planned,
    add::same_names,
    called,
    error::invalid,
    optimize::optimize,
    rewrite,
    tokens::{FEWER, tokens},
    types, written_out,
};
use crate::{Error, Kind, Result};
use datafusion_common::config::ConfigOptions;
use datafusion_expr::sqlparser::{
    ast::{Expr, Query, Statement, Visit, Visitor, visit_relations},
    parser::{Parser, ParserError},
    tokenizer::Token,
};
use datafusion_sql::planner::{NullOrdering, ParserOptions, SqlToRel};
use std::{collections::BTreeSet, ops::ControlFlow, sync::Arc};

/// What is wrong with a query, and where in its text: line and column, from 1.
#[derive(Debug)]
pub struct SqlError {
    /// None if it is of no one place.
    pub at: Option<(usize, usize)>,
    /// What is wrong.
    pub error: Error,
}

impl From<Error> for SqlError {
    fn from(error: Error) -> Self {
        SqlError { at: None, error }
    }
}

impl From<SqlError> for Error {
    fn from(SqlError { error, .. }: SqlError) -> Self {
        error
    }
}

impl SqlError {
    pub(super) fn of_parser(error: ParserError) -> SqlError {
        let what = match error {
            ParserError::TokenizerError(what) | ParserError::ParserError(what) => what,
            ParserError::RecursionLimitExceeded => "it is nested too deeply".into(),
        };
        let (what, at) = placed(&what);
        SqlError { at, error: Error::new(Kind::Invalid, format!("SQL: {what}")) }
    }
}

/// A query that is well formed.
#[derive(Clone, Debug)]
pub struct Sql {
    query: Box<Query>,
    /// Whether rows keep the columns that the query does not use.
    whole: bool,
}

impl Sql {
    /// Reads one `SELECT`.
    pub fn parse(text: &str) -> Result<Sql, SqlError> {
        types::refuse_deep(text)?;
        let mut parser = Parser::new(&super::dialect::Spark).with_tokens_with_locations(tokens(text)?);
        let query = one_query(&mut parser).map_err(SqlError::of_parser)?;
        refuse_nested(&query)?;
        Ok(Sql { query, whole: false })
    }

    /// Keeps columns that it does not use for as long as rows are what they were: for whoever reads rows that come too late.
    #[must_use]
    pub fn with_whole_rows(self) -> Sql {
        Sql { whole: true, ..self }
    }

    /// What was read.
    pub(super) fn query(&self) -> &Query {
        &self.query
    }

    /// The names of the tables that it reads, as they are written.
    pub fn tables(&self) -> BTreeSet<String> {
        let ctes = self.query.with.iter().flat_map(|with| &with.cte_tables);
        let own: BTreeSet<&str> = ctes.map(|table| table.alias.name.value.as_str()).collect();
        let mut names = BTreeSet::new();
        let _: ControlFlow<()> = visit_relations(&self.query, |name| {
            names.insert(rewrite::name(name));
            ControlFlow::Continue(())
        });
        names.retain(|name| !own.contains(name.as_str()));
        names
    }

    /// Finds every name, type and function, and simplifies.
    pub fn plan(&self, catalog: Arc<Catalog>) -> Result<Planned, SqlError> {
        let mut query = self.query.clone();
        if !catalog.is_at_hand() {
            written_out::refuse(&query)?;
        }
        called::refuse_unknown(&query, &catalog)?;
        rewrite::rewrite(&mut query, &catalog)?;
        refuse_nested(&query)?;
        let options = ParserOptions {
            parse_float_as_decimal: true,
            enable_ident_normalization: false,
            map_string_types_to_utf8view: false,
            collect_spans: true,
            // NULLs come first ascending and last descending.
            default_null_ordering: NullOrdering::NullsMin,
            ..ParserOptions::new()
        };
        let planner = SqlToRel::new_with_options(&*catalog, options);
        let plan = planner.sql_statement_to_plan(Statement::Query(query));
        let plan = plan.and_then(|plan| optimize(plan, &catalog, self.whole)).map_err(|e| {
            let span = e.diagnostic().and_then(|diagnostic| diagnostic.span);
            let at = span.map(|span| (span.start.line as usize, span.start.column as usize));
            let error = invalid(e, "SQL".into());
            SqlError { at: at.or_else(|| called::place(&self.query, &catalog, &error.report())), error }
        })?;
        same_names(plan.schema().inner())?;
        Ok(Planned { plan, catalog })
    }
}

fn one_query(parser: &mut Parser<'_>) -> Result<Box<Query>, ParserError> {
    let query = parser.parse_query()?;
    while parser.consume_token(&Token::SemiColon) {}
    match parser.peek_token().token {
        Token::EOF => Ok(query),
        _ => parser.expected_ref("the end of the query", parser.peek_token_ref()),
    }
}

fn refuse_nested(query: &Query) -> Result<()> {
    match query.visit(&mut Depth(0)).is_break() {
        true => Err(Error::invalid(format!(
            "SQL: an expression is nested more than {MOST_DEPTH} levels deep, where each of `a + b + c` is one; {FEWER}"
        ))),
        false => Ok(()),
    }
}

/// Levels of an expression. Planning calls itself once for each, and takes the longer the more there are.
const MOST_DEPTH: usize = 400;

/// How deep in an expression a visit is.
struct Depth(usize);

impl Visitor for Depth {
    type Break = ();

    fn pre_visit_expr(&mut self, _: &Expr) -> ControlFlow<()> {
        self.0 += 1;
        if self.0 > MOST_DEPTH { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn post_visit_expr(&mut self, _: &Expr) -> ControlFlow<()> {
        self.0 -= 1;
        ControlFlow::Continue(())
    }
}

/// A parser's message without the place at its end, and that place.
fn placed(message: &str) -> (&str, Option<(usize, usize)>) {
    let split = message.rsplit_once(" at Line: ");
    let place = split.and_then(|(what, place)| {
        let (line, column) = place.split_once(", Column: ")?;
        Some((what, (line.parse().ok()?, column.parse().ok()?)))
    });
    place.map_or((message, None), |(what, place)| (what, Some(place)))
}

/// How DataFusion is to go about it.
pub(super) fn options(time_zone: &str) -> ConfigOptions {
    let mut options = ConfigOptions::default();
    options.execution.time_zone = Some(time_zone.to_owned());
    options.execution.enable_ansi_mode = true;
    options.optimizer.filter_null_join_keys = false;
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        Sql::parse(text).unwrap_err().error.report()
    }

    #[test]
    fn what_is_nested_too_deeply_is_refused_before_anything_goes_down_into_it() {
        let sum = format!("SELECT {}1 AS x FROM t", "1 + ".repeat(3_000));
        assert!(refused(&sum).contains("nested more than 400 levels"), "{}", refused(&sum));
        let casts = format!("SELECT 1{} AS x FROM t", "::int".repeat(3_000));
        assert!(refused(&casts).contains("nested more than 400 levels"));
        let types = format!("SELECT CAST(NULL AS {}int{}) FROM t", "array<".repeat(3_000), ">".repeat(3_000));
        assert!(refused(&types).contains("nested more than 100 levels"));
        assert!(Sql::parse(&format!("SELECT {}1 AS x FROM t", "1 + ".repeat(300))).is_ok());
    }

    #[test]
    fn there_is_one_query_and_nothing_behind_it() {
        assert!(Sql::parse("SELECT k FROM t;").is_ok());
        assert!(refused("SELECT k FROM t; SELECT v FROM t").contains("the end of the query"));
    }
}
