use datafusion_common::{JoinType, Result, tree_node::Transformed};
use datafusion_expr::{Filter, Join, LogicalPlan};
use datafusion_optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};

/// Makes the `WHERE` above an inner join part of its condition. The two mean the same, and the keys, and the times that say
/// when a row may leave state, may stand in either.
#[derive(Debug)]
pub(super) struct WhereIntoJoin;

impl OptimizerRule for WhereIntoJoin {
    fn name(&self) -> &str {
        "where_into_join"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::BottomUp)
    }

    fn supports_rewrite(&self) -> bool {
        true
    }

    fn rewrite(&self, plan: LogicalPlan, _: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        let LogicalPlan::Filter(Filter { predicate, input, .. }) = &plan else {
            return Ok(Transformed::no(plan));
        };
        let LogicalPlan::Join(join) = input.as_ref() else { return Ok(Transformed::no(plan)) };
        if join.join_type != JoinType::Inner {
            return Ok(Transformed::no(plan));
        }
        let filter = match &join.filter {
            Some(filter) => filter.clone().and(predicate.clone()),
            None => predicate.clone(),
        };
        Ok(Transformed::yes(LogicalPlan::Join(Join { filter: Some(filter), ..join.clone() })))
    }
}
