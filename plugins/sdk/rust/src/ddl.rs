//! Spark's way to write a schema: `user_id INT, event STRING, at TIMESTAMP, tags ARRAY<STRING>`.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Fields, IntervalUnit, Schema, TimeUnit};

use crate::{Error, Result};

/// Levels of `ARRAY`, `MAP` and `STRUCT` within each other that cross the boundary.
const DEEPEST: usize = 8;

/// Reads a schema. A column may be null unless it says `NOT NULL`.
///
/// # Errors
/// If the text is no schema; the message has the place and what was expected there.
pub fn parse(text: &str) -> Result<Schema> {
    let mut parser = Parser { text, at: 0, depth: 0 };
    let fields = parser.fields()?;
    parser.end()?;
    Ok(Schema::new(fields))
}

/// Writes a schema as [`parse`] reads it.
pub fn print(schema: &Schema) -> String {
    fields(schema.fields(), " ")
}

/// Spark's name of a type; Arrow's for those that Spark has not.
pub fn type_name(data_type: &DataType) -> String {
    match data_type {
        DataType::Null => "VOID".into(),
        DataType::Boolean => "BOOLEAN".into(),
        DataType::Int8 => "TINYINT".into(),
        DataType::Int16 => "SMALLINT".into(),
        DataType::Int32 => "INT".into(),
        DataType::Int64 => "BIGINT".into(),
        DataType::Float32 => "FLOAT".into(),
        DataType::Float64 => "DOUBLE".into(),
        DataType::Utf8 => "STRING".into(),
        DataType::Binary => "BINARY".into(),
        DataType::Date32 => "DATE".into(),
        DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => "TIMESTAMP".into(),
        DataType::Timestamp(TimeUnit::Microsecond, None) => "TIMESTAMP_NTZ".into(),
        DataType::Interval(IntervalUnit::MonthDayNano) => "INTERVAL".into(),
        DataType::Decimal128(precision, scale) => format!("DECIMAL({precision},{scale})"),
        DataType::List(item) => format!("ARRAY<{}>", type_name(item.data_type())),
        DataType::Struct(children) => format!("STRUCT<{}>", fields(children, ": ")),
        DataType::Map(entry, _) => match entry.data_type() {
            DataType::Struct(pair) => {
                let types: Vec<_> = pair.iter().map(|field| type_name(field.data_type())).collect();
                format!("MAP<{}>", types.join(", "))
            }
            other => type_name(other),
        },
        other => other.to_string(),
    }
}

