//! Schemas inferred from data.
//!
//! | all values of a field are | in JSON | in CSV |
//! | --- | --- | --- |
//! | whole numbers | BIGINT | INT, or BIGINT if one needs it |
//! | numbers | DOUBLE | DOUBLE |
//! | `true` and `false` | BOOLEAN | BOOLEAN |
//! | dates; times; both | DATE; TIMESTAMP; TIMESTAMP | the same |
//! | objects, arrays | STRUCT, ARRAY | – |
//! | anything else, or always missing | STRING | STRING |

use super::{
    csv::decode::{CsvInput, CsvRules},
    ddl, scalar,
};
use arrow::datatypes::{DataType, Field, Schema};
use engine::Result;
use jiff::tz::TimeZone;
use serde_json::Value;

/// Fields by name, in the order they were first seen.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Shape(Vec<(String, Kind)>);

/// The narrowest type that all values seen so far have.
#[derive(Clone, Debug, PartialEq)]
enum Kind {
    /// No value yet.
    Unknown,
    Boolean,
    Int,
    BigInt,
    Double,
    Date,
    Timestamp,
    Text,
    List(Box<Kind>),
    Object(Shape),
}

impl Shape {
    fn see_json(&mut self, line: &[u8]) {
        if let Ok(Value::Object(fields)) = serde_json::from_slice(line) {
            for (name, value) in &fields {
                self.see(name, Kind::of_json(value));
            }
        }
    }

    fn see_csv(&mut self, rules: &CsvRules, names: &[String], line: &[u8]) {
        if std::str::from_utf8(line).is_err() || rules.skips(line) {
            return;
        }
        for (name, value) in names.iter().zip(rules.texts(line)) {
            self.see(name, value.map_or(Kind::Unknown, |text| Kind::of_text(&text)));
        }
    }

    fn see(&mut self, name: &str, kind: Kind) {
        match self.0.iter_mut().find(|(n, _)| n == name) {
            Some((_, known)) => {
                let before = std::mem::replace(known, Kind::Unknown);
                *known = before.and(kind);
            }
            None => self.0.push((name.to_owned(), kind)),
        }
    }

    /// The columns.
    pub(crate) fn schema(&self) -> Schema {
        Schema::new(self.fields())
    }

    fn fields(&self) -> Vec<Field> {
        self.0.iter().map(|(name, kind)| Field::new(name, kind.data_type(), true)).collect()
    }
}

/// Looks at lines one after the other.
pub(crate) struct LineSampler {
    csv: Option<(CsvRules, bool)>,
    /// The names of the values of a CSV line, once the first line was seen.
    names: Option<Vec<String>>,
}

impl LineSampler {
    /// For lines of JSON.
    pub(crate) fn json() -> Self {
        LineSampler { csv: None, names: None }
    }

    /// For lines of CSV; without a header the columns are `_c0`, `_c1` and so on.
    pub(crate) fn csv(input: &CsvInput) -> Result<Self> {
        Ok(LineSampler { csv: Some((input.rules()?, input.header)), names: None })
    }

    /// Takes note of a line; a bad one tells nothing.
    pub(crate) fn see(&mut self, line: &[u8], shape: &mut Shape) {
        let Some((rules, header)) = &self.csv else { return shape.see_json(line) };
        let names = match &self.names {
            Some(names) => names,
            None if *header => {
                self.names = Some(rules.header(line));
                return;
            }
            None => {
                let positions = (0..rules.texts(line).len()).map(|i| format!("_c{i}"));
                self.names.insert(positions.collect())
            }
        };
        shape.see_csv(rules, names, line);
    }
}

/// The type of one value given as text.
pub(crate) fn type_of_text(text: &str) -> DataType {
    Kind::of_text(text).data_type()
}

impl Kind {
    fn of_json(value: &Value) -> Self {
        match value {
            Value::Null => Kind::Unknown,
            Value::Bool(_) => Kind::Boolean,
            Value::Number(n) if n.is_i64() => Kind::BigInt,
            Value::Number(_) => Kind::Double,
            Value::String(text) => Kind::of_time(text).unwrap_or(Kind::Text),
            Value::Array(items) => {
                Kind::List(Box::new(items.iter().map(Kind::of_json).fold(Kind::Unknown, Kind::and)))
            }
            Value::Object(fields) => {
                Kind::Object(Shape(fields.iter().map(|(n, v)| (n.clone(), Kind::of_json(v))).collect()))
            }
        }
    }

    fn of_text(text: &str) -> Self {
        let bytes = text.as_bytes();
        match scalar::integer(bytes) {
            Some(n) if i32::try_from(n).is_ok() => Kind::Int,
            Some(_) => Kind::BigInt,
            None if scalar::double(bytes).is_some() => Kind::Double,
            None if text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false") => Kind::Boolean,
            None => Kind::of_time(text).unwrap_or(Kind::Text),
        }
    }

