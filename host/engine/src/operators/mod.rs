//! What a query's steps are made of, beside plugins.

pub(crate) mod aggregate;
pub(crate) mod chain;
mod rows;
mod watermark;

pub use self::watermark::WatermarkStep;
