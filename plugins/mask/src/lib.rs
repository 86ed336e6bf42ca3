#![doc = include_str!("../README.md")]

use std::sync::Arc;

use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use streamhost::arrow::array::builder::StringBuilder;
use streamhost::arrow::array::{Array, StringArray, new_null_array};
use streamhost::arrow::datatypes::{DataType, Field, FieldRef, Schema};
use streamhost::prelude::*;

/// Which columns are hidden, and how.
#[streamhost::config]
pub struct Config {
    /// Columns of text that become a hash: equal values stay equal, so they still join and group.
    #[serde(default)]
    hash: Vec<String>,
    /// Mixed into every hash, so that nobody can find a value by hashing guesses.
    salt: Option<String>,
    /// Columns that become this text, or null if they are no text.
    #[serde(default)]
    redact: Vec<String>,
    /// What stands in place of a redacted text.
    #[serde(default = "stars")]
    with: String,
}

fn stars() -> String {
    "***".into()
}

/// Hides the columns; null stays null.
///
/// # Errors
/// If a column is missing, or one to be hashed is no text.
#[streamhost::transform]
pub fn mask(batch: &RecordBatch, config: &Config) -> Result<RecordBatch> {
    known(batch, config)?;
    let schema = batch.schema_ref();
    let masked =
        schema.fields().iter().zip(batch.columns()).map(|(field, column)| one(field, column, config));
    let (fields, columns): (Vec<FieldRef>, Vec<ArrayRef>) =
        masked.collect::<Result<Vec<_>>>()?.into_iter().unzip();
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
}

fn known(batch: &RecordBatch, config: &Config) -> Result<()> {
    match config.hash.iter().chain(&config.redact).find(|name| batch.column_by_name(name).is_none()) {
        Some(missing) => Err(Error::invalid(format!("config: the input has no column `{missing}`"))),
        None => Ok(()),
    }
}

/// A column as it leaves, which may now be null.
fn one(field: &FieldRef, column: &ArrayRef, config: &Config) -> Result<(FieldRef, ArrayRef)> {
    let name = field.name();
    let masked: ArrayRef = if config.hash.contains(name) {
        let Some(text) = column.as_string_opt::<i32>() else {
            let has = column.data_type();
            return Err(Error::invalid(format!(
                "column `{name}` has type {has}: only text is hashed, redact it instead"
            )));
        };
        Arc::new(hashes(text, config.salt.as_deref())?)
    } else if config.redact.contains(name) {
        redacted(column, &config.with)
    } else {
        return Ok((field.clone(), column.clone()));
    };
    Ok((Arc::new(Field::new(name, masked.data_type().clone(), true)), masked))
}

fn redacted(column: &ArrayRef, with: &str) -> ArrayRef {
    match column.data_type() {
        DataType::Utf8 => {
            let stars = (0..column.len()).map(|row| column.is_valid(row).then_some(with));
            Arc::new(stars.collect::<StringArray>())
        }
        other => new_null_array(other, column.len()),
    }
}

fn hashes(text: &StringArray, salt: Option<&str>) -> Result<StringArray> {
    let keyed = salt
        .map(|salt| Hmac::<Sha256>::new_from_slice(salt.as_bytes()))
        .transpose()
        .map_err(Error::invalid)?;
    let mut hashes = StringBuilder::with_capacity(text.len(), 64 * text.len());
    for value in text {
        let Some(value) = value else {
            hashes.append_null();
            continue;
        };
        let hash = match &keyed {
            Some(keyed) => keyed.clone().chain_update(value).finalize().into_bytes(),
            None => Sha256::digest(value),
        };
        hashes.append_value(hex(&hash));
    }
    Ok(hashes.finish())
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use streamhost::testing;

    #[test]
    fn the_cases_pass() {
        testing::cases::<mask>(env!("CARGO_MANIFEST_DIR"));
    }

    #[test]
    fn a_column_that_is_not_there_is_refused() {
        let error = testing::bind::<mask>(r#"{"redact": ["phone"]}"#, "mail STRING").err();
        assert_eq!(error, Some(Error::invalid("config: the input has no column `phone`")));
    }

    #[test]
    fn hashes_are_those_of_the_standard() {
        let text = StringArray::from(vec![Some("abc"), None]);
        let plain = hashes(&text, None).expect("hashes");
        assert_eq!(plain.value(0), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert!(plain.is_null(1));
        let keyed =
            hashes(&StringArray::from(vec!["what do ya want for nothing?"]), Some("Jefe")).expect("hashes");
        assert_eq!(keyed.value(0), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }
}