    /// A date, or a time with at least hours and minutes; a bare year is a text.
    fn of_time(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let whole_date = text.len() >= 8 && text.get(1..)?.matches('-').count() >= 2;
        let is_time = whole_date && scalar::timestamp(bytes, &TimeZone::UTC).is_some();
        is_time.then_some(if text.contains(':') { Kind::Timestamp } else { Kind::Date })
    }

    /// The narrowest type that holds both.
    fn and(self, other: Kind) -> Kind {
        match (self, other) {
            (Kind::Unknown, kind) | (kind, Kind::Unknown) => kind,
            (a, b) if a == b => a,
            (Kind::List(a), Kind::List(b)) => Kind::List(Box::new(a.and(*b))),
            (Kind::Object(mut a), Kind::Object(b)) => {
                b.0.into_iter().for_each(|(name, kind)| a.see(&name, kind));
                Kind::Object(a)
            }
            (Kind::Int, Kind::BigInt) | (Kind::BigInt, Kind::Int) => Kind::BigInt,
            (Kind::Int | Kind::BigInt, Kind::Double) | (Kind::Double, Kind::Int | Kind::BigInt) => {
                Kind::Double
            }
            (Kind::Date, Kind::Timestamp) | (Kind::Timestamp, Kind::Date) => Kind::Timestamp,
            _ => Kind::Text,
        }
    }

    fn data_type(&self) -> DataType {
        match self {
            Kind::Unknown | Kind::Text => DataType::Utf8,
            Kind::Boolean => DataType::Boolean,
            Kind::Int => DataType::Int32,
            Kind::BigInt => DataType::Int64,
            Kind::Double => DataType::Float64,
            Kind::Date => DataType::Date32,
            Kind::Timestamp => ddl::timestamp(),
            Kind::List(item) => ddl::array_of(item.data_type()),
            // A STRUCT has at least one field; an empty object is kept as its text.
            Kind::Object(shape) if shape.0.is_empty() => DataType::Utf8,
            Kind::Object(shape) => DataType::Struct(shape.fields().into()),
        }
    }
}

/// `known` with the columns of `found` that it lacks, in the order found; nothing if it lacks none.
pub(crate) fn extended(known: &Schema, found: &Schema) -> Option<Schema> {
    let new: Vec<_> =
        found.fields().iter().filter(|f| known.fields().find(f.name()).is_none()).cloned().collect();
    if new.is_empty() {
        return None;
    }
    Some(Schema::new(known.fields().iter().cloned().chain(new).collect::<Vec<_>>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(lines: &[&str]) -> String {
        let mut shape = Shape::default();
        lines.iter().for_each(|line| shape.see_json(line.as_bytes()));
        ddl::print(&shape.schema())
    }

    #[test]
    fn json_gets_the_narrowest_types_that_hold_all_values() {
        let lines = [
            r#"{"i":1,"d":1,"b":true,"t":"2025-01-01T10:00:00Z","day":"2025-01-01","s":"x","n":null}"#,
            "not json",
            r#"{"i":5000000000,"d":1.5,"t":"2025-01-01","s":3,"new":[{"x":1},{"y":[2.5]}],"o":{},"year":"2025"}"#,
        ];
        let expected = "i BIGINT, d DOUBLE, b BOOLEAN, t TIMESTAMP, day DATE, s STRING, n STRING, \
                        new ARRAY<STRUCT<x: BIGINT, y: ARRAY<DOUBLE>>>, o STRING, year STRING";
        assert_eq!(json(&lines), expected);
    }

    #[test]
    fn csv_gets_types_from_text() {
        let mut sampler = LineSampler::csv(&CsvInput { header: true, ..CsvInput::default() }).unwrap();
        let mut shape = Shape::default();
        for line in [
            "a,b,c,d,e",
            "1,1,true,2025-01-01 10:00:00,",
            "2,3000000000,FALSE,2025-01-02,",
            "2.5,4,true,2025-01-03,",
        ] {
            sampler.see(line.as_bytes(), &mut shape);
        }
        assert_eq!(ddl::print(&shape.schema()), "a DOUBLE, b BIGINT, c BOOLEAN, d TIMESTAMP, e STRING");
    }

    #[test]
    fn only_missing_columns_extend_a_schema() {
        let known = ddl::parse("a INT, b STRING").unwrap();
        assert_eq!(extended(&known, &ddl::parse("b INT").unwrap()), None);
        let extended = extended(&known, &ddl::parse("c INT, b INT").unwrap()).unwrap();
        assert_eq!(ddl::print(&extended), "a INT, b STRING, c INT");
    }
}
