//! A component from a core module that speaks the contract by the names of its imports and exports.

use crate::abi;
use engine::{Error, Kind, Result, ResultExt};
use std::{collections::BTreeSet, fmt::Write};
use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
};
use wasmparser::{Parser, Payload};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::{Resolve, WorldId};

/// The contract, which every SDK has a copy of.
pub(super) const CONTRACT: &str = include_str!("../../../../wit/streamhost.wit");

/// The interfaces of the contract that a module imports and exports, by their names without version.
#[derive(Debug, Default, PartialEq)]
struct Spoken {
    imports: BTreeSet<String>,
    exports: BTreeSet<String>,
}

/// A world beside the contract that a module may also import from.
pub(super) struct Further<'a> {
    /// The WIT of its package, and of those that this needs.
    pub(super) text: &'a str,
    /// Its full name.
    pub(super) world: &'a str,
}

/// Wraps a module, which may have been compiled for WASI's first preview. Its world has those interfaces of the contract that the
/// module names, what it uses of the further one, and no other.
pub(super) fn of_module(module: &[u8], further: Option<&Further<'_>>) -> Result<Vec<u8>> {
    let spoken = Spoken::of(module)?;
    if spoken.exports.iter().all(|name| name == "plugin") {
        return Err(Error::invalid(
            "the module exports no kind of plugin: the source has to name what it is, a filter, say, as the \
             guide of its SDK shows",
        ));
    }
    let (resolve, world) = spoken.world(further)?;
    let mut module = module.to_vec();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)
        .map_err(|e| internal("naming the module's world", &e))?;
    encode(&module).map_err(|e| {
        Error::invalid(format!(
            "the module cannot be made a component: {e}; is its SDK that of this streamhost?"
        ))
    })
}

fn encode(module: &[u8]) -> std::result::Result<Vec<u8>, String> {
    let (name, adapter) = (WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER);
    let encoder = ComponentEncoder::default().module(module);
    let encoder = encoder.and_then(|encoder| encoder.adapter(name, adapter));
    encoder.and_then(|encoder| encoder.validate(true).encode()).map_err(|e| format!("{e:#}"))
}

fn internal(doing: &str, error: &impl std::fmt::Display) -> Error {
    Error::internal(format!("{doing}: {error:#}"))
}

impl Spoken {
    fn of(module: &[u8]) -> Result<Self> {
        let mut spoken = Spoken::default();
        let reading = || "reading the module that the compiler made";
        for payload in Parser::new(0).parse_all(module) {
            match payload.doing(Kind::Invalid, reading)? {
                Payload::ImportSection(imports) => {
                    for import in imports.into_imports() {
                        let import = import.doing(Kind::Invalid, reading)?;
                        spoken.imports.extend(interface(import.module));
                    }
                }
                Payload::ExportSection(exports) => {
                    for export in exports {
                        let name = export.doing(Kind::Invalid, reading)?.name;
                        let of = name.strip_prefix("cabi_post_").unwrap_or(name).split_once('#');
                        spoken.exports.extend(of.and_then(|(of, _)| interface(of)));
                    }
                }
                _ => {}
            }
        }
        Ok(spoken)
    }

    fn world(&self, further: Option<&Further<'_>>) -> Result<(Resolve, WorldId)> {
        let mut text = String::from("package streamhost:built;\nworld built {\n");
        for (word, names) in [("import", &self.imports), ("export", &self.exports)] {
            for name in names {
                let _ = writeln!(text, "  {word} {}{name}@{};", abi::PACKAGE, abi::VERSION);
            }
        }
        let mut resolve = Resolve::default();
        let contract = resolve.push_str("streamhost.wit", CONTRACT);
        contract.map_err(|e| internal("reading the plugin contract", &e))?;
        if let Some(Further { text: wit, world }) = further {
            let pushed = resolve.push_str("further.wit", wit);
            pushed.map_err(|e| Error::invalid(format!("the SDK's world {world} cannot be read: {e:#}")))?;
            let _ = writeln!(text, "  include {world};");
        }
        text.push('}');
        let unknown = |e| Error::invalid(format!("the module speaks of what is not in the contract: {e:#}"));
        let package = resolve.push_str("built.wit", &text).map_err(unknown)?;
        let world = resolve.select_world(&[package], Some("built"));
        Ok((resolve, world.map_err(|e| internal("choosing the module's world", &e))?))
    }
}

/// `transform` of `streamhost:plugin/transform@0.9.0`, whatever the version: one that is not the host's is told when it is loaded.
fn interface(name: &str) -> Option<String> {
    let name = name.strip_prefix(abi::PACKAGE)?;
    Some(name.split_once('@').map_or(name, |(name, _)| name).to_owned())
}
