//! The command line as a user types it.

use crate::binary::{command, fails, ok, plugin, run, text, write};
use std::{fs, path::Path, process::Stdio};

pub(crate) const SCHEMA: &str = "user_id INT, event STRING, value DOUBLE, event_time TIMESTAMP";

pub(crate) fn events(folder: &Path) {
    write(
        folder.join("in/a.json"),
        "{\"user_id\":1,\"event\":\"buy\",\"value\":50.5,\"event_time\":\"2025-01-01T10:00:00Z\"}\n\
         {\"user_id\":2,\"event\":\"view\",\"value\":3.0,\"event_time\":\"2025-01-01T10:00:01Z\"}\n",
    );
}

fn filter() -> String {
    plugin("filter-threshold").display().to_string()
}

#[test]
fn flags_alone_run_a_plugin_over_a_directory_to_the_console() {
    let dir = tempfile::tempdir().unwrap();
    events(dir.path());
    let out = ok(
        dir.path(),
        [
            "run",
            "--plugin",
            &filter(),
            "--from",
            "in",
            "--format",
            "json",
            "--schema",
            SCHEMA,
            "--to",
            "console",
            "--trigger",
            "available-now",
        ],
    );
    let expected = "\
-------------------------------------------
Batch: 0
-------------------------------------------
+-------+-----+-----+-------------------+
|user_id|event|value|         event_time|
+-------+-----+-----+-------------------+
|      1|  buy| 50.5|2025-01-01 10:00:00|
+-------+-----+-----+-------------------+
";
    assert_eq!(out.trim_end(), expected.trim_end());
}

#[test]
fn several_plugins_with_their_settings_write_parquet_exactly_once() {
    let dir = tempfile::tempdir().unwrap();
    events(dir.path());
    let (filter, normalize) = (filter(), plugin("normalize").display().to_string());
    let args = [
        "run",
        "--plugin",
        &filter,
        "--plugin-config",
        "{\"threshold\":40}",
        "--plugin",
        &normalize,
        "--from",
        "in/",
        "--to",
        "out/",
        "--to-format",
        "parquet",
        "--trigger",
        "available-now",
        "--checkpoint",
        "ckpt",
    ];
    ok(dir.path(), args);
    ok(dir.path(), args);
    let files: Vec<_> =
        fs::read_dir(dir.path().join("out")).unwrap().map(|e| e.unwrap().file_name()).collect();
    let parquet = files.iter().filter(|f| f.to_string_lossy().ends_with(".parquet"));
    assert_eq!(parquet.count(), 1, "{files:?}");
    let shown = ok(dir.path(), ["checkpoint", "show", "ckpt"]);
    assert!(shown.contains("committed") && !shown.contains("planned\n"), "{shown}");
    assert_eq!(shown.lines().count(), 5, "one epoch: {shown}");
}

#[test]
fn progress_json_is_an_object_an_epoch_in_sparks_shape() {
    let dir = tempfile::tempdir().unwrap();
    events(dir.path());
    let filter = filter();
    let output = run(
        dir.path(),
        [
            "run",
            "--plugin",
            &filter,
            "--from",
            "in",
            "--to",
            "noop",
            "--trigger",
            "once",
            "--progress",
            "json",
            "--schema",
            SCHEMA,
        ],
    );
    let stderr = text(&output.stderr);
    let line = stderr.lines().find(|l| l.starts_with('{')).expect(&stderr);
    let progress: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!(progress["batchId"], 0);
    assert_eq!(progress["numInputRows"], 2);
    assert_eq!(progress["sink"]["numOutputRows"], 1);
    assert_eq!(progress["plugins"]["plugin-1"]["rowsIn"], 2);
    assert_eq!(progress["plugins"]["plugin-1"]["rowsOut"], 1);
    for key in ["calls", "micros", "bytesIn", "bytesOut", "peakMemory", "rowsError"] {
        assert!(progress["plugins"]["plugin-1"].get(key).is_some(), "{key} in {line}");
    }
}

