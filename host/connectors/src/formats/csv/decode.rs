//! One record a line, straight into columns.

use crate::formats::{
    columns::{Column, Values},
    rows::{Cells, Fault, Verdict},
    scalar,
};
use arrow::datatypes::Fields;
use engine::{Error, Result};
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How CSV is read. The defaults are Spark's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(
    rename_all = "kebab-case",
    deny_unknown_fields,
    default,
    expecting = "a table such as { header = true }"
)]
pub struct CsvInput {
    /// The first line of each file names its columns, which may then come in any order. Default: false.
    pub header: bool,
    /// Between two values. Default: `,`.
    pub delimiter: char,
    /// Around a value that holds a delimiter. Default: `"`.
    pub quote: char,
    /// Before a quote inside quotes; a doubled quote is understood as well. Default: `\`.
    pub escape: char,
    /// What stands for NULL, unless it is in quotes. Default: nothing. Two quotes with nothing between them are NULL too in a
    /// column that is no STRING.
    pub null_value: String,
    /// Lines that start with this are left out. Default: there are none.
    pub comment: Option<char>,
    /// Leave out white space around values that are not in quotes. Default: false.
    pub trim: bool,
}

impl Default for CsvInput {
    fn default() -> Self {
        CsvInput {
            header: false,
            delimiter: ',',
            quote: '"',
            escape: '\\',
            null_value: String::new(),
            comment: None,
            trim: false,
        }
    }
}

impl CsvInput {
    fn byte(name: &str, value: char) -> Result<u8> {
        u8::try_from(value)
            .ok()
            .filter(u8::is_ascii)
            .ok_or_else(|| Error::invalid(format!("csv: {name} must be one ASCII character, not {value:?}")))
    }

    /// [`engine::Kind::Invalid`] if a character cannot be what it is set to be.
    pub(crate) fn rules(&self) -> Result<CsvRules> {
        let rules = CsvRules {
            delimiter: Self::byte("delimiter", self.delimiter)?,
            quote: Self::byte("quote", self.quote)?,
            escape: Self::byte("escape", self.escape)?,
            comment: self.comment.map(|c| Self::byte("comment", c)).transpose()?,
            null_value: self.null_value.clone().into_bytes(),
            trim: self.trim,
        };
        if [rules.quote, rules.escape, b'\n', b'\r'].contains(&rules.delimiter) {
            return Err(Error::invalid("csv: delimiter must differ from quote, escape and line breaks"));
        }
        Ok(rules)
    }
}

/// How a line of CSV is cut into values.
#[derive(Clone, Debug)]
pub(crate) struct CsvRules {
    delimiter: u8,
    quote: u8,
    escape: u8,
    comment: Option<u8>,
    null_value: Vec<u8>,
    trim: bool,
}

/// Decodes lines of CSV.
pub(crate) struct CsvRow {
    rules: CsvRules,
    /// For each value of a line its column.
    places: Vec<Option<usize>>,
    /// The names of the values, for the rescue column.
    names: Vec<String>,
    text: Vec<u8>,
}

/// A value of a line.
struct Value<'a> {
    text: &'a [u8],
    quoted: bool,
    /// Where it starts in the line.
    at: usize,
}

impl CsvRow {
    /// For lines whose values are the given columns, in this order.
    pub(crate) fn in_order(rules: CsvRules, columns: Vec<usize>) -> Self {
        let names = columns.iter().map(|i| format!("_c{i}")).collect();
        CsvRow { rules, places: columns.into_iter().map(Some).collect(), names, text: Vec::new() }
    }

