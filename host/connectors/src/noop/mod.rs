//! The noop connector.
