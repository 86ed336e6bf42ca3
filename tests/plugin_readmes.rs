//! What the READMEs of the ready-made plugins show is what the plugins do.

use crate::binary::{plugin, root, streamhost, text, write};
use serde_json::Value;
use std::{
    fs,
    path::Path,
    process::{Command, Output, Stdio},
};

/// Everything between backticks in a cell of a table.
fn quoted(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// What the table `| in | out |` of a README shows: a row in, and the cell of what comes out.
fn shown(readme: &str) -> Vec<(&str, &str)> {
    let (_, table) = readme.split_once("| in | out").unwrap();
    let lines = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let cells =
        lines.map(|line| line.trim_matches('|').split_once(" | ").unwrap_or((line.trim_matches('|'), "")));
    cells.map(|(input, out)| (quoted(input)[0], out)).collect()
}

/// The README's command, but for where rows go and when it ends, over one row.
fn run(readme: &str, name: &str, row: &str) -> Output {
    let (_, command) = readme.split_once("```sh\nstreamhost ").unwrap();
    let command = command.lines().next().unwrap();
    assert!(command.contains("--from in/") && command.ends_with(" --to console"), "{command}");
    let command = command.replace("--to console", "--to - --to-format json --trigger once");
    let dir = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(plugin(name), dir.path().join(format!("{name}.wasm"))).unwrap();
    write(dir.path().join("in/row"), format!("{row}\n"));
    let mut shell = Command::new("bash");
    shell.args(["-c", &format!("{} {command}", streamhost().display())]).current_dir(dir.path());
    shell.stdin(Stdio::null()).output().unwrap()
}

fn rows(lines: impl IntoIterator<Item = impl AsRef<str>>) -> Vec<Value> {
    lines.into_iter().map(|line| serde_json::from_str(line.as_ref()).unwrap()).collect()
}

/// One row goes in, and what the cell says comes out: rows, or the error of the row.
fn does_as_shown(readme: &str, name: &str, row: &str, out: &str) {
    let output = run(readme, name, row);
    let (printed, said) = (text(&output.stdout), text(&output.stderr));
    if out.contains("row error") {
        assert!(!output.status.success() && said.contains(quoted(out)[0]), "{name}: {row}: {said}");
        return;
    }
    assert!(output.status.success(), "{name}: {row}: {said}");
    assert_eq!(rows(printed.lines()), rows(quoted(out)), "{name}: {row}");
}

#[test]
fn the_tables_of_the_plugins_are_what_their_commands_print() {
    for name in ["explode-words", "filter-threshold", "json-extract", "mask", "normalize"] {
        let readme = fs::read_to_string(root().join("plugins").join(name).join("README.md")).unwrap();
        let shown = shown(&readme);
        assert!(!shown.is_empty(), "{name} shows nothing");
        for (row, out) in shown {
            does_as_shown(&readme, name, row, out);
        }
    }
}

/// What the table `| epoch | in | out |` shows: the rows that go in, an epoch each, and what leaves in all of them.
fn epochs(readme: &str) -> (Vec<Vec<&str>>, Vec<&str>) {
    let (_, table) = readme.split_once("| epoch | in | out |").unwrap();
    let lines = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let cells = lines.map(|line| line.trim_matches('|').split('|').collect::<Vec<_>>());
    let (mut into, mut out) = (Vec::new(), Vec::new());
    for cells in cells {
        into.extend(Some(quoted(cells[1])).filter(|rows| !rows.is_empty()));
        out.extend(cells.get(2).into_iter().flat_map(|cell| quoted(cell)));
    }
    (into, out)
}

/// The README's step, in a pipeline that reads a file each epoch.
fn run_step(readme: &str, name: &str, schema: &str, epochs: &[Vec<&str>]) -> Output {
    let (_, step) = readme.split_once("```toml\n").unwrap();
    let (step, _) = step.split_once("```").unwrap();
    let dir = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(plugin(name), dir.path().join(format!("{name}.wasm"))).unwrap();
    for (number, rows) in epochs.iter().enumerate() {
        write(dir.path().join(format!("in/{number}.json")), rows.join("\n") + "\n");
    }
    let pipeline = format!(
        "name = \"shown\"\ntrigger = \"available-now\"\ncheckpoint = \"checkpoint\"\n[sources.in]\nschema = \"{schema}\"\n\
         max-per-trigger = {{ files = 1 }}\n[sources.in.files]\npath = \"in\"\nformat = \"json\"\n{step}\n\
         [sinks.out.stdout]\nformat = \"json\"\n"
    );
    write(dir.path().join("pipeline.toml"), &pipeline);
    let mut run = Command::new(streamhost());
    run.args(["run", "pipeline.toml"]).current_dir(dir.path()).stdin(Stdio::null()).output().unwrap()
}

#[test]
fn the_tables_of_plugins_with_state_are_what_their_steps_give() {
    for (name, schema) in [
        ("sessionize", "user_id INT, event_time TIMESTAMP, page STRING"),
        ("fraud-rules", "user STRING, at TIMESTAMP, amount DOUBLE"),
        ("dedupe-ttl", "sensor INT, code STRING, t INT"),
    ] {
        let readme = fs::read_to_string(root().join("plugins").join(name).join("README.md")).unwrap();
        let (into, out) = epochs(&readme);
        assert!(!out.is_empty(), "{name} shows nothing");
        let output = run_step(&readme, name, schema, &into);
        let (printed, said) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "{name}: {said}");
        assert_eq!(rows(printed.lines()), rows(out), "{name}: {said}");
    }
}

#[test]
fn the_command_that_builds_the_plugins_makes_every_component() {
    let readme = fs::read_to_string(root().join("plugins/README.md")).unwrap();
    // The line above it, `cargo test`, is the first thing that `cargo xtask test` does.
    let build = readme.lines().find(|line| line.starts_with("    cargo build ")).unwrap();
    let shared = std::env::var_os("CARGO_TARGET_DIR").map(|shared| Path::new(&shared).join("plugins"));
    let target = shared.unwrap_or_else(|| root().join("plugins/target"));
    let mut shell = Command::new("bash");
    shell.args(["-c", build.trim()]).current_dir(root().join("plugins")).env("CARGO_TARGET_DIR", &target);
    let output = shell.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    for name in [
        "dedupe_ttl",
        "enrich_http",
        "explode_words",
        "filter_threshold",
        "fraud_rules",
        "geo",
        "json_extract",
        "mask",
        "normalize",
        "route_by_date",
        "sessionize",
        "upsert_latest",
    ] {
        let component = target.join("wasm32-wasip2/release").join(name).with_extension("wasm");
        assert!(component.exists(), "{}", component.display());
    }
}

#[test]
fn the_registry_does_what_the_readme_of_the_plugins_shows() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("filter-threshold");
    let from = root().join("plugins/filter-threshold");
    for name in ["README.md", "tests"] {
        let (from, to) = (from.join(name), folder.join(name));
        if from.is_dir() { crate::binary::copy(&from, &to) } else { write(to, fs::read(from).unwrap()) }
    }
    fs::copy(plugin("filter-threshold"), folder.join("component.wasm")).unwrap();
    crate::examples::runs_as_written(&root().join("plugins/README.md"), dir.path());
}
