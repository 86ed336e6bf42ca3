//! A file system without space for the output and the checkpoint of a query.

use crate::{
    binary::{Running, streamhost, write},
    kill::{plain, rows},
};
use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
};

const ROWS: i32 = 1000;

/// A file system of its own.
const MOUNT: &str = "mount -t tmpfs -o size=4m none full && exec \"$0\" \"$@\"";

/// Runs the query of a folder where `full` is a file system of 4 MiB; answers what it says.
fn running(folder: &Path) -> (Running, impl Iterator<Item = String> + use<>) {
    fs::create_dir(folder.join("full")).unwrap();
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--mount", "sh", "-c", MOUNT]).arg(streamhost());
    command.args(["run", "pipeline.toml", "--progress", "json"]).current_dir(folder);
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
    let mut child = Running(child.expect("this test makes a file system: it needs `unshare` of util-linux"));
    let said = BufReader::new(child.0.stderr.take().unwrap()).lines().map(Result::unwrap);
    (child, said)
}

#[test]
fn a_query_whose_disk_is_full_says_so_waits_and_goes_on_when_there_is_space() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path();
    let mut expected = BTreeMap::new();
    let mut file = |number: i32| {
        let rows = number * ROWS..(number + 1) * ROWS;
        let line = |id| {
            expected.insert(id, f64::from(id) / 8.0);
            format!("{{\"id\":{id},\"value\":{}}}\n", f64::from(id) / 8.0)
        };
        write(folder.join(format!("in/{number}.json")), rows.map(line).collect::<String>());
    };
    file(0);
    write(
        folder.join("pipeline.toml"),
        "checkpoint = 'full/checkpoint'\nrestart = { attempts = 1000, backoff = '50ms..200ms' }\n\
         [sources.rows]\nschema = 'id INT, value DOUBLE'\n[sources.rows.files]\npath = 'in'\nformat = 'json'\nsettle = '0s'\n\
         [sinks.out.files]\npath = 'full/out'\nformat = 'parquet'\n",
    );
    let (child, mut said) = running(folder);
    let stored = "\"numOutputRows\":1000";
    assert!(said.any(|line| line.contains(stored)), "is `unshare --map-root-user --mount` allowed here?");
    // What the process sees there.
    let seen = Path::new("/proc").join(child.0.id().to_string()).join("root");
    let full = seen.join(folder.strip_prefix("/").unwrap()).join("full");
    let mut filler = File::create(full.join("filler")).unwrap();
    while filler.write_all(&[0; 1024]).is_ok() {}
    file(1);
    let waits =
        |line: String| line.contains("starting again from the checkpoint") && line.contains("No space left");
    assert!(said.any(waits), "it did not say what it waits for");
    fs::remove_file(full.join("filler")).unwrap();
    drop(filler);
    assert!(said.any(|line| line.contains(stored)));
    assert_eq!(rows(plain(&full.join("out"), "parquet"), "value"), expected);
}
