//! Sends the requests that its rows name, one a row, and adds what came of them as a column of text.

use std::collections::BTreeMap;
use std::sync::Arc;
use streamhost::arrow::array::StringArray;
use streamhost::http::{self, Request, Response};
use streamhost::prelude::*;

/// What is sent.
#[streamhost::config]
pub struct Config {
    /// The method of each request.
    #[serde(default = "get")]
    method: String,
    /// The headers of each request.
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// The body of each request.
    body: Option<String>,
    /// Requests that are under way at once.
    #[serde(default = "one")]
    at_once: usize,
    /// Whether to send a request where a redirect points to.
    #[serde(default)]
    follow: bool,
    /// Whether a request that fails is an error of its row.
    #[serde(default)]
    strict: bool,
    /// Sent in every call, be there rows or not.
    always: Option<String>,
}

fn get() -> String {
    "GET".into()
}

fn one() -> usize {
    1
}

impl Config {
    fn request(&self, url: &str) -> Request {
        let request =
            Request { body: self.body.clone().map(String::into_bytes), ..Request::new(&self.method, url) };
        self.headers.iter().fold(request, |request, (name, value)| request.header(name, value))
    }

    fn followed(&self, response: Response) -> Result<Response> {
        match response.header("location") {
            Some(place) if self.follow => self.request(place).send(),
            _ => Ok(response),
        }
    }
}

/// `200 the body`, or why there is none.
///
/// # Errors
/// If there is no `url` of type STRING, or if what is always sent fails.
#[streamhost::map(reads = ["url"], asks = ["http"])]
pub fn ask(batch: &RecordBatch, config: &Config, errors: &mut RowErrors) -> Result<RecordBatch> {
    if let Some(url) = &config.always {
        http::get(url)?;
    }
    let urls = batch.column(0).as_string_opt::<i32>().ok_or_else(|| Error::invalid("`url` is no STRING"))?;
    let requests = urls.iter().map(|url| config.request(url.unwrap_or_default()));
    let answers = http::send_all(requests, config.at_once).into_iter().enumerate().map(|(row, answer)| {
        let answer = answer.and_then(|response| config.followed(response));
        let answer = if config.strict { answer.and_then(Response::ok) } else { answer };
        match answer {
            Err(error) if config.strict => {
                errors.add(row, error);
                None
            }
            Err(error) => Some(error.to_string()),
            Ok(answer) => Some(format!("{} {}", answer.status, String::from_utf8_lossy(&answer.body))),
        }
    });
    let answers: StringArray = answers.collect();
    Ok(RecordBatch::try_from_iter_with_nullable([("answer", Arc::new(answers) as ArrayRef, true)])?)
}
