//! Writes CSV.

use crate::formats::encode::{
    EncodeRows,
    cell::{Cell, Style, cells},
};
use arrow::{
    array::{Array, RecordBatch},
    datatypes::{DataType, Schema},
};
use engine::{Error, Result};
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How CSV is written. The defaults are Spark's; white space at the ends of a value is kept, though.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(
    rename_all = "kebab-case",
    deny_unknown_fields,
    default,
    expecting = "a table such as { header = true }"
)]
pub struct CsvOutput {
    /// Start each file with the names of the columns. Default: false.
    pub header: bool,
    /// Between two values. Default: `,`.
    pub delimiter: char,
    /// Around a value that holds a delimiter, a quote or a line break. Default: `"`.
    pub quote: char,
    /// Before a quote inside quotes. Default: `\`; set it to the quote for readers that expect it doubled.
    pub escape: char,
    /// What stands for NULL. Default: nothing; an empty string is then written as two quotes. So is a row that would be a
    /// blank line, as the NULL of a single column is: readers skip those.
    pub null_value: String,
}

impl Default for CsvOutput {
    fn default() -> Self {
        CsvOutput { header: false, delimiter: ',', quote: '"', escape: '\\', null_value: String::new() }
    }
}

impl CsvOutput {
    /// [`engine::Kind::Invalid`] if two of the special characters are the same or a column is nested.
    pub(crate) fn accepts(&self, schema: &Schema) -> Result<()> {
        if [self.quote, self.escape, '\n', '\r'].contains(&self.delimiter) || "\r\n".contains(self.quote) {
            return Err(Error::invalid(
                "csv: delimiter must differ from quote, escape and line breaks, and quote from line breaks",
            ));
        }
        match schema.fields().iter().find(|f| f.data_type().is_nested() || is_binary(f.data_type())) {
            Some(field) => Err(Error::invalid(format!(
                "column {} is a {}, which csv cannot hold; select its parts, or write json or parquet",
                field.name(),
                field.data_type()
            ))),
            None => Ok(()),
        }
    }

    fn push(&self, value: &str, out: &mut String) {
        if !self.needs_quotes(value) {
            return out.push_str(value);
        }
        out.push(self.quote);
        for c in value.chars() {
            if c == self.quote || c == self.escape {
                out.push(self.escape);
            }
            out.push(c);
        }
        out.push(self.quote);
    }

    fn needs_quotes(&self, value: &str) -> bool {
        value == self.null_value || value.contains([self.delimiter, self.quote, '\n', '\r'])
    }
}

fn is_binary(of: &DataType) -> bool {
    matches!(
        of,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_)
    )
}

/// Writes a line a row, and the header, if there is one, before the first.
#[derive(Debug)]
pub struct CsvRows {
    options: CsvOutput,
    style: Style,
    header_due: bool,
    line: String,
    value: String,
}

impl CsvRows {
    /// Times are shown in `zone`.
    pub fn new(options: &CsvOutput, zone: TimeZone) -> Self {
        CsvRows {
            header_due: options.header,
            options: options.clone(),
            style: Style { zone, iso: true },
            line: String::new(),
            value: String::new(),
        }
    }

    fn header(&mut self, schema: &Schema) {
        for (i, field) in schema.fields().iter().enumerate() {
            self.delimit(i);
            self.options.push(field.name(), &mut self.line);
        }
        self.line.push('\n');
    }

