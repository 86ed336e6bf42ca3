//! The languages that plugins are written in: each builds, does what Rust does, and fails as it should.

mod compat;
mod corpus;
mod echo;
mod faults;
mod fixtures;
mod garbage;
mod host;
mod memory;
mod new;
mod toolchain;

use crate::binary::root;
use std::path::PathBuf;

/// A language, and what the tests know of it.
struct Language {
    /// Its SDK's folder, and what `--lang` calls it.
    name: &'static str,
    /// The most bytes that a component of it may have.
    most_bytes: u64,
}

const RUST: Language = Language { name: "rust", most_bytes: 3_000_000 };
const GO: Language = Language { name: "go", most_bytes: 14_000_000 };
const JS: Language = Language { name: "js", most_bytes: 5_000_000 };
const PYTHON: Language = Language { name: "python", most_bytes: 20_000_000 };
const C: Language = Language { name: "c", most_bytes: 300_000 };

impl Language {
    /// The folder of a plugin of the language that is there for these tests.
    fn plugin(&self, name: &str) -> PathBuf {
        root().join("plugins/sdk").join(self.name).join("conformance").join(name)
    }
}
