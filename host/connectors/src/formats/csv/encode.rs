//! Writes csv.
