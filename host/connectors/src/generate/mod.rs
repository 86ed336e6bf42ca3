//! The generate connector.
