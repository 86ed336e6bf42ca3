//! In place of a host, where unit tests run: whatever the test answers.

use std::cell::RefCell;

use super::{Request, Response};
use crate::{Error, Result};

type Server = Box<dyn Fn(&Request) -> Result<Response>>;

thread_local! {
    // A test has a thread of its own.
    static SERVER: RefCell<Option<Server>> = const { RefCell::new(None) };
}

/// Answers the requests of this thread from now on.
pub(crate) fn serve(server: impl Fn(&Request) -> Result<Response> + 'static) {
    SERVER.set(Some(Box::new(server)));
}

/// A response that is there already.
pub(super) struct Pending(Response);

pub(super) fn start(request: &Request) -> Result<Pending> {
    SERVER.with_borrow(|server| match server {
        Some(server) => server(request).map(Pending),
        None => {
            Err(Error::permanent("there is no HTTP in a native test; answer by streamhost::testing::serve"))
        }
    })
}

impl Pending {
    #[allow(clippy::unnecessary_wraps, reason = "where there is a host, it can fail")]
    pub(super) fn finish(self) -> Result<Response> {
        Ok(self.0)
    }
}
