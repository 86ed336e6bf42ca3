//! Plugins as their authors test them and as pipelines wire them.

use crate::binary::{built, command, fails, ok, plugin, root, text, write};
use std::{
    fs,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

/// The folder of a plugin that is up to date, with one fixture.
fn folder(component: &Path, fixture: &str) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path().join("Cargo.toml"), "[package]\nname = \"tested\"\n");
    // What cargo leaves of a build: the list of the source files, here none.
    write(dir.path().join("target/plugins/wasm32-wasip2/release/tested.d"), "tested.wasm:\n");
    fs::copy(component, dir.path().join("tested.wasm")).unwrap();
    write(dir.path().join("tests/case.toml"), fixture);
    dir
}

/// Runs `streamhost test` in a plugin's folder; answers its exit code and what it wrote.
fn test(dir: &TempDir, flags: &[&str]) -> (Option<i32>, String) {
    let mut test = command(dir.path(), ["test", "."].iter().chain(flags));
    let output = test.env("CARGO_TARGET_DIR", dir.path().join("target")).output().unwrap();
    (output.status.code(), text(&output.stdout) + &text(&output.stderr))
}

/// The fixture passes, and with `right` replaced by `wrong` in what it expects it does not, and says so in these words.
#[track_caller]
fn tells_right_from_wrong(component: &Path, fixture: &str, right: &str, wrong: &str, words: &str) {
    let (code, said) = test(&folder(component, fixture), &[]);
    assert_eq!(code, Some(0), "{said}");
    let (given, expected) = fixture.split_once("expect = ").unwrap();
    let broken = format!("{given}expect = {}", expected.replacen(right, wrong, 1));
    assert_ne!(broken, fixture);
    let (code, said) = test(&folder(component, &broken), &[]);
    assert!(code == Some(4) && said.contains(words), "{words} in\n{said}");
}

fn split() -> PathBuf {
    built(&root().join("tests/guests/split"))
}

#[test]
fn a_fixture_tests_columns_that_are_added() {
    let fixture = r#"
config = { schema = "n INT" }
schema = "value STRING"
input = '''
{"value": "{\"n\": 1}"}
{"value": "{\"n\": 1"}
'''
errors = ["row 1: bad JSON: EOF while parsing an object at line 1 column 7"]
expect = '''
{"value": "{\"n\": 1}", "n": 1}
'''
"#;
    tells_right_from_wrong(&plugin("json-extract"), fixture, "\"n\": 1}\n", "\"n\": 2}\n", "expect");
}

#[test]
fn a_fixture_tests_columns_that_are_added_to_rows_that_are_kept() {
    let fixture = r#"
config = { above = 10 }
schema = "id INT, value DOUBLE"
input = '''
{"id": 1, "value": 50}
{"id": 2, "value": 5}
'''
expect = '''
{"id": 1, "value": 50, "normalized_value": 0.5}
'''
"#;
    tells_right_from_wrong(&plugin("normalize"), fixture, "0.5", "0.25", "expect");
}

#[test]
fn a_fixture_tests_rows_that_replace_others() {
    let fixture = r#"
schema = "id INT, value STRING"
input = '''
{"id": 1, "value": "to be"}
'''
expect = '''
{"id": 1, "word": "to"}
{"id": 1, "word": "be"}
'''
"#;
    tells_right_from_wrong(&plugin("explode-words"), fixture, "be", "bee", "expect");
}

const SPLIT: &str = r#"
schema = "id BIGINT"
input = '''
{"id": 1}
{"id": 2}
{"id": 3}
'''
expect = '''
{"id": 2}
'''
[outputs]
odd = '''
{"id": 1}
{"id": 3}
'''
"#;

#[test]
fn a_fixture_tests_side_outputs_and_none_is_overlooked() {
    let (_, outputs) = SPLIT.split_once("[outputs]").unwrap();
    for (right, wrong) in [("{\"id\": 3}", "{\"id\": 4}"), (outputs, "")] {
        tells_right_from_wrong(&split(), SPLIT, right, wrong, "outputs.odd");
    }
}

#[test]
fn a_fixture_that_cannot_be_read_keeps_none_of_the_others_from_running() {
    let case = |value: u32| {
        format!("schema = \"value DOUBLE\"\ninput = '{{\"value\": 50}}'\nexpect = '{{\"value\": {value}}}'\n")
    };
    let dir = folder(&plugin("filter-threshold"), &case(50));
    write(dir.path().join("tests/a-typo.toml"), case(50).replace("expect", "expct"));
    write(dir.path().join("tests/a-type.toml"), case(50).replace("DOUBLE", "DOUBEL"));
    write(dir.path().join("tests/wrong.toml"), case(51));
    let (code, said) = test(&dir, &[]);
    assert_eq!(code, Some(2), "{said}");
    for words in [
        "test a type ... ERROR\ntest a typo ... ERROR\ntest case ... ok\ntest wrong ... FAILED\n",
        "1 passed, 1 failed, 2 in error\n",
        "fixture ./tests/a-type.toml: schema, column 7: expected a type",
        "\n./tests/a-typo.toml:3:1: unknown field `expct`, did you mean `expect`? expected one of",
    ] {
        assert!(said.contains(words), "{words} in\n{said}");
    }
}

#[test]
fn update_writes_side_outputs_too() {
    let wrong = SPLIT.split_once("[outputs]").unwrap().0;
    let dir = folder(&split(), wrong);
    assert_eq!(test(&dir, &[]).0, Some(4));
    assert_eq!(test(&dir, &["--update"]).0, Some(0));
    assert_eq!(test(&dir, &[]).0, Some(0));
    let now = fs::read_to_string(dir.path().join("tests/case.toml")).unwrap();
    assert!(now.contains("odd = '''\n{\"id\":1}\n{\"id\":3}\n'''"), "{now}");
}

#[test]
fn each_output_of_a_step_goes_where_the_pipeline_says() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path().join("in/a.json"), "{\"id\":1}\n{\"id\":2}\n{\"id\":3}\n");
    let split = split();
    write(
        dir.path().join("p.toml"),
        format!(
            r#"
trigger = "once"
[sources.numbers]
schema = "id BIGINT"
files = {{ path = "in", format = "json" }}

[steps.split]
plugin = {split:?}

[steps.odd]
from = "split.odd"
plugin = {split:?}

[sinks.even]
from = "split"
files = {{ path = "even", format = "json" }}

[sinks.odd]
from = "split.odd"
files = {{ path = "odd", format = "json" }}

[sinks.odder]
from = "odd.odd"
files = {{ path = "odder", format = "json" }}
"#
        ),
    );
    ok(dir.path(), ["run", "p.toml"]);
    let rows = |sink: &str| {
        let files = fs::read_dir(dir.path().join(sink)).unwrap().map(|entry| entry.unwrap().path());
        files.filter(|path| path.is_file()).map(|path| fs::read_to_string(path).unwrap()).collect::<String>()
    };
    assert_eq!(rows("even"), "{\"id\":2}\n");
    assert_eq!(rows("odd"), "{\"id\":1}\n{\"id\":3}\n");
    assert_eq!(rows("odder"), rows("odd"));
    write(
        dir.path().join("q.toml"),
        fs::read_to_string(dir.path().join("p.toml")).unwrap().replace("odd.odd", "odd.evn"),
    );
    let said = fails(2, dir.path(), ["check", "q.toml"]);
    assert!(said.contains("evn"), "{said}");
}
