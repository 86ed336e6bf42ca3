//! Questions to tables that are at hand.

use super::{Catalog, EpochTime, Sql, SqlError, error::OrError};

use crate::{Clock, Error, Kind, LiveFunctions, NamedFunction, Result, ResultExt};
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
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::sync::oneshot;

/// What one question may take, in bytes, beside the tables.
const MEMORY: usize = 256 << 20;

/// How long one question may take, from its text to the last row.
const TIME: Duration = Duration::from_secs(60);

/// For the thread that answers: planning goes as deep as a question is nested.
const STACK: usize = 64 << 20;

/// Rows of a batch. A constant is repeated for each of them.
const BATCH: usize = 1024;

/// A table whose rows are all there.
#[derive(Clone, Debug)]
pub struct Rows {
    /// Its columns.
    pub schema: SchemaRef,
    /// Its rows.
    pub batches: Vec<RecordBatch>,
}

/// Answers questions over tables that are at hand, one at a time: any SELECT in Spark's dialect, those included that no stream
/// could answer.
#[derive(Debug, Default)]
pub struct Questions {
    /// A question is being worked on.
    busy: Arc<AtomicBool>,
    functions: LiveFunctions,
}

impl Questions {
    /// Questions that may call these functions too.
    pub fn with_functions(functions: LiveFunctions) -> Self {
        Questions { functions, ..Questions::default() }
    }

    /// Times without a zone are of `time_zone`; `current_timestamp()` is the clock's time.
    ///
    /// Blocks the thread until the answer is there; [`Kind::Data`] if that takes more than a minute, or too much memory.
    /// What takes too long is worked on in a thread of its own, which may not come to an end at once, for what works out one
    /// value is not interrupted. Until then every question is answered with [`Kind::Unavailable`].
    pub fn ask(
        &self,
        sql: &str,
        tables: BTreeMap<String, Rows>,
        time_zone: &str,
        clock: Arc<dyn Clock>,
    ) -> Result<Rows, SqlError> {
        if self.busy.swap(true, Ordering::AcqRel) {
            return Err(Error::new(
                Kind::Unavailable,
                "an earlier question was given up and is still being worked on; ask again when it has come to its end",
            )
            .into());
        }
        let question = Question {
            sql: sql.to_owned(),
            tables,
            time_zone: time_zone.to_owned(),
            clock: clock.clone(),
            functions: self.functions.all(),
            _busy: Busy(self.busy.clone()),
        };
        let doing = || "a thread for a question";
        let (sender, answer) = oneshot::channel();
        let thread = std::thread::Builder::new().name("question".into()).stack_size(STACK);
        // Who has gone does not wait for the answer.
        let thread = thread.spawn(move || drop(sender.send(question.answer())));
        thread.doing(Kind::Unavailable, doing)?;
        let waiting = tokio::runtime::Builder::new_current_thread().enable_all().build();
        waiting.doing(Kind::Unavailable, doing)?.block_on(async {
            tokio::select! {
                biased;
                answer = answer => answer.unwrap_or_else(|_| Err(Error::internal("SQL: answering the question panicked").into())),
                () = clock.sleep(TIME) => Err(too_long().into()),
            }
        })
    }
}

/// Takes back that a question is being worked on.
#[derive(Debug)]
struct Busy(Arc<AtomicBool>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

fn too_long() -> Error {
    Error::data(format!("SQL: the answer takes longer than {TIME:?}; ask for less"))
}

struct Question {
    sql: String,
    tables: BTreeMap<String, Rows>,
    time_zone: String,
    clock: Arc<dyn Clock>,
    functions: Vec<Arc<NamedFunction>>,
    _busy: Busy,
}

impl Question {
    fn answer(self) -> Result<Rows, SqlError> {
        let doing = || "SQL".to_owned();
        let schemas = self.tables.iter().map(|(name, rows)| (name.clone(), rows.schema.clone())).collect();
        let mut sources = BTreeMap::new();
        for (name, rows) in self.tables {
            sources.insert(name, at_hand(rows)?);
        }
        let catalog = Catalog::new(schemas, &self.time_zone).at_hand(sources).with_functions(self.functions);
        let _now = EpochTime::set(self.clock.now().0);
        let plan = Sql::parse(&self.sql)?.plan(Arc::new(catalog))?;
        let config = SessionConfig::from(plan.catalog.config().clone());
        // `current_timestamp()` is known to one thread.
        let config = config.with_target_partitions(1).with_batch_size(BATCH);
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
        let schema = plan.schema();
        let batches = thread.block_on(async {
            tokio::select! {
                batches = run(SessionContext::new_with_state(state), plan.plan) => batches.data(doing),
                () = self.clock.sleep(TIME) => Err(too_long()),
            }
        })?;
        Ok(Rows { schema, batches })
    }
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
        let clock = Arc::new(ManualClock::new(Timestamp(86_400_000_000)));
        let answer = Questions::default().ask(sql, tables(), "UTC", clock).map_err(|e| e.error.report())?;
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
        let clock = Arc::new(SystemClock::new());
        let answer = Questions::default().ask("SELECT n FROM live", tables, "UTC", clock).unwrap();
        assert_eq!(answer.schema.field(0).name(), "n");
        assert!(answer.batches.is_empty());
    }

    /// Whoever sleeps on it is awake at once.
    struct Sleepless;

    #[async_trait::async_trait]
    impl Clock for Sleepless {
        fn now(&self) -> Timestamp {
            Timestamp(0)
        }

        fn monotonic(&self) -> Duration {
            Duration::ZERO
        }

        async fn sleep(&self, _: Duration) {}
    }

    #[test]
    fn a_question_that_takes_too_long_even_to_be_planned_is_given_up_and_no_other_begun_beside_it() {
        let questions = Questions::default();
        let ask = |sql: &str, clock: Arc<dyn Clock>| {
            questions.ask(sql, tables(), "UTC", clock).map_err(|e| e.error.report())
        };
        // Constants are worked out while it is planned.
        let long = "SELECT levenshtein(repeat('a', 20000), repeat('b', 20000)) AS n";
        let said = ask(long, Arc::new(Sleepless)).unwrap_err();
        assert!(said.contains("the answer takes longer than 60s; ask for less"), "{said}");
        let clock = || Arc::new(SystemClock::new());
        let said = ask("SELECT 1 AS one", clock()).unwrap_err();
        assert!(said.contains("given up and is still being worked on"), "{said}");
        while questions.busy.load(Ordering::Acquire) {
            std::thread::yield_now();
        }
        assert!(ask("SELECT 1 AS one", clock()).is_ok());
    }
}
