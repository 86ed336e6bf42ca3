//! How runs of the real binary end, and what the next one finds: requests to stop, a second host, a full disk, closed doors.

use crate::binary::{Running, command, fails, ok, run, streamhost, text, write};
use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{BufRead, BufReader, Read},
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::Path,
    process::{Command, Output, Stdio},
};

/// Numbers from `from` on, one a line, as JSON.
fn numbers(path: impl AsRef<Path>, from: u64, count: u64) {
    let line = |n: u64| format!("{{\"n\":{n}}}\n");
    write(path, (from..from + count).map(line).collect::<String>());
}

/// The numbers in all JSON files of a folder; each may be there once.
#[track_caller]
fn stored(folder: &Path) -> BTreeSet<u64> {
    let mut all = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|of| of != "json") {
            continue;
        }
        for line in BufReader::new(File::open(&path).unwrap()).lines() {
            let row: serde_json::Value = serde_json::from_str(&line.unwrap()).unwrap();
            assert!(
                all.insert(row["n"].as_u64().unwrap()),
                "{row} is there twice, again in {}",
                path.display()
            );
        }
    }
    all
}

fn to_files(trigger: &str) -> [&str; 13] {
    [
        "run",
        "--from",
        "in",
        "--schema",
        "n BIGINT",
        "--to",
        "out",
        "--to-format",
        "json",
        "--checkpoint",
        "ckpt",
        "--trigger",
        trigger,
    ]
}

