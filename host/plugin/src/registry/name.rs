//! What things in a registry are called: every name becomes a part of a path, so each is made of a few harmless letters.

use crate::text::{self, shown};
use engine::{Error, Result};
use semver::{BuildMetadata, Version, VersionReq};
use std::fmt;

/// The longest name of a plugin, and the longest version, in bytes.
const LONGEST: usize = 64;
/// The longest part of the path of a file in a package, in bytes.
const LONGEST_PART: usize = 128;
/// How many folders may be inside each other in a package, the file itself counted.
const DEEPEST: usize = 4;

/// The name of a plugin: lower-case letters, digits and `-`, a letter first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PluginName(String);

impl PluginName {
    /// [`engine::Kind::Invalid`] if it is none.
    pub fn parse(text: &str) -> Result<Self> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let starts = text.as_bytes().first().is_some_and(u8::is_ascii_lowercase);
        if starts && text.len() <= LONGEST && text.bytes().all(plain) {
            return Ok(PluginName(text.to_owned()));
        }
        Err(Error::invalid(format!(
            "{:?} is no name of a plugin: that has up to {LONGEST} lower-case letters, digits and `-`, a letter first",
            shown(text, text::NAME)
        )))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PluginName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One version of one plugin.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Release {
    /// The plugin.
    pub name: PluginName,
    /// Its version, without build metadata: two builds of a version would be the same to every requirement.
    pub version: Version,
}

impl Release {
    /// From a name and a version by themselves.
    pub fn new(name: &str, version: &str) -> Result<Self> {
        Ok(Release { name: PluginName::parse(name)?, version: parse_version(version)? })
    }

    /// From `name@1.2.3`.
    pub fn parse(text: &str) -> Result<Self> {
        let (name, version) = text.split_once('@').ok_or_else(|| {
            let text = shown(text, text::NAME);
            Error::invalid(format!("{text:?} names no version of a plugin; write name@1.2.3"))
        })?;
        Release::new(name, version)
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.name, self.version)
    }
}

/// A version as folders are called: semantic, in its one way of writing it.
pub(super) fn parse_version(text: &str) -> Result<Version> {
    let wrong = |why: &str| {
        let text = shown(text, text::NAME);
        Error::invalid(format!(
            "{text:?} is no version of a plugin: {why}; write for example 1.2.3 or 1.2.3-rc.1"
        ))
    };
    if text.len() > LONGEST {
        return Err(wrong(&format!("it is longer than {LONGEST} bytes")));
    }
    let version = Version::parse(text).map_err(|e| wrong(&e.to_string()))?;
    if version.build != BuildMetadata::EMPTY {
        return Err(wrong("what is behind `+` tells no two versions apart"));
    }
    Ok(version)
}

/// Which versions of a plugin will do, as a pipeline writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The plugin.
    pub name: PluginName,
    versions: VersionReq,
}

impl Wanted {
    /// Reads `name@^1.2`, `name@1` and `name@1.2`, which mean the same with `^`, `name@1.2.3`, which means that version alone, and
    /// a bare `name`. None if the text is a path.
    pub fn parse(text: &str) -> Option<Result<Self>> {
        if text.contains(['/', '\\']) || text.ends_with(".wasm") {
            return None;
        }
        match text.split_once('@') {
            None => PluginName::parse(text).ok().map(|name| Ok(Wanted { name, versions: VersionReq::STAR })),
            Some((name, versions)) => Some(Self::of(name, versions)),
        }
    }

    fn of(name: &str, versions: &str) -> Result<Self> {
        let name = PluginName::parse(name)?;
        let exact = Version::parse(versions).is_ok().then(|| format!("={versions}"));
        let parsed = VersionReq::parse(exact.as_deref().unwrap_or(versions));
        let versions = parsed.map_err(|e| {
            let versions = shown(versions, text::NAME);
            Error::invalid(format!(
                "{versions:?} says no versions of `{name}`: {e}; write for example {name}@^1.2, {name}@1.2.3, or {name} for the newest"
            ))
        })?;
        Ok(Wanted { name, versions })
    }

    /// Whether this version will do.
    pub fn accepts(&self, version: &Version) -> bool {
        self.versions.matches(version)
    }

    /// The requirement, for messages.
    pub(super) fn versions(&self) -> &VersionReq {
        &self.versions
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.name, self.versions)
    }
}

/// Whether one may take the place of the other in a running query: newer, and by its number compatible.
pub(super) fn succeeds(newer: &Version, current: &Version) -> bool {
    let compatible = VersionReq::parse(&format!("^{current}"));
    newer > current && compatible.is_ok_and(|compatible| compatible.matches(newer))
}

