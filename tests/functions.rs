//! Functions of plugins in the SQL of pipelines.

use crate::binary::{Running, built, command, fails, json_lines, ok, plugin, root, run, text, write};
use serde_json::{Value, json};
use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::Stdio,
};
use tempfile::TempDir;

const SOURCE: &str =
    "[sources.in]\nschema = \"x INT, s STRING, t TIMESTAMP\"\nfiles = { path = \"in\", format = \"json\" }\n";
const OUT: &str = "[sinks.out.files]\npath = \"out\"\nformat = \"json\"\n";

fn geo() -> PathBuf {
    plugin("geo")
}

fn odd() -> PathBuf {
    built(&root().join("tests/guests/functions"))
}

/// A function of a plugin, as a pipeline has it.
fn function(name: &str, plugin: &Path, more: &str) -> String {
    format!("[functions.{name}]\nplugin = {:?}\n{more}\n", plugin.display().to_string())
}

/// A folder with a pipeline, which begins with `head`, and rows of `x`.
fn pipeline(head: &str, sql: &str, rows: impl IntoIterator<Item = i32>) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let rows = rows
        .into_iter()
        .map(|x| format!("{{\"x\": {x}, \"s\": \"s{x}\", \"t\": \"2025-01-01T00:00:0{}Z\"}}\n", x % 10));
    write(dir.path().join("in/rows.json"), rows.collect::<String>());
    let text = format!("name = \"q\"\n{head}{SOURCE}[steps.made]\nsql = '''{sql}'''\n{OUT}");
    write(dir.path().join("pipeline.toml"), text);
    dir
}

