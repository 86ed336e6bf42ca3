use super::*;
use crate::{
    Batch, EpochContext, Function, Kind, LiveFunctions, ManualClock, OutputMode, Place, StepFacts,
    StepProgress,
    operators::driver::{Driver, row},
    plan::{Dataflow, Input, Work},
    sql::{Catalog, Outputs, Questions, Rows, Sql, SqlError},
};
use arrow::{
    array::{AsArray, Float64Array, Int32Array, RecordBatch, StringArray, UInt32Array},
    compute::take,
    datatypes::{Field, Float64Type, SchemaRef, TimeUnit},
    util::pretty::pretty_format_batches,
};
use std::sync::Mutex;

type Run = fn(&[ArrayRef]) -> Done<ArrayRef>;

/// A function in this process, which notes how often it was called, for how many rows and when.
struct Native {
    signature: FunctionSignature,
    deterministic: bool,
    run: Run,
    calls: Mutex<Vec<(usize, i64)>>,
}

impl Native {
    fn new(arguments: &[(&str, DataType, bool)], returns: DataType, run: Run) -> Native {
        let arguments =
            arguments.iter().map(|(name, of, null)| Field::new(*name, of.clone(), *null)).collect();
        let returns = Arc::new(Field::new("result", returns, true));
        let signature = FunctionSignature { arguments, returns };
        Native { signature, deterministic: true, run, calls: Mutex::default() }
    }

    fn calls(&self) -> Vec<(usize, i64)> {
        std::mem::take(&mut self.calls.lock().unwrap())
    }
}

impl Function for Native {
    fn facts(&self) -> StepFacts {
        let deterministic = self.deterministic;
        StepFacts { description: "native".into(), deterministic, digest: None, details: Vec::new() }
    }

    fn signature(&self) -> &FunctionSignature {
        &self.signature
    }

    fn call(&self, arguments: &[Argument], rows: usize, now: Timestamp) -> Done<ArrayRef> {
        self.calls.lock().unwrap().push((rows, now.0));
        let columns = arguments.iter().zip(&self.signature.arguments).map(|(argument, field)| {
            let column = match argument {
                Argument::Column(values) => values.clone(),
                Argument::Constant(value) => take(value, &UInt32Array::from(vec![0; rows]), None).unwrap(),
            };
            assert_eq!((column.len(), column.data_type()), (rows, field.data_type()));
            assert!(field.is_nullable() || column.null_count() == 0, "NULL for `{}`", field.name());
            column
        });
        (self.run)(&columns.collect::<Vec<_>>())
    }

    fn progress(&self) -> StepProgress {
        StepProgress::default()
    }
}

fn doubles(of: &ArrayRef) -> &Float64Array {
    of.as_primitive::<Float64Type>()
}

/// `score(amount DOUBLE, country STRING)`, where the country may be NULL: the amount, and 100 more abroad.
fn score() -> Native {
    let arguments = [("amount", DataType::Float64, false), ("country", DataType::Utf8, true)];
    Native::new(&arguments, DataType::Float64, |columns| {
        let pairs = doubles(&columns[0]).values().iter().zip(columns[1].as_string::<i32>());
        let scores = pairs.map(|(amount, country)| amount + if country == Some("DE") { 0.0 } else { 100.0 });
        Ok(Arc::new(scores.collect::<Float64Array>()))
    })
}

/// `ticket()`: a number for each row that it is asked for.
fn ticket() -> Native {
    Native {
        deterministic: false,
        ..Native::new(&[("of", DataType::Int32, true)], DataType::Int32, |columns| {
            Ok(Arc::new(Int32Array::from_iter_values(0..columns[0].len() as i32)))
        })
    }
}

fn named(name: &str, function: &Arc<Native>) -> Arc<NamedFunction> {
    Arc::new(NamedFunction::new(name, function.clone()).unwrap())
}

