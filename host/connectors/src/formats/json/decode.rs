//! One object a line, straight into columns.

use super::reader::{Reader, Stop};
use crate::formats::{
    columns::{Column, Columns, Values},
    rows::{Cells, Fault, Verdict},
    scalar,
};
use jiff::tz::TimeZone;

/// Decodes lines of JSON. It keeps nothing from one line to the next but memory.
#[derive(Default)]
pub(crate) struct JsonRow {
    text: Vec<u8>,
    binary: Binary,
}

/// How BINARY is written.
#[derive(Clone, Copy, Default)]
pub(crate) enum Binary {
    /// As Spark does.
    #[default]
    Base64,
    /// As people do, and tests with them.
    Hex,
}

impl JsonRow {
    pub(crate) fn with(binary: Binary) -> Self {
        JsonRow { binary, ..JsonRow::default() }
    }

    /// Reads one line of valid UTF-8 into the cells of a row.
    #[inline]
    pub(crate) fn row(&mut self, line: &[u8], cells: &mut Cells) -> Verdict {
        let mut reader = Reader::new(line);
        reader.space();
        if reader.at_end() {
            return Verdict::Blank;
        }
        match self.object(&mut reader, cells) {
            Ok(None) => Verdict::Row,
            Ok(Some(fault)) => Verdict::Bad(fault),
            Err(Stop::Syntax(what) | Stop::Mismatch(what)) => {
                Verdict::Bad(Fault { what, column: None, at: reader.at })
            }
        }
    }

    /// The object that is the row. Answers the first value that did not fit, unless it was rescued.
    #[inline]
    fn object(&mut self, reader: &mut Reader<'_>, cells: &mut Cells) -> Result<Option<Fault>, Stop> {
        let mut fault = None;
        reader.expect(b'{', "expected an object, `{`")?;
        reader.space();
        let mut more = !reader.eat(b'}');
        let mut next = 0;
        while more {
            let key = reader.at;
            match key_of(reader, &cells.columns, next, &mut self.text)? {
                Some(index) => {
                    next = index + 1;
                    let misfit = member(reader, index, cells, &mut self.text, self.binary)?;
                    fault = fault.or(misfit);
                }
                None => unknown(reader, key, cells)?,
            }
            more = reader.another(b'}')?;
        }
        reader.space();
        if reader.at_end() { Ok(fault) } else { Err(Stop::Syntax("more text behind the object")) }
    }
}

/// Appends one value, which is all of the text; nothing if it does not fit, which the error says.
#[cfg(feature = "sql")]
pub(crate) fn single(text: &[u8], column: &mut Column, zone: &TimeZone) -> Result<(), &'static str> {
    let (mut reader, mut scratch) = (Reader::new(text), Vec::new());
    reader.space();
    let decoded =
        (Decoder { reader: &mut reader, zone, text: &mut scratch, binary: Binary::Base64 }).value(column);
    decoded
        .map_err(|stop| match stop {
            Stop::Syntax(what) | Stop::Mismatch(what) => what,
        })
        .inspect_err(|_| column.rewind())
}

/// A value of the row. One that does not fit is rescued, or leaves NULL and a fault.
#[inline]
fn member(
    reader: &mut Reader<'_>,
    index: usize,
    cells: &mut Cells,
    text: &mut Vec<u8>,
    binary: Binary,
) -> Result<Option<Fault>, Stop> {
    let start = reader.at;
    let Some(cell) = cells.columns.cell(index) else { return reader.skip_value().map(|()| None) };
    match (Decoder { reader, zone: &cells.time_zone, text, binary }).value(cell) {
        Ok(()) => Ok(None),
        Err(Stop::Mismatch(what)) => {
            cell.rewind();
            reader.at = start;
            reader.skip_value()?;
            misfit(reader.since(start), Fault { what, column: Some(index), at: start }, cells)
        }
        Err(stop) => Err(stop),
    }
}

#[cold]
fn misfit(value: &[u8], fault: Fault, cells: &mut Cells) -> Result<Option<Fault>, Stop> {
    if cells.rescue.is_none() {
        return Ok(Some(fault));
    }
    let name = fault.column.and_then(|i| cells.columns.fields().get(i)).map(|f| f.name().clone());
    let name = serde_json::to_string(&name.unwrap_or_default()).unwrap_or_default();
    cells.rescue(name.trim_matches('"').as_bytes(), value);
    Ok(None)
}

