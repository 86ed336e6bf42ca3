//! Functions of text that neither of the libraries has as Spark has them.

use arrow::{
    array::{Array, ArrayRef, AsArray, Int32Array, ListBuilder, StringArray, StringBuilder},
    datatypes::{DataType, Field, Int32Type},
};
use datafusion_common::{Result, exec_err};
use datafusion_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature, Volatility,
};
use regex::Regex;
use std::sync::Arc;

pub(super) fn functions() -> Vec<Arc<ScalarUDF>> {
    let text = DataType::Utf8;
    let signatures = vec![
        TypeSignature::Exact(vec![text.clone(), text.clone()]),
        TypeSignature::Exact(vec![text.clone(), text, DataType::Int32]),
    ];
    let signature = Signature::one_of(signatures, Volatility::Immutable);
    vec![Arc::new(ScalarUDF::new_from_impl(Split { signature }))]
}

/// `split(text, pattern[, limit])`: the parts of a text between what a regular expression matches.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Split {
    signature: Signature,
}

impl ScalarUDFImpl for Split {
    fn name(&self) -> &str {
        "split"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true))))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let arrays: Vec<ArrayRef> = args.args.iter().map(|arg| arg.to_array(rows)).collect::<Result<_>>()?;
        let [texts, patterns, limits @ ..] = &arrays[..] else { return exec_err!("split(text, pattern)") };
        let limits = limits.first().map(|limits| limits.as_primitive::<Int32Type>().clone());
        Ok(ColumnarValue::Array(split(texts.as_string(), patterns.as_string(), limits)?))
    }
}

fn split(texts: &StringArray, patterns: &StringArray, limits: Option<Int32Array>) -> Result<ArrayRef> {
    let mut parts = ListBuilder::new(StringBuilder::new());
    let mut compiled: Option<(&str, Regex)> = None;
    for row in 0..texts.len() {
        let limit =
            limits.as_ref().map_or(Some(-1), |limits| limits.is_valid(row).then(|| limits.value(row)));
        let (true, true, Some(limit)) = (texts.is_valid(row), patterns.is_valid(row), limit) else {
            parts.append_null();
            continue;
        };
        let (text, pattern) = (texts.value(row), patterns.value(row));
        if compiled.as_ref().is_none_or(|(of, _)| *of != pattern) {
            compiled = Some((pattern, super::regexes::compiled(pattern)?));
        }
        if let Some((_, regex)) = &compiled {
            between(text, regex, limit, pattern.is_empty(), |part| parts.values().append_value(part));
        }
        parts.append(true);
    }
    Ok(Arc::new(parts.finish()))
}

/// The parts of a text between matches, at most `limit` of them if that is above 0. As in Java, a match of nothing at the
/// very beginning makes no part; at the very end it does, unless the pattern is `letters`: nothing, so that each is a part.
fn between(text: &str, regex: &Regex, limit: i32, letters: bool, mut each: impl FnMut(&str)) {
    let mut from = 0;
    let mut left = usize::try_from(limit).unwrap_or(0).checked_sub(1).unwrap_or(usize::MAX);
    for found in regex.find_iter(text) {
        let empty = found.is_empty() && (found.start() == 0 || letters && found.start() == text.len());
        if left == 0 || empty {
            continue;
        }
        each(text.get(from..found.start()).unwrap_or_default());
        from = found.end();
        left -= 1;
    }
    each(text.get(from..).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str, pattern: &str, limit: i32) -> Vec<String> {
        let mut parts = Vec::new();
        between(text, &Regex::new(pattern).unwrap(), limit, pattern.is_empty(), |part| {
            parts.push(part.to_owned())
        });
        parts
    }

    #[test]
    fn a_text_is_split_as_java_splits_it() {
        assert_eq!(parts("a b  c", " ", -1), ["a", "b", "", "c"]);
        assert_eq!(parts("", " ", -1), [""]);
        assert_eq!(parts("oneAtwoBthreeC", "[ABC]", -1), ["one", "two", "three", ""]);
        assert_eq!(parts("oneAtwoBthreeC", "[ABC]", 2), ["one", "twoBthreeC"]);
    }
}
