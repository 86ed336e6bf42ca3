//! Spark's schema language: `user_id INT, tags ARRAY<STRING>, place STRUCT<lat: DOUBLE, lon: DOUBLE>`.
//!
//! | DDL | Arrow |
//! | --- | --- |
//! | BOOLEAN; TINYINT, SMALLINT, INT, BIGINT; FLOAT, DOUBLE | Boolean; Int8 to Int64; Float32, Float64 |
//! | DECIMAL(p, s); STRING; BINARY; DATE | Decimal128; Utf8; Binary; Date32 |
//! | TIMESTAMP; TIMESTAMP_NTZ | microseconds in UTC; microseconds without a zone |
//! | `ARRAY<T>`; `MAP<K, V>`; `STRUCT<a: T, …>` | List; Map; Struct |

use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, TimeUnit};
use engine::{Error, Result};
use std::sync::Arc;

/// The Arrow type of TIMESTAMP.
pub fn timestamp() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// The Arrow type of `ARRAY<item>`.
pub fn array_of(item: DataType) -> DataType {
    DataType::List(Arc::new(Field::new_list_field(item, true)))
}

/// The Arrow type of `MAP<key, value>`.
pub fn map_of(key: DataType, value: DataType) -> DataType {
    let entries = vec![Field::new("key", key, false), Field::new("value", value, true)];
    DataType::Map(Arc::new(Field::new("entries", DataType::Struct(entries.into()), false)), false)
}

/// Reads a list of columns. An error says at which character it stopped and what it expected there.
pub fn parse(text: &str) -> Result<Schema> {
    let mut parser = Parser { text, at: 0 };
    let fields = parser.fields(false, "")?;
    match fields.iter().enumerate().find(|(i, f)| fields.iter().take(*i).any(|g| g.name() == f.name())) {
        Some((_, twice)) => Err(Error::invalid(format!("schema: column {:?} is there twice", twice.name()))),
        None => Ok(Schema::new(fields)),
    }
}

