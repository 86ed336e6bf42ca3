//! Compression of files.
