//! `streamhost test` of pipelines, as their authors use it.

use crate::binary::{fails, ok, plugin, run, text, write};
use std::path::Path;

/// A pipeline that reads JSON from where nothing is, with these settings of its source, and these tests.
fn pipeline(folder: &Path, source: &str, rest: &str) {
    write(
        folder.join("pipeline.toml"),
        format!(
            "time-zone = \"Asia/Tokyo\"\n[sources.events]\n{source}\n[sources.events.files]\npath = \"gone\"\nformat = \"json\"\n\
             [sinks.out.noop]\n{rest}"
        ),
    );
}

/// A test of one row in and the rows of the source out.
fn one(input: &str, expect: &str) -> String {
    format!(
        "[[tests]]\nname = \"it holds\"\ninput = {{ events = '{input}' }}\nexpect = {{ events = '{expect}' }}\n"
    )
}

fn passes(folder: &Path) {
    assert_eq!(ok(folder, ["test", "pipeline.toml"]), "test it holds ... ok\n1 passed, 0 failed\n");
}

#[test]
fn a_test_does_not_look_for_what_its_source_reads() {
    let dir = tempfile::tempdir().unwrap();
    pipeline(dir.path(), "schema = \"n INT\"", &one("{\"n\": 1}", "{\"n\": 1}"));
    passes(dir.path());
    // Without a schema the columns are those of the rows,
    pipeline(dir.path(), "schema = \"infer\"", &one("{\"n\": 1.5}", "{\"n\": 1.5}"));
    passes(dir.path());
    // and without rows those of what there is to read.
    let silent = "[[tests]]\nname = \"it holds\"\ninput = {}\nexpect = { events = '' }\n";
    pipeline(dir.path(), "schema = \"infer\"", silent);
    let error = fails(2, dir.path(), ["test", "pipeline.toml"]);
    assert!(error.contains("gone: there is no such file or directory"), "{error}");
}

#[test]
fn rows_in_a_test_mean_what_they_mean_in_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let (local, utc) = ("{\"t\": \"2025-01-01 10:00:00\"}", "{\"t\": \"2025-01-01T01:00:00Z\"}");
    pipeline(dir.path(), "schema = \"t TIMESTAMP\"", &one(local, utc));
    passes(dir.path());
    let rescued = one("{\"a\": \"x\", \"b\": 2}", "{\"rest\": \"{\\\"a\\\":\\\"x\\\",\\\"b\\\":2}\"}");
    pipeline(dir.path(), "schema = \"a INT\"\nrescue = \"rest\"", &rescued);
    passes(dir.path());
    let evolved = one("{\"a\": 1, \"b\": 2}", "{\"a\": 1, \"b\": 2}");
    pipeline(dir.path(), "schema = \"a INT\"\nevolve = true", &evolved);
    passes(dir.path());
    pipeline(dir.path(), "schema = \"a INT\"\non-bad-data = \"fail\"", &one("{\"a\": \"x\"}", ""));
    let error = fails(4, dir.path(), ["test", "pipeline.toml"]);
    assert!(
        error.contains("test `it holds`: input rows of `events`: rows, line 1, byte 7: column \"a\""),
        "{error}"
    );
}

#[test]
fn a_test_may_give_the_metadata_that_files_have() {
    let dir = tempfile::tempdir().unwrap();
    let row = "{\"n\": 1, \"_metadata\": {\"file_name\": \"a.json\"}}";
    write(
        dir.path().join("pipeline.toml"),
        format!(
            "[sources.events]\nschema = \"n INT\"\n[sources.events.files]\npath = \"gone\"\nmetadata = [\"file_name\"]\n\
             [sinks.out.noop]\n{}",
            one(row, row)
        ),
    );
    passes(dir.path());
}

