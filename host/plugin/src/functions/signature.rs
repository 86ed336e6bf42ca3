//! What a plugin says of its functions, checked.

use crate::{
    abi,
    ipc::{self, Decoder, Encoder},
    text,
};
use arrow::datatypes::SchemaRef;
use engine::{Error, FunctionSignature, Result};
use std::collections::HashSet;

/// Functions of one plugin.
const MOST_FUNCTIONS: usize = 256;
/// Arguments of one function.
const MOST_ARGUMENTS: usize = 64;

/// One function of a plugin, as it was agreed on in `bind`.
pub(super) struct Checked {
    pub(super) name: String,
    pub(super) deterministic: bool,
    pub(super) signature: FunctionSignature,
    /// The arguments as columns.
    pub(super) arguments: SchemaRef,
    /// Of the results.
    pub(super) decoder: Decoder,
}

/// Checks all of a plugin's functions.
pub(super) fn check(said: &[abi::Signature]) -> Result<Vec<Checked>> {
    if said.is_empty() || said.len() > MOST_FUNCTIONS {
        let count = said.len();
        return Err(Error::plugin(format!("it has {count} functions; 1 to {MOST_FUNCTIONS} are allowed")));
    }
    let mut names = HashSet::new();
    said.iter()
        .map(|said| {
            let name = text::shown(&said.name, text::NAME);
            if !names.insert(name.to_lowercase()) {
                return Err(Error::plugin(format!("it has the function `{name}` twice")));
            }
            one(said, &name).map_err(|e| e.while_doing(format!("function `{name}`")))
        })
        .collect()
}

fn one(said: &abi::Signature, name: &str) -> Result<Checked> {
    let named = |name: &str| name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
    if said.name.is_empty() || said.name.len() > text::NAME || !named(&said.name) {
        return Err(Error::plugin("a name is made of letters, digits, `_` and `-`"));
    }
    let schema = |of: &str, message: &[u8]| {
        ipc::decode_schema(message).map_err(|e| e.while_doing(format!("the schema of its {of}")))
    };
    let arguments = schema("arguments", &said.arguments)?;
    if arguments.fields().len() > MOST_ARGUMENTS {
        let count = arguments.fields().len();
        return Err(Error::plugin(format!("it takes {count} arguments; {MOST_ARGUMENTS} are allowed")));
    }
    let returns = schema("result", &said.returns)?;
    let [result] = returns.fields().as_ref() else {
        let count = returns.fields().len();
        return Err(Error::plugin(format!("its result has {count} columns, and a value is one")));
    };
    // What crosses is what the guest said, for both sides have to know the same columns.
    if *Encoder::new(&arguments)?.schema() != arguments {
        return Err(Error::plugin(
            "its arguments have types that are given to no plugin, such as large lists",
        ));
    }
    let signature = FunctionSignature { arguments: arguments.fields().clone(), returns: result.clone() };
    let decoder = Decoder::new(returns.clone())?;
    Ok(Checked { name: name.to_owned(), deterministic: said.deterministic, signature, arguments, decoder })
}
