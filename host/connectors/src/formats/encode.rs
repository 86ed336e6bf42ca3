//! Arrow batches to the bytes of a file or stream.

pub mod cell;
mod compressor;

use self::compressor::Compressor;
pub use super::{csv::encode::CsvOutput, json::encode::JsonOutput};
use super::{
    csv::encode::CsvRows, json::encode::JsonRows, parquet::encode as parquet_encode, text::encode::TextRows,
};
use crate::files::FileFormat;
use arrow::{
    array::RecordBatch,
    datatypes::{Schema, SchemaRef},
};
use engine::{Error, Kind, Result};
use jiff::tz::TimeZone;
use parquet::arrow::ArrowWriter;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{
    error::Error as StdError,
    io::{self, Write},
};

/// A format with the options it has when written.
#[derive(Clone, Debug, PartialEq)]
pub enum Encoding {
    /// Comma-separated values.
    Csv(CsvOutput),
    /// One JSON object a line.
    Json(JsonOutput),
    /// One STRING column, a value a line.
    Text,
    /// Apache Parquet.
    Parquet,
}

/// How the bytes of a file are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Codec {
    /// Not at all.
    None,
    /// Snappy, inside Parquet only.
    Snappy,
    /// gzip; a text file gets the extension `.gz`.
    Gzip,
    /// Zstandard; a text file gets the extension `.zst`.
    Zstd,
}

/// Rows to the bytes of a format that needs nothing around or behind them.
pub trait EncodeRows: Send {
    /// Appends the rows to `out`. An error leaves `out` with an unfinished row.
    fn encode(&mut self, rows: &RecordBatch, out: &mut Vec<u8>) -> Result<()>;
}

impl Encoding {
    /// A format with its options, as settings have them. [`Kind::Invalid`] if there are options of another format.
    pub fn new(format: FileFormat, csv: Option<CsvOutput>, json: Option<JsonOutput>) -> Result<Self> {
        let options = [("csv", csv.is_some(), FileFormat::Csv), ("json", json.is_some(), FileFormat::Json)];
        if let Some((name, ..)) = options.into_iter().find(|(_, given, of)| *given && *of != format) {
            return Err(Error::invalid(format!("{name} = … needs format = \"{name}\"")));
        }
        Ok(match format {
            FileFormat::Csv => Encoding::Csv(csv.unwrap_or_default()),
            FileFormat::Json => Encoding::Json(json.unwrap_or_default()),
            FileFormat::Text => Encoding::Text,
            FileFormat::Parquet => Encoding::Parquet,
        })
    }

