//! The parts of Arrow that plugins use, under the names of the `arrow` crate.

pub use arrow_array as array;
pub use arrow_buffer as buffer;
pub use arrow_schema as datatypes;
pub use arrow_schema::ArrowError;

/// Functions over whole columns.
pub mod compute {
    pub use arrow_arith::{aggregate, arity, boolean, numeric};
    pub use arrow_ord::cmp;
    pub use arrow_select::concat::{concat, concat_batches};
    pub use arrow_select::filter::{filter, filter_record_batch};
    pub use arrow_select::take::{take, take_record_batch};
}
