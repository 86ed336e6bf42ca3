//! Rows that come too late, from the future, or not at all, and state that grows: with the real binary.

use crate::binary::{Running, command, fails, ok, write};
use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::Stdio,
};

fn files(folder: &Path, source: &str, epochs: &[&[&str]]) {
    for (epoch, rows) in epochs.iter().enumerate() {
        let lines = rows.iter().map(|row| {
            let (k, t) = row.split_once(' ').unwrap();
            format!("{{\"k\":\"{k}\",\"t\":\"2025-01-01T{t}Z\",\"extra\":7}}\n")
        });
        write(folder.join(source).join(format!("{epoch}.json")), lines.collect::<String>());
    }
}

fn source(name: &str, more: &str) -> String {
    format!(
        "[sources.{name}]\nschema = \"k STRING, t TIMESTAMP, extra INT\"\nmax-per-trigger = {{ files = 1 }}\n{more}\n\
         [sources.{name}.files]\npath = \"{name}\"\nformat = \"json\"\n"
    )
}

const WATERMARK: &str = "watermark = { column = \"t\", delay = \"1 minute\" }";
const WINDOWS: &str = "[steps.windows]\nsql = \"SELECT w.start AS start, k, n FROM (SELECT window(t, '1 minute') AS w, k, count(*) AS n FROM a GROUP BY 1, 2)\"\n";
const OUT: &str = "[sinks.out.stdout]\nformat = \"csv\"\n";

#[test]
fn late_rows_go_where_the_pipeline_says_with_all_their_columns() {
    let dir = tempfile::tempdir().unwrap();
    files(
        dir.path(),
        "a",
        &[&["x 10:00:00", "x 10:10:00"], &["y 10:20:00"], &["late 10:05:00", "x 10:30:00"]],
    );
    let late =
        "[sinks.late]\nfrom = \"windows.late\"\n[sinks.late.files]\npath = \"late\"\nformat = \"json\"\n";
    let pipeline = source("a", WATERMARK) + WINDOWS + OUT + late;
    write(
        dir.path().join("p.toml"),
        pipeline.replace("[sinks.out.stdout]", "[sinks.out]\nfrom = \"windows\"\n[sinks.out.stdout]"),
    );
    let shown = ok(dir.path(), ["run", "p.toml", "--trigger", "available-now"]);
    assert_eq!(
        shown,
        "2025-01-01T10:00:00.000Z,x,1\n2025-01-01T10:10:00.000Z,x,1\n2025-01-01T10:20:00.000Z,y,1\n"
    );
    let stored = ok(
        dir.path(),
        [
            "run",
            "--from",
            "late",
            "--to",
            "-",
            "--to-format",
            "csv",
            "--trigger",
            "once",
            "--schema",
            "k STRING, t TIMESTAMP, extra INT",
        ],
    );
    assert_eq!(stored, "late,2025-01-01T10:05:00.000Z,7\n");
    write(
        dir.path().join("p.toml"),
        source("a", WATERMARK)
            + WINDOWS
            + "[sinks.out]\nmode = \"complete\"\nfrom = \"windows.late\"\nnoop = {}\n",
    );
    let said = fails(2, dir.path(), ["check", "p.toml"]);
    assert!(said.contains("p.toml:9:8") || said.contains("these rows pass as they come"), "{said}");
}