#[test]
fn a_new_plugin_of_every_kind_builds_tests_and_runs() {
    let dir = tempfile::tempdir().unwrap();
    for kind in ["filter", "map", "transform", "batch-sink", "function"] {
        let name = format!("my-{kind}");
        ok(dir.path(), ["new", "plugin", &name, "--kind", kind]);
        let built = ok(dir.path(), ["build", &name]);
        assert_eq!(built.trim(), format!("{name}/{name}.wasm"));
        let size = fs::metadata(dir.path().join(built.trim())).unwrap().len();
        // It compares values of any type, and each type is code.
        let most = if name == "upsert-latest" { 2_000_000 } else { 1_500_000 };
        assert!(size <= most, "{name} has {size} bytes");
        assert!(ok(dir.path(), ["test", &name]).ends_with("1 passed, 0 failed\n"));
        let about = ok(dir.path(), ["inspect", &name]);
        let world = match kind {
            "batch-sink" => kind,
            "function" => "sql-functions",
            _ => "stateless",
        };
        assert!(about.contains(&name) && about.contains(&format!("world          {world}\n")), "{about}");
    }
    assert!(fails(2, dir.path(), ["new", "plugin", "my-filter"]).contains("is there already"));
    assert!(fails(2, dir.path(), ["new", "plugin", "My Filter"]).contains("no name of a plugin"));
}

#[test]
fn every_ready_made_plugin_is_small_and_its_fixtures_pass_on_its_component() {
    for name in [
        "explode-words",
        "filter-threshold",
        "geo",
        "json-extract",
        "mask",
        "normalize",
        "route-by-date",
        "upsert-latest",
    ] {
        let folder = crate::binary::root().join("plugins").join(name);
        let out = ok(&folder, ["test", "."]);
        assert!(out.ends_with(" 0 failed\n"), "{out}");
        let size = fs::metadata(folder.join(format!("{name}.wasm"))).unwrap().len();
        // It compares values of any type, and each type is code.
        let most = if name == "upsert-latest" { 2_000_000 } else { 1_500_000 };
        assert!(size <= most, "{name} has {size} bytes");
    }
}

#[test]
fn update_rewrites_what_a_fixture_expects() {
    let dir = tempfile::tempdir().unwrap();
    ok(dir.path(), ["new", "plugin", "changing"]);
    let fixture = dir.path().join("changing/tests/basic.toml");
    let right = fs::read_to_string(&fixture).unwrap();
    fs::write(&fixture, right.replace("\"user_id\": 2, \"value\": 50.0}\n'''\n", "\"user_id\": 9}\n'''\n"))
        .unwrap();
    fails(4, dir.path(), ["test", "changing"]);
    ok(dir.path(), ["test", "changing", "--update"]);
    ok(dir.path(), ["test", "changing"]);
}

#[test]
fn bench_shows_what_a_plugin_costs_beside_one_that_does_nothing() {
    let dir = tempfile::tempdir().unwrap();
    events(dir.path());
    let table =
        ok(dir.path(), ["bench", &filter(), "--input", "in/a.json", "--schema", SCHEMA, "--seconds", "0"]);
    let columns = |name: &str| {
        let line =
            table.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{name} in\n{table}"));
        let values = line[name.len()..].split("  ").map(str::trim).filter(|value| !value.is_empty());
        values.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(columns("  "), ["filter-threshold", "empty plugin"]);
    assert_eq!(columns("calls "), ["1", "1"]);
    assert_eq!(columns("rows in "), ["2", "2"]);
    assert_eq!(columns("rows out "), ["1", "2"]);
    assert_eq!(columns("rows in error "), ["0", "0"]);
    let copied = columns("copied in a call ");
    assert!(copied[0] == copied[1] && copied[0] != "0 bytes", "both read `value`: {copied:?}");
    assert_eq!(columns("copied out a call "), ["1 bytes", "1 bytes"]);
    assert_eq!(columns("peak memory ")[1], "64 KiB");
    for name in ["rows/s ", "µs a call ", "µs a call at 99 %"] {
        assert!(columns(name).iter().all(|value| value.parse::<f64>().unwrap() > 0.0), "{name} in\n{table}");
    }
    for limit in
        ["memory", "cpu-per-call", "wall-per-call", "output", "output-rows", "host-calls", "log-per-call"]
    {
        assert!(
            columns(&format!("limit {limit} ")).iter().all(|share| share.ends_with(" %)")),
            "{limit} in\n{table}"
        );
    }
    assert!(table.contains("The empty plugin reads the same columns"), "{table}");
}

#[test]
fn a_query_that_is_shown_ends_with_a_line_of_what_it_did() {
    let dir = tempfile::tempdir().unwrap();
    events(dir.path());
    write(dir.path().join("in/b.json"), "{\"user_id\":3}\n");
    let run_with = |progress: &[&str]| {
        let args = ["run", "--from", "in", "--schema", SCHEMA, "--to", "noop", "--trigger", "available-now"];
        let output = run(dir.path(), args.iter().chain(&["--max-files-per-trigger", "1"]).chain(progress));
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stderr)
    };
    let shown = run_with(&["--progress", "live"]);
    let last = shown.lines().last().unwrap();
    assert!(last.starts_with("2 epochs, 3 rows in, 3 rows out, ") && last.ends_with(" s"), "{shown}");
    assert_eq!(run_with(&["--progress", "none"]), "");
    assert_eq!(run_with(&[]), "", "standard error is no terminal");
    assert!(run_with(&["--progress", "json"]).lines().all(|line| line.starts_with('{')));
}

