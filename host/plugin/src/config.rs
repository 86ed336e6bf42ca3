//! A configuration against the JSON Schema that a plugin gives of it.
//!
//! The schema is a guest's: it may refer to itself without end, or to itself twice at every level, which would keep a validator busy
//! for ever. So it is measured first, with every reference put in its place, and one that has no bound is not used: the
//! plugin's own check in `bind` is all there is then.

use crate::{load::Plugin, text};
use engine::{Error, Kind, Result, ResultExt};
use jsonschema::{PatternOptions, ValidationError, error::ValidationErrorKind};
use serde_json::Value;
use std::fmt;

/// Values of a schema, those behind references counted each time.
const MOST_VALUES: usize = 20_000;
/// How many of them may be inside each other.
const DEEPEST: usize = 64;
/// Bytes of one compiled pattern.
const LARGEST_PATTERN: usize = 256 << 10;
/// What does not fit, and is told of.
const MOST_TOLD: usize = 8;

/// A value that a plugin's schema does not allow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// The keys down to the value, outermost first; the number of an item of a list.
    pub path: Vec<String>,
    /// Why it is not allowed.
    pub reason: String,
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.iter().map(|key| format!(".{}", text::shown(key, text::NAME)));
        write!(f, "config{}: {}", path.collect::<String>(), self.reason)
    }
}

impl Plugin {
    /// What of a configuration, as JSON text, does not fit the plugin's schema. Nothing if it has no schema that can be used, which is
    /// noted in the log.
    pub fn check_config(&self, config: &str) -> Result<Vec<Misfit>> {
        let about = self.description();
        let config = serde_json::from_str(config).doing(Kind::Invalid, || "the config is no JSON")?;
        if about.config_schema.is_empty() {
            return Ok(Vec::new());
        }
        misfits(&about.config_schema, &config).or_else(|error| {
            tracing::warn!(
                plugin = about.name,
                "its config is not checked against its JSON Schema: {}",
                error.report()
            );
            Ok(Vec::new())
        })
    }
}

/// An error if the schema cannot be used.
fn misfits(schema: &str, config: &Value) -> Result<Vec<Misfit>> {
    let schema: Value = serde_json::from_str(schema).map_err(|e| {
        Error::plugin(format!("it is no JSON: {}", text::shown(&e.to_string(), text::MESSAGE)))
    })?;
    let mut left = MOST_VALUES;
    measure(&schema, &schema, 0, &mut left)?;
    let patterns = PatternOptions::regex().size_limit(LARGEST_PATTERN).dfa_size_limit(LARGEST_PATTERN);
    let options = jsonschema::options().with_pattern_options(patterns).offline();
    let validator = options.build(&schema).map_err(|e| {
        Error::plugin(format!("it is no schema: {}", text::shown(&e.to_string(), text::MESSAGE)))
    })?;
    Ok(validator.iter_errors(config).take(MOST_TOLD).map(|error| misfit(&error)).collect())
}

