//! Joins with a table: work on one batch after the other, without state.

use super::{Adding, Rows};
use crate::{
    Error, OutputMode, Result,
    operators::{chain::Part, table_join::TableJoin},
    plan::NamedTable,
    sql::{Catalog, error::OrError},
};
use datafusion_common::{
    JoinType, NullEquality,
    tree_node::{TreeNode, TreeNodeRecursion},
};
use datafusion_expr::{LogicalPlan, logical_plan::Join};
use std::{
    mem::replace,
    sync::{Arc, Mutex},
};

/// The table that a plan's rows are of, if they are of one alone.
pub(super) fn table_of<'c>(plan: &LogicalPlan, catalog: &'c Catalog) -> Option<&'c Arc<NamedTable>> {
    match plan {
        LogicalPlan::TableScan(scan) => catalog.table(scan.table_name.table()),
        LogicalPlan::SubqueryAlias(alias) => table_of(&alias.input, catalog),
        LogicalPlan::Projection(projection) => table_of(&projection.input, catalog),
        LogicalPlan::Filter(filter) => table_of(&filter.input, catalog),
        LogicalPlan::Unnest(unnest) => table_of(&unnest.input, catalog),
        _ => None,
    }
}

impl Adding<'_> {
    pub(super) fn join_table(
        &mut self,
        join: &Join,
        table: &Arc<NamedTable>,
        modes: &[OutputMode],
    ) -> Result<Rows> {
        accept(join, &table.name)?;
        let left = self.rows(&join.left, modes)?;
        let outside = replace(&mut self.in_table, true);
        let right = self.rows(&join.right, &[OutputMode::Append]);
        self.in_table = outside;
        let pairs = join.left.schema().join(join.right.schema()).invalid(|| "SQL: JOIN".into())?;
        let (mut keys, mut table_keys) = (Vec::new(), Vec::new());
        for (key, other) in &join.on {
            let (of, other_of) = (join.left.schema().as_ref(), join.right.schema().as_ref());
            keys.push(self.join_key((key, of), (other, other_of))?);
            table_keys.push(self.join_key((other, other_of), (key, of))?);
        }
        if self.flow.tables.iter().all(|known| known.name != table.name) {
            self.flow.tables.push(table.clone());
        }
        let made = TableJoin {
            kind: join.join_type,
            table: table.clone(),
            before: right?.chain,
            keys: [keys, table_keys],
            null_safe: join.null_equality == NullEquality::NullEqualsNull,
            filter: self.condition(&join.filter.iter().collect::<Vec<_>>(), &pairs)?,
            width: join.left.schema().fields().len(),
            pairs: Arc::new(pairs.as_arrow().clone()),
            schema: join.schema.inner().clone(),
            index: Mutex::default(),
        };
        Ok(left.then(|_| Part::Join(Arc::new(made)), join.schema.inner().clone()))
    }
}

/// A table has no rows of its own to begin with.
pub(super) fn not_alone(table: &str) -> Error {
    Error::invalid(format!(
        "SQL: table `{table}` is read when a stream is joined with it: put a source or step on the left, as in FROM events JOIN {table} ON …; to read its files as rows, make them a source"
    ))
}

/// What is asked of the time must not be kept with the table's rows.
fn asks_the_time(plan: &LogicalPlan) -> bool {
    let mut found = false;
    let seen = plan.apply(|plan| {
        plan.apply_expressions(|expr| {
            found |= expr.is_volatile();
            Ok(TreeNodeRecursion::Continue)
        })
    });
    found || seen.is_err()
}

fn accept(join: &Join, table: &str) -> Result<()> {
    let refusal = match join.join_type {
        _ if asks_the_time(&join.right) => format!(
            "current_timestamp() in a query of table `{table}`: its rows are kept over epochs; put the condition behind ON"
        ),
        JoinType::LeftAnti if join.null_aware => {
            format!("NOT IN over table `{table}`: use NOT EXISTS, or LEFT ANTI JOIN")
        }
        JoinType::Inner | JoinType::Left | JoinType::LeftSemi | JoinType::LeftAnti if !join.on.is_empty() => {
            return Ok(());
        }
        JoinType::Right | JoinType::Full => format!(
            "{} JOIN with table `{table}`: that a row of the table matches nothing is known only when the stream has ended, and it never does; use INNER or LEFT JOIN, with the stream on the left",
            join.join_type.to_string().to_uppercase()
        ),
        _ => format!(
            "JOIN with table `{table}`: a stream is joined with a table by equal keys, as in ON a.id = b.id"
        ),
    };
    Err(Error::invalid(format!("SQL: {refusal}")))
}
