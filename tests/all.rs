//! One test binary.

mod hostile;