#[test]
fn lines_of_text_are_given_as_their_one_column() {
    let dir = tempfile::tempdir().unwrap();
    let row = "{\"value\": \"2025-01-01\"}";
    write(
        dir.path().join("pipeline.toml"),
        format!("[sources.events.stdin]\n[sinks.out.noop]\n{}", one(row, row)),
    );
    passes(dir.path());
}

#[test]
fn a_test_may_give_a_table_its_rows() {
    let dir = tempfile::tempdir().unwrap();
    let test = "[[tests]]\nname = \"it holds\"\n\
                input = { events = '{\"id\": 1}', users = '{\"id\": 1, \"name\": \"Ann\"}' }\n\
                expect = { named = '{\"id\": 1, \"name\": \"Ann\"}' }\n";
    write(
        dir.path().join("pipeline.toml"),
        format!(
            "[sources.events]\nschema = \"id INT\"\n[sources.events.stdin]\nformat = \"json\"\n\
             [tables.users]\nschema = \"id INT, name STRING\"\n[tables.users.files]\npath = \"gone.csv\"\n\
             [steps.named]\nsql = \"SELECT e.id, name FROM events e JOIN users u ON e.id = u.id\"\n\
             [sinks.out.noop]\n{test}"
        ),
    );
    passes(dir.path());
}

#[test]
fn a_test_that_expects_nothing_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let vacuous = "[[tests]]\nname = \"nothing\"\ninput = { events = '{\"n\": 1}' }\nexpect = {}\n";
    pipeline(dir.path(), "schema = \"n INT\"", vacuous);
    let error = fails(2, dir.path(), ["test", "pipeline.toml"]);
    let expected = "test `nothing`: it expects nothing; name a step, source or side output under `expect`";
    assert!(error.contains(expected), "{error}");
}

#[test]
fn a_test_that_cannot_run_keeps_none_of_the_others_from_running() {
    let dir = tempfile::tempdir().unwrap();
    let lost = "[[tests]]\nname = \"lost\"\ninput = { event = '' }\nexpect = { events = '' }\n";
    let tests = format!("{lost}{}", one("{\"n\": 1}", "{\"n\": 1}"));
    pipeline(dir.path(), "schema = \"n INT\"", &tests);
    let output = run(dir.path(), ["test", "pipeline.toml"]);
    let said = "test lost ... ERROR\ntest it holds ... ok\n1 passed, 0 failed, 1 in error\n";
    assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(2), said));
    let error = "error: pipeline.toml:8:1: test `lost`: there is no source, table or step `event`; there are: events\n";
    assert_eq!(text(&output.stderr), error);
}

#[test]
fn check_finds_what_would_keep_tests_from_running_and_runs_none() {
    let dir = tempfile::tempdir().unwrap();
    let head =
        "[sources.events]\nschema = \"n INT\"\n[sources.events.stdin]\nformat = \"json\"\n[sinks.out.noop]\n";
    let test = |name: &str, input: &str, expect: &str| {
        format!("[[tests]]\nname = \"{name}\"\ninput = {{ {input} }}\nexpect = {{ {expect} }}\n")
    };
    let differs = test("differs", "events = '{\"n\": 1}'", "events = '{\"n\": 2}'");
    write(dir.path().join("p.toml"), format!("{head}{differs}"));
    assert_eq!(ok(dir.path(), ["check", "p.toml"]), "p.toml: ok\n");
    let wrong = [
        test("source", "event = ''", "events = ''"),
        test("step", "events = ''", "step = ''"),
        test("row", "events = ''", "events = '{\"n\": '"),
        test("nothing", "events = ''", ""),
    ];
    write(dir.path().join("p.toml"), format!("{head}{}{differs}", wrong.concat()));
    write(dir.path().join("p.tests.toml"), test("beside", "", "'events.late' = ''"));
    let error = fails(2, dir.path(), ["check", "p.toml"]);
    let lines: Vec<&str> = error.lines().collect();
    let expected = [
        "error: p.toml:6:1: test `source`: there is no source, table or step `event`; there are: events",
        "p.toml:10:1: test `step`: there is no source, table or step `step`; there are: events",
        "p.toml:14:1: test `row`: rows expected of `events`: expected row {\"n\":; write a JSON object a line: ",
        "p.toml:18:1: test `nothing`: it expects nothing; name a step, source or side output under `expect`",
        "p.tests.toml:1:1: test `beside`: there is no source, table or step `events.late`; there are: events",
    ];
    assert_eq!(lines.len(), expected.len(), "{error}");
    assert!(lines.iter().zip(expected).all(|(line, expected)| line.starts_with(expected)), "{error}");
}

