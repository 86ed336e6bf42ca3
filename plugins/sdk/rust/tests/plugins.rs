//! Plugins of every kind, from their functions to what leaves the step.

use std::sync::Arc;

use streamhost::arrow::array::{Float64Array, Int32Array};
use streamhost::arrow::compute::{cmp, filter_record_batch, numeric};
use streamhost::prelude::*;
use streamhost::{Side, testing};

const EVENTS: &str = "user_id INT, event STRING, value DOUBLE, at TIMESTAMP";
const ROWS: &str = r#"
    {"user_id": 1, "event": "login", "value": 5.0, "at": "2026-01-01T00:00:00Z"}
    {"user_id": 2, "event": "purchase", "value": 50.0, "at": "2026-01-01T00:00:01Z"}
    {"user_id": 3, "event": "purchase"}
    {"user_id": 4, "value": 20.0}
"#;

fn run<P: streamhost::Plugin>(config: &str) -> testing::Answer {
    testing::bind::<P>(config, EVENTS).and_then(|bound| bound.run(ROWS)).expect("an answer")
}

fn refusal<P: streamhost::Plugin>(config: &str, schema: &str) -> String {
    testing::bind::<P>(config, schema).err().expect("a refusal").to_string()
}

mod batches {
    use super::*;

    #[streamhost::config]
    struct Config {
        threshold: f64,
    }

    #[streamhost::filter(reads = ["value"])]
    fn keep(batch: &RecordBatch, config: &Config) -> Result<BooleanArray> {
        Ok(cmp::gt(batch.column(0), &Float64Array::new_scalar(config.threshold))?)
    }

    #[test]
    fn a_filter_keeps_rows_and_null_is_not_kept() {
        run::<keep>(r#"{"threshold": 10}"#).expect(
            r#"
            {"user_id": 2, "event": "purchase", "value": 50.0, "at": "2026-01-01T00:00:01Z"}
            {"user_id": 4, "value": 20.0}
            "#,
        );
    }

