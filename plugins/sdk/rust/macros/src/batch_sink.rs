//! `#[streamhost::batch_sink]`: a plugin that stores epochs, from a function.

use proc_macro2::TokenStream;
use quote::quote;
use syn::meta::ParseNestedMeta;
use syn::parse::Parser;
use syn::{Error, FnArg, Ident, ItemFn, Path, Result, Type};

use crate::function::{Arguments, named};

/// What the function writes to.
enum Outputs {
    /// A function of the configuration and the columns.
    Function(Path),
    /// Names, and structs that are rows.
    Rows(Vec<(String, Path)>),
}

/// What the function's parameters are: `arguments` passes them on.
struct Signature {
    config: Option<Type>,
    arguments: Vec<TokenStream>,
}

/// The function as it was, and, if it can be one, the plugin.
pub(crate) fn expand(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let plugin = plugin(arguments, item.clone()).unwrap_or_else(Error::into_compile_error);
    quote! { #item #plugin }
}

fn plugin(arguments: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let mut common = Arguments::default();
    let mut outputs = None;
    let parser = syn::meta::parser(|meta| {
        if meta.path.is_ident("outputs") {
            outputs = Some(Outputs::parse(&meta)?);
            return Ok(());
        }
        match common.take(&meta)? {
            true => Ok(()),
            false => {
                Err(meta.error("expected outputs, reads, name, version, summary, deterministic or asks"))
            }
        }
    });
    parser.parse2(arguments)?;
    let function: ItemFn = syn::parse2(item)?;
    let outputs = outputs.ok_or_else(|| {
        Error::new_spanned(
            &function.sig.ident,
            "say what it writes to: #[streamhost::batch_sink(outputs(name = Struct))], or `outputs = function`",
        )
    })?;
    Ok(implement(&function, &Signature::of(&function)?, &common, &outputs))
}

impl Outputs {
    fn parse(meta: &ParseNestedMeta<'_>) -> Result<Self> {
        if meta.input.peek(syn::Token![=]) {
            return Ok(Outputs::Function(meta.value()?.parse()?));
        }
        let mut rows = Vec::new();
        meta.parse_nested_meta(|output| {
            let name: &Ident = output.path.require_ident()?;
            rows.push((name.to_string(), output.value()?.parse()?));
            Ok(())
        })?;
        Ok(Outputs::Rows(rows))
    }

    fn tokens(&self) -> TokenStream {
        match self {
            Outputs::Function(function) => quote!(#function(config, input)),
            Outputs::Rows(rows) => {
                let (names, kinds): (Vec<_>, Vec<_>) = rows.iter().map(|(name, kind)| (name, kind)).unzip();
                quote!(::core::result::Result::Ok(::std::vec![
                    #((::std::string::String::from(#names), ::streamhost::sink::columns::<#kinds>())),*
                ]))
            }
        }
    }
}

impl Signature {
    fn of(function: &ItemFn) -> Result<Self> {
        let mut signature = Self { config: None, arguments: Vec::new() };
        for input in &function.sig.inputs {
            let FnArg::Typed(input) = input else {
                return Err(Error::new_spanned(input, "a plugin is a plain function"));
            };
            let argument = signature.parameter(&input.ty)?;
            signature.arguments.push(argument);
        }
        Ok(signature)
    }

    fn parameter(&mut self, kind: &Type) -> Result<TokenStream> {
        match kind {
            rows if named(rows, "Rows") => Ok(quote!(rows)),
            Type::Reference(to) if named(&to.elem, "Outputs") => Ok(quote!(outputs)),
            Type::Reference(to) if named(&to.elem, "Context") => Ok(quote!(cx)),
            Type::Reference(to) if self.config.is_none() && to.mutability.is_none() => {
                self.config = Some(to.elem.as_ref().clone());
                Ok(quote!(config))
            }
            other => Err(Error::new_spanned(
                other,
                "expected `Rows`, `&Outputs`, `&Context` or one reference to the configuration",
            )),
        }
    }
}

fn implement(
    function: &ItemFn,
    Signature { config, arguments }: &Signature,
    common: &Arguments,
    outputs: &Outputs,
) -> TokenStream {
    let (name, visibility) = (&function.sig.ident, &function.vis);
    let (manifest, reads, outputs) = (common.manifest(), common.reads_of_batches(), outputs.tokens());
    let config = config.as_ref().map_or_else(|| quote!(::streamhost::NoConfig), |config| quote!(#config));
    let doc = format!("The plugin that [`{name}()`] is.");
    quote! {
        #[doc = #doc]
        #[allow(non_camel_case_types, reason = "named as the function is")]
        #visibility enum #name {}

        #[allow(unused_variables, reason = "not every plugin needs all of them")]
        impl ::streamhost::BatchSink for #name {
            const MANIFEST: ::streamhost::Manifest = #manifest;
            type Config = #config;

            fn reads(config: &Self::Config) -> ::core::option::Option<::std::vec::Vec<::std::string::String>> {
                #reads
            }

            fn outputs(
                config: &Self::Config,
                input: &::streamhost::arrow::datatypes::Schema,
            ) -> ::streamhost::Result<::std::vec::Vec<::streamhost::OutputColumns>> {
                #outputs
            }

            fn process(
                config: &Self::Config,
                cx: &::streamhost::Context,
                rows: ::streamhost::Rows<'_>,
                outputs: &::streamhost::Outputs<'_>,
            ) -> ::streamhost::Result<()> {
                #name(#(#arguments),*)
            }
        }

        #[cfg(target_family = "wasm")]
        const _: () = {
            type Exports = ::streamhost::SinkExports<#name>;
            ::streamhost::bindings::export_base!(Exports);
            ::streamhost::bindings::batch_sink::export_foreach_batch!(Exports);
        };
    }
}
