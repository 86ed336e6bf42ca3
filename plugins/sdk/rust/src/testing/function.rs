//! Calls of a plugin's functions.

use arrow_schema::SchemaRef;
use serde_json::{Map, Value};

use super::{decode, json};
use crate::function::{BoundFunctions, Functions};
use crate::{Error, Result, ipc};

/// A plugin of functions with its configuration.
pub struct Bound<P: Functions> {
    functions: BoundFunctions<P>,
}

/// Binds a plugin of functions to a configuration as JSON, or none.
///
/// # Errors
/// What the pipeline would refuse to start with.
pub fn bind_functions<P: Functions>(config: &str) -> Result<Bound<P>> {
    Ok(Bound { functions: BoundFunctions::bind(config)? })
}

impl<P: Functions> Bound<P> {
    /// The results of a function for rows of its arguments, a JSON object a line; as with SQL, NULL where an argument is NULL that
    /// must not be.
    ///
    /// # Errors
    /// If the rows do not fit the arguments, or the function fails.
    pub fn call(&self, function: &str, rows: &str) -> Result<Vec<Value>> {
        let (arguments, returns) = self.functions.columns(function)?;
        let rows = json::lines(rows)?;
        let asked: Vec<bool> = rows.iter().map(|row| !has_null(row, arguments)).collect();
        let lines = rows.iter().zip(&asked).filter(|(_, asked)| **asked).map(|(row, _)| row.to_string());
        let given = json::read(&lines.collect::<Vec<_>>().join("\n"), arguments)?;
        let mut messages = Vec::new();
        ipc::encode(&given, &mut messages)?;
        let answered = match given.num_rows() {
            0 => Vec::new(),
            _ => decode(self.functions.call(function, messages)?, returns)?,
        };
        let mut answered = answered.into_iter();
        let result = |asked: &bool| match asked {
            true => answered.next().and_then(|row| row.get("result").cloned()).unwrap_or(Value::Null),
            false => Value::Null,
        };
        Ok(asked.iter().map(result).collect())
    }

    /// The function of this name; without one, the only function.
    pub(super) fn named<'a>(&self, name: Option<&'a str>) -> Result<&'a str> {
        let mut names = self.functions.names();
        match (name, names.next(), names.next()) {
            (Some(name), ..) => Ok(name),
            (None, Some(only), None) => Ok(only),
            _ => Err(Error::invalid("say which function the case calls: function = \"name\"")),
        }
    }
}

/// Whether a row has NULL for an argument that must not be.
fn has_null(row: &Value, arguments: &SchemaRef) -> bool {
    let strict = arguments.fields().iter().filter(|field| !field.is_nullable());
    let empty = Map::new();
    let row = row.as_object().unwrap_or(&empty);
    strict.map(|field| row.get(field.name()).unwrap_or(&Value::Null)).any(Value::is_null)
}
