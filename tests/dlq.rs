//! Dead letters put through again.

use crate::{
    binary::{fails, json_lines, ok, plugin, write},
    kill::kill_command_at,
};
use std::path::Path;
use tests::services::kafka::kafka;

fn pipeline(folder: &Path, schema: &str, letters: &str) {
    let extract = plugin("json-extract");
    write(
        folder.join("pipeline.toml"),
        format!(
            "trigger = \"available-now\"\ncheckpoint = \"checkpoint\"\n\
             [sources.lines]\nmax-per-trigger = {{ files = 1 }}\n[sources.lines.files]\npath = \"in\"\nformat = \"text\"\n\
             [steps.parsed]\nplugin = {extract:?}\nconfig = {{ schema = \"{schema}\" }}\non-error = \"dead-letter\"\n\
             [steps.doubled]\nsql = \"SELECT n * 2 AS n FROM parsed\"\n\
             [sinks.out]\nfrom = \"doubled\"\n[sinks.out.files]\npath = \"out\"\nformat = \"json\"\n\
             [sinks.rejected]\nfrom = \"parsed.dead-letter\"\n{letters}"
        ),
    );
}

fn input(folder: &Path) {
    write(folder.join("in/1.txt"), "{\"n\":1}\n{\"n\":1.5}\nnothing\n");
    write(folder.join("in/2.txt"), "{\"n\":2}\n{\"n\":2.5}\n");
}

fn replay(folder: &Path, more: &[&str]) -> String {
    ok(folder, [&["dlq", "replay", "pipeline.toml", "--sink", "rejected"], more].concat())
}

#[test]
fn letters_pass_once_the_step_is_mended_and_what_does_not_is_a_letter_again() {
    for format in ["json", "parquet", "csv"] {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let letters = format!("[sinks.rejected.files]\npath = \"rejected\"\nformat = \"{format}\"\n");
        input(folder);
        pipeline(folder, "n INT", &letters);
        ok(folder, ["run", "pipeline.toml"]);
        assert_eq!(json_lines(&folder.join("out")), ["{\"n\":2}", "{\"n\":4}"]);
        pipeline(folder, "n DOUBLE", &letters);
        for step in ["ran", "manifest-written", "committed"] {
            let replay = ["dlq", "replay", "pipeline.toml", "--sink", "rejected"];
            assert!(kill_command_at(folder, &replay, &format!("0:{step}")), "{step}");
            if step == "committed" {
                break;
            }
        }
        assert_eq!(replay(folder, &[]), "put through 1 dead letter; 1 failed again\n");
        assert_eq!(json_lines(&folder.join("out")), ["{\"n\":2}", "{\"n\":3.0}", "{\"n\":4}", "{\"n\":5.0}"]);
        assert_eq!(replay(folder, &[]), "put through 1 dead letter; 1 failed again\n");
        assert_eq!(json_lines(&folder.join("out")).len(), 4);
    }
}

#[test]
fn a_test_of_a_pipeline_expects_of_letters_what_it_names() {
    let folder = tempfile::tempdir().unwrap();
    pipeline(folder.path(), "n INT", "memory = {}\n");
    let file = folder.path().join("pipeline.toml");
    let test = |column: &str, error: &str| {
        format!(
            "[[tests]]\nname = \"letters\"\ninput.lines = \'\'\'\n{{\"value\": \"nothing\"}}\n\'\'\'\n\
             expect.\"parsed.dead-letter\" = \'\'\'\n{{\"value\": \"nothing\", \"{column}\": \"{error}\"}}\n\'\'\'\n"
        )
    };
    let without = std::fs::read_to_string(&file).unwrap();
    write(&file, without.clone() + &test("_plugin", "json-extract"));
    assert!(ok(folder.path(), ["test", "pipeline.toml"]).ends_with("1 passed, 0 failed\n"));
    write(&file, without + &test("_error", "another"));
    let failed = crate::binary::run(folder.path(), ["test", "pipeline.toml"]);
    let said = crate::binary::text(&failed.stdout);
    assert!(
        said.contains("parsed.dead-letter, row 1: expected") && said.contains("_plugin_digest"),
        "{said}"
    );
}

