use super::{
    ALIGNMENT,
    body::{Body, Shape},
    plan::Plan,
    template::Template,
};
use arrow::{
    array::RecordBatch,
    datatypes::{Schema, SchemaRef},
};
use arrow_ipc::writer::{DictionaryTracker, IpcDataGenerator, IpcWriteOptions, write_message};
use engine::{Kind, Result, ResultExt};

/// One encapsulated IPC schema message.
///
/// # Errors
///
/// [`Kind::Internal`] if arrow-ipc cannot write it.
pub fn encode_schema(schema: &Schema) -> Result<Vec<u8>> {
    let doing = || "encoding a schema for a plugin";
    let options = IpcWriteOptions::try_new(ALIGNMENT, false, arrow_ipc::MetadataVersion::V5)
        .doing(Kind::Internal, doing)?;
    let message = IpcDataGenerator::default().schema_to_bytes_with_dictionary_tracker(
        schema,
        &mut DictionaryTracker::new(true),
        &options,
    );
    let mut out = Vec::new();
    write_message(&mut out, message, &options).doing(Kind::Internal, doing)?;
    Ok(out)
}

/// Encodes batches of one schema for a guest, each as one encapsulated record-batch message.
///
/// arrow-ipc builds the metadata of every batch anew and copies its buffers twice; here the metadata is a
/// template and buffers are copied once. What a guest cannot take is cast by the [`Plan`].
pub struct Encoder {
    plan: Plan,
    template: Template,
    /// The length of the last message: the next one is probably about as long.
    last: usize,
}

impl Encoder {
    /// An encoder of all columns of batches of `input`.
    ///
    /// # Errors
    ///
    /// [`Kind::Invalid`] if a column has a type that no guest can take.
    pub fn new(input: &SchemaRef) -> Result<Self> {
        Encoder::with_plan(Plan::new(input, 0..input.fields().len())?)
    }

    /// An encoder of the columns at `indices` of batches of `input`, in that order: what a guest reads.
    ///
    /// # Errors
    ///
    /// As for [`Encoder::new`].
    pub fn of_columns(input: &SchemaRef, indices: &[usize]) -> Result<Self> {
        Encoder::with_plan(Plan::new(input, indices.iter().copied())?)
    }

    fn with_plan(plan: Plan) -> Result<Self> {
        let shape = Shape::of(plan.guest().fields().iter().map(AsRef::as_ref));
        Ok(Encoder { template: Template::new(shape.nodes, shape.buffers)?, plan, last: 0 })
    }

    /// The schema that the guest sees: the one to tell it in `bind`.
    pub fn schema(&self) -> &SchemaRef {
        self.plan.guest()
    }

    /// One encapsulated record-batch message of all rows of `batch`.
    ///
    /// # Errors
    ///
    /// [`Kind::Data`] if a value does not fit the type that the guest sees; [`Kind::Internal`] if `batch` has
    /// another schema than the encoder was made for.
    pub fn encode(&mut self, batch: &RecordBatch) -> Result<Vec<u8>> {
        let mut out = Vec::with_capacity(self.last);
        self.encode_into(batch, &mut out)?;
        Ok(out)
    }

    /// Appends the message to `out`, whose length must be a multiple of 8 bytes; messages of an encoder's own
    /// always are. Clearing and reusing one `out` spares the allocation.
    ///
    /// # Errors
    ///
    /// As for [`Encoder::encode`]; `out` then ends with an unfinished message.
    pub fn encode_into(&mut self, batch: &RecordBatch, out: &mut Vec<u8>) -> Result<()> {
        let start = out.len();
        let mut body = Body::new(&self.template, out);
        for seen in self.plan.arrays(batch) {
            body.column(seen?.array())?;
        }
        body.finish(batch.num_rows())?;
        self.last = out.len() - start;
        Ok(())
    }
}
