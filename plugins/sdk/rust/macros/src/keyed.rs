//! `#[streamhost::keyed]`: a plugin that keeps state for each key, from a function.

use proc_macro2::TokenStream;
use quote::{ToTokens, format_ident, quote};
use syn::meta::ParseNestedMeta;
use syn::parse::Parser;
use syn::{Error, Expr, FnArg, Ident, ItemFn, Lit, Pat, Path, Result, Type};

use crate::function::{Arguments, elided, first_argument, named as is_named, returns};

/// The arguments of the attribute.
#[derive(Default)]
struct Keyed {
    common: Arguments,
    expired: Option<Path>,
    migrate: Option<Path>,
    settings: Settings,
    tables: Vec<(Ident, Settings)>,
}

/// What is said of a table, or of all.
#[derive(Default, Clone)]
struct Settings {
    ttl: Option<TokenStream>,
    version: Option<Expr>,
}

/// A parameter that is what a table has of a key.
struct Table {
    /// The parameter's name, which is the table's.
    name: Ident,
    /// `Option<S>`, `Vec<S>` or `BTreeMap<K, S>`.
    content: Type,
}

/// What the function's parameters are: `arguments` passes them on, with `rows` for those of the key.
#[derive(Default)]
struct Signature {
    key: Option<TokenStream>,
    row: Option<TokenStream>,
    tables: Vec<Table>,
    timers: Option<Type>,
    config: Option<Type>,
    arguments: Vec<TokenStream>,
}

