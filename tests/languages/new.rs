//! What `new plugin` writes builds and passes its test, in each language and of each kind.

use super::{C, GO, JS, Language, PYTHON};
use crate::binary::{ok, run, text};
use std::fs;

const KINDS: [(&str, &str); 6] = [
    ("filter", "stateless"),
    ("map", "stateless"),
    ("transform", "stateless"),
    ("keyed", "stateful"),
    ("batch-sink", "batch-sink"),
    ("function", "sql-functions"),
];

#[track_caller]
fn every_kind_builds_and_passes_its_test(language: &Language, lang: &str) {
    let dir = tempfile::tempdir().unwrap();
    for (kind, world) in KINDS {
        let name = format!("my-{kind}");
        ok(dir.path(), ["new", "plugin", &name, "--kind", kind, "--lang", lang]);
        // It builds first.
        let output = run(dir.path(), ["test", &name]);
        let said = text(&output.stdout);
        assert!(output.status.success(), "{lang} {kind}: {said}{}", text(&output.stderr));
        assert!(said.contains(" passed, 0 failed\n") && !said.starts_with("0 "), "{lang} {kind}: {said}");
        let built = ok(dir.path(), ["build", &name]);
        assert_eq!(built.trim(), format!("{name}/{name}.wasm"));
        let size = fs::metadata(dir.path().join(built.trim())).unwrap().len();
        assert!(size <= language.most_bytes, "{lang} {kind} has {size} bytes");
        let about = ok(dir.path(), ["inspect", &name]);
        assert!(about.contains(&name) && about.contains(&format!("world          {world}\n")), "{about}");
    }
}

#[test]
fn a_new_plugin_of_every_kind_in_go_builds_and_passes_its_test() {
    every_kind_builds_and_passes_its_test(&GO, "go");
}

#[test]
fn a_new_plugin_of_every_kind_in_javascript_builds_and_passes_its_test() {
    every_kind_builds_and_passes_its_test(&JS, "js");
}

#[test]
fn a_new_plugin_of_every_kind_in_typescript_builds_and_passes_its_test() {
    every_kind_builds_and_passes_its_test(&JS, "ts");
}

#[test]
fn a_new_plugin_of_every_kind_in_python_builds_and_passes_its_test() {
    every_kind_builds_and_passes_its_test(&PYTHON, "python");
}

#[test]
fn a_new_plugin_of_every_kind_in_c_builds_and_passes_its_test() {
    every_kind_builds_and_passes_its_test(&C, "c");
}
