//! The `config` of a pipeline's step, which arrives as JSON.

use schemars::{JsonSchema, generate::SchemaSettings};
use serde::de::DeserializeOwned;

use crate::{Error, Result};

/// Reads the configuration; no text means the one that gives nothing.
pub(crate) fn parse<C: DeserializeOwned>(json: &str) -> Result<C> {
    let json = if json.trim().is_empty() { "{}" } else { json };
    serde_json::from_str(json).map_err(|error| Error::invalid(format!("config: {}", explain(&error, json))))
}

/// serde's message; its position only where the text has lines that someone wrote.
fn explain(error: &serde_json::Error, json: &str) -> String {
    let message = error.to_string();
    match message.rsplit_once(" at line ") {
        Some((reason, _)) if !json.contains('\n') => reason.to_owned(),
        _ => message,
    }
}

/// The JSON Schema of a configuration, for editors and `inspect`.
pub(crate) fn schema<C: JsonSchema>() -> String {
    SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<C>().as_value().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NoConfig;

    #[crate::config]
    struct Limits {
        /// The most that is let through.
        at_most: u32,
    }

    #[test]
    fn a_misspelled_key_is_named_with_the_keys_there_are() {
        let error = parse::<Limits>(r#"{"at-mots": 1}"#).err().map(|error| error.to_string());
        assert_eq!(error.as_deref(), Some("config: unknown field `at-mots`, expected `at-most`"));
    }

    #[test]
    fn no_config_is_an_empty_one() {
        assert!(parse::<NoConfig>("").is_ok());
        assert_eq!(parse::<Limits>(r#"{"at-most": 3}"#).map(|limits| limits.at_most), Ok(3));
        let error = parse::<Limits>("").err().map(|error| error.to_string());
        assert_eq!(error.as_deref(), Some("config: missing field `at-most`"));
    }

    #[test]
    fn the_schema_has_the_descriptions() {
        let schema = schema::<Limits>();
        assert!(schema.contains(r#""at-most":{"description":"The most that is let through.""#), "{schema}");
    }
}
