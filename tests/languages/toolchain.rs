//! What builds a language and is not there, or is too old, is named with what brings it.

use crate::binary::{command, ok, text, write};
use std::{fs, os::unix::fs::PermissionsExt, path::Path};

/// A manifest of each language, the first tool that its build looks for, one that is too old, and what brings a newer one.
const LANGUAGES: [(&str, &str, &str, &str, &str); 5] = [
    (
        "Cargo.toml",
        "[package]\nname = \"p\"\n",
        "cargo",
        "cargo 1.20.0 (f2d3ce0bd 2017-03-21)",
        "rustup update",
    ),
    ("go.mod", "module p\n", "go", "go version go1.13.8 linux/amd64", "apt-get install golang"),
    ("package.json", "{\"name\": \"p\"}", "node", "v12.22.9", "apt-get install nodejs npm"),
    ("pyproject.toml", "[project]\nname = \"p\"\n", "python3", "Python 3.8.10", "apt-get install python3"),
    ("CMakeLists.txt", "project(p C)\n", "cmake", "cmake version 3.10.2", "apt-get install clang-19"),
];

/// Runs `build` on a folder with a manifest, with these programs alone; answers what it said.
fn build(manifest: &str, source: &str, programs: &Path) -> String {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path().join(manifest), source);
    let output = command(folder.path(), ["build", "."]).env("PATH", programs).output().unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    said
}

#[test]
fn a_tool_that_is_missing_is_named_with_what_brings_it() {
    let nothing = tempfile::tempdir().unwrap();
    for (manifest, source, tool, _, remedy) in LANGUAGES {
        let said = build(manifest, source, nothing.path());
        assert!(said.contains("building the plugin in ."), "{said}");
        assert!(said.contains(&format!("is built with {tool} ")) && said.contains(remedy), "{said}");
        assert!(said.contains("which is not installed; install"), "{said}");
    }
}

#[test]
fn a_tool_that_is_too_old_is_named_with_its_version_and_what_brings_another() {
    for (manifest, source, tool, version, remedy) in LANGUAGES {
        let programs = tempfile::tempdir().unwrap();
        let program = programs.path().join(tool);
        write(&program, format!("#!/bin/sh\necho '{version}'\n"));
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let said = build(manifest, source, programs.path());
        let number =
            version.split([' ', 'v', 'o']).find(|word| word.starts_with(|c: char| c.is_ascii_digit()));
        let number = number.unwrap_or_else(|| panic!("{version}"));
        assert!(
            said.contains(&format!("and the one found is {number}; ")) && said.contains(remedy),
            "{said}"
        );
    }
}

#[test]
fn the_doctor_looks_at_every_language_and_at_one_alone() {
    let all = ok(".", ["doctor"]);
    for language in ["Rust: ready\n", "Go: ready\n", "JavaScript: ready\n", "Python: ready\n", "C: ready\n"] {
        assert!(all.contains(language), "{language} in\n{all}");
    }
    let folder = tempfile::tempdir().unwrap();
    write(folder.path().join("go.mod"), "module p\n");
    let nothing = tempfile::tempdir().unwrap();
    let doctor = |folder: &str, path: Option<&Path>| {
        let mut doctor = command(folder, ["doctor", "."]);
        if let Some(path) = path {
            doctor.env("PATH", path);
        }
        let output = doctor.output().unwrap();
        (output.status.code(), text(&output.stdout))
    };
    let here = folder.path().to_str().unwrap();
    assert_eq!(doctor(here, None).0, Some(0));
    let (code, said) = doctor(here, Some(nothing.path()));
    assert_eq!(code, Some(2));
    assert!(said.starts_with("Go: not ready\n  go 1.26 or newer: it is missing; install it"), "{said}");
}

#[test]
fn build_watch_builds_again_after_each_change_and_goes_on_after_one_that_does_not_compile() {
    let folder = tempfile::tempdir().unwrap();
    ok(folder.path(), ["new", "plugin", "watched", "--lang", "c"]);
    let mut watch = command(folder.path(), ["build", "watched", "--watch"]);
    watch.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let mut child = crate::binary::Running(watch.spawn().unwrap());
    let mut built = lines(child.0.stdout.take().unwrap());
    let mut said = lines(child.0.stderr.take().unwrap());
    let source = folder.path().join("watched/plugin.c");
    assert_eq!(built.next().unwrap(), "watched/watched.wasm");
    let right = fs::read_to_string(&source).unwrap();
    fs::write(&source, format!("{right}\nthis is no C;\n")).unwrap();
    assert!(said.any(|line| line.contains("error: ") && line.contains("building the plugin in watched")));
    fs::write(&source, format!("{right}\n")).unwrap();
    assert_eq!(built.next().unwrap(), "watched/watched.wasm");
}

fn lines(from: impl std::io::Read) -> impl Iterator<Item = String> {
    std::io::BufRead::lines(std::io::BufReader::new(from)).map_while(Result::ok)
}
