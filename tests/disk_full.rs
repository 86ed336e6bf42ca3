//! A file system without space for the output and the checkpoint of a query.

use crate::{
    binary::{Running, streamhost, write},
    kill::{plain, rows},
};
use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
};

const ROWS: i32 = 1000;

/// A file system of its own, 4 MiB, of which `filler` takes all.
const MOUNT: &str = "mount -t tmpfs -o size=4m none full && (cat /dev/zero > full/filler 2>/dev/null; true) && exec \"$0\" \"$@\"";

/// Runs the query of a folder where `full` is a file system without space, and says what it says.
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
    let lines = (0..ROWS).map(|id| {
        expected.insert(id, f64::from(id) / 8.0);
        format!("{{\"id\":{id},\"value\":{}}}\n", f64::from(id) / 8.0)
    });
    write(folder.join("in/1.json"), lines.collect::<String>());
    write(
        folder.join("pipeline.toml"),
        "checkpoint = 'full/checkpoint'\nrestart = { attempts = 1000, backoff = '50ms..200ms' }\n\
         [sources.rows]\nschema = 'id INT, value DOUBLE'\n[sources.rows.files]\npath = 'in'\nformat = 'json'\nsettle = '0s'\n\
         [sinks.out.files]\npath = 'full/out'\nformat = 'parquet'\n",
    );
    let (child, mut said) = running(folder);
    let waits =
        |line: String| line.contains("starting again from the checkpoint") && line.contains("No space left");
    assert!(
        said.any(waits),
        "it did not say what it waits for; is `unshare --map-root-user --mount` allowed here?"
    );
    // What the process sees there.
    let full = Path::new("/proc")
        .join(child.0.id().to_string())
        .join("root")
        .join(folder.strip_prefix("/").unwrap())
        .join("full");
    fs::remove_file(full.join("filler")).unwrap();
    let stored = |line: String| line.contains("\"numOutputRows\":1000");
    assert!(said.any(stored));
    assert_eq!(rows(plain(&full.join("out"), "parquet"), "value"), expected);
}
