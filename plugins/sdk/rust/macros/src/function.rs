//! `#[streamhost::filter]`, `map` and `transform`: a plugin from a function.

use proc_macro2::{Group, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::meta::ParseNestedMeta;
use syn::parse::Parser;
use syn::{Error, Expr, ExprArray, FnArg, Ident, ItemFn, LitBool, LitStr, Path, Result, ReturnType, Type};

/// What the function does with rows.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    Filter,
    Map,
    Transform,
}

/// The arguments of the attribute.
#[derive(Default)]
pub(crate) struct Arguments {
    name: Option<LitStr>,
    version: Option<LitStr>,
    summary: Option<LitStr>,
    deterministic: Option<LitBool>,
    asks: Vec<LitStr>,
    reads: Option<Reads>,
}

pub(crate) enum Reads {
    Columns(Vec<LitStr>),
    Function(Path),
}

/// What the function's parameters are: `arguments` passes them on.
struct Signature {
    /// The struct of a function over rows; none over batches.
    row: Option<TokenStream>,
    config: Option<Type>,
    arguments: Vec<TokenStream>,
}

/// The function as it was, and, if it can be one, the plugin. An error leaves the function, so that it is the only message.
pub(crate) fn expand(kind: Kind, arguments: TokenStream, item: TokenStream) -> TokenStream {
    let plugin = Arguments::parse
        .parse2(arguments)
        .and_then(|arguments| plugin(kind, &arguments, &syn::parse2(item.clone())?))
        .unwrap_or_else(Error::into_compile_error);
    quote! { #item #plugin }
}

impl Arguments {
    #[allow(clippy::self_named_constructors, reason = "the name that syn's parsers have")]
    fn parse(input: syn::parse::ParseStream<'_>) -> Result<Self> {
        let mut arguments = Self::default();
        let parser = syn::meta::parser(|meta| match arguments.take(&meta)? {
            true => Ok(()),
            false => Err(meta.error("expected reads, name, version, summary, deterministic or asks")),
        });
        parser.parse2(input.parse()?)?;
        Ok(arguments)
    }

    /// Takes an argument that every kind of plugin has; false if it is none.
    pub(crate) fn take(&mut self, meta: &ParseNestedMeta<'_>) -> Result<bool> {
        let key = meta.path.get_ident().map(ToString::to_string).unwrap_or_default();
        match key.as_str() {
            "name" => self.name = Some(meta.value()?.parse()?),
            "version" => self.version = Some(meta.value()?.parse()?),
            "summary" => self.summary = Some(meta.value()?.parse()?),
            "deterministic" => self.deterministic = Some(meta.value()?.parse()?),
            "asks" => {
                let asks: ExprArray = meta.value()?.parse()?;
                let ask = |ask: Expr| syn::parse2(ask.into_token_stream());
                self.asks = asks.elems.into_iter().map(ask).collect::<Result<_>>()?;
            }
            "reads" => self.reads = Some(meta.value()?.parse::<Expr>().and_then(Reads::new)?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Takes an argument that says something of the plugin, and nothing of what it does; false if it is none.
    pub(crate) fn take_of_plugin(&mut self, meta: &ParseNestedMeta<'_>) -> Result<bool> {
        let other = meta.path.is_ident("reads") || meta.path.is_ident("deterministic");
        if other { Ok(false) } else { self.take(meta) }
    }

    /// What a function over batches reads.
    pub(crate) fn reads_of_batches(&self) -> TokenStream {
        reads_of_batches(self.reads.as_ref())
    }

    /// Whether they say what is read.
    pub(crate) fn reads_given(&self) -> bool {
        self.reads.is_some()
    }

    pub(crate) fn manifest(&self) -> TokenStream {
        // What is beyond the rows need not be the same a second time.
        self.manifest_of(self.deterministic.as_ref().map_or(self.asks.is_empty(), |given| given.value))
    }

    pub(crate) fn manifest_of(&self, deterministic: bool) -> TokenStream {
        let or = |given: &Option<LitStr>, default: TokenStream| {
            given.as_ref().map_or(default, |text| quote!(#text))
        };
        let name = or(&self.name, quote!(::core::env!("CARGO_PKG_NAME")));
        let version = or(&self.version, quote!(::core::env!("CARGO_PKG_VERSION")));
        let summary = or(&self.summary, quote!(::core::env!("CARGO_PKG_DESCRIPTION")));
        let asks = &self.asks;
        quote! {
            ::streamhost::Manifest {
                name: #name,
                version: #version,
                summary: #summary,
                deterministic: #deterministic,
                asks: &[#(#asks),*],
            }
        }
    }
}

impl Reads {
    fn new(value: Expr) -> Result<Self> {
        match value {
            Expr::Array(ExprArray { elems, .. }) => {
                let column = |column: Expr| syn::parse2(column.into_token_stream());
                elems.into_iter().map(column).collect::<Result<_>>().map(Self::Columns)
            }
            Expr::Path(function) => Ok(Self::Function(function.path)),
            other => Err(Error::new_spanned(other, "expected [\"column\", …] or a function")),
        }
    }
}

impl Signature {
    fn of(function: &ItemFn) -> Result<Self> {
        let mut signature = Self { row: None, config: None, arguments: Vec::new() };
        for (i, input) in function.sig.inputs.iter().enumerate() {
            let FnArg::Typed(input) = input else {
                return Err(Error::new_spanned(input, "a plugin is a plain function"));
            };
            let argument = signature.parameter(i, &input.ty)?;
            signature.arguments.push(argument);
        }
        if signature.arguments.is_empty() {
            return Err(Error::new_spanned(
                &function.sig,
                "expected a parameter: `&RecordBatch`, or a struct that derives Row",
            ));
        }
        Ok(signature)
    }

    fn parameter(&mut self, i: usize, kind: &Type) -> Result<TokenStream> {
        match kind {
            Type::Reference(_) if i == 0 => Ok(quote!(batch)),
            row if i == 0 => {
                self.row = Some(elided(row.to_token_stream()));
                Ok(quote!(row))
            }
            Type::Reference(to) if named(&to.elem, "Context") => Ok(quote!(cx)),
            Type::Reference(to) if named(&to.elem, "RowErrors") && self.row.is_none() => Ok(quote!(errors)),
            Type::Reference(to) if self.config.is_none() && to.mutability.is_none() => {
                self.config = Some(to.elem.as_ref().clone());
                Ok(quote!(config))
            }
            other => Err(Error::new_spanned(
                other,
                "expected `&Context`, `&mut RowErrors` in a function over batches, or one reference to the configuration",
            )),
        }
    }

    fn reads(&self, reads: Option<&Reads>) -> Result<TokenStream> {
        match (&self.row, reads) {
            (Some(row), Some(_)) => Err(Error::new_spanned(
                row,
                "a function over rows reads the fields of its row: leave `reads` out",
            )),
            (Some(row), None) => Ok(quote!(::core::option::Option::Some(::streamhost::row::names::<#row>()))),
            (None, reads) => Ok(reads_of_batches(reads)),
        }
    }
}

/// The type with `'_` for each of its lifetimes, whose names are the function's own.
pub(crate) fn elided(kind: TokenStream) -> TokenStream {
    let mut lifetime = false;
    let tokens = kind.into_iter().map(|token| match token {
        TokenTree::Ident(name) if lifetime => {
            lifetime = false;
            TokenTree::Ident(Ident::new("_", name.span()))
        }
        TokenTree::Group(group) => {
            let mut within = Group::new(group.delimiter(), elided(group.stream()));
            within.set_span(group.span());
            TokenTree::Group(within)
        }
        other => {
            lifetime = matches!(&other, TokenTree::Punct(mark) if mark.as_char() == '\'');
            other
        }
    });
    tokens.collect()
}

fn reads_of_batches(reads: Option<&Reads>) -> TokenStream {
    match reads {
        Some(Reads::Columns(columns)) => {
            quote!(::core::option::Option::Some(::std::vec![#(::std::string::String::from(#columns)),*]))
        }
        Some(Reads::Function(function)) => quote!(::core::option::Option::Some(#function(config))),
        None => quote!(::core::option::Option::None),
    }
}

fn plugin(kind: Kind, arguments: &Arguments, function: &ItemFn) -> Result<TokenStream> {
    let signature = Signature::of(function)?;
    let name = &function.sig.ident;
    let visibility = &function.vis;
    let manifest = arguments.manifest();
    let reads = signature.reads(arguments.reads.as_ref())?;
    let process = process(kind, &signature, function);
    let config = match &signature.config {
        Some(config) => quote!(#config),
        None => quote!(::streamhost::NoConfig),
    };
    let doc = format!("The plugin that [`{name}()`] is.");
    Ok(quote! {
        #[doc = #doc]
        #[allow(non_camel_case_types, reason = "named as the function is")]
        #visibility enum #name {}

        impl ::streamhost::Plugin for #name {
            const MANIFEST: ::streamhost::Manifest = #manifest;
            type Config = #config;

            fn reads(
                #[allow(unused_variables, reason = "not every plugin's columns depend on it")] config: &Self::Config,
            ) -> ::core::option::Option<::std::vec::Vec<::std::string::String>> {
                #reads
            }

            #[allow(unused_variables, reason = "not every function takes all of them")]
            fn process(
                config: &Self::Config,
                cx: &::streamhost::Context,
                batch: &::streamhost::arrow::array::RecordBatch,
                errors: &mut ::streamhost::RowErrors,
            ) -> ::streamhost::Result<::streamhost::Output> {
                #process
            }
        }

        #[cfg(target_family = "wasm")]
        const _: () = {
            type Exports = ::streamhost::Exports<#name>;
            ::streamhost::bindings::export_base!(Exports);
            ::streamhost::bindings::stateless::export_transform!(Exports);
        };
    })
}

/// Calls the function with a batch, or for each of its rows.
fn process(kind: Kind, signature: &Signature, function: &ItemFn) -> TokenStream {
    let (name, arguments) = (&function.sig.ident, &signature.arguments);
    let call = quote!(#name(#(#arguments),*));
    let result = if returns(function, "Result") { call } else { quote!(::core::result::Result::Ok(#call)) };
    let Some(row) = &signature.row else {
        return match kind {
            Kind::Filter => quote!(::core::result::Result::Ok(::streamhost::Output::Keep(#result?))),
            Kind::Map => quote!(::core::result::Result::Ok(::streamhost::Columns::into_output(#result?))),
            Kind::Transform => quote!(::streamhost::Batches::into_output(#result?)),
        };
    };
    let drive = match kind {
        Kind::Filter => quote!(filter),
        Kind::Map if optional(function) => quote!(filter_map),
        Kind::Map => quote!(map),
        Kind::Transform => quote!(expand),
    };
    quote!(::streamhost::row::#drive(batch, errors, |row: #row| #result))
}

/// Whether the function returns a type of this name.
pub(crate) fn returns(function: &ItemFn, name: &str) -> bool {
    matches!(&function.sig.output, ReturnType::Type(_, kind) if named(kind, name))
}

/// Whether it returns an `Option`, or a `Result` of one.
fn optional(function: &ItemFn) -> bool {
    let ReturnType::Type(_, kind) = &function.sig.output else { return false };
    named(kind, "Option")
        || (named(kind, "Result") && first_argument(kind).is_some_and(|kind| named(kind, "Option")))
}

pub(crate) fn first_argument(kind: &Type) -> Option<&Type> {
    let Type::Path(path) = kind else { return None };
    match &path.path.segments.last()?.arguments {
        syn::PathArguments::AngleBracketed(arguments) => {
            arguments.args.iter().find_map(|argument| match argument {
                syn::GenericArgument::Type(kind) => Some(kind),
                _ => None,
            })
        }
        _ => None,
    }
}

pub(crate) fn named(kind: &Type, name: &str) -> bool {
    matches!(kind, Type::Path(path) if path.path.segments.last().is_some_and(|last| last.ident == name))
}
