//! What inputs made of lines have in common, however the lines arrive.

use crate::{
    feed::{self, Raw, RawLines, lost},
    files::FileFormat,
    formats::{
        csv::decode::{CsvInput, CsvRow},
        infer::{LineSampler, Shape},
        json::decode::JsonRow,
        lines::lines,
        rows::{CORRUPT_RECORD, LineFormat, RowRules, Tally},
    },
    source::{Limit, SchemaOption, SourceOptions},
    units::ByteSize,
};
use arrow::datatypes::{DataType, Field, Schema};
use engine::{BadRows, Batch, Error, Result, Wanted};
use std::{io, sync::Arc};
use tokio::sync::mpsc;

/// The longest line unless a setting says otherwise.
pub(crate) const MAX_LINE_BYTES: ByteSize = ByteSize(16 << 20);

/// How lines become rows.
#[derive(Clone)]
pub(crate) struct LineInput {
    format: FileFormat,
    csv: CsvInput,
    longest: ByteSize,
    options: SourceOptions,
    tally: Tally,
}

impl LineInput {
    pub(crate) fn new(
        format: Option<FileFormat>,
        csv: Option<CsvInput>,
        longest: Option<ByteSize>,
        options: SourceOptions,
    ) -> Result<Self> {
        let format = format.unwrap_or(FileFormat::Text);
        if format == FileFormat::Parquet {
            return Err(Error::invalid("format: parquet has no lines; use json, csv or text"));
        }
        if options.evolve {
            return Err(Error::invalid(
                "evolve: only files can extend a schema; use `rescue` to keep unknown fields",
            ));
        }
        if !matches!(options.max_per_trigger, None | Some(Limit::Rows(_))) {
            return Err(Error::invalid("max-per-trigger: this source counts rows; write { rows = 100_000 }"));
        }
        let csv = csv.unwrap_or_default();
        csv.rules()?;
        Ok(LineInput {
            format,
            csv,
            longest: longest.unwrap_or(MAX_LINE_BYTES),
            options,
            tally: Tally::default(),
        })
    }

    /// The columns; none if they have to be inferred.
    pub(crate) fn schema(&self) -> Result<Option<Schema>> {
        match (&self.options.schema, self.format) {
            (Some(SchemaOption::Ddl(text)), _) => self.options.columns(text).map(Some),
            (_, FileFormat::Text) => Ok(Some(Schema::new(vec![Field::new("value", DataType::Utf8, true)]))),
            (Some(SchemaOption::Infer), _) => Ok(None),
            (None, _) => Err(Error::invalid("set `schema` to the columns, or to \"infer\"")),
        }
    }

    /// The columns of the first lines.
    pub(crate) fn infer(&self, first: &Raw) -> Result<Schema> {
        let Raw::Lines(block) = first else {
            return Err(Error::invalid("the first line is longer than `max-line-bytes`: set `schema`"));
        };
        let mut sampler = match self.format {
            FileFormat::Csv => LineSampler::csv(&self.csv)?,
            _ => LineSampler::json(),
        };
        let mut shape = Shape::default();
        lines(block).for_each(|line| sampler.see(line, &mut shape));
        let schema = shape.schema();
        if schema.fields().is_empty() {
            return Err(Error::invalid("the first lines tell no schema: set `schema`"));
        }
        Ok(self.options.with_rescue(schema))
    }

    fn rules(&self, schema: Schema) -> RowRules {
        RowRules {
            schema: Arc::new(schema),
            on_bad_data: self.options.on_bad_data,
            rescue: self.options.rescue.clone(),
            time_zone: self.options.time_zone.clone(),
            tally: self.tally.clone(),
            wanted: Wanted::All,
        }
    }

    /// The bad rows decoded since the last call: those of an epoch, and of what has come in meanwhile.
    pub(crate) fn bad_rows(&self) -> BadRows {
        self.tally.take()
    }

    /// Starts to decode lines `of` an input: `first`, which were looked at already, then the others.
    pub(crate) fn decode(
        &self,
        first: Vec<Raw>,
        lines: RawLines,
        schema: Schema,
        of: &str,
    ) -> Result<mpsc::Receiver<Result<Batch>>> {
        let of: Arc<str> = of.into();
        let rules = self.rules(schema);
        let format = {
            let (input, rules, of) = (self.clone(), rules.clone(), of.clone());
            move |first: &mut Vec<Raw>, lines: &RawLines| input.line_format(first, lines, &rules, &of)
        };
        feed::decode(first, lines, format, rules, of)
    }

    /// How to decode the lines `of` an input, and the number of the first. Takes the header of CSV out of the `first` ones,
    /// blocking until there are some.
    fn line_format(
        &self,
        first: &mut Vec<Raw>,
        lines: &RawLines,
        rules: &RowRules,
        of: &str,
    ) -> Result<(LineFormat, u64)> {
        let special = [Some(CORRUPT_RECORD), rules.rescue.as_deref()];
        let fields = rules.schema.fields();
        let own = fields.iter().enumerate().filter(|(_, f)| !special.contains(&Some(f.name().as_str())));
        let own: Vec<usize> = own.map(|(i, _)| i).collect();
        Ok(match self.format {
            FileFormat::Text | FileFormat::Parquet => (LineFormat::Text(own.first().copied()), 1),
            FileFormat::Json => (LineFormat::Json(JsonRow::default()), 1),
            FileFormat::Csv => match self.header(first, lines).map_err(|e| lost(of, e))? {
                Some(header) => {
                    (LineFormat::Csv(CsvRow::by_header(self.csv.rules()?, &header, fields, &own)?), 2)
                }
                None => (LineFormat::Csv(CsvRow::in_order(self.csv.rules()?, own)), 1),
            },
        })
    }

    fn header(&self, first: &mut Vec<Raw>, rest: &RawLines) -> io::Result<Option<Vec<u8>>> {
        if !self.csv.header {
            return Ok(None);
        }
        if first.is_empty() {
            first.extend(rest.recv().ok().transpose()?);
        }
        let Some(Raw::Lines(block)) = first.first_mut() else { return Ok(None) };
        let header = lines(block).next().map(<[u8]>::to_vec);
        let end = memchr::memchr(b'\n', block).map_or(block.len(), |at| at + 1);
        block.drain(..end);
        Ok(header)
    }

    pub(crate) fn longest(&self) -> usize {
        usize::try_from(self.longest.0).unwrap_or(usize::MAX)
    }

    /// Rows of an epoch at most.
    pub(crate) fn max_rows(&self) -> Option<u64> {
        match self.options.max_per_trigger {
            Some(Limit::Rows(rows)) => Some(rows),
            _ => None,
        }
    }
}
