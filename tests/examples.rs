//! Every example runs, and shows what its README says.

use crate::binary::{Running, command, copy, ok, root, streamhost, text};
use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

fn example(name: &str) -> PathBuf {
    root().join("examples").join(name)
}

/// A copy of the checkout's examples with the plugins where the pipelines expect them.
fn copied(name: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    copy(&example(name), &dir.path().join("examples").join(name));
    std::os::unix::fs::symlink(root().join("plugins"), dir.path().join("plugins")).unwrap();
    dir
}

/// The indented blocks of a README: each starts with `$ command` lines and shows their output.
fn sessions(readme: &Path) -> Vec<(Vec<String>, String)> {
    let text = fs::read_to_string(readme).unwrap();
    let mut sessions: Vec<(Vec<String>, String)> = Vec::new();
    for block in text.split("\n\n").filter(|b| b.trim_start_matches('\n').starts_with("    $ ")) {
        let lines = block.trim_matches('\n').lines().map(|l| l.strip_prefix("    ").unwrap_or(l));
        let (commands, output): (Vec<_>, Vec<_>) = lines.partition(|l| l.starts_with("$ "));
        let commands = commands.iter().map(|c| c[2..].to_owned()).collect();
        let mut output: String = output.join("\n");
        if !output.is_empty() {
            output.push('\n');
        }
        sessions.push((commands, output));
    }
    sessions
}

/// Runs the commands of a README with the built binary on the path, from a copy of the checkout.
fn runs_as_its_readme_says(name: &str) {
    let dir = copied(name);
    let sessions = sessions(&example(name).join("README.md"));
    assert!(!sessions.is_empty(), "the README of {name} shows no command");
    for (commands, expected) in sessions {
        let path = format!("{}:{}", streamhost().parent().unwrap().display(), std::env::var("PATH").unwrap());
        let mut shell = Command::new("bash");
        shell
            .args(["-euo", "pipefail", "-c", &commands.join("\n")])
            .current_dir(dir.path())
            .env("PATH", path);
        let output = shell.output().unwrap();
        assert!(output.status.success(), "{commands:?}: {}", text(&output.stderr));
        assert_eq!(text(&output.stdout), expected, "{commands:?}");
    }
}

#[test]
fn filter_events_runs_as_its_readme_says() {
    runs_as_its_readme_says("filter-events");
}

#[test]
fn archive_json_runs_as_its_readme_says() {
    runs_as_its_readme_says("archive-json");
}

#[test]
fn csv_watch_runs_as_its_readme_says() {
    runs_as_its_readme_says("csv-watch");
}

#[test]
fn socket_words_prints_the_words_of_the_lines_that_arrive() {
    let dir = copied("socket-words");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let file = dir.path().join("examples/socket-words/pipeline.toml");
    let pipeline = fs::read_to_string(&file).unwrap().replace("9999", &port.to_string());
    fs::write(&file, pipeline).unwrap();
    let mut query = command(dir.path(), ["run", "examples/socket-words/pipeline.toml"]);
    let mut query = Running(query.stdout(Stdio::piped()).spawn().unwrap());
    let (mut connection, _) = listener.accept().unwrap();
    connection.write_all(b"to be or\nnot to be\n").unwrap();
    let lines = BufReader::new(query.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    let words =
        lines.filter(|l| l.starts_with('|') && !l.contains("word")).map(|l| l.replace(['|', ' '], ""));
    assert_eq!(words.take(6).collect::<Vec<_>>(), ["to", "be", "or", "not", "to", "be"]);
}

#[test]
fn every_pipeline_of_the_examples_is_valid_and_its_tests_pass() {
    for entry in fs::read_dir(root().join("examples")).unwrap() {
        let folder = entry.unwrap().path();
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        let dir = copied(&name);
        let pipeline = format!("examples/{name}/pipeline.toml");
        fs::create_dir_all(dir.path().join(format!("examples/{name}/data/input"))).unwrap();
        ok(dir.path(), ["check", &pipeline]);
        ok(dir.path(), ["explain", &pipeline]);
        if fs::read_to_string(dir.path().join(&pipeline)).unwrap().contains("[[tests]]") {
            ok(dir.path(), ["test", &pipeline]);
        }
    }
}
