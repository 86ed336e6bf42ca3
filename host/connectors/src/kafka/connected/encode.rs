//! Rows to messages.

use super::avro;
use crate::{
    formats::encode::{
        EncodeRows, JsonOutput,
        cell::{Style, cells},
    },
    kafka::sink_settings::{KafkaSinkSettings, SinkFormat},
};
use arrow::{
    array::{Array, ArrayRef, AsArray, RecordBatch},
    datatypes::{DataType, Int32Type, Schema, SchemaRef},
};
use engine::{Error, Kind, Result, ResultExt};
use jiff::tz::TimeZone;
use rdkafka::message::{Header, OwnedHeaders};
use std::sync::Arc;

/// Which column of some rows goes where.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    topic: Option<usize>,
    key: Option<usize>,
    headers: Option<usize>,
    partition: Option<usize>,
    /// The others.
    value: Vec<usize>,
    format: SinkFormat,
    json: JsonOutput,
    /// Where a message goes whose topic no column says.
    fallback: Option<String>,
}

/// A message to be sent.
pub(super) struct Outgoing<'a> {
    pub(super) topic: &'a str,
    pub(super) partition: Option<i32>,
    pub(super) key: Option<&'a [u8]>,
    pub(super) value: Option<&'a [u8]>,
    pub(super) headers: Option<OwnedHeaders>,
}

impl Layout {
    /// [`Kind::Invalid`] if a column is not there, or cannot be what it is to be.
    pub(super) fn new(settings: &KafkaSinkSettings, schema: &Schema) -> Result<Self> {
        let find = |setting: &str, name: &Option<String>, fits: fn(&DataType) -> bool, what: &str| {
            let Some(name) = name else { return Ok(None) };
            let index = schema.index_of(name).map_err(|_| {
                let there: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
                Error::invalid(format!(
                    "{setting}: there is no column {name:?}; there are: {}",
                    there.join(", ")
                ))
            })?;
            match fits(schema.field(index).data_type()) {
                true => Ok(Some(index)),
                false => {
                    Err(Error::invalid(format!("{setting}: column {name:?} has to be {what}; convert it")))
                }
            }
        };
        let KafkaSinkSettings { topic_from_column, key_from_column, headers_from_column, .. } = settings;
        let topic = find("topic-from-column", topic_from_column, |t| *t == DataType::Utf8, "STRING")?;
        let key = find("key-from-column", key_from_column, |_| true, "")?;
        let headers = "ARRAY<STRUCT<key: STRING, value: BINARY>>";
        let headers = find("headers-from-column", headers_from_column, are_headers, headers)?;
        let partition = &settings.partition_from_column;
        let partition = find("partition-from-column", partition, |t| *t == DataType::Int32, "INT")?;
        let taken = [topic, key, headers, partition];
        let value = (0..schema.fields().len()).filter(|i| !taken.contains(&Some(*i))).collect();
        let layout = Layout {
            topic,
            key,
            headers,
            partition,
            value,
            format: settings.value,
            json: settings.json.clone().unwrap_or_default(),
            fallback: settings.topic.clone(),
        };
        layout.check_value(schema)?;
        Ok(layout)
    }

    fn check_value(&self, schema: &Schema) -> Result<()> {
        let rest: Vec<&str> = self.value.iter().map(|i| schema.field(*i).name().as_str()).collect();
        let only = |kind: DataType, name: &str, written: &str| match self.value.as_slice() {
            [only] if *schema.field(*only).data_type() == kind => Ok(()),
            _ => Err(Error::invalid(format!(
                "value = \"{written}\" takes one {name} column, and these are to be in the value: {}; select one of them, or write value = \"json\"",
                rest.join(", ")
            ))),
        };
        match self.format {
            SinkFormat::String => only(DataType::Utf8, "STRING", "string"),
            SinkFormat::Raw => only(DataType::Binary, "BINARY", "raw"),
            SinkFormat::Json => {
                let schema = schema.project(&self.value).doing(Kind::Internal, || "choosing columns")?;
                crate::formats::json::encode::accepts(&schema)
            }
            SinkFormat::Avro => avro::can_be_written(&self.record(schema)?),
        }
    }

    /// The columns of the value.
    pub(super) fn record(&self, schema: &Schema) -> Result<SchemaRef> {
        schema.project(&self.value).map(Arc::new).doing(Kind::Internal, || "choosing columns")
    }

