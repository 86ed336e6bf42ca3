//! A plugin of each language decodes every value of every type and encodes it anew.

use super::{
    C, GO, JS, Language, PYTHON, corpus,
    host::{Bench, block_on, built, runtime},
};

/// What of the corpus does not come back as it went in, a line each.
async fn differences(language: &Language) -> Vec<String> {
    let plugin = runtime().load(&built(&language.plugin("echo"))).await.unwrap();
    let mut all = Vec::new();
    for (name, values) in corpus::columns() {
        let batches = corpus::batches(name, &values);
        let mut bench = match Bench::of(&plugin, &batches[0].schema(), "{}").await {
            Ok(bench) => bench,
            Err(e) => {
                all.push(format!("{name}: {}", e.report()));
                continue;
            }
        };
        for batch in batches {
            let rows = batch.num_rows();
            match bench.whole(&batch).await {
                Ok(back) if back == batch => {}
                Ok(back) if back.schema() != batch.schema() => {
                    all.push(format!("{name}: columns {:?}, not {:?}", back.schema(), batch.schema()))
                }
                Ok(back) => {
                    let first = (0..rows.min(back.num_rows()))
                        .find(|row| back.slice(*row, 1) != batch.slice(*row, 1));
                    all.push(format!(
                        "{name}, {rows} rows: {} came back; row {first:?} differs: {:?}",
                        back.num_rows(),
                        first.map(|row| (back.slice(row, 1), batch.slice(row, 1)))
                    ));
                }
                Err(e) => all.push(format!("{name}, {rows} rows: {}", e.report())),
            }
        }
    }
    all
}

#[track_caller]
fn brings_everything_back(language: &Language) {
    let differences = block_on(differences(language));
    assert!(differences.is_empty(), "{}:\n{}", language.name, differences.join("\n"));
}

#[test]
fn go_brings_every_value_of_every_type_back() {
    brings_everything_back(&GO);
}

#[test]
fn javascript_brings_every_value_of_every_type_back() {
    brings_everything_back(&JS);
}

#[test]
fn python_brings_every_value_of_every_type_back() {
    brings_everything_back(&PYTHON);
}

#[test]
fn c_brings_every_value_of_every_type_back() {
    brings_everything_back(&C);
}