    #[test]
    fn a_column_that_is_not_there_is_named_before_the_first_batch() {
        assert_eq!(
            refusal::<keep>(r#"{"threshold": 10}"#, "user_id INT"),
            "the input has no column `value`; its columns are user_id INT"
        );
    }

    #[test]
    fn a_config_that_does_not_fit_is_refused() {
        assert_eq!(refusal::<keep>("", EVENTS), "config: missing field `threshold`");
    }

    #[streamhost::map]
    fn half(batch: &RecordBatch) -> Result<RecordBatch> {
        let half = numeric::div(batch.column(2), &Float64Array::new_scalar(2.0))?;
        Ok(RecordBatch::try_from_iter([("half", half)])?)
    }

    #[test]
    fn a_map_adds_columns() {
        let answer = run::<half>("");
        assert_eq!(answer.rows.iter().filter_map(|row| row["half"].as_i64()).sum::<i64>(), 25 + 10);
        assert_eq!(answer.rows.len(), 4);
    }

    #[streamhost::map]
    fn big_halves(batch: &RecordBatch) -> Result<(BooleanArray, RecordBatch)> {
        let keep = cmp::gt(batch.column(2), &Float64Array::new_scalar(10.0))?;
        let kept = filter_record_batch(batch, &keep)?;
        let half = numeric::div(kept.column(2), &Float64Array::new_scalar(2.0))?;
        Ok((keep, RecordBatch::try_from_iter([("half", half)])?))
    }

    #[test]
    fn a_map_may_drop_rows() {
        run::<big_halves>("").expect(
            r#"
            {"user_id": 2, "event": "purchase", "value": 50, "at": "2026-01-01T00:00:01Z", "half": 25}
            {"user_id": 4, "value": 20, "half": 10}
            "#,
        );
    }

    #[streamhost::transform]
    fn split(batch: &RecordBatch) -> Result<(RecordBatch, [Side; 1])> {
        let small = cmp::lt(batch.column(2), &Float64Array::new_scalar(10.0))?;
        let big = cmp::gt(batch.column(2), &Float64Array::new_scalar(10.0))?;
        Ok((filter_record_batch(batch, &big)?, [("small", filter_record_batch(batch, &small)?)]))
    }

    #[test]
    fn a_transform_has_side_outputs() {
        let answer = run::<split>("");
        assert_eq!(answer.rows.len(), 2);
        assert_eq!(answer.side.len(), 1);
        assert_eq!((answer.side[0].0.as_str(), answer.side[0].1.len()), ("small", 1));
    }

    #[streamhost::transform]
    fn fickle(batch: &RecordBatch) -> Result<RecordBatch> {
        let name = if batch.num_rows() == 0 { "a" } else { "b" };
        let values = Int32Array::from(vec![1; batch.num_rows()]);
        Ok(RecordBatch::try_from_iter([(name, Arc::new(values) as ArrayRef)])?)
    }

    #[test]
    fn columns_that_depend_on_the_rows_fail_the_call() {
        let error =
            testing::bind::<fickle>("", EVENTS).and_then(|bound| bound.run(ROWS)).expect_err("other columns");
        assert_eq!(
            error.to_string(),
            "the output: the columns are b INT, and were a INT for an empty batch: they must not depend on the rows"
        );
    }

    #[streamhost::map(reads = ["event"])]
    fn lengths(batch: &RecordBatch, errors: &mut RowErrors, cx: &Context) -> Result<RecordBatch> {
        let lengths = batch.column(0).as_string::<i32>().iter().enumerate().map(|(row, event)| {
            let missing = || Error::transient(format!("no event yet in epoch {}", cx.epoch));
            errors.value(row, event.map(|event| event.len() as i32).ok_or_else(missing)).unwrap_or(0)
        });
        Ok(RecordBatch::try_from_iter([("length", Arc::new(lengths.collect::<Int32Array>()) as ArrayRef)])?)
    }

    #[test]
    fn rows_in_error_are_reported_and_left_out() {
        let answer = run::<lengths>("");
        assert_eq!(answer.errors, ["row 3 (retry): no event yet in epoch 0"]);
        assert_eq!(answer.rows.len(), 3);
    }

    #[streamhost::transform]
    fn identity(batch: &RecordBatch) -> Result<RecordBatch> {
        Ok(batch.clone())
    }

    #[streamhost::transform]
    fn tail(batch: &RecordBatch) -> Result<RecordBatch> {
        Ok(batch.slice(batch.num_rows().min(1), batch.num_rows().saturating_sub(1)))
    }

    const NESTED: &str = "a ARRAY<STRING>, s STRUCT<x: INT, y: ARRAY<BIGINT>>, m MAP<STRING, DOUBLE>, b BOOLEAN, \
                          d DATE, n TIMESTAMP_NTZ, c DECIMAL(10,2), t STRING, y BINARY, i TINYINT";
    const NESTED_ROWS: [&str; 4] = [
        r#"{"a": ["x", "yy"], "s": {"x": 1, "y": [1, 2]}, "m": {"k": 1.5}, "b": true, "d": "2026-01-01"}"#,
        r#"{"n": "2026-01-01T00:00:00", "c": 1.25, "t": "ünï", "y": "00ff", "i": -3, "s": {"y": []}}"#,
        r#"{"a": [], "s": {"x": 5}, "m": {}, "b": false, "t": ""}"#,
        r#"{"a": [null, "z"], "m": {"q": null, "r": 2.0}, "s": {"y": [3, null]}, "t": "end"}"#,
    ];

    #[test]
    fn every_type_crosses_unchanged() {
        let rows = NESTED_ROWS.join("\n");
        testing::bind::<identity>("", NESTED)
            .and_then(|bound| bound.run(&rows))
            .expect("an answer")
            .expect(&rows);
    }

    #[test]
    fn a_slice_of_every_type_leaves_without_the_rest() {
        let answer = testing::bind::<tail>("", NESTED).and_then(|bound| bound.run(&NESTED_ROWS.join("\n")));
        answer.expect("an answer").expect(&NESTED_ROWS[1..].join("\n"));
    }

    #[test]
    fn a_batch_of_no_rows_crosses() {
        let answer =
            testing::bind::<identity>("", NESTED).and_then(|bound| bound.run("")).expect("an answer");
        assert_eq!(answer, testing::Answer::default());
    }
}

mod rows {
    use super::*;

    #[derive(Row)]
    struct Event<'a> {
        user_id: i32,
        event: Option<&'a str>,
        value: f64,
    }

    #[streamhost::filter]
    fn purchases(event: Event) -> Result<bool> {
        if event.value > 40.0 && event.user_id == 2 {
            return Ok(true);
        }
        if event.event.is_none() { Err(Error::permanent("no event")) } else { Ok(false) }
    }

