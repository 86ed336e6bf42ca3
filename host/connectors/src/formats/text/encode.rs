//! Writes text.
