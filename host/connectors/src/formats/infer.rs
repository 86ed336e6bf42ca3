//! Schemas inferred from data.
