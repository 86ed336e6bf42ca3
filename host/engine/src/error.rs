use std::{error::Error as StdError, fmt};

/// What the reader of an error has to do. The retry policy and the exit code follow from it alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The pipeline, a setting or a flag is wrong: change it. Exit code 2.
    Invalid,
    /// A plugin failed, trapped or overran a limit: fix the plugin or its error policy. Exit code 3.
    Plugin,
    /// Input data cannot be processed: fix the data or `on-bad-data`; or a checkpoint's file is no longer what was written:
    /// put it back. Exit code 4.
    Data,
    /// Something outside is not reachable or full: the same may work later. Exit code 5.
    Unavailable,
    /// Another host has taken over this query. Exit code 6.
    Fenced,
    /// A bug of streamhost. Exit code 70.
    Internal,
}

impl Kind {
    /// The exit code of a process that ends with this kind of error.
    pub fn exit_code(self) -> u8 {
        match self {
            Kind::Invalid => 2,
            Kind::Plugin => 3,
            Kind::Data => 4,
            Kind::Unavailable => 5,
            Kind::Fenced => 6,
            Kind::Internal => 70,
        }
    }
}

/// The one error type that crosses crates: who must act, what was being done and where, and what lies below.
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    doing: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// A result with the engine's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error with no cause below it. `doing` says what went wrong, where, and what to change.
    pub fn new(kind: Kind, doing: impl Into<String>) -> Self {
        Error { kind, doing: doing.into(), source: None }
    }

    /// [`Kind::Invalid`].
    pub fn invalid(doing: impl Into<String>) -> Self {
        Error::new(Kind::Invalid, doing)
    }

    /// [`Kind::Plugin`].
    pub fn plugin(doing: impl Into<String>) -> Self {
        Error::new(Kind::Plugin, doing)
    }

    /// [`Kind::Data`].
    pub fn data(doing: impl Into<String>) -> Self {
        Error::new(Kind::Data, doing)
    }

    /// [`Kind::Internal`].
    pub fn internal(doing: impl Into<String>) -> Self {
        Error::new(Kind::Internal, doing)
    }

    /// The same, with the error that caused it.
    pub fn caused_by(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Wraps `self`, keeping its kind, in what was being done around it.
    pub fn while_doing(self, doing: impl Into<String>) -> Self {
        Error { kind: self.kind, doing: doing.into(), source: Some(Box::new(self)) }
    }

    /// Who must act.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The whole chain in one line, outermost first: `a: b: c`.
    pub fn report(&self) -> String {
        let mut text = self.doing.clone();
        let mut below = self.source();
        while let Some(error) = below {
            let line = error.to_string();
            // Some foreign errors already print their own cause.
            if !text.ends_with(&line) {
                text.push_str(": ");
                text.push_str(&line);
            }
            below = error.source();
        }
        text
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.doing)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|e| e as &(dyn StdError + 'static))
    }
}

/// Says what was being done when a foreign call failed. There is no `From` of foreign errors on purpose.
pub trait ResultExt<T> {
    /// Wraps the error; `doing` is only evaluated on failure.
    fn doing<S: Into<String>>(self, kind: Kind, doing: impl FnOnce() -> S) -> Result<T>;
}

impl<T, E: Into<Box<dyn StdError + Send + Sync>>> ResultExt<T> for std::result::Result<T, E> {
    fn doing<S: Into<String>>(self, kind: Kind, doing: impl FnOnce() -> S) -> Result<T> {
        self.map_err(|e| Error::new(kind, doing()).caused_by(e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_shows_the_whole_chain_and_keeps_the_kind() {
        let low = std::io::Error::other("no space left");
        let error = Error::new(Kind::Unavailable, "writing offsets/3").caused_by(low).while_doing("epoch 3");
        assert_eq!(error.report(), "epoch 3: writing offsets/3: no space left");
        assert_eq!(error.kind().exit_code(), 5);
    }
}
