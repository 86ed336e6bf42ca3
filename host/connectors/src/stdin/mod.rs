//! The stdin connector.
