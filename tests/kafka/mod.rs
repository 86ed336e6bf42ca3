//! Topics of a real broker, as a source and as a sink.

mod examples;
mod feed;
mod foreach_batch;
mod hung;
mod mocked;
mod pipelines;
mod registry;
mod sink;
mod source;
mod trouble;
