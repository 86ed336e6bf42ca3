//! Topics of a real broker, as a source and as a sink.

mod examples;
mod feed;
mod pipelines;
mod registry;
mod sink;
mod source;
mod trouble;
