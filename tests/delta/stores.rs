//! Files, Delta tables and checkpoints in object stores.

use super::{READ, job, kill::kill_at, put, py};
use crate::binary::{Running, command, text};
use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::Stdio,
};
use tests::services::s3::{azurite, s3};

fn pipeline(at: &str) -> String {
    format!(
        "trigger = 'available-now'\ncheckpoint = '{at}/checkpoint'\n[sources.events]\nschema = 'id INT'\n\
         max-per-trigger = {{ files = 1 }}\n[sources.events.files]\npath = 'in'\nformat = 'json'\n\
         [sinks.table.delta]\npath = '{at}/table'\n"
    )
}

#[track_caller]
fn ok(folder: &Path, environment: &[(&str, String)]) {
    let mut run = command(folder, ["run", "pipeline.toml"]);
    let output = run.envs(environment.iter().map(|(name, value)| (name, value))).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
}

const STEPS: [&str; 6] = ["planned", "ran", "staged", "logged", "sink-committed", "committed"];

#[test]
fn a_query_whose_table_and_checkpoint_are_on_s3_is_killed_at_every_step_and_stores_every_row_once() {
    let environment = s3().environment();
    let at = format!("s3://test/{}", uuid::Uuid::new_v4());
    let dir = job(&pipeline(&at));
    for file in 0..=STEPS.len() {
        put(dir.path(), &format!("{file}.json"), &[&format!("{{\"id\":{file}}}")]);
    }
    for (epoch, step) in STEPS.iter().enumerate() {
        assert!(kill_at(dir.path(), &format!("{epoch}:{step}"), &environment, || {}), "{step}");
    }
    ok(dir.path(), &environment);
    let read = py(READ, &[&format!("{at}/table")], &environment);
    let expected: Vec<String> = (0..=STEPS.len()).map(|id| format!("{{\"id\": {id}}}")).collect();
    assert_eq!(read.lines().collect::<Vec<_>>(), expected);
    assert!(!dir.path().join("checkpoint").exists() && !dir.path().join("s3:").exists());
}

/// A Python file system of the bucket.
const STORE: &str = "
import gzip, json, os, sys, pyarrow.dataset as dataset
from pyarrow.fs import S3FileSystem
store = S3FileSystem(endpoint_override=os.environ['AWS_ENDPOINT_URL'].removeprefix('http://'), scheme='http', region='us-east-1',
    access_key=os.environ['AWS_ACCESS_KEY_ID'], secret_key=os.environ['AWS_SECRET_ACCESS_KEY'])
";

/// Lists and reads Parquet files as one does who knows nothing of streamhost.
const PLAIN: &str = "
rows = dataset.dataset(sys.argv[1], filesystem=store, format='parquet').to_table().to_pylist()
print('\\n'.join(str(id) for id in sorted(row['id'] for row in rows)))
";

/// Puts a gzipped object of rows.
const PUT: &str = "
rows = ''.join(json.dumps({'id': id}) + '\\n' for id in range(int(sys.argv[2]), int(sys.argv[3])))
with store.open_output_stream(sys.argv[1], compression=None) as out:
    out.write(gzip.compress(rows.encode()))
";

/// Runs Python code that has the bucket as `store`.
pub(crate) fn on_s3(code: &str, args: &[&str]) -> String {
    py(&format!("{STORE}{code}"), args, &s3().environment())
}

fn files(at: &str, from: &str) -> String {
    format!(
        "trigger = 'available-now'\ncheckpoint = '{at}/checkpoint'\n[sources.events]\nschema = 'id INT'\n\
         max-per-trigger = {{ files = 1 }}\n[sources.events.files]\npath = '{from}'\nformat = 'json'\n\
         [sinks.table.files]\npath = '{at}/out'\nformat = 'parquet'\n"
    )
}

