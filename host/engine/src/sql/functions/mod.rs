//! Spark's functions: those of `datafusion-spark`, then DataFusion's own under Spark's names, then ours.

mod aggregates;
mod arithmetic;
mod now;
mod text;
mod window;

pub(super) use self::aggregates::functions as aggregates;
pub(crate) use self::{
    now::EpochTime,
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
    ours
}

/// Spark's name, and that of DataFusion's function that does the same.
const RENAMED: &[(&str, &str)] = &[("ucase", "upper"), ("lcase", "lower")];

/// Functions of windows of rows by their names in lower case.
pub(super) fn windows_of_rows() -> HashMap<String, Arc<WindowUDF>> {
    let all = datafusion::functions_window::all_default_window_functions();
    all.into_iter().map(|function| (function.name().to_lowercase(), function)).collect()
}

pub(super) fn higher_order() -> HashMap<String, Arc<HigherOrderUDF>> {
    let all = datafusion_functions_nested::all_default_higher_order_functions();
    all.into_iter().map(|function| (function.name().to_lowercase(), function)).collect()
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
