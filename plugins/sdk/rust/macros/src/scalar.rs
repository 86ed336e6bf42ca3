//! `#[streamhost::function]` and `#[streamhost::functions]`: functions for SQL, from functions.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::meta::ParseNestedMeta;
use syn::parse::Parser;
use syn::{
    Error, FnArg, Ident, Item, ItemFn, ItemMod, LitBool, LitStr, Pat, Result, ReturnType, Type, Visibility,
};

use crate::function::{Arguments, named};

/// What an attribute says of one function.
#[derive(Default)]
struct Own {
    deterministic: Option<LitBool>,
    arguments: Option<LitStr>,
    returns: Option<LitStr>,
}

/// One function.
struct Scalar {
    name: Ident,
    deterministic: bool,
    config: Option<Type>,
    shape: Shape,
    /// Whether it returns a `Result`.
    fallible: bool,
    /// What is passed on, in the order of the parameters: `config`, `batch`, or `argument_<n>`.
    passed: Vec<Ident>,
}

enum Shape {
    /// Over columns, with the types as DDL.
    Columns { arguments: LitStr, returns: LitStr },
    /// Over rows: the arguments, and the type of the result.
    Rows { arguments: Vec<Argument>, returns: Box<Type> },
}

struct Argument {
    place: Ident,
    name: String,
    kind: Type,
}

