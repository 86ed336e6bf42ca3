//! What the service is asked, and what it answers.

use std::time::Duration;

use streamhost::http::{self, Request, Response};
use streamhost::serde_json::{Map, Value, json};
use streamhost::{Error, Result};

use crate::Config;

/// Stands for a key in a URL.
const KEY: &str = "{key}";

/// The service of a configuration.
pub(crate) struct Service<'a> {
    config: &'a Config,
}

/// A key, and what there is to know of it: null if it is unknown to the service.
pub(crate) type Answer = (String, Result<Value>);

impl<'a> Service<'a> {
    pub(crate) fn of(config: &'a Config) -> Self {
        Self { config }
    }

    /// Asks for keys, each of which comes once.
    pub(crate) fn look_up(&self, keys: Vec<String>) -> Vec<Answer> {
        if self.config.url.contains(KEY) { self.one_by_one(keys) } else { self.together(&keys) }
    }

    fn one_by_one(&self, keys: Vec<String>) -> Vec<Answer> {
        let requests =
            keys.iter().map(|key| self.timed(Request::get(self.config.url.replace(KEY, &encoded(key)))));
        let responses = http::send_all(requests, self.config.at_once);
        let answer = |response: Result<Response>| match response?.ok_or_unknown()? {
            Some(response) => response.json(),
            None => Ok(Value::Null),
        };
        keys.into_iter().zip(responses.into_iter().map(answer)).collect()
    }

    fn together(&self, keys: &[String]) -> Vec<Answer> {
        let pieces: Vec<&[String]> = keys.chunks(self.config.keys_per_request.max(1)).collect();
        let requests = pieces.iter().map(|keys| {
            let body = json!({ "keys": keys }).to_string();
            self.timed(Request::post(&self.config.url, body).header("content-type", "application/json"))
        });
        let responses = http::send_all(requests, self.config.at_once);
        pieces.iter().zip(responses).flat_map(|(keys, response)| by_key(keys, response)).collect()
    }

    fn timed(&self, request: Request) -> Request {
        request.timeout(Duration::from_millis(self.config.timeout_ms))
    }
}

/// What one response says of its keys; its error is that of each.
fn by_key(keys: &[String], response: Result<Response>) -> Vec<Answer> {
    let known: Result<Map<String, Value>> =
        response.and_then(Response::ok).and_then(|response| response.json());
    let of = |key: &String| match &known {
        Ok(known) => Ok(known.get(key).cloned().unwrap_or_default()),
        Err(error) => Err(error.clone()),
    };
    keys.iter().map(|key| (key.clone(), of(key))).collect()
}

/// A response, or the news that the service knows nothing.
trait OrUnknown {
    fn ok_or_unknown(self) -> Result<Option<Response>, Error>;
}

impl OrUnknown for Response {
    fn ok_or_unknown(self) -> Result<Option<Response>, Error> {
        if self.status == 404 { Ok(None) } else { self.ok().map(Some) }
    }
}

/// The key as a part of a URL's path or query.
fn encoded(key: &str) -> String {
    let mut text = String::with_capacity(key.len());
    for byte in key.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                text.push(char::from(byte))
            }
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
    // A path with these goes elsewhere.
    if text == "." || text == ".." { text.replace('.', "%2E") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_stays_within_its_place_in_the_url() {
        for (key, text) in
            [("a b", "a%20b"), ("a/../b?c#d", "a%2F..%2Fb%3Fc%23d"), ("ä", "%C3%A4"), ("..", "%2E%2E")]
        {
            assert_eq!(encoded(key), text);
        }
    }
}
