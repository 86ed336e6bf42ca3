//! Functions of texts where DataFusion's differ from Spark's or are not there.

use super::function::{function, is_text};
use arrow::{
    array::{Array, ArrayRef, AsArray, BinaryArray, Int32Array, StringArray},
    datatypes::{DataType, Int32Type},
};
use datafusion_common::{Result, exec_datafusion_err, exec_err};
use datafusion_expr::ScalarUDF;
use std::sync::Arc;

pub(super) fn functions() -> Vec<Arc<ScalarUDF>> {
    let text = |_: &[DataType]| DataType::Utf8;
    vec![
        function("initcap(text)", one_text, text, |columns, _| {
            let [texts] = columns else { return exec_err!("initcap(text)") };
            let words = texts.as_string::<i32>().iter().map(|text| text.map(capitals));
            Ok(Arc::new(words.collect::<StringArray>()))
        }),
        function("lpad(text, length[, with])", padded_types, text, |columns, _| {
            padded(columns, |text, pad| pad + text)
        }),
        function("rpad(text, length[, with])", padded_types, text, |columns, _| {
            padded(columns, |text, pad| format!("{text}{pad}"))
        }),
        function("left(text, length)", padded_types, text, |columns, _| {
            cut(columns, |text, length| text.chars().take(length).collect())
        }),
        function("right(text, length)", padded_types, text, |columns, _| {
            cut(columns, |text, length| {
                text.chars().skip(text.chars().count().saturating_sub(length)).collect()
            })
        }),
        function(
            "locate(part, text[, from])",
            located_types,
            |_| DataType::Int32,
            |columns, _| located(columns),
        ),
        function(
            "encode(text, charset)",
            two_texts,
            |_| DataType::Binary,
            |columns, _| {
                let [texts, charsets] = columns else { return exec_err!("encode(text, charset)") };
                let rows = texts.as_string::<i32>().iter().zip(charsets.as_string::<i32>());
                let rows = rows.map(|row| match row {
                    (Some(text), Some(charset)) => encoded(text, charset).map(Some),
                    _ => Ok(None),
                });
                Ok(Arc::new(
                    rows.collect::<Result<Vec<_>>>()?.iter().map(Option::as_deref).collect::<BinaryArray>(),
                ))
            },
        ),
        function("decode(bytes, charset)", bytes_and_text, text, |columns, _| {
            let [bytes, charsets] = columns else { return exec_err!("decode(bytes, charset)") };
            let rows = bytes.as_binary::<i32>().iter().zip(charsets.as_string::<i32>());
            let rows = rows.map(|row| match row {
                (Some(bytes), Some(charset)) => decoded(bytes, charset).map(Some),
                _ => Ok(None),
            });
            Ok(Arc::new(rows.collect::<Result<StringArray>>()?))
        }),
    ]
}

pub(super) fn one_text(of: &[DataType]) -> Option<Vec<DataType>> {
    let [of] = of else { return None };
    as_text(of).map(|of| vec![of])
}

/// A number, too, is a text where one is expected.
pub(super) fn as_text(of: &DataType) -> Option<DataType> {
    (is_text(of)
        || of.is_numeric()
        || matches!(of, DataType::Boolean | DataType::Date32 | DataType::Timestamp(..)))
    .then_some(DataType::Utf8)
}

pub(super) fn as_int(of: &DataType) -> Option<DataType> {
    (of.is_numeric() || of.is_null() || of.is_string()).then_some(DataType::Int32)
}

pub(super) fn two_texts(of: &[DataType]) -> Option<Vec<DataType>> {
    let [first, second] = of else { return None };
    Some(vec![as_text(first)?, as_text(second)?])
}

fn bytes_and_text(of: &[DataType]) -> Option<Vec<DataType>> {
    let [_, charset] = of else { return None };
    Some(vec![DataType::Binary, as_text(charset)?])
}

fn padded_types(of: &[DataType]) -> Option<Vec<DataType>> {
    let [text, length, with @ ..] = of else { return None };
    let with: Vec<DataType> = with.iter().map(as_text).collect::<Option<_>>()?;
    (with.len() < 2).then(|| Some([vec![as_text(text)?, as_int(length)?], with].concat()))?
}

fn located_types(of: &[DataType]) -> Option<Vec<DataType>> {
    let [part, text, from @ ..] = of else { return None };
    let from: Vec<DataType> = from.iter().map(as_int).collect::<Option<_>>()?;
    (from.len() < 2).then(|| Some([vec![as_text(part)?, as_text(text)?], from].concat()))?
}

/// Every word between blanks with a capital at its front, and no other.
fn capitals(text: &str) -> String {
    let lower = text.to_lowercase();
    let mut before = ' ';
    let letters = lower.chars().flat_map(|c| {
        let first = std::mem::replace(&mut before, c) == ' ';
        let upper: Vec<char> = if first { c.to_uppercase().collect() } else { vec![c] };
        upper
    });
    letters.collect()
}

/// A part of each text, of at most so many characters.
fn cut(columns: &[ArrayRef], part: impl Fn(&str, usize) -> String) -> Result<ArrayRef> {
    let [texts, lengths] = columns else { return exec_err!("a text and a length are expected") };
    let rows = texts.as_string::<i32>().iter().zip(lengths.as_primitive::<Int32Type>());
    let rows = rows.map(|(text, length)| Some(part(text?, usize::try_from(length?).unwrap_or(0))));
    Ok(Arc::new(rows.collect::<StringArray>()))
}