#[test]
fn files_on_s3_have_every_row_once_for_a_plain_reader_though_the_query_is_killed_at_every_step() {
    const STEPS: [&str; 9] = [
        "planned",
        "ran",
        "staged",
        "manifest-written",
        "renamed-one",
        "renamed-all",
        "sink-committed",
        "committed",
        "released",
    ];
    let environment = s3().environment();
    let at = format!("s3://test/{}", uuid::Uuid::new_v4());
    let dir = job(&files(&at, "in"));
    for file in 0..=STEPS.len() {
        put(dir.path(), &format!("{file}.json"), &[&format!("{{\"id\":{file}}}")]);
    }
    let seen = || {
        let place = format!("{}/out", at.trim_start_matches("s3://"));
        let printed = on_s3(PLAIN, &[&place]);
        printed.lines().map(|id| id.parse().unwrap()).collect::<Vec<usize>>()
    };
    for (epoch, step) in STEPS.iter().enumerate() {
        assert!(kill_at(dir.path(), &format!("{epoch}:{step}"), &environment, || {}), "{step}");
        if epoch > 1 {
            let seen = seen();
            assert_eq!(seen, (0..seen.len()).collect::<Vec<_>>(), "{step}: whole rows, none twice");
        }
    }
    ok(dir.path(), &environment);
    assert_eq!(seen(), (0..=STEPS.len()).collect::<Vec<_>>());
}

#[test]
fn a_source_reads_what_is_there_on_s3_and_then_what_comes() {
    let environment = s3().environment();
    let prefix = uuid::Uuid::new_v4().to_string();
    let at = format!("s3://test/{prefix}");
    let dir = job(&files(&at, &format!("{at}/in/*.json.gz")));
    let deliver = |name: &str, from: usize, to: usize| {
        let place = format!("test/{prefix}/in/{name}");
        on_s3(PUT, &[&place, &from.to_string(), &to.to_string()]);
    };
    deliver("1.json.gz", 0, 100);
    deliver("notes.txt", 500, 600);
    ok(dir.path(), &environment);
    deliver("2.json.gz", 100, 150);
    ok(dir.path(), &environment);
    let printed = on_s3(PLAIN, &[&format!("test/{prefix}/out")]);
    assert_eq!(printed.lines().count(), 150);
    // The Parquet files that were written are a source too.
    std::fs::write(dir.path().join("pipeline.toml"), format!(
        "trigger = 'available-now'\n[sources.rows.files]\npath = '{at}/out'\n[sinks.out.stdout]\nformat = 'csv'\n"
    )).unwrap();
    let mut run = command(dir.path(), ["run", "pipeline.toml"]);
    let output = run.envs(environment.iter().map(|(name, value)| (name, value))).output().unwrap();
    assert_eq!(text(&output.stdout).lines().count(), 150, "{}", text(&output.stderr));
}

#[test]
fn a_query_keeps_its_table_and_checkpoint_in_azure() {
    let environment = azurite().environment();
    let at = "az://test/one";
    let dir = job(&pipeline(at));
    put(dir.path(), "1.json", &["{\"id\":1}"]);
    ok(dir.path(), &environment);
    put(dir.path(), "2.json", &["{\"id\":2}"]);
    ok(dir.path(), &environment);
    let copy = dir.path().join("copy.toml");
    let back = format!(
        "trigger = 'available-now'\n[sources.rows.delta]\npath = '{at}/table'\n[sinks.out.stdout]\nformat = 'json'\n"
    );
    std::fs::write(&copy, back).unwrap();
    let mut run = command(dir.path(), ["run", "copy.toml"]);
    let output = run.envs(environment.iter().map(|(name, value)| (name, value))).output().unwrap();
    let rows = text(&output.stdout);
    let mut rows: Vec<&str> = rows.lines().collect();
    rows.sort_unstable();
    assert_eq!(rows, ["{\"id\":1}", "{\"id\":2}"], "{}", text(&output.stderr));
}

#[test]
fn files_and_a_checkpoint_in_azure_have_every_row_once_though_the_query_is_killed_at_every_step() {
    const STEPS: [&str; 6] =
        ["staged", "manifest-written", "renamed-one", "renamed-all", "sink-committed", "committed"];
    let environment = azurite().environment();
    let at = format!("az://test/{}", uuid::Uuid::new_v4());
    let dir = job(&files(&at, "in"));
    for file in 0..=STEPS.len() {
        put(dir.path(), &format!("{file}.json"), &[&format!("{{\"id\":{file}}}")]);
    }
    for (epoch, step) in STEPS.iter().enumerate() {
        assert!(kill_at(dir.path(), &format!("{epoch}:{step}"), &environment, || {}), "{step}");
    }
    ok(dir.path(), &environment);
    // Files there are a source, too.
    let back = format!(
        "trigger = 'available-now'\n[sources.rows.files]\npath = '{at}/out'\nformat = 'parquet'\n[sinks.out.stdout]\nformat = 'csv'\n"
    );
    std::fs::write(dir.path().join("back.toml"), back).unwrap();
    let mut run = command(dir.path(), ["run", "back.toml"]);
    let output = run.envs(environment.iter().map(|(name, value)| (name, value))).output().unwrap();
    let rows = text(&output.stdout);
    let mut rows: Vec<usize> = rows.lines().filter_map(|line| line.parse().ok()).collect();
    rows.sort_unstable();
    assert_eq!(rows, (0..=STEPS.len()).collect::<Vec<_>>(), "{}", text(&output.stderr));
}