#[test]
fn the_tests_of_the_file_beside_run_behind_those_of_the_pipeline() {
    let dir = tempfile::tempdir().unwrap();
    pipeline(dir.path(), "schema = \"n INT\"", &one("{\"n\": 1}", "{\"n\": 1}"));
    let beside = dir.path().join("pipeline.tests.toml");
    write(&beside, one("{\"n\": 2}", "{\"n\": 3}").replace("it holds", "it differs"));
    let output = run(dir.path(), ["test", "pipeline.toml"]);
    let said = "test it holds ... ok\n\
                test it differs ... FAILED\n  \
                events, row 1: expected {\"n\": 3}, got {\"n\":2}\n\
                1 passed, 1 failed\n";
    assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(4), said));
    write(&beside, "[[test]]\n");
    let error = fails(2, dir.path(), ["test", "pipeline.toml"]);
    let expected =
        "error: pipeline.tests.toml:1:3: unknown field `test`, did you mean `tests`? expected `tests`";
    assert_eq!(error.trim_end(), expected);
}

#[test]
fn rows_in_the_place_of_a_steps_input_must_fit_it() {
    let dir = tempfile::tempdir().unwrap();
    let with = |row: &str| {
        write(
            dir.path().join("pipeline.toml"),
            format!(
                "[sources.events]\nschema = \"value DOUBLE\"\n[sources.events.stdin]\nformat = \"json\"\n\
                 [steps.normalized]\nplugin = {:?}\n[sinks.out.noop]\n\
                 [[tests]]\nname = \"it holds\"\ninput = {{ normalized = '{row}' }}\n\
                 expect = {{ normalized = '{{\"value\": 50, \"normalized_value\": 0.5}}' }}\n",
                plugin("normalize")
            ),
        );
    };
    with("{\"value\": 50}");
    passes(dir.path());
    with("{\"valeu\": 50}");
    let error = fails(4, dir.path(), ["test", "pipeline.toml"]);
    let expected =
        "input rows of `normalized`: there is no column for {\"valeu\":50}, or its type is another";
    assert!(error.contains(expected), "{error}");
}

#[test]
fn a_schema_that_was_printed_can_be_pasted_where_metadata_is_added() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path().join("in/a.json"), "{\"n\": 1}\n");
    let with = |schema: &str| {
        write(
            dir.path().join("pipeline.toml"),
            format!(
                "trigger = \"once\"\n[sources.events]\nschema = \"{schema}\"\n\
                 [sources.events.files]\npath = \"in\"\nmetadata = [\"file_name\"]\n[sinks.out.stdout]\nformat = \"json\"\n"
            ),
        );
        run(dir.path(), ["run", "pipeline.toml"])
    };
    let row = "{\"n\":1,\"_metadata\":{\"file_name\":\"a.json\"}}\n";
    let inferred = with("infer");
    let said = text(&inferred.stderr);
    assert!(said.lines().any(|line| line == "source `events`: schema = \"n BIGINT\""), "{said}");
    assert_eq!((text(&inferred.stdout).as_str(), text(&with("n BIGINT").stdout).as_str()), (row, row));
    let refused = with("n BIGINT, _metadata STRUCT<file_name: STRING>");
    let said = text(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(
        said.contains("schema: `metadata` adds the column `_metadata`; take it out of `schema`"),
        "{said}"
    );
}
