use arrow::{
    array::RecordBatch,
    datatypes::{Schema, SchemaRef},
};
use engine::{Error, Result};

/// One encapsulated IPC schema message.
pub fn encode_schema(_schema: &Schema) -> Result<Vec<u8>> {
    Err(Error::internal("encoding a schema is not built yet"))
}

/// Encodes the batches of one schema, one encapsulated record-batch message each.
pub struct Encoder {
    schema: SchemaRef,
}

impl Encoder {
    /// An encoder of batches of `input`. Fails if a column can not be told to a guest.
    pub fn new(input: &SchemaRef) -> Result<Self> {
        Ok(Encoder { schema: input.clone() })
    }

    /// The schema that the guest sees: `input`, with what a guest cannot take cast to what it can.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// One encapsulated record-batch message.
    pub fn encode(&mut self, batch: &RecordBatch) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        self.encode_into(batch, &mut out)?;
        Ok(out)
    }

    /// Appends one encapsulated record-batch message to `out`.
    pub fn encode_into(&mut self, _batch: &RecordBatch, _out: &mut Vec<u8>) -> Result<()> {
        Err(Error::internal("encoding a batch is not built yet"))
    }
}