/// Writes a list of columns so that `parse` gives it back; a type that Spark has no name for becomes the nearest
/// one that has.
pub fn print(schema: &Schema) -> String {
    print_fields(schema.fields(), " ")
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Parser<'a> {
    /// Columns until `end`, an empty one standing for the end of the text.
    fn fields(&mut self, colon: bool, end: &str) -> Result<Fields> {
        let mut fields: Vec<FieldRef> = Vec::new();
        loop {
            fields.push(Arc::new(self.field(colon)?));
            if !self.eat(",") {
                break;
            }
        }
        self.expect_end(end)?;
        Ok(fields.into())
    }

    fn field(&mut self, colon: bool) -> Result<Field> {
        let name = self.name()?;
        if colon {
            self.eat(":");
        }
        let kind = self.data_type()?;
        let nullable = !self.not_null()?;
        self.comment()?;
        Ok(Field::new(name, kind, nullable))
    }

    fn name(&mut self) -> Result<String> {
        if self.eat("`") {
            return self.quoted('`');
        }
        match self.word() {
            "" => Err(self.expected("a column name")),
            word => Ok(word.to_owned()),
        }
    }

    /// The rest of a quoted text, in which a doubled quote stands for one.
    fn quoted(&mut self, quote: char) -> Result<String> {
        let mut out = String::new();
        loop {
            let Some(length) = self.rest().find(quote) else {
                return Err(self.expected(&format!("a closing {quote}")));
            };
            out.push_str(self.take(length));
            self.take(1);
            if !self.rest().starts_with(quote) {
                return Ok(out);
            }
            out.push_str(self.take(1));
        }
    }

    fn data_type(&mut self) -> Result<DataType> {
        let start = self.skip_space();
        let word = self.word().to_ascii_uppercase();
        match word.as_str() {
            "ARRAY" => self.array(),
            "MAP" => self.map(),
            "STRUCT" => self.structure(),
            "DECIMAL" | "DEC" | "NUMERIC" => self.decimal(),
            name => scalar(name).ok_or_else(|| {
                self.at = start;
                self.expected(
                    "a type such as INT, BIGINT, DOUBLE, STRING, BOOLEAN, TIMESTAMP or ARRAY<STRING>",
                )
            }),
        }
    }

    fn array(&mut self) -> Result<DataType> {
        self.expect("<")?;
        let item = self.data_type()?;
        self.expect(">")?;
        Ok(array_of(item))
    }

    fn map(&mut self) -> Result<DataType> {
        self.expect("<")?;
        let key = self.data_type()?;
        self.expect(",")?;
        let value = self.data_type()?;
        self.expect(">")?;
        Ok(map_of(key, value))
    }

    fn structure(&mut self) -> Result<DataType> {
        self.expect("<")?;
        Ok(DataType::Struct(self.fields(true, ">")?))
    }

    fn decimal(&mut self) -> Result<DataType> {
        if !self.eat("(") {
            return Ok(DataType::Decimal128(10, 0));
        }
        let precision = self.number("a precision from 1 to 38", 1, 38)?;
        let scale =
            if self.eat(",") { self.number("a scale from 0 to the precision", 0, precision)? } else { 0 };
        self.expect(")")?;
        Ok(DataType::Decimal128(precision, scale as i8))
    }

    fn number(&mut self, what: &str, least: u8, most: u8) -> Result<u8> {
        let start = self.skip_space();
        match self.word().parse() {
            Ok(n) if (least..=most).contains(&n) => Ok(n),
            _ => {
                self.at = start;
                Err(self.expected(what))
            }
        }
    }

    fn not_null(&mut self) -> Result<bool> {
        if !self.eat_word("NOT") {
            return Ok(false);
        }
        if self.eat_word("NULL") { Ok(true) } else { Err(self.expected("NULL after NOT")) }
    }

    fn comment(&mut self) -> Result<()> {
        if !self.eat_word("COMMENT") {
            return Ok(());
        }
        for quote in ["'", "\""] {
            if self.eat(quote) {
                return self.quoted(if quote == "'" { '\'' } else { '"' }).map(drop);
            }
        }
        Err(self.expected("a text in quotes after COMMENT"))
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or("")
    }

    fn take(&mut self, length: usize) -> &'a str {
        let taken = self.rest().get(..length).unwrap_or("");
        self.at += taken.len();
        taken
    }

    fn skip_space(&mut self) -> usize {
        self.at = self.text.len() - self.rest().trim_start().len();
        self.at
    }

    fn word(&mut self) -> &'a str {
        self.skip_space();
        let rest = self.rest();
        self.take(rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len()))
    }

    fn eat(&mut self, token: &str) -> bool {
        self.skip_space();
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    fn eat_word(&mut self, word: &str) -> bool {
        let start = self.at;
        let found = self.word().eq_ignore_ascii_case(word);
        if !found {
            self.at = start;
        }
        found
    }

    fn expect(&mut self, token: &str) -> Result<()> {
        if self.eat(token) { Ok(()) } else { Err(self.expected(&format!("`{token}`"))) }
    }

    fn expect_end(&mut self, end: &str) -> Result<()> {
        if !end.is_empty() {
            return if self.eat(end) { Ok(()) } else { Err(self.expected(&format!("`,` or `{end}`"))) };
        }
        self.skip_space();
        if self.rest().is_empty() { Ok(()) } else { Err(self.expected("`,` or the end")) }
    }

    fn expected(&mut self, what: &str) -> Error {
        let at = self.skip_space();
        let column = self.text.get(..at).unwrap_or("").chars().count() + 1;
        let found = match self.rest().split_whitespace().next() {
            Some(word) => format!("{word:?}"),
            None => "the end".into(),
        };
        Error::invalid(format!("schema, column {column}: expected {what}, found {found}"))
    }
}

fn scalar(name: &str) -> Option<DataType> {
    Some(match name {
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
        "TIMESTAMP" | "TIMESTAMP_LTZ" => timestamp(),
        "TIMESTAMP_NTZ" => DataType::Timestamp(TimeUnit::Microsecond, None),
        _ => return None,
    })
}

fn print_fields(fields: &Fields, between: &str) -> String {
    let print = |f: &FieldRef| {
        let not_null = if f.is_nullable() { "" } else { " NOT NULL" };
        format!("{}{between}{}{not_null}", print_name(f.name()), print_type(f.data_type()))
    };
    fields.iter().map(print).collect::<Vec<_>>().join(", ")
}

