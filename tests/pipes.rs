//! Standard input and output as source and sink.

use crate::{
    binary::{Running, command, plugin, text, write},
    cli::{SCHEMA, events},
};
use std::{
    fs,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::Stdio,
};

/// Runs the binary with lines on its standard input.
fn piped(args: &[&str], lines: &str) -> std::process::Output {
    let mut child = command(".", args);
    let mut child =
        child.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn a_pipe_goes_in_and_out_and_the_schema_is_inferred_and_printed() {
    let filter = plugin("filter-threshold").display().to_string();
    let args =
        ["run", "--plugin", &filter, "--from", "-", "--format", "json", "--to", "-", "--to-format", "csv"];
    let output = piped(&args, "{\"id\":1,\"value\":5.5}\n{\"id\":2,\"value\":50.5}\n");
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout), "2,50.5\n");
    assert!(text(&output.stderr).contains("id BIGINT, value DOUBLE"), "{}", text(&output.stderr));
}

#[test]
fn a_column_of_a_pipe_can_be_missing_whatever_its_schema_says() {
    let args = ["run", "--from", "-", "--format", "json", "--schema", "a INT NOT NULL", "--to", "-"];
    let output = piped(&args, "{\"a\":null}\n{\"a\":1}\n");
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout), "{}\n{\"a\":1}\n");
}

#[test]
fn lines_of_a_pipe_are_counted_from_its_header() {
    let args = ["run", "--from", "-", "--format", "csv", "--schema", "a INT", "--to", "-"];
    let args = [&args[..], &["--from-option", "header=true", "--on-bad-data", "fail"]].concat();
    let output = piped(&args, "a\n1\nx\n");
    assert_eq!(output.status.code(), Some(4));
    assert!(text(&output.stderr).contains("standard input, line 3"), "{}", text(&output.stderr));
}

/// A pipeline of the lines of standard input, and perhaps of another source.
fn lines_of_stdin(folder: &Path, head: &str, other: &str) {
    let sources = format!(
        "{head}\n[sources.lines]\non-bad-data = \"drop\"\nschema = \"a INT\"\n[sources.lines.stdin]\nformat = \"json\"\n{other}"
    );
    write(folder.join("p.toml"), format!("{sources}[sinks.out]\nfrom = \"lines\"\n[sinks.out.stdout]\n"));
}

#[test]
fn a_query_ends_with_its_standard_input_whatever_its_trigger() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("p.toml").display().to_string();
    for trigger in ["\"asap\"", "{ processing-time = \"10ms\" }", "{ continuous = \"10ms\" }"] {
        lines_of_stdin(dir.path(), &format!("trigger = {trigger}"), "");
        let output = piped(&["run", &path], "{\"a\":1}\n{\"a\":2}\n");
        assert!(output.status.success(), "{trigger}: {}", text(&output.stderr));
        assert_eq!(text(&output.stdout), "{\"a\":1}\n{\"a\":2}\n", "{trigger}");
    }
}

#[test]
fn a_query_goes_on_without_its_standard_input_while_another_source_may_have_more() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path().join("in/a.json"), "{\"a\":1}\n");
    let files = "[sources.files]\nschema = \"a INT\"\n[sources.files.files]\npath = \"in\"\n";
    lines_of_stdin(dir.path(), "", &format!("{files}[sinks.more]\nfrom = \"files\"\n[sinks.more.stdout]\n"));
    // Its standard input is over from the start.
    let mut query = command(dir.path(), ["run", "p.toml"]);
    let mut query = Running(query.stdout(Stdio::piped()).spawn().unwrap());
    let mut rows = BufReader::new(query.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert_eq!(rows.next().unwrap(), "{\"a\":1}");
    write(dir.path().join("in/b.json"), "{\"a\":2}\n");
    assert_eq!(rows.next().unwrap(), "{\"a\":2}");
}

#[test]
fn bad_rows_that_no_epoch_has_are_warned_of_at_the_end() {
    let dir = tempfile::tempdir().unwrap();
    lines_of_stdin(dir.path(), "", "");
    let path = dir.path().join("p.toml").display().to_string();
    let output = piped(&["run", &path], "no json\n");
    let said = text(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("source=\"lines\" rows=1 first=\"standard input, line 1\""), "{said}");
}

/// Runs a pipeline whose standard output nobody reads from the first row on.
fn unread(folder: &Path, pipeline: &str) -> std::process::Output {
    events(folder);
    write(folder.join("p.toml"), pipeline);
    let mut child =
        command(folder, ["run", "p.toml"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    child.wait_with_output().unwrap()
}

#[test]
fn a_reader_that_goes_ends_a_query_that_only_prints() {
    let dir = tempfile::tempdir().unwrap();
    let source = format!("[sources.events]\nschema = \"{SCHEMA}\"\n[sources.events.files]\npath = \"in\"\n");
    let output = unread(dir.path(), &format!("{source}[sinks.out.stdout]\n[sinks.screen.console]\n"));
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()));
}

#[test]
fn a_reader_that_goes_takes_nothing_from_the_other_sinks() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path().join("in/b.json"), "{\"user_id\":3}\n");
    let pipeline = format!(
        "trigger = \"available-now\"\n[sources.events]\nschema = \"{SCHEMA}\"\nmax-per-trigger = {{ files = 1 }}\n\
         [sources.events.files]\npath = \"in\"\n[sinks.out.stdout]\n[sinks.table.files]\npath = \"table\"\nformat = \"csv\"\n"
    );
    let output = unread(dir.path(), &pipeline);
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    assert_eq!(stderr.matches("nobody reads the standard output any more").count(), 1, "{stderr}");
    let files = fs::read_dir(dir.path().join("table")).unwrap().map(|entry| entry.unwrap().path());
    let rows: usize =
        files.filter(|f| f.is_file()).map(|f| fs::read_to_string(f).unwrap().lines().count()).sum();
    assert_eq!(rows, 3);
}
