//! Only functions that Spark has: those that DataFusion has beyond, or under another name, are no part of the language.

use crate::{Error, Result, sql::Catalog};
use datafusion_common::utils::datafusion_strsim::normalized_levenshtein;
use datafusion_expr::{
    planner::ContextProvider,
    sqlparser::ast::{Expr, Function, Query, Visit, Visitor},
};
use std::ops::ControlFlow::{self, Break, Continue};

/// The names of Spark's functions, in order, and what its grammar knows besides. Without `version`, which would say that of
/// the planner.
const SPARK: &str = include_str!("spark_functions.txt");

/// Functions that are of windows of rows alone.
const OF_ROWS: [&str; 9] =
    ["row_number", "rank", "dense_rank", "percent_rank", "cume_dist", "ntile", "lag", "lead", "nth_value"];

/// Refuses a call of a function that Spark has not.
pub(super) fn functions(query: &Query, catalog: &Catalog) -> Result<()> {
    match query.visit(&mut Calls(catalog)) {
        Break(error) => Err(error),
        Continue(()) => Ok(()),
    }
}

/// Whether Spark has a function of this name, in lower case.
pub(in crate::sql) fn is_sparks(name: &str) -> bool {
    SPARK.lines().any(|known| known == name)
}

struct Calls<'a>(&'a Catalog);

impl Visitor for Calls<'_> {
    type Break = Error;

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<Error> {
        match expr {
            Expr::Function(call) => self.check(call).map_or_else(Break, Continue),
            _ => Continue(()),
        }
    }
}

impl Calls<'_> {
    fn check(&self, call: &Function) -> Result<()> {
        let name = super::name(&call.name).to_lowercase();
        if OF_ROWS.contains(&name.as_str()) && self.0.get_window_meta(&name).is_none() {
            return Err(Error::invalid(format!(
                "SQL: {name}() OVER (…): numbering and ranking need all rows of a stream, which never ends"
            )));
        }
        if is_sparks(&name) || self.0.provided().contains_key(&name) || !is_there(self.0, &name) {
            return Ok(());
        }
        let near = nearest(self.0, &name);
        Err(Error::invalid(format!("SQL: Spark has no function '{name}'; the nearest are {near}")))
    }
}

/// Whether the planner has a function of this name, in lower case, under whatever name Spark may have it.
pub(in crate::sql) fn is_there(catalog: &Catalog, name: &str) -> bool {
    catalog.get_function_meta(name).is_some()
        || catalog.get_higher_order_meta(name).is_some()
        || catalog.get_aggregate_meta(name).is_some()
        || catalog.get_window_meta(name).is_some()
}

/// The three names of Spark's functions that are most like one.
pub(in crate::sql) fn nearest(catalog: &Catalog, name: &str) -> String {
    let mut known: Vec<&str> = SPARK.lines().filter(|known| is_there(catalog, known)).collect();
    known.sort_by(|a, b| normalized_levenshtein(b, name).total_cmp(&normalized_levenshtein(a, name)));
    let nearest: Vec<String> = known.iter().take(3).map(|known| format!("'{known}'")).collect();
    nearest.join(", ")
}

#[cfg(test)]
mod tests {
    use super::is_sparks;
    use crate::sql::{Catalog, Sql};
    use std::{collections::BTreeMap, sync::Arc};

    #[test]
    fn what_spark_has_is_known_and_what_the_planner_has_beyond_is_refused() {
        for known in ["coalesce", "struct", "timestampadd", "window", "transform", "sum", "to_char"] {
            assert!(is_sparks(known), "{known}");
        }
        for unknown in
            ["make_array(1)", "date_bin('1 day', now())", "version()", "array_element(array(1), 1)"]
        {
            let catalog = Arc::new(Catalog::new(BTreeMap::new(), "UTC"));
            let refused = Sql::parse(&format!("SELECT {unknown}")).unwrap().plan(catalog).unwrap_err();
            assert!(refused.error.report().contains("Spark has no function"), "{}", refused.error.report());
        }
    }
}
