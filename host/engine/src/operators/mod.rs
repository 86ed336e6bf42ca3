//! What a query's steps are made of, beside plugins.

pub(crate) mod aggregate;
pub(crate) mod chain;
mod rows;
pub(crate) mod stream_join;
pub(crate) mod table_join;
mod watermark;

pub use self::watermark::WatermarkStep;
