//! The key or the value of messages, to columns.

use super::{
    avro::AvroPart,
    protobuf::ProtobufRow,
    registry::{Registry, Schema as Registered},
};
use crate::{
    formats::{
        columns::Columns,
        csv::decode::{CsvInput, CsvRow},
        json::decode::JsonRow,
        rows::{CORRUPT_RECORD, Cells, Fault, RowRules, Verdict},
    },
    kafka::settings::Format,
};
use arrow::{
    array::{ArrayRef, NullBufferBuilder, StructArray},
    datatypes::{DataType, Field, Schema, SchemaRef},
};
use engine::{Error, Result};
use std::{borrow::Cow, sync::Arc};

/// How the bytes of a key or a value are read.
#[derive(Clone)]
pub(super) struct PartRules {
    pub(super) format: Format,
    pub(super) csv: CsvInput,
    /// With the columns, or of a key with its fields.
    pub(super) rows: RowRules,
    /// Where the columns are from, if from a registry.
    pub(super) origin: Option<Origin>,
    /// Whether a key is not a STRUCT, but a column of another type.
    pub(super) is_one: bool,
}

/// A schema of a registry.
#[derive(Clone)]
pub(super) struct Origin {
    pub(super) registry: Arc<Registry>,
    pub(super) schema: Arc<Registered>,
    /// Whether it is of a single value, and not of a record.
    pub(super) is_one: bool,
}

/// Why a key or a value is not what the schema asks for.
pub(super) struct Trouble {
    /// In words.
    pub(super) what: Cow<'static, str>,
    /// Whether the other values of the row can be kept.
    pub(super) keeps: bool,
    /// Where, in bytes from 0.
    pub(super) at: usize,
}

/// Collects keys or values. Of each message `read` is called, and then one of `keep`, `keep_bad` and `abandon`.
pub(super) struct Part {
    body: Body,
    schema: SchemaRef,
    is_one: bool,
    /// Which rows had any bytes at all.
    there: NullBufferBuilder,
}

enum Body {
    Rows(Box<RowPart>),
    Avro(Box<AvroPart>),
}

/// Reads messages one by one straight into columns.
struct RowPart {
    format: RowFormat,
    cells: Cells,
    schema: SchemaRef,
    corrupt: Option<usize>,
}

enum RowFormat {
    Json(JsonRow),
    Csv(CsvRow),
    Text(Option<usize>),
    Raw,
    Protobuf(ProtobufRow),
}

impl Part {
    pub(super) fn new(rules: &PartRules) -> Result<Self> {
        let schema = rules.rows.schema.clone();
        let body = match (&rules.origin, rules.format) {
            (Some(Origin { registry, schema: reader, .. }), Format::Avro) => {
                Body::Avro(Box::new(AvroPart::new(registry.clone(), reader.clone(), schema.clone())))
            }
            _ => Body::Rows(Box::new(RowPart::new(rules)?)),
        };
        Ok(Part { body, schema, is_one: rules.is_one, there: NullBufferBuilder::new(0) })
    }

    /// Reads the bytes of one message. A message without bytes is a row of NULLs, and so is one that is blank where there have to be
    /// fields. The inner answer says what is wrong with it.
    #[inline]
    pub(super) fn read(&mut self, bytes: Option<&[u8]>) -> Result<Option<Trouble>> {
        match (bytes, &mut self.body) {
            (None, _) => Ok(None),
            (Some(bytes), Body::Rows(rows)) => rows.read(bytes),
            (Some(bytes), Body::Avro(avro)) => avro.read(bytes),
        }
    }

    /// Ends the row.
    #[inline]
    pub(super) fn keep(&mut self, bytes: Option<&[u8]>) -> Result<()> {
        self.there.append(bytes.is_some());
        match &mut self.body {
            Body::Rows(rows) => {
                rows.cells.end_row();
                Ok(())
            }
            Body::Avro(avro) => avro.keep(bytes.is_none()),
        }
    }

    /// Ends a row that is not what it should be, with what of it can be kept.
    #[cold]
    pub(super) fn keep_bad(&mut self, bytes: Option<&[u8]>, trouble: &Trouble) -> Result<()> {
        self.there.append(trouble.keeps);
        match &mut self.body {
            Body::Rows(rows) => {
                rows.end_bad(bytes, trouble);
                Ok(())
            }
            Body::Avro(avro) => avro.keep(true),
        }
    }

    /// Takes the row back.
    #[cold]
    pub(super) fn abandon(&mut self) {
        match &mut self.body {
            Body::Rows(rows) => rows.cells.abandon_row(),
            Body::Avro(avro) => avro.abandon(),
        }
    }

