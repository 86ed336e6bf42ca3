//! Functions for SQL, from what is written to their results.

use std::sync::Arc;

use serde_json::{Value, json};
use streamhost::arrow::array::types::Decimal128Type;
use streamhost::prelude::*;
use streamhost::testing;

#[streamhost::config]
struct Config {
    #[serde(default)]
    home: Option<String>,
}

#[streamhost::function]
fn score(amount: f64, country: Option<&str>, config: &Config) -> Option<f64> {
    (amount >= 0.0).then(|| if country == config.home.as_deref() { amount } else { amount + 100.0 })
}

fn called<P: streamhost::Functions>(config: &str, name: &str, rows: &str) -> Vec<Value> {
    testing::bind_functions::<P>(config).and_then(|bound| bound.call(name, rows)).expect("results")
}

#[test]
fn a_function_is_called_for_each_row_that_has_no_null_where_none_may_be() {
    let rows = r#"
        {"amount": 1.0, "country": "DE"}
        {"amount": 1.0}
        {"country": "DE"}
        {"amount": -1.0, "country": "DE"}
    "#;
    let expected = [json!(1), json!(101), Value::Null, Value::Null];
    assert_eq!(called::<score>(r#"{"home": "DE"}"#, "score", rows), expected);
}

#[streamhost::functions(name = "texts")]
#[allow(unreachable_pub, reason = "functions of SQL are the public ones of a module")]
mod texts {
    use streamhost::prelude::*;

    pub fn initial(text: &str) -> Option<&str> {
        first(text)
    }

    #[function(deterministic = false)]
    pub fn repeated(text: String, times: i32) -> Result<String> {
        let times = usize::try_from(times).map_err(|_| Error::permanent(format!("{times} times")))?;
        Ok(text.repeat(times))
    }

    pub fn everything(a: bool, b: i8, c: i16, d: i64, e: f32, f: Date, g: Timestamp) -> Vec<u8> {
        format!("{a} {b} {c} {d} {e} {} {}", f.0, g.0).into_bytes()
    }

    pub fn nothing() -> i32 {
        7
    }

    fn first(text: &str) -> Option<&str> {
        text.get(..1)
    }
}

#[test]
fn a_module_has_several_functions_and_what_is_not_public_is_none() {
    let initials = called::<texts::Plugin>("", "initial", "{\"text\": \"abc\"}\n{\"text\": \"\"}");
    assert_eq!(initials, [json!("a"), Value::Null]);
    let all = <texts::Plugin as streamhost::Functions>::functions();
    let all: Vec<_> = all.iter().map(|function| (function.name, function.deterministic)).collect();
    assert_eq!(all, [("initial", true), ("repeated", false), ("everything", true), ("nothing", true)]);
    assert_eq!(called::<texts::Plugin>("", "nothing", "{}\n{}"), [json!(7), json!(7)]);
}

#[test]
fn arguments_have_the_types_of_fields() {
    let row =
        r#"{"a": true, "b": 1, "c": 2, "d": 3, "e": 1.5, "f": "1970-01-02", "g": "1970-01-01T00:00:01Z"}"#;
    let results = called::<texts::Plugin>("", "everything", row);
    let hex = "true 1 2 3 1.5 1 1000000".bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert_eq!(results, [json!(hex)]);
}

#[test]
fn an_error_of_a_row_is_that_of_the_call() {
    let bound = testing::bind_functions::<texts::Plugin>("").expect("functions");
    let error = bound.call("repeated", r#"{"text": "a", "times": -1}"#).err();
    assert_eq!(error, Some(Error::permanent("-1 times")));
    let error = bound.call("repeat", "{}").err();
    assert_eq!(error, Some(Error::permanent("there is no function `repeat`")));
}

#[streamhost::function(
    arguments = "price DECIMAL(10, 2) NOT NULL, pieces ARRAY<INT>",
    returns = "DECIMAL(10, 2)"
)]
fn halved(batch: &RecordBatch) -> Result<ArrayRef> {
    let prices = batch.column(0).as_primitive::<Decimal128Type>();
    let halved = prices.unary::<_, Decimal128Type>(|cents| cents / 2);
    Ok(Arc::new(halved.with_precision_and_scale(10, 2)?))
}

#[streamhost::function(arguments = "x INT", returns = "DOUBLE")]
fn lying(batch: &RecordBatch) -> Result<ArrayRef> {
    Ok(batch.column(0).clone())
}

#[streamhost::function(arguments = "x INT", returns = "INT")]
fn short(batch: &RecordBatch) -> Result<ArrayRef> {
    Ok(batch.column(0).slice(0, 0))
}

#[test]
fn a_function_over_columns_says_its_types() {
    let rows = "{\"price\": \"3.00\", \"pieces\": [1]}\n{\"pieces\": null}\n{\"price\": \"1.01\"}";
    assert_eq!(called::<halved>("", "halved", rows), [json!(1.5), Value::Null, json!(0.5)]);
}

#[test]
fn results_that_are_not_as_was_said_are_refused() {
    let said = |error: Option<Error>| error.expect("a refusal").to_string();
    let bound = testing::bind_functions::<lying>("").expect("a function");
    let error = said(bound.call("lying", r#"{"x": 1}"#).err());
    assert_eq!(error, "function `lying` gives INT, and says that it gives DOUBLE");
    let bound = testing::bind_functions::<short>("").expect("a function");
    let error = said(bound.call("short", r#"{"x": 1}"#).err());
    assert_eq!(error, "function `short` gives 0 values for 1 rows");
}