#[test]
fn check_names_file_line_and_column_and_exits_with_2() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path().join("p.toml"), "[sources.a.files]\npath = \"in\"\n[sinks.out.consol]\n");
    let error = fails(2, dir.path(), ["check", "p.toml"]);
    assert!(
        error.contains("p.toml:3:12: unknown field `consol`, did you mean `console`? expected one of"),
        "{error}"
    );
    write(
        dir.path().join("p.toml"),
        "[sources.a.files]\npath = \"gone\"\nformat = \"text\"\n[sinks.out.console]\n",
    );
    let error = fails(2, dir.path(), ["check", "p.toml"]);
    assert!(error.contains("p.toml:1:") && error.contains("gone"), "{error}");
}

#[test]
fn explain_says_what_runs_where_and_what_is_guaranteed() {
    let dir = tempfile::tempdir().unwrap();
    events(dir.path());
    write(
        dir.path().join("p.toml"),
        format!(
            "checkpoint = \"ckpt\"\nparallelism = 3\ntime-zone = \"Europe/Berlin\"\n[sources.events]\nschema = \"{SCHEMA}\"\n\
             max-per-trigger = {{ files = 7 }}\n[sources.events.files]\npath = \"in\"\n\
             [steps.large]\non-error = \"skip\"\nmax-error-rate = 0.2\nretry = {{ attempts = 2, backoff = \"1s..9s\" }}\n\
             limits = {{ memory = \"64MiB\" }}\nplugin = {:?}\n[sinks.table.files]\npath = \"out\"\n[sinks.screen.console]\n",
            filter()
        ),
    );
    let text = ok(dir.path(), ["explain", "p.toml"]);
    for part in [
        "parallelism 3, each partition with plugin instances of its own; time zone Europe/Berlin; restart 10 times, after 1s to 60s\n",
        "source   events: FileSource[in]",
        "at most 7 files an epoch\n",
        "rows in error are left out; more than 20 % of a batch end the query; what may pass later is tried 2 times more, after 1s to 9s\n",
        "limits: memory 64 MiB, cpu-per-call 2s, wall-per-call 10s, output 64 MiB, output-rows 1000000, table-elements 100000, \
         instances 64, resources 1000, host-calls 10000, log-line 8 KiB, log-per-call 64 KiB, log-per-minute 1 MiB, search 60s\n",
        "step     large ← events: ",
        "reads",
        "value",
        "exactly once",
        "best effort",
    ] {
        assert!(text.contains(part), "{part} in\n{text}");
    }
    assert!(!dir.path().join("ckpt").exists() && !dir.path().join("out").exists(), "explain changes nothing");
}

#[test]
fn flags_that_a_pipeline_file_says_itself_are_refused_beside_it() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path().join("p.toml"), "[sources.a.rate]\n[sinks.out.noop]\n");
    for [flag, value] in [
        ["--plugin", "a.wasm"],
        ["--plugin-config", "{}"],
        ["--on-error", "skip"],
        ["--dead-letter", "bad"],
        ["--from", "in"],
        ["--format", "json"],
        ["--schema", "a INT"],
        ["--to", "out"],
        ["--to-format", "csv"],
        ["--from-option", "header=true"],
        ["--to-option", "header=true"],
        ["--partition-by", "a"],
        ["--max-files-per-trigger", "1"],
        ["--max-bytes-per-trigger", "1MiB"],
        ["--max-rows-per-trigger", "1"],
        ["--on-bad-data", "drop"],
    ] {
        let error = fails(2, dir.path(), ["run", "p.toml", flag, value]);
        assert!(error.contains(flag) && error.contains("or leave the file out"), "{flag}: {error}");
    }
}

#[test]
fn flags_that_contradict_or_need_each_other_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    for (args, named) in [
        (&["--max-files-per-trigger", "1", "--max-rows-per-trigger", "1"][..], "--max-rows-per-trigger"),
        (&["--plugin-config", "{}"], "--plugin-config is for plugins; give a --plugin"),
        (&["--on-error", "skip"], "--on-error is for plugins; give a --plugin"),
        (&["--dead-letter", "d"], "--dead-letter is for plugins; give a --plugin"),
        (&["--parallelism", "0"], "--parallelism <N>"),
        (&["--on-error", "zzz", "--plugin", "a"], "skip, dead-letter"),
        (&["--on-error", "dead-letter", "--plugin", "a"], "needs --dead-letter with the directory"),
        (&["--on-error", "fail", "--dead-letter", "d", "--plugin", "a"], "leave one of the two out"),
        (&["--plugin-config", "{}", "--plugin", "a"], "no --plugin stands before it"),
    ] {
        let error = fails(2, dir.path(), ["run", "--from", "in"].iter().chain(args));
        assert!(error.contains(named), "{args:?}: {error}");
    }
}

