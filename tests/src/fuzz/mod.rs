//! Fuzzing of what the host decodes from a guest, with nothing but the stable toolchain.
//!
//! A **target** is a function over bytes that must neither panic nor accept what it cannot use. A small seeded
//! mutator makes the bytes out of a **corpus**: files that replay in the tests on every run, the inputs that once
//! failed among them, and one input for each reason to refuse one. The same seed gives the same inputs, so a failure is reported as a seed, and its bytes go
//! into the corpus.
//!
//! All inputs have one form: an IPC schema message, then record-batch messages. What the targets differ in is how
//! far the mutator goes, and what is done with batches that the host accepts.

mod batches;
mod mutate;
mod random;
mod touch;

pub use batches::{batch, encoded, schema};
pub use random::Random;

use arrow::{array::RecordBatch, datatypes::SchemaRef};
use plugin::ipc::{Caps, Decoder, Reason, Refusal, decode_schema};
use std::{
    fmt, fs, io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

/// What an input may hold: small, so that an input which gets around a cap is noticed by its size.
pub const CAPS: Caps = Caps { bytes: 1 << 20, rows: 10_000, batches: 16 };

/// What is fuzzed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Bytes of any kind are decoded.
    Raw,
    /// A valid stream in which one integer was changed is decoded.
    Changed,
    /// As [`Target::Changed`]; then every value is formatted, sliced, filtered, concatenated, and written.
    Touched,
}

impl Target {
    /// All of them.
    pub const ALL: [Target; 3] = [Target::Raw, Target::Changed, Target::Touched];

    /// The name of its folder in the corpus.
    pub fn name(self) -> &'static str {
        match self {
            Target::Raw => "raw",
            Target::Changed => "changed",
            Target::Touched => "touched",
        }
    }

    /// Runs the target over one input: whether the host accepted it, or why the target failed.
    pub fn check(self, input: &[u8]) -> Result<bool, String> {
        catch_unwind(AssertUnwindSafe(|| self.unguarded(input))).unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            Err(format!("panicked: {}", text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("?")))
        })
    }

    fn unguarded(self, input: &[u8]) -> Result<bool, String> {
        let (schema, batches) = match decode(input) {
            Ok(decoded) => decoded,
            // A refusal is fine, unless it only hides a panic.
            Err(e) if refused(&e).is_some_and(|r| r.reason != Reason::Panicked) => return Ok(false),
            Err(e) => return Err(e.report()),
        };
        for batch in &batches {
            validate(batch)?;
        }
        if self == Target::Touched {
            touch::all(&schema, &batches)?;
        }
        Ok(true)
    }

    /// Makes another input of one.
    pub fn mutate(self, random: &mut Random, input: &mut Vec<u8>) {
        match self {
            Target::Raw => mutate::anything(random, input),
            Target::Changed | Target::Touched => mutate::one_integer(random, input),
        }
    }
}

/// What the host makes of an input.
fn decode(input: &[u8]) -> engine::Result<(SchemaRef, Vec<RecordBatch>)> {
    let (message, messages) = input.split_at(end_of_schema(input));
    let schema = decode_schema(message)?;
    let batches = Decoder::new(schema.clone())?.decode(messages.to_vec(), CAPS)?;
    Ok((schema, batches))
}

/// Why the host refuses an input; none if it does not, or fails on it.
pub fn refusal(input: &[u8]) -> Option<Refusal> {
    decode(input).err().as_ref().and_then(refused).cloned()
}

/// The refusal that an error is about.
fn refused(error: &engine::Error) -> Option<&Refusal> {
    std::error::Error::source(error)?.downcast_ref::<Refusal>()
}

/// The end of the first message by its own account, which a mutation may have changed.
fn end_of_schema(input: &[u8]) -> usize {
    let length = input.get(4..8).and_then(|b| b.first_chunk()).map_or(0, |b| i32::from_le_bytes(*b));
    usize::try_from(length).unwrap_or(0).saturating_add(8).min(input.len())
}

/// What the host accepted must satisfy arrow-rs's complete validation.
fn validate(batch: &RecordBatch) -> Result<(), String> {
    let data = batch.columns().iter().map(|column| column.to_data());
    data.into_iter()
        .try_for_each(|data| data.validate_full())
        .map_err(|e| format!("accepted, but invalid: {e}"))
}

/// An input on which a target failed.
#[derive(Debug)]
pub struct Failure {
    /// Which one.
    pub target: Target,
    /// What happened.
    pub what: String,
    /// The bytes: they belong into the corpus once it is repaired.
    pub input: Vec<u8>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; input: ", self.target.name(), self.what)?;
        self.input.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// How many inputs were tried, and how many of them the host accepted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// All.
    pub tried: u64,
    /// Those that decoded.
    pub accepted: u64,
}

/// Fuzzes `target` from `seed` for as long as `go_on`, which is told the number of inputs so far.
///
/// Every input is a mutation of a random valid stream or of a file of `corpus`.
pub fn run(
    target: Target,
    seed: u64,
    corpus: &[Vec<u8>],
    mut go_on: impl FnMut(u64) -> bool,
) -> Result<Tally, Box<Failure>> {
    let mut random = Random::new(seed);
    let mut tally = Tally::default();
    while go_on(tally.tried) {
        let mut input = match random.pick(corpus) {
            Some(stored) if random.one_in(2) => stored.clone(),
            _ => encoded(&mut random),
        };
        target.mutate(&mut random, &mut input);
        tally.tried += 1;
        match target.check(&input) {
            Ok(accepted) => tally.accepted += u64::from(accepted),
            Err(what) => return Err(Box::new(Failure { target, what, input })),
        }
    }
    Ok(tally)
}

/// The stored inputs of `target`, by file name.
pub fn corpus(target: Target) -> io::Result<Vec<(PathBuf, Vec<u8>)>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target.name());
    let paths: Result<Vec<PathBuf>, _> = fs::read_dir(folder)?.map(|entry| entry.map(|e| e.path())).collect();
    let mut paths = paths?;
    paths.sort();
    paths.into_iter().map(|path| Ok((path.clone(), fs::read(path)?))).collect()
}
