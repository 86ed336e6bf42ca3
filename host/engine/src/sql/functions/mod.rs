//! Spark's functions: those of `datafusion-spark`, then DataFusion's own under Spark's names, then ours.

mod access;
mod aggregates;
mod alike;
mod arithmetic;
mod bounded;
mod cast;
mod checked;
mod floats;
mod function;
mod implied;
mod json;
mod later;
mod lists;
mod murmur;
mod now;
mod operands;
mod provided;
mod regexes;
mod rounding;
mod strings;
mod text;
mod time;
mod window;
mod zone;

pub(super) use self::{
    aggregates::functions as aggregates, arithmetic::as_decimal, bounded::MOST as MOST_BYTES,
    provided::provided,
};
pub(crate) use self::{
    cast::{CAST, spark_cast},
    checked::checked,
    now::EpochTime,
    provided::{check_function_types, function_usage},
    time::plus_interval,
    window::{SESSION_WINDOW, WINDOW, Windows, duration, instants, is_time_window, length_of_time, windows},
};

use datafusion_expr::{HigherOrderUDF, ScalarUDF, WindowUDF, planner::ExprPlanner};
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
    all.values_mut().for_each(|function| *function = bounded::bounded(implied::implied(function.clone())));
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
    ours.extend(alike::functions());
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
    ("nvl", "coalesce"),
    ("ifnull", "coalesce"),
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

/// Functions of windows of rows by their names in lower case.
pub(super) fn windows_of_rows() -> HashMap<String, Arc<WindowUDF>> {
    let all = datafusion::functions_window::all_default_window_functions();
    all.into_iter().map(|function| (function.name().to_lowercase(), function)).collect()
}

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
