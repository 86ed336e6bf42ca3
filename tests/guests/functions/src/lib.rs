//! Functions for SQL that do what functions should not, and one to measure.

/// The functions.
#[streamhost::functions]
pub mod functions {
    use streamhost::prelude::*;

    /// The same number; it panics on 13.
    pub fn unlucky(x: i32) -> i32 {
        assert_ne!(x, 13, "13 is no number");
        x
    }

    /// The same number; of 13 it has no end.
    #[allow(clippy::empty_loop, reason = "that is the point")]
    pub fn endless(x: i32) -> i32 {
        while std::hint::black_box(x) == 13 {}
        x
    }

    /// The same number; it fails on 13, and on 14 for now.
    ///
    /// # Errors
    /// On 13 and 14.
    pub fn failing(x: i32) -> Result<i32> {
        match x {
            13 => Err(Error::permanent("13 is refused")),
            14 => Err(Error::transient("14 is not there yet")),
            x => Ok(x),
        }
    }

    /// The tax on a price: a rule as businesses have them.
    pub fn vat(price: f64, country: &str) -> f64 {
        let rate = match country {
            "DE" => 0.19,
            "FR" => 0.2,
            "LU" => 0.17,
            _ => 0.21,
        };
        price * rate
    }

    /// Some number for each row.
    #[function(deterministic = false)]
    pub fn dice(sides: i32) -> i32 {
        use std::hash::{BuildHasher, RandomState};
        (RandomState::new().hash_one(0) % u64::from(sides.unsigned_abs())) as i32
    }

    /// The same list.
    ///
    /// # Errors
    /// None.
    #[function(
        arguments = "list ARRAY<STRUCT<a: INT, b: STRING>>",
        returns = "ARRAY<STRUCT<a: INT, b: STRING>>"
    )]
    pub fn listed(batch: &RecordBatch) -> Result<ArrayRef> {
        Ok(batch.column(0).clone())
    }
}
