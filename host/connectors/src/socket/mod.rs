//! The socket connector.
