//! Every example runs, and shows what its README says.

use crate::binary::{Running, command, copy, json_lines, ok, root, streamhost, text};
use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

pub(crate) fn example(name: &str) -> PathBuf {
    root().join("examples").join(name)
}

/// A copy of the checkout's examples with the plugins where the pipelines expect them.
pub(crate) fn copied(name: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    copy(&example(name), &dir.path().join("examples").join(name));
    std::os::unix::fs::symlink(root().join("plugins"), dir.path().join("plugins")).unwrap();
    dir
}

/// Runs the indented `$ command` lines of a text, block by block, and compares what each block prints with the indented
/// lines below its commands. `UPDATE_EXPECT=1` rewrites these.
pub(crate) fn runs_as_written(readme: &Path, folder: &Path) {
    let text = fs::read_to_string(readme).unwrap();
    let path = format!("{}:{}", streamhost().parent().unwrap().display(), std::env::var("PATH").unwrap());
    let blocks = text.split("\n\n").map(|block| match block.starts_with("    $ ") {
        true => ran(block, folder, &path),
        false => block.to_owned(),
    });
    let now = blocks.collect::<Vec<_>>().join("\n\n");
    let now = format!("{}\n", now.trim_end());
    assert!(text.contains("    $ "), "{} shows no command", readme.display());
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(readme, now).unwrap();
    } else {
        assert_eq!(now, text, "{}", readme.display());
    }
}

/// The block as it would be with what its commands print now.
fn ran(block: &str, folder: &Path, path: &str) -> String {
    let commands: Vec<&str> = block.lines().filter_map(|line| line.strip_prefix("    $ ")).collect();
    let mut shell = Command::new("bash");
    shell.args(["-euo", "pipefail", "-c", &commands.join("\n")]).current_dir(folder).env("PATH", path);
    shell.env("XDG_RUNTIME_DIR", folder.join("run"));
    let output = shell.output().unwrap();
    assert!(output.status.success(), "{commands:?}: {}", text(&output.stderr));
    let mut lines: Vec<String> = commands.iter().map(|command| format!("    $ {command}")).collect();
    // A blank line would end the block.
    let printed = text(&output.stdout);
    lines.extend(printed.lines().filter(|line| !line.is_empty()).map(|line| format!("    {line}")));
    lines.join("\n")
}

fn runs_as_its_readme_says(name: &str) {
    let dir = copied(name);
    runs_as_written(&example(name).join("README.md"), dir.path());
}

#[test]
fn the_tour_of_the_readme_is_what_happens() {
    let dir = copied("filter-events");
    for other in ["late-events", "json-aggregates", "ad-clicks"] {
        copy(&example(other), &dir.path().join("examples").join(other));
    }
    runs_as_written(&root().join("README.md"), dir.path());
}

#[test]
fn the_first_command_of_the_readme_runs_as_it_would_with_the_binary_just_built() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let first = readme.lines().find_map(|line| line.strip_prefix("    cargo run -- ")).unwrap();
    let dir = copied("filter-events");
    let printed = ok(dir.path(), first.split_whitespace());
    assert!(printed.contains("|      5|purchase|12.25|2025-01-01 10:01:01|          0.1225|"), "{printed}");
}

#[test]
fn filter_events_runs_as_its_readme_says() {
    runs_as_its_readme_says("filter-events");
}

#[test]
fn five_languages_runs_as_its_readme_says() {
    runs_as_its_readme_says("five-languages");
}

#[test]
fn archive_json_runs_as_its_readme_says() {
    runs_as_its_readme_says("archive-json");
}

#[test]
fn two_sinks_runs_as_its_readme_says() {
    runs_as_its_readme_says("two-sinks");
}

#[test]
fn medallion_runs_as_its_readme_says() {
    runs_as_its_readme_says("medallion");
}

#[test]
fn csv_watch_runs_as_its_readme_says() {
    runs_as_its_readme_says("csv-watch");
}

#[test]
fn csv_count_runs_as_its_readme_says() {
    runs_as_its_readme_says("csv-count");
}

#[test]
fn late_events_runs_as_its_readme_says() {
    runs_as_its_readme_says("late-events");
}

#[test]
fn sessions_runs_as_its_readme_says() {
    runs_as_its_readme_says("sessions");
}

#[test]
fn dedup_runs_as_its_readme_says() {
    runs_as_its_readme_says("dedup");
}

#[test]
fn ad_clicks_runs_as_its_readme_says() {
    runs_as_its_readme_says("ad-clicks");
}

#[test]
fn json_aggregates_runs_as_its_readme_says() {
    runs_and_is_asked_as_its_readme_says("json-aggregates");
}