/// The function as it was, and, if it can be one, the plugin.
pub(crate) fn function(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let plugin = single(arguments, item.clone()).unwrap_or_else(Error::into_compile_error);
    quote! { #item #plugin }
}

/// The module, with the plugin in it if it can be one.
pub(crate) fn functions(arguments: TokenStream, item: TokenStream) -> TokenStream {
    several(arguments, item.clone()).unwrap_or_else(|error| {
        let error = error.into_compile_error();
        quote! { #item #error }
    })
}

fn single(arguments: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let (mut common, mut own) = (Arguments::default(), Own::default());
    let parser = syn::meta::parser(|meta| match own.take(&meta)? || common.take_of_plugin(&meta)? {
        true => Ok(()),
        false => Err(meta.error("expected arguments, returns, deterministic, name, version or summary")),
    });
    parser.parse2(arguments)?;
    let function: ItemFn = syn::parse2(item)?;
    let scalar = Scalar::of(&function, own)?;
    let doc = format!("The plugin whose function is [`{}()`].", function.sig.ident);
    Ok(plugin(&function.sig.ident, &function.vis, &doc, &common, &[scalar]))
}

fn several(arguments: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let mut common = Arguments::default();
    let parser = syn::meta::parser(|meta| match common.take_of_plugin(&meta)? {
        true => Ok(()),
        false => Err(meta.error("expected name, version or summary")),
    });
    parser.parse2(arguments)?;
    let mut module: ItemMod = syn::parse2(item)?;
    let Some((_, items)) = &mut module.content else {
        return Err(Error::new_spanned(&module, "the functions stand in the module itself: mod name { … }"));
    };
    let mut scalars = Vec::new();
    for item in items.iter_mut() {
        if let Item::Fn(function) = item {
            let own = Own::taken_from(function)?;
            if matches!(function.vis, Visibility::Public(_)) {
                scalars.push(Scalar::of(function, own)?);
            }
        }
    }
    if scalars.is_empty() {
        return Err(Error::new_spanned(&module.ident, "there is no `pub fn` in it, and each is a function"));
    }
    let name = Ident::new("Plugin", module.ident.span());
    let visibility: Visibility = syn::parse_quote!(pub);
    let plugin = plugin(&name, &visibility, "The plugin of these functions.", &common, &scalars);
    items.push(Item::Verbatim(plugin));
    Ok(module.into_token_stream())
}

impl Own {
    fn take(&mut self, meta: &ParseNestedMeta<'_>) -> Result<bool> {
        let key = meta.path.get_ident().map(ToString::to_string).unwrap_or_default();
        match key.as_str() {
            "deterministic" => self.deterministic = Some(meta.value()?.parse()?),
            "arguments" => self.arguments = Some(meta.value()?.parse()?),
            "returns" => self.returns = Some(meta.value()?.parse()?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Takes the attribute `#[function(…)]` from a function, if it has one.
    fn taken_from(function: &mut ItemFn) -> Result<Self> {
        let mut own = Own::default();
        for attribute in function.attrs.extract_if(.., |attribute| attribute.path().is_ident("function")) {
            attribute.parse_nested_meta(|meta| match own.take(&meta)? {
                true => Ok(()),
                false => Err(meta.error("expected arguments, returns or deterministic")),
            })?;
        }
        Ok(own)
    }
}

impl Scalar {
    fn of(function: &ItemFn, own: Own) -> Result<Self> {
        let (mut config, mut passed, mut arguments) = (None, Vec::new(), Vec::new());
        let mut columns = false;
        for (i, input) in function.sig.inputs.iter().enumerate() {
            let FnArg::Typed(input) = input else {
                return Err(Error::new_spanned(input, "a plugin is a plain function"));
            };
            let place = |name: &str| Ident::new(name, function.sig.ident.span());
            passed.push(match &*input.ty {
                Type::Reference(to) if i == 0 && named(&to.elem, "RecordBatch") => {
                    columns = true;
                    place("batch")
                }
                Type::Reference(to) if named(&to.elem, "Context") => {
                    return Err(Error::new_spanned(&input.ty, NO_CONTEXT));
                }
                Type::Reference(to) if is_config(&to.elem) => {
                    if config.replace(to.elem.as_ref().clone()).is_some() || to.mutability.is_some() {
                        return Err(Error::new_spanned(&input.ty, ONE_CONFIG));
                    }
                    place("config")
                }
                _ if columns => return Err(Error::new_spanned(&input.ty, ONE_CONFIG)),
                kind => {
                    let place = place(&format!("argument_{i}"));
                    let name = name(&input.pat)?;
                    arguments.push(Argument { place: place.clone(), name, kind: kind.clone() });
                    place
                }
            });
        }
        let (fallible, returns) = returned(function)?;
        let shape = match (columns, own.arguments, own.returns) {
            (true, Some(arguments), Some(returns)) => Shape::Columns { arguments, returns },
            (true, ..) => return Err(Error::new_spanned(&function.sig, SAY_TYPES)),
            (false, None, None) => Shape::Rows { arguments, returns: Box::new(returns) },
            (false, ..) => return Err(Error::new_spanned(&function.sig, TYPES_ARE_SAID)),
        };
        let deterministic = own.deterministic.is_none_or(|given| given.value);
        Ok(Self { name: function.sig.ident.clone(), deterministic, config, shape, fallible, passed })
    }

    /// The function as a value of `streamhost::function::Function`.
    fn described(&self) -> TokenStream {
        let (name, deterministic) = (self.name.unraw().to_string(), self.deterministic);
        let (arguments, returns) = match &self.shape {
            Shape::Columns { arguments, returns } => (
                quote!(::streamhost::function::arguments_of(#arguments)),
                quote!(::streamhost::function::result_of(#returns)),
            ),
            Shape::Rows { arguments, returns } => {
                let arguments = arguments.iter().map(
                    |Argument { name, kind, .. }| quote!(::streamhost::function::argument::<#kind>(#name)),
                );
                let fields =
                    quote!(::std::vec::Vec::<::streamhost::arrow::datatypes::Field>::from([#(#arguments),*]));
                (
                    quote!(::core::result::Result::Ok(::streamhost::arrow::datatypes::Schema::new(#fields))),
                    quote!(::core::result::Result::Ok(::streamhost::function::result::<#returns>())),
                )
            }
        };
        let call = self.call();
        quote! {
            ::streamhost::function::Function {
                name: #name,
                deterministic: #deterministic,
                arguments: || #arguments,
                returns: || #returns,
                call: |config, batch| { #call },
            }
        }
    }

    /// Calls the function with columns, or for each row.
    fn call(&self) -> TokenStream {
        let (name, passed) = (&self.name, &self.passed);
        let call = quote!(#name(#(#passed),*));
        let Shape::Rows { arguments, .. } = &self.shape else {
            return if self.fallible { call } else { quote!(::core::result::Result::Ok(#call)) };
        };
        let places = arguments.iter().map(|argument| &argument.place);
        let kinds: Vec<&Type> = arguments.iter().map(|argument| &argument.kind).collect();
        let (opened, got) = (places.clone(), places);
        let at = 0..arguments.len();
        let value = match self.fallible {
            true => quote!(#call.map(::core::option::Option::Some)),
            false => quote!(::core::result::Result::Ok(::core::option::Option::Some(#call))),
        };
        quote! {
            #(let #opened = ::streamhost::function::open::<#kinds>(batch, #at)?;)*
            ::streamhost::function::each(batch.num_rows(), |row| {
                #(let ::core::option::Option::Some(#got) =
                    <#kinds as ::streamhost::row::ReadField>::get(&#got, row) else {
                    return ::core::result::Result::Ok(::core::option::Option::None);
                };)*
                #value
            })
        }
    }
}

const ONE_CONFIG: &str = "expected arguments, and at most one reference to the configuration; over columns `&RecordBatch` alone comes before it";
const NO_CONTEXT: &str = "a function of SQL knows nothing of the epoch but its arguments: let the query pass it current_timestamp()";
const SAY_TYPES: &str = "say the types of its arguments and its result: #[streamhost::function(arguments = \"amount DOUBLE\", returns = \"DOUBLE\")]";
const TYPES_ARE_SAID: &str =
    "its parameters say the types: leave `arguments` and `returns` out, or take `&RecordBatch`";

/// Whether what is referred to is the configuration: not a text or bytes, which are arguments.
fn is_config(to: &Type) -> bool {
    !named(to, "str") && !matches!(to, Type::Slice(_))
}

/// The name of an argument.
fn name(pattern: &Pat) -> Result<String> {
    match pattern {
        Pat::Ident(ident) => Ok(ident.ident.unraw().to_string().trim_start_matches('_').to_owned()),
        other => Err(Error::new_spanned(other, "an argument has a name")),
    }
}

/// Whether the function returns a `Result`, and the type of what it gives.
fn returned(function: &ItemFn) -> Result<(bool, Type)> {
    let ReturnType::Type(_, kind) = &function.sig.output else {
        return Err(Error::new_spanned(&function.sig, "a function of SQL gives a value"));
    };
    if !named(kind, "Result") {
        return Ok((false, kind.as_ref().clone()));
    }
    match crate::function::first_argument(kind) {
        Some(given) => Ok((true, given.clone())),
        None => Err(Error::new_spanned(kind, "expected Result<…>")),
    }
}

fn plugin(
    name: &Ident,
    visibility: &Visibility,
    doc: &str,
    common: &Arguments,
    scalars: &[Scalar],
) -> TokenStream {
    let configs: Vec<&Type> = scalars.iter().filter_map(|scalar| scalar.config.as_ref()).collect();
    // If they differ, the compiler says so where the second is used.
    let config = configs.first().map_or_else(|| quote!(::streamhost::NoConfig), |config| quote!(#config));
    let manifest = common.manifest_of(scalars.iter().all(|scalar| scalar.deterministic));
    let described = scalars.iter().map(Scalar::described);
    quote! {
        #[doc = #doc]
        #[allow(non_camel_case_types, reason = "named as the function is")]
        #visibility enum #name {}

        #[allow(unused_variables, reason = "not every function takes all of them")]
        impl ::streamhost::Functions for #name {
            const MANIFEST: ::streamhost::Manifest = #manifest;
            type Config = #config;

            fn functions() -> ::std::vec::Vec<::streamhost::function::Function<Self::Config>> {
                ::std::vec![#(#described),*]
            }
        }

        #[cfg(target_family = "wasm")]
        const _: () = {
            type Exports = ::streamhost::FunctionExports<#name>;
            ::streamhost::bindings::export_base!(Exports);
            ::streamhost::bindings::sql_functions::export_functions!(Exports);
        };
    }
}
