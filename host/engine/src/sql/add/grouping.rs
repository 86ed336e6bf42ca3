//! What is grouped by: columns, windows, and sets of them.

use super::Adding;
use crate::{
    Error, Result,
    operators::aggregate::{Key, KeySet},
    sql::{
        error::OrError,
        expression::Expression,
        functions::{SESSION_WINDOW, is_time_window},
    },
};
use datafusion_common::ScalarValue;
use datafusion_expr::{Expr, GroupingSet, logical_plan, utils::enumerate_grouping_sets};

impl Adding<'_> {
    /// The keys of an aggregation, and the sets of them that rows are grouped by; none for all keys together. Behind the
    /// keys of sets stands the number of the set.
    pub(super) fn keys(&self, aggregate: &logical_plan::Aggregate) -> Result<(Vec<Key>, Vec<KeySet>)> {
        let input = aggregate.input.schema();
        let [Expr::GroupingSet(grouping)] = &aggregate.group_expr[..] else {
            let keys = aggregate.group_expr.iter().map(|expr| self.key(expr, input));
            return Ok((keys.collect::<Result<_>>()?, Vec::new()));
        };
        let all = grouping.distinct_expr();
        if all.iter().any(|expr| is_time_window(expr, SESSION_WINDOW).is_some()) {
            return Err(Error::invalid(
                "SQL: session_window() is for GROUP BY without GROUPING SETS, CUBE or ROLLUP; use window(), or a step for each",
            ));
        }
        let fields = aggregate.schema.fields();
        let number = fields.get(all.len()).ok_or_else(|| Error::internal("sets without a number"))?;
        let number = |id: u64| ScalarValue::UInt64(Some(id)).cast_to(number.data_type());
        let doing = || "SQL: the number of a grouping set".to_owned();
        let mut keys = all.iter().map(|expr| self.key(expr, input)).collect::<Result<Vec<_>>>()?;
        let first = Expr::Literal(number(0).invalid(doing)?, None);
        keys.push(Key::Plain(Expression::new(&first, input, self.catalog)?));
        let mut sets: Vec<KeySet> = Vec::new();
        for set in listed(grouping)? {
            let has: Vec<bool> = all.iter().map(|expr| set.contains(expr)).collect();
            let twins = sets.iter().filter(|other| other.has == has).count() as u64;
            let id = has.iter().fold(twins, |id, has| (id << 1) | u64::from(!has));
            sets.push(KeySet { has, id: number(id).invalid(doing)? });
        }
        Ok((keys, sets))
    }
}

/// Every set that a clause stands for.
fn listed(of: &GroupingSet) -> Result<Vec<Vec<Expr>>> {
    // Beside a set of nothing it is written out.
    let nothing = Expr::GroupingSet(GroupingSet::GroupingSets(vec![Vec::new()]));
    let all = enumerate_grouping_sets(vec![Expr::GroupingSet(of.clone()), nothing]);
    match all.invalid(|| "SQL: GROUP BY".into())?.pop() {
        Some(Expr::GroupingSet(GroupingSet::GroupingSets(sets))) => Ok(sets),
        _ => Err(Error::internal("grouping sets that cannot be listed")),
    }
}
