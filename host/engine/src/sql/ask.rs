//! Questions to tables that are at hand.

use super::{Catalog, EpochTime, Sql, SqlError, error::OrError};

use crate::{Clock, Error, Kind, Result, ResultExt};
use arrow::{
    array::{RecordBatch, RecordBatchOptions},
    datatypes::SchemaRef,
};
use datafusion::{
    datasource::{MemTable, provider_as_source},
    execution::{
        SessionStateBuilder,
        context::SessionContext,
        disk_manager::{DiskManagerBuilder, DiskManagerMode},
        runtime_env::RuntimeEnvBuilder,
    },
    prelude::SessionConfig,
};
use datafusion_expr::{LogicalPlan, TableSource};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// What one question may take, in bytes, beside the tables.
const MEMORY: usize = 256 << 20;

/// How long one question may take.
const TIME: Duration = Duration::from_secs(60);

/// A table whose rows are all there.
#[derive(Clone, Debug)]
pub struct Rows {
    /// Its columns.
    pub schema: SchemaRef,
    /// Its rows.
    pub batches: Vec<RecordBatch>,
}

/// Answers a query over tables that are at hand: any SELECT in Spark's dialect, those included that no stream could answer.
/// Times without a zone are of `time_zone`; `current_timestamp()` is the clock's time.
///
/// Blocks the thread until the answer is there; [`Kind::Data`] if that takes more than a minute, or too much memory.
pub fn ask(
    sql: &str,
    tables: BTreeMap<String, Rows>,
    time_zone: &str,
    clock: &dyn Clock,
) -> Result<Rows, SqlError> {
    let doing = || "SQL".to_owned();
    let schemas = tables.iter().map(|(name, rows)| (name.clone(), rows.schema.clone())).collect();
    let mut sources = BTreeMap::new();
    for (name, rows) in tables {
        sources.insert(name, at_hand(rows)?);
    }
    let catalog = Catalog::new(schemas, time_zone).at_hand(sources);
    let plan = Sql::parse(sql)?.plan(Arc::new(catalog))?;
    let config = plan.catalog.config().clone();
    // `current_timestamp()` is known to one thread.
    let config = SessionConfig::from(config).with_target_partitions(1);
    let memory = RuntimeEnvBuilder::new()
        .with_memory_limit(MEMORY, 1.0)
        .with_disk_manager_builder(DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled))
        .build_arc()
        .data(doing)?;
    let state = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(memory)
        .with_default_features()
        .build();
    let thread = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let thread = thread.doing(Kind::Unavailable, || "a thread for a question")?;
    let _now = EpochTime::set(clock.now().0);
    let schema = plan.schema();
    let batches = thread.block_on(async {
        tokio::select! {
            batches = run(SessionContext::new_with_state(state), plan.plan) => batches.data(doing),
            () = clock.sleep(TIME) => Err(Error::data(format!("SQL: the answer takes longer than {TIME:?}; ask for less"))),
        }
    })?;
    Ok(Rows { schema, batches })
}

async fn run(session: SessionContext, plan: LogicalPlan) -> datafusion_common::Result<Vec<RecordBatch>> {
    session.execute_logical_plan(plan).await?.collect().await
}

fn at_hand(Rows { schema, batches }: Rows) -> Result<Arc<dyn TableSource>> {
    let of_schema = |rows: RecordBatch| {
        let count = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
        RecordBatch::try_new_with_options(schema.clone(), rows.columns().to_vec(), &count)
    };
    let batches: Result<Vec<_>, _> = batches.into_iter().map(of_schema).collect();
    let batches = batches.doing(Kind::Internal, || "rows of a table")?;
    let table = MemTable::try_new(schema.clone(), vec![batches]);
    Ok(provider_as_source(Arc::new(table.data(|| "rows of a table".into())?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ManualClock, SystemClock, Timestamp};
    use arrow::array::{Int64Array, StringArray};

    fn tables() -> BTreeMap<String, Rows> {
        let words = StringArray::from(vec![Some("b"), Some("a"), None, Some("a")]);
        let counts = Int64Array::from(vec![1, 2, 3, 4]);
        let rows = RecordBatch::try_from_iter([
            ("word", Arc::new(words) as Arc<dyn arrow::array::Array>),
            ("n", Arc::new(counts) as Arc<dyn arrow::array::Array>),
        ]);
        let rows = rows.unwrap();
        [(
            "live".to_owned(),
            Rows { schema: rows.schema(), batches: vec![rows.slice(0, 1), rows.slice(1, 3)] },
        )]
        .into()
    }

    fn answer(sql: &str) -> Result<String, String> {
        let clock = ManualClock::new(Timestamp(86_400_000_000));
        let answer = ask(sql, tables(), "UTC", &clock).map_err(|e| e.error.report())?;
        Ok(arrow::util::pretty::pretty_format_batches(&answer.batches).unwrap().to_string())
    }

    #[test]
    fn a_table_is_asked_for_what_no_stream_could_say() {
        let sorted =
            answer("SELECT word, sum(n) AS total FROM live GROUP BY word ORDER BY total DESC, word LIMIT 2")
                .unwrap();
        assert_eq!(
            sorted,
            "+------+-------+\n| word | total |\n+------+-------+\n| a    | 6     |\n|      | 3     |\n+------+-------+"
        );
        let distinct = answer("SELECT count(DISTINCT word) AS words FROM live").unwrap();
        assert!(distinct.contains("| 2     |"), "{distinct}");
        let ranked = answer("SELECT n, row_number() OVER (ORDER BY n DESC) AS place FROM live ORDER BY place LIMIT 1 OFFSET 1").unwrap();
        assert!(ranked.contains("| 3 | 2     |"), "{ranked}");
        let nested = answer("SELECT n FROM live WHERE n > (SELECT avg(n) FROM live) ORDER BY n").unwrap();
        assert!(nested.contains("| 3 |\n| 4 |"), "{nested}");
    }

    #[test]
    fn the_time_is_the_one_that_is_given() {
        assert!(answer("SELECT current_timestamp() AS t").unwrap().contains("1970-01-02T00:00:00Z"));
    }

    #[test]
    fn a_table_that_is_not_there_is_an_error_with_those_that_are() {
        let error = answer("SELECT * FROM life").unwrap_err();
        assert!(error.contains("there is no table `life`; there are: live"), "{error}");
    }

    #[test]
    fn a_table_of_no_rows_has_columns() {
        let mut tables = tables();
        tables.get_mut("live").unwrap().batches.clear();
        let answer = ask("SELECT n FROM live", tables, "UTC", &SystemClock::new()).unwrap();
        assert_eq!(answer.schema.field(0).name(), "n");
        assert!(answer.batches.is_empty());
    }
}
