//! Avro to columns, by the schemas of a registry.

use super::{
    part::Trouble,
    registry::{Registry, Schema, framed},
};
use arrow::{
    array::{ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions, new_null_array},
    compute::{cast, concat, filter},
    datatypes::{DataType, Field, Fields, Schema as ArrowSchema, SchemaRef, TimeUnit},
};
use arrow_avro::{
    reader::{Decoder, ReaderBuilder},
    schema::{AvroSchema, Fingerprint, FingerprintAlgorithm, SchemaStore},
};
use engine::{Error, Kind, Result, ResultExt};
use serde_json::{Value, json};
use std::{collections::HashMap, mem, sync::Arc};

/// The columns that a schema of the registry makes.
pub(super) fn columns(schema: &Schema) -> Result<ArrowSchema> {
    let decoder = decoder(schema, schema)?;
    let fields = decoder.schema().fields().iter().map(|f| plain_field(f)).collect::<Fields>();
    Ok(ArrowSchema::new(fields))
}

/// A field that may be NULL, of a type that SQL knows.
fn plain_field(field: &Field) -> Field {
    Field::new(field.name(), plain(field.data_type()), true)
}

fn plain(kind: &DataType) -> DataType {
    match kind {
        DataType::Timestamp(_, Some(_)) => crate::formats::ddl::timestamp(),
        DataType::Timestamp(_, None) => DataType::Timestamp(TimeUnit::Microsecond, None),
        DataType::Dictionary(_, values) => plain(values),
        DataType::FixedSizeBinary(_) | DataType::LargeBinary | DataType::BinaryView => DataType::Binary,
        DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
        DataType::Time32(_) => DataType::Int32,
        DataType::Time64(_) => DataType::Int64,
        DataType::Null => DataType::Utf8,
        DataType::List(item) => crate::formats::ddl::array_of(plain(item.data_type())),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(|f| plain_field(f)).collect()),
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(pair) => match pair.iter().collect::<Vec<_>>().as_slice() {
                [key, value] => crate::formats::ddl::map_of(plain(key.data_type()), plain(value.data_type())),
                _ => kind.clone(),
            },
            _ => kind.clone(),
        },
        other => other.clone(),
    }
}

/// Whether a schema is of a record, and not of a single value.
pub(super) fn is_record(schema: &Schema) -> bool {
    let text: Option<Value> = serde_json::from_str(&schema.text).ok();
    text.is_some_and(|text| text.get("type").is_some_and(|kind| kind == "record"))
}

/// The schema as a record: of something else, a record with that as its only field, which looks the same in bytes.
fn record(schema: &Schema) -> Result<AvroSchema> {
    if is_record(schema) {
        return Ok(AvroSchema::new(schema.text.clone()));
    }
    let text: Value = serde_json::from_str(&schema.text)
        .doing(Kind::Invalid, || format!("schema {} of the registry is no JSON", schema.id))?;
    let record = json!({ "type": "record", "name": "only", "fields": [{ "name": "value", "type": text }] });
    Ok(AvroSchema::new(record.to_string()))
}

/// What reads messages of the schema `writer` as rows of the schema `reader`.
fn decoder(writer: &Schema, reader: &Schema) -> Result<Decoder> {
    let unfit = || format!("schema {} of the registry cannot be read as schema {}", writer.id, reader.id);
    let mut store = SchemaStore::new_with_type(FingerprintAlgorithm::Id);
    let id = Fingerprint::Id(writer.id);
    store.set(id, record(writer)?).doing(Kind::Invalid, unfit)?;
    ReaderBuilder::new()
        .with_batch_size(usize::MAX >> 1)
        .with_reader_schema(record(reader)?)
        .with_writer_schema_store(store)
        .with_active_fingerprint(id)
        .build_decoder()
        .doing(Kind::Invalid, unfit)
}