fn print_name(name: &str) -> String {
    let plain = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
    if plain { name.to_owned() } else { format!("`{}`", name.replace('`', "``")) }
}

/// A type as DDL: `ARRAY<INT>`.
pub fn print_type(kind: &DataType) -> String {
    match kind {
        DataType::Boolean => "BOOLEAN".into(),
        DataType::Int8 => "TINYINT".into(),
        DataType::Int16 | DataType::UInt8 => "SMALLINT".into(),
        DataType::Int32 | DataType::UInt16 => "INT".into(),
        DataType::Int64 | DataType::UInt32 => "BIGINT".into(),
        DataType::UInt64 => "DECIMAL(20, 0)".into(),
        DataType::Float16 | DataType::Float32 => "FLOAT".into(),
        DataType::Float64 => "DOUBLE".into(),
        DataType::Decimal32(p, s)
        | DataType::Decimal64(p, s)
        | DataType::Decimal128(p, s)
        | DataType::Decimal256(p, s) => {
            format!("DECIMAL({p}, {s})")
        }
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
            "BINARY".into()
        }
        DataType::Date32 | DataType::Date64 => "DATE".into(),
        DataType::Timestamp(_, None) => "TIMESTAMP_NTZ".into(),
        DataType::Timestamp(_, Some(_)) => "TIMESTAMP".into(),
        DataType::List(f)
        | DataType::LargeList(f)
        | DataType::ListView(f)
        | DataType::LargeListView(f)
        | DataType::FixedSizeList(f, _) => {
            format!("ARRAY<{}>", print_type(f.data_type()))
        }
        DataType::Struct(fields) => format!("STRUCT<{}>", print_fields(fields, ": ")),
        DataType::Map(entries, _) => print_map(entries),
        DataType::Dictionary(_, value) => print_type(value),
        _ => "STRING".into(),
    }
}

fn print_map(entries: &Field) -> String {
    match entries.data_type() {
        DataType::Struct(pair) => {
            let types: Vec<_> = pair.iter().map(|f| print_type(f.data_type())).collect();
            format!("MAP<{}>", types.join(", "))
        }
        _ => "STRING".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fails(text: &str) -> String {
        parse(text).unwrap_err().report()
    }

    #[test]
    fn what_is_printed_reads_back_as_the_same_schema() {
        let text = "a BOOLEAN, b TINYINT, c SMALLINT, d INT, e BIGINT, f FLOAT, g DOUBLE, h DECIMAL(12, 3), i STRING, \
                    j BINARY, k DATE, l TIMESTAMP, m TIMESTAMP_NTZ, n ARRAY<MAP<STRING, INT>>, \
                    o STRUCT<x: INT, `y z`: ARRAY<STRING>>, `p``q` STRING NOT NULL";
        let schema = parse(text).unwrap();
        assert_eq!(print(&schema), text);
        assert_eq!(parse(&print(&schema)).unwrap(), schema);
    }

    #[test]
    fn case_spacing_and_comments_do_not_matter() {
        let schema =
            parse(" `user id`  int NOT NULL comment 'it''s', t timestamp COMMENT \"when\" ").unwrap();
        assert_eq!(print(&schema), "`user id` INT NOT NULL, t TIMESTAMP");
        assert_eq!(schema.field(1).data_type(), &timestamp());
    }

    #[test]
    fn an_error_names_the_column_and_what_is_expected() {
        assert!(fails("user_id INTT").starts_with("schema, column 9: expected a type such as INT"));
        assert_eq!(fails("a INT b INT"), "schema, column 7: expected `,` or the end, found \"b\"");
        assert_eq!(fails("a INT,"), "schema, column 7: expected a column name, found the end");
        assert_eq!(fails("a ARRAY<INT"), "schema, column 12: expected `>`, found the end");
        assert_eq!(
            fails("a DECIMAL(40)"),
            "schema, column 11: expected a precision from 1 to 38, found \"40)\""
        );
        assert_eq!(fails("`a INT"), "schema, column 2: expected a closing `, found \"a\"");
        assert_eq!(fails("a INT, a INT"), "schema: column \"a\" is there twice");
        assert!(fails("").contains("expected a column name, found the end"));
    }
}
