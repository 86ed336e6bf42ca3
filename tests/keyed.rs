//! Plugins with state, by the real binary: killed at every step, on other numbers of cores, beyond the memory they may have, and
//! with timers that fail.

use crate::{
    binary::{built, command, fails, json_lines, ok, plugin, root, run, text, write},
    kill::{Random, kill_at},
};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

const FILES: u64 = 30;

/// Minutes and seconds after noon.
fn at(seconds: u64) -> String {
    format!("2025-03-01T{:02}:{:02}:{:02}Z", 12 + seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// Visits of four hundred users, three minutes a file, in no order within a file; most users are still for minutes, and some visits
/// come too late.
fn visits(folder: &Path) {
    let mut random = Random(7);
    for file in 0..FILES {
        let line = |random: &mut Random| {
            let late = if random.below(40) == 0 { 1200 } else { 0 };
            let time = at((file * 180 + random.below(180)).saturating_sub(late));
            format!(
                "{{\"user\":\"u{}\",\"at\":\"{time}\",\"page\":\"p{}\"}}\n",
                random.below(400),
                random.below(9)
            )
        };
        let lines: String = (0..60).map(|_| line(&mut random)).collect();
        write(folder.join(format!("in/{file:03}.json")), lines);
    }
}

fn sessions(folder: &Path, parallelism: u32) {
    write(
        folder.join("pipeline.toml"),
        format!(
            "trigger = 'available-now'\ncheckpoint = 'checkpoint'\nparallelism = {parallelism}\n\
             [sources.visits]\nschema = 'user STRING, at TIMESTAMP, page STRING'\nmax-per-trigger = {{ files = 2 }}\n\
             watermark = {{ column = 'at', delay = '30 seconds' }}\n[sources.visits.files]\npath = 'in'\nformat = 'json'\n\
             [steps.sessions]\nkeys = ['user']\nplugin = {:?}\n\
             config = {{ time = 'at', gap = '1 minute', first = ['page'], last = ['page'] }}\n\
             [sinks.ended.files]\npath = 'out'\nformat = 'json'\n\
             [sinks.late]\nfrom = 'sessions.late'\n[sinks.late.files]\npath = 'late'\nformat = 'json'\n",
            plugin("sessionize")
        ),
    );
}

/// What has ended, and what was late.
fn outcome(folder: &Path) -> [Vec<String>; 2] {
    ["out", "late"].map(|of| if folder.join(of).exists() { json_lines(&folder.join(of)) } else { Vec::new() })
}

/// The same of a run that nothing disturbs.
fn undisturbed(parallelism: u32) -> [Vec<String>; 2] {
    let dir = tempfile::tempdir().unwrap();
    visits(dir.path());
    sessions(dir.path(), parallelism);
    ok(dir.path(), ["run", "pipeline.toml"]);
    let outcome = outcome(dir.path());
    let [ended, late] = &outcome;
    assert!(ended.len() > 100 && late.len() > 10, "{} sessions, {} late", ended.len(), late.len());
    outcome
}

#[test]
fn sessions_of_a_query_that_is_killed_at_every_step_are_those_of_one_that_is_not() {
    let expected = undisturbed(1);
    let dir = tempfile::tempdir().unwrap();
    visits(dir.path());
    let steps = [
        "planned",
        "ran",
        "state-committed",
        "staged",
        "manifest-written",
        "renamed-one",
        "renamed-all",
        "sink-committed",
        "committed",
        "released",
    ];
    for (number, step) in steps.iter().enumerate() {
        // Each goes on with another number of cores than the one before.
        sessions(dir.path(), 1 + number as u32 % 4);
        // The first epochs have no session that has ended, and nothing to rename.
        assert!(kill_at(dir.path(), &format!("{}:{step}", number + 3)), "{step} is reached");
    }
    sessions(dir.path(), 3);
    ok(dir.path(), ["run", "pipeline.toml"]);
    assert_eq!(outcome(dir.path()), expected);
}

#[test]
fn sessions_do_not_depend_on_the_number_of_cores() {
    let expected = undisturbed(1);
    for parallelism in [2, 5] {
        assert_eq!(undisturbed(parallelism), expected, "on {parallelism}");
    }
}

fn guest(name: &str) -> PathBuf {
    built(&root().join("tests/guests").join(name))
}

/// A pipeline that counts by `k` what is in `in`, with these lines of its step and its sink.
fn counts(folder: &Path, head: &str, step: &str, sink: &str) {
    write(
        folder.join("p.toml"),
        format!(
            "trigger = 'available-now'\ncheckpoint = 'ckpt'\n{head}\n[sources.s]\nschema = 'k STRING, v INT'\n\
             max-per-trigger = {{ files = 1 }}\n[sources.s.files]\npath = 'in'\nformat = 'csv'\n\
             [steps.counts]\nkeys = ['k']\nplugin = {:?}\n{step}\n{sink}\n",
            guest("count-per-key")
        ),
    );
}

#[test]
fn in_update_mode_a_key_leaves_in_every_epoch_that_changes_it() {
    let dir = tempfile::tempdir().unwrap();
    let stdout = |mode: &str| format!("[sinks.out]\nmode = '{mode}'\n[sinks.out.stdout]\nformat = 'csv'\n");
    for (file, rows) in ["a,1\nb,1\n", "a,1\na,1\n", "c,1\nb,1\n"].iter().enumerate() {
        write(dir.path().join(format!("in/{file}.csv")), rows);
    }
    for mode in ["update", "append"] {
        // On one core, so that keys come in their order.
        counts(dir.path(), "parallelism = 1", &format!("mode = '{mode}'"), &stdout(mode));
        assert_eq!(ok(dir.path(), ["run", "p.toml"]), "a,1\nb,1\na,3\nb,2\nc,1\n", "in {mode} mode");
        fs::remove_dir_all(dir.path().join("ckpt")).unwrap();
    }
    for (step, sink) in [("append", "complete"), ("append", "update"), ("update", "append")] {
        counts(dir.path(), "", &format!("mode = '{step}'"), &stdout(sink));
        let said = fails(2, dir.path(), ["check", "p.toml"]);
        assert!(said.contains("counts") && said.contains(sink), "{step} to {sink}: {said}");
    }
}

/// Many rows of many keys; how often each key is there.
fn many(folder: &Path) -> BTreeMap<String, u64> {
    let (mut random, mut counts, mut rows) = (Random(11), BTreeMap::new(), String::new());
    for row in 0..200_000 {
        let key = format!("a key that takes some room {}", random.below(5_000));
        rows.push_str(&format!("{key},{row}\n"));
        *counts.entry(key).or_default() += 1;
    }
    write(folder.join("in/0.csv"), rows);
    counts
}

#[test]
fn an_epoch_that_does_not_fit_into_memory_is_sorted_in_files() {
    let dir = tempfile::tempdir().unwrap();
    let expected = many(dir.path());
    let sink = "[sinks.out.files]\npath = 'out'\nformat = 'json'\n";
    counts(dir.path(), "restart = { attempts = 0 }", "limits = { memory = '4MiB' }", sink);
    let within = |place: &str| {
        let mut run = command(dir.path(), ["run", "p.toml"]);
        run.env("TMPDIR", dir.path().join(place)).output().unwrap()
    };
    let nowhere = within("nowhere");
    let said = text(&nowhere.stderr);
    assert_eq!(nowhere.status.code(), Some(5), "{said}");
    assert!(said.contains("step `counts`") && said.contains("nowhere, where there is to be room"), "{said}");
    let scratch = dir.path().join("scratch");
    fs::create_dir(&scratch).unwrap();
    let there = within("scratch");
    assert!(there.status.success(), "{}", text(&there.stderr));
    assert_eq!(fs::read_dir(&scratch).unwrap().count(), 0, "what was put there has no name");
    let counted: BTreeMap<String, u64> = json_lines(&dir.path().join("out"))
        .iter()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .map(|row| (row["k"].as_str().unwrap().to_owned(), row["n"].as_u64().unwrap()))
        .collect();
    assert!(counted == expected, "{} keys", counted.len());
}

#[test]
fn state_that_is_as_large_as_it_may_be_ends_the_query_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    many(dir.path());
    counts(dir.path(), "max-state = '100KiB'", "", "[sinks.out]\nnoop = {}\n");
    let said = fails(4, dir.path(), ["run", "p.toml"]);
    assert!(said.contains("plugin count-per-key 0.1.0 (step counts), epoch 0"), "{said}");
    assert!(said.contains("there is no room for more state (`max-state`)"), "{said}");
}

/// A pipeline whose timers fail for keys that begin with `bad`, with this policy.
fn alarms(folder: &Path, policy: &str) {
    write(
        folder.join("in/0.json"),
        "{\"k\":\"good\",\"at\":\"2025-03-01T12:00:00Z\"}\n{\"k\":\"bad\",\"at\":\"2025-03-01T12:00:30Z\"}\n",
    );
    write(folder.join("in/1.json"), "{\"k\":\"later\",\"at\":\"2025-03-01T13:00:00Z\"}\n");
    let letters = "[sinks.letters]\nfrom = 'alarm.dead-letter'\n[sinks.letters.files]\npath = 'letters'\nformat = 'json'\n";
    let letters = if policy == "dead-letter" { letters } else { "" };
    write(
        folder.join("p.toml"),
        format!(
            "trigger = 'available-now'\ncheckpoint = 'ckpt-{policy}'\n[sources.s]\nschema = 'k STRING, at TIMESTAMP'\n\
             max-per-trigger = {{ files = 1 }}\nwatermark = {{ column = 'at', delay = '0 seconds' }}\n\
             [sources.s.files]\npath = 'in'\nformat = 'json'\n\
             [steps.alarm]\nkeys = ['k']\nplugin = {:?}\non-error = '{policy}'\n\
             [sinks.rung]\nfrom = 'alarm'\n[sinks.rung.stdout]\nformat = 'csv'\n{letters}",
            guest("alarm")
        ),
    );
}

#[test]
fn a_timer_that_fails_is_handled_as_a_row_that_fails() {
    let dir = tempfile::tempdir().unwrap();
    alarms(dir.path(), "fail");
    let said = fails(3, dir.path(), ["run", "p.toml"]);
    assert!(said.contains("(step alarm), epoch 2, key (bad): there is no bell for this key"), "{said}");
    alarms(dir.path(), "skip");
    assert_eq!(ok(dir.path(), ["run", "p.toml"]), "1\n");
    alarms(dir.path(), "dead-letter");
    assert_eq!(ok(dir.path(), ["run", "p.toml"]), "1\n");
    let letters = json_lines(&dir.path().join("letters"));
    let [letter] = &letters[..] else { panic!("{letters:?}") };
    let letter: serde_json::Value = serde_json::from_str(letter).unwrap();
    assert_eq!((&letter["k"], letter.get("at")), (&"bad".into(), None));
    assert_eq!(letter["_position"], "a timer of event time at 2025-03-01T12:01:30.000Z");
    assert_eq!(letter["_error"], "there is no bell for this key");
}

#[test]
fn inspect_shows_what_a_plugin_keeps_of_given_keys() {
    let sessionize = plugin("sessionize").display().to_string();
    let about = ok(".", ["inspect", &sessionize]);
    assert!(about.ends_with("tables         told with --schema and --keys\n"), "{about}");
    let schema = "user_id INT, at TIMESTAMP, page STRING";
    let config = "{\"time\":\"at\",\"gap\":\"1m\",\"first\":[\"page\"]}";
    let args = ["inspect", &sessionize, "--schema", schema, "--config", config];
    let about = ok(".", args.iter().chain(&["--keys", "user_id"]));
    let said: Vec<&str> = about.lines().rev().take(5).collect();
    assert_eq!(
        said,
        [
            "columns out: user_id INT, start TIMESTAMP, end TIMESTAMP, n BIGINT, first_page STRING",
            "table `first`: a value of first_page STRING, version 1",
            "table `open`: a value of start TIMESTAMP, end TIMESTAMP, n BIGINT, version 1",
            "reads at, page",
            "by user_id",
        ]
    );
    assert!(fails(2, ".", args).contains("name columns of the schema with --keys"));
    assert!(fails(2, ".", args.iter().chain(&["--keys", "user"])).contains("`user`"));
    let filter = plugin("filter-threshold").display().to_string();
    let stateless = ["inspect", &filter, "--schema", "value DOUBLE", "--keys", "value"];
    assert!(fails(2, ".", stateless).contains("this plugin keeps no state"));
    assert_eq!(run(".", ["inspect", &filter, "--keys", "value"]).status.code(), Some(2));
}

#[test]
fn what_a_plugin_remembers_can_be_shown_and_asked() {
    let dir = tempfile::tempdir().unwrap();
    sessions(dir.path(), 2);
    let visits = "{\"user\":\"a\",\"at\":\"2025-03-01T12:00:00Z\",\"page\":\"x\"}\n\
                  {\"user\":\"a\",\"at\":\"2025-03-01T12:00:30Z\",\"page\":\"y\"}\n";
    write(dir.path().join("in/000.json"), visits);
    ok(dir.path(), ["run", "pipeline.toml"]);
    let shown = ok(dir.path(), ["state", "show", "checkpoint"]);
    assert!(shown.contains("sessions"), "{shown}");
    let sql = "SELECT DISTINCT user FROM sessions WHERE open IS NOT NULL";
    let asked = ok(dir.path(), ["state", "query", "checkpoint", sql, "--format", "csv"]);
    assert_eq!(asked, "user\na\n", "{shown}");
}

#[test]
fn a_key_with_more_rows_than_a_call_takes_is_handed_over_in_several() {
    const ROWS: usize = 40_000;
    let dir = tempfile::tempdir().unwrap();
    write(dir.path().join("in/a.json"), "{\"k\":1}\n".repeat(ROWS));
    write(
        dir.path().join("pipeline.toml"),
        format!(
            "trigger = 'available-now'\n[sources.rows]\nschema = 'k INT'\n[sources.rows.files]\npath = 'in'\nformat = 'json'\n\
             settle = '0s'\n[steps.counted]\nkeys = ['k']\nplugin = {:?}\n[sinks.out.files]\npath = 'out'\nformat = 'json'\n",
            built(&root().join("tests/guests/count-per-key"))
        ),
    );
    ok(dir.path(), ["run", "pipeline.toml"]);
    let counts = json_lines(&dir.path().join("out"));
    assert!(counts.len() > 1, "{counts:?}");
    assert!(counts.contains(&format!("{{\"k\":1,\"n\":{ROWS}}}")), "{counts:?}");
}
