//! What a plugin answered, as a number: whether it keeps the promise to be deterministic.

use crate::{abi, wasi::mixed};

/// Of everything that an answer says, to the call that is known by `of`. Numbers of several answers are added, so that the order in
/// which lanes finish does not count.
pub(crate) fn of(said: &abi::Outcome, of: u64) -> u64 {
    let main = match &said.main {
        abi::Rows::Replace(rows) => bytes(1, rows),
        abi::Rows::Keep(bits) => bytes(2, bits),
        abi::Rows::Extend(rows) => bytes(3, rows),
        abi::Rows::KeepExtend((bits, rows)) => bytes(bytes(4, bits), rows),
    };
    whole(main, &said.side, &said.errors, of)
}

/// The same of a plugin with state. What it has put into that shows in later answers.
pub(crate) fn of_keyed(said: &abi::KeyedOutcome, of: u64) -> u64 {
    whole(bytes(1, &said.main), &said.side, &said.errors, of)
}

fn whole(main: u64, side: &[(String, Vec<u8>)], errors: &[abi::RowError], of: u64) -> u64 {
    let sides = side.iter().fold(main, |hash, (name, rows)| bytes(bytes(hash, name.as_bytes()), rows));
    let errors = errors
        .iter()
        .fold(sides, |hash, error| bytes(mixed(hash ^ u64::from(error.row)), error.message.as_bytes()));
    mixed(errors ^ of)
}

/// By the engine's hash, which takes many bytes at once: an answer may be as large as its batch. Each text has a hash of its own, so that
/// nothing can move from one to the next unseen.
fn bytes(start: u64, bytes: &[u8]) -> u64 {
    mixed(start ^ engine::hash(bytes))
}
