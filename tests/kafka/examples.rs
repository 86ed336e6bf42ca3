//! The examples that need a broker.

use crate::{
    binary::ok,
    examples::{copied, example, runs_as_written},
};
use std::{fs, path::Path};
use tests::services::{databases::postgres, kafka::kafka};

/// A copy of an example with the broker of the tests in the place of `localhost:9092`.
fn with_a_broker(name: &str) -> tempfile::TempDir {
    let dir = copied(name);
    changed(&dir.path().join("examples").join(name), &[("localhost:9092", &kafka().bootstrap())]);
    dir
}

/// Puts others in the place of some texts in all pipelines of a folder.
fn changed(folder: &Path, texts: &[(&str, &str)]) {
    for entry in fs::read_dir(folder).unwrap() {
        let file = entry.unwrap().path();
        if file.extension().is_some_and(|of| of == "toml") {
            let text = fs::read_to_string(&file).unwrap();
            let text = texts.iter().fold(text, |text, (from, to)| text.replace(from, to));
            fs::write(&file, text).unwrap();
        }
    }
}

fn runs_with_a_broker(name: &str) {
    runs_as_written(&example(name).join("README.md"), with_a_broker(name).path());
}

#[test]
fn kafka_to_delta_runs_as_its_readme_says() {
    runs_with_a_broker("kafka-to-delta");
}

#[test]
fn kafka_to_kafka_runs_as_its_readme_says() {
    runs_with_a_broker("kafka-to-kafka");
}

#[test]
fn loan_applications_runs_as_its_readme_says() {
    runs_with_a_broker("loan-applications");
}

#[test]
fn loan_applications_go_to_postgresql_by_one_setting() {
    let dir = with_a_broker("loan-applications");
    let folder = dir.path().join("examples/loan-applications");
    let database = postgres();
    let (_, connection) =
        database.connection().split_once('\n').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    // A topic of its own: the other test has the example's.
    changed(
        &folder,
        &[
            ("url = \"sqlite:data/loans.db\"", connection.trim_end()),
            ("\"loan_applications\"", "\"loans_for_postgresql\""),
        ],
    );
    ok(dir.path(), ["run", "examples/loan-applications/fill.toml"]);
    let pipeline = ["run", "examples/loan-applications/pipeline.toml", "--trigger", "available-now"];
    ok(dir.path(), pipeline);
    assert_eq!(
        database.rows("SELECT key, start_date, end_date FROM applications ORDER BY key"),
        ["a-1|2025-01-01|2030-01-01", "a-5|2025-04-01|2035-04-01"]
    );
    let audit = "SELECT batch_id, query, status, rows FROM query_epochs WHERE query = 'loan-applications'";
    assert_eq!(database.rows(audit), ["0|loan-applications|committed|5"]);
}