    fn row(&mut self, row: usize, columns: &[(&dyn Array, Cell<'_>)]) {
        let start = self.line.len();
        for (i, (column, cell)) in columns.iter().enumerate() {
            self.delimit(i);
            if column.is_null(row) {
                self.line.push_str(&self.options.null_value);
            } else {
                self.value.clear();
                cell(row, &mut self.value);
                self.options.push(&self.value, &mut self.line);
            }
        }
        if self.line.len() == start {
            self.line.extend([self.options.quote; 2]);
        }
        self.line.push('\n');
    }

    fn delimit(&mut self, column: usize) {
        if column > 0 {
            self.line.push(self.options.delimiter);
        }
    }
}

impl EncodeRows for CsvRows {
    fn encode(&mut self, rows: &RecordBatch, out: &mut Vec<u8>) -> Result<()> {
        let columns = rows
            .columns()
            .iter()
            .map(|column| Ok((column.as_ref(), cells(column.as_ref(), &self.style)?)))
            .collect::<Result<Vec<_>>>()?;
        self.line.clear();
        if std::mem::take(&mut self.header_due) {
            self.header(rows.schema_ref());
        }
        for row in 0..rows.num_rows() {
            self.row(row, &columns);
            out.extend_from_slice(self.line.as_bytes());
            self.line.clear();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, BooleanArray, Float64Array, StringArray, TimestampMicrosecondArray};
    use std::sync::Arc;

    fn written(options: CsvOutput) -> String {
        let words = vec![Some("plain"), Some(""), None, Some("a,\"b\"\\"), Some("two\nlines")];
        let times = TimestampMicrosecondArray::from(vec![0; 5]).with_timezone("UTC");
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("w", Arc::new(StringArray::from(words))),
            ("f", Arc::new(Float64Array::from(vec![1.0; 5]))),
            ("t", Arc::new(times)),
            ("b", Arc::new(BooleanArray::from(vec![true; 5]))),
        ];
        let rows = RecordBatch::try_from_iter(columns).unwrap();
        options.accepts(rows.schema_ref()).unwrap();
        let mut encoder = CsvRows::new(&options, TimeZone::UTC);
        let mut out = Vec::new();
        encoder.encode(&rows.slice(0, 2), &mut out).unwrap();
        encoder.encode(&rows.slice(2, 3), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn values_are_quoted_as_spark_quotes_them() {
        let rest = ",1.0,1970-01-01T00:00:00.000Z,true\n";
        let words = ["plain", "\"\"", "", "\"a,\\\"b\\\"\\\\\"", "\"two\nlines\""];
        assert_eq!(written(CsvOutput::default()), words.map(|w| format!("{w}{rest}")).concat());
    }

    #[test]
    fn header_delimiter_null_and_doubled_quotes_are_options() {
        let options = CsvOutput {
            header: true,
            delimiter: ';',
            escape: '"',
            null_value: "NULL".into(),
            ..CsvOutput::default()
        };
        let text = written(options);
        let mut lines = text.lines();
        assert_eq!(lines.next(), Some("w;f;t;b"));
        let starts: Vec<_> = lines.map(|l| l.split(';').next().unwrap().to_owned()).collect();
        assert_eq!(starts, ["plain", "", "NULL", "\"a,\"\"b\"\"\\\"", "\"two", "lines\""]);
    }

    #[test]
    fn no_row_is_a_blank_line() {
        let words: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), None, Some("")]));
        let rows = RecordBatch::try_from_iter([("w", words)]).unwrap();
        for (null_value, text) in [("", "w\na\n\"\"\n\"\"\n"), ("NULL", "w\na\nNULL\n\"\"\n")] {
            let options = CsvOutput { header: true, null_value: null_value.into(), ..CsvOutput::default() };
            let mut out = Vec::new();
            CsvRows::new(&options, TimeZone::UTC).encode(&rows, &mut out).unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), text);
        }
    }

    #[test]
    fn a_nested_column_and_a_delimiter_that_is_the_quote_are_refused() {
        let nested = DataType::new_list(DataType::Int32, true);
        let schema = Schema::new(vec![arrow::datatypes::Field::new("l", nested, true)]);
        assert!(CsvOutput::default().accepts(&schema).unwrap_err().to_string().starts_with("column l"));
        let clash = CsvOutput { delimiter: '"', ..CsvOutput::default() };
        assert!(clash.accepts(&Schema::empty()).is_err());
    }
}