fn fields(fields: &Fields, between: &str) -> String {
    let one = |field: &Arc<Field>| format!("{}{between}{}", name(field.name()), type_name(field.data_type()));
    fields.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn name(name: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || c == '_';
    if !name.is_empty() && name.chars().all(plain) {
        name.into()
    } else {
        format!("`{}`", name.replace('`', "``"))
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    /// `name TYPE, …` as far as there are commas.
    fn fields(&mut self) -> Result<Vec<Field>> {
        let mut fields = Vec::new();
        loop {
            let name = self.name()?;
            // Spark has a colon in a STRUCT and none outside; both are clear.
            self.take(':');
            let data_type = self.data_type()?;
            fields.push(Field::new(name, data_type, !self.not_null()?));
            if !self.take(',') {
                return Ok(fields);
            }
        }
    }

    fn data_type(&mut self) -> Result<DataType> {
        let start = self.at;
        let word = self.word().to_ascii_uppercase();
        Ok(match word.as_str() {
            "BOOLEAN" => DataType::Boolean,
            "TINYINT" | "BYTE" => DataType::Int8,
            "SMALLINT" | "SHORT" => DataType::Int16,
            "INT" | "INTEGER" => DataType::Int32,
            "BIGINT" | "LONG" => DataType::Int64,
            "FLOAT" | "REAL" => DataType::Float32,
            "DOUBLE" => DataType::Float64,
            "STRING" => DataType::Utf8,
            "BINARY" => DataType::Binary,
            "DATE" => DataType::Date32,
            "TIMESTAMP" | "TIMESTAMP_LTZ" => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            "TIMESTAMP_NTZ" => DataType::Timestamp(TimeUnit::Microsecond, None),
            "DECIMAL" | "NUMERIC" | "DEC" => self.decimal()?,
            "ARRAY" | "MAP" | "STRUCT" => self.nested(&word)?,
            _ => {
                self.at = start;
                return Err(self.error("a type, such as INT, BIGINT, DOUBLE, STRING or TIMESTAMP"));
            }
        })
    }

    fn nested(&mut self, word: &str) -> Result<DataType> {
        if self.depth == DEEPEST {
            return Err(self.error("at most 8 levels of ARRAY, MAP and STRUCT"));
        }
        self.depth += 1;
        self.expect('<')?;
        let data_type = match word {
            "ARRAY" => DataType::new_list(self.data_type()?, true),
            "MAP" => self.map()?,
            _ => DataType::Struct(self.fields()?.into()),
        };
        self.depth -= 1;
        self.expect('>')?;
        Ok(data_type)
    }

    fn map(&mut self) -> Result<DataType> {
        let key = self.data_type()?;
        self.expect(',')?;
        let value = self.data_type()?;
        let pair = Fields::from(vec![Field::new("key", key, false), Field::new("value", value, true)]);
        Ok(DataType::Map(Arc::new(Field::new("entries", DataType::Struct(pair), false)), false))
    }

    fn decimal(&mut self) -> Result<DataType> {
        if !self.take('(') {
            return Ok(DataType::Decimal128(10, 0));
        }
        let precision = self.number(38)?;
        let scale = if self.take(',') { self.number(precision)? } else { 0 };
        self.expect(')')?;
        Ok(DataType::Decimal128(precision, i8::try_from(scale).unwrap_or(0)))
    }

    fn number(&mut self, most: u8) -> Result<u8> {
        let start = self.at;
        match self.word().parse() {
            Ok(number) if number <= most => Ok(number),
            _ => {
                self.at = start;
                Err(self.error(&format!("a number up to {most}")))
            }
        }
    }

    fn not_null(&mut self) -> Result<bool> {
        let start = self.at;
        if !self.word().eq_ignore_ascii_case("NOT") {
            self.at = start;
            return Ok(false);
        }
        match self.word().eq_ignore_ascii_case("NULL") {
            true => Ok(true),
            false => Err(self.error("NULL after NOT")),
        }
    }

    fn name(&mut self) -> Result<String> {
        if self.take('`') {
            return self.quoted();
        }
        match self.word() {
            "" => Err(self.error("a column's name")),
            word => Ok(word.to_owned()),
        }
    }

    /// A name in backquotes, where two of them mean one.
    fn quoted(&mut self) -> Result<String> {
        let mut name = String::new();
        loop {
            let Some((part, rest)) = self.rest().split_once('`') else {
                return Err(self.error("a closing `"));
            };
            name.push_str(part);
            self.at = self.text.len() - rest.len();
            match rest.strip_prefix('`') {
                Some(rest) => self.at = self.text.len() - rest.len(),
                None => return Ok(name),
            }
            name.push('`');
        }
    }

    fn word(&mut self) -> &'a str {
        self.skip_space();
        let rest = self.rest();
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        self.at += end;
        rest.get(..end).unwrap_or_default()
    }

    fn take(&mut self, wanted: char) -> bool {
        self.skip_space();
        let there = self.rest().starts_with(wanted);
        self.at += if there { wanted.len_utf8() } else { 0 };
        there
    }

    fn expect(&mut self, wanted: char) -> Result<()> {
        if self.take(wanted) { Ok(()) } else { Err(self.error(&format!("`{wanted}`"))) }
    }

    fn end(&mut self) -> Result<()> {
        self.skip_space();
        if self.rest().is_empty() { Ok(()) } else { Err(self.error("`,` or the end")) }
    }

    fn skip_space(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn error(&self, wanted: &str) -> Error {
        let column = self.text.get(..self.at).unwrap_or_default().chars().count() + 1;
        Error::invalid(format!(
            "schema, column {column}: expected {wanted}, found `{}`",
            self.rest().trim_start()
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_prints_as_it_is_read() {
        let text = "a BOOLEAN, b TINYINT, c SMALLINT, d INT, e BIGINT, f FLOAT, g DOUBLE, h STRING, i BINARY, j DATE, \
                    k TIMESTAMP, l TIMESTAMP_NTZ, m DECIMAL(38,10), n ARRAY<STRUCT<x: INT, `y z`: MAP<STRING, INT>>>";
        assert_eq!(parse(text).map(|schema| print(&schema)).as_deref(), Ok(text));
    }

    #[test]
    fn not_null_and_quoted_names_are_read() {
        let schema = parse("`a``b c` int not null").expect("a schema");
        assert_eq!(
            schema.fields().first().map(|field| (field.name().as_str(), field.is_nullable())),
            Some(("a`b c", false))
        );
    }

    #[test]
    fn an_unknown_type_is_shown_with_its_place() {
        let error = parse("a INT, b TEXT").expect_err("no such type").to_string();
        assert_eq!(
            error,
            "schema, column 10: expected a type, such as INT, BIGINT, DOUBLE, STRING or TIMESTAMP, found `TEXT`"
        );
    }

    #[test]
    fn deep_nesting_is_refused() {
        let text = format!("a {}INT{}", "ARRAY<".repeat(9), ">".repeat(9));
        assert!(parse(&text).is_err());
    }
}