    /// Hands out a message for each row. Those of Avro have the schema `avro_id` of the registry.
    pub(super) fn encode(
        &self,
        rows: &RecordBatch,
        zone: &TimeZone,
        avro_id: u32,
        mut out: impl FnMut(Outgoing<'_>) -> Result<()>,
    ) -> Result<()> {
        let column = |index: Option<usize>| index.map(|index| rows.column(index));
        let topics = column(self.topic).map(|column| column.as_string::<i32>());
        let partitions = column(self.partition).map(|column| column.as_primitive::<Int32Type>());
        let keys = column(self.key).map(|column| Texts::new(column, zone)).transpose()?;
        let values = self.values(rows, zone, avro_id)?;
        for row in 0..rows.num_rows() {
            let topic = topics.filter(|topics| topics.is_valid(row)).map(|topics| topics.value(row));
            let topic = topic.or(self.fallback.as_deref()).ok_or_else(|| {
                Error::data("a row has no topic: its column is NULL, and `topic`, where such rows would go, is not set")
            })?;
            out(Outgoing {
                topic,
                partition: partitions.filter(|all| all.is_valid(row)).map(|all| all.value(row)),
                key: keys.as_ref().and_then(|keys| keys.get(row)),
                value: values.get(row),
                headers: column(self.headers).and_then(|column| headers(column, row)),
            })?;
        }
        Ok(())
    }

    fn values(&self, rows: &RecordBatch, zone: &TimeZone, avro_id: u32) -> Result<Texts> {
        if let (SinkFormat::String | SinkFormat::Raw, [only]) = (self.format, self.value.as_slice()) {
            return Texts::new(rows.column(*only), zone);
        }
        let rows = rows.project(&self.value).doing(Kind::Internal, || "choosing columns")?;
        if self.format == SinkFormat::Avro {
            let (text, ends) = avro::encode(&rows, avro_id)?;
            let ends = ends.into_iter().map(|end| (end, true)).collect();
            return Ok(Texts::Written(Written { ends, text, between: 0 }));
        }
        let mut text = Vec::new();
        crate::formats::json::encode::JsonRows::new(&self.json, zone.clone()).encode(&rows, &mut text)?;
        // A line a row: JSON has no line feed but between two objects.
        let ends = memchr::memchr_iter(b'\n', &text).map(|at| (at, true));
        Ok(Texts::Written(Written { ends: ends.collect(), text, between: 1 }))
    }
}

fn are_headers(kind: &DataType) -> bool {
    let DataType::List(item) = kind else { return false };
    let DataType::Struct(pair) = item.data_type() else { return false };
    let kinds: Vec<&DataType> = pair.iter().map(|field| field.data_type()).collect();
    kinds == [&DataType::Utf8, &DataType::Binary]
}

fn headers(column: &ArrayRef, row: usize) -> Option<OwnedHeaders> {
    let list = column.as_list::<i32>();
    if list.is_null(row) {
        return None;
    }
    let pairs = list.value(row);
    let pairs = pairs.as_struct();
    let (keys, values) = (pairs.column(0).as_string::<i32>(), pairs.column(1).as_binary::<i32>());
    let all = (0..pairs.len()).fold(OwnedHeaders::new_with_capacity(pairs.len()), |all, i| {
        let value = values.is_valid(i).then(|| values.value(i));
        all.insert(Header { key: keys.value(i), value })
    });
    Some(all)
}

/// The bytes of each row.
enum Texts {
    /// Of a column of STRING or BINARY.
    Column(ArrayRef),
    Written(Written),
}

/// Texts one after the other.
struct Written {
    /// Where each ends, and whether it is there.
    ends: Vec<(usize, bool)>,
    text: Vec<u8>,
    /// Bytes between two of them.
    between: usize,
}

impl Written {
    fn get(&self, row: usize) -> Option<&[u8]> {
        let before = row.checked_sub(1).and_then(|before| self.ends.get(before));
        let start = before.map_or(0, |(end, _)| end + self.between);
        let (end, there) = *self.ends.get(row)?;
        if there { self.text.get(start..end) } else { None }
    }
}

impl Texts {
    fn new(column: &ArrayRef, zone: &TimeZone) -> Result<Self> {
        if matches!(column.data_type(), DataType::Utf8 | DataType::Binary) {
            return Ok(Texts::Column(column.clone()));
        }
        let style = Style { zone: zone.clone(), iso: true };
        let cell = cells(column, &style)?;
        let mut text = String::new();
        let ends = (0..column.len()).map(|row| {
            let there = column.is_valid(row);
            if there {
                cell(row, &mut text);
            }
            (text.len(), there)
        });
        let ends = ends.collect();
        Ok(Texts::Written(Written { ends, text: text.into_bytes(), between: 0 }))
    }

    fn get(&self, row: usize) -> Option<&[u8]> {
        match self {
            Texts::Column(column) if column.is_null(row) => None,
            Texts::Column(column) => Some(match column.data_type() {
                DataType::Binary => column.as_binary::<i32>().value(row),
                _ => column.as_string::<i32>().value(row).as_bytes(),
            }),
            Texts::Written(written) => written.get(row),
        }
    }
}
