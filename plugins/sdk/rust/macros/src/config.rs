//! `#[streamhost::config]`

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Attribute, Data, DeriveInput, Result};

pub(crate) fn expand(item: TokenStream) -> Result<TokenStream> {
    let item: DeriveInput = syn::parse2(item)?;
    let case = (!has_serde(&item.attrs, "rename_all")?).then(|| quote!(#[serde(rename_all = "kebab-case")]));
    let strict = matches!(item.data, Data::Struct(_)).then(|| quote!(#[serde(deny_unknown_fields)]));
    Ok(quote! {
        #[derive(::core::fmt::Debug, ::streamhost::serde::Deserialize, ::streamhost::schemars::JsonSchema)]
        #[serde(crate = "::streamhost::serde")]
        #[schemars(crate = "::streamhost::schemars")]
        #case
        #strict
        #item
    })
}

/// Whether a `#[serde(…)]` already says this.
fn has_serde(attributes: &[Attribute], key: &str) -> Result<bool> {
    let mut found = false;
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("serde")) {
        attribute.parse_nested_meta(|meta| {
            found |= meta.path.is_ident(key);
            if meta.input.peek(syn::Token![=]) {
                meta.value()?.parse::<syn::Expr>()?;
            }
            Ok(())
        })?;
    }
    Ok(found)
}
