use arrow::{array::RecordBatch, datatypes::SchemaRef};
use engine::{Error, Result};

/// How much a guest may answer.
#[derive(Clone, Copy, Debug)]
pub struct Caps {
    /// All messages of one answer.
    pub bytes: usize,
    /// Rows of one answer, over all its batches.
    pub rows: usize,
    /// Batches of one answer.
    pub batches: usize,
}

/// The schema that a guest answered in `bind`.
pub fn decode_schema(_message: &[u8]) -> Result<SchemaRef> {
    Err(Error::internal("decoding a schema is not built yet"))
}

/// Decodes a guest's record-batch messages of one schema.
pub struct Decoder {
    schema: SchemaRef,
}

impl Decoder {
    /// A decoder of batches of `schema`, as agreed in `bind`.
    pub fn new(schema: SchemaRef) -> Result<Self> {
        Ok(Decoder { schema })
    }

    /// What the guest agreed to answer.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The batches in `messages`, which they borrow without a copy; none if `messages` is empty.
    pub fn decode(&self, _messages: Vec<u8>, _caps: Caps) -> Result<Vec<RecordBatch>> {
        Err(Error::internal("decoding is not built yet"))
    }
}
