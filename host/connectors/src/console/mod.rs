//! A table of each epoch on the terminal, as Spark's console sink prints it.

mod table;

use self::table::{Head, Table};
use crate::formats::encode::cell::Style;
use arrow::{
    array::RecordBatch,
    datatypes::{Schema, SchemaRef},
};
use async_trait::async_trait;
use engine::{
    Begin, Begun, Epoch, EpochWriter, Error, Guarantee, Kind, OutputMode, Partition, QueryId, Result,
    ResultExt, Sink, Token,
};
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, Unexpected, Visitor},
};
use serde_json::json;
use std::{
    fmt,
    io::Write,
    sync::{Arc, Mutex, PoisonError},
};

/// `[sinks.<name>.console]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(
    rename_all = "kebab-case",
    deny_unknown_fields,
    default,
    expecting = "a table such as { num-rows = 20 }"
)]
pub struct ConsoleSettings {
    /// How many rows of an epoch are printed. Default: 20.
    pub num_rows: usize,
    /// Cut values at this many characters. Default: true, which is 20.
    pub truncate: Truncate,
}

/// Whether long values are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Truncate {
    /// At 20 characters, or not at all.
    Whether(bool),
    /// At this many characters; 0 is not at all.
    At(usize),
}

impl Default for ConsoleSettings {
    fn default() -> Self {
        ConsoleSettings { num_rows: 20, truncate: Truncate::Whether(true) }
    }
}

impl<'de> Deserialize<'de> for Truncate {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(TruncateVisitor)
    }
}

struct TruncateVisitor;

impl Visitor<'_> for TruncateVisitor {
    type Value = Truncate;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("true, false or a number of characters, such as 40")
    }

    fn visit_bool<E: de::Error>(self, whether: bool) -> Result<Truncate, E> {
        Ok(Truncate::Whether(whether))
    }

    fn visit_u64<E: de::Error>(self, characters: u64) -> Result<Truncate, E> {
        Ok(Truncate::At(usize::try_from(characters).unwrap_or(usize::MAX)))
    }

    fn visit_i64<E: de::Error>(self, characters: i64) -> Result<Truncate, E> {
        match u64::try_from(characters) {
            Ok(characters) => self.visit_u64(characters),
            Err(_) => Err(E::invalid_value(Unexpected::Signed(characters), &self)),
        }
    }
}

impl Truncate {
    fn characters(self) -> Option<usize> {
        match self {
            Truncate::Whether(true) => Some(20),
            Truncate::Whether(false) | Truncate::At(0) => None,
            Truncate::At(characters) => Some(characters),
        }
    }
}

type Out = Arc<Mutex<Box<dyn Write + Send>>>;

/// Prints the first rows of each epoch, in the order of the input, when the epoch is committed.
pub struct ConsoleSink {
    settings: ConsoleSettings,
    style: Arc<Style>,
    out: Out,
}

impl ConsoleSink {
    /// Prints to `out`; times are shown in `zone`.
    pub fn new(settings: ConsoleSettings, zone: TimeZone, out: Box<dyn Write + Send>) -> Self {
        ConsoleSink { settings, style: Arc::new(Style { zone, iso: false }), out: Arc::new(Mutex::new(out)) }
    }
}

#[async_trait]
impl Sink for ConsoleSink {
    fn accepts(&self, _: OutputMode, _: &SchemaRef) -> Result<Guarantee> {
        Ok(Guarantee::BestEffort)
    }

    async fn open(&self, _: &QueryId, _: &str) -> Result<()> {
        Ok(())
    }

    async fn begin(&self, epoch: &Begin) -> Result<Begun> {
        Ok(Begun::Writer(Box::new(ConsoleEpoch {
            epoch: epoch.epoch,
            columns: epoch.schema.fields().iter().map(|f| f.name().clone()).collect(),
            settings: self.settings.clone(),
            style: self.style.clone(),
            heads: (0..epoch.partitions).map(|_| Mutex::default()).collect(),
            out: self.out.clone(),
        })))
    }
}

/// Holds, for each partition, as many rows as may be printed, as text.
struct ConsoleEpoch {
    epoch: Epoch,
    columns: Vec<String>,
    settings: ConsoleSettings,
    style: Arc<Style>,
    heads: Vec<Mutex<Head>>,
    out: Out,
}

#[async_trait]
impl EpochWriter for ConsoleEpoch {
    async fn write(&self, partition: Partition, rows: RecordBatch) -> Result<()> {
        let head = self.heads.get(partition.index()).ok_or_else(|| {
            Error::internal(format!("partition {partition} of {} was written", self.heads.len()))
        })?;
        let mut head = head.lock().unwrap_or_else(PoisonError::into_inner);
        head.push(&rows, self.settings.num_rows, &self.style)
    }

    async fn commit(self: Box<Self>) -> Result<Token> {
        let mut table = Table::new(&self.columns, self.settings.truncate.characters());
        let mut total = 0;
        for head in self.heads {
            let head = head.into_inner().unwrap_or_else(PoisonError::into_inner);
            total += head.total;
            table.push(head.rows, self.settings.num_rows);
        }
        let rule = "-".repeat(43);
        let text = format!("{rule}\nBatch: {}\n{rule}\n{}\n", self.epoch, table.show(total));
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        out.write_all(text.as_bytes())
            .and_then(|()| out.flush())
            .doing(Kind::Unavailable, || format!("printing epoch {} to the console", self.epoch))?;
        Ok(Token(json!({ "rows": total })))
    }
}

/// Rows as the console shows them: the first `most`, values cut as the settings say; times in `zone`.
pub fn show(
    schema: &Schema,
    rows: &[RecordBatch],
    settings: &ConsoleSettings,
    zone: TimeZone,
) -> Result<String> {
    let columns: Vec<String> = schema.fields().iter().map(|f| f.name().clone()).collect();
    let style = Style { zone, iso: false };
    let mut head = Head::default();
    for rows in rows {
        head.push(rows, settings.num_rows, &style)?;
    }
    let mut table = Table::new(&columns, settings.truncate.characters());
    table.push(head.rows, settings.num_rows);
    Ok(table.show(head.total))
}

#[cfg(test)]
mod tests;
