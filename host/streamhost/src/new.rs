//! `new plugin`: a crate that builds, with a test, and the SDK beside it.

use crate::cli::Kind;
use engine::{Error, Result, ResultExt};
use std::{fs, path::Path};

include!(concat!(env!("OUT_DIR"), "/sdk.rs"));

/// Where the SDK is put in the new folder.
const SDK: &str = "vendor/streamhost-sdk";

pub(crate) fn plugin(folder: &Path, kind: Kind) -> Result<()> {
    let name = name(folder)?;
    if folder.exists() {
        return Err(Error::invalid(format!("{} is there already; choose another name", folder.display())));
    }
    for (path, text) in FILES {
        let written = match path.strip_prefix("template/") {
            Some(path) => template(path, text, name, kind),
            // The SDK's own tests are not the plugin's.
            None if path.starts_with("tests/") => None,
            None => Some((format!("{SDK}/{path}"), (*text).to_owned())),
        };
        if let Some((path, text)) = written {
            write(&folder.join(path), &text)?;
        }
    }
    crate::print(&format!(
        "made {folder}: a plugin with a test\n  streamhost test {folder}\n  streamhost build {folder}\n",
        folder = folder.display()
    ))
}

/// The plugin's name: the folder's, which cargo and the pipeline file must be able to spell.
fn name(folder: &Path) -> Result<&str> {
    let name = folder.file_name().and_then(|n| n.to_str()).unwrap_or_default();
    let letters = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if letters && name.starts_with(|c: char| c.is_ascii_lowercase()) && name.len() <= 64 {
        return Ok(name);
    }
    Err(Error::invalid(format!(
        "{name:?} is no name of a plugin; use up to 64 lower-case letters, digits and `-`, such as my-filter"
    )))
}

/// Where a file of the template goes and what stands in it; none if it is another kind's.
fn template(path: &str, text: &str, name: &str, kind: Kind) -> Option<(String, String)> {
    let (kind, summary) = match kind {
        Kind::Filter => ("filter", summary("filter")),
        Kind::Map => ("map", summary("map")),
        Kind::Transform => ("transform", summary("transform")),
        Kind::Keyed => ("keyed", summary("keyed")),
        Kind::BatchSink => ("batch-sink", summary("batch-sink")),
        Kind::Function => ("function", summary("function")),
    };
    let own = |path: &str| FILES.iter().any(|(of, _)| *of == format!("template/{kind}/{path}"));
    let fill = || text.replace("{{name}}", name).replace("{{summary}}", summary).replace("{{sdk}}", SDK);
    let to = match path {
        "Cargo.toml.tmpl" => "Cargo.toml",
        "README.md.tmpl" if own(path) => return None,
        "README.md.tmpl" => "README.md",
        "cargo-config.toml" => ".cargo/config.toml",
        "gitignore" => ".gitignore",
        _ => match path.strip_prefix(kind)?.strip_prefix('/')? {
            "lib.rs" => "src/lib.rs",
            "basic.toml" => "tests/basic.toml",
            "README.md.tmpl" => "README.md",
            _ => return None,
        },
    };
    Some((to.to_owned(), fill()))
}

fn summary(kind: &str) -> &'static str {
    let wanted = format!("template/{kind}/summary");
    FILES.iter().find(|(path, _)| *path == wanted).map_or("", |(_, text)| text.trim())
}

fn write(path: &Path, text: &str) -> Result<()> {
    let written = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(path, text));
    written.doing(engine::Kind::Unavailable, || format!("writing {}", path.display()))
}