    /// For a file that starts with the line `header`. Fails if one of the `wanted` columns (indices of `fields`) is
    /// missing there; names are compared as Spark does, without regard to case.
    pub(crate) fn by_header(
        rules: CsvRules,
        header: &[u8],
        fields: &Fields,
        wanted: &[usize],
    ) -> Result<Self> {
        let names = rules.header(header);
        let place = |name: &String| {
            let same = |i: &&usize| fields.get(**i).is_some_and(|f| f.name().eq_ignore_ascii_case(name));
            wanted.iter().find(same).copied()
        };
        let places: Vec<_> = names.iter().map(place).collect();
        let missing = wanted.iter().find(|i| !places.contains(&Some(**i))).and_then(|i| fields.get(*i));
        match missing {
            None => Ok(CsvRow { rules, places, names, text: Vec::new() }),
            Some(field) => Err(Error::data(format!(
                "line 1: the header has no column {:?}; expected {}, found {}; correct `schema` or the file",
                field.name(),
                list(wanted.iter().filter_map(|i| fields.get(*i)).map(|f| f.name().as_str())),
                list(names.iter().map(String::as_str)),
            ))),
        }
    }

    /// Reads one line of valid UTF-8 into the cells of a row.
    #[inline]
    pub(crate) fn row(&mut self, line: &[u8], cells: &mut Cells) -> Verdict {
        if self.rules.skips(line) {
            return Verdict::Blank;
        }
        let mut fault = None;
        let mut count = 0;
        let (rules, places) = (&self.rules, &self.places);
        let ended = rules.values(line, &mut self.text, |value| {
            if let Some(index) = places.get(count).copied().flatten() {
                let misfit = rules.cell(index, &value, cells);
                fault = fault.or_else(|| misfit.filter(|_| !rescued(index, &value, cells)));
            } else if let Some(name) = self.names.get(count) {
                rescue(name, &value, cells);
            }
            count += 1;
        });
        match fault {
            _ if !ended => {
                Verdict::Bad(Fault { what: "a quote is not closed", column: None, at: line.len() })
            }
            Some(fault) => Verdict::Bad(fault),
            None => self.count_verdict(count, line.len()),
        }
    }

    /// A line with another number of values is bad, but the values it has are kept: the fault is its column's.
    fn count_verdict(&self, count: usize, length: usize) -> Verdict {
        let what = match count.cmp(&self.places.len()) {
            std::cmp::Ordering::Less => "the line ends before it",
            std::cmp::Ordering::Greater => "the line has more values than there are columns",
            std::cmp::Ordering::Equal => return Verdict::Row,
        };
        let column = self.places.iter().skip(count).chain(self.places.last()).flatten().next().copied();
        Verdict::Bad(Fault { what, column: Some(column.unwrap_or(0)), at: length })
    }
}

fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    format!("[{}]", names.collect::<Vec<_>>().join(", "))
}

#[cold]
fn rescued(index: usize, value: &Value<'_>, cells: &mut Cells) -> bool {
    let Some(name) = cells.columns.fields().get(index).map(|f| f.name().clone()) else { return false };
    rescue(&name, value, cells);
    cells.rescue.is_some()
}

#[cold]
fn rescue(name: &str, value: &Value<'_>, cells: &mut Cells) {
    let json = |text: &str| serde_json::to_string(text).unwrap_or_default();
    let value = json(&String::from_utf8_lossy(value.text));
    cells.rescue(json(name).trim_matches('"').as_bytes(), value.as_bytes());
}

impl CsvRules {
    /// Whether the line is empty or a comment.
    #[inline]
    pub(crate) fn skips(&self, line: &[u8]) -> bool {
        line.is_empty() || (self.comment.is_some() && line.first().copied() == self.comment)
    }

    /// The names in a header line.
    pub(crate) fn header(&self, line: &[u8]) -> Vec<String> {
        let line = line.strip_prefix("\u{feff}".as_bytes()).unwrap_or(line);
        let mut names = Vec::new();
        self.values(line, &mut Vec::new(), |value| {
            names.push(String::from_utf8_lossy(value.text).trim().to_owned());
        });
        names
    }

    /// The values of a line as text, none for NULL.
    pub(crate) fn texts(&self, line: &[u8]) -> Vec<Option<String>> {
        let mut texts = Vec::new();
        self.values(line, &mut Vec::new(), |value| {
            texts.push((!self.is_null(&value)).then(|| String::from_utf8_lossy(value.text).into_owned()));
        });
        texts
    }