    /// The name in a pipeline.
    pub fn name(&self) -> &'static str {
        match self {
            Encoding::Csv(_) => "csv",
            Encoding::Json(_) => "json",
            Encoding::Text => "text",
            Encoding::Parquet => "parquet",
        }
    }

    /// The codec that a file has unless told otherwise.
    pub fn default_codec(&self) -> Codec {
        match self {
            Encoding::Parquet => Codec::Snappy,
            _ => Codec::None,
        }
    }

    /// The extension of a file, without the first dot.
    pub fn extension(&self, codec: Codec) -> String {
        let format = if *self == Encoding::Text { "txt" } else { self.name() };
        match (self, codec) {
            (Encoding::Csv(_) | Encoding::Json(_) | Encoding::Text, Codec::Gzip) => format!("{format}.gz"),
            (Encoding::Csv(_) | Encoding::Json(_) | Encoding::Text, Codec::Zstd) => format!("{format}.zst"),
            _ => format.to_owned(),
        }
    }

    /// [`Kind::Invalid`] if rows of this schema cannot be written in this format, or not with this codec.
    pub fn accepts(&self, codec: Codec, schema: &Schema) -> Result<()> {
        if *self != Encoding::Parquet && codec == Codec::Snappy {
            let name = self.name();
            return Err(Error::invalid(format!(
                "{name} files can be compressed with gzip, zstd or none, not snappy"
            )));
        }
        match self {
            Encoding::Csv(options) => options.accepts(schema),
            Encoding::Json(_) => super::json::encode::accepts(schema),
            Encoding::Text => super::text::encode::accepts(schema),
            Encoding::Parquet => parquet_encode::accepts(schema),
        }
    }

    /// An encoder of rows for a stream; times are shown in `zone`. Parquet, which has a footer, is refused.
    pub fn rows(&self, zone: &TimeZone) -> Result<Box<dyn EncodeRows>> {
        match self {
            Encoding::Csv(options) => Ok(Box::new(CsvRows::new(options, zone.clone()))),
            Encoding::Json(options) => Ok(Box::new(JsonRows::new(options, zone.clone()))),
            Encoding::Text => Ok(Box::new(TextRows)),
            Encoding::Parquet => Err(Error::invalid(
                "parquet cannot be written to a stream; write json, csv or text, or to a directory",
            )),
        }
    }

    /// An encoder of one file, to be written to `out`. `schema` has been accepted.
    pub fn file<W: Write + Send>(
        &self,
        codec: Codec,
        schema: &SchemaRef,
        zone: &TimeZone,
        out: W,
    ) -> Result<FileEncoder<W>> {
        if *self == Encoding::Parquet {
            let writer = parquet_encode::writer(schema, codec, out)?;
            return Ok(FileEncoder(Parts::Parquet(Box::new(writer))));
        }
        let out = Box::new(Compressor::new(codec, out).map_err(write_failed)?);
        Ok(FileEncoder(Parts::Rows { rows: self.rows(zone)?, buffer: Vec::new(), out }))
    }
}

/// Writes one file.
pub struct FileEncoder<W: Write + Send>(Parts<W>);

enum Parts<W: Write + Send> {
    Rows { rows: Box<dyn EncodeRows>, buffer: Vec<u8>, out: Box<Compressor<W>> },
    Parquet(Box<ArrowWriter<W>>),
}

impl<W: Write + Send> FileEncoder<W> {
    /// Appends rows.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        match &mut self.0 {
            Parts::Rows { rows, buffer, out } => {
                buffer.clear();
                rows.encode(batch, buffer)?;
                out.write_all(buffer).map_err(write_failed)
            }
            Parts::Parquet(writer) => parquet_encode::write(writer, batch),
        }
    }

    /// About how many bytes the file has by now.
    pub fn bytes(&self) -> u64 {
        match &self.0 {
            Parts::Rows { out, .. } => out.written(),
            Parts::Parquet(writer) => (writer.bytes_written() + writer.in_progress_size()) as u64,
        }
    }

    /// About how many bytes of memory wait to be written.
    pub fn held(&self) -> usize {
        match &self.0 {
            Parts::Rows { buffer, .. } => buffer.capacity(),
            Parts::Parquet(writer) => writer.memory_size(),
        }
    }

    /// Writes what can be written before the end.
    pub fn flush(&mut self) -> Result<()> {
        match &mut self.0 {
            Parts::Rows { buffer, .. } => *buffer = Vec::new(),
            Parts::Parquet(writer) => writer.flush().map_err(write_failed)?,
        }
        Ok(())
    }

    /// Writes what is held back and the end of the file; nothing is synced.
    pub fn finish(self) -> Result<()> {
        match self.0 {
            Parts::Rows { out, .. } => out.finish().map_err(write_failed),
            Parts::Parquet(mut writer) => writer.finish().map(drop).map_err(write_failed),
        }
    }
}

/// The failure of an encoder: of its output if an I/O error is below it, else of the encoder itself.
pub(super) fn write_failed(error: impl Into<Box<dyn StdError + Send + Sync>>) -> Error {
    let error = error.into();
    match is_io(error.as_ref()) {
        true => Error::new(Kind::Unavailable, "writing").caused_by(error),
        false => Error::internal("encoding rows").caused_by(error),
    }
}

fn is_io(error: &(dyn StdError + 'static)) -> bool {
    error.is::<io::Error>() || error.source().is_some_and(is_io)
}