/// `t(k STRING, v INT, country STRING)`, with NULLs.
fn rows() -> RecordBatch {
    let columns: [(&str, ArrayRef); 3] = [
        ("k", Arc::new(StringArray::from(vec![Some("1.5"), Some("2"), None]))),
        ("v", Arc::new(Int32Array::from(vec![Some(1), Some(2), None]))),
        ("country", Arc::new(StringArray::from(vec![Some("DE"), None, Some("DE")]))),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

fn plan(sql: &str, functions: &[Arc<NamedFunction>]) -> Result<crate::sql::Planned, SqlError> {
    let catalog = Catalog::new([("t".to_owned(), rows().schema())].into(), "UTC");
    Sql::parse(sql)?.plan(Arc::new(catalog.with_functions(functions.iter().cloned())))
}

/// What a stateless query makes of batches at an epoch's time of 7 µs, a line a row.
async fn run(sql: &str, functions: &[Arc<NamedFunction>], batches: &[RecordBatch]) -> Done<Vec<String>> {
    let mut flow = Dataflow::default();
    let tables = [("t".to_owned(), Outputs::alike(Input::Source(0)))].into();
    plan(sql, functions)?.add_to(&mut flow, "step", &tables, &[OutputMode::Append])?;
    let Work::Stateless(step) = &flow.steps[0].work else { panic!("{sql} has state") };
    let context = EpochContext { now: Timestamp(7), ..EpochContext::alone("q") };
    let mut worker = step.worker().await?;
    let mut out = Vec::new();
    for rows in batches {
        let place = Place::At { of: "a".into(), unit: "row", first: 0 };
        worker.process(&context, Batch::read(rows.clone(), place), &mut out).await?;
    }
    Ok(lines(&out.into_iter().map(|(_, batch)| batch.rows).collect::<Vec<_>>()))
}

fn lines(batches: &[RecordBatch]) -> Vec<String> {
    let text = pretty_format_batches(batches).unwrap().to_string();
    let lines = text.lines().filter(|line| !line.starts_with('+')).skip(1);
    lines.map(|line| line.trim_matches('|').split('|').map(str::trim).collect::<Vec<_>>().join(" ")).collect()
}

#[tokio::test]
async fn rows_with_null_for_what_may_not_be_null_are_null_and_the_function_never_gets_them() {
    let score = Arc::new(score());
    let functions = [named("score", &score)];
    let out = run("SELECT v, score(v, country) AS s FROM t", &functions, &[rows()]).await.unwrap();
    assert_eq!(out, ["1 1.0", "2 102.0", " "]);
    assert_eq!(score.calls(), [(2, 7)]);
    let none = rows().slice(2, 1);
    assert_eq!(run("SELECT score(v, country) AS s FROM t", &functions, &[none]).await.unwrap(), [""]);
    assert_eq!(
        run("SELECT score(NULL, country) AS s FROM t", &functions, &[rows()]).await.unwrap(),
        ["", "", ""]
    );
    assert!(score.calls().is_empty(), "there was nothing to ask it for");
}

#[tokio::test]
async fn arguments_are_cast_as_spark_does_where_a_function_is_called() {
    let functions = [named("score", &Arc::new(score()))];
    for (call, expected) in [
        ("score(v, country)", "1.0"),
        ("score(k, country)", "1.5"),
        ("score(1.25, 'DE')", "1.25"),
        ("score(CAST(v AS BIGINT), v)", "101.0"),
        ("SCORE(v, NULL)", "101.0"),
        ("score(CAST(v AS DECIMAL(9, 2)), current_date())", "101.0"),
        ("score(score(v, country), 'FR')", "101.0"),
        ("CASE WHEN v = 1 THEN score(v, 'DE') ELSE 0 END", "1.0"),
    ] {
        let sql = format!("SELECT {call} AS s FROM t WHERE v = 1");
        assert_eq!(
            run(&sql, &functions, &[rows()]).await.map_err(|e| e.report()),
            Ok(vec![expected.into()]),
            "{call}"
        );
    }
}

#[test]
fn a_type_that_does_not_become_the_one_that_is_asked_for_is_an_error_where_the_call_stands() {
    let functions = [named("score", &Arc::new(score()))];
    for (call, given) in [
        ("score(true, 'DE')", "BOOLEAN, STRING"),
        ("score(array(1), 'DE')", "ARRAY<INT>, STRING"),
        ("score(1, CAST('x' AS BINARY))", "INT, BINARY"),
        ("score(1)", "INT"),
        ("score(1, 'DE', 2)", "INT, STRING, INT"),
        ("score()", ""),
    ] {
        let refused = plan(&format!("SELECT v,\n  {call} AS s FROM t"), &functions).unwrap_err();
        let said = refused.error.report();
        let expected = format!("SQL: score(amount DOUBLE, country STRING) is called with ({given}).");
        assert_eq!((said, refused.at), (expected, Some((2, 3))), "{call}");
    }
    let twice = plan("SELECT score(1, 'a') AS a, score(1) AS b FROM t", &functions).unwrap_err();
    assert_eq!(twice.at, None, "which of the two is not told");
}

#[tokio::test]
async fn a_deterministic_function_of_constants_is_called_once_while_the_query_is_planned() {
    let score = Arc::new(score());
    let functions = [named("score", &score)];
    let sql = "SELECT score(1 + 1, 'DE') AS a, score(2, lower('X')) AS b FROM t WHERE score(0, 'DE') = 0";
    let out = run(sql, &functions, &[rows(), rows()]).await.unwrap();
    assert_eq!(out, ["2.0 102.0"; 6]);
    assert_eq!(score.calls(), [(1, 0); 3]);
}

#[tokio::test]
async fn a_function_that_is_not_deterministic_is_asked_for_each_row_of_constants_too() {
    let ticket = Arc::new(ticket());
    let functions = [named("ticket", &ticket)];
    let out = run("SELECT ticket(1) AS a, ticket(1) AS b FROM t", &functions, &[rows()]).await.unwrap();
    assert_eq!(out, ["0 0", "1 1", "2 2"]);
    assert_eq!(ticket.calls(), [(3, 7); 2], "each call is one of its own");
}

#[tokio::test]
async fn no_rows_are_no_call() {
    let score = Arc::new(score());
    let functions = [named("score", &score)];
    assert!(
        run("SELECT score(v, k) AS s FROM t", &functions, &[rows().slice(0, 0)]).await.unwrap().is_empty()
    );
    assert!(score.calls().is_empty());
}

#[tokio::test]
async fn the_same_call_twice_is_one_call_a_batch() {
    let score = Arc::new(score());
    let functions = [named("score", &score)];
    let sql = "SELECT score(v, country) AS a, score(v, country) + 1 AS b FROM t";
    assert_eq!(run(sql, &functions, &[rows()]).await.unwrap()[0], "1.0 2.0");
    assert_eq!(score.calls().len(), 1);
}

#[tokio::test]
async fn what_the_function_says_is_the_error_and_its_kind() {
    let failing = Native::new(&[("x", DataType::Int32, true)], DataType::Int32, |_| {
        Err(Error::plugin("plugin p 0.1.0, function `failing`: it crashed"))
    });
    let functions = [named("failing", &Arc::new(failing))];
    for sql in [
        "SELECT failing(v) AS x FROM t",
        "SELECT v FROM t WHERE failing(v) > 1",
        "SELECT failing(1) AS x FROM t",
    ] {
        let error = run(sql, &functions, &[rows()]).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Plugin, "{}", error.report());
        assert!(
            error.report().ends_with(": plugin p 0.1.0, function `failing`: it crashed"),
            "{}",
            error.report()
        );
    }
}

#[test]
fn a_call_of_no_function_is_told_those_of_the_pipeline() {
    let functions = [named("score", &Arc::new(score())), named("Ticket", &Arc::new(ticket()))];
    let refused = plan("SELECT v FROM t\nWHERE scor(v, country) > 1", &functions).unwrap_err();
    assert_eq!(refused.at, Some((2, 7)));
    let said = refused.error.report();
    assert!(said.starts_with("SQL: there is no function `scor`; this pipeline has score, Ticket beside Spark's functions, of which the nearest are '"), "{said}");
    assert!(plan("SELECT TICKET(v) AS x, struct(v) AS y, upper(k) AS z FROM t", &functions).is_ok());
}

#[test]
fn a_name_that_is_taken_or_that_no_query_could_call_is_refused() {
    let refused = |name: &str| NamedFunction::new(name, Arc::new(score())).unwrap_err().report();
    for taken in ["upper", "Sum", "window", "explode", "date_bin", "get_field", "transform"] {
        let said = refused(taken);
        assert!(said.contains("already, which this one would hide; choose another name"), "{said}");
    }
    for word in ["CASE", "cast"] {
        assert!(refused(word).contains("choose another name"), "{}", refused(word));
    }
    for no_name in ["", "1st", "a-b", "a b", "é"] {
        assert!(refused(no_name).contains("is no name of a function"), "{}", refused(no_name));
    }
    for name in ["score", "_x1", "haversine", "Geo_Hash"] {
        assert!(NamedFunction::new(name, Arc::new(score())).is_ok(), "{name}");
    }
}

#[test]
fn types_that_sql_does_not_have_are_refused() {
    let refused = |argument: DataType, returns: DataType| {
        let function = Native::new(&[("x", argument, true)], returns, |columns| Ok(columns[0].clone()));
        NamedFunction::new("f", Arc::new(function)).unwrap_err().report()
    };
    assert!(
        refused(DataType::UInt64, DataType::Int64)
            .starts_with("its argument `x` is of type UInt64, which SQL")
    );
    let nanos = DataType::Timestamp(TimeUnit::Nanosecond, None);
    assert!(refused(DataType::Int64, nanos).starts_with("its result is of type Timestamp(ns), which SQL"));
}

/// Every type of SQL, as an expression that has a value of it.
const ALL: &[&str] = &[
    "true",
    "CAST(1 AS TINYINT)",
    "CAST(1 AS SMALLINT)",
    "1",
    "1L",
    "CAST(1.5 AS FLOAT)",
    "CAST(1.5 AS DOUBLE)",
    "CAST(1.5 AS DECIMAL(10, 2))",
    "'text'",
    "CAST('bytes' AS BINARY)",
    "DATE'2025-01-02'",
    "TIMESTAMP'2025-01-02 03:04:05'",
    "TIMESTAMP_NTZ'2025-01-02 03:04:05'",
    "array(1, 2)",
    "array(array('a'), NULL)",
    "map('a', 1)",
    "named_struct('a', 1, 'b', 'x')",
];

#[tokio::test]
async fn a_function_takes_and_gives_values_of_every_type() {
    for value in ALL {
        let of =
            plan(&format!("SELECT {value} AS x FROM t"), &[]).unwrap().schema().field(0).data_type().clone();
        let same = Native::new(&[("x", of.clone(), true)], of.clone(), |columns| Ok(columns[0].clone()));
        let same = Arc::new(Native { deterministic: false, ..same });
        let functions = [named("same", &same)];
        for expression in [value.to_string(), format!("CASE WHEN v = 1 THEN {value} END")] {
            let sql = format!("SELECT same({expression}) AS x, {expression} AS y FROM t");
            let schema: SchemaRef = plan(&sql, &functions).unwrap().schema();
            assert_eq!(schema.field(0).data_type(), schema.field(1).data_type(), "{sql}");
            for line in run(&sql, &functions, &[rows()]).await.unwrap() {
                let half = line.len() / 2;
                assert_eq!(line[..half].trim(), line[half..].trim(), "{sql}");
            }
        }
    }
}

#[test]
fn a_question_to_tables_at_hand_may_call_functions() {
    let live = LiveFunctions::default();
    let questions = Questions::with_functions(live.clone());
    live.set(vec![named("score", &Arc::new(score()))]);
    let tables = [("t".to_owned(), Rows { schema: rows().schema(), batches: vec![rows()] })].into();
    let sql = "SELECT sum(score(v, country)) AS s FROM t";
    let answer = questions.ask(sql, tables, "UTC", Arc::new(ManualClock::new(Timestamp(0)))).unwrap();
    assert_eq!(lines(&answer.batches), ["103.0"]);
}

#[test]
fn a_function_stands_in_groups_and_aggregates_beside_windows_of_event_time() {
    let score = Arc::new(score());
    let functions = [named("score", &score)];
    let sql = "SELECT window(t, '10 seconds') AS w, k, sum(score(v, k)) AS s FROM rows WHERE score(v, 'DE') < 5 GROUP BY 1, 2";
    let mut driver = Driver::with_functions(sql, &functions);
    let mut late = row("late", 3);
    late.2 = 9;
    assert!(driver.epoch(&[row("DE", 1), row("DE", 2), row("FR", 3), late, row("DE", 30)]).is_empty());
    let out = driver.epoch(&[]);
    let sums: Vec<&str> = out.iter().filter_map(|line| Some(line.split_once("} | ")?.1)).collect();
    assert_eq!(sums, ["DE | 2.0", "FR | 101.0"], "{out:?}");
    assert!(score.calls().iter().all(|(rows, _)| *rows > 0));
}