#[test]
fn a_row_from_the_future_is_an_error_is_left_out_or_goes_to_a_side_output() {
    let dir = tempfile::tempdir().unwrap();
    let rows =
        "{\"k\":\"x\",\"t\":\"2025-01-01T10:00:00Z\"}\n{\"k\":\"bad\",\"t\":\"9025-01-01T10:00:00Z\"}\n";
    write(dir.path().join("a/1.json"), rows);
    let watermark = "watermark = { column = \"t\", delay = \"1 minute\", max-future = \"1h\" }";
    let go = ["run", "p.toml", "--trigger", "available-now"];
    let on_source = |policy: &str| source("a", &format!("{watermark}\n{policy}")) + OUT;
    write(dir.path().join("p.toml"), on_source("on-bad-data = \"fail\""));
    let said = fails(4, dir.path(), go);
    assert!(said.contains("1.json, line 2: `t` is 9025-01-01T10:00:00.000Z"), "{said}");
    write(dir.path().join("p.toml"), on_source(""));
    assert_eq!(ok(dir.path(), go), "x,2025-01-01T10:00:00.000Z,\n");
    let step = format!(
        "{}[steps.timely]\n{watermark}\non-error = \"dead-letter\"\n{}[sinks.bad]\nfrom = \"timely.dead-letter\"\n[sinks.bad.files]\npath = \"bad\"\nformat = \"csv\"\n",
        source("a", ""),
        OUT
    );
    write(dir.path().join("p.toml"), step);
    assert_eq!(ok(dir.path(), go), "x,2025-01-01T10:00:00.000Z,\n");
    let bad = std::fs::read_dir(dir.path().join("bad")).unwrap().map(|file| file.unwrap().path());
    let bad = bad
        .filter(|path| path.extension().is_some_and(|of| of == "csv"))
        .map(|path| std::fs::read_to_string(path).unwrap());
    assert_eq!(bad.collect::<String>(), "bad,9025-01-01T10:00:00.000Z,\n");
}

#[test]
fn a_source_that_falls_silent_does_not_hold_the_others_back_for_ever() {
    let dir = tempfile::tempdir().unwrap();
    files(dir.path(), "a", &[&["x 10:00:00"], &["x 10:10:00"]]);
    files(dir.path(), "b", &[&["y 10:00:30"]]);
    let union = "[steps.both]\nsql = \"SELECT * FROM a UNION ALL SELECT * FROM b\"\n";
    let pipeline = |idle: &str| {
        source("a", WATERMARK)
            + &source("b", &format!("{WATERMARK}\n{idle}"))
            + union
            + &WINDOWS.replace("FROM a", "FROM both")
            + OUT
    };
    // As it is, the window of 10:00 waits for the watermark of b, which stays at 09:59:30.
    write(dir.path().join("p.toml"), pipeline(""));
    assert_eq!(ok(dir.path(), ["run", "p.toml", "--trigger", "available-now"]), "");
    write(dir.path().join("p.toml"), pipeline("idle-after = \"300ms\""));
    let mut query = command(dir.path(), ["run", "p.toml"]);
    let mut query = Running(query.stdout(Stdio::piped()).spawn().unwrap());
    let lines = BufReader::new(query.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut shown: Vec<String> = lines.take(2).collect();
    shown.sort();
    assert_eq!(shown, ["2025-01-01T10:00:00.000Z,x,1", "2025-01-01T10:00:00.000Z,y,1"]);
}

#[test]
fn more_state_than_is_allowed_ends_the_query_with_the_step_and_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let rows: Vec<String> = (0..2000).map(|k| format!("k{k} 10:00:00")).collect();
    files(dir.path(), "a", &[&rows.iter().map(String::as_str).collect::<Vec<_>>()]);
    let counts = "[steps.counts]\nsql = \"SELECT k, count(*) AS n FROM a GROUP BY k\"\n[sinks.out]\nmode = \"update\"\nnoop = {}\n";
    let go = ["run", "p.toml", "--trigger", "available-now", "--checkpoint", "ckpt"];
    write(dir.path().join("p.toml"), format!("max-state = \"100KiB\"\n{}{counts}", source("a", "")));
    let said = fails(4, dir.path(), go);
    assert!(said.contains("epoch 0") && said.contains("`max-state` is 102400"), "{said}");
    assert!(said.contains("2000 entries, is of step `counts`: raise `max-state`"), "{said}");
    write(dir.path().join("p.toml"), source("a", "") + counts);
    ok(dir.path(), go);
    assert!(ok(dir.path(), ["state", "show", "ckpt"]).contains("2000 entries"));
}
