//! What a query's steps are made of, beside plugins.

pub(crate) mod aggregate;
pub(crate) mod chain;
#[cfg(test)]
pub(crate) mod driver;
mod drop_duplicates;
mod keys;
pub(crate) mod late;
mod layout;
pub(crate) mod limit;
mod one_shard;
mod rows;
pub(crate) mod session;
pub(crate) mod sort;
pub(crate) mod stream_join;
pub(crate) mod table_join;
mod watermark;

pub use self::{
    drop_duplicates::DropDuplicates,
    late::LATE,
    layout::{Entries, Layout, TableLayout},
    rows::Codec,
    watermark::{Beyond, Future, WatermarkStep},
};

pub(crate) use self::{
    keys::{encode as encode_keys, final_at, hashed},
    rows::{as_key, column},
};
