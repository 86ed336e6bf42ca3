//! Requests over HTTP, to the places that the pipeline allows: `allow = { http = ["scores.internal:443"] }`.
//!
//! With the feature `http`. A plugin says that it wants this by `asks = ["http"]`:
//!
//! ```
//! use streamhost::prelude::*;
//! use streamhost::http;
//!
//! #[derive(Row)]
//! struct Event<'a> {
//!     user: &'a str,
//! }
//!
//! #[derive(Row)]
//! struct Scored {
//!     score: f64,
//! }
//!
//! #[streamhost::map(asks = ["http"])]
//! fn score(event: Event) -> Result<Scored> {
//!     let response = http::get(format!("http://127.0.0.1:8080/scores/{}", event.user))?.ok()?;
//!     Ok(Scored { score: response.json()? })
//! }
//! ```
//!
//! Requests can be sent while rows are processed, and not in `bind`. Secrets are not a plugin's business: the pipeline names the
//! headers, and the host puts them in. What may pass later is a transient error, and tried again as the step's `retry` says.

#[cfg(target_family = "wasm")]
#[path = "wasi.rs"]
mod wire;
#[cfg(not(target_family = "wasm"))]
#[path = "native.rs"]
mod wire;

#[cfg(not(target_family = "wasm"))]
pub(crate) use wire::serve;

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use serde::{Serialize, de::DeserializeOwned};

use crate::{Error, Result};

/// A request. It is sent by [`send`](Request::send), or many at once by [`send_all`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// `GET`, `POST` and so on.
    pub method: String,
    /// `https://host:port/path?query`.
    pub url: String,
    /// In the order in which they were given. How the request is carried, and to which host, is said by the host.
    pub headers: Vec<(String, String)>,
    /// None for a request without.
    pub body: Option<Vec<u8>>,
    /// How long to wait for the beginning of the response. The step's `limits.http-time` holds for all of it.
    pub timeout: Option<Duration>,
}

/// What a server answers. A redirect is an answer too, which is not followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The status, 200 for one.
    pub status: u16,
    /// Names in lower case. A value that is no text has its other bytes replaced.
    pub headers: Vec<(String, String)>,
    /// All of it; the step's `limits.http-response` says how much that may be.
    pub body: Vec<u8>,
    /// What was sent, for messages.
    request: String,
}

/// Sends a GET request and waits for the response.
///
/// # Errors
/// As [`Request::send`] does.
pub fn get(url: impl Into<String>) -> Result<Response> {
    Request::get(url).send()
}

/// Sends a POST request and waits for the response.
///
/// # Errors
/// As [`Request::send`] does.
pub fn post(url: impl Into<String>, body: impl Into<Vec<u8>>) -> Result<Response> {
    Request::post(url, body).send()
}

/// Sends requests, of which at most so many are under way at once; the step's `limits.http-concurrent` bounds that too, 8 if it does not
/// say. The answers are in the order of the requests.
pub fn send_all(requests: impl IntoIterator<Item = Request>, at_once: usize) -> Vec<Result<Response>> {
    let mut under_way: VecDeque<(String, Result<wire::Pending>)> = VecDeque::new();
    let mut answers = Vec::new();
    for request in requests {
        if under_way.len() >= at_once.max(1) {
            answers.extend(under_way.pop_front().map(arrived));
        }
        let shown = request.to_string();
        under_way.push_back((shown, wire::start(&request)));
    }
    answers.extend(under_way.into_iter().map(arrived));
    answers
}

fn arrived((request, pending): (String, Result<wire::Pending>)) -> Result<Response> {
    let answer = pending.and_then(wire::Pending::finish);
    let answer = answer.map(|response| Response { request: request.clone(), ..response });
    answer.map_err(|error| error.context(request))
}

impl Request {
    /// With this method, to this URL.
    pub fn new(method: impl Into<String>, url: impl Into<String>) -> Self {
        let (method, url) = (method.into(), url.into());
        Self { method, url, headers: Vec::new(), body: None, timeout: None }
    }

