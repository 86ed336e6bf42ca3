use crate::{Error, Kind, Result};
use datafusion_common::DataFusionError;

/// What DataFusion says, as an error of ours.
pub(crate) trait OrError<T> {
    /// The query is at fault.
    fn invalid(self, doing: impl FnOnce() -> String) -> Result<T>;

    /// A row is at fault: a division by zero, a text that is no number.
    fn data(self, doing: impl FnOnce() -> String) -> Result<T>;
}

impl<T> OrError<T> for Result<T, DataFusionError> {
    fn invalid(self, doing: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|e| invalid(e, doing()))
    }

    fn data(self, doing: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|e| {
            let kind = match e.find_root() {
                DataFusionError::Internal(_) | DataFusionError::NotImplemented(_) => Kind::Internal,
                _ => Kind::Data,
            };
            Error::new(kind, doing()).caused_by(plain(e))
        })
    }
}

/// The query is at fault.
pub(crate) fn invalid(error: DataFusionError, doing: String) -> Error {
    Error::new(Kind::Invalid, doing).caused_by(plain(error))
}

/// The error without what only DataFusion's own developers can use.
fn plain(error: DataFusionError) -> Message {
    let text = error.strip_backtrace();
    let text =
        ["Error during planning: ", "SQL error: ", "Schema error: ", "Execution error: ", "Arrow error: "]
            .iter()
            .fold(text, |text, prefix| text.replace(prefix, ""));
    Message(text)
}

#[derive(Debug)]
pub(crate) struct Message(pub(crate) String);

impl std::fmt::Display for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Message {}
