//! Answers to the requests that a plugin sends in a native test.

use crate::Result;
use crate::http::{self, Request, Response};

/// Answers all requests that this test's thread sends from now on. No socket is opened.
///
/// ```
/// use streamhost::{http::{self, Response}, testing};
///
/// testing::serve(|request| Ok(Response::new(200, format!("you asked for {}", request.url))));
/// assert_eq!(http::get("http://scores.internal:8080/7")?.text()?, "you asked for http://scores.internal:8080/7");
/// # Ok::<(), streamhost::Error>(())
/// ```
pub fn serve(server: impl Fn(&Request) -> Result<Response> + 'static) {
    http::serve(server);
}