#[test]
fn letters_in_a_table_are_read_by_a_column_that_rises() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let database = tests::services::databases::sqlite(&folder.join("letters.db"));
    database.run(
        "CREATE TABLE letters (id INTEGER PRIMARY KEY, value TEXT, _plugin TEXT, _plugin_version TEXT, _plugin_digest TEXT, \
         _epoch BIGINT, _position TEXT, _error TEXT)",
    );
    let letters = "[sinks.rejected.sql]\nconnection = \"sqlite:letters.db\"\ntable = \"letters\"\n";
    input(folder);
    pipeline(folder, "n INT", letters);
    ok(folder, ["run", "pipeline.toml"]);
    pipeline(folder, "n DOUBLE", letters);
    let error = fails(2, folder, ["dlq", "replay", "pipeline.toml", "--sink", "rejected"]);
    assert!(error.contains("name a column of it that rises with --column"), "{error}");
    assert_eq!(replay(folder, &["--column", "id"]), "put through 3 dead letters; 1 failed again\n");
    assert_eq!(json_lines(&folder.join("out")).len(), 4);
    assert_eq!(database.rows("SELECT count(*) FROM letters"), ["4"]);
    assert_eq!(replay(folder, &["--column", "id"]), "put through 1 dead letter; 1 failed again\n");
}

#[test]
fn letters_in_a_delta_table_and_in_a_topic_are_put_through_again() {
    let topic = kafka().topic("letters", 2);
    let of_kafka = format!(
        "[sinks.rejected.kafka]\nbootstrap-servers = {:?}\ntopic = \"{topic}\"\n",
        kafka().bootstrap()
    );
    for letters in ["[sinks.rejected.delta]\npath = \"rejected\"\n", &of_kafka] {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        input(folder);
        pipeline(folder, "n INT", letters);
        ok(folder, ["run", "pipeline.toml"]);
        pipeline(folder, "n DOUBLE", letters);
        assert_eq!(replay(folder, &[]), "put through 3 dead letters; 1 failed again\n", "{letters}");
        assert_eq!(json_lines(&folder.join("out")).len(), 4);
        assert_eq!(replay(folder, &[]), "put through 1 dead letter; 1 failed again\n", "{letters}");
    }
}

#[test]
fn letters_whose_messages_do_not_have_all_of_a_row_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let letters = |more: &str| {
        format!(
            "[sinks.rejected.kafka]\nbootstrap-servers = {:?}\ntopic = \"keyed-letters\"\n{more}",
            kafka().bootstrap()
        )
    };
    kafka().topic("keyed-letters", 1);
    input(folder.path());
    // What the letter itself says is not put through.
    pipeline(folder.path(), "n INT", &letters("key-from-column = \"_plugin\"\n"));
    ok(folder.path(), ["run", "pipeline.toml"]);
    assert_eq!(replay(folder.path(), &[]), "put through 3 dead letters; 3 failed again\n");
    pipeline(folder.path(), "n INT", &letters("key-from-column = \"value\"\n"));
    let error = fails(2, folder.path(), ["dlq", "replay", "pipeline.toml", "--sink", "rejected"]);
    assert!(
        error.contains("`key-from-column` takes column `value` out of what is written as JSON"),
        "{error}"
    );
}

#[test]
fn what_cannot_be_replayed_is_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    input(folder);
    pipeline(folder, "n INT", "[sinks.rejected.files]\npath = \"rejected\"\nformat = \"json\"\n");
    let error = fails(2, folder, ["dlq", "replay", "pipeline.toml", "--sink", "out"]);
    assert!(error.contains("no sink `out` reads the dead letters of a step; these do: rejected"), "{error}");
    let text = std::fs::read_to_string(folder.join("pipeline.toml")).unwrap();
    let counted = text
        .replace("SELECT n * 2 AS n FROM parsed", "SELECT n FROM parsed GROUP BY n")
        .replace("[sinks.out]", "[sinks.out]\nmode = \"update\"")
        .replace("[sinks.out.files]\npath = \"out\"\nformat = \"json\"", "[sinks.out.noop]");
    write(folder.join("pipeline.toml"), counted);
    ok(folder, ["run", "pipeline.toml"]);
    let error = fails(2, folder, ["dlq", "replay", "pipeline.toml", "--sink", "rejected"]);
    assert!(error.contains("remembers rows, and a replay does not know what it remembers"), "{error}");
}
