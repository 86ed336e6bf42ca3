//! What bad input gets: an error that says where and what to do, and nothing lost.

use crate::binary::{Running, command, fails, ok, plugin, run, streamhost, text, write};
use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Read, Seek, SeekFrom, Write},
    net::TcpListener,
    process::{Command, Stdio},
};

/// Runs `--from in` of a directory to JSON lines on standard output.
fn from(format: &str, schema: &str) -> Vec<String> {
    let args =
        ["run", "--from", "in", "--to", "-", "--trigger", "once", "--format", format, "--schema", schema];
    args.map(str::to_owned).to_vec()
}

fn dir() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

#[test]
fn a_missing_path_is_named() {
    let dir = dir();
    let error = fails(2, dir.path(), from("json", "a INT"));
    let expected = "source `input`: path in: there is no such file or directory; create it or correct `path`";
    assert_eq!(error.trim_end(), format!("error: {expected}"));
}

#[test]
fn an_empty_directory_is_no_error() {
    let dir = dir();
    fs::create_dir(dir.path().join("in")).unwrap();
    assert_eq!(ok(dir.path(), from("json", "a INT")), "");
}

#[test]
fn a_schema_that_cannot_be_read_is_shown_with_its_column() {
    let dir = dir();
    write(dir.path().join("in/a.json"), "{}\n");
    let error = fails(2, dir.path(), from("json", "n INT, a INTT"));
    let expected = "source `input`: schema, column 10: expected a type such as INT, BIGINT, DOUBLE, STRING, BOOLEAN, TIMESTAMP or ARRAY<STRING>, found \"INTT\"";
    assert_eq!(error.trim_end(), format!("error: {expected}"));
}

#[test]
fn truncated_files_are_named_with_what_to_do() {
    let dir = dir();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all("{\"a\": 1}\n".repeat(1000).as_bytes()).unwrap();
    let whole = gzip.finish().unwrap();
    write(dir.path().join("in/a.json.gz"), &whole[..whole.len() / 2]);
    let remedy = "or cut off; deliver it again under another name, and go on without this one by `on-bad-file = \"skip\"`: ";
    let error = fails(4, dir.path(), from("json", "a INT"));
    let expected = format!("error: epoch 0: source `input`: in/a.json.gz is damaged {remedy}");
    assert!(error.starts_with(&expected), "{error}");
    fs::remove_file(dir.path().join("in/a.json.gz")).unwrap();
    write(dir.path().join("in/a.parquet"), b"PAR1 and no more");
    let error = fails(4, dir.path(), from("parquet", "a INT"));
    let expected =
        format!("error: epoch 0: source `input`: in/a.parquet is no Parquet file, or is damaged {remedy}");
    assert!(error.starts_with(&expected), "{error}");
}

#[test]
fn a_csv_file_with_another_header_is_named_with_what_it_has_and_what_is_wanted() {
    let dir = dir();
    write(dir.path().join("in/a.csv"), "x,y\n1,2\n");
    let mut args = from("csv", "a INT, b INT");
    args.extend(["--from-option".into(), "header=true".into()]);
    let error = fails(4, dir.path(), args);
    let expected = "in/a.csv: line 1: the header has no column \"a\"; expected [a, b], found [x, y]; correct `schema` or the file";
    assert_eq!(error.trim_end(), format!("error: epoch 0: source `input`: {expected}"));
}

#[test]
fn bad_rows_are_nulls_left_out_or_the_end_as_asked() {
    let dir = dir();
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let mut lines = b"{\"a\": 1}\nno json\n\xff\xfe\n{\"a\": ".to_vec();
    lines.extend(deep.as_bytes());
    lines.extend(b"}\n{\"a\": 5}\n");
    write(dir.path().join("in/a.json"), &lines);
    let with = |policy: &str, schema: &str| {
        let mut args = from("json", schema);
        args.extend(["--on-bad-data".into(), policy.into()]);
        args
    };
    assert_eq!(ok(dir.path(), with("drop", "a INT")), "{\"a\":1}\n{\"a\":5}\n");
    assert_eq!(ok(dir.path(), with("permissive", "a INT")).lines().count(), 5);
    let corrupt = ok(dir.path(), with("permissive", "a INT, _corrupt_record STRING"));
    assert!(corrupt.contains("\"_corrupt_record\":\"no json\""), "{:.300}", corrupt);
    let error = fails(4, dir.path(), with("fail", "a INT"));
    let expected = "in/a.json, line 2, byte 1: expected an object, `{`; set `on-bad-data` to \"permissive\" or \"drop\" to go on";
    assert_eq!(error.trim_end(), format!("error: epoch 0: source `input`: {expected}"));
}

