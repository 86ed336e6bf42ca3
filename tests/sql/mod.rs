//! Databases, by the real binary: PostgreSQL, MariaDB and SQLite.

mod audit;
mod crash;
mod errors;
mod foreach_batch;
mod hostile;
mod modes;
mod reading;
mod types;

use crate::binary::write;
use std::path::Path;
use tests::services::databases::{Database, mariadb, postgres, sqlite};

/// Each database, with a name for what a test makes in it.
fn each(test: &str, check: impl Fn(&Database, &str, &Path)) {
    for of in ["sqlite", "postgres", "mariadb"] {
        let folder = tempfile::tempdir().unwrap();
        let database = match of {
            "sqlite" => sqlite(&folder.path().join("rows.db")),
            "postgres" => postgres(),
            _ => mariadb(),
        };
        eprintln!("{test} in {of}");
        check(&database, &format!("t_{test}"), folder.path());
    }
}

/// `pipeline.toml` and its input: JSON lines, a file an epoch.
fn job(folder: &Path, schema: &str, files: &[&str], rest: &str) {
    for (number, text) in files.iter().enumerate() {
        write(folder.join(format!("in/{number:03}.json")), text);
    }
    let source = format!(
        "[sources.rows]\nschema = \"{schema}\"\nmax-per-trigger = {{ files = 1 }}\n\
         [sources.rows.files]\npath = \"in\"\nformat = \"json\"\nsettle = \"0s\"\n"
    );
    let head = "trigger = \"available-now\"\ncheckpoint = \"checkpoint\"\nparallelism = 2\n";
    let (top, tables) = rest.split_once("\n---\n").unwrap_or(("", rest));
    write(folder.join("pipeline.toml"), format!("{head}{top}\n{source}{tables}"));
}
