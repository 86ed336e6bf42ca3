//! Writes parquet.