/// Refuses paths of files that a package may not have. They are relative, with `/`.
pub(super) fn check_path(path: &str) -> Result<()> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    let part = |part: &str| {
        (1..=LONGEST_PART).contains(&part.len()) && !part.starts_with('.') && part.bytes().all(plain)
    };
    let parts: Vec<&str> = path.split('/').collect();
    let belongs = match parts.as_slice() {
        ["README.md" | "component.wasm"] => true,
        ["schema" | "tests", below @ ..] => !below.is_empty(),
        _ => false,
    };
    if belongs && parts.len() <= DEEPEST && parts.iter().copied().all(part) {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "{:?} cannot be a file of a plugin: it has component.wasm, README.md, and files in schema/ and tests/ whose names have letters, \
         digits, `-`, `_` and `.`, at most {DEEPEST} deep",
        shown(path, text::NAME)
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_could_leave_the_directory_or_mislead_is_none() {
        let long = "a".repeat(65);
        for name in
            ["", "..", ".", "a/b", "a\\b", "a\0", "ä", "а", "A", "-a", "1a", "a.b", "a b", "a\n", &long]
        {
            assert!(PluginName::parse(name).is_err(), "{name:?}");
        }
        assert_eq!(PluginName::parse("fraud-score2").unwrap().as_str(), "fraud-score2");
        let error = PluginName::parse("\u{1b}[31m").unwrap_err().report();
        assert!(!error.contains('\u{1b}'), "{error}");
    }

    #[test]
    fn a_version_is_written_in_one_way_only() {
        let long = format!("1.2.3-{}", "a".repeat(64));
        for version in
            ["", "1", "1.2", "01.2.3", "1.2.3+build", "v1.2.3", "1.2.3/..", "../1.2.3", "1.2.3\0", &long]
        {
            assert!(parse_version(version).is_err(), "{version:?}");
        }
        assert_eq!(parse_version("1.2.3-rc.1").unwrap().to_string(), "1.2.3-rc.1");
    }

    #[test]
    fn a_pipeline_says_versions_as_cargo_does_but_for_a_whole_one() {
        let accepts = |wanted: &str, version: &str| {
            Wanted::parse(wanted).unwrap().unwrap().accepts(&Version::parse(version).unwrap())
        };
        assert!(accepts("a@^1.2", "1.3.0") && !accepts("a@^1.2", "1.1.9") && !accepts("a@^1.2", "2.0.0"));
        assert!(accepts("a@1", "1.9.0") && accepts("a@1.2", "1.9.0") && !accepts("a@1", "2.0.0"));
        assert!(accepts("a@1.2.3", "1.2.3") && !accepts("a@1.2.3", "1.2.4"));
        assert!(accepts("a", "0.1.0") && !accepts("a", "1.0.0-rc.1"));
        assert!(accepts("a@>=1, <3", "2.0.0"));
    }

    #[test]
    fn a_path_is_no_name_and_a_wrong_name_is_told() {
        for path in ["a.wasm", "./a", "plugins/a", "a@1/b", "../a@1", "A", "a_b"] {
            assert!(Wanted::parse(path).is_none(), "{path}");
        }
        assert!(Wanted::parse("A@1").unwrap().is_err());
        let error = Wanted::parse("a@one").unwrap().unwrap_err().report();
        assert!(error.starts_with("\"one\" says no versions of `a`"), "{error}");
    }

    #[test]
    fn only_a_compatible_newer_version_succeeds_another() {
        let succeeds =
            |newer: &str, old: &str| succeeds(&Version::parse(newer).unwrap(), &Version::parse(old).unwrap());
        assert!(succeeds("1.3.0", "1.2.9") && succeeds("0.1.2", "0.1.1"));
        for (newer, old) in [("1.2.9", "1.2.9"), ("1.2.0", "1.2.9"), ("2.0.0", "1.2.9"), ("0.2.0", "0.1.9")] {
            assert!(!succeeds(newer, old), "{newer} after {old}");
        }
    }

    #[test]
    fn a_package_has_files_of_its_own_folders_only() {
        for path in ["component.wasm", "README.md", "schema/config.json", "tests/a/b.toml"] {
            check_path(path).unwrap();
        }
        for path in [
            "plugin.toml",
            "../component.wasm",
            "/etc/passwd",
            "tests/../../x",
            "tests/.hidden",
            "tests/",
            "tests",
            "tests/a/b/c/d.toml",
            "tests/a\0",
            "tests/ä",
            "src/lib.rs",
            "tests//a",
            "tests/a\nb",
        ] {
            assert!(check_path(path).is_err(), "{path:?}");
        }
    }
}
