//! What of a query is neither a stream nor a table: rows that are written down, and queries in the place of one value.

use super::text::SqlError;
use crate::Error;
use datafusion_expr::sqlparser::{
    ast::{Expr, Query, SetExpr, Spanned, Visit, Visitor},
    tokenizer::Span,
};
use std::ops::ControlFlow::{self, Break, Continue};

/// Refuses them, at their place.
pub(super) fn refuse(query: &Query) -> Result<(), SqlError> {
    match query.visit(&mut Finding) {
        Continue(()) => Ok(()),
        Break((span, what)) => {
            let start = span.start;
            Err(SqlError {
                // Of what has no place, 0 is the line.
                at: (start.line > 0).then_some((start.line as usize, start.column as usize)),
                error: Error::invalid(format!("SQL: {what}")),
            })
        }
    }
}

struct Finding;

impl Visitor for Finding {
    type Break = (Span, &'static str);

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<Self::Break> {
        match &*query.body {
            SetExpr::Values(values) => Break((
                values.span(),
                "VALUES (…): rows that are written down are neither a stream nor a table; put them in a file and read it as \
                 [tables.NAME.files], or write them as CASE … WHEN … END",
            )),
            _ => Continue(()),
        }
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<Self::Break> {
        match expr {
            Expr::Subquery(query) => Break((
                query.span(),
                "(SELECT …) in the place of a value is not worked out beside a stream; join the table that has the value, or \
                 write the value itself",
            )),
            _ => Continue(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::sql::{Catalog, Sql};
    use arrow::datatypes::{DataType, Field, Schema};
    use std::sync::Arc;

    #[test]
    fn rows_and_values_that_no_stream_can_have_are_refused_at_their_place_with_the_remedy() {
        let schema = Schema::new(vec![Field::new("k", DataType::Int32, true)]);
        let catalog = Arc::new(Catalog::new([("t".to_owned(), Arc::new(schema))].into(), "UTC"));
        for (sql, at, remedy) in [
            ("SELECT k FROM t JOIN\n  VALUES (1, 'a') AS x(i, j) ON k = i", (2, 10), "[tables.NAME.files]"),
            ("SELECT k FROM t JOIN (VALUES (1), (2)) AS x(i) ON k = i", (1, 30), "[tables.NAME.files]"),
            ("SELECT * FROM VALUES (1)", (1, 22), "[tables.NAME.files]"),
            ("SELECT k,\n (SELECT max(k) FROM t) AS m FROM t", (2, 3), "join the table that has the value"),
            ("SELECT k FROM t WHERE k > (SELECT 1)", (1, 28), "join the table that has the value"),
        ] {
            let refused = Sql::parse(sql).unwrap().plan(catalog.clone()).unwrap_err();
            assert_eq!(refused.at, Some(at), "{sql}");
            assert!(refused.error.report().contains(remedy), "{}", refused.error.report());
        }
    }
}