fn signal(child: &Running, name: &str) {
    let sent = Command::new("kill").args([name, &child.0.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

#[test]
fn ctrl_c_in_the_middle_of_an_epoch_lets_all_of_it_out() {
    let dir = tempfile::tempdir().unwrap();
    numbers(dir.path().join("in/a.json"), 0, 300_000);
    let args = ["run", "--from", "in", "--schema", "n BIGINT", "--to", "-", "--checkpoint", "ckpt"];
    let mut child = Running(command(dir.path(), args).stdout(Stdio::piped()).spawn().unwrap());
    let mut stdout = BufReader::new(child.0.stdout.take().unwrap());
    let mut lines = String::new();
    stdout.read_line(&mut lines).unwrap();
    // The pipe holds a few thousand rows, so the rest is still to come.
    signal(&child, "-INT");
    stdout.read_to_string(&mut lines).unwrap();
    assert_eq!(child.0.wait().unwrap().code(), Some(0));
    assert_eq!(lines.lines().count(), 300_000);
    assert!(ok(dir.path(), ["checkpoint", "show", "ckpt"]).contains("committed"));
}

#[test]
fn a_second_ctrl_c_stops_at_once_and_the_next_start_recovers() {
    let dir = tempfile::tempdir().unwrap();
    numbers(dir.path().join("in/a.json"), 0, 100);
    let mut child = command(dir.path(), to_files("available-now"));
    child.env("STREAMHOST_HOLD_AT", "0:ran").stderr(Stdio::piped());
    let mut child = Running(child.spawn().unwrap());
    let mut said = BufReader::new(child.0.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(said.any(|line| line.starts_with("held at")));
    signal(&child, "-INT");
    assert!(said.any(|line| line.contains("once more to stop at once")));
    signal(&child, "-INT");
    assert!(said.any(|line| line.contains("the next start recovers")));
    assert_eq!(child.0.wait().unwrap().code(), Some(130));
    assert!(!dir.path().join("out").exists() || stored(&dir.path().join("out")).is_empty());
    ok(dir.path(), to_files("available-now"));
    assert_eq!(stored(&dir.path().join("out")), (0..100).collect());
}

#[test]
fn of_two_hosts_on_one_checkpoint_the_later_goes_on_and_the_other_ends_without_a_row() {
    let dir = tempfile::tempdir().unwrap();
    numbers(dir.path().join("in/a.json"), 0, 10);
    let mut first = command(dir.path(), to_files("asap"));
    first.args(["--progress", "json"]).stderr(Stdio::piped());
    let mut first = Running(first.spawn().unwrap());
    let mut said = BufReader::new(first.0.stderr.take().unwrap());
    let mut line = String::new();
    while !line.starts_with('{') {
        line.clear();
        assert_ne!(said.read_line(&mut line).unwrap(), 0, "the first host ended");
    }
    // Stopped while it waits for files, as by a machine that hangs.
    signal(&first, "-STOP");
    numbers(dir.path().join("in/b.json"), 10, 10);
    ok(dir.path(), to_files("available-now"));
    numbers(dir.path().join("in/c.json"), 20, 10);
    signal(&first, "-CONT");
    let mut rest = String::new();
    said.read_to_string(&mut rest).unwrap();
    assert_eq!(first.0.wait().unwrap().code(), Some(6), "{rest}");
    assert!(rest.contains("another host runs this query on checkpoint ckpt"), "{rest}");
    assert_eq!(stored(&dir.path().join("out")), (0..20).collect());
    ok(dir.path(), to_files("available-now"));
    assert_eq!(stored(&dir.path().join("out")), (0..30).collect());
}

/// Runs the query so that no file may grow beyond some KiB, and whoever tries gets an error, as on a full disk. Answers what
/// it said to that.
#[track_caller]
fn run_on_a_full_disk(folder: &Path, kib: u32) -> String {
    let mut limited = Command::new("bash");
    limited.args(["-c", &format!("trap '' XFSZ; ulimit -f {kib}; exec \"$@\""), "bash"]).arg(streamhost());
    limited.args(to_files("available-now")).current_dir(folder).stdin(Stdio::null());
    let output = limited.output().unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(5), "{said}");
    said
}

#[test]
fn a_disk_that_is_full_when_the_checkpoint_writes_ends_the_query_and_the_next_start_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    numbers(dir.path().join("in/first.json"), 0, 10);
    ok(dir.path(), to_files("available-now"));
    // The rows of this epoch are few, and the list of its files is long.
    for file in 1..=100 {
        numbers(dir.path().join(format!("in/{file}.json")), file * 10, 1);
    }
    let said = run_on_a_full_disk(dir.path(), 4);
    assert!(said.contains("ckpt/offsets/1") && said.contains("File too large"), "{said}");
    let first: BTreeSet<u64> = (0..10).collect();
    assert_eq!(stored(&dir.path().join("out")), first);
    assert_eq!(
        fs::read_dir(dir.path().join("ckpt/offsets")).unwrap().count(),
        1,
        "no part of a record is left"
    );
    ok(dir.path(), to_files("available-now"));
    let all: BTreeSet<u64> = first.into_iter().chain((1..=100).map(|file| file * 10)).collect();
    assert_eq!(stored(&dir.path().join("out")), all);
}

#[test]
fn a_disk_that_is_full_ends_the_query_and_the_next_start_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    numbers(dir.path().join("in/a.json"), 0, 10);
    ok(dir.path(), to_files("available-now"));
    numbers(dir.path().join("in/b.json"), 10, 100_000);
    let said = run_on_a_full_disk(dir.path(), 256);
    assert!(
        said.contains("epoch 1: ") && said.contains("sink `") && said.contains("File too large"),
        "{said}"
    );
    assert_eq!(stored(&dir.path().join("out")), (0..10).collect());
    ok(dir.path(), to_files("available-now"));
    assert_eq!(stored(&dir.path().join("out")), (0..100_010).collect());
}

/// Runs the binary as somebody for whom closed doors are closed: root's nobody, or whoever runs the tests.
fn run_unprivileged<'a>(folder: &Path, args: impl IntoIterator<Item = &'a str>) -> Output {
    const NOBODY: u32 = 65_534;
    let root = Command::new("id").arg("-u").output().unwrap().stdout == b"0\n";
    if !root {
        return run(folder, args);
    }
    let own = folder.join("streamhost");
    if !own.exists() {
        fs::copy(streamhost(), &own).unwrap();
        fs::set_permissions(folder, fs::Permissions::from_mode(0o777)).unwrap();
    }
    let mut command = Command::new(own);
    command.args(args).current_dir(folder).stdin(Stdio::null()).env("XDG_CACHE_HOME", folder.join("cache"));
    command.uid(NOBODY).gid(NOBODY).output().unwrap()
}

fn close(path: impl AsRef<Path>, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn what_may_not_be_read_or_written_is_named_and_goes_on_once_it_may() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("in/a.json");
    numbers(&file, 0, 10);
    let refused = |code: i32, parts: &[&str]| {
        let output = run_unprivileged(dir.path(), to_files("available-now"));
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(parts.iter().all(|part| said.contains(part)), "{parts:?} in {said}");
    };
    close(dir.path().join("in"), 0o000);
    refused(2, &["in/ may not be read; give this process the right to", "Permission denied"]);
    close(dir.path().join("in"), 0o755);
    close(&file, 0o000);
    refused(2, &["in/a.json may not be read; give this process the right to", "Permission denied"]);
    close(&file, 0o644);
    let output = run_unprivileged(dir.path(), to_files("available-now"));
    assert!(output.status.success(), "{}", text(&output.stderr));
    numbers(dir.path().join("in/b.json"), 10, 10);
    for record in ["offsets", "owners"] {
        let folder = dir.path().join("ckpt").join(record);
        close(&folder, 0o555);
        refused(5, &[&format!("ckpt/{record}"), "Permission denied"]);
        close(&folder, 0o755);
    }
    let output = run_unprivileged(dir.path(), to_files("available-now"));
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(stored(&dir.path().join("out")), (0..20).collect());
}

