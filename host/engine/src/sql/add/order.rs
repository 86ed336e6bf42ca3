//! `ORDER BY` and `LIMIT`.

use super::{Adding, Rows, refused};
use crate::{
    Error, OutputMode, Result,
    operators::{
        chain::Chain,
        limit::Limit,
        sort::{Sort, SortKey},
    },
    plan::Input,
    sql::{error::OrError, expression::Expression},
};
use arrow::compute::SortOptions;
use datafusion_expr::{FetchType, LogicalPlan, SkipType, logical_plan};

impl Adding<'_> {
    pub(super) fn sort(
        &mut self,
        plan: &LogicalPlan,
        sort: &logical_plan::Sort,
        modes: &[OutputMode],
    ) -> Result<Rows> {
        if !complete(modes) {
            return Err(refused(plan));
        }
        let rows = self.rows(&sort.input, modes)?;
        let key = |by: &datafusion_expr::SortExpr| {
            let of = Expression::new(&by.expr, sort.input.schema(), self.catalog)?;
            Ok(SortKey { of, options: SortOptions { descending: !by.asc, nulls_first: by.nulls_first } })
        };
        let by = sort.expr.iter().map(key).collect::<Result<_>>()?;
        let rows = self.sorted(rows, by);
        Ok(match sort.fetch {
            Some(most) => self.cut(rows, most as u64, OutputMode::Complete),
            None => rows,
        })
    }

    pub(super) fn limit(&mut self, limit: &logical_plan::Limit, modes: &[OutputMode]) -> Result<Rows> {
        let most = most(limit)?;
        if modes.contains(&OutputMode::Update) {
            return Err(Error::invalid(
                "SQL: LIMIT: in mode = \"update\" a row that has passed may change, and there is no telling which rows remain; use mode = \"append\", or \"complete\" after an aggregation",
            ));
        }
        let mut rows = self.rows(&limit.input, modes)?;
        let mode = if complete(modes) { OutputMode::Complete } else { OutputMode::Append };
        if complete(modes) && !in_order(&limit.input) {
            rows = self.sorted(rows, Vec::new());
        }
        Ok(self.cut(rows, most, mode))
    }

    fn sorted(&mut self, rows: Rows, by: Vec<SortKey>) -> Rows {
        let Rows { inputs, chain, schema } = rows;
        let step = self.push_keyed(inputs, Sort::new(chain, by, schema.clone()));
        Rows { inputs: vec![vec![Input::Step { step, port: 0 }]], chain: Chain { parts: Vec::new() }, schema }
    }

    fn cut(&mut self, rows: Rows, most: u64, mode: OutputMode) -> Rows {
        let Rows { inputs, chain, schema } = rows;
        let step = self.push_keyed(inputs, Limit::new(chain, most, mode, schema.clone()));
        Rows { inputs: vec![vec![Input::Step { step, port: 0 }]], chain: Chain { parts: Vec::new() }, schema }
    }
}

/// Complete shares with no other mode.
fn complete(modes: &[OutputMode]) -> bool {
    modes == [OutputMode::Complete]
}

/// Whether rows come in the order of an ORDER BY.
fn in_order(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Sort(_) => true,
        LogicalPlan::Projection(_)
        | LogicalPlan::Filter(_)
        | LogicalPlan::SubqueryAlias(_)
        | LogicalPlan::Unnest(_)
        | LogicalPlan::Limit(_) => plan.inputs().into_iter().all(in_order),
        _ => false,
    }
}

fn most(limit: &logical_plan::Limit) -> Result<u64> {
    let doing = || "SQL".to_owned();
    match (limit.get_skip_type().invalid(doing)?, limit.get_fetch_type().invalid(doing)?) {
        (SkipType::Literal(0), FetchType::Literal(Some(most))) => Ok(most as u64),
        (SkipType::Literal(0), FetchType::Literal(None)) => Ok(u64::MAX),
        (SkipType::Literal(0), FetchType::UnsupportedExpr) => {
            Err(Error::invalid("SQL: LIMIT is a number of rows, such as LIMIT 10"))
        }
        _ => Err(Error::invalid(
            "SQL: OFFSET: a stream has no rows to skip; filter them, or sort the other way round",
        )),
    }
}