    /// Calls `each` with every value of a line. False if the line ends inside quotes.
    #[inline]
    fn values(&self, line: &[u8], text: &mut Vec<u8>, mut each: impl FnMut(Value<'_>)) -> bool {
        let mut at = 0;
        loop {
            let rest = line.get(at..).unwrap_or_default();
            let length = if rest.first() == Some(&self.quote) {
                text.clear();
                let Some(length) = self.unquote(rest, text) else { return false };
                each(Value { text, quoted: true, at });
                length
            } else {
                let length = rest.iter().position(|b| *b == self.delimiter).unwrap_or(rest.len());
                let value = rest.get(..length).unwrap_or_default();
                let value = if self.trim { value.trim_ascii() } else { value };
                each(Value { text: value, quoted: false, at });
                length
            };
            at += length + 1;
            if at > line.len() {
                return true;
            }
        }
    }

    /// Appends the text of a value in quotes, and says how long it is with them. Text between the closing quote and the
    /// next delimiter belongs to the value.
    fn unquote(&self, value: &[u8], text: &mut Vec<u8>) -> Option<usize> {
        let mut at = 1;
        let mut inside = true;
        loop {
            let byte = match value.get(at) {
                Some(byte) => *byte,
                None => return (!inside).then_some(at),
            };
            let next = value.get(at + 1).copied();
            at += 1;
            match byte {
                _ if !inside && byte == self.delimiter => return Some(at - 1),
                _ if inside
                    && byte == self.escape
                    && next.is_some_and(|n| n == self.quote || n == self.escape) =>
                {
                    text.extend(next);
                    at += 1;
                }
                _ if inside && byte == self.quote && next == Some(self.quote) => {
                    text.push(byte);
                    at += 1;
                }
                _ if inside && byte == self.quote => inside = false,
                _ => text.push(byte),
            }
        }
    }

    #[inline]
    fn is_null(&self, value: &Value<'_>) -> bool {
        !value.quoted && value.text == self.null_value
    }

    /// Puts a value into its cell; a value that does not fit leaves NULL.
    #[inline]
    fn cell(&self, index: usize, value: &Value<'_>, cells: &mut Cells) -> Option<Fault> {
        if self.is_null(value) {
            return None;
        }
        let column = cells.columns.cell(index)?;
        match push(column, value.text, &cells.time_zone) {
            Some(()) => None,
            // A NULL that stands alone in its line is written so, for a blank line would be no row.
            None if value.quoted && value.text.is_empty() => None,
            None => Some(Fault { what: "the value does not fit", column: Some(index), at: value.at }),
        }
    }
}

/// Appends a value given as text to `column`; nothing if it does not fit.
#[inline]
pub(crate) fn push(column: &mut Column, text: &[u8], zone: &TimeZone) -> Option<()> {
    match &mut column.values {
        Values::Boolean(v) => v.push(boolean(text)?),
        Values::Int8(v) => v.push(scalar::integer(text)?.try_into().ok()?),
        Values::Int16(v) => v.push(scalar::integer(text)?.try_into().ok()?),
        Values::Int32(v) => v.push(scalar::integer(text)?.try_into().ok()?),
        Values::Int64(v) => v.push(scalar::integer(text)?),
        Values::Float32(v) => v.push(scalar::double(text)? as f32),
        Values::Float64(v) => v.push(scalar::double(text)?),
        Values::Decimal { values, precision, scale } => {
            values.push(scalar::decimal(text, *precision, *scale)?)
        }
        Values::Date(v) => v.push(scalar::date(text)?),
        Values::Timestamp { values, zone: Some(_) } => values.push(scalar::timestamp(text, zone)?),
        Values::Timestamp { values, zone: None } => values.push(scalar::timestamp_ntz(text)?),
        Values::Text(_) | Values::Binary(_) => {
            column.push_bytes(text);
            return Some(());
        }
        Values::List { .. } | Values::Map { .. } | Values::Struct(_) | Values::LeftOut(_) => return None,
    }
    column.appended();
    Some(())
}

fn boolean(text: &[u8]) -> Option<bool> {
    match text {
        _ if text.eq_ignore_ascii_case(b"true") => Some(true),
        _ if text.eq_ignore_ascii_case(b"false") => Some(false),
        _ => None,
    }
}
