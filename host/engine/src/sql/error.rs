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
            let kind = match (own(&e), e.find_root()) {
                (Some(own), _) => own.kind(),
                (None, DataFusionError::Internal(_) | DataFusionError::NotImplemented(_)) => Kind::Internal,
                _ => Kind::Data,
            };
            Error::new(kind, doing()).caused_by(plain(e))
        })
    }
}

/// The query is at fault.
pub(crate) fn invalid(error: DataFusionError, doing: String) -> Error {
    Error::new(own(&error).map_or(Kind::Invalid, Error::kind), doing).caused_by(plain(error))
}

/// An error of ours on its way through DataFusion: that of a function which the engine does not have itself.
fn own(error: &DataFusionError) -> Option<&Error> {
    match error.find_root() {
        DataFusionError::External(error) => error.downcast_ref(),
        _ => None,
    }
}

/// The error without what only DataFusion's own developers can use.
fn plain(error: DataFusionError) -> Message {
    if let Some(own) = own(&error) {
        return Message(own.report());
    }
    Message(readable(&error.strip_backtrace()))
}

/// Where in DataFusion something went wrong, which says nothing to who wrote a query.
const WHERE: [&str; 8] = [
    "Error during planning: ",
    "SQL error: ",
    "Schema error: ",
    "Execution error: ",
    "Arrow error: ",
    "Optimizer error: ",
    "Internal error: ",
    "This feature is not implemented: ",
];

/// What comes behind what went wrong: advice to developers, other signatures, the tree of what was parsed.
const BEHIND: [&str; 5] = [
    "\nThis issue was likely caused by a bug in DataFusion",
    "\nThis was likely caused by a bug in DataFusion",
    " No function matches the given name and argument types",
    ", errors: ",
    " in sqltorel: ",
];

/// DataFusion's words, and ours.
const WORDS: [(&str, &str); 5] = [
    ("unnest() can only be applied to array, struct and null", "explode() is of an array here"),
    (" failed to match any signature", " is not of such arguments; cast them"),
    ("Unsupported ast node", "this part of SQL is not there"),
    ("While expanding wildcard", "of *"),
    ("DataFusion", "the planner"),
];

fn readable(text: &str) -> String {
    // Of what was caused by something else, that counts.
    let text = text.rsplit_once("\ncaused by\n").map_or(text, |(_, cause)| cause);
    let text = text.rsplit_once(" user-defined coercion failed with: ").map_or(text, |(_, cause)| cause);
    let text = BEHIND.iter().fold(text, |text, behind| text.split(behind).next().unwrap_or(text));
    let text = WHERE.iter().fold(text.to_owned(), |text, place| text.replace(place, ""));
    let text = WORDS.iter().fold(text, |text, (theirs, ours)| text.replace(theirs, ours));
    with_types(&text)
}

/// Arrow's names of types, and Spark's.
const TYPES: [(&str, &str); 12] = [
    ("Utf8", "STRING"),
    ("Utf8View", "STRING"),
    ("LargeUtf8", "STRING"),
    ("Int8", "TINYINT"),
    ("Int16", "SMALLINT"),
    ("Int32", "INT"),
    ("Int64", "BIGINT"),
    ("Float32", "FLOAT"),
    ("Float64", "DOUBLE"),
    ("Date32", "DATE"),
    ("Decimal128", "DECIMAL"),
    ("BinaryView", "BINARY"),
];

/// The text with types under Spark's names.
fn with_types(text: &str) -> String {
    let times = [(r#"Timestamp(µs, "UTC")"#, "TIMESTAMP"), ("Timestamp(µs)", "TIMESTAMP_NTZ")];
    let text = times.iter().fold(text.to_owned(), |text, (theirs, ours)| text.replace(theirs, ours));
    let mut out = String::new();
    let mut rest = text.as_str();
    while let Some(start) = rest.find(|c: char| c.is_alphanumeric()) {
        let (before, word) = rest.split_at(start);
        let end = word.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(word.len());
        let (word, after) = word.split_at(end);
        let ours = TYPES.iter().find(|(theirs, _)| *theirs == word).map_or(word, |(_, ours)| *ours);
        out.push_str(before);
        out.push_str(ours);
        rest = after;
    }
    out + rest
}

#[derive(Debug)]
pub(crate) struct Message(pub(crate) String);

impl std::fmt::Display for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Message {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_speaks_of_sql_and_not_of_who_plans_it() {
        for (theirs, ours) in [
            (
                "Optimizer rule 'simplify_expressions' failed\ncaused by\nExecution error: 300 is too large",
                "300 is too large",
            ),
            (
                "Error during planning: Function 'trunc' user-defined coercion failed with: Error during planning: trunc(date, unit) is called with (INT) No function matches the given name and argument types 'trunc(Int32)'.",
                "trunc(date, unit) is called with (INT)",
            ),
            (
                "Schema error: a is of type Utf8, not Decimal128(4, 2)",
                "a is of type STRING, not DECIMAL(4, 2)",
            ),
        ] {
            assert_eq!(readable(theirs), ours);
        }
    }
}
