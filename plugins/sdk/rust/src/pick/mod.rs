//! Rows picked from columns. Arrow's own kernels are compiled for every type of column, which is as much code as all else in a small
//! plugin; and they copy run by run, which in Wasm is mostly calls that copy a few bytes. Here values are picked by their width.

mod filter;
mod take;

pub use filter::{filter, filter_record_batch, select};
pub use take::take_rows;