#[test]
fn completion_scripts_know_what_people_use() {
    for shell in ["bash", "zsh", "fish"] {
        let script = ok(".", ["completions", shell]);
        assert!(script.contains("checkpoint") && !script.contains("compile-plugin"), "{shell}");
    }
}

#[test]
fn inspect_shows_what_a_plugin_does_with_given_columns() {
    let args = ["inspect", &filter(), "--schema", SCHEMA, "--config", "{\"threshold\":1}"];
    let about = ok(".", args);
    let bound: Vec<&str> = about.lines().rev().take(3).collect();
    assert_eq!(bound, [&format!("columns out: {SCHEMA}")[..], "filters", "reads value"], "{about}");
    let normalize = plugin("normalize").display().to_string();
    let about = ok(".", ["inspect", &normalize, "--schema", SCHEMA]);
    assert!(about.contains("\nadds normalized_value\n"), "{about}");
    assert!(fails(2, ".", ["inspect", &filter(), "--schema", "a INT"]).contains("`value`"));
    assert!(fails(2, ".", ["inspect", &filter(), "--config", "{}"]).contains("with --schema alone"));
}

#[test]
fn a_plugin_that_is_built_inside_its_folder_is_found_there() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path().join("my-filter/my-filter.wasm"), fs::read(filter()).unwrap());
    events(dir.path());
    for args in [
        &["inspect", "my-filter.wasm"][..],
        &["bench", "my-filter.wasm", "--input", "in/a.json"],
        &["run", "--plugin", "my-filter.wasm", "--from", "in"],
    ] {
        let error = fails(2, dir.path(), args);
        let meant = "there is no plugin my-filter.wasm; did you mean my-filter/my-filter.wasm?";
        assert!(error.contains(meant), "{error}");
    }
}

#[test]
fn the_schema_of_the_pipeline_file_is_checked_in() {
    let file = crate::binary::root().join("host/pipeline/pipeline.schema.json");
    let schema = ok(".", ["schema"]);
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(&file, &schema).unwrap();
    }
    let kept = fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(kept, schema, "run the tests with UPDATE_EXPECT=1 to rewrite {}", file.display());
}

#[test]
fn generated_events_arrive_under_their_names_and_are_read() {
    let dir = tempfile::tempdir().unwrap();
    ok(
        dir.path(),
        [
            "generate",
            "events",
            "--out",
            "data/input",
            "--format",
            "csv",
            "--files",
            "3",
            "--rows",
            "10",
            "--seed",
            "1",
        ],
    );
    let first = fs::read_to_string(dir.path().join("data/input/event_batch_0.csv")).unwrap();
    assert!(first.starts_with("timestamp,user_id,event\n"), "{first}");
    assert_eq!(first.lines().count(), 11);
    let rows = ok(
        dir.path(),
        ["run", "--from", "data/input", "--from-option", "header=true", "--to", "-", "--trigger", "once"],
    );
    assert_eq!(rows.lines().count(), 30);
}

#[test]
fn ctrl_c_finishes_the_epoch_and_exits_with_0() {
    let dir = tempfile::tempdir().unwrap();
    events(dir.path());
    let mut child = command(
        dir.path(),
        [
            "run",
            "--from",
            "in",
            "--schema",
            SCHEMA,
            "--to",
            "-",
            "--checkpoint",
            "ckpt",
            "--max-files-per-trigger",
            "1",
        ],
    )
    .stdout(Stdio::piped())
    .spawn()
    .unwrap();
    let mut stdout = std::io::BufReader::new(child.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut stdout, &mut String::new()).unwrap();
    let killed = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(ok(dir.path(), ["checkpoint", "show", "ckpt"]).contains("committed"));
}

#[test]
fn an_output_that_lasts_without_a_checkpoint_is_warned_of() {
    let dir = tempfile::tempdir().unwrap();
    events(dir.path());
    let to = |sink: &str| {
        let args = ["run", "--from", "in", "--schema", SCHEMA, "--to", sink, "--trigger", "once"];
        text(&run(dir.path(), args).stderr)
    };
    assert!(to("out").contains("there is no `checkpoint`: another run stores all rows once more"));
    assert_eq!(to("noop"), "");
}
