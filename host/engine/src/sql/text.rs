//! The text of a query, and its tables.

use super::{
    Catalog, Planned,
    error::{Message, OrError},
    optimize::optimize,
    rewrite,
};
use crate::{Error, Kind, Result};
use datafusion_common::config::ConfigOptions;
use datafusion_expr::sqlparser::{
    ast::{Query, Statement, visit_relations},
    parser::{Parser, ParserError},
    tokenizer::Token,
};
use datafusion_sql::planner::{NullOrdering, ParserOptions, SqlToRel};
use std::{collections::BTreeSet, ops::ControlFlow, sync::Arc};

/// A query that is well formed.
#[derive(Clone, Debug)]
pub struct Sql {
    query: Box<Query>,
}

impl Sql {
    /// Reads one `SELECT`. The error says at which line and column of the text it fails.
    pub fn parse(text: &str) -> Result<Sql> {
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
            Error::new(Kind::Invalid, "SQL").caused_by(Message(what))
        })?;
        Ok(Sql { query })
    }

    /// The names of the tables that it reads, as they are written.
    pub fn tables(&self) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        let own: BTreeSet<String> = self
            .query
            .with
            .iter()
            .flat_map(|with| &with.cte_tables)
            .map(|table| table.alias.name.value.clone())
            .collect();
        let _: ControlFlow<()> = visit_relations(&self.query, |name| {
            names.insert(rewrite::name(name));
            ControlFlow::Continue(())
        });
        names.retain(|name| !own.contains(name));
        names
    }

    /// Finds every name, type and function, and simplifies.
    pub fn plan(&self, catalog: Arc<Catalog>) -> Result<Planned> {
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
        let plan = planner.sql_statement_to_plan(Statement::Query(query)).invalid(|| "SQL".into())?;
        let plan = optimize(plan, &catalog).invalid(|| "SQL".into())?;
        Ok(Planned { plan, catalog })
    }
}

/// How DataFusion is to go about it.
pub(super) fn options(time_zone: &str) -> ConfigOptions {
    let mut options = ConfigOptions::default();
    options.execution.time_zone = Some(time_zone.to_owned());
    options.execution.enable_ansi_mode = true;
    options.optimizer.filter_null_join_keys = false;
    options
}
