//! Answers to questions, as people or programs want them.

use crate::cli::AnswerFormat;
use arrow::array::RecordBatch;
use connectors::{
    console::{self, ConsoleSettings, Truncate},
    files::FileFormat,
    formats::encode::CsvOutput,
    stdout::{self, StdoutSettings},
};
use engine::{Kind, Result, ResultExt, sql::Rows};
use jiff::tz::TimeZone;

/// The rows as text; times are shown in `zone`.
pub(crate) fn text(rows: &Rows, format: AnswerFormat, zone: TimeZone) -> Result<String> {
    match format {
        AnswerFormat::Table => {
            let settings = ConsoleSettings { num_rows: usize::MAX - 1, truncate: Truncate::Whether(false) };
            console::show(&rows.schema, &rows.batches, &settings, zone)
        }
        AnswerFormat::Json => lines(FileFormat::Json, &rows.batches, &zone),
        AnswerFormat::Csv => lines(FileFormat::Csv, &rows.batches, &zone),
    }
}

fn lines(format: FileFormat, rows: &[RecordBatch], zone: &TimeZone) -> Result<String> {
    let csv = (format == FileFormat::Csv).then(|| CsvOutput { header: true, ..CsvOutput::default() });
    let settings = StdoutSettings { format: Some(format), csv, json: None };
    String::from_utf8(stdout::encode(settings, zone, rows)?).doing(Kind::Internal, || "rows as text")
}
