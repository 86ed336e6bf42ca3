//! Writes json.
