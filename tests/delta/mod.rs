//! Delta tables, read and written by streamhost and by the Python package `deltalake`.

mod kill;
mod others;
mod sink;
mod source;
mod stores;

pub(crate) use self::stores::on_s3;
use crate::binary::{command, text, write};
use std::{path::Path, process::Output};
use tests::services::s3::python;

/// Runs Python code with these arguments; it must succeed. Answers what it printed.
pub(crate) fn py(code: &str, args: &[&str], environment: &[(&str, String)]) -> String {
    let mut python = std::process::Command::new(python());
    // At the end of the interpreter threads of pyarrow may abort it.
    let code = format!("{code}\nimport os, sys\nsys.stdout.flush()\nos._exit(0)");
    python.arg("-c").arg(code).args(args).envs(environment.iter().map(|(name, value)| (name, value)));
    let output = python.output().unwrap();
    assert!(output.status.success(), "{}\n{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

const READ: &str = "
import json, sys
from deltalake import DeltaTable
rows = DeltaTable(sys.argv[1]).to_pyarrow_table().to_pylist()
print('\\n'.join(sorted(json.dumps(row, default=str) for row in rows)))
";

/// The rows of a table as another program sees them, as JSON, sorted.
pub(crate) fn read(table: impl AsRef<Path>) -> Vec<String> {
    let table = table.as_ref().to_str().unwrap();
    py(READ, &[table], &[]).lines().map(str::to_owned).collect()
}

const HISTORY: &str = "
import sys
from deltalake import DeltaTable
table = DeltaTable(sys.argv[1])
print(table.version())
for commit in reversed(table.history()):
    print(commit['operation'])
";

/// The version of a table, and what its commits were.
fn history(table: impl AsRef<Path>) -> (u64, Vec<String>) {
    let printed = py(HISTORY, &[table.as_ref().to_str().unwrap()], &[]);
    let mut lines = printed.lines();
    (lines.next().unwrap().parse().unwrap(), lines.map(str::to_owned).collect())
}

/// A folder with a pipeline.
fn job(pipeline: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path().join("pipeline.toml"), pipeline);
    dir
}

/// Runs the pipeline of a folder to its end.
fn run(folder: &Path) -> Output {
    command(folder, ["run", "pipeline.toml"]).output().unwrap()
}

/// The same; it must end well.
#[track_caller]
fn ok(folder: &Path) {
    let output = run(folder);
    assert!(output.status.success(), "{}\n{}", text(&output.stdout), text(&output.stderr));
}

/// The same; it must fail. Answers what it says.
#[track_caller]
fn refused(folder: &Path) -> String {
    let output = run(folder);
    assert!(!output.status.success(), "{}", text(&output.stdout));
    text(&output.stderr)
}

/// Puts a file of JSON rows where sources look.
fn put(folder: &Path, name: &str, rows: &[&str]) {
    write(folder.join("in").join(name), rows.iter().map(|row| format!("{row}\n")).collect::<String>());
}