#[test]
fn rides_runs_as_its_readme_says() {
    runs_as_its_readme_says("rides");
}

#[test]
fn fraud_runs_as_its_readme_says() {
    runs_and_is_asked_as_its_readme_says("fraud");
}

/// The README shows a run that ends, and questions to one that goes on.
fn runs_and_is_asked_as_its_readme_says(name: &str) {
    let dir = copied(name);
    let mut query =
        command(dir.path(), ["run", &format!("examples/{name}/pipeline.toml"), "--progress", "json"]);
    query.env("XDG_RUNTIME_DIR", dir.path().join("run")).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut query = Running(query.spawn().unwrap());
    let input = fs::read_dir(example(name).join("input")).unwrap().map(|file| file.unwrap().path());
    let mut rows: usize = input.map(|file| fs::read_to_string(file).unwrap().lines().count()).sum();
    let mut progress = BufReader::new(query.0.stderr.take().unwrap()).lines().map(Result::unwrap);
    while rows > 0 {
        let line = progress.next().expect("the query goes on");
        let epoch: serde_json::Value = serde_json::from_str(&line).unwrap();
        rows -= epoch["numInputRows"].as_u64().unwrap() as usize;
    }
    runs_as_written(&example(name).join("README.md"), dir.path());
}

#[test]
fn socket_words_runs_as_its_readme_says() {
    listens_as_its_readme_says("socket-words");
}

#[test]
fn word_count_runs_as_its_readme_says() {
    listens_as_its_readme_says("word-count");
}

fn listens_as_its_readme_says(name: &str) {
    let dir = copied(name);
    let readme = fs::read_to_string(example(name).join("README.md")).unwrap();
    let said = readme.lines().find_map(|line| line.strip_prefix("    nc -lk 9999 < ")).unwrap();
    let said = fs::read(dir.path().join(said)).unwrap();
    // This is nc, at a port that is free.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let file = dir.path().join("examples").join(name).join("pipeline.toml");
    let pipeline = fs::read_to_string(&file).unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    fs::write(&file, pipeline.replace("9999", &port)).unwrap();
    let run = format!("examples/{name}/pipeline.toml");
    let (_, shown) = readme.split_once(&format!("    $ streamhost run {run}\n")).unwrap();
    let shown: Vec<&str> = shown.lines().map_while(|line| line.strip_prefix("    ")).collect();
    let mut query = command(dir.path(), ["run", &run]);
    query.env("XDG_RUNTIME_DIR", dir.path());
    let mut query = Running(query.stdout(Stdio::piped()).spawn().unwrap());
    let (mut connection, _) = listener.accept().unwrap();
    connection.write_all(&said).unwrap();
    let lines = BufReader::new(query.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(shown.len() > 6, "the README shows no table");
    assert_eq!(lines.take(shown.len()).collect::<Vec<_>>(), shown);
}

#[test]
fn enrich_http_runs_as_its_readme_says() {
    let dir = copied("enrich-http");
    let folder = dir.path().join("examples/enrich-http");
    // The service that the README shows, at a port that is free.
    let mut service = Command::new("python3");
    service.args(["scores.py", "0"]).current_dir(&folder).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut service = Running(service.spawn().expect("python3 is not installed; install it"));
    let mut said = String::new();
    BufReader::new(service.0.stdout.take().unwrap()).read_line(&mut said).unwrap();
    let port = said.trim_end().strip_prefix("listening on ").unwrap();
    let pipeline = fs::read_to_string(folder.join("pipeline.toml")).unwrap();
    fs::write(folder.join("pipeline.toml"), pipeline.replace("8765", port)).unwrap();
    runs_as_written(&example("enrich-http").join("README.md"), dir.path());
    let rejected = folder.join("data/rejected");
    assert!(!rejected.exists() || json_lines(&rejected).is_empty());
}

#[test]
fn every_pipeline_of_the_examples_is_valid_and_its_tests_pass() {
    for entry in fs::read_dir(root().join("examples")).unwrap() {
        let folder = entry.unwrap().path();
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        let dir = copied(&name);
        let pipeline = format!("examples/{name}/pipeline.toml");
        fs::create_dir_all(dir.path().join(format!("examples/{name}/data/input"))).unwrap();
        // Makes the table that the pipeline reads.
        let first = format!("examples/{name}/sales.toml");
        if dir.path().join(&first).exists() {
            ok(dir.path(), ["run", &first]);
        }
        ok(dir.path(), ["check", &pipeline]);
        ok(dir.path(), ["explain", &pipeline]);
        if fs::read_to_string(dir.path().join(&pipeline)).unwrap().contains("[[tests]]") {
            ok(dir.path(), ["test", &pipeline]);
        }
    }
}
