//! Plugins that are sinks, with the real binary: what they write to, what is refused, and what a crash leaves.

use crate::binary::{Running, command, fails, ok, plugin, root, text, write};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io::{BufRead, BufReader},
    path::Path,
    process::Stdio,
};

const EPOCHS: u64 = 15;
const ROWS: u64 = 60;

/// A file for each epoch; every third row is of 2024.
fn input(folder: &Path) {
    for file in 0..EPOCHS {
        let row = |n: u64| {
            let (id, year) = (file * ROWS + n, if n.is_multiple_of(3) { 2024 } else { 2025 });
            format!("{{\"id\":{id},\"at\":\"{year}-03-{:02}T12:00:00Z\"}}\n", 1 + n % 28)
        };
        write(folder.join(format!("in/{file:03}.json")), (0..ROWS).map(row).collect::<String>());
    }
}

fn routes(more: &str) -> String {
    format!(
        r#"trigger = "available-now"
checkpoint = "checkpoint"
[sources.events]
schema = "id BIGINT, at TIMESTAMP"
max-per-trigger = {{ files = 1 }}
files = {{ path = "in", format = "json" }}
[sinks.archive.plugin]
plugin = {:?}
config = {{ column = "at", routes = [{{ output = "old", before = "2025-01-01" }}] }}
{more}"#,
        plugin("route-by-date")
    )
}

const OUTPUTS: &str = r#"[sinks.archive.plugin.outputs]
days = { files = { path = "new", format = "json", partition-by = ["day"] } }
old = { files = { path = "old", format = "json" } }
"#;

/// The ids in all JSON files below a folder; each may be there once.
#[track_caller]
fn ids(folder: &Path) -> BTreeSet<u64> {
    let mut all = BTreeSet::new();
    for row in rows(folder) {
        let id = row["id"].as_u64().unwrap();
        assert!(all.insert(id), "row {id} is twice in {}", folder.display());
    }
    all
}

/// The rows of all JSON files below a folder that a reader of it looks at.
fn rows(folder: &Path) -> Vec<serde_json::Value> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap().to_string_lossy().starts_with('.') {
            continue;
        }
        if path.is_dir() {
            all.extend(rows(&path));
            continue;
        }
        let lines = BufReader::new(File::open(&path).unwrap()).lines();
        all.extend(lines.map(|line| serde_json::from_str::<serde_json::Value>(&line.unwrap()).unwrap()));
    }
    all
}

/// What the outputs have to hold in the end.
fn expected() -> [BTreeSet<u64>; 2] {
    let of = |old: bool| (0..EPOCHS * ROWS).filter(|id| (id % ROWS).is_multiple_of(3) == old).collect();
    [of(false), of(true)]
}

/// Starts the query so that it holds at a step, and kills it there. Whether it came there.
fn kill_at(folder: &Path, hold: &str) -> bool {
    let mut child = command(folder, ["run", "pipeline.toml"]);
    child.env("STREAMHOST_HOLD_AT", hold).stderr(Stdio::piped());
    let mut child = Running(child.spawn().unwrap());
    let stderr = BufReader::new(child.0.stderr.take().unwrap());
    stderr.lines().map(Result::unwrap).any(|line| line.starts_with("held at"))
}

#[test]
fn a_query_that_is_killed_at_every_step_of_a_commit_stores_every_row_once_in_each_output() {
    let dir = tempfile::tempdir().unwrap();
    input(dir.path());
    write(dir.path().join("pipeline.toml"), routes(OUTPUTS));
    let steps = [
        "planned",
        "ran",
        "staged",
        "manifest-written",
        "renamed-one",
        "renamed-all",
        "staged:2",
        "manifest-written:2",
        // The first output has more than one file, so this is still among them.
        "renamed-one:2",
        "renamed-all:2",
        "sink-committed",
        "committed",
        "released",
    ];
    let [new, old] = expected();
    for (epoch, step) in steps.iter().enumerate() {
        assert!(kill_at(dir.path(), &format!("{epoch}:{step}")), "{step} was not reached");
        assert!(ids(&dir.path().join("new")).is_subset(&new), "after {step}");
        assert!(ids(&dir.path().join("old")).is_subset(&old), "after {step}");
    }
    ok(dir.path(), ["run", "pipeline.toml"]);
    assert_eq!([ids(&dir.path().join("new")), ids(&dir.path().join("old"))], [new, old]);
}

#[test]
fn deleting_the_last_commits_changes_nothing_in_the_outputs() {
    let dir = tempfile::tempdir().unwrap();
    input(dir.path());
    write(dir.path().join("pipeline.toml"), routes(OUTPUTS));
    ok(dir.path(), ["run", "pipeline.toml"]);
    for epoch in [EPOCHS - 1, EPOCHS - 2] {
        fs::remove_file(dir.path().join(format!("checkpoint/commits/{epoch}"))).unwrap();
    }
    ok(dir.path(), ["run", "pipeline.toml"]);
    assert_eq!([ids(&dir.path().join("new")), ids(&dir.path().join("old"))], expected());
    let record = |of: &str| -> serde_json::Value {
        let path = dir.path().join(format!("checkpoint/{of}/{}", EPOCHS - 1));
        serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
    };
    let digest = record("offsets")["plugins"]["sinks.archive"].as_str().unwrap().to_owned();
    assert!(digest.starts_with("sha256:"), "{digest}");
    let commit = record("commits");
    let tokens = commit["sinks"]["archive"].as_object().unwrap();
    assert_eq!(tokens.keys().collect::<Vec<_>>(), ["days", "old"]);
}

