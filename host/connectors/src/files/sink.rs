//! Files as a sink.
