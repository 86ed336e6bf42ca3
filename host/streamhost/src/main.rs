//! The streamhost binary.
fn main() {}