#[test]
fn bad_rows_are_counted_by_source_and_warned_of_once_an_epoch() {
    let dir = dir();
    write(dir.path().join("in/a.json"), "{\"a\": 1}\nno json\n{\"a\": \"x\"}\n");
    write(dir.path().join("in/b.json"), "neither\n");
    for (policy, rows) in [("drop", 1), ("permissive", 4)] {
        let mut args = from("json", "a INT");
        args.extend(["--on-bad-data", policy, "--progress", "json"].map(str::to_owned));
        let output = run(dir.path(), args);
        let said = text(&output.stderr);
        let progress = said.lines().find(|line| line.starts_with('{')).expect(&said);
        let source = &serde_json::from_str::<serde_json::Value>(progress).unwrap()["sources"][0];
        assert_eq!((&source["numBadRows"], &source["numInputRows"]), (&3.into(), &rows.into()));
        let warnings: Vec<&str> =
            said.lines().filter(|line| line.contains("do not fit the schema")).collect();
        assert_eq!(warnings.len(), 1, "{said}");
        let says = "source=\"input\" epoch=0 rows=3 first=\"in/a.json, line 2\"";
        assert!(warnings[0].contains(says), "{said}");
    }
}

#[test]
fn a_line_of_a_gibibyte_is_a_bad_row_in_bounded_memory() {
    let dir = dir();
    fs::create_dir(dir.path().join("in")).unwrap();
    let mut file = File::create(dir.path().join("in/a.json")).unwrap();
    file.write_all(b"{\"a\": 1}\n\"").unwrap();
    // A hole in the file: it reads as zeros and takes no space.
    file.seek(SeekFrom::Start(1 << 30)).unwrap();
    file.write_all(b"\"\n{\"a\": 3}\n").unwrap();
    let mut args = from("json", "a INT");
    args.extend(["--on-bad-data".into(), "drop".into()]);
    // With all it maps, the program may have less than that one line.
    let mut limited = Command::new("bash");
    limited.args(["-c", "ulimit -v 800000; exec \"$@\"", "bash"]).arg(streamhost()).args(args);
    let output = limited.current_dir(dir.path()).stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    // Two partitions share the file, and a pipe keeps the order of each.
    let out = text(&output.stdout);
    let mut rows: Vec<&str> = out.lines().collect();
    rows.sort_unstable();
    assert_eq!(rows, ["{\"a\":1}", "{\"a\":3}"]);
}

#[test]
fn a_checkpoint_that_cannot_be_there_is_named() {
    let dir = dir();
    write(dir.path().join("in/a.json"), "{\"a\": 1}\n");
    write(dir.path().join("file"), "");
    let mut args = from("json", "a INT");
    args.extend(["--checkpoint".into(), "file/checkpoint".into()]);
    let error = fails(5, dir.path(), args);
    assert!(error.contains("file/checkpoint"), "{error}");
}

#[test]
fn an_output_that_cannot_be_there_is_named() {
    let dir = dir();
    write(dir.path().join("in/a.json"), "{\"a\": 1}\n");
    let mut args = from("json", "a INT");
    for arg in args.iter_mut().filter(|a| *a == "-") {
        *arg = "/dev/full/out".into();
    }
    let error = fails(5, dir.path(), args);
    assert!(error.contains("sink `output`: ") && error.contains("/dev/full/out"), "{error}");
}

