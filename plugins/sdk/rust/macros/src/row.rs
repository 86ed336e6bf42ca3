//! `#[derive(Row)]`

use proc_macro2::TokenStream;
use quote::quote;
use syn::{
    Data, DeriveInput, Error, Field, Fields, Ident, Lifetime, LitStr, Result, Type, ext::IdentExt,
    parse_quote,
};

/// A field of the struct, and its column's name.
struct Column {
    field: Ident,
    name: String,
    kind: Type,
}

pub(crate) fn expand(item: TokenStream) -> Result<TokenStream> {
    let item: DeriveInput = syn::parse2(item)?;
    let columns = columns(&item)?;
    let (of, read, write) = (fields(&item, &columns), reads(&item, &columns)?, writes(&item, &columns));
    Ok(quote! { #of #read #write })
}

fn columns(item: &DeriveInput) -> Result<Vec<Column>> {
    match &item.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => fields.named.iter().map(column).collect(),
            _ => Err(Error::new_spanned(&item.ident, "a row has named fields: they are its columns")),
        },
        _ => Err(Error::new_spanned(&item.ident, "a row is a struct: its fields are columns")),
    }
}

fn column(field: &Field) -> Result<Column> {
    let Some(ident) = &field.ident else { return Err(Error::new_spanned(field, "a row has named fields")) };
    let mut name = ident.unraw().to_string();
    for attribute in field.attrs.iter().filter(|attribute| attribute.path().is_ident("row")) {
        attribute.parse_nested_meta(|meta| {
            if !meta.path.is_ident("rename") {
                return Err(meta.error("only `rename = \"column\"` is known here"));
            }
            name = meta.value()?.parse::<LitStr>()?.value();
            Ok(())
        })?;
    }
    Ok(Column { field: ident.clone(), name, kind: field.ty.clone() })
}

fn fields(item: &DeriveInput, columns: &[Column]) -> TokenStream {
    let ident = &item.ident;
    let (generics, arguments, bounds) = item.generics.split_for_impl();
    let fields = columns.iter().map(|Column { name, kind, .. }| {
        quote! {
            ::streamhost::arrow::datatypes::Field::new(
                #name,
                <#kind as ::streamhost::row::FieldType>::data_type(),
                <#kind as ::streamhost::row::FieldType>::NULLABLE,
            )
        }
    });
    quote! {
        impl #generics ::streamhost::row::Row for #ident #arguments #bounds {
            fn fields() -> ::std::vec::Vec<::streamhost::arrow::datatypes::Field> {
                ::std::vec![#(#fields),*]
            }
        }
    }
}

fn reads(item: &DeriveInput, columns: &[Column]) -> Result<TokenStream> {
    let ident = &item.ident;
    let (batch, generics) = batch_lifetime(item)?;
    let (_, arguments, bounds) = item.generics.split_for_impl();
    let kinds: Vec<_> = columns.iter().map(|column| &column.kind).collect();
    let names: Vec<_> = columns.iter().map(|column| &column.name).collect();
    let fields: Vec<_> = columns.iter().map(|column| &column.field).collect();
    let places: Vec<_> = (0..columns.len()).map(syn::Index::from).collect();
    let values = columns.iter().enumerate().map(|(i, Column { field, name, kind })| {
        let i = syn::Index::from(i);
        quote!(#field: ::streamhost::row::value::<#kind>(&columns.#i, row, #name)?)
    });
    Ok(quote! {
        impl #generics ::streamhost::row::ReadRow<#batch> for #ident #arguments #bounds {
            type Columns = (#(<#kinds as ::streamhost::row::ReadField<#batch>>::Column,)*);

            fn columns(
                batch: &#batch ::streamhost::arrow::array::RecordBatch,
            ) -> ::streamhost::Result<Self::Columns> {
                ::core::result::Result::Ok((#(::streamhost::row::column::<#kinds>(batch, #names)?,)*))
            }

            #[inline]
            fn read(columns: &Self::Columns, row: usize) -> ::streamhost::Result<Self> {
                ::core::result::Result::Ok(Self { #(#values),* })
            }

            #[inline]
            fn stands(&self, columns: &Self::Columns, row: usize) -> bool {
                #(::streamhost::row::ReadField::stands(&self.#fields, &columns.#places, row))&&*
            }
        }
    })
}

/// The lifetime of the batch that a row is read from: the struct's own, or a new one if it borrows nothing.
fn batch_lifetime(item: &DeriveInput) -> Result<(Lifetime, TokenStream)> {
    let mut lifetimes = item.generics.lifetimes();
    if let (Some(_), Some(second)) = (lifetimes.next(), lifetimes.next()) {
        return Err(Error::new_spanned(second, "a row borrows from one batch: one lifetime is enough"));
    }
    let mut generics = item.generics.clone();
    let batch = match item.generics.lifetimes().next() {
        Some(own) => own.lifetime.clone(),
        None => {
            generics.params.insert(0, parse_quote!('batch));
            parse_quote!('batch)
        }
    };
    let (generics, _, _) = generics.split_for_impl();
    Ok((batch, quote!(#generics)))
}

fn writes(item: &DeriveInput, columns: &[Column]) -> TokenStream {
    let ident = &item.ident;
    let (generics, arguments, bounds) = item.generics.split_for_impl();
    let kinds: Vec<_> = columns.iter().map(|column| &column.kind).collect();
    let names: Vec<_> = columns.iter().map(|column| &column.name).collect();
    let fields: Vec<_> = columns.iter().map(|column| &column.field).collect();
    let places: Vec<_> = (0..columns.len()).map(syn::Index::from).collect();
    quote! {
        impl #generics ::streamhost::row::WriteRow for #ident #arguments #bounds {
            type Builders = (#(<#kinds as ::streamhost::row::WriteField>::Builder,)*);

            #[inline]
            fn write(self, builders: &mut Self::Builders) {
                #(::streamhost::row::WriteField::append(self.#fields, &mut builders.#places);)*
            }

            fn write_null(builders: &mut Self::Builders) {
                #(<#kinds as ::streamhost::row::WriteField>::append_null(&mut builders.#places);)*
            }

            fn finish(builders: Self::Builders) -> ::streamhost::Result<::streamhost::arrow::array::RecordBatch> {
                ::core::result::Result::Ok(::streamhost::arrow::array::RecordBatch::try_from_iter_with_nullable([
                    #((#names, <#kinds as ::streamhost::row::WriteField>::finish(builders.#places), true),)*
                ])?)
            }
        }
    }
}
