//! Arrow over the boundary with a guest: record batches as Arrow IPC messages, in both directions.
//!
//! A schema crosses once, when a guest is bound; from then on only record-batch messages do. A schema message
//! followed by any record-batch messages of it is a valid IPC stream, so a guest may use any Arrow library.
//! Both directions are uncompressed and know no dictionaries, views, run ends or unions.
//!
//! # Invariants
//!
//! - What a guest sent is walked by [`frame`], [`schema`] and [`columns`], which never panic, reserve nothing that the
//!   bytes do not back, and say which message and column they refuse. arrow-rs's own IPC reader is not used for it: it
//!   asserts or reserves on some malformed messages.
//! - Values are looked at by arrow-rs's checked constructors: nothing here skips validation, and nothing is `unsafe`.
//! - Values are borrowed from the bytes that the guest returned; they are not copied.

mod body;
mod columns;
mod decode;
mod encode;
mod frame;
mod plan;
mod refusal;
mod schema;
mod template;

pub use decode::{Caps, Decoder};
pub use encode::{Encoder, encode_schema};
pub use refusal::{Reason, Refusal};
pub use schema::decode_schema;

/// The first bytes of every encapsulated message.
const CONTINUATION: [u8; 4] = [0xff; 4];
/// The continuation mark and the length of the metadata that follows it.
const PREFIX: usize = 8;
/// What metadata, bodies and buffers are padded to.
const ALIGNMENT: usize = 8;
/// Columns of a schema, nested ones included.
const MAX_COLUMNS: usize = 1_024;
/// Levels of nesting: a plain column has one, a list of them two.
const MAX_DEPTH: usize = 8;
