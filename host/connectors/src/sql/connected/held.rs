//! Which sinks have a database to themselves that only one at a time may write to.
//!
//! Statements of a plugin begin the transaction of an epoch long before its end. Another sink or output of the same query, on the same
//! file, waits for that end, and it waits for that sink: no waiting and no new start helps. Hence they are told apart from those who
//! wait for another program.

use super::place::Place;
use engine::{Begin, Error, Kind};
use std::{
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
};

static HOLDERS: Mutex<Vec<Holder>> = Mutex::new(Vec::new());

#[derive(Clone, Debug, PartialEq, Eq)]
struct Holder {
    file: PathBuf,
    query: String,
    sink: String,
}

/// A sink has a file to itself for as long as this is there.
pub(super) struct Held(Holder);

impl Held {
    /// Of a database that is a file: notes who has it now.
    pub(super) fn by(begin: &Begin, place: &Place) -> Option<Self> {
        let holder = Holder::of(begin, place)?;
        holders().push(holder.clone());
        Some(Held(holder))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut holders = holders();
        if let Some(own) = holders.iter().position(|holder| *holder == self.0) {
            holders.swap_remove(own);
        }
    }
}

impl Holder {
    fn of(begin: &Begin, place: &Place) -> Option<Self> {
        let file = place.database.file()?;
        let file = file.canonicalize().unwrap_or_else(|_| file.to_owned());
        Some(Holder { file, query: begin.query.0.clone(), sink: begin.sink.clone() })
    }
}

fn holders() -> MutexGuard<'static, Vec<Holder>> {
    HOLDERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Why a sink did not get the file: if another of its query has it, waiting is in vain.
pub(super) fn explained(error: Error, begin: &Begin, place: &Place) -> Error {
    let own = Holder::of(begin, place).filter(|_| error.kind() == Kind::Unavailable);
    let Some(own) = own else { return error };
    let rival =
        |other: &&Holder| (&other.file, &other.query) == (&own.file, &own.query) && other.sink != own.sink;
    let Some(sink) = holders().iter().find(rival).map(|other| other.sink.clone()) else { return error };
    Error::invalid(format!(
        "sinks {} and {sink} write to {}, and in {sink} a plugin executes statements, for which it has the file to itself until the \
         epoch ends; give each a file of its own, or use a database with a server",
        own.sink, place.shown
    ))
    .caused_by(error.report())
}
