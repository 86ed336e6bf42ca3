use std::fmt;

/// Arrow that a guest sent and the host does not take: what, and where it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The message, counted from 0 within the answer; none if it is about the answer as a whole.
    pub message: Option<usize>,
    /// The column, nested ones with their path: `address.street`.
    pub column: Option<String>,
    /// What is wrong.
    pub reason: Reason,
}

/// What is wrong with Arrow that a guest sent.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the text that each variant displays says what its fields are")]
pub enum Reason {
    /// All messages together are longer than allowed.
    TooManyBytes { bytes: usize, most: usize },
    /// All batches together have more rows than allowed.
    TooManyRows { rows: u64, most: usize },
    /// A column without bytes claims more rows than allowed.
    TooManyUnbacked { rows: u64, most: usize },
    /// There are more batches than allowed.
    TooManyBatches { most: usize },
    /// The message ends before its part does.
    Truncated { part: &'static str, needs: u64, left: u64 },
    /// A message does not start with the continuation mark.
    NoContinuation,
    /// Metadata has a length that is negative, zero, or over the limit.
    MetadataLength { length: i64, most: usize },
    /// The flatbuffer does not verify.
    Metadata { error: String },
    /// A part that every message of this kind has is not there.
    Missing { part: &'static str },
    /// It is another message than the one expected.
    WrongMessage { expected: &'static str, found: String },
    /// A version of the metadata that is neither 4 nor 5.
    Version { found: i16 },
    /// Bytes follow the one message that was asked for.
    Trailing { bytes: usize },
    /// Key-value metadata is longer than allowed.
    CustomMetadata { most: usize },
    /// Numbers are not little-endian.
    BigEndian,
    /// The body is compressed.
    Compressed,
    /// A feature of Arrow that does not cross the boundary: dictionary, view, run-end encoding, union.
    Feature { what: &'static str },
    /// A type with parameters that make no sense.
    Type { what: String },
    /// There are more columns than allowed, nested ones included.
    TooManyColumns { most: usize },
    /// Columns are nested deeper than allowed.
    TooDeep { most: usize },
    /// Two columns have one name.
    DuplicateName,
    /// A number that counts something is negative.
    Negative { what: &'static str, number: i64 },
    /// There are more or fewer field nodes than the schema needs.
    NodeCount { found: usize, expected: usize },
    /// There are more or fewer buffers than the schema needs.
    BufferCount { found: usize, expected: usize },
    /// A column has another length than its batch, or a child another than its parent.
    Length { found: u64, expected: u64 },
    /// There are more nulls than rows.
    NullCount { nulls: u64, rows: u64 },
    /// A buffer reaches out of the body.
    OutsideBody { buffer: usize, end: u64, body: u64 },
    /// A buffer starts before the one before it ends.
    Overlap { buffer: usize },
    /// A buffer or a body is not aligned to 8 bytes.
    Misaligned { what: &'static str, at: u64 },
    /// A buffer is shorter than the rows need.
    BufferTooShort { buffer: usize, bytes: u64, needs: u64 },
    /// The null count is not that of the validity bitmap.
    FalseNullCount { nulls: u64, found: u64 },
    /// Offsets are negative or not in order.
    Offsets,
    /// arrow-rs found values that do not fit their type: text that is not UTF-8, offsets past the values, a null where
    /// none may be.
    Value { error: String },
    /// arrow-rs panicked.
    Panicked,
}

impl Reason {
    /// Refuses column `name`.
    pub(super) fn in_column(self, name: &str) -> Refusal {
        Refusal { message: None, column: Some(name.to_owned()), reason: self }
    }
}

impl Refusal {
    /// The same, in message `index`.
    pub(super) fn in_message(self, index: usize) -> Self {
        Refusal { message: Some(index), ..self }
    }

    /// The same, below column `parent`.
    pub(super) fn below(self, parent: &str) -> Self {
        let column = match &self.column {
            Some(child) => format!("{parent}.{child}"),
            None => parent.to_owned(),
        };
        Refusal { column: Some(column), ..self }
    }
}

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        Refusal { message: None, column: None, reason }
    }
}

impl std::error::Error for Refusal {}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(message) = self.message {
            write!(f, "message {message}: ")?;
        }
        if let Some(column) = &self.column {
            write!(f, "column `{}`: ", column.escape_debug())?;
        }
        write!(f, "{}", self.reason)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::TooManyBytes { bytes, most } => write!(f, "{bytes} bytes, at most {most} are taken"),
            Reason::TooManyRows { rows, most } => write!(f, "{rows} rows, at most {most} are taken"),
            Reason::TooManyUnbacked { rows, most } => {
                write!(f, "{rows} rows without a byte to carry them, at most {most} are taken")
            }
            Reason::TooManyBatches { most } => write!(f, "more than {most} batches"),
            Reason::Truncated { part, needs, left } => {
                write!(f, "the {part} needs {needs} bytes, {left} are there")
            }
            Reason::NoContinuation => f.write_str("it does not start with the mark FF FF FF FF"),
            Reason::MetadataLength { length, most } => {
                write!(f, "metadata of {length} bytes, it must have 1 to {most}")
            }
            Reason::Metadata { error } => write!(f, "the metadata is not a valid flatbuffer: {error}"),
            Reason::Missing { part } => write!(f, "it has no {part}"),
            Reason::WrongMessage { expected, found } => {
                write!(f, "a {expected} is expected, it is a {found}")
            }
            Reason::Version { found } => write!(f, "metadata version code {found}, V4 and V5 are taken"),
            Reason::Trailing { bytes } => write!(f, "{bytes} bytes follow the end of the message"),
            Reason::CustomMetadata { most } => write!(f, "more than {most} bytes of key-value metadata"),
            Reason::BigEndian => f.write_str("numbers are big-endian; write little-endian"),
            Reason::Compressed => f.write_str("the body is compressed; write it uncompressed"),
            Reason::Feature { what } => write!(f, "{what} do not cross the boundary; write plain arrays"),
            Reason::Type { what } => write!(f, "there is no type {what}"),
            Reason::TooManyColumns { most } => {
                write!(f, "more than {most} columns, nested ones included")
            }
            Reason::TooDeep { most } => write!(f, "nested more than {most} levels deep"),
            Reason::DuplicateName => f.write_str("two columns have this name"),
            Reason::Negative { what, number } => write!(f, "the {what} is {number}"),
            Reason::NodeCount { found, expected } => {
                write!(f, "{found} field nodes, the schema agreed on in `bind` has {expected}")
            }
            Reason::BufferCount { found, expected } => {
                write!(f, "{found} buffers, the schema agreed on in `bind` has {expected}")
            }
            Reason::Length { found, expected } => write!(f, "{found} rows where there are to be {expected}"),
            Reason::NullCount { nulls, rows } => write!(f, "{nulls} nulls in {rows} rows"),
            Reason::OutsideBody { buffer, end, body } => {
                write!(f, "buffer {buffer} ends at byte {end} of a body of {body}")
            }
            Reason::Overlap { buffer } => {
                write!(f, "buffer {buffer} starts before the end of the one before it")
            }
            Reason::Misaligned { what, at } => write!(f, "the {what} at {at} is not aligned to 8 bytes"),
            Reason::BufferTooShort { buffer, bytes, needs } => {
                write!(f, "buffer {buffer} has {bytes} bytes, its rows need {needs}")
            }
            Reason::FalseNullCount { nulls, found } => {
                write!(f, "a null count of {nulls} where {found} bits say null")
            }
            Reason::Offsets => f.write_str("offsets are negative or not in order"),
            Reason::Value { error } => write!(f, "invalid values: {error}"),
            Reason::Panicked => f.write_str("the decoder failed on it"),
        }
    }
}
