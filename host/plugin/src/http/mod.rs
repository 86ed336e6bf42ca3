//! Requests over HTTP that plugins send: outgoing `wasi:http`, to the places that a step allows and nowhere else.
//!
//! ```text
//! guest ──handle──► Outgoing ─is it granted, within limits?─► Wire ─resolve, check, connect─► server
//! guest ◄─future, body── Answer, bounded in bytes and time ◄──────────────────────────────────┘
//! ```
//!
//! # Invariants
//!
//! - What is checked is what is sent: scheme, host and port are taken from the URL that the client is given.
//! - A name is resolved by the host, for each connection once. All its addresses are checked, and the connection goes to one of
//!   these: nothing resolves it again.
//! - The host follows no redirect and knows no proxy. The guest's next request is checked like its first.
//! - Headers that the pipeline adds are put in behind the guest's back, and are in no text that is logged or answered.
//! - A request has a deadline from its start to the last byte of its answer, whoever reads that, and whether anybody does.
//!
//! A component that imports `wasi:http` always loads; without a grant each of its requests is denied.

#[cfg(not(feature = "http"))]
mod absent;
mod address;
#[cfg(feature = "http")]
mod answer;
mod grant;
mod header;
#[cfg(feature = "http")]
mod outgoing;
mod place;
#[cfg(feature = "http")]
mod wire;

#[cfg(not(feature = "http"))]
pub(crate) use self::absent::{Client, Outgoing, add};
pub use self::{
    grant::HttpGrant,
    place::{Names, SystemNames},
};
#[cfg(feature = "http")]
pub(crate) use self::{
    outgoing::{Outgoing, add},
    wire::Client,
};

/// What a plugin asks for that wants to send requests.
pub(crate) const ASK: &str = "http";

/// Whether this build can send requests.
pub(crate) const BUILT_IN: bool = cfg!(feature = "http");

/// Why nothing can be allowed.
pub(crate) const ABSENT: &str = "this streamhost was built without `http`; build it with `--features http`";