/// The function as it was, and, if it can be one, the plugin.
pub(crate) fn expand(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let plugin = plugin(arguments, item.clone()).unwrap_or_else(Error::into_compile_error);
    quote! { #item #plugin }
}

fn plugin(arguments: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let mut keyed = Keyed::default();
    syn::meta::parser(|meta| keyed.take(&meta)).parse2(arguments)?;
    let function: ItemFn = syn::parse2(item)?;
    let signature = Signature::of(&function)?;
    if let (Some(timers), None) = (&signature.timers, &keyed.expired) {
        return Err(Error::new_spanned(
            timers,
            "say what a timer that fires calls: #[streamhost::keyed(expired = function)]",
        ));
    }
    if let Some((unknown, _)) =
        keyed.tables.iter().find(|(name, _)| signature.tables.iter().all(|table| table.name != *name))
    {
        return Err(Error::new_spanned(unknown, "no parameter of this name is a table"));
    }
    implement(&function, &signature, &keyed)
}

impl Keyed {
    fn take(&mut self, meta: &ParseNestedMeta<'_>) -> Result<()> {
        let key = meta.path.get_ident().map(ToString::to_string).unwrap_or_default();
        match key.as_str() {
            "expired" => self.expired = Some(meta.value()?.parse()?),
            "migrate" => self.migrate = Some(meta.value()?.parse()?),
            "ttl" => self.settings.ttl = Some(ttl(meta.value()?.parse()?)?),
            "tables" => meta.parse_nested_meta(|table| {
                let mut settings = Settings::default();
                table.parse_nested_meta(|meta| settings.take(&meta))?;
                self.tables.push((table.path.require_ident()?.clone(), settings));
                Ok(())
            })?,
            _ if self.common.take(meta)? => {}
            _ => {
                return Err(meta.error(
                    "expected expired, ttl, tables, migrate, reads, name, version, summary or deterministic",
                ));
            }
        }
        Ok(())
    }

    /// What is said of a table, or else of all.
    fn settings(&self, table: &Ident) -> Settings {
        let own = self.tables.iter().find(|(name, _)| name == table).map(|(_, own)| own.clone());
        let Settings { ttl, version } = own.unwrap_or_default();
        Settings { ttl: ttl.or_else(|| self.settings.ttl.clone()), version }
    }
}

impl Settings {
    fn take(&mut self, meta: &ParseNestedMeta<'_>) -> Result<()> {
        match () {
            () if meta.path.is_ident("ttl") => self.ttl = Some(ttl(meta.value()?.parse()?)?),
            () if meta.path.is_ident("version") => self.version = Some(meta.value()?.parse()?),
            () => return Err(meta.error("expected ttl or version")),
        }
        Ok(())
    }
}

/// A length of time as text, or a function of the configuration that gives one.
fn ttl(value: Expr) -> Result<TokenStream> {
    match value {
        Expr::Lit(lit) if matches!(lit.lit, Lit::Str(_)) => {
            Ok(quote!(::core::str::FromStr::from_str(#lit).map(|::streamhost::Interval(ttl)| ttl)?))
        }
        Expr::Path(function) => Ok(quote!(#function(config))),
        other => Err(Error::new_spanned(
            other,
            "expected a length of time, such as \"1h\", or a function from the configuration to a Duration",
        )),
    }
}

impl Signature {
    fn of(function: &ItemFn) -> Result<Self> {
        let mut signature = Self::default();
        for (i, input) in function.sig.inputs.iter().enumerate() {
            let FnArg::Typed(input) = input else {
                return Err(Error::new_spanned(input, "a plugin is a plain function"));
            };
            let argument = signature.parameter(i, &input.pat, &input.ty)?;
            signature.arguments.push(argument);
        }
        if signature.row.is_none() {
            return Err(Error::new_spanned(
                &function.sig,
                "expected a parameter `Group<Row>`: the rows of a key, `Group<()>` if only their number matters",
            ));
        }
        Ok(signature)
    }

    fn parameter(&mut self, i: usize, name: &Pat, kind: &Type) -> Result<TokenStream> {
        match kind {
            rows if is_named(rows, "Group") && self.row.is_none() => {
                self.row = first_argument(rows).map(|row| elided(row.to_token_stream()));
                Ok(quote!(rows))
            }
            Type::Reference(to) if to.mutability.is_some() && is_named(&to.elem, "Timers") => {
                self.timers = Some(kind.clone());
                Ok(quote!(&mut timers))
            }
            Type::Reference(to) if to.mutability.is_some() && is_table(&to.elem) => {
                let Pat::Ident(pattern) = name else {
                    return Err(Error::new_spanned(name, "expected a name, which is also the table's"));
                };
                self.tables.push(Table { name: pattern.ident.clone(), content: to.elem.as_ref().clone() });
                let held = held(self.tables.len() - 1);
                Ok(quote!(#held.value()))
            }
            Type::Reference(to) if is_named(&to.elem, "Context") => Ok(quote!(cx)),
            Type::Reference(to) if self.config.is_none() && to.mutability.is_none() => {
                self.config = Some(to.elem.as_ref().clone());
                Ok(quote!(config))
            }
            key if i == 0 && !matches!(key, Type::Reference(_)) => {
                self.key = Some(elided(key.to_token_stream()));
                Ok(quote!(key))
            }
            other => Err(Error::new_spanned(
                other,
                "expected the key's struct first; then `Group<Row>`, tables as `&mut Option<S>`, `&mut Vec<S>` or \
                 `&mut BTreeMap<K, S>`, `&mut Timers`, `&Context`, or one reference to the configuration",
            )),
        }
    }

    /// The key, in a closure's parameter and where it comes from.
    fn key(&self, keys: &TokenStream) -> (TokenStream, TokenStream, TokenStream) {
        match &self.key {
            Some(key) => (
                quote!(let keys = <#key as ::streamhost::row::ReadRow<'_>>::columns(#keys)?;),
                quote!(<#key as ::streamhost::row::ReadRow<'_>>::read(&keys, at)),
                quote!(key),
            ),
            None => (quote!(), quote!(::streamhost::Result::Ok(())), quote!(())),
        }
    }
}

fn is_table(kind: &Type) -> bool {
    ["Option", "Vec", "BTreeMap"].iter().any(|content| is_named(kind, content))
}

fn held(table: usize) -> Ident {
    format_ident!("table_{table}")
}

fn implement(function: &ItemFn, signature: &Signature, keyed: &Keyed) -> Result<TokenStream> {
    let (name, visibility) = (&function.sig.ident, &function.vis);
    let manifest = keyed.common.manifest();
    let config =
        signature.config.as_ref().map_or_else(|| quote!(::streamhost::NoConfig), |config| quote!(#config));
    let row = &signature.row;
    let given = keyed.common.reads_given().then(|| keyed.common.reads_of_batches());
    let reads = given
        .clone()
        .unwrap_or_else(|| quote!(::core::option::Option::Some(::streamhost::row::names::<#row>())));
    let named = given.unwrap_or_else(|| quote!(::core::option::Option::None));
    let declared = signature.tables.iter().map(|table| declare(table, &keyed.settings(&table.name)));
    let process = process(function, signature, &named);
    let fired = keyed.expired.as_ref().map(|expired| fired(function, signature, expired));
    let migrate = keyed.migrate.as_ref().map(migrate);
    let doc = format!("The plugin that [`{name}()`] is.");
    Ok(quote! {
        #[doc = #doc]
        #[allow(non_camel_case_types, reason = "named as the function is")]
        #visibility enum #name {}

        #[allow(unused_variables, unused_mut, reason = "not every plugin needs all of them")]
        impl ::streamhost::Keyed for #name {
            const MANIFEST: ::streamhost::Manifest = #manifest;
            type Config = #config;

            fn reads(config: &Self::Config) -> ::core::option::Option<::std::vec::Vec<::std::string::String>> {
                #reads
            }

            fn plan(
                config: &Self::Config,
                input: &::streamhost::keyed::Input,
            ) -> ::streamhost::Result<::streamhost::keyed::Plan> {
                ::streamhost::keyed::plan::<Self>(config, input, ::std::vec![#(#declared),*])
            }

            #process
            #fired
            #migrate
        }

        ::streamhost::keyed::export!(#name);
    })
}

fn declare(Table { name, content }: &Table, Settings { ttl, version }: &Settings) -> TokenStream {
    let name = name.to_string();
    let ttl = ttl.as_ref().map(|ttl| quote!(.with_ttl(#ttl)));
    let version = version.as_ref().map(|version| quote!(.with_version(#version)));
    quote!(::streamhost::keyed::declare::<#content>(#name) #ttl #version)
}

/// The function's answer as a `Result`, from a call with these arguments.
fn answer(of: &impl ToTokens, function: &ItemFn, arguments: &[TokenStream]) -> TokenStream {
    let call = quote!(#of(#(#arguments),*));
    if returns(function, "Result") { call } else { quote!(::streamhost::Result::Ok(#call)) }
}

/// Opens the tables of a call of so many keys, and writes what was changed in them.
fn tables(
    signature: &Signature,
    keys: &TokenStream,
    again: &TokenStream,
) -> (Vec<TokenStream>, Vec<TokenStream>) {
    let each = signature.tables.iter().enumerate().map(|(i, Table { name, content })| {
        let (held, stored, name) = (held(i), format_ident!("stored_{i}"), name.to_string());
        let open = quote! {
            let #stored = state.open(#name)?.get()?;
            let mut #held = ::streamhost::keyed::Held::<#content>::open(&#stored, #keys)? #again;
        };
        (open, quote!(#held.write(&state.open(#name)?)?;))
    });
    each.unzip()
}

fn process(function: &ItemFn, signature: &Signature, named: &TokenStream) -> TokenStream {
    let (open, write) = tables(signature, &quote!(groups.len()), &quote!());
    let held: Vec<_> = (0..signature.tables.len()).map(held).collect();
    let (keys, read, key) = signature.key(&quote!(groups.keys()));
    let answer = answer(&function.sig.ident, function, &signature.arguments);
    let (row, with_keys) = (&signature.row, signature.key.is_none());
    quote! {
        fn process(
            config: &Self::Config,
            cx: &::streamhost::Context,
            groups: &::streamhost::keyed::Groups,
            state: &::streamhost::keyed::State<'_>,
            errors: &mut ::streamhost::RowErrors,
        ) -> ::streamhost::Result<::streamhost::keyed::Output> {
            let named = ::streamhost::keyed::named::<#row>(groups.rows(), #named)?;
            let grouped = ::streamhost::keyed::Grouped::<#row>::open(groups, &named)?;
            #keys
            #(#open)*
            let mut timers = ::streamhost::keyed::Timers::new(cx);
            let mut out = ::streamhost::keyed::Out::new(#with_keys);
            for at in 0..groups.len() {
                #(#held.begin(at)?;)*
                timers.begin(at);
                let mut reading = grouped.begin(at, errors);
                let rows = ::streamhost::keyed::Group::new(&mut reading);
                let done = #read.and_then(|#key| #answer.map(|made| out.extend(at, made)));
                match done {
                    ::core::result::Result::Ok(()) => {
                        #(#held.keep()?;)*
                        timers.keep();
                    }
                    ::core::result::Result::Err(error) => grouped.reject(at, &error, errors),
                }
            }
            #(#write)*
            timers.write(state)?;
            out.finish(groups.keys())
        }
    }
}

fn fired(function: &ItemFn, signature: &Signature, expired: &Path) -> TokenStream {
    let (open, write) = tables(signature, &quote!(fired.keys().num_rows()), &quote!(.again()));
    let held: Vec<_> = (0..signature.tables.len()).map(held).collect();
    let (keys, read, key) = signature.key(&quote!(fired.keys()));
    let answer = answer(expired, function, &signature.arguments);
    let with_keys = signature.key.is_none();
    quote! {
        fn fired(
            config: &Self::Config,
            cx: &::streamhost::Context,
            fired: &::streamhost::keyed::FiredTimers,
            state: &::streamhost::keyed::State<'_>,
            errors: &mut ::streamhost::RowErrors,
        ) -> ::streamhost::Result<::streamhost::keyed::Output> {
            #keys
            #(#open)*
            let mut timers = ::streamhost::keyed::Timers::new(cx);
            let mut out = ::streamhost::keyed::Out::new(#with_keys);
            for (number, timer) in fired.timers().iter().enumerate() {
                let at = timer.key as usize;
                #(#held.begin(at)?;)*
                timers.begin(at);
                // It stands where the rows of a key do.
                let rows = ::streamhost::keyed::Fired {
                    clock: fired.clock(),
                    at: ::streamhost::Timestamp(timer.at),
                };
                let done = #read.and_then(|#key| #answer.map(|made| out.extend(at, made)));
                match done {
                    ::core::result::Result::Ok(()) => {
                        #(#held.keep()?;)*
                        timers.keep();
                    }
                    ::core::result::Result::Err(error) => errors.add(number, error),
                }
            }
            #(#write)*
            timers.write(state)?;
            out.finish(fired.keys())
        }
    }
}

fn migrate(function: &Path) -> TokenStream {
    quote! {
        fn migrate(
            config: &Self::Config,
            before: &::streamhost::keyed::Before,
        ) -> ::streamhost::Result<::streamhost::arrow::array::RecordBatch> {
            #function(before)
        }
    }
}