#[test]
fn a_sink_that_a_source_would_read_from_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path().join("in/deep/day=1/a.json"), "{\"a\":1,\"day\":1}\n");
    let absolute = dir.path().join("in").display().to_string();
    let refused = [
        ("path = 'in'", "path = 'in'"),
        ("path = 'in'", "path = './in/../in/'"),
        ("path = 'in'", "path = 'in/k=v'"),
        ("path = 'in'\nrecursive = true", "path = 'in/out'"),
        ("path = 'in/*/*'", "path = 'in/out'"),
        ("path = 'in/*.parquet'", &format!("path = '{absolute}'")),
        ("path = 'in/deep/day=1'", "path = 'in/deep'\npartition-by = ['day']"),
    ];
    let check = |source: &str, sink: &str| {
        let text = format!(
            "[sources.in]\nschema = 'a INT, day INT'\n[sources.in.files]\n{source}\nformat = 'json'\n[sinks.out.files]\n{sink}\n"
        );
        write(dir.path().join("p.toml"), text);
        run(dir.path(), ["check", "p.toml"])
    };
    for (source, sink) in refused {
        let output = check(source, sink);
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{source}, {sink}: {error}");
        assert!(error.contains("sink `out`: source `in`, which reads in"), "{error}");
    }
    for (source, sink) in [
        ("path = 'in'", "path = 'in/out'"),
        ("path = 'in'", "path = '.'"),
        ("path = 'in'", "path = 'in2'"),
        ("path = 'in'\nrecursive = true", "path = 'in/_out'"),
        ("path = 'in/*.json'", "path = 'in'"),
        ("path = 'in/deep'", "path = 'in'\npartition-by = ['day']"),
    ] {
        let output = check(source, sink);
        assert!(output.status.success(), "{source}, {sink}: {}", text(&output.stderr));
    }
}

/// Checks a pipeline with a source of `in` and these other keys, checkpoint and sinks by their `files` settings.
fn check_directories(source: &str, checkpoint: &str, sinks: &[&str]) -> (Option<i32>, String) {
    let dir = dir();
    write(dir.path().join("in/a.json"), "{\"a\":1}\n");
    let mut pipeline = format!(
        "checkpoint = '{checkpoint}'\n[sources.in]\nschema = 'a INT, day INT, hour INT'\n[sources.in.files]\nformat = 'json'\n{source}\n"
    );
    for (name, sink) in ["first", "second"].iter().zip(sinks) {
        pipeline.push_str(&format!("[sinks.{name}.files]\n{sink}\n"));
    }
    write(dir.path().join("p.toml"), pipeline);
    let output = run(dir.path(), ["check", "p.toml"]);
    (output.status.code(), text(&output.stderr))
}

#[test]
fn a_sink_in_a_directory_of_something_else_is_refused_with_its_place() {
    let input = "path = 'in'";
    let first = "path = 'out'";
    for (source, checkpoint, sinks, says) in [
        (
            input,
            "ckpt",
            [first, "path = './x/../out/'"],
            "10:8: sink `second` writes to ./x/../out/, and sink `first` writes to out: ",
        ),
        (
            input,
            "ckpt",
            [first, "path = 'out/day=1'"],
            "10:8: sink `second` writes to out/day=1, and sink `first` ",
        ),
        (
            input,
            "ckpt",
            ["path = 'out/day=1'", "path = 'out'\npartition-by = ['day', 'hour']"],
            "10:8: sink `second` writes to out, and ",
        ),
        (
            input,
            "ckpt/",
            ["path = 'ckpt/out'", first],
            "8:8: sink `first` writes to ckpt/out, but ckpt/ is the checkpoint's alone",
        ),
        (
            input,
            "out",
            [first, "path = 'other'"],
            "8:8: sink `first` writes to out, but out is the checkpoint's alone",
        ),
        (
            "path = 'in'\nclean = { archive = 'done' }",
            "ckpt",
            [first, "path = 'done'"],
            "11:8: sink `second` writes to done, and source `in` archives into done: ",
        ),
        (
            "path = 'in'\nclean = { archive = 'done' }",
            "ckpt",
            ["path = 'done/old'", first],
            "9:8: sink `first` writes to done/old, and source `in` archives",
        ),
        (
            "path = 'in'\nclean = { archive = 'out/day=1' }",
            "ckpt",
            [first, "path = 'other'"],
            "9:8: sink `first` writes to out, and source `in` archives",
        ),
    ] {
        let (code, error) = check_directories(source, checkpoint, &sinks);
        assert_eq!(code, Some(2), "{source}, {checkpoint}, {sinks:?}: {error}");
        assert!(
            error.starts_with(&format!("error: p.toml:{says}")),
            "{source}, {checkpoint}, {sinks:?}: {error}"
        );
        assert!(error.contains("choose another directory for one of them"), "{error}");
    }
}

