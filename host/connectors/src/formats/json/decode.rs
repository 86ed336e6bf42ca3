//! Reads json.
