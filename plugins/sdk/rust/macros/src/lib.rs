//! The attributes of `streamhost-sdk`; its documentation has them by example.

mod batch_sink;
mod config;
mod function;
mod keyed;
mod row;
mod scalar;

use proc_macro::TokenStream;

/// Keeps rows: `fn(&RecordBatch) -> Result<BooleanArray>`, or `fn(row) -> Result<bool>` over a [`Row`](macro@Row).
///
/// More parameters, in any order, by their types: `&Context`, `&mut RowErrors` (over batches), and one more reference, which is
/// the configuration. Arguments of the attribute, all optional: `reads = ["column", …]` or `reads = function`, from the
/// configuration to `Vec<String>` (over batches; rows read their fields); `name`, `version`, `summary` (the package's
/// by default); `deterministic = false`; `asks = ["http"]`, after which it does not count as deterministic unless it says so.
///
/// The attribute also makes a type of the function's name, which `streamhost::testing` takes.
#[proc_macro_attribute]
pub fn filter(arguments: TokenStream, item: TokenStream) -> TokenStream {
    function::expand(function::Kind::Filter, arguments.into(), item.into()).into()
}

/// Adds columns: `fn(&RecordBatch) -> Result<RecordBatch>` with the added columns only, or `fn(row) -> Result<Added>`.
///
/// With `Result<(BooleanArray, RecordBatch)>`, or `Result<Option<Added>>`, it drops rows as well. Parameters and arguments
/// are those of [`macro@filter`].
#[proc_macro_attribute]
pub fn map(arguments: TokenStream, item: TokenStream) -> TokenStream {
    function::expand(function::Kind::Map, arguments.into(), item.into()).into()
}

/// Replaces rows: `fn(&RecordBatch) -> Result<RecordBatch>`, or `fn(row) -> Vec<Out>`, or any iterator, in a `Result` or not.
///
/// With `Result<(RecordBatch, [Side; n])>` there are side outputs. Parameters and arguments are those of [`macro@filter`].
#[proc_macro_attribute]
pub fn transform(arguments: TokenStream, item: TokenStream) -> TokenStream {
    function::expand(function::Kind::Transform, arguments.into(), item.into()).into()
}

/// Stores epochs: `fn(rows: Rows, outputs: &Outputs) -> Result<()>`.
///
/// `outputs = function` says what it writes to: from the configuration and the columns that come in, `&Config` and `&Schema`, to
/// `Result<Vec<(String, Schema)>>`. Or `outputs(name = Struct, …)`, where rows are structs that derive [`Row`](macro@Row).
/// More parameters, in any order, by their types: `&Context`, and one more reference, which is the configuration. The other
/// arguments of the attribute are those of [`macro@filter`].
#[proc_macro_attribute]
pub fn batch_sink(arguments: TokenStream, item: TokenStream) -> TokenStream {
    batch_sink::expand(arguments.into(), item.into()).into()
}

/// A scalar function for SQL, called as the function is: `fn(amount: f64, country: Option<&str>) -> f64`, whose parameters are of the
/// types that fields of a [`Row`](macro@Row) may have, as is the result, in an `Option`, a `Result` or both. For NULL in a
/// parameter that is no `Option` the result is NULL, and the function is not called.
///
/// Or over columns, `fn(&RecordBatch) -> Result<ArrayRef>`, with the types in the attribute's arguments: `arguments = "amount DECIMAL(10, 2)
/// NOT NULL, country STRING"`, `returns = "DECIMAL(12, 2)"`.
///
/// One more reference is the configuration. The other arguments, all optional: `deterministic = false`, and `name`, `version` and
/// `summary` of the plugin.
#[proc_macro_attribute]
pub fn function(arguments: TokenStream, item: TokenStream) -> TokenStream {
    scalar::function(arguments.into(), item.into()).into()
}

/// Several functions for SQL: those of a module that are `pub`. Each may have an attribute `#[function(…)]` with the arguments of
/// [`macro@function`] that are not the plugin's, which are this attribute's. The plugin is the type `Plugin` in the module.
#[proc_macro_attribute]
pub fn functions(arguments: TokenStream, item: TokenStream) -> TokenStream {
    scalar::functions(arguments.into(), item.into()).into()
}

/// Keeps state for each key: `fn(key, rows: Group<Row>, state: &mut Option<S>, timers: &mut Timers) -> impl IntoIterator<Item = Out>`,
/// in a `Result` or not. It is called for each key that has rows in an epoch.
///
/// Parameters are known by their types. The key comes first, a struct that derives [`Row`](macro@Row); where it is left out, the
/// key's columns stand before those of the rows that leave. The others are in any order: `Group<Row>`, the rows; tables by their
/// names, `&mut Option<S>` a value, `&mut Vec<S>` a sequence, `&mut BTreeMap<K, S>` a mapping, of structs that derive `Row` and
/// `Clone`; `&mut Timers`; `&Context`; and one more reference, which is the configuration.
///
/// Arguments of the attribute, all optional but for the first with timers: `expired = function`, which is called for a timer that
/// fires, has the same parameters with `Fired` in the place of the rows, and returns alike; `ttl = "1h"`, or a function from the
/// configuration to a `Duration`, for all tables; `tables(name(ttl = …, version = 2))` for one; `migrate = function`, from `&Before` to
/// `Result<RecordBatch>`, for tables of an older version; `reads = ["column", …]` or a function, from the configuration to
/// `Vec<String>`, if the columns have other names than the row's fields, in their order; and the others of [`macro@filter`].
#[proc_macro_attribute]
pub fn keyed(arguments: TokenStream, item: TokenStream) -> TokenStream {
    keyed::expand(arguments.into(), item.into()).into()
}

/// Makes a struct a row: its fields are columns. `#[row(rename = "…")]` gives a field's column another name.
#[proc_macro_derive(Row, attributes(row))]
pub fn row(item: TokenStream) -> TokenStream {
    row::expand(item.into()).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Makes a struct or enum a configuration: read by serde, in kebab-case, unknown keys refused, with a JSON Schema in which the
/// documentation comments are the descriptions. serde's own attributes work.
#[proc_macro_attribute]
pub fn config(_: TokenStream, item: TokenStream) -> TokenStream {
    config::expand(item.into()).unwrap_or_else(syn::Error::into_compile_error).into()
}