/// Collects messages of Avro.
pub(super) struct AvroPart {
    registry: Arc<Registry>,
    reader: Arc<Schema>,
    columns: SchemaRef,
    decoders: HashMap<u32, Decoder>,
    /// The schema of the rows that are in its decoder, and their bytes: if a message spoils the decoder they are decoded again.
    open: Option<(u32, Vec<u8>)>,
    chunks: Vec<Vec<ArrayRef>>,
    /// For each row whether it stays, if one does not.
    kept: Option<Vec<bool>>,
    rows: usize,
    /// Whether the last message has made a row.
    made: bool,
}

impl AvroPart {
    pub(super) fn new(registry: Arc<Registry>, reader: Arc<Schema>, columns: SchemaRef) -> Self {
        let (decoders, chunks) = (HashMap::new(), Vec::new());
        AvroPart { registry, reader, columns, decoders, open: None, chunks, kept: None, rows: 0, made: false }
    }

    /// Reads a message; without bytes it makes no row yet.
    pub(super) fn read(&mut self, message: &[u8]) -> Result<Option<Trouble>> {
        self.made = false;
        let Some((id, _)) = framed(message) else {
            return Ok(trouble("it does not begin with the id of a schema", 0));
        };
        if self.open.as_ref().is_none_or(|(open, _)| *open != id) {
            self.close()?;
            if let Some(trouble) = self.prepare(id)? {
                return Ok(Some(trouble));
            }
            self.open = Some((id, Vec::new()));
        }
        let (Some(decoder), Some((_, bytes))) = (self.decoders.get_mut(&id), &mut self.open) else {
            return Err(Error::internal("a schema without its decoder"));
        };
        if matches!(decoder.decode(message), Ok(read) if read == message.len()) {
            bytes.extend_from_slice(message);
            self.made = true;
            self.note(true);
            return Ok(None);
        }
        self.mend(id)?;
        Ok(trouble("it is not what its schema says", 5))
    }

    /// Makes the decoder of a schema. The inner answer says why messages of it are not read.
    fn prepare(&mut self, id: u32) -> Result<Option<Trouble>> {
        if self.decoders.contains_key(&id) {
            return Ok(None);
        }
        let Some(writer) = self.registry.schema(id)? else {
            return Ok(trouble("the registry does not know its schema", 1));
        };
        match decoder(&writer, &self.reader) {
            Ok(decoder) => drop(self.decoders.insert(id, decoder)),
            Err(_) => return Ok(trouble("its schema does not fit the newest one of the subject", 1)),
        }
        Ok(None)
    }

    /// Takes a spoiled decoder out of use, and decodes again what it held.
    fn mend(&mut self, id: u32) -> Result<()> {
        self.decoders.remove(&id);
        let Some((_, bytes)) = self.open.take() else { return Ok(()) };
        if bytes.is_empty() {
            return Ok(());
        }
        let again = Error::internal("rows of Avro that were read once");
        if self.prepare(id)?.is_some() {
            return Err(again);
        }
        let decoder = self.decoders.get_mut(&id).ok_or(again)?;
        decoder.decode(&bytes).doing(Kind::Internal, || "reading Avro again")?;
        self.open = Some((id, Vec::new()));
        self.close()
    }

    /// Takes the rows out of the decoder that is in use.
    fn close(&mut self) -> Result<()> {
        let Some((id, _)) = self.open.take() else { return Ok(()) };
        let Some(decoder) = self.decoders.get_mut(&id) else { return Ok(()) };
        if let Some(rows) = decoder.flush().doing(Kind::Internal, || "building rows of Avro")? {
            self.chunks.push(self.plain(&rows)?);
        }
        Ok(())
    }

    fn plain(&self, rows: &RecordBatch) -> Result<Vec<ArrayRef>> {
        let columns = rows.columns().iter().zip(self.columns.fields());
        columns
            .map(|(column, field)| cast(column, field.data_type()))
            .collect::<std::result::Result<_, _>>()
            .doing(Kind::Data, || "a value of Avro that no column can hold")
    }

