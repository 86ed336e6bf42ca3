#![doc = include_str!("../README.md")]

mod cache;
mod column;
mod keys;
mod service;

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use streamhost::arrow::array::RecordBatchOptions;
use streamhost::arrow::datatypes::{Schema, SchemaRef};
use streamhost::prelude::*;
use streamhost::{ddl, serde_json::Value};

use cache::Cache;
use service::Service;

/// Which service is asked, for what, and how often.
#[streamhost::config]
pub struct Config {
    /// Where the service is. If there is `{key}` in it, each key is asked for by GET, and stands there; otherwise many keys are asked for
    /// by one POST.
    url: String,
    /// The column of keys: a STRING, an INT or a BIGINT.
    key: String,
    /// The columns to add, as in Spark: `score DOUBLE, tier STRING`. BOOLEAN, INT, BIGINT, DOUBLE and STRING.
    columns: Ddl,
    /// Keys in one POST.
    #[serde(default = "hundred")]
    keys_per_request: usize,
    /// Requests that are under way at once.
    #[serde(default = "four")]
    at_once: usize,
    /// Milliseconds to wait for the beginning of an answer.
    #[serde(default = "two_seconds")]
    timeout_ms: u64,
    /// Keys whose answers are remembered, by each instance of the plugin; 0 remembers none.
    #[serde(default = "ten_thousand")]
    cache_keys: usize,
    /// Seconds of processing time for which an answer is remembered.
    #[serde(default = "minute")]
    cache_seconds: u32,
}

/// Columns that were read from their text, each of a type that JSON has.
#[streamhost::config]
#[serde(try_from = "String")]
#[schemars(with = "String")]
struct Ddl(#[schemars(skip)] SchemaRef);

impl TryFrom<String> for Ddl {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        let schema: Schema = ddl::parse(&text)?;
        column::check(&schema)?;
        let nullable = schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true));
        Ok(Self(Arc::new(Schema::new(nullable.collect::<Vec<_>>()))))
    }
}

fn hundred() -> usize {
    100
}

fn four() -> usize {
    4
}

fn two_seconds() -> u64 {
    2_000
}

fn ten_thousand() -> usize {
    10_000
}

fn minute() -> u32 {
    60
}

thread_local! {
    // An instance has one thread, and is bound to one configuration.
    static CACHE: RefCell<Cache> = RefCell::default();
}

fn reads(config: &Config) -> Vec<String> {
    vec![config.key.clone()]
}

/// Adds the columns. What the service does not know is null, and so is everything of a row whose key is null.
///
/// A row is in error if its key could not be asked for, or if the answer does not fit. It may be tried again if the service was out of
/// reach, slow, or answered that it cannot answer now.
///
/// # Errors
/// If the column of keys has another type.
#[streamhost::map(reads = reads, asks = ["http"])]
pub fn enrich(
    batch: &RecordBatch,
    config: &Config,
    cx: &Context,
    errors: &mut RowErrors,
) -> Result<RecordBatch> {
    let keys = keys::of(batch.column(0).as_ref(), &config.key)?;
    let known = known(config, &keys, cx.now);
    let schema = &config.columns.0;
    let rows: Vec<Value> = keys
        .iter()
        .enumerate()
        .map(|(row, key)| {
            let answer = key.as_ref().and_then(|key| known.get(key)).cloned().unwrap_or(Ok(Value::Null));
            let fits = answer.and_then(|answer| column::fits(&answer, schema).map(|()| answer));
            errors.value(row, fits).unwrap_or_default()
        })
        .collect();
    let columns = schema.fields().iter().map(|field| column::build(field, &rows));
    let options = RecordBatchOptions::new().with_row_count(Some(keys.len()));
    Ok(RecordBatch::try_new_with_options(schema.clone(), columns.collect::<Result<_>>()?, &options)?)
}