fn once(dir: &TempDir) -> Vec<Value> {
    ok(dir.path(), ["run", "pipeline.toml", "--trigger", "available-now"]);
    json_lines(&dir.path().join("out")).iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What `check` says of a pipeline that it refuses, behind the file's name.
fn refused(dir: &TempDir) -> String {
    let said = fails(2, dir.path(), ["check", "pipeline.toml"]);
    said.trim_end().strip_prefix("error: pipeline.toml:").unwrap_or_else(|| panic!("{said}")).to_owned()
}

#[test]
fn functions_stand_wherever_sql_has_an_expression() {
    let functions = function("km", &geo(), "function = \"haversine\"\nconfig = { unit = \"km\" }")
        + &function("geohash", &geo(), "");
    let sql =
        "SELECT geohash(km(0, 0, 0, x) / 10, x, 1) AS cell, count(*) AS n, round(max(KM(0, 0, 0, x))) AS far
        FROM in WHERE km(0, 0, x, 0) > 100 GROUP BY geohash(km(0, 0, 0, x) / 10, x, 1)";
    let dir = pipeline(&functions, sql, 0..5);
    let text = fs::read_to_string(dir.path().join("pipeline.toml")).unwrap();
    let text = text.replace(OUT, "[sinks.out]\nmode = \"complete\"\n[sinks.out.console]\n");
    write(dir.path().join("pipeline.toml"), text);
    let shown = ok(dir.path(), ["run", "pipeline.toml", "--trigger", "available-now"]);
    assert!(shown.contains("|   s|  4|445.0|"), "{shown}");
}

#[test]
fn a_function_stands_beside_windows_of_event_time() {
    let functions = function("km", &geo(), "function = \"haversine\"\nconfig = { unit = \"km\" }");
    let sql = "SELECT w.start AS start, total FROM (SELECT window(t, '5 seconds') AS w, round(sum(km(0, 0, 0, x))) AS total FROM in GROUP BY 1)";
    let dir = pipeline(&functions, sql, [0, 1, 2, 9]);
    let text = fs::read_to_string(dir.path().join("pipeline.toml")).unwrap();
    let watermark = "[sources.in]\nwatermark = { column = \"t\", delay = \"1 second\" }\n";
    fs::write(dir.path().join("pipeline.toml"), text.replace("[sources.in]\n", watermark)).unwrap();
    assert_eq!(once(&dir), [json!({"start": "2025-01-01T00:00:00.000Z", "total": 334.0})]);
}

#[test]
fn a_type_error_is_told_by_check_with_line_and_column() {
    let dir =
        pipeline(&function("geohash", &geo(), ""), "\nSELECT x,\n  geohash(true, x) AS g FROM in", 0..0);
    let said = refused(&dir);
    let (place, what) = said.split_once(": ").unwrap();
    let text = fs::read_to_string(dir.path().join("pipeline.toml")).unwrap();
    let line = text.lines().position(|line| line.contains("geohash(true")).unwrap() + 1;
    assert_eq!(place, format!("{line}:3"), "{said}");
    assert_eq!(what, "SQL: geohash(lat DOUBLE, lon DOUBLE, length INT) is called with (BOOLEAN, INT).");
}

#[test]
fn a_call_of_no_function_is_told_those_that_there_are() {
    let dir = pipeline(&function("geohash", &geo(), ""), "SELECT geohsh(x, x, 1) AS g FROM in", 0..0);
    let said = refused(&dir);
    assert!(said.contains(":17: SQL: there is no function `geohsh`; this pipeline has geohash beside Spark's functions, of which the nearest are"), "{said}");
}

#[test]
fn what_is_wrong_with_a_function_is_told_where_it_stands() {
    let geo = geo();
    let filter = plugin("filter-threshold");
    for (functions, expected) in [
        (
            function("upper", &geo, ""),
            "2:12: SQL has a function `upper` already, which this one would hide; choose another name",
        ),
        (
            function("a-b", &geo, ""),
            "2:12: \"a-b\" is no name of a function; it has 1 to 64 letters, digits and `_`, and no digit in front",
        ),
        (
            function("geohash", &geo, "") + &function("GeoHash", &geo, "function = \"geohash\""),
            "5:12: SQL does not tell `GeoHash` from `geohash`, which is a function already; choose another name",
        ),
        (
            function("geohsh", &geo, ""),
            "2:12: function `geohsh`: plugin geo 0.1.0 has no function `geohsh`; it has haversine, geohash; write function = \"geohash\"",
        ),
        (
            function("cell", &geo, "function = \"geohsh\""),
            "4:12: function `cell`: plugin geo 0.1.0 has no function `geohsh`; it has haversine, geohash; write function = \"geohash\"",
        ),
        (
            function("geohash", &geo, "config = { unit = \"yd\" }"),
            r#"4:19: functions.geohash: plugin geo: config.unit: "yd" is none of "m", "km", "mi", "nmi""#,
        ),
        (
            function("keep", &filter, ""),
            "2:12: function `keep`: plugin filter-threshold 0.1.0: it cannot be used under [functions]: it exports transform and not `functions`: put it under [steps]",
        ),
        (
            function("geohash", Path::new("nowhere.wasm"), ""),
            "3:10: function `geohash`: there is no plugin nowhere.wasm; give a .wasm file, or the folder of a plugin's source",
        ),
        (
            function("geohash", &geo, "functoin = \"geohash\""),
            "4:1: unknown field `functoin`, did you mean `function`? expected one of `plugin`, `function`, `config`, `limits`",
        ),
    ] {
        let dir = pipeline(&functions, "SELECT x FROM in", 0..0);
        assert_eq!(refused(&dir), expected, "{functions}");
    }
}

#[test]
fn a_function_that_misbehaves_ends_the_query_and_says_where() {
    let odd = odd();
    let limits = "limits = { cpu-per-call = \"200ms\" }";
    for (name, more, code, expected) in [
        ("unlucky", "", 3, "it crashed: "),
        ("endless", limits, 3, "one call computed for more than 200ms (limits.cpu-per-call)"),
        ("failing", "", 3, "13 is refused"),
    ] {
        let sql = format!("SELECT {name}(x) AS y FROM in");
        let dir = pipeline(&function(name, &odd, more), &sql, [12, 13]);
        let said = fails(code, dir.path(), ["run", "pipeline.toml", "--trigger", "available-now"]);
        let place = format!("error: epoch 0: step `made`: y: plugin functions 0.1.0, function `{name}`: ");
        let why = said.lines().find_map(|line| line.strip_prefix(&place)).unwrap_or_else(|| panic!("{said}"));
        assert!(why.starts_with(expected), "{said}");
        // Without the number it goes well.
        let dir = pipeline(&function(name, &odd, more), &sql, [11, 12]);
        assert_eq!(once(&dir), [json!({"y": 11}), json!({"y": 12})]);
    }
}

#[test]
fn what_may_pass_later_is_tried_again_as_the_pipeline_says() {
    let head =
        format!("restart = {{ attempts = 1, backoff = \"1ms\" }}\n{}", function("failing", &odd(), ""));
    let dir = pipeline(&head, "SELECT failing(x) AS y FROM in", [14]);
    let said = fails(5, dir.path(), ["run", "pipeline.toml", "--trigger", "available-now"]);
    assert!(said.contains("function `failing`: 14 is not there yet"), "{said}");
}

#[test]
fn nested_values_and_nulls_go_through_a_function_and_back() {
    let sql = "SELECT x, listed(CASE WHEN x > 1 THEN array(named_struct('a', x, 'b', s), NULL) END) AS l, unlucky(CASE WHEN x > 1 THEN x END) AS u FROM in";
    let functions = function("listed", &odd(), "") + &function("unlucky", &odd(), "");
    let dir = pipeline(&functions, sql, [1, 2]);
    assert_eq!(once(&dir), [json!({"x": 1}), json!({"x": 2, "l": [{"a": 2, "b": "s2"}, null], "u": 2})]);
}

#[test]
fn the_plugin_of_a_function_is_recorded_with_each_epoch_and_told_in_progress() {
    let head = format!("checkpoint = \"ckpt\"\n{}", function("cell", &geo(), "function = \"geohash\""));
    let dir = pipeline(&head, "SELECT x, cell(x, x, 1) AS c FROM in", 0..3);
    let output =
        run(dir.path(), ["run", "pipeline.toml", "--trigger", "available-now", "--progress", "json"]);
    let said = text(&output.stderr);
    let progress: Value =
        serde_json::from_str(said.lines().find(|line| line.starts_with('{')).unwrap()).unwrap();
    assert_eq!(progress["plugins"]["functions.cell"]["rowsOut"], 3, "{said}");
    let offsets = fs::read_to_string(dir.path().join("ckpt/offsets/0")).unwrap();
    let digest = ok(root(), ["inspect".as_ref(), geo().as_os_str()]);
    let digest = digest.lines().find_map(|line| line.strip_prefix("digest         ")).unwrap();
    let start = offsets.find('{').unwrap();
    let record: Value =
        serde_json::Deserializer::from_str(&offsets[start..]).into_iter().next().unwrap().unwrap();
    assert_eq!(record["plugins"], json!({"functions.cell": digest}), "{offsets}");
}

#[test]
fn explain_says_how_functions_are_called_and_which_may_differ_in_a_replay() {
    let functions = function("dice", &odd(), "") + &function("unlucky", &odd(), "");
    let dir = pipeline(&functions, "SELECT dice(6) AS d, unlucky(x) AS u FROM in", 0..3);
    let text = fs::read_to_string(dir.path().join("pipeline.toml")).unwrap();
    write(dir.path().join("pipeline.toml"), text + "[sinks.other.noop]\n");
    let said = ok(dir.path(), ["explain", "pipeline.toml"]);
    assert!(said.contains("function dice(sides INT) → INT: plugin functions 0.1.0 (sha256:"), "{said}");
    assert!(said.contains("not deterministic: each row is worked out, and a replay may differ\n"), "{said}");
    assert!(
        said.contains(
            "note     function `dice` does not claim to be deterministic: after a crash the sinks may"
        ),
        "{said}"
    );
    assert!(!said.contains("function `unlucky` does not claim"), "{said}");
    let dice: Vec<i64> = once(&dir).iter().map(|row| row["d"].as_i64().unwrap()).collect();
    assert!(dice.len() == 3 && dice.iter().all(|d| (0..6).contains(d)), "{dice:?}");
}

#[test]
fn inspect_lists_the_functions_of_a_plugin() {
    let said = ok(root(), ["inspect".as_ref(), geo().as_os_str()]);
    assert!(said.contains("world          sql-functions\n"), "{said}");
    assert!(
        said.contains(
            "function       haversine(lat1 DOUBLE NOT NULL, lon1 DOUBLE NOT NULL, lat2 DOUBLE NOT NULL, lon2 DOUBLE NOT NULL) → DOUBLE\n"
        ),
        "{said}"
    );
    let said = ok(root(), ["inspect".as_ref(), odd().as_os_str()]);
    assert!(said.contains("function       dice(sides INT NOT NULL) → INT, not deterministic\n"), "{said}");
    let said = fails(2, root(), ["inspect", &geo().display().to_string(), "--config", "{\"unit\": \"yd\"}"]);
    assert!(said.contains("unknown variant `yd`"), "{said}");
}

#[test]
fn a_question_to_a_query_that_runs_may_call_its_functions() {
    let dir = pipeline(
        &function("km", &geo(), "function = \"haversine\"\nconfig = { unit = \"km\" }"),
        "SELECT x FROM in",
        0..3,
    );
    let text = fs::read_to_string(dir.path().join("pipeline.toml")).unwrap();
    write(dir.path().join("pipeline.toml"), text.replace(OUT, "[sinks.live.memory]\n"));
    let mut query = command(dir.path(), ["run", "pipeline.toml", "--progress", "json"]);
    query.env("XDG_RUNTIME_DIR", dir.path().join("run")).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut query = Running(query.spawn().unwrap());
    let mut lines = BufReader::new(query.0.stderr.take().unwrap()).lines().map(Result::unwrap);
    lines.find(|line| line.starts_with('{')).expect("an epoch");
    let mut asked = command(dir.path(), ["query", "q", "SELECT round(sum(km(0, 0, 0, x))) AS km FROM live"]);
    let answer = asked.env("XDG_RUNTIME_DIR", dir.path().join("run")).output().unwrap();
    let said = String::from_utf8_lossy(&answer.stdout) + String::from_utf8_lossy(&answer.stderr);
    assert!(said.contains("|334.0|"), "{said}");
}
