//! The stdout connector.