/// What is known of each key: from before, or from the service now.
fn known(config: &Config, keys: &[Option<String>], now: i64) -> HashMap<String, Result<Value>> {
    CACHE.with_borrow_mut(|cache| {
        let mut known = HashMap::new();
        let mut unknown = Vec::new();
        for key in keys::distinct(keys) {
            match cache.get(key, now) {
                Some(answer) => drop(known.insert(key.to_owned(), Ok(answer))),
                None => unknown.push(key.to_owned()),
            }
        }
        let until = now.saturating_add(i64::from(config.cache_seconds) * 1_000_000);
        for (key, answer) in Service::of(config).look_up(unknown) {
            if let Ok(answer) = &answer {
                cache.put(&key, answer, until, config.cache_keys);
            }
            known.insert(key, answer);
        }
        known
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::rc::Rc;
    use streamhost::http::{Request, Response};
    use streamhost::serde_json;
    use streamhost::testing;

    const BY_GET: &str =
        r#"{"url": "http://scores:80/v1/{key}?x", "key": "user", "columns": "score DOUBLE, tier STRING"}"#;

    /// Answers by `answer`, and notes what was asked.
    fn serve(answer: impl Fn(&Request) -> Result<Response> + 'static) -> Rc<RefCell<Vec<String>>> {
        let asked = Rc::new(RefCell::new(Vec::new()));
        let noted = asked.clone();
        testing::serve(move |request| {
            let body = String::from_utf8_lossy(request.body.as_deref().unwrap_or_default()).into_owned();
            noted
                .borrow_mut()
                .push(format!("{} {} {body}", request.method, request.url).trim_end().to_owned());
            answer(request)
        });
        asked
    }

    #[test]
    fn the_cases_pass() {
        testing::cases::<enrich>(env!("CARGO_MANIFEST_DIR"));
    }

    #[test]
    fn each_key_is_asked_for_once_and_stands_in_the_url_as_it_may() -> Result<()> {
        let asked = serve(|request| {
            let known = !request.url.contains("nobody");
            Ok(if known {
                Response::new(200, r#"{"score": 1.5, "more": 1}"#)
            } else {
                Response::new(404, "")
            })
        });
        let answer = testing::bind::<enrich>(BY_GET, "user STRING")?.run(
            r#"
            {"user": "a/b"}
            {"user": "nobody"}
            {"user": null}
            {"user": "a/b"}
            "#,
        )?;
        answer.expect(
            r#"
            {"user": "a/b", "score": 1.5}
            {"user": "nobody"}
            {"user": null}
            {"user": "a/b", "score": 1.5}
            "#,
        );
        assert_eq!(*asked.borrow(), ["GET http://scores:80/v1/a%2Fb?x", "GET http://scores:80/v1/nobody?x"]);
        Ok(())
    }

    #[test]
    fn many_keys_are_asked_for_at_once() -> Result<()> {
        let asked = serve(|request| {
            let body: Value = serde_json::from_slice(request.body.as_deref().unwrap_or_default())?;
            let keys = body["keys"].as_array().cloned().unwrap_or_default();
            let known = keys.iter().filter(|key| *key != "2").map(|key| {
                let score = key.as_str().and_then(|key| key.parse::<f64>().ok()).unwrap_or_default();
                (key.as_str().unwrap_or_default().to_owned(), serde_json::json!({"score": score}))
            });
            Ok(Response::new(200, serde_json::to_vec(&known.collect::<serde_json::Map<_, _>>())?))
        });
        let config = r#"{"url": "http://scores:80/v1", "key": "id", "columns": "score DOUBLE", "keys-per-request": 2}"#;
        let bound = testing::bind::<enrich>(config, "id INT")?;
        let answer = bound.run("{\"id\": 1}\n{\"id\": 2}\n{\"id\": 3}\n")?;
        answer.expect("{\"id\": 1, \"score\": 1.0}\n{\"id\": 2}\n{\"id\": 3, \"score\": 3.0}\n");
        let [first, second] = &asked.borrow()[..] else { panic!("{asked:?}") };
        assert_eq!(first, r#"POST http://scores:80/v1 {"keys":["1","2"]}"#);
        assert_eq!(second, r#"POST http://scores:80/v1 {"keys":["3"]}"#);
        Ok(())
    }

    #[test]
    fn an_answer_is_remembered_for_its_time_and_an_error_is_not() -> Result<()> {
        let asked = serve(|request| {
            let good = request.url.contains("good");
            Ok(if good { Response::new(200, r#"{"score": 1}"#) } else { Response::new(503, "") })
        });
        let mut bound = testing::bind::<enrich>(BY_GET, "user STRING")?;
        let rows = "{\"user\": \"good\"}\n{\"user\": \"bad\"}\n";
        for (seconds, requests) in [(0, 2), (59, 3), (60, 5)] {
            bound.context.now = seconds * 1_000_000;
            let answer = bound.run(rows)?;
            assert_eq!(answer.errors, ["row 1 (retry): GET http://scores:80/v1/bad: answered 503"]);
            assert_eq!(asked.borrow().len(), requests, "at {seconds} s");
        }
        Ok(())
    }

    #[test]
    fn an_answer_that_does_not_fit_is_an_error_of_its_rows() -> Result<()> {
        serve(|request| {
            Ok(Response::new(200, if request.url.contains("text") { r#"{"score": "high"}"# } else { "[1]" }))
        });
        let bound = testing::bind::<enrich>(BY_GET, "user STRING")?;
        let answer = bound.run("{\"user\": \"text\"}\n{\"user\": \"list\"}\n")?;
        assert_eq!(
            answer.errors,
            ["row 0: score: expected DOUBLE, found \"high\"", "row 1: expected a JSON object, found [1]"]
        );
        Ok(())
    }
}