#[test]
fn of_two_hosts_on_one_checkpoint_on_s3_the_first_is_fenced_and_every_row_is_there_once() {
    let environment = s3().environment();
    let at = format!("s3://test/{}", uuid::Uuid::new_v4());
    let dir = job("");
    let here = dir.path().join("in").display().to_string();
    let pipeline = pipeline(&at).replace("path = 'in'", &format!("path = '{here}'\nsettle = '0s'"));
    std::fs::write(dir.path().join("pipeline.toml"), pipeline.replace("'available-now'", "'asap'")).unwrap();
    put(dir.path(), "1.json", &["{\"id\":1}"]);
    let mut first = command(dir.path(), ["run", "pipeline.toml", "--progress", "json"]);
    first.envs(environment.iter().map(|(name, value)| (name, value)));
    let mut first = Running(first.stderr(Stdio::piped()).spawn().unwrap());
    let mut said = BufReader::new(first.0.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(said.any(|line| line.contains("\"batchId\":0")));
    // The second has nothing to do, but it is the owner now.
    std::fs::write(dir.path().join("pipeline.toml"), &pipeline).unwrap();
    ok(dir.path(), &environment);
    put(dir.path(), "2.json", &["{\"id\":2}"]);
    let rest: Vec<String> = said.collect();
    assert_eq!(first.0.wait().unwrap().code(), Some(6), "{rest:?}");
    ok(dir.path(), &environment);
    let read = py(READ, &[&format!("{at}/table")], &environment);
    assert_eq!(read.lines().collect::<Vec<_>>(), ["{\"id\": 1}", "{\"id\": 2}"]);
}

#[test]
fn a_table_and_a_checkpoint_on_s3_are_reached_with_what_a_connection_and_a_secret_say() {
    let mut options = String::new();
    let at = format!("s3://test/{}", uuid::Uuid::new_v4());
    let mut key = String::new();
    for (name, value) in s3().environment() {
        if name == "AWS_SECRET_ACCESS_KEY" {
            options += &format!("{name} = 'secret:lake'\n");
            key = value;
        } else {
            options += &format!("{name} = '{value}'\n");
        }
    }
    let dir = job(&format!(
        "{}[connections.lake]\nurl = 's3://test'\n[connections.lake.options]\n{options}[secrets]\nlake = {{ file = 'key' }}\n",
        pipeline(&at)
    ));
    put(dir.path(), "1.json", &["{\"id\":1}"]);
    std::fs::write(dir.path().join("key"), "wrong\n").unwrap();
    let output = command(dir.path(), ["run", "pipeline.toml"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
    std::fs::write(dir.path().join("key"), format!("{key}\n")).unwrap();
    ok(dir.path(), &[]);
    put(dir.path(), "2.json", &["{\"id\":2}"]);
    ok(dir.path(), &[]);
    let read = py(READ, &[&format!("{at}/table")], &s3().environment());
    assert_eq!(read.lines().collect::<Vec<_>>(), ["{\"id\": 1}", "{\"id\": 2}"]);
    assert!(!dir.path().join("checkpoint").exists());
}

#[test]
fn without_credentials_the_error_says_which_to_set() {
    let mut environment = s3().environment();
    environment.retain(|(name, _)| *name != "AWS_SECRET_ACCESS_KEY");
    environment.push(("AWS_SECRET_ACCESS_KEY", "wrong".into()));
    let dir = job(&pipeline("s3://test/refused"));
    put(dir.path(), "1.json", &["{\"id\":1}"]);
    let mut run = command(dir.path(), ["run", "pipeline.toml"]);
    let output = run.envs(environment.iter().map(|(name, value)| (name, value))).output().unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.contains("set the credentials of an account that may") && !said.contains("streamhost-secret"),
        "{said}"
    );
}
