//! The rate connector.
