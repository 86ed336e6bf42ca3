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

#[cfg(test)]
mod tests {
    use crate::{
        ManualClock, Timestamp,
        sql::{Questions, Rows},
    };
    use arrow::{
        array::{ArrayRef, Int32Array, RecordBatch, StringArray},
        util::pretty::pretty_format_batches,
    };
    use std::sync::Arc;

    fn answer(sql: &str) -> String {
        let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("1.5"), Some("2"), None]));
        let numbers: ArrayRef = Arc::new(Int32Array::from(vec![Some(1), Some(2), None]));
        let rows = RecordBatch::try_from_iter([("k", texts), ("v", numbers)]).unwrap();
        let tables = [("t".to_owned(), Rows { schema: rows.schema(), batches: vec![rows] })].into();
        let clock = Arc::new(ManualClock::new(Timestamp(0)));
        let answer = Questions::default().ask(sql, tables, "UTC", clock);
        let answer = answer.unwrap_or_else(|e| panic!("{sql}: {}", e.error.report()));
        let names = answer.schema.fields().iter().map(|f| f.name().as_str()).collect::<Vec<_>>().join(" ");
        let rows = pretty_format_batches(&answer.batches).unwrap().to_string();
        let rows = rows.lines().skip(3).filter(|line| !line.starts_with('+'));
        let rows = rows
            .map(|line| line.split_whitespace().filter(|word| *word != "|").collect::<Vec<_>>().join(" "));
        [names].into_iter().chain(rows).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn aggregates_that_differ_in_a_cast_alone_stand_beside_each_other() {
        for (sql, expected) in [
            ("SELECT avg(v), avg(CAST(v AS DOUBLE)) FROM t", "avg(v) avg(CAST(v AS DOUBLE)); 1.5 1.5"),
            (
                "SELECT avg(v) AS a, avg(CAST(v AS DOUBLE)) AS b, avg(CAST(v AS FLOAT)) AS c FROM t",
                "a b c; 1.5 1.5 1.5",
            ),
            ("SELECT sum(v) AS a, sum(bigint(v)) AS b, sum(v + 1) AS c FROM t", "a b c; 3 3 5"),
            ("SELECT sum(k) AS a, avg(k) AS b, max(k) AS c FROM t", "a b c; 3.5 1.75 2"),
            (
                "SELECT max(CAST(v AS STRING)) AS a, max(v) AS b FROM t GROUP BY k HAVING max(v) > 1",
                "a b; 2 2",
            ),
        ] {
            assert_eq!(answer(sql), expected, "{sql}");
        }
    }

    #[test]
    fn a_text_is_a_number_and_a_number_a_text_where_spark_takes_it_for_one() {
        for (sql, expected) in [
            ("-k", "-1.5"),
            ("abs(k)", "1.5"),
            ("sqrt(v || '')", "1.0"),
            ("ceil(k)", "2"),
            ("upper(v)", "1"),
            ("replace(v, 1, 2)", "2"),
            ("contains(v, 1)", "true"),
            ("length(v)", "1"),
            ("v || k", "11.5"),
            ("v LIKE '1%'", "true"),
        ] {
            let sql = format!("SELECT {sql} AS x FROM t WHERE v = 1");
            assert_eq!(answer(&sql), format!("x; {expected}"), "{sql}");
        }
    }

    #[test]
    fn a_column_is_called_as_the_query_calls_it() {
        for (sql, expected) in [
            ("SELECT K, V AS W FROM t WHERE v = 1", "K W; 1.5 1"),
            ("SELECT T.K FROM t WHERE K = '2'", "K; 2"),
            ("SELECT K, count(*) AS N FROM t WHERE v = 1 GROUP BY k ORDER BY K", "K N; 1.5 1"),
            ("SELECT K, max(V) FROM t GROUP BY K HAVING K = '2' ORDER BY k", "K max(V); 2 2"),
            ("SELECT V FROM t WHERE v = 1 UNION ALL SELECT v FROM t WHERE v = 2 ORDER BY V", "V; 1; 2"),
            ("SELECT x.V FROM (SELECT V FROM t) x WHERE x.v = 1", "V; 1"),
        ] {
            assert_eq!(answer(sql), expected, "{sql}");
        }
    }
}