#[test]
fn a_checkpoint_that_a_source_would_read_is_refused_with_its_place() {
    for (source, checkpoint, refused) in [
        ("path = 'in'", "in", true),
        ("path = 'in'", "in/k=v", true),
        ("path = 'in'\nrecursive = true", "in/state/ckpt", true),
        ("path = 'in/*/*/0'", "in/ckpt", true),
        ("path = 'in'", "in/ckpt", false),
        ("path = 'in'\nrecursive = true", "in/_ckpt", false),
        ("path = 'in/*.json'", "in", false),
    ] {
        let (code, error) = check_directories(source, checkpoint, &["path = 'out'", "path = 'out/bad'"]);
        let says = "error: p.toml:1:14: source `in`, which reads in";
        assert_eq!(code, Some(if refused { 2 } else { 0 }), "{source}, {checkpoint}: {error}");
        assert_eq!(error.starts_with(says), refused, "{source}, {checkpoint}: {error}");
    }
}

#[test]
fn a_checkpoint_of_another_pipeline_is_refused() {
    let dir = dir();
    write(dir.path().join("in/a.json"), "{\"a\": 1}\n");
    write(dir.path().join("other/a.json"), "{\"a\": 1}\n");
    let mut args = from("json", "a INT");
    args.extend(["--checkpoint".into(), "ckpt".into()]);
    ok(dir.path(), &args);
    args[2] = "other".into();
    let error = fails(2, dir.path(), &args);
    assert!(error.contains("checkpoint ckpt belongs to") && error.contains("other"), "{error}");
}

#[test]
fn a_checkpoint_file_that_is_cut_off_or_that_another_was_copied_over_is_named_with_the_way_back() {
    let dir = dir();
    write(dir.path().join("in/a.json"), "{\"a\": 1}\n");
    let mut args = from("json", "a INT");
    args.extend(["--checkpoint".into(), "ckpt".into()]);
    ok(dir.path(), &args);
    write(dir.path().join("in/b.json"), "{\"a\": 2}\n");
    ok(dir.path(), &args);
    let file = |name: &str| dir.path().join("ckpt").join(name);
    let (plan, commit) = (fs::read(file("offsets/1")).unwrap(), fs::read(file("commits/1")).unwrap());

    fs::write(file("offsets/1"), "{\"version\"").unwrap();
    let error = fails(4, dir.path(), &args);
    assert!(error.contains("ckpt/offsets/1 is damaged (10 bytes); put it back from a copy"), "{error}");
    fs::write(file("offsets/1"), plan).unwrap();

    fs::copy(file("commits/0"), file("commits/1")).unwrap();
    let error = fails(4, dir.path(), &args);
    let said = "ckpt/commits/1 is damaged: it should be the commit of epoch 1 of query";
    assert!(error.contains(said) && error.contains("and is the commit of epoch 0"), "{error}");
    assert!(error.contains("`streamhost checkpoint reset ckpt --to 0`"), "{error}");
    ok(dir.path(), ["checkpoint", "reset", "ckpt", "--to", "0"]);
    assert_eq!(ok(dir.path(), &args), "{\"a\":2}\n");
    assert_ne!(fs::read(file("commits/1")).unwrap(), commit, "it is written anew");
}

#[test]
fn what_is_no_plugin_is_refused_with_what_it_is() {
    let dir = dir();
    write(dir.path().join("in/a.json"), "{\"a\": 1}\n");
    let with = |plugin: &str| {
        let mut args = from("json", "a INT");
        args.extend(["--plugin".into(), plugin.into()]);
        args
    };
    for (name, bytes, says) in [
        (
            "core",
            &b"\0asm\x01\0\0\0"[..],
            "it is a core module, not a component: `streamhost build` makes one of a plugin's source",
        ),
        ("empty", b"\0asm\x0d\0\x01\0", "it is a component, and not a streamhost plugin: it does not export"),
        ("text", b"hello", "it is no WebAssembly file"),
    ] {
        let file = format!("{name}.wasm");
        write(dir.path().join(&file), bytes);
        let error = fails(2, dir.path(), with(&file));
        assert!(error.starts_with(&format!("error: {file} cannot be used: {says}")), "{error}");
    }
    let error = fails(2, dir.path(), with("gone.wasm"));
    let expected =
        "error: there is no plugin gone.wasm; give a .wasm file, or the folder of a plugin's source";
    assert_eq!(error.trim_end(), expected);
}

#[test]
fn a_plugins_complaint_about_columns_and_configuration_reaches_the_user() {
    let dir = dir();
    write(dir.path().join("in/a.json"), "{\"a\": 1}\n");
    let filter = plugin("filter-threshold").display().to_string();
    let mut args = from("json", "a INT");
    args.extend(["--plugin".into(), filter]);
    let error = fails(2, dir.path(), &args);
    assert!(error.contains("value") && error.contains("filter-threshold"), "{error}");
    args.extend(["--plugin-config".into(), "{\"treshold\": 1}".into()]);
    let error = fails(2, dir.path(), &args);
    assert!(error.contains("unknown field `treshold`"), "{error}");
}

