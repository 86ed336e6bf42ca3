//! Rows on their way to the shard of their key, where a plugin works on them.

use crate::{
    Batch, EpochContext, Error, Kind, Origin, Piece, Port, Result, ResultExt, Scatter, Scattered,
    event_time::Watermark,
    operators::{Codec, encode_keys, final_at, hashed, late},
    sql,
};
use arrow::{
    array::{RecordBatch, new_null_array},
    datatypes::{DataType, Field, FieldRef, Schema, SchemaRef},
};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

/// Divides rows by some of their columns. Where they have a watermark, those that it covers go to the late output.
#[derive(Clone)]
pub struct ByKey {
    schema: SchemaRef,
    keys: Arc<[usize]>,
    /// The column of event time.
    time: Option<usize>,
    pieces: SchemaRef,
    /// Whether pieces say where their rows were in their source.
    placed: bool,
    late: Arc<AtomicU64>,
}

impl ByKey {
    /// Of rows of `schema`, by these columns. Of kind [`Invalid`](Kind::Invalid) if there are none, or one is not there.
    pub fn new(schema: &SchemaRef, keys: &[String]) -> Result<Self> {
        if keys.is_empty() {
            return Err(Error::invalid(
                "it keeps state by key, and no keys are given: add keys = [\"…\"] with columns of its input",
            ));
        }
        let keys: Arc<[usize]> =
            keys.iter().map(|name| crate::operators::column(schema, name)).collect::<Result<_>>()?;
        let time = schema.fields().iter().position(|field| sql::is_event_time(field));
        let key = Arc::new(Field::new("key", DataType::Binary, false));
        let fields: Vec<FieldRef> = [key].into_iter().chain(schema.fields().iter().cloned()).collect();
        let by = ByKey {
            schema: schema.clone(),
            keys,
            time,
            pieces: Arc::new(Schema::new(fields)),
            placed: false,
            late: Arc::default(),
        };
        by.codec()?;
        Ok(by)
    }

    /// With pieces that say where their rows were in their source, or not.
    #[must_use]
    pub fn placed(self, placed: bool) -> Self {
        ByKey { placed, ..self }
    }

    /// The columns of a key.
    pub fn key_schema(&self) -> SchemaRef {
        let fields = self.keys.iter().filter_map(|key| self.schema.fields().get(*key).cloned());
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    }

    /// The columns of rows of which nothing but the key may be known: the others may be NULL.
    pub fn with_keys_alone(&self) -> SchemaRef {
        let fields = self.schema.fields().iter().enumerate();
        let fields = fields.map(|(at, field)| match self.keys.contains(&at) {
            true => field.clone(),
            false => Arc::new(field.as_ref().clone().with_nullable(true)),
        });
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    }

    /// Rows of these keys, of which nothing else is known.
    pub fn rows_of_keys(&self, keys: &RecordBatch) -> Result<RecordBatch> {
        let schema = self.with_keys_alone();
        let columns = schema.fields().iter().enumerate().map(|(at, field)| {
            let of_key = self.keys.iter().position(|key| *key == at).and_then(|key| keys.columns().get(key));
            of_key.cloned().unwrap_or_else(|| new_null_array(field.data_type(), keys.num_rows()))
        });
        let columns = columns.collect();
        RecordBatch::try_new(schema, columns).doing(Kind::Internal, || "rows of keys alone")
    }

    /// Keys as bytes and back.
    pub fn codec(&self) -> Result<Codec> {
        let fields = self.keys.iter().filter_map(|key| self.schema.fields().get(*key));
        Codec::new(fields.map(|field| field.data_type()))
    }

    /// The columns that it looks at.
    pub fn needs(&self) -> impl Iterator<Item = usize> {
        self.keys.iter().copied().chain(self.time)
    }

    /// Whether rows have a watermark.
    pub fn has_event_time(&self) -> bool {
        self.time.is_some()
    }

    /// The output of late rows.
    pub fn late_port(&self) -> Port {
        late::port(self.schema.clone())
    }

    /// Rows that came too late since the last call.
    pub fn take_late(&self) -> u64 {
        self.late.swap(0, Relaxed)
    }

    /// What sends the rows of one partition: the key's bytes, then the row. `late_port` is the index of the output of late rows.
    pub fn scatter(&self, cx: &EpochContext, late_port: usize) -> Result<Box<dyn Scatter>> {
        let codec = self.codec()?;
        Ok(Box::new(Scattering { by: self.clone(), codec, late: cx.in_force.late, late_port }))
    }
}

struct Scattering {
    by: ByKey,
    codec: Codec,
    late: Watermark,
    late_port: usize,
}

impl Scatter for Scattering {
    fn on_batch(&mut self, batch: &Batch, out: &mut Scattered) -> Result<()> {
        let mut rows = batch.rows.clone();
        let mut origin = if self.by.placed { batch.origin.clone() } else { Origin::default() };
        let times = self.by.time.and_then(|time| rows.columns().get(time)).map(final_at).transpose()?;
        let late = times.and_then(|times| late::which(&times, self.late));
        if let Some(which) = late {
            let (in_time, late) = late::divided(&rows, &which)?;
            self.by.late.fetch_add(late.num_rows() as u64, Relaxed);
            out.side.push((self.late_port, late));
            rows = in_time;
            if self.by.placed {
                origin = origin.keep(&!which.values());
            }
        }
        if rows.num_rows() == 0 {
            return Ok(());
        }
        let of_key = self.by.keys.iter().filter_map(|key| rows.columns().get(*key).cloned());
        let encoded = encode_keys(&self.codec, of_key)?;
        let (keys, hashes) = hashed(encoded.iter().map(|key| key.data()));
        let columns = [keys].into_iter().chain(rows.columns().iter().cloned()).collect();
        let rows = RecordBatch::try_new(self.by.pieces.clone(), columns);
        let rows = rows.doing(Kind::Internal, || "rows beside their keys")?;
        out.pieces.push(Piece { rows, hashes, origin });
        Ok(())
    }

    fn on_end(&mut self, _: &mut Scattered) -> Result<()> {
        Ok(())
    }
}
