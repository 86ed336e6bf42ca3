//! JSON in texts: `from_json`, `to_json`, `get_json_object`.

mod path;
mod print;
mod read;

use super::function::function;
use crate::sql::{
    functions::{
        strings::{one_text, two_texts},
        zone,
    },
    types::array_of,
};
use arrow::{
    array::{Array, AsArray, Int32Array, ListBuilder, StringArray, StringBuilder},
    datatypes::DataType,
};
use datafusion_common::{Result, exec_err};
use datafusion_expr::ScalarUDF;
use serde_json::Value;
use std::sync::Arc;

pub(super) fn functions() -> Vec<Arc<ScalarUDF>> {
    let text = |_: &[DataType]| DataType::Utf8;
    vec![
        read::function(),
        function("to_json(value)", nested, text, |columns, options| {
            let [values] = columns else { return exec_err!("to_json(value)") };
            let zone = zone::session(options)?;
            let rows =
                (0..values.len()).map(|row| values.is_valid(row).then(|| print::json(values, row, &zone)));
            Ok(Arc::new(rows.map(Option::transpose).collect::<Result<StringArray>>()?))
        }),
        function("get_json_object(text, path)", two_texts, text, |columns, _| {
            let [texts, paths] = columns else { return exec_err!("get_json_object(text, path)") };
            let rows = texts.as_string::<i32>().iter().zip(paths.as_string::<i32>());
            let rows = rows.map(|(text, path)| path::get(&parsed(text?)?, path?));
            Ok(Arc::new(rows.collect::<StringArray>()))
        }),
        function(
            "json_array_length(text)",
            one_text,
            |_| DataType::Int32,
            |columns, _| {
                let [texts] = columns else { return exec_err!("json_array_length(text)") };
                let rows = texts.as_string::<i32>().iter().map(|text| match parsed(text?)? {
                    Value::Array(elements) => i32::try_from(elements.len()).ok(),
                    _ => None,
                });
                Ok(Arc::new(rows.collect::<Int32Array>()))
            },
        ),
        function(
            "json_object_keys(text)",
            one_text,
            |_| array_of(DataType::Utf8),
            |columns, _| {
                let [texts] = columns else { return exec_err!("json_object_keys(text)") };
                let mut lists = ListBuilder::new(StringBuilder::new());
                for text in texts.as_string::<i32>() {
                    match text.and_then(parsed) {
                        Some(Value::Object(fields)) => lists.append_value(fields.keys().map(Some)),
                        _ => lists.append_null(),
                    }
                }
                Ok(Arc::new(lists.finish()))
            },
        ),
    ]
}

fn nested(of: &[DataType]) -> Option<Vec<DataType>> {
    match of {
        [DataType::Struct(_) | DataType::List(_) | DataType::Map(..)] => Some(of.to_vec()),
        _ => None,
    }
}

fn parsed(text: &str) -> Option<Value> {
    serde_json::from_str(text).ok()
}

/// The bytes of a text in base 64; none if it is not.
fn unbase64(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=');
    let mut bytes = Vec::with_capacity(digits.len() * 3 / 4);
    let (mut bits, mut count) = (0_u32, 0);
    for digit in digits.bytes() {
        let place = print::DIGITS.iter().position(|known| *known == digit)?;
        bits = bits << 6 | u32::try_from(place).ok()?;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count & 0xff) as u8);
        }
    }
    Some(bytes)
}
