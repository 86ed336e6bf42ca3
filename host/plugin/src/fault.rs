use crate::text;
use std::{fmt, time::Duration};
use wasmtime::{Trap, WasmBacktrace};

/// Functions of a crash that are named.
const MOST_FRAMES: usize = 8;

/// How a call into a guest can fail.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Fault {
    /// The guest says: this configuration or input schema is wrong.
    Invalid(String),
    /// The guest says: the same batch may pass later.
    Transient(String),
    /// The guest says: the same batch can never pass.
    Permanent(String),
    /// The guest passes on that there is no room for more state.
    Full(String),
    /// It trapped.
    Trap(String),
    /// It used more than it may.
    Overrun(Overrun),
    /// It broke the contract: its answer makes no sense.
    Breach(String),
}

/// A limit that a guest hit, with what was allowed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Overrun {
    Memory(usize),
    TableElements(usize),
    Cpu(Duration),
    Wall(Duration),
    HostCalls(u64),
    Output(usize),
    Rows(usize),
}

impl Fault {
    /// Whether the instance may be in any state now, so that it must not be called again.
    pub(crate) fn is_fatal(&self) -> bool {
        !matches!(self, Fault::Invalid(_) | Fault::Transient(_) | Fault::Permanent(_) | Fault::Full(_))
    }

    /// Makes sense of what wasmtime says. `overrun` is the limit that was hit in the call, if any, and `last_words`
    /// what the guest wrote to its standard error.
    pub(crate) fn from_wasmtime(
        error: &wasmtime::Error,
        overrun: Option<Overrun>,
        last_words: Option<&str>,
    ) -> Self {
        if let Some(overrun) = error.downcast_ref::<Overrun>() {
            return Fault::Overrun(overrun.clone());
        }
        if let Some(overrun) = overrun {
            return Fault::Overrun(overrun);
        }
        let what = text::shown(&error.root_cause().to_string(), text::MESSAGE);
        let what = match last_words {
            Some(words) => format!("{words} ({what})"),
            None => what,
        };
        match error.downcast_ref::<Trap>() {
            Some(_) => Fault::Trap(what + &stack(error)),
            None => Fault::Breach(what),
        }
    }
}

/// The functions that it was in, innermost first, of a component that has kept their names.
fn stack(error: &wasmtime::Error) -> String {
    let frames = error.downcast_ref::<WasmBacktrace>().map_or(&[][..], WasmBacktrace::frames);
    let names = frames.iter().filter_map(|frame| frame.func_name()).take(MOST_FRAMES);
    let names: Vec<String> = names.map(|name| text::shown(name, text::NAME)).collect();
    if names.is_empty() { String::new() } else { format!(" in {}", names.join(", called by ")) }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Invalid(why) | Fault::Transient(why) | Fault::Permanent(why) | Fault::Full(why) => {
                f.write_str(why)
            }
            Fault::Trap(why) => write!(f, "it crashed: {why}"),
            Fault::Overrun(limit) => limit.fmt(f),
            Fault::Breach(why) => write!(f, "it broke the plugin contract: {why}"),
        }
    }
}

impl fmt::Display for Overrun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Overrun::Memory(most) => {
                write!(f, "it wanted more than {} MiB of memory (limits.memory)", most >> 20)
            }
            Overrun::TableElements(most) => write!(f, "it wanted more than {most} table elements"),
            Overrun::Cpu(most) => {
                write!(f, "one call computed for more than {most:?} (limits.cpu-per-call)")
            }
            Overrun::Wall(most) => write!(f, "one call took longer than {most:?} (limits.wall-per-call)"),
            Overrun::HostCalls(most) => write!(f, "one call called the host more than {most} times"),
            Overrun::Output(most) => {
                write!(f, "one call handed over more than {most} bytes (limits.output)")
            }
            Overrun::Rows(most) => {
                write!(f, "one call handed over more than {most} rows (limits.output-rows)")
            }
        }
    }
}

impl std::error::Error for Overrun {}