#[test]
fn explain_shows_what_a_plugin_writes_to_and_what_each_output_promises() {
    let dir = tempfile::tempdir().unwrap();
    input(dir.path());
    let outputs =
        "[sinks.archive.plugin.outputs]\ndays = { memory = {} }\nold = { files = { path = \"old\" } }\n";
    write(dir.path().join("pipeline.toml"), routes(outputs));
    let explained = ok(dir.path(), ["explain", "pipeline.toml"]);
    let columns = "id BIGINT, at TIMESTAMP, day STRING";
    for line in [
        "sink     archive ← events: plugin route-by-date 0.1.0 (sha256:",
        "mode append: each row once, as it comes\n           best effort\n           reads id, at\n",
        &format!("output `days` → MemorySink ({columns}): mode append, best effort\n"),
        &format!("old] ({columns}): mode append, exactly once\n"),
    ] {
        assert!(explained.contains(line), "{line} in\n{explained}");
    }
    write(dir.path().join("pipeline.toml"), routes(OUTPUTS));
    assert!(ok(dir.path(), ["explain", "pipeline.toml"]).contains("as it comes\n           exactly once\n"));
}

/// `check` refuses the pipeline, and says this.
#[track_caller]
fn refused(folder: &Path, pipeline: &str, says: &str) {
    write(folder.join("pipeline.toml"), pipeline);
    let said = fails(2, folder, ["check", "pipeline.toml"]);
    assert!(said.contains(says), "{says} in\n{said}");
}

const DAYS: &str = "[sinks.archive.plugin.outputs]\ndays = { files = { path = \"new\" } }\n";

#[test]
fn wrong_outputs_are_refused_with_their_place() {
    let dir = tempfile::tempdir().unwrap();
    input(dir.path());
    let nothing = "7:16: the plugin writes to `days` (id BIGINT, at TIMESTAMP, day STRING), which it is not \
                   granted; add days = { files = { path = \"out\" } } to the outputs, or another sink";
    refused(dir.path(), &routes(""), &format!("pipeline.toml:{nothing}"));
    refused(dir.path(), &routes(DAYS), "pipeline.toml:10:23: the plugin writes to `old`");
    for (more, says) in [
        (
            "{ noop = {} }\nolder = { noop = {} }",
            "13:1: sink `archive`, output `older`: the plugin does not write to `older`; it writes to `days`, `old`",
        ),
        (
            "{ from = \"events\", noop = {} }",
            "12:16: output `old` of sink `archive` gets its rows from the plugin; leave `from` out",
        ),
        (
            "{}",
            "12:1: output `old` of sink `archive` has no connector; write for example old = { files = { path = \"out\" } }",
        ),
        (
            "{ noop = {}, memory = {} }",
            "12:1: output `old` of sink `archive` has more than one connector; keep one of memory, noop",
        ),
        (
            "{ plugin = { plugin = \"x\" } }",
            "12:9: output `old` of sink `archive` cannot be a plugin; choose a connector",
        ),
        (
            "{ mode = \"update\", files = { path = \"old\" } }",
            "12:1: sink `archive`, output `old`: files can only be appended to",
        ),
        ("{ files = { path = \"new\" } }", "12:26: sink `archive.old` writes to "),
        (
            "{ files = { path = \"in\", format = \"json\" } }",
            "12:1: sink `archive`, output `old`: source `events`, which reads",
        ),
    ] {
        refused(dir.path(), &routes(&format!("{DAYS}old = {more}\n")), &format!("pipeline.toml:{says}"));
    }
}

#[test]
fn a_plugin_in_the_wrong_place_or_with_a_wrong_configuration_is_refused_with_that_place() {
    let dir = tempfile::tempdir().unwrap();
    input(dir.path());
    let whole = routes(&format!("{DAYS}old = {{ noop = {{}} }}\n"));
    let sink = format!("[sinks.wrong.plugin]\nplugin = {:?}\n", plugin("normalize"));
    let says =
        "it cannot be used under [sinks]: it exports transform and not `foreach-batch`: put it under [steps]";
    refused(dir.path(), &format!("{whole}{sink}"), says);
    let step = format!("[steps.wrong]\nplugin = {:?}\n[sinks.rest.noop]\n", plugin("route-by-date"));
    let says =
        "it cannot be used under [steps]: it exports foreach-batch and not `transform`: put it under [sinks]";
    refused(dir.path(), &format!("{whole}{step}"), says);
    let says = "pipeline.toml:7:16: sink `archive`: plugin route-by-date 0.1.0: config: routes: \"2025-01-32\" is no date";
    refused(dir.path(), &routes(OUTPUTS).replace("2025-01-01", "2025-01-32"), says);
}

