//! Spark's functions: those of `datafusion-spark`, then DataFusion's own under Spark's names, then ours.

mod access;
mod arithmetic;
mod cast;
mod checked;
mod extremes;
mod floats;
mod function;
mod json;
mod lists;
mod murmur;
mod now;
mod operands;
mod regexes;
mod rounding;
mod strings;
mod sum;
mod text;
mod time;
mod window;
mod zone;

pub(crate) use self::{
    cast::spark_cast,
    checked::checked,
    now::EpochTime,
    time::plus_interval,
    window::{SESSION_WINDOW, WINDOW, Windows, duration, instants, is_time_window, length_of_time, windows},
};

use datafusion_expr::{AggregateUDF, HigherOrderUDF, ScalarUDF, planner::ExprPlanner};
use std::{collections::HashMap, sync::Arc};

/// Scalar functions by their names in lower case.
pub(super) fn scalars() -> HashMap<String, Arc<ScalarUDF>> {
    let mut all = HashMap::new();
    let theirs = [
        datafusion_functions::all_default_functions(),
        datafusion_functions_nested::all_default_nested_functions(),
        datafusion_spark::all_default_scalar_functions(),
    ];
    for function in theirs.into_iter().flatten().chain(ours()) {
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

fn ours() -> Vec<Arc<ScalarUDF>> {
    let mut ours = window::functions();
    ours.extend(arithmetic::functions());
    ours.extend(now::functions());
    ours.extend(text::functions());
    ours.extend(strings::functions());
    ours.extend(regexes::functions());
    ours.extend(floats::functions());
    ours.extend(rounding::functions());
    ours.extend(checked::functions());
    ours.extend(access::functions());
    ours.extend(lists::functions());
    ours.extend(json::functions());
    ours.extend(murmur::functions());
    ours.extend(time::functions());
    ours
}

/// Spark's name, and that of DataFusion's function that does the same.
const RENAMED: &[(&str, &str)] = &[
    ("ucase", "upper"),
    ("lcase", "lower"),
    ("date_diff", "datediff"),
    ("dateadd", "date_add"),
    ("datepart", "date_part"),
    ("to_timestamp_ltz", "to_timestamp"),
    ("position", "locate"),
    ("cardinality", "size"),
    ("array_size", "size"),
    ("array_remove", "array_remove_all"),
    ("startswith", "starts_with"),
    ("endswith", "ends_with"),
    ("chr", "char"),
    ("power", "pow"),
    ("regexp", "regexp_like"),
    ("rlike", "regexp_like"),
    ("sign", "signum"),
    ("len", "length"),
    ("char_length", "length"),
    ("character_length", "length"),
    ("sha", "sha1"),
    ("printf", "format_string"),
];

/// Aggregate functions by their names in lower case.
pub(super) fn aggregates() -> HashMap<String, Arc<AggregateUDF>> {
    let mut all = HashMap::new();
    let theirs = [
        datafusion_functions_aggregate::all_default_aggregate_functions(),
        datafusion_spark::all_default_aggregate_functions(),
    ];
    // A mean of decimals is a decimal; `datafusion-spark` has doubles alone.
    let ours = [sum::function(), datafusion_functions_aggregate::average::avg_udaf()];
    for function in theirs.into_iter().flatten().chain(ours).chain(extremes::functions()) {
        for name in function.aliases().iter().map(String::as_str).chain([function.name()]) {
            all.insert(name.to_lowercase(), function.clone());
        }
    }
    for (spark, theirs) in RENAMED_AGGREGATES {
        if let Some(function) = all.get(*theirs).cloned() {
            all.insert((*spark).to_owned(), function);
        }
    }
    all
}

/// Spark's name, and that of DataFusion's aggregate that does the same.
const RENAMED_AGGREGATES: &[(&str, &str)] = &[
    ("approx_count_distinct", "approx_distinct"),
    ("first", "first_value"),
    ("last", "last_value"),
    ("any_value", "first_value"),
    ("percentile_approx", "approx_percentile_cont"),
    ("approx_percentile", "approx_percentile_cont"),
    ("std", "stddev"),
    ("variance", "var_samp"),
    ("every", "bool_and"),
    ("some", "bool_or"),
    ("any", "bool_or"),
    ("array_agg", "collect_list"),
    ("try_avg", "avg"),
];

pub(super) fn higher_order() -> HashMap<String, Arc<HigherOrderUDF>> {
    let all = datafusion_functions_nested::all_default_higher_order_functions();
    let names = [("transform", "array_transform"), ("filter", "array_filter"), ("exists", "array_any_match")];
    let spark =
        |of: &str| names.iter().find(|(_, theirs)| *theirs == of).map(|(spark, _)| (*spark).to_owned());
    all.into_iter().filter_map(|function| Some((spark(function.name())?, function))).collect()
}

/// What gives operators and literals their meaning; the first that knows one wins.
pub(super) fn planners() -> Vec<Arc<dyn ExprPlanner>> {
    vec![
        Arc::new(arithmetic::SparkOperators),
        Arc::new(datafusion_functions::core::planner::CoreFunctionPlanner::default()),
        Arc::new(datafusion_functions_nested::planner::NestedFunctionPlanner),
        Arc::new(datafusion_functions_nested::planner::FieldAccessPlanner),
        Arc::new(datafusion_functions::datetime::planner::DatetimeFunctionPlanner),
        Arc::new(datafusion_functions::unicode::planner::UnicodeFunctionPlanner),
        Arc::new(datafusion_functions_aggregate::planner::AggregateFunctionPlanner),
    ]
}
