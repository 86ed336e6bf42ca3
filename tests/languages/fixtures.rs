//! The plugins that exist in every language pass the fixtures of those in Rust.

use super::{C, GO, JS, Language, PYTHON, host::built};
use crate::binary::{root, run, text};
use std::fs;

/// Those of Rust that each language has too.
const PLUGINS: [&str; 5] = ["filter-threshold", "geo", "normalize", "route-by-date", "sessionize"];

#[track_caller]
fn passes_the_fixtures_of_rust(language: &Language) {
    for name in PLUGINS {
        let folder = language.plugin(name);
        let component = built(&folder);
        let size = fs::metadata(&component).unwrap().len();
        assert!(size <= language.most_bytes, "{}: {size} bytes", component.display());
        let fixtures = root().join("plugins").join(name).join("tests");
        let output =
            run(&folder, ["test".as_ref(), ".".as_ref(), "--fixtures".as_ref(), fixtures.as_os_str()]);
        let said = text(&output.stdout);
        assert!(output.status.success(), "{} {name}: {said}{}", language.name, text(&output.stderr));
        let cases = fs::read_dir(&fixtures).unwrap().count();
        assert!(said.ends_with(&format!("{cases} passed, 0 failed\n")), "{} {name}: {said}", language.name);
    }
}

#[test]
fn plugins_in_go_pass_the_fixtures_of_those_in_rust() {
    passes_the_fixtures_of_rust(&GO);
}

#[test]
fn plugins_in_javascript_pass_the_fixtures_of_those_in_rust() {
    passes_the_fixtures_of_rust(&JS);
}

#[test]
fn plugins_in_python_pass_the_fixtures_of_those_in_rust() {
    passes_the_fixtures_of_rust(&PYTHON);
}

#[test]
fn plugins_in_c_pass_the_fixtures_of_those_in_rust() {
    passes_the_fixtures_of_rust(&C);
}