    /// A GET request.
    pub fn get(url: impl Into<String>) -> Self {
        Self::new("GET", url)
    }

    /// A POST request with a body.
    pub fn post(url: impl Into<String>, body: impl Into<Vec<u8>>) -> Self {
        Self { body: Some(body.into()), ..Self::new("POST", url) }
    }

    /// A POST request with JSON.
    ///
    /// # Errors
    /// If it is nothing that JSON can say.
    pub fn post_json(url: impl Into<String>, body: &impl Serialize) -> Result<Self> {
        Ok(Self::post(url, serde_json::to_vec(body)?).header("content-type", "application/json"))
    }

    /// With a header more.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Waits no longer than this for the beginning of the response.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout: Some(timeout), ..self }
    }

    /// Sends it and waits for the whole response.
    ///
    /// # Errors
    /// Transient if the server could not be reached or took too long; permanent if the request was denied, or the response too large.
    pub fn send(self) -> Result<Response> {
        arrived((self.to_string(), wire::start(&self)))
    }
}

/// What and where, without the query: that may be nobody's business.
impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = self.url.split(['?', '#']).next().unwrap_or_default();
        write!(f, "{} {url}", self.method)
    }
}

impl Response {
    /// An answer, for a test.
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: Vec::new(), body: body.into(), request: String::new() }
    }

    /// The response, if its status is one of success.
    ///
    /// # Errors
    /// Transient if the status says that it may pass later: 408, 425, 429, or 500 and above. Permanent for all others.
    pub fn ok(self) -> Result<Self> {
        let Self { status, request, .. } = &self;
        match status {
            200..300 => Ok(self),
            408 | 425 | 429 | 500.. => Err(Error::transient(format_args!("{request}: answered {status}"))),
            _ => Err(Error::permanent(format_args!("{request}: answered {status}"))),
        }
    }

    /// The first header of this name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut named = self.headers.iter().filter(|(given, _)| given.eq_ignore_ascii_case(name));
        named.next().map(|(_, value)| value.as_str())
    }

    /// The body as text.
    ///
    /// # Errors
    /// If it is not UTF-8.
    pub fn text(&self) -> Result<&str> {
        str::from_utf8(&self.body).map_err(|error| Error::from(error).context(&self.request))
    }

    /// What the body says in JSON.
    ///
    /// # Errors
    /// If it is no JSON, or not of that type.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&self.body).map_err(|error| Error::from(error).context(&self.request))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn answers_come_in_the_order_of_the_requests() {
        testing::serve(|request| Ok(Response::new(200, request.url.clone())));
        let requests = (0..5).map(|n| Request::get(format!("http://a/{n}")));
        let answers =
            send_all(requests, 2).into_iter().map(|answer| answer.and_then(|a| Ok(a.text()?.to_owned())));
        let answers: Result<Vec<_>> = answers.collect();
        assert_eq!(answers, Ok((0..5).map(|n| format!("http://a/{n}")).collect()));
    }

    #[test]
    fn a_status_that_may_pass_later_is_transient_and_no_query_is_shown() {
        testing::serve(|request| {
            let status = request.url.rsplit('=').next().and_then(|status| status.parse().ok());
            Ok(Response::new(status.unwrap_or(200), "7"))
        });
        let ask = |status: &str| get(format!("http://a/b?status={status}")).and_then(Response::ok);
        assert_eq!(ask("200").and_then(|answer| answer.json::<u8>()), Ok(7));
        for (status, error) in [
            ("503", Error::transient("GET http://a/b: answered 503")),
            ("429", Error::transient("GET http://a/b: answered 429")),
            ("404", Error::permanent("GET http://a/b: answered 404")),
            ("302", Error::permanent("GET http://a/b: answered 302")),
        ] {
            assert_eq!(ask(status).err(), Some(error));
        }
    }

    #[test]
    fn a_test_that_serves_nothing_is_told_how() {
        let error = get("http://a/b").err().map(|error| error.to_string()).unwrap_or_default();
        assert_eq!(
            error,
            "GET http://a/b: there is no HTTP in a native test; answer by streamhost::testing::serve"
        );
    }
}
