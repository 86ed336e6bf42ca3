//! Scalar functions for SQL: what the attributes `function` and `functions` make of functions.
//!
//! A parameter's type is an argument's, as a field's is a column's (see [`row`](crate::row)). `Option` takes NULL; without it the
//! result for NULL is NULL, and the function is not called.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{Field, Schema, SchemaRef};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::bindings::sql_functions::exports::streamhost::plugin::functions::Signature;
use crate::row::{FieldType, ReadField, WriteField};
use crate::{Error, Manifest, Result, config, ddl, ipc};

/// A plugin of functions. `#[streamhost::function]` implements it on a type named as its function, `#[streamhost::functions]` on a
/// type `Plugin` in its module.
pub trait Functions: 'static {
    /// What the plugin says of itself.
    const MANIFEST: Manifest;
    /// What the pipeline's `config` is read into.
    type Config: DeserializeOwned + JsonSchema + 'static;

    /// The functions.
    fn functions() -> Vec<Function<Self::Config>>;
}

/// One function of a plugin whose configuration is a `C`.
#[derive(Debug)]
pub struct Function<C> {
    /// Its name.
    pub name: &'static str,
    /// Same arguments, same result.
    pub deterministic: bool,
    /// Its arguments; those that are not nullable are never NULL.
    pub arguments: fn() -> Result<Schema>,
    /// The type of its result.
    pub returns: fn() -> Result<Field>,
    /// The results for rows of arguments.
    pub call: fn(&C, &RecordBatch) -> Result<ArrayRef>,
}

/// An argument of this type.
pub fn argument<F: FieldType>(name: &str) -> Field {
    Field::new(name, F::data_type(), F::NULLABLE)
}

/// A result of this type.
pub fn result<F: FieldType>() -> Field {
    Field::new("result", F::data_type(), true)
}

/// A result of the type that DDL names.
///
/// # Errors
/// If there is no such type.
pub fn result_of(ddl: &str) -> Result<Field> {
    let schema = ddl::parse(&format!("result {ddl}")).map_err(|error| error.context("`returns`"))?;
    match schema.fields().as_ref() {
        [only] => Ok(only.as_ref().clone().with_nullable(true)),
        _ => Err(Error::invalid(format_args!("`returns` is one type, and not {ddl}"))),
    }
}

/// The arguments that DDL names: `amount DOUBLE NOT NULL, country STRING`.
///
/// # Errors
/// If it is no schema.
pub fn arguments_of(ddl: &str) -> Result<Schema> {
    ddl::parse(ddl).map_err(|error| error.context("`arguments`"))
}

/// Opens the column of an argument.
///
/// # Errors
/// If it is not there, or of another type.
pub fn open<'a, F: ReadField<'a>>(arguments: &'a RecordBatch, at: usize) -> Result<F::Column> {
    let column = arguments.columns().get(at).and_then(|column| F::open(column.as_ref()));
    column
        .ok_or_else(|| Error::permanent(format_args!("argument {at} is not of the type that was agreed on")))
}

/// A column with a value for each row; NULL where there is none.
///
/// # Errors
/// The first of a row's.
pub fn each<W: WriteField>(
    rows: usize,
    mut value: impl FnMut(usize) -> Result<Option<W>>,
) -> Result<ArrayRef> {
    let mut builder = W::Builder::default();
    for row in 0..rows {
        match value(row)? {
            Some(value) => value.append(&mut builder),
            None => W::append_null(&mut builder),
        }
    }
    Ok(W::finish(builder))
}

/// A plugin of functions that has its configuration.
pub(crate) struct BoundFunctions<P: Functions> {
    config: P::Config,
    functions: Vec<Bound<P::Config>>,
}

struct Bound<C> {
    function: Function<C>,
    arguments: SchemaRef,
    returns: SchemaRef,
}

impl<P: Functions> BoundFunctions<P> {
    /// Reads the configuration, and asks for the functions.
    ///
    /// # Errors
    /// If the configuration is wrong, or the types of a function are none.
    pub(crate) fn bind(config: &str) -> Result<Self> {
        let config = config::parse::<P::Config>(config)?;
        let functions = P::functions().into_iter().map(|function| {
            let of = |error: Error| error.context(format_args!("function `{}`", function.name));
            let arguments = Arc::new((function.arguments)().map_err(of)?);
            let returns = Arc::new(Schema::new(vec![(function.returns)().map_err(of)?]));
            // A type that does not cross is refused before there are rows.
            ipc::empty(&arguments).and_then(|_| ipc::empty(&returns)).map_err(of)?;
            Ok(Bound { function, arguments, returns })
        });
        Ok(Self { config, functions: functions.collect::<Result<_>>()? })
    }

    pub(crate) fn signatures(&self) -> Vec<Signature> {
        let signature = |Bound { function, arguments, returns }: &Bound<P::Config>| Signature {
            name: function.name.into(),
            arguments: ipc::encode_schema(arguments),
            returns: ipc::encode_schema(returns),
            deterministic: function.deterministic,
        };
        self.functions.iter().map(signature).collect()
    }

    /// Answers the messages of one call.
    ///
    /// # Errors
    /// If the function does, or gives something else than a value of its type for each row.
    pub(crate) fn call(&self, name: &str, messages: Vec<u8>) -> Result<Vec<u8>> {
        let Bound { function, arguments, returns } = self.find(name)?;
        let mut answer = Vec::new();
        for batch in ipc::decode(messages, arguments)? {
            let results = (function.call)(&self.config, &batch)?;
            checked(name, &results, batch.num_rows(), returns)?;
            ipc::encode(&RecordBatch::try_new(returns.clone(), vec![results])?, &mut answer)?;
        }
        Ok(answer)
    }

    /// The arguments and the result of a function.
    ///
    /// # Errors
    /// If there is none of this name.
    #[cfg(not(target_family = "wasm"))]
    pub(crate) fn columns(&self, name: &str) -> Result<(&SchemaRef, &SchemaRef)> {
        self.find(name).map(|bound| (&bound.arguments, &bound.returns))
    }

    /// The names of the functions.
    #[cfg(not(target_family = "wasm"))]
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.functions.iter().map(|bound| bound.function.name)
    }

    fn find(&self, name: &str) -> Result<&Bound<P::Config>> {
        let found = self.functions.iter().find(|bound| bound.function.name == name);
        found.ok_or_else(|| Error::permanent(format_args!("there is no function `{name}`")))
    }
}

fn checked(name: &str, results: &ArrayRef, rows: usize, returns: &Schema) -> Result<()> {
    let said = returns.field(0).data_type();
    if results.data_type() != said {
        let (given, said) = (ddl::type_name(results.data_type()), ddl::type_name(said));
        return Err(Error::permanent(format_args!(
            "function `{name}` gives {given}, and says that it gives {said}"
        )));
    }
    if results.len() != rows {
        let given = results.len();
        return Err(Error::permanent(format_args!("function `{name}` gives {given} values for {rows} rows")));
    }
    Ok(())
}
