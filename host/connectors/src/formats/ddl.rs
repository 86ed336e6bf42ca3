//! Spark's schema language.
