//! `new plugin`: a folder that builds, with a test, and the SDK beside it.

use crate::cli::{Kind, Lang};
use engine::{Error, Result, ResultExt};
use std::{borrow::Cow, fs, path::Path};

/// Paths in a folder, and what is in the files.
type Files = &'static [(&'static str, &'static [u8])];

include!(concat!(env!("OUT_DIR"), "/sdk.rs"));

/// Where the templates of kinds are, in the SDK's folder `template`.
const KINDS: [&str; 6] = ["filter", "map", "transform", "keyed", "batch-sink", "function"];
/// Files that lie elsewhere in a plugin than in the template.
const PLACES: [(&str, &str); 5] = [
    ("gitignore", ".gitignore"),
    ("cargo-config.toml", ".cargo/config.toml"),
    ("lib.rs", "src/lib.rs"),
    ("basic.toml", "tests/basic.toml"),
    ("test_plugin.py", "tests/test_plugin.py"),
];

pub(crate) fn plugin(folder: &Path, kind: Kind, lang: Lang) -> Result<()> {
    let name = name(folder)?;
    if folder.exists() {
        return Err(Error::invalid(format!("{} is there already; choose another name", folder.display())));
    }
    let template = Template::of(lang, kind)?;
    for (path, bytes) in template.sdk {
        let written = match path.strip_prefix(template.folder).and_then(|path| path.strip_prefix('/')) {
            Some(path) => template.place(path).map(|to| (to, template.filled(bytes, name))),
            // JavaScript has a template beside that of TypeScript.
            None if path.starts_with("template") => None,
            None => Some((format!("{}/{path}", template.place), Cow::Borrowed(*bytes))),
        };
        if let Some((path, bytes)) = written {
            write(&folder.join(path), &bytes)?;
        }
    }
    crate::print(&format!(
        "made {folder}: a plugin with a test\n  streamhost test {folder}\n  streamhost build {folder}\n",
        folder = folder.display()
    ))
}

/// The plugin's name: the folder's, which its tools and the pipeline file must be able to spell.
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

/// What a new plugin is made of.
struct Template {
    /// All files of the SDK by their paths in its folder.
    sdk: Files,
    /// Where in it the template is.
    folder: &'static str,
    kind: &'static str,
    /// Where the SDK is put in the new folder.
    place: &'static str,
}

impl Template {
    fn of(lang: Lang, kind: Kind) -> Result<Self> {
        let (sdk, folder) = match lang {
            Lang::Rust => ("rust", "template"),
            Lang::Go => ("go", "template"),
            Lang::Js => ("js", "template"),
            Lang::Ts => ("js", "template-ts"),
            Lang::Python => ("python", "template"),
            Lang::C => ("c", "template"),
        };
        let kind = match kind {
            Kind::Filter => "filter",
            Kind::Map => "map",
            Kind::Transform => "transform",
            Kind::Keyed => "keyed",
            Kind::BatchSink => "batch-sink",
            Kind::Function => "function",
        };
        let files = SDKS.iter().find(|(name, _)| *name == sdk).map(|(_, files)| *files);
        // Go takes a folder `vendor` for its own.
        let place = if lang == Lang::Go { "streamhost-sdk" } else { "vendor/streamhost-sdk" };
        let template = Template { sdk: files.unwrap_or_default(), folder, kind, place };
        match template.has("README.md.tmpl") {
            true => Ok(template),
            false => Err(Error::internal(format!("there is no {folder} of {sdk} in the program"))),
        }
    }

    /// Where a file of the template goes; none if it is another kind's, or about the template.
    fn place(&self, path: &str) -> Option<String> {
        let (of, rest) = path.split_once('/').unwrap_or(("", path));
        let path = if KINDS.contains(&of) { rest } else { path };
        let own = of == self.kind;
        // The kind's own file takes the place of the one that all kinds share.
        let other = !own && (KINDS.contains(&of) || self.has(&format!("{}/{path}", self.kind)));
        if other || path == "summary" || path == "README.md" {
            return None;
        }
        let path = path.strip_suffix(".tmpl").unwrap_or(path);
        let place = PLACES.iter().find(|(from, _)| *from == path);
        Some(place.map_or(path, |(_, to)| to).to_owned())
    }

    fn has(&self, path: &str) -> bool {
        self.file(path).is_some()
    }

    fn file(&self, path: &str) -> Option<&'static [u8]> {
        let wanted = format!("{}/{path}", self.folder);
        self.sdk.iter().find(|(path, _)| *path == wanted).map(|(_, bytes)| *bytes)
    }

    /// A text with its placeholders filled in.
    fn filled(&self, bytes: &'static [u8], name: &str) -> Cow<'static, [u8]> {
        let Ok(text) = std::str::from_utf8(bytes) else { return Cow::Borrowed(bytes) };
        let text = text.replace("{{name}}", name).replace("{{summary}}", self.summary());
        Cow::Owned(text.replace("{{sdk}}", self.place).into_bytes())
    }

    fn summary(&self) -> &'static str {
        let summary = self.file(&format!("{}/summary", self.kind));
        summary.and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default().trim()
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let written = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(path, bytes));
    written.doing(engine::Kind::Unavailable, || format!("writing {}", path.display()))
}