/// A field that is in no column; the reader stands behind its colon, `key` is where its name starts.
fn unknown(reader: &mut Reader<'_>, key: usize, cells: &mut Cells) -> Result<(), Stop> {
    let value = reader.at;
    reader.skip_value()?;
    if cells.rescue.is_some() {
        let mut name = Reader::new(reader.since(key));
        name.skip_string()?;
        let name = name.since(0);
        let inner = name.get(1..name.len().saturating_sub(1)).unwrap_or_default();
        cells.rescue(inner, reader.since(value));
    }
    Ok(())
}

/// Reads a key and its colon, and finds its column. Fields mostly come in the order of the columns, so column `next`
/// is tried first.
#[inline]
fn key_of(
    reader: &mut Reader<'_>,
    columns: &Columns,
    next: usize,
    text: &mut Vec<u8>,
) -> Result<Option<usize>, Stop> {
    let index = if columns.quoted(next).is_some_and(|q| reader.eat_all(q)) {
        Some(next)
    } else {
        text.clear();
        reader.string(text)?;
        std::str::from_utf8(text).ok().and_then(|name| columns.index_of(name))
    };
    reader.colon()?;
    Ok(index)
}

struct Decoder<'r, 'a, 'c> {
    reader: &'r mut Reader<'a>,
    zone: &'c TimeZone,
    /// Scratch memory.
    text: &'r mut Vec<u8>,
    binary: Binary,
}

