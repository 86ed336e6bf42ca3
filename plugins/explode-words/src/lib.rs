#![doc = include_str!("../README.md")]

use std::sync::Arc;

use streamhost::arrow::array::{Array, StringArray, builder::StringBuilder};
use streamhost::arrow::compute::take_rows;
use streamhost::arrow::datatypes::{DataType, Field, Schema};
use streamhost::prelude::*;

/// Which column is split, and the name of its words.
#[streamhost::config]
#[serde(default)]
pub struct Config {
    /// The column of text.
    column: String,
    /// The name of the column of words, which takes its place.
    r#as: String,
    /// Whether words are made lower-case.
    lower: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self { column: "value".into(), r#as: "word".into(), lower: false }
    }
}

/// Gives each row once for every word of its text, with the word in the text's place. No words, or null, give no row.
///
/// # Errors
/// If the column is missing or is no text.
#[streamhost::transform]
pub fn explode(batch: &RecordBatch, config: &Config) -> Result<RecordBatch> {
    let place = batch.schema_ref().index_of(&config.column).map_err(Error::invalid)?;
    let text = batch.column(place);
    let Some(text) = text.as_string_opt::<i32>() else {
        let (name, has) = (&config.column, text.data_type());
        return Err(Error::invalid(format!("column `{name}` has type {has}, which is no text to split")));
    };
    let (rows, words) = numbered(text, config.lower);
    let mut columns = Vec::with_capacity(batch.num_columns());
    let mut fields = Vec::with_capacity(batch.num_columns());
    for (i, (field, column)) in batch.schema_ref().fields().iter().zip(batch.columns()).enumerate() {
        if i == place {
            columns.push(Arc::new(words.clone()) as ArrayRef);
            fields.push(Arc::new(Field::new(&config.r#as, DataType::Utf8, true)));
        } else {
            columns.push(take_rows(column, &rows)?);
            fields.push(field.clone());
        }
    }
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
}

/// The words, and the row that each is from.
fn numbered(text: &StringArray, lower: bool) -> (Vec<u32>, StringArray) {
    let mut rows = Vec::with_capacity(text.len());
    let mut found = StringBuilder::with_capacity(text.len(), text.value_data().len());
    for (row, text) in (0u32..).zip(text) {
        for word in words(text.unwrap_or_default()) {
            rows.push(row);
            if lower { found.append_value(word.to_lowercase()) } else { found.append_value(word) }
        }
    }
    (rows, found.finish())
}

/// Letters, digits and underscores, with the apostrophes and hyphens between them.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let inside = |c: char| c.is_alphanumeric() || matches!(c, '_' | '\'' | '’' | '-');
    let joins = |c: char| matches!(c, '\'' | '’' | '-');
    text.split(move |c| !inside(c)).map(move |word| word.trim_matches(joins)).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use streamhost::testing;

    #[test]
    fn the_cases_pass() {
        testing::cases::<explode>(env!("CARGO_MANIFEST_DIR"));
    }

    #[test]
    fn joined_words_stay_whole() {
        let found: Vec<_> = words("don't -- 'quote' state-of-the-art, naïve; 3.14").collect();
        assert_eq!(found, ["don't", "quote", "state-of-the-art", "naïve", "3", "14"]);
    }
}
