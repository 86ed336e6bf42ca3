//! Parts of SQL that the planner would pass over as if they were not there.

use crate::{Error, Result};
use datafusion_expr::sqlparser::ast::{Query, TableFactor, Visit, Visitor};
use std::ops::ControlFlow::{self, Break, Continue};

/// Refuses a query with such a part.
pub(super) fn refuse(query: &Query) -> Result<()> {
    match query.visit(&mut Ignored) {
        Break(what) => Err(Error::invalid(format!("SQL: {what}"))),
        Continue(()) => Ok(()),
    }
}

struct Ignored;

impl Visitor for Ignored {
    type Break = &'static str;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<Self::Break> {
        if !query.locks.is_empty() {
            return Break("FOR UPDATE and FOR SHARE: nothing is locked here; leave them out");
        }
        if query.for_clause.is_some() || query.settings.is_some() || query.format_clause.is_some() {
            return Break("FOR, SETTINGS and FORMAT behind a query: Spark has none of them; leave them out");
        }
        Continue(())
    }

    fn pre_visit_table_factor(&mut self, table: &TableFactor) -> ControlFlow<Self::Break> {
        let (sampled, other) = match table {
            TableFactor::Table { sample, with_hints, version, partitions, .. } => {
                (sample.is_some(), !with_hints.is_empty() || version.is_some() || !partitions.is_empty())
            }
            TableFactor::Derived { sample, .. } => (sample.is_some(), false),
            _ => (false, false),
        };
        match (sampled, other) {
            (true, _) => Break(
                "TABLESAMPLE: a replay would have to sample the same rows; filter by a column, as in WHERE pmod(hash(id), 10) = 0",
            ),
            (_, true) => Break(
                "WITH (…), a version or partitions behind a table: a source or a step has none; leave them out",
            ),
            _ => Continue(()),
        }
    }
}
