//! The console connector.