/// Walks `value` as a validator may, references included, until nothing is left of what may be walked.
fn measure(root: &Value, value: &Value, depth: usize, left: &mut usize) -> Result<()> {
    let too_large = || Error::plugin("it is too large, or refers to itself");
    *left = left.checked_sub(1).ok_or_else(too_large)?;
    if depth > DEEPEST {
        return Err(too_large());
    }
    match value {
        Value::Array(items) => items.iter().try_for_each(|item| measure(root, item, depth + 1, left)),
        Value::Object(fields) => {
            for (key, value) in fields {
                match (key.as_str(), value) {
                    ("$ref", Value::String(to)) => {
                        let target = to.strip_prefix('#').and_then(|pointer| root.pointer(pointer));
                        let target = target.ok_or_else(|| Error::plugin("it refers to something outside"))?;
                        measure(root, target, depth + 1, left)?;
                    }
                    ("$dynamicRef" | "$recursiveRef", _) => {
                        return Err(Error::plugin("it refers to what varies"));
                    }
                    _ => measure(root, value, depth + 1, left)?,
                }
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn misfit(error: &ValidationError<'_>) -> Misfit {
    let path = error.instance_path().segments().map(|segment| segment.to_string()).collect();
    let reason = match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            format!("unknown field `{}`", unexpected.join("`, `"))
        }
        ValidationErrorKind::Enum { options } => {
            let all: Vec<String> = options.as_array().into_iter().flatten().map(Value::to_string).collect();
            format!("{} is none of {}", error.instance(), all.join(", "))
        }
        ValidationErrorKind::Required { property: Value::String(name) } => format!("missing field `{name}`"),
        _ => error.to_string(),
    };
    Misfit { path, reason: text::shown(&reason, text::MESSAGE) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn told(schema: Value, config: Value) -> Vec<String> {
        let misfits = misfits(&schema.to_string(), &config).map_err(|e| e.report()).unwrap();
        misfits.into_iter().map(|misfit| format!("{}: {}", misfit.path.join("."), misfit.reason)).collect()
    }

    #[test]
    fn what_does_not_fit_is_told_with_its_path_and_the_reason() {
        let schema = json!({
            "type": "object", "additionalProperties": false, "required": ["column"],
            "properties": {
                "column": { "type": "string", "pattern": "^[a-z]+$" },
                "limits": { "type": "array", "items": { "$ref": "#/$defs/limit" } },
            },
            "$defs": { "limit": { "type": "object", "properties": { "most": { "type": "integer" } } } },
        });
        assert_eq!(told(schema.clone(), json!({ "column": "abc", "limits": [{ "most": 3 }] })), [""; 0]);
        assert_eq!(
            told(schema.clone(), json!({ "column": "abc", "limits": [{}, { "most": "three" }] })),
            ["limits.1.most: \"three\" is not of type \"integer\""]
        );
        assert_eq!(told(schema.clone(), json!({ "colunm": "abc" })).len(), 2);
        assert!(
            told(schema.clone(), json!({ "colunm": "abc" })).contains(&": unknown field `colunm`".to_owned())
        );
        assert!(told(schema, json!({ "colunm": "abc" })).contains(&": missing field `column`".to_owned()));
    }

    #[test]
    fn a_schema_that_refers_to_itself_or_grows_without_bound_is_not_used() {
        let endless = json!({ "$ref": "#" });
        let twice = json!({ "allOf": [{ "$ref": "#" }, { "$ref": "#" }] });
        let mut doubling = json!({ "$defs": { "a0": { "type": "object" } }, "$ref": "#/$defs/a40" });
        for level in 1..=40 {
            let below = format!("#/$defs/a{}", level - 1);
            doubling["$defs"][format!("a{level}")] =
                json!({ "allOf": [{ "$ref": below }, { "$ref": below }] });
        }
        let outside = json!({ "$ref": "http://localhost/schema" });
        let file = json!({ "$ref": "file:///etc/passwd" });
        let varies = json!({ "$dynamicAnchor": "a", "$dynamicRef": "#a" });
        for schema in [endless, twice, doubling, outside, file, varies] {
            assert!(misfits(&schema.to_string(), &json!({})).is_err(), "{schema}");
        }
        assert!(misfits("{", &json!({})).is_err());
        assert!(misfits("{\"type\": 5}", &json!({})).is_err());
    }

    #[test]
    fn a_pattern_takes_time_by_the_length_of_the_text_alone() {
        let schema = json!({ "properties": { "a": { "pattern": "^(a+)+$" } } });
        let text = format!("{}!", "a".repeat(10_000));
        assert_eq!(told(schema, json!({ "a": text })).len(), 1);
        let backtracking = json!({ "properties": { "a": { "pattern": "(a)\\1" } } });
        assert!(misfits(&backtracking.to_string(), &json!({})).is_err());
    }

    #[test]
    fn what_a_schema_says_cannot_move_a_cursor() {
        let told = told(json!({ "properties": { "a": { "const": "\u{1b}[2J" } } }), json!({ "a": 1 }));
        assert!(told.iter().all(|text| !text.contains('\u{1b}')), "{told:?}");
    }
}