/// Texts of a fixed number of characters, filled up on one side, or cut.
fn padded(columns: &[ArrayRef], join: impl Fn(&str, String) -> String) -> Result<ArrayRef> {
    let [texts, lengths, with @ ..] = columns else { return exec_err!("a text and a length are expected") };
    let (texts, lengths) = (texts.as_string::<i32>(), lengths.as_primitive::<Int32Type>());
    let row = |row: usize| {
        let with = match with.first() {
            Some(with) => with.is_valid(row).then(|| with.as_string::<i32>().value(row))?,
            None => " ",
        };
        let (true, true) = (texts.is_valid(row), lengths.is_valid(row)) else { return None };
        let (text, length) = (texts.value(row), usize::try_from(lengths.value(row)).unwrap_or(0));
        let missing = length.saturating_sub(text.chars().count());
        match missing {
            0 => Some(text.chars().take(length).collect()),
            missing => Some(join(text, with.chars().cycle().take(missing).collect())),
        }
    };
    Ok(Arc::new((0..texts.len()).map(row).collect::<StringArray>()))
}

/// Where a part begins, from 1; 0 if it is not there.
fn located(columns: &[ArrayRef]) -> Result<ArrayRef> {
    let [parts, texts, from @ ..] = columns else { return exec_err!("locate(part, text)") };
    let rows = parts.as_string::<i32>().iter().zip(texts.as_string::<i32>()).enumerate();
    let rows = rows.map(|(row, texts)| {
        let from = match from.first() {
            Some(from) if from.is_null(row) => return Some(0),
            Some(from) => from.as_primitive::<Int32Type>().value(row),
            None => 1,
        };
        let (Some(part), Some(text)) = texts else { return None };
        let Some(skipped) = usize::try_from(from).ok().and_then(|from| from.checked_sub(1)) else {
            return Some(0);
        };
        let Some((start, _)) = text.char_indices().chain([(text.len(), ' ')]).nth(skipped) else {
            return Some(0);
        };
        let rest = text.get(start..).unwrap_or_default();
        let found = rest.find(part).and_then(|at| rest.get(..at));
        found.map_or(Some(0), |before| i32::try_from(skipped + before.chars().count() + 1).ok())
    });
    Ok(Arc::new(rows.collect::<Int32Array>()))
}

fn encoded(text: &str, charset: &str) -> Result<Vec<u8>> {
    let wrong = |c: char| exec_datafusion_err!("{charset} has no {c:?}");
    match charset.to_uppercase().as_str() {
        "UTF-8" => Ok(text.into()),
        "US-ASCII" => {
            text.chars().map(|c| u8::try_from(c).ok().filter(u8::is_ascii).ok_or_else(|| wrong(c))).collect()
        }
        "ISO-8859-1" => text.chars().map(|c| u8::try_from(c).map_err(|_| wrong(c))).collect(),
        "UTF-16BE" => Ok(text.encode_utf16().flat_map(u16::to_be_bytes).collect()),
        "UTF-16LE" => Ok(text.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        "UTF-16" => {
            Ok([0xfe, 0xff].into_iter().chain(text.encode_utf16().flat_map(u16::to_be_bytes)).collect())
        }
        _ => exec_err!(
            "{charset:?} is no charset; there are UTF-8, US-ASCII, ISO-8859-1, UTF-16, UTF-16BE, UTF-16LE"
        ),
    }
}

fn decoded(bytes: &[u8], charset: &str) -> Result<String> {
    let wrong = || exec_datafusion_err!("these bytes are no text in {charset}");
    let wide = |of: fn([u8; 2]) -> u16| {
        let (units, rest) = bytes.as_chunks::<2>();
        let text = String::from_utf16(&units.iter().map(|unit| of(*unit)).collect::<Vec<_>>());
        text.ok().filter(|_| rest.is_empty()).ok_or_else(wrong)
    };
    match charset.to_uppercase().as_str() {
        "UTF-8" => String::from_utf8(bytes.into()).map_err(|_| wrong()),
        "US-ASCII" if !bytes.is_ascii() => Err(wrong()),
        "US-ASCII" | "ISO-8859-1" => Ok(bytes.iter().map(|byte| char::from(*byte)).collect()),
        "UTF-16LE" => wide(u16::from_le_bytes),
        "UTF-16BE" | "UTF-16" => {
            wide(u16::from_be_bytes).map(|text| text.trim_start_matches('\u{feff}').to_owned())
        }
        _ => exec_err!(
            "{charset:?} is no charset; there are UTF-8, US-ASCII, ISO-8859-1, UTF-16, UTF-16BE, UTF-16LE"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_gets_a_capital_and_no_other() {
        assert_eq!(capitals("sPARK  sql a,b"), "Spark  Sql A,b");
    }

    #[test]
    fn what_is_encoded_is_decoded_again() {
        for charset in ["UTF-8", "utf-16", "UTF-16LE", "ISO-8859-1"] {
            assert_eq!(decoded(&encoded("äß", charset).unwrap(), charset).unwrap(), "äß", "{charset}");
        }
        assert!(encoded("ä", "US-ASCII").is_err());
        assert!(decoded(&[0xff], "UTF-8").is_err());
    }
}
