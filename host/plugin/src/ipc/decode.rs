use super::{
    body::Shape,
    columns,
    frame::Frame,
    refusal::{Reason, Refusal},
};
use arrow::{
    array::{RecordBatch, RecordBatchOptions},
    buffer::Buffer,
    datatypes::{DataType, SchemaRef},
};
use arrow_ipc::MessageHeader;
use engine::{Error, Result};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// How much one answer of a guest may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caps {
    /// Bytes of all its messages.
    pub bytes: usize,
    /// Rows of all its batches.
    pub rows: usize,
    /// Batches.
    pub batches: usize,
}

/// Decodes a guest's record-batch messages of one schema.
pub struct Decoder {
    schema: SchemaRef,
    shape: Shape,
}

impl Decoder {
    /// A decoder of batches of `schema`, as agreed in `bind`.
    ///
    /// # Errors
    ///
    /// [`Kind::Invalid`](engine::Kind::Invalid) if `schema` has a type that does not cross the boundary; one from
    /// [`decode_schema`](super::decode_schema) has none.
    pub fn new(schema: SchemaRef) -> Result<Self> {
        if let Some(field) = schema.fields().iter().find(|field| !crosses(field.data_type())) {
            let (name, data_type) = (field.name(), field.data_type());
            return Err(Error::invalid(format!(
                "column `{name}`: no plugin can answer a column of {data_type}"
            )));
        }
        let shape = Shape::of(schema.fields().iter().map(AsRef::as_ref));
        Ok(Decoder { schema, shape })
    }

    /// What the guest agreed to answer.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The batches in `messages`, none if that is empty. They borrow their values from it without a copy, so they
    /// keep all of it alive.
    ///
    /// # Errors
    ///
    /// [`Kind::Plugin`](engine::Kind::Plugin), caused by the [`Refusal`] that says which message and column is
    /// wrong. Nothing of the answer can be used then.
    pub fn decode(&self, messages: Vec<u8>, caps: Caps) -> Result<Vec<RecordBatch>> {
        // The walks before should leave nothing to panic on. This holds where they are wrong.
        catch_unwind(AssertUnwindSafe(|| self.batches(messages, caps)))
            .unwrap_or_else(|_| Err(Reason::Panicked.into()))
            .map_err(|refusal| Error::plugin("the plugin's Arrow is refused").caused_by(refusal))
    }

    fn batches(&self, messages: Vec<u8>, caps: Caps) -> Result<Vec<RecordBatch>, Refusal> {
        if messages.len() > caps.bytes {
            return Err(Reason::TooManyBytes { bytes: messages.len(), most: caps.bytes }.into());
        }
        let messages = Buffer::from_vec(messages);
        let mut batches = Vec::new();
        let mut rows = 0;
        let mut at = 0;
        while at < messages.len() {
            if batches.len() == caps.batches {
                return Err(Reason::TooManyBatches { most: caps.batches }.into());
            }
            let (batch, end) =
                self.batch(&messages, at, caps, rows).map_err(|refusal| refusal.in_message(batches.len()))?;
            rows += batch.num_rows();
            at = end;
            batches.push(batch);
        }
        Ok(batches)
    }

    /// The batch at byte `at`, and where it ends; `before` rows came in messages before it.
    fn batch(
        &self,
        messages: &Buffer,
        at: usize,
        caps: Caps,
        before: usize,
    ) -> Result<(RecordBatch, usize), Refusal> {
        let frame = Frame::at(messages, at)?;
        frame.expect(MessageHeader::RecordBatch)?;
        let header = frame.message.header_as_record_batch().ok_or(Reason::Missing { part: "header" })?;
        let own = columns::row_count(&header)?;
        let rows = own.saturating_add(before as u64);
        if rows > caps.rows as u64 {
            return Err(Reason::TooManyRows { rows, most: caps.rows }.into());
        }
        let body = messages.slice_with_length(frame.body.start, frame.body.len());
        let columns = columns::read(&header, own, &self.schema, self.shape, body, caps.rows)?;
        let options = RecordBatchOptions::new().with_row_count(Some(own as usize));
        let batch = RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)
            .map_err(|e| Reason::Value { error: e.to_string() })?;
        Ok((batch, frame.body.end))
    }
}

/// Whether columns of this type may come from a guest.
fn crosses(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(..) | DataType::RunEndEncoded(..) | DataType::Union(..) => false,
        DataType::FixedSizeBinary(..1) | DataType::FixedSizeList(_, ..1) => false,
        DataType::Utf8View | DataType::BinaryView | DataType::ListView(_) | DataType::LargeListView(_) => {
            false
        }
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::FixedSizeList(item, _)
        | DataType::Map(item, _) => crosses(item.data_type()),
        DataType::Struct(fields) => fields.iter().all(|field| crosses(field.data_type())),
        _ => true,
    }
}
