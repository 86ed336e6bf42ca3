//! The text of a query, and its tables.

use super::{Catalog, Planned, add::same_names, error::invalid, optimize::optimize, rewrite};
use crate::{Error, Kind, Result};
use datafusion_common::config::ConfigOptions;
use datafusion_expr::sqlparser::{
    ast::{Query, Statement, visit_relations},
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
        let parsed = Parser::new(&super::dialect::Spark).try_with_sql(text).and_then(|mut parser| {
            let query = parser.parse_query()?;
            match parser.peek_token().token {
                Token::EOF | Token::SemiColon => Ok(query),
                _ => parser.expected_ref("the end of the query", parser.peek_token_ref()),
            }
        });
        let query = parsed.map_err(|e| {
            let what = match e {
                ParserError::TokenizerError(what) | ParserError::ParserError(what) => what,
                ParserError::RecursionLimitExceeded => "it is nested too deeply".into(),
            };
            let (what, at) = placed(&what);
            SqlError { at, error: Error::new(Kind::Invalid, format!("SQL: {what}")) }
        })?;
        Ok(Sql { query, whole: false })
    }

    /// Keeps columns that it does not use for as long as rows are what they were: for whoever reads rows that come too late.
    #[must_use]
    pub fn with_whole_rows(self) -> Sql {
        Sql { whole: true, ..self }
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
        rewrite::rewrite(&mut query, &catalog)?;
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
            SqlError { at, error: invalid(e, "SQL".into()) }
        })?;
        same_names(plan.schema().inner())?;
        Ok(Planned { plan, catalog })
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
