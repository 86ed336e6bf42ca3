//! Reads parquet.