#[test]
fn an_error_of_the_plugin_ends_the_query_and_stores_nothing_of_the_epoch() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path().join("in/1.json"), "{\"id\":1,\"at\":\"2025-03-01T12:00:00Z\"}\n");
    write(dir.path().join("in/2.json"), "{\"id\":2,\"at\":\"2025-03-01T12:00:00Z\"}\n{\"id\":3}\n");
    write(dir.path().join("pipeline.toml"), routes(OUTPUTS));
    let said = fails(3, dir.path(), ["run", "pipeline.toml"]);
    assert!(
        said.contains("epoch 1: sink `archive`: plugin route-by-date 0.1.0: a row has no `at`"),
        "{said}"
    );
    assert_eq!(ids(&dir.path().join("new")), [1].into());
}

#[test]
fn a_fixture_tells_what_is_stored_and_executed_otherwise() {
    let fixture =
        fs::read_to_string(root().join("plugins/upsert-latest/tests/newest-of-each-key.toml")).unwrap();
    let dir = tempfile::tempdir().unwrap();
    write(dir.path().join("Cargo.toml"), "[package]\nname = \"tested\"\n");
    write(dir.path().join("target/plugins/wasm32-wasip2/release/tested.d"), "tested.wasm:\n");
    fs::copy(plugin("upsert-latest"), dir.path().join("tested.wasm")).unwrap();
    let test = |fixture: &str, flags: &[&str]| {
        write(dir.path().join("tests/case.toml"), fixture);
        let mut test = command(dir.path(), ["test", "."].iter().chain(flags));
        let output = test.env("CARGO_TARGET_DIR", dir.path().join("target")).output().unwrap();
        (output.status.code(), text(&output.stdout))
    };
    assert_eq!(test(&fixture, &[]).0, Some(0));
    let (_, parameters) = fixture.split_once("parameters").unwrap();
    let without = fixture.split_once("[[statements]]").unwrap().0;
    for (wrong, says) in [
        (fixture.replace("output = \"latest\"", "output = \"newest\""), "statement 1: expected `INSERT INTO"),
        (
            fixture.replace(parameters, &parameters.replace("Bert", "Bob")),
            "parameters of statement 1, row 2: expected",
        ),
        (without.to_owned(), "statements: expected 0, got 1"),
    ] {
        let (code, said) = test(&wrong, &[]);
        assert!(code == Some(4) && said.contains(says), "{says} in\n{said}");
    }
    assert_eq!(test(without, &["--update"]).0, Some(0));
    let updated = fs::read_to_string(dir.path().join("tests/case.toml")).unwrap();
    assert_eq!(test(&updated, &[]).0, Some(0), "{updated}");
}

#[test]
fn inspect_shows_what_a_sink_writes_to() {
    let component = plugin("route-by-date").display().to_string();
    let config = r#"{"column": "at"}"#;
    let said = ok(root(), ["inspect", &component, "--schema", "at DATE", "--config", config]);
    assert!(said.contains("world          batch-sink\n"), "{said}");
    assert!(said.ends_with("reads at\nwrites to `days`: at DATE, day STRING\n"), "{said}");
}

/// The tables `| in | out |` of a README: a row in, and `output: row` out.
fn shown(readme: &str) -> Vec<(String, String, String)> {
    let (_, table) = readme.split_once("| in | out |").unwrap();
    let lines = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let cells = lines.map(|line| {
        let quoted: Vec<&str> = line.split('`').collect();
        let output = quoted[2].trim_matches(['|', ' ', ':']);
        (quoted[1].to_owned(), output.to_owned(), quoted[3].to_owned())
    });
    cells.collect()
}

#[test]
fn the_table_in_the_readme_of_route_by_date_is_what_its_last_pipeline_stores() {
    let readme = fs::read_to_string(root().join("plugins/route-by-date/README.md")).unwrap();
    let sink = readme.rsplit("```toml\n").next().unwrap().split("```").next().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let source = "trigger = \"once\"\n[sources.rows]\nschema = \"id INT, at TIMESTAMP\"\nfiles = { path = \"in\", format = \"json\" }\n";
    write(dir.path().join("pipeline.toml"), format!("{source}{sink}"));
    fs::copy(plugin("route-by-date"), dir.path().join("route-by-date.wasm")).unwrap();
    let shown = shown(&readme);
    assert!(!shown.is_empty());
    write(
        dir.path().join("in/rows.json"),
        shown.iter().map(|(row, ..)| format!("{row}\n")).collect::<String>(),
    );
    ok(dir.path(), ["run", "pipeline.toml"]);
    let mut outputs: BTreeMap<&str, Vec<serde_json::Value>> = BTreeMap::new();
    for (_, output, row) in &shown {
        outputs.entry(output).or_default().push(serde_json::from_str(row).unwrap());
    }
    for (output, expected) in outputs {
        assert_eq!(rows(&dir.path().join(output)), expected, "{output}");
    }
}