    fn note(&mut self, kept: bool) {
        if !kept {
            self.kept.get_or_insert_with(|| vec![true; self.rows]);
        }
        if let Some(all) = &mut self.kept {
            all.push(kept);
        }
        self.rows += 1;
    }

    /// Ends the row of the last message: one of NULLs if it has made none.
    pub(super) fn keep(&mut self, of_nothing: bool) -> Result<()> {
        if of_nothing || !self.made {
            self.close()?;
            self.chunks
                .push(self.columns.fields().iter().map(|f| new_null_array(f.data_type(), 1)).collect());
            self.note(true);
        }
        self.made = false;
        Ok(())
    }

    /// Takes the row of the last message back, if it has made one.
    pub(super) fn abandon(&mut self) {
        if mem::take(&mut self.made) {
            let kept = self.kept.get_or_insert_with(|| vec![true; self.rows]);
            if let Some(last) = kept.last_mut() {
                *last = false;
            }
        }
    }

    /// The columns of the rows so far; starts anew.
    pub(super) fn take(&mut self) -> Result<Vec<ArrayRef>> {
        self.close()?;
        self.rows = 0;
        let (chunks, kept) = (mem::take(&mut self.chunks), self.kept.take().map(BooleanArray::from));
        let building = || "building columns of Avro";
        let column = |index: usize, field: &Field| {
            let parts: Vec<&dyn arrow::array::Array> =
                chunks.iter().filter_map(|chunk| chunk.get(index)).map(AsRef::as_ref).collect();
            if parts.is_empty() {
                return Ok(new_null_array(field.data_type(), 0));
            }
            let all = concat(&parts)?;
            kept.as_ref().map_or(Ok(all.clone()), |kept| filter(&all, kept))
        };
        let fields = self.columns.fields().iter().enumerate();
        fields
            .map(|(i, f)| column(i, f))
            .collect::<std::result::Result<_, _>>()
            .doing(Kind::Internal, building)
    }
}

fn trouble(what: &'static str, at: usize) -> Option<Trouble> {
    Some(Trouble { what: what.into(), keeps: false, at })
}

/// The schema that rows of these columns have in Avro.
pub(super) fn schema_of(columns: &ArrowSchema) -> Result<String> {
    AvroSchema::try_from(columns).map(|schema| schema.json_string).doing(
        Kind::Invalid,
        || "value = \"avro\": these columns have no schema in Avro; write value = \"json\", or convert them",
    )
}

/// Rows as messages, each with the id of its schema in front; and where each of them ends.
pub(super) fn encode(rows: &RecordBatch, id: u32) -> Result<(Vec<u8>, Vec<usize>)> {
    use arrow_avro::{schema::FingerprintStrategy, writer::WriterBuilder, writer::format::AvroSoeFormat};
    let writing = || "writing rows as Avro";
    let mut encoder = WriterBuilder::new(rows.schema().as_ref().clone())
        .with_fingerprint_strategy(FingerprintStrategy::Id(id))
        .build_encoder::<AvroSoeFormat>()
        .doing(Kind::Data, writing)?;
    encoder.encode(rows).doing(Kind::Data, writing)?;
    let written = encoder.flush();
    Ok((written.bytes().to_vec(), written.offsets().iter().skip(1).copied().collect()))
}

/// An empty batch, to see whether rows of these columns can be written.
pub(super) fn can_be_written(columns: &SchemaRef) -> Result<()> {
    schema_of(columns)?;
    let options = RecordBatchOptions::new().with_row_count(Some(0));
    let none = columns.fields().iter().map(|f| new_null_array(f.data_type(), 0)).collect();
    let none = RecordBatch::try_new_with_options(columns.clone(), none, &options);
    encode(&none.doing(Kind::Internal, || "building no rows")?, 0).map(drop)
}