#[test]
fn a_name_that_is_no_text_is_named_once_and_the_other_files_are_read() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};
    let dir = dir();
    write(dir.path().join("in/a.json"), "{\"a\": 1}\n");
    write(dir.path().join("in").join(OsStr::from_bytes(b"odd-\xff.json")), "{\"a\": 2}\n");
    // Inferring lists the files too.
    let output = run(dir.path(), from("json", "infer"));
    let stderr = text(&output.stderr);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(0), "{\"a\":1}\n".into()), "{stderr}");
    assert_eq!(stderr.matches("odd-\u{fffd}.json").count(), 1, "{stderr}");
}

#[test]
fn a_file_that_grew_under_a_crashed_epoch_is_read_as_planned_and_warned_of() {
    let dir = dir();
    write(dir.path().join("in/a.json"), "{\"a\": 1}\n");
    let mut args = from("json", "a INT");
    args.extend(["--checkpoint".into(), "ckpt".into()]);
    let mut first = command(dir.path(), &args);
    let mut first =
        Running(first.env("STREAMHOST_HOLD_AT", "0:planned").stderr(Stdio::piped()).spawn().unwrap());
    let mut line = String::new();
    BufReader::new(first.0.stderr.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "held at 0:planned\n");
    drop(first);
    let mut file = File::options().append(true).open(dir.path().join("in/a.json")).unwrap();
    file.write_all(b"{\"a\": 2}\n").unwrap();
    let output = run(dir.path(), &args);
    let stderr = text(&output.stderr);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(0), "{\"a\":1}\n".into()), "{stderr}");
    let warning = "grew after it was planned: what was added is not read";
    assert!(stderr.contains(warning) && stderr.contains("in/a.json planned=9 now=18"), "{stderr}");
}

#[test]
fn an_append_to_a_file_that_was_read_is_warned_of() {
    let dir = dir();
    write(dir.path().join("in/a.json"), "{\"a\": 1}\n");
    let mut args = from("json", "a INT");
    args.retain(|arg| !["--trigger", "once"].contains(&arg.as_str()));
    let mut query = command(dir.path(), args);
    let mut query = Running(query.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
    let mut rows = BufReader::new(query.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert_eq!(rows.next().unwrap(), "{\"a\":1}");
    let mut file = File::options().append(true).open(dir.path().join("in/a.json")).unwrap();
    file.write_all(b"{\"a\": 2}\n").unwrap();
    write(dir.path().join("in/b.json"), "{\"a\": 3}\n");
    assert_eq!(rows.next().unwrap(), "{\"a\":3}");
    let stopped = Command::new("kill").args(["-INT", &query.0.id().to_string()]).status();
    assert!(stopped.unwrap().success());
    let mut stderr = String::new();
    query.0.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    let warnings = stderr.lines().filter(|l| l.contains("was written to after it was read"));
    assert_eq!(warnings.filter(|l| l.contains("in/a.json")).count(), 1, "{stderr}");
}

#[test]
fn a_connection_that_ends_is_told_of_once_and_made_again() {
    let dir = dir();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let source = format!("[sources.in.socket]\nhost = \"127.0.0.1\"\nport = {port}\n");
    let sink = "[sinks.out.stdout]\nformat = \"text\"\n";
    write(
        dir.path().join("p.toml"),
        format!("restart = {{ attempts = 5, backoff = \"10ms\" }}\n{source}{sink}"),
    );
    let mut query = command(dir.path(), ["run", "p.toml"]);
    let mut query = Running(query.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
    let mut rows = BufReader::new(query.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut serve = |line: &str| {
        let mut connection = listener.accept().unwrap().0;
        writeln!(connection, "{line}").unwrap();
        assert_eq!(rows.next().unwrap(), line);
        connection
    };
    drop(serve("before"));
    let _open = serve("after");
    let stopped = Command::new("kill").args(["-INT", &query.0.id().to_string()]).status();
    assert!(stopped.unwrap().success());
    let mut stderr = String::new();
    query.0.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert_eq!(stderr.matches("again").count(), 1, "{stderr}");
    assert_eq!(stderr.matches("source `in`").count(), 1, "{stderr}");
}