impl Decoder<'_, '_, '_> {
    /// Appends one value to `column`.
    #[inline]
    fn value(&mut self, column: &mut Column) -> Result<(), Stop> {
        if self.reader.peek() == b'n' && self.reader.eat_all(b"null") {
            column.push_null();
            return Ok(());
        }
        match &mut column.values {
            Values::Boolean(v) => v.push(self.boolean()?),
            Values::Int8(v) => v.push(self.whole()?),
            Values::Int16(v) => v.push(self.whole()?),
            Values::Int32(v) => v.push(self.whole()?),
            Values::Int64(v) => v.push(self.whole()?),
            Values::Float32(v) => v.push(self.double()? as f32),
            Values::Float64(v) => v.push(self.double()?),
            Values::Text(bytes) => {
                self.text_into(&mut bytes.data)?;
                column.end_bytes();
                return Ok(());
            }
            Values::Binary(bytes) => {
                match self.binary {
                    Binary::Base64 => {
                        let text = self.plain_text("base64 in a string")?;
                        let read = scalar::base64(&text, &mut bytes.data);
                        read.ok_or(Stop::Mismatch("the value is not base64"))?;
                    }
                    Binary::Hex => {
                        let text = self.plain_text("hexadecimal digits in a string")?;
                        let read = scalar::hex(&text, &mut bytes.data);
                        read.ok_or(Stop::Mismatch("the value is no bytes in hexadecimal digits"))?;
                    }
                }
                column.end_bytes();
                return Ok(());
            }
            Values::Decimal { values, precision, scale } => values.push(self.decimal(*precision, *scale)?),
            Values::Date(v) => v.push(self.date()?),
            Values::Timestamp { values, zone } => values.push(self.timestamp(zone.is_some())?),
            Values::List { ends, items, .. } => {
                self.list(items)?;
                ends.push(items.len() as i32);
            }
            Values::Map { ends, entries, .. } => {
                self.map(entries)?;
                ends.push(entries.rows() as i32);
            }
            Values::Struct(columns) => {
                self.structure(columns)?;
                columns.end_row();
            }
            // Its field is skipped before a value is read.
            Values::LeftOut(_) => {}
        }
        column.appended();
        Ok(())
    }

    fn boolean(&mut self) -> Result<bool, Stop> {
        if self.reader.eat_all(b"true") {
            return Ok(true);
        }
        if self.reader.eat_all(b"false") { Ok(false) } else { Err(Stop::Mismatch("the value is no boolean")) }
    }

    #[inline]
    fn number(&mut self) -> Result<(&[u8], bool), Stop> {
        match self.reader.peek() {
            b'-' | b'0'..=b'9' => self.reader.number(),
            _ => Err(Stop::Mismatch("the value is no number")),
        }
    }

    #[inline]
    fn whole<T: TryFrom<i64>>(&mut self) -> Result<T, Stop> {
        let (text, whole) = self.number()?;
        if !whole {
            return Err(Stop::Mismatch("the value is no whole number"));
        }
        let value = scalar::integer(text).and_then(|n| T::try_from(n).ok());
        value.ok_or(Stop::Mismatch("the value is out of range"))
    }

    #[inline]
    fn double(&mut self) -> Result<f64, Stop> {
        let text = match self.reader.peek() {
            b'"' => match self.reader.plain_string() {
                Some(name @ (b"NaN" | b"Infinity" | b"-Infinity" | b"+Infinity")) => name,
                _ => return Err(Stop::Mismatch("the value is a string")),
            },
            _ => self.number()?.0,
        };
        scalar::double(text).ok_or(Stop::Mismatch("the value is no number"))
    }

    fn decimal(&mut self, precision: u8, scale: i8) -> Result<i128, Stop> {
        let text = match self.reader.plain_string() {
            Some(text) => text,
            None => self.number()?.0,
        };
        scalar::decimal(text, precision, scale)
            .ok_or(Stop::Mismatch("the value has too many digits or is no number"))
    }

    #[inline]
    fn date(&mut self) -> Result<i32, Stop> {
        let text = self.plain_text("the value is no string")?;
        scalar::date(&text).ok_or(Stop::Mismatch("the value is no date like 2025-01-31"))
    }

    #[inline]
    fn timestamp(&mut self, zoned: bool) -> Result<i64, Stop> {
        if matches!(self.reader.peek(), b'-' | b'0'..=b'9') {
            let seconds: i64 = self.whole()?;
            return seconds.checked_mul(1_000_000).ok_or(Stop::Mismatch("the value is out of range"));
        }
        let zone = self.zone;
        let text = self.plain_text("the value is no string")?;
        let time = if zoned { scalar::timestamp(&text, zone) } else { scalar::timestamp_ntz(&text) };
        time.ok_or(Stop::Mismatch("the value is no time like 2025-01-31T10:00:00Z"))
    }

    /// A string without escapes, usually without a copy.
    #[inline]
    fn plain_text(&mut self, or: &'static str) -> Result<std::borrow::Cow<'_, [u8]>, Stop> {
        if let Some(text) = self.reader.plain_string() {
            return Ok(text.into());
        }
        if self.reader.peek() != b'"' {
            return Err(Stop::Mismatch(or));
        }
        self.text.clear();
        self.reader.string(self.text)?;
        Ok(self.text.as_slice().into())
    }

    /// A string as text, or any other value as it stands.
    #[inline]
    fn text_into(&mut self, out: &mut Vec<u8>) -> Result<(), Stop> {
        if self.reader.peek() == b'"' {
            return self.reader.string(out);
        }
        let start = self.reader.at;
        self.reader.skip_value()?;
        out.extend_from_slice(self.reader.since(start));
        Ok(())
    }

    fn open(&mut self, bracket: u8, or: &'static str) -> Result<(), Stop> {
        if !self.reader.eat(bracket) {
            return Err(Stop::Mismatch(or));
        }
        self.reader.space();
        Ok(())
    }

    fn list(&mut self, items: &mut Column) -> Result<(), Stop> {
        self.open(b'[', "the value is no array")?;
        let mut more = !self.reader.eat(b']');
        while more {
            self.value(items)?;
            more = self.reader.another(b']')?;
        }
        Ok(())
    }

    fn map(&mut self, entries: &mut Columns) -> Result<(), Stop> {
        self.open(b'{', "the value is no object")?;
        let mut more = !self.reader.eat(b'}');
        while more {
            self.text.clear();
            self.reader.string(self.text)?;
            if let Some(key) = entries.cell(0) {
                key.push_bytes(self.text);
            }
            self.reader.colon()?;
            if let Some(value) = entries.cell(1) {
                self.value(value)?;
            }
            entries.end_row();
            more = self.reader.another(b'}')?;
        }
        Ok(())
    }

    fn structure(&mut self, columns: &mut Columns) -> Result<(), Stop> {
        self.open(b'{', "the value is no object")?;
        let mut more = !self.reader.eat(b'}');
        let mut next = 0;
        while more {
            match key_of(self.reader, columns, next, self.text)? {
                Some(index) => {
                    next = index + 1;
                    if let Some(cell) = columns.cell(index) {
                        self.value(cell)?;
                    }
                }
                None => self.reader.skip_value()?,
            }
            more = self.reader.another(b'}')?;
        }
        Ok(())
    }
}
