//! How a plugin says that something is wrong: with a call, or with one row of it.

use std::fmt;

use crate::bindings::streamhost::plugin::types::{Disposition, Failure, RowError};

/// What a plugin's functions return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a call failed, or, from a function over rows, why one row did.
///
/// `?` turns every [`std::error::Error`] into a permanent one, so this type itself is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    kind: Kind,
    message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Invalid,
    Transient,
    Permanent,
}

impl Error {
    /// The configuration or the input's schema is wrong: the pipeline does not start.
    pub fn invalid(message: impl fmt::Display) -> Self {
        Self { kind: Kind::Invalid, message: message.to_string() }
    }

    /// The same batch, or row, may pass later: the host retries it as often as the pipeline says.
    pub fn transient(message: impl fmt::Display) -> Self {
        Self { kind: Kind::Transient, message: message.to_string() }
    }

    /// The same batch, or row, can never pass.
    pub fn permanent(message: impl fmt::Display) -> Self {
        Self { kind: Kind::Permanent, message: message.to_string() }
    }

    /// Puts what was being done before the message.
    #[must_use]
    pub fn context(mut self, doing: impl fmt::Display) -> Self {
        self.message = format!("{doing}: {}", self.message);
        self
    }

    /// What the host says of a call that it did not carry out.
    pub(crate) fn told(failure: Failure) -> Self {
        match failure {
            Failure::Invalid(why) => Self::invalid(why),
            Failure::Transient(why) => Self::transient(why),
            Failure::Permanent(why) => Self::permanent(why),
        }
    }

    /// As the failure of a batch.
    pub(crate) fn into_failure(self) -> Failure {
        match self.kind {
            Kind::Invalid => Failure::Invalid(self.message),
            Kind::Transient => Failure::Transient(self.message),
            Kind::Permanent => Failure::Permanent(self.message),
        }
    }

    /// As the failure of `bind`, where no batch is to blame.
    pub(crate) fn into_bind_failure(self) -> Failure {
        match self.kind {
            Kind::Invalid | Kind::Permanent => Failure::Invalid(self.message),
            Kind::Transient => Failure::Transient(self.message),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl<E: std::error::Error> From<E> for Error {
    fn from(error: E) -> Self {
        let mut message = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            message = format!("{message}: {cause}");
            source = cause.source();
        }
        Self::permanent(message)
    }
}

/// The bad rows of one batch, in a function over batches that takes `&mut RowErrors`.
///
/// Whether a bad row fails the query, is skipped or goes to a dead-letter sink is the pipeline's decision.
#[derive(Debug, Default)]
pub struct RowErrors {
    errors: Vec<RowError>,
}

impl RowErrors {
    /// The row at this index of the batch cannot be processed. A permanent error rejects it, a transient one asks for a retry.
    pub fn add(&mut self, row: usize, error: impl Into<Error>) {
        let Error { kind, message } = error.into();
        let disposition = if kind == Kind::Transient { Disposition::Retry } else { Disposition::Reject };
        let row = u32::try_from(row).unwrap_or(u32::MAX);
        self.errors.push(RowError { row, disposition, message });
    }

    /// The value of a row, or none and the error noted.
    pub fn value<T>(&mut self, row: usize, result: Result<T>) -> Option<T> {
        result.map_err(|error| self.add(row, error)).ok()
    }

    /// Indices of the bad rows, as they were added.
    pub fn rows(&self) -> impl Iterator<Item = usize> + '_ {
        self.errors.iter().map(|error| error.row as usize)
    }

    /// Whether every row was good.
    pub fn is_empty(&self) -> bool {
        self.errors.is_empty()
    }

    /// The errors by row, one a row, counted from this row on.
    pub(crate) fn after(mut self, rows: usize) -> Vec<RowError> {
        self.errors.sort_by_key(|error| error.row);
        self.errors.dedup_by_key(|error| error.row);
        let rows = u32::try_from(rows).unwrap_or(u32::MAX);
        self.errors.iter_mut().for_each(|error| error.row = error.row.saturating_add(rows));
        self.errors
    }
}