#[test]
fn a_terminal_shows_a_live_line() {
    let dir = tempfile::tempdir().unwrap();
    numbers(dir.path().join("in/a.json"), 0, 1_234);
    let line = format!(
        "{} run --from in --schema 'n BIGINT' --to noop --trigger available-now",
        streamhost().display()
    );
    // It gives the program a terminal, and keeps what was written to it.
    let mut script = Command::new("script");
    script
        .args(["-qec", &line, "typescript"])
        .env("TERM", "xterm")
        .current_dir(dir.path())
        .stdin(Stdio::null());
    assert!(script.output().unwrap().status.success());
    let shown = fs::read_to_string(dir.path().join("typescript")).unwrap();
    assert!(shown.contains("epoch 0  1,234 rows  "), "{shown}");
}

#[test]
fn a_way_back_over_archived_files_is_refused_until_they_are_back() {
    let dir = tempfile::tempdir().unwrap();
    write(
        dir.path().join("p.toml"),
        "trigger = \"available-now\"\ncheckpoint = \"ckpt\"\n\
         [sources.in]\nschema = \"n BIGINT\"\nmax-per-trigger = { files = 1 }\n\
         [sources.in.files]\npath = \"in\"\nclean = { archive = \"done\" }\n\
         [sinks.out.files]\npath = \"out\"\nformat = \"json\"\n",
    );
    for file in 0..3 {
        numbers(dir.path().join(format!("in/{file}.json")), file * 10, 10);
    }
    ok(dir.path(), ["run", "p.toml"]);
    assert_eq!(stored(&dir.path().join("out")), (0..30).collect());
    let error = fails(2, dir.path(), ["checkpoint", "reset", "ckpt", "--to", "0"]);
    assert!(error.contains("epoch 1 cannot run again") && error.contains("--restored"), "{error}");
    for file in ["1.json", "2.json"] {
        fs::rename(dir.path().join("done").join(file), dir.path().join("in").join(file)).unwrap();
    }
    ok(dir.path(), ["checkpoint", "reset", "ckpt", "--to", "0", "--restored"]);
    ok(dir.path(), ["run", "p.toml"]);
    assert_eq!(stored(&dir.path().join("out")), (0..30).collect(), "sinks that have an epoch skip it");
    assert_eq!(fs::read_dir(dir.path().join("done")).unwrap().count(), 3);
}

#[test]
fn a_file_that_cannot_be_read_holds_the_query_up_until_it_is_given_up() {
    let dir = tempfile::tempdir().unwrap();
    numbers(dir.path().join("in/a.json"), 0, 10);
    let damaged = dir.path().join("in/b.json.gz");
    write(&damaged, b"\x1f\x8b and no more");
    for _ in 0..2 {
        let error = fails(4, dir.path(), to_files("available-now"));
        assert!(
            error.contains("in/b.json.gz is damaged or cut off; deliver it again under another name"),
            "{error}"
        );
    }
    // As the error says.
    numbers(dir.path().join("in/c.json"), 10, 10);
    let mut skipping = to_files("available-now").to_vec();
    skipping.extend(["--from-option", "on-bad-file=skip"]);
    let output = run(dir.path(), &skipping);
    let said = text(&output.stderr);
    assert!(output.status.success() && said.contains("skipped the rest of a file"), "{said}");
    assert_eq!(stored(&dir.path().join("out")), (0..20).collect());
}

#[test]
fn a_checkpoint_knows_its_input_wherever_the_query_is_started() {
    let dir = tempfile::tempdir().unwrap();
    numbers(dir.path().join("in/a.json"), 0, 10);
    ok(dir.path(), to_files("available-now"));
    for same in ["./in/", "in/../in"] {
        let mut again = to_files("available-now");
        again[2] = same;
        ok(dir.path(), again);
    }
    assert_eq!(stored(&dir.path().join("out")).len(), 10);
    numbers(dir.path().join("other/in/a.json"), 10, 10);
    let checkpoint = dir.path().join("ckpt").display().to_string();
    let mut elsewhere = to_files("available-now").map(str::to_owned);
    elsewhere[10] = checkpoint;
    let error = fails(2, dir.path().join("other"), elsewhere);
    assert!(error.contains("/other/in]; use another `checkpoint` directory"), "{error}");
}
