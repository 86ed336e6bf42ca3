//! What a plugin's author does wrong is told in his words and lines.

use super::{C, GO, JS, Language, PYTHON};
use crate::binary::{ok, root, run, text, write};
use std::{fs, path::Path};

/// What the tests of breaks know of a language. `broken` has a source of each kind that breaks in a function `look`.
struct Broken {
    /// Where the source of a plugin is.
    source: &'static str,
    /// A source that has no plugin in it.
    nothing: &'static str,
    /// What is said of that.
    said: &'static str,
}

impl Broken {
    fn of(language: &Language) -> Self {
        let exports_nothing = "the module exports no kind of plugin";
        match language.name {
            "go" => Broken {
                source: "plugin.go",
                nothing: "package main\n\nfunc main() {}\n",
                said: exports_nothing,
            },
            "js" => {
                let (source, nothing) = ("src/plugin.js", "export const nothing = 1;\n");
                Broken { source, nothing, said: "export default" }
            }
            "python" => Broken {
                source: "plugin.py",
                nothing: "nothing = 1\n",
                said: "`plugin` has no plugin: decorate a function with @streamhost.filter",
            },
            _ => {
                let nothing = "int nothing(void) { return 1; }\n";
                Broken { source: "plugin.c", nothing, said: exports_nothing }
            }
        }
    }
}

/// A new plugin with another source.
fn with_source(dir: &Path, language: &Language, source: &str) {
    ok(dir, ["new", "plugin", "broken", "--lang", language.name]);
    write(dir.join("broken").join(Broken::of(language).source), source);
}

/// A pipeline whose plugin, of this kind, breaks on the second of three rows; answers what a report of the break has in it: the
/// message, the function and its line.
fn breaking(dir: &Path, language: &Language, kind: &str) -> [String; 3] {
    let source = Path::new(Broken::of(language).source);
    let extension = source.extension().unwrap().to_str().unwrap();
    let text = root().join("tests/languages/broken").join(format!("{kind}.{extension}"));
    let text = fs::read_to_string(text).unwrap();
    with_source(dir, language, &text);
    let rest = match kind {
        "filter" => {
            "[steps.kept]\nplugin = \"broken\"\non-error = \"dead-letter\"\n\
             [sinks.out]\nfrom = \"kept\"\nfiles = { path = \"out\", format = \"json\" }\n\
             [sinks.bad]\nfrom = \"kept.dead-letter\"\nfiles = { path = \"bad\", format = \"json\" }\n"
        }
        "function" => {
            "[functions.look]\nplugin = \"broken\"\n[steps.seen]\nsql = \"SELECT look(id) AS id FROM ids\"\n\
             [sinks.out]\nfiles = { path = \"out\", format = \"json\" }\n"
        }
        "keyed" => {
            "[steps.seen]\nplugin = \"broken\"\nkeys = [\"id\"]\n\
             [sinks.out]\nfiles = { path = \"out\", format = \"json\" }\n"
        }
        _ => "[sinks.out.plugin]\nplugin = \"broken\"\n",
    };
    let pipeline = "trigger = \"once\"\nrestart = { attempts = 0 }\n[sources.ids]\nschema = \"id BIGINT, n BIGINT\"\n\
         files = { path = \"in\", format = \"json\" }\n";
    write(dir.join("p.toml"), format!("{pipeline}{rest}"));
    write(dir.join("in/a.json"), "{\"id\":1,\"n\":1}\n{\"id\":2,\"n\":1}\n{\"id\":3,\"n\":1}\n");
    let line = text.lines().position(|line| line.contains("no such id")).unwrap() + 1;
    let file = source.file_name().unwrap().to_str().unwrap();
    ["no such id: 2".into(), "look".into(), format!("{file}:{line}")]
}

/// A row that breaks the plugin is in error by itself, and the error has message, file, line and stack.
#[track_caller]
fn a_break_is_told_with_its_place(language: &Language) {
    let dir = tempfile::tempdir().unwrap();
    let words = breaking(dir.path(), language, "filter");
    let output = run(dir.path(), ["run", "p.toml"]);
    assert!(output.status.success(), "{}: {}", language.name, text(&output.stderr));
    let kept = crate::binary::json_lines(&dir.path().join("out"));
    let expected = ["{\"id\":1,\"n\":1}", "{\"id\":3,\"n\":1}"];
    assert_eq!(kept, expected, "{}: {}", language.name, text(&output.stderr));
    let letters = crate::binary::json_lines(&dir.path().join("bad"));
    let letter: serde_json::Value = serde_json::from_str(&letters[0]).unwrap();
    let error = letter["_error"].as_str().unwrap();
    for words in words {
        assert!(error.contains(&words), "{}: {words} in {error}", language.name);
    }
    assert_eq!(letters.len(), 1, "{letters:?}");
}

/// Where a break fails the query, the failure has them.
#[track_caller]
fn a_failure_is_told_with_its_place(language: &Language) {
    for kind in ["function", "keyed", "sink"] {
        let dir = tempfile::tempdir().unwrap();
        let words = breaking(dir.path(), language, kind);
        let output = run(dir.path(), ["run", "p.toml"]);
        let said = text(&output.stderr);
        assert!(!output.status.success(), "{} {kind}: {said}", language.name);
        for words in words {
            assert!(said.contains(&words), "{} {kind}: {words} in {said}", language.name);
        }
    }
}

/// The build says what a source lacks that is no plugin.
#[track_caller]
fn nothing_is_no_plugin(language: &Language) {
    let dir = tempfile::tempdir().unwrap();
    let Broken { nothing, said, .. } = Broken::of(language);
    with_source(dir.path(), language, nothing);
    let output = run(dir.path(), ["build", "broken"]);
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains(said), "{}: {told}", language.name);
}

#[test]
fn a_panic_in_go_is_told_with_its_place() {
    a_break_is_told_with_its_place(&GO);
}

#[test]
fn an_exception_in_javascript_is_told_with_its_place() {
    a_break_is_told_with_its_place(&JS);
}

#[test]
fn an_exception_in_python_is_told_with_its_place() {
    a_break_is_told_with_its_place(&PYTHON);
}

#[test]
fn an_assertion_in_c_is_told_with_its_place() {
    a_break_is_told_with_its_place(&C);
}

#[test]
fn a_failure_in_go_is_told_with_its_place() {
    a_failure_is_told_with_its_place(&GO);
}

#[test]
fn a_failure_in_javascript_is_told_with_its_place() {
    a_failure_is_told_with_its_place(&JS);
}

#[test]
fn a_failure_in_python_is_told_with_its_place() {
    a_failure_is_told_with_its_place(&PYTHON);
}

#[test]
fn a_failure_in_c_is_told_with_its_place() {
    a_failure_is_told_with_its_place(&C);
}

#[test]
fn a_source_in_go_without_a_plugin_is_told() {
    nothing_is_no_plugin(&GO);
}

#[test]
fn a_source_in_javascript_without_a_plugin_is_told() {
    nothing_is_no_plugin(&JS);
}

#[test]
fn a_source_in_python_without_a_plugin_is_told() {
    nothing_is_no_plugin(&PYTHON);
}

#[test]
fn a_source_in_c_without_a_plugin_is_told() {
    nothing_is_no_plugin(&C);
}