    /// The columns of the rows so far; starts anew.
    pub(super) fn take(&mut self) -> Result<Vec<ArrayRef>> {
        self.there = NullBufferBuilder::new(0);
        match &mut self.body {
            Body::Rows(rows) => rows.cells.columns.take_arrays(),
            Body::Avro(avro) => avro.take(),
        }
    }

    /// The same as one column: the only one, or a STRUCT of them.
    pub(super) fn take_one(&mut self) -> Result<ArrayRef> {
        let there = std::mem::replace(&mut self.there, NullBufferBuilder::new(0)).finish();
        let columns = self.take()?;
        if self.is_one {
            return columns.into_iter().next().ok_or_else(|| Error::internal("a key without a column"));
        }
        StructArray::try_new(self.schema.fields().clone(), columns, there)
            .map(|key| Arc::new(key) as ArrayRef)
            .map_err(|e| Error::internal("building a key").caused_by(e))
    }
}

impl RowPart {
    fn new(rules: &PartRules) -> Result<Self> {
        let fields = rules.rows.schema.fields();
        let mut columns = Columns::new(fields)?;
        let corrupt = columns.reserve(CORRUPT_RECORD);
        let rescue = rules.rows.rescue.as_deref().and_then(|name| columns.reserve(name));
        let special = [corrupt, rescue];
        (0..fields.len()).filter(|i| !rules.rows.reads(*i)).for_each(|i| columns.leave_out(i));
        let own: Vec<usize> = (0..fields.len()).filter(|i| !special.contains(&Some(*i))).collect();
        let format = match (rules.format, &rules.origin) {
            (Format::Json, _) => RowFormat::Json(JsonRow::default()),
            (Format::Csv, _) => RowFormat::Csv(CsvRow::in_order(rules.csv.rules()?, own)),
            (Format::Raw, _) => RowFormat::Raw,
            (Format::String, _) => RowFormat::Text(own.first().copied()),
            (Format::Protobuf, Some(origin)) => {
                RowFormat::Protobuf(ProtobufRow::new(origin.registry.clone()))
            }
            _ => return Err(Error::internal("a format of a registry without a registry")),
        };
        let time_zone = rules.rows.time_zone.clone();
        let cells = Cells { columns, time_zone, rescue, rescued: Vec::new() };
        Ok(RowPart { format, cells, schema: rules.rows.schema.clone(), corrupt })
    }

    #[inline]
    fn read(&mut self, bytes: &[u8]) -> Result<Option<Trouble>> {
        match &mut self.format {
            RowFormat::Raw => {
                self.put(0, bytes);
                return Ok(None);
            }
            RowFormat::Protobuf(messages) => return messages.read(bytes, &mut self.cells.columns),
            _ => {}
        }
        if std::str::from_utf8(bytes).is_err() {
            return Ok(Some(Trouble { what: "not valid UTF-8".into(), keeps: false, at: 0 }));
        }
        let verdict = match &mut self.format {
            RowFormat::Json(json) => json.row(bytes, &mut self.cells),
            RowFormat::Csv(csv) => csv.row(bytes, &mut self.cells),
            RowFormat::Text(column) => {
                if let Some(column) = *column {
                    self.put(column, bytes);
                }
                Verdict::Row
            }
            RowFormat::Raw | RowFormat::Protobuf(_) => Verdict::Row,
        };
        Ok(match verdict {
            Verdict::Row | Verdict::Blank => None,
            Verdict::Bad(fault) => Some(self.trouble(fault)),
        })
    }

    fn put(&mut self, column: usize, bytes: &[u8]) {
        if let Some(cell) = self.cells.columns.cell(column) {
            cell.push_bytes(bytes);
        }
    }

    #[cold]
    fn trouble(&self, fault: Fault) -> Trouble {
        let column = fault.column.and_then(|i| self.schema.fields().get(i));
        let what = match column {
            Some(field) => format!(
                "column {:?} is {}, but {}",
                field.name(),
                crate::formats::ddl::print_type(field.data_type()),
                fault.what
            )
            .into(),
            None => fault.what.into(),
        };
        Trouble { what, keeps: fault.column.is_some(), at: fault.at }
    }

    #[cold]
    fn end_bad(&mut self, bytes: Option<&[u8]>, trouble: &Trouble) {
        if !trouble.keeps {
            self.cells.abandon_row();
        }
        if let Some(column) = self.corrupt {
            let text = String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned();
            self.put(column, text.as_bytes());
        }
        self.cells.end_row();
    }
}

/// The one column of `string` and `raw`.
pub(super) fn single(name: &str, format: Format) -> Schema {
    let kind = if format == Format::Raw { DataType::Binary } else { DataType::Utf8 };
    Schema::new(vec![Field::new(name, kind, true)])
}
