//! What talks to brokers.

mod avro;
mod client;
mod cluster;
mod columns;
mod decode;
mod encode;
mod offsets;
mod part;
mod planning;
mod protobuf;
mod reader;
mod registry;
pub(super) mod sink;
pub(super) mod source;
mod topics;
