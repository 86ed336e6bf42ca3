//! Writes text: the one STRING column, a value a line.

use crate::formats::encode::EncodeRows;
use arrow::{
    array::{AsArray, RecordBatch},
    compute::cast,
    datatypes::{DataType, Schema},
};
use engine::{Error, Kind, Result, ResultExt};

/// Writes a value a line; NULL is an empty line, as in Spark.
#[derive(Debug)]
pub struct TextRows;

/// [`Kind::Invalid`] unless there is one column and it is a STRING.
pub(crate) fn accepts(schema: &Schema) -> Result<()> {
    match schema.fields().as_ref() {
        [only] if matches!(only.data_type(), DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View) => {
            Ok(())
        }
        fields => {
            let names: Vec<_> = fields.iter().map(|f| format!("{} {}", f.name(), f.data_type())).collect();
            Err(Error::invalid(format!(
                "text files hold one STRING column, and there are: {}; select one, or write json or csv",
                names.join(", ")
            )))
        }
    }
}

impl EncodeRows for TextRows {
    fn encode(&mut self, rows: &RecordBatch, out: &mut Vec<u8>) -> Result<()> {
        let lines = cast(rows.column(0), &DataType::Utf8).doing(Kind::Data, || "writing a column as text")?;
        for line in lines.as_string::<i32>() {
            out.extend_from_slice(line.unwrap_or_default().as_bytes());
            out.push(b'\n');
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::{array::StringArray, datatypes::Field};
    use std::sync::Arc;

    #[test]
    fn a_null_is_an_empty_line() {
        let schema = Arc::new(Schema::new(vec![Field::new("value", DataType::Utf8, true)]));
        accepts(&schema).unwrap();
        let rows = RecordBatch::try_new(
            schema,
            vec![Arc::new(StringArray::from(vec![Some("a"), None, Some("b c")]))],
        );
        let mut out = Vec::new();
        TextRows.encode(&rows.unwrap(), &mut out).unwrap();
        assert_eq!(out, b"a\n\nb c\n");
    }

    #[test]
    fn anything_but_one_string_column_is_refused() {
        let schema = Schema::new(vec![Field::new("n", DataType::Int64, true)]);
        assert!(accepts(&schema).unwrap_err().to_string().contains("n Int64"));
    }
}
