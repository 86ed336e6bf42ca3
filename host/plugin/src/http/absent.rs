//! In place of requests, in a build that has none. A component that imports them does not load.

use super::HttpGrant;
use crate::{guest::Guest, limits::Limits};
use engine::Clock;
use std::sync::Arc;
use wasmtime::component::Linker;

/// Sends nothing.
pub(crate) struct Client;

/// What a guest has of requests: nothing.
pub(crate) struct Outgoing;

impl Client {
    pub(crate) fn new(_: &HttpGrant, _: &Arc<dyn Clock>) -> Self {
        Client
    }

    pub(crate) fn none() -> Self {
        Client
    }

    pub(crate) fn outgoing(&self, _: &Limits) -> Outgoing {
        Outgoing
    }
}

impl Outgoing {
    pub(crate) fn arm(&mut self) {}

    pub(crate) fn open(&mut self) {}

    pub(crate) fn close(&mut self) {}
}

#[allow(clippy::unnecessary_wraps, reason = "where there are requests, adding them can fail")]
pub(crate) fn add(_: &mut Linker<Guest>) -> wasmtime::Result<()> {
    Ok(())
}
