//! Spark's aggregate functions: DataFusion's and those of `datafusion-spark`, and ours where both answer otherwise.

mod average;
mod extreme;
mod percentile;
mod sum;

use datafusion_expr::AggregateUDF;
use std::{collections::HashMap, sync::Arc};

/// Aggregate functions by their names in lower case.
pub(crate) fn functions() -> HashMap<String, Arc<AggregateUDF>> {
    let mut all = HashMap::new();
    let theirs = [
        datafusion_functions_aggregate::all_default_aggregate_functions(),
        datafusion_spark::all_default_aggregate_functions(),
    ];
    let ours = [sum::function(), average::function(), extreme::min(), extreme::max(), percentile::function()];
    for function in theirs.into_iter().flatten().chain(ours) {
        for name in function.aliases().iter().map(String::as_str).chain([function.name()]) {
            all.insert(name.to_lowercase(), function.clone());
        }
    }
    for (spark, theirs) in RENAMED {
        if let Some(function) = all.get(*theirs).cloned() {
            all.insert((*spark).to_owned(), function);
        }
    }
    all
}

/// Spark's name, and that of DataFusion's aggregate that does the same.
const RENAMED: &[(&str, &str)] = &[
    ("approx_count_distinct", "approx_distinct"),
    ("first", "first_value"),
    ("last", "last_value"),
    ("any_value", "first_value"),
    ("percentile", "percentile_cont"),
    ("approx_percentile", "percentile_approx"),
    ("std", "stddev"),
    ("variance", "var_samp"),
    ("every", "bool_and"),
    ("some", "bool_or"),
    ("any", "bool_or"),
    ("array_agg", "collect_list"),
    ("try_avg", "avg"),
];