    #[test]
    fn a_filter_reports_nulls_and_errors_by_row() {
        let answer = run::<purchases>("");
        answer.expect(r#"{"user_id": 2, "event": "purchase", "value": 50.0, "at": "2026-01-01T00:00:01Z"}"#);
        assert_eq!(answer.errors, ["row 2: `value` is null", "row 3: no event"]);
    }

    #[test]
    fn a_column_of_another_type_is_refused() {
        assert_eq!(
            refusal::<purchases>("", "user_id BIGINT, event STRING, value DOUBLE"),
            "column `user_id` has type BIGINT, and the plugin reads INT, which not every BIGINT is; cast the column before this step"
        );
        assert_eq!(
            refusal::<purchases>("", "user_id INT, event STRING, value BIGINT"),
            "column `value` has type BIGINT, and the plugin reads DOUBLE, which not every BIGINT is; cast the column before this step"
        );
        assert_eq!(
            refusal::<purchases>("", "user_id INT, event STRING, value STRING"),
            "column `value` has type STRING, and the plugin reads DOUBLE"
        );
    }

    #[derive(Row)]
    struct Numbers {
        a: i64,
        b: i32,
        c: i16,
        d: f64,
        e: Option<f32>,
    }

    #[derive(Row)]
    struct Total {
        total: f64,
    }

    #[streamhost::map]
    fn total(row: Numbers) -> Total {
        let whole = row.a + i64::from(row.b) + i64::from(row.c);
        Total { total: whole as f64 + row.d + f64::from(row.e.unwrap_or(0.5)) }
    }

    #[test]
    fn a_field_reads_narrower_columns_and_their_nulls() -> Result<()> {
        for (whole, double, float) in [
            (["BIGINT", "INT", "SMALLINT"], "DOUBLE", "FLOAT"),
            (["INT", "SMALLINT", "TINYINT"], "FLOAT", "SMALLINT"),
            (["SMALLINT", "TINYINT", "TINYINT"], "INT", "TINYINT"),
            (["TINYINT", "TINYINT", "TINYINT"], "SMALLINT", "TINYINT"),
            (["TINYINT", "TINYINT", "TINYINT"], "TINYINT", "TINYINT"),
        ] {
            let [a, b, c] = whole;
            let columns = format!("a {a}, b {b}, c {c}, d {double}, e {float}");
            let rows = r#"
                {"a": -128, "b": 127, "c": 3, "d": 4, "e": 5}
                {"a": 1, "b": 2, "c": 3, "d": 4}
                {"a": 1, "b": 2, "c": null, "d": 4, "e": 5}
                "#;
            let answer = testing::bind::<total>("", &columns)?.run(rows)?;
            let totals: Vec<_> = answer.rows.iter().map(|row| row["total"].as_f64()).collect();
            assert_eq!(totals, [Some(11.0), Some(10.5)], "{columns}");
            assert_eq!(answer.errors, ["row 2: `c` is null"], "{columns}");
        }
        Ok(())
    }

    #[derive(Row)]
    struct Seen {
        at: Option<Timestamp>,
        #[row(rename = "event")]
        what: Option<String>,
    }

    #[derive(Row)]
    struct Added {
        next: Option<Timestamp>,
        loud: Option<String>,
    }

    #[streamhost::map]
    fn later(seen: Seen) -> Added {
        Added {
            next: seen.at.map(|at| Timestamp(at.0 + 1_000_000)),
            loud: seen.what.map(|what| what.to_uppercase()),
        }
    }

    #[test]
    fn a_map_adds_the_fields_of_its_row() {
        let answer = run::<later>("");
        assert_eq!(answer.rows[0]["next"], "2026-01-01T00:00:01Z");
        assert_eq!(answer.rows[2]["loud"], "PURCHASE");
    }

    #[derive(Row)]
    struct Half {
        half: f64,
    }

    #[streamhost::config]
    struct Config {
        above: f64,
    }

    #[streamhost::map]
    fn halves(event: Event<'_>, config: &Config) -> Result<Option<Half>> {
        Ok((event.value > config.above).then_some(Half { half: event.value / 2.0 }))
    }

    #[test]
    fn a_map_may_drop_rows() {
        let answer = run::<halves>(r#"{"above": 10}"#);
        assert_eq!(answer.rows.iter().filter_map(|row| row["half"].as_i64()).collect::<Vec<_>>(), [25, 10]);
        assert_eq!(answer.errors, ["row 2: `value` is null"]);
    }

    #[derive(Row)]
    struct Letter<'a> {
        letter: &'a str,
    }

    #[streamhost::map]
    fn first<'a>(event: Event<'a>, config: &Config) -> Result<Letter<'a>> {
        let text = event.event.filter(|_| event.value > config.above).unwrap_or("-");
        Ok(Letter { letter: text.split_at(1).0 })
    }

    #[test]
    fn what_leaves_may_borrow_from_the_row_where_there_is_a_configuration() {
        let answer = run::<first>(r#"{"above": 10}"#);
        assert_eq!(answer.rows[0]["letter"], "-");
        assert_eq!(answer.rows[1]["letter"], "p");
    }

    #[streamhost::transform]
    fn letters(event: Event) -> Vec<Letter> {
        let text = event.event.unwrap_or_default();
        text.char_indices().map(|(i, c)| Letter { letter: &text[i..i + c.len_utf8()] }).collect()
    }

    #[test]
    fn a_transform_gives_any_number_of_rows() {
        let answer = testing::bind::<letters>("", EVENTS)
            .and_then(|bound| bound.run(r#"{"user_id": 1, "event": "ab", "value": 1.0}"#));
        answer.expect("an answer").expect("{\"letter\": \"a\"}\n{\"letter\": \"b\"}");
    }
}

mod sinks {
    use super::*;
    use streamhost::arrow::datatypes::Schema;
    use streamhost::{OutputColumns, row};

    #[derive(Row)]
    struct Event<'a> {
        event: Option<&'a str>,
        value: Option<f64>,
    }

    #[derive(Row)]
    struct Total {
        event: String,
        total: f64,
    }

    #[derive(Row)]
    struct Audit {
        epoch: i64,
        batches: i32,
    }

    #[streamhost::batch_sink(outputs(totals = Total, audit = Audit), reads = ["event", "value"])]
    fn store(rows: Rows, outputs: &Outputs, cx: &Context) -> Result<()> {
        let (mut totals, mut batches) = (std::collections::BTreeMap::new(), 0);
        for batch in rows {
            let batch = batch?;
            batches += 1;
            for event in row::read::<Event>(&batch)? {
                let event = event?;
                *totals.entry(event.event.unwrap_or("none").to_owned()).or_insert(0.0) +=
                    event.value.unwrap_or_default();
            }
        }
        outputs.write_rows("totals", totals.into_iter().map(|(event, total)| Total { event, total }))?;
        outputs.write_rows("audit", [Audit { epoch: cx.epoch as i64, batches }])
    }

    fn print(stored: &testing::Stored) -> Vec<String> {
        let rows = stored
            .outputs
            .iter()
            .flat_map(|(name, rows)| rows.iter().map(move |row| format!("{name} {row}")));
        rows.collect()
    }

    #[test]
    fn a_sink_pulls_an_epoch_and_writes_rows_of_structs() -> Result<()> {
        let mut bound = testing::bind_sink::<store>("", EVENTS)?;
        bound.context.epoch = 7;
        let expected = [
            r#"totals {"event":"login","total":5}"#,
            r#"totals {"event":"none","total":20}"#,
            r#"totals {"event":"purchase","total":50}"#,
        ];
        let stored = bound.run(ROWS)?;
        assert_eq!(print(&stored), [&expected[..], &[r#"audit {"batches":1,"epoch":7}"#]].concat());
        let lines: Vec<&str> = ROWS.lines().filter(|line| !line.trim().is_empty()).collect();
        let stored = bound.run_batches(&lines)?;
        assert_eq!(print(&stored), [&expected[..], &[r#"audit {"batches":4,"epoch":7}"#]].concat());
        Ok(())
    }

    #[streamhost::config]
    struct Config {
        output: String,
    }

    fn outputs(config: &Config, input: &Schema) -> Result<Vec<OutputColumns>> {
        Ok(vec![(config.output.clone(), input.clone())])
    }

    #[streamhost::batch_sink(outputs = outputs)]
    fn pass_on(rows: Rows, outputs: &Outputs, config: &Config) -> Result<()> {
        for batch in rows {
            let batch = batch?;
            outputs.write(&config.output, &batch)?;
            outputs.execute(&config.output, "DELETE FROM old WHERE id = $1", &batch.project(&[0])?)?;
        }
        Ok(())
    }

    #[test]
    fn outputs_may_depend_on_the_configuration_and_the_columns() -> Result<()> {
        let bound = testing::bind_sink::<pass_on>(r#"{"output": "there"}"#, "id INT, at TIMESTAMP")?;
        let stored = bound.run(r#"{"id": 1, "at": "2026-01-01T00:00:00Z"}"#)?;
        assert_eq!(print(&stored), [r#"there {"at":"2026-01-01T00:00:00Z","id":1}"#]);
        let [executed] = &stored.statements[..] else { panic!("{stored:?}") };
        assert_eq!((&*executed.output, &*executed.statement), ("there", "DELETE FROM old WHERE id = $1"));
        assert_eq!(executed.parameters, [streamhost::serde_json::json!({"id": 1})]);
        Ok(())
    }

    #[streamhost::batch_sink(outputs(right = Total))]
    fn wrong(rows: Rows, outputs: &Outputs, config: &Config) -> Result<()> {
        for batch in rows {
            outputs.write(&config.output, &batch?)?;
        }
        Ok(())
    }

    #[test]
    fn rows_of_other_columns_and_other_outputs_are_refused() {
        let failure = |output: &str| {
            let config = format!(r#"{{"output": "{output}"}}"#);
            let bound = testing::bind_sink::<wrong>(&config, "id INT").expect("a sink");
            bound.run(r#"{"id": 1}"#).expect_err("other columns").to_string()
        };
        assert_eq!(failure("right"), "output `right` takes event STRING, total DOUBLE, and is given id INT");
        assert_eq!(failure("left"), "the plugin did not say that it writes to an output `left`");
    }
}
