//! Which of DataFusion's rules a plan goes through.
//!
//! They are those that leave the shape of the query: what is an aggregation stays one, so that its state is found again
//! when the query changes elsewhere. Nothing is pushed through anything stateful.

use super::{
    Catalog,
    spark_plan::{as_spark, before_types},
    where_into_join::WhereIntoJoin,
};
use datafusion_common::Result;
use datafusion_expr::LogicalPlan;
use datafusion_optimizer::{
    Analyzer, Optimizer, OptimizerContext, OptimizerRule, common_subexpr_eliminate::CommonSubexprEliminate,
    decorrelate_predicate_subquery::DecorrelatePredicateSubquery,
    extract_equijoin_predicate::ExtractEquijoinPredicate, optimize_projections::OptimizeProjections,
    simplify_expressions::SimplifyExpressions,
};
use std::sync::Arc;

/// `whole`: rows keep columns that are not used.
pub(super) fn optimize(plan: LogicalPlan, catalog: &Catalog, whole: bool) -> Result<LogicalPlan> {
    let plan = before_types(plan)?;
    let plan = Analyzer::new().execute_and_check(plan, catalog.config(), |_, _| {})?;
    let plan = as_spark(plan, catalog)?;
    let mut rules: Vec<Arc<dyn OptimizerRule + Send + Sync>> = vec![
        Arc::new(SimplifyExpressions::new()),
        Arc::new(DecorrelatePredicateSubquery::new()),
        Arc::new(WhereIntoJoin),
        Arc::new(ExtractEquijoinPredicate::new()),
    ];
    if !whole {
        rules.push(Arc::new(CommonSubexprEliminate::new()));
        rules.push(Arc::new(OptimizeProjections::new()));
    }
    let context = OptimizerContext::new_with_config_options(catalog.config().clone().into())
        .without_query_execution_start_time()
        .with_skip_failing_rules(false)
        .with_max_passes(3);
    Optimizer::with_rules(rules).optimize(plan, &context, |_, _| {})
}
