//! The examples that need a broker.

use crate::examples::{copied, example, runs_as_written};
use std::fs;
use tests::services::kafka::kafka;

/// Runs what the README says with the broker of the tests in the place of `localhost:9092`.
fn runs_with_a_broker(name: &str) {
    let dir = copied(name);
    let folder = dir.path().join("examples").join(name);
    for entry in fs::read_dir(&folder).unwrap() {
        let file = entry.unwrap().path();
        if file.extension().is_some_and(|of| of == "toml") {
            let text = fs::read_to_string(&file).unwrap();
            fs::write(&file, text.replace("localhost:9092", &kafka().bootstrap())).unwrap();
        }
    }
    runs_as_written(&example(name).join("README.md"), dir.path());
}

#[test]
fn kafka_to_kafka_runs_as_its_readme_says() {
    runs_with_a_broker("kafka-to-kafka");
}

#[test]
fn loan_applications_runs_as_its_readme_says() {
    runs_with_a_broker("loan-applications");
}
