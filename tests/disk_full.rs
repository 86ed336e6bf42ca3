//! A file system without space for the output and the checkpoint of a query.

use crate::{
    binary::{Running, copy, streamhost, write},
    delta,
    kill::{plain, rows},
};
use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
};
use tests::services::databases::sqlite;

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

/// Where a query writes that has no space, and what it then says.
struct Place {
    sink: &'static str,
    checkpoint: &'static str,
    says: &'static str,
    /// The values by their ids, of what is in the file system.
    rows: fn(&Path) -> BTreeMap<i32, f64>,
}

const PLACES: [Place; 3] = [
    Place {
        sink: "files]\npath = 'full/out'\nformat = 'parquet'",
        checkpoint: "full/checkpoint",
        says: "No space left",
        rows: |full| rows(plain(&full.join("out"), "parquet"), "value"),
    },
    Place {
        sink: "sql]\nconnection = 'sqlite:full/rows.db'\ntable = 't'\ncreate = true",
        checkpoint: "checkpoint",
        says: "SQLite: ",
        rows: |full| {
            let rows = sqlite(&full.join("rows.db")).rows("SELECT id, value FROM t");
            let row = |row: &String| {
                row.split_once('|').map(|(id, value)| (id.parse().unwrap(), value.parse().unwrap()))
            };
            let all: BTreeMap<_, _> = rows.iter().filter_map(row).collect();
            assert_eq!(all.len(), rows.len(), "a row is there twice");
            all
        },
    },
    Place {
        sink: "delta]\npath = 'full/table'",
        checkpoint: "checkpoint",
        says: "No space left",
        rows: |full| {
            let rows = delta::read(full.join("table"));
            let row = |row: &String| {
                let row: serde_json::Value = serde_json::from_str(row).unwrap();
                (row["id"].as_i64().unwrap() as i32, row["value"].as_f64().unwrap())
            };
            let all: BTreeMap<_, _> = rows.iter().map(row).collect();
            assert_eq!(all.len(), rows.len(), "a row is there twice");
            all
        },
    },
];

#[test]
fn a_query_whose_disk_is_full_says_so_waits_and_goes_on_when_there_is_space() {
    PLACES.iter().for_each(fills_up);
}

fn fills_up(place: &Place) {
    eprintln!("{}", place.sink);
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path();
    let mut expected = BTreeMap::new();
    let mut file = |number: i32| {
        let rows = number * ROWS..(number + 1) * ROWS;
        let line = |id| {
            expected.insert(id, f64::from(id) / 8.0);
            format!("{{\"id\":{id},\"value\":{}}}\n", f64::from(id) / 8.0)
        };
        // It is there as a whole: with `settle = "0s"` a part of it would be read.
        write(folder.join("in/.new"), rows.map(line).collect::<String>());
        fs::rename(folder.join("in/.new"), folder.join(format!("in/{number}.json"))).unwrap();
    };
    file(0);
    let pipeline = format!(
        "checkpoint = '{}'\nrestart = {{ attempts = 1000, backoff = '50ms..200ms' }}\n\
         [sources.rows]\nschema = 'id INT, value DOUBLE'\n[sources.rows.files]\npath = 'in'\nformat = 'json'\nsettle = '0s'\n\
         [sinks.out.{}\n",
        place.checkpoint, place.sink
    );
    write(folder.join("pipeline.toml"), pipeline);
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
        |line: String| line.contains("starting again from the checkpoint") && line.contains(place.says);
    assert!(said.any(waits), "it did not say what it waits for");
    fs::remove_file(full.join("filler")).unwrap();
    drop(filler);
    assert!(said.any(|line| line.contains(stored)));
    // By its way through /proc, which is a link to another file system, some programs do not find it.
    let copied = tempfile::tempdir().unwrap();
    copy(&full, copied.path());
    assert_eq!((place.rows)(copied.path()), expected);
}
