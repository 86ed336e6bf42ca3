//! The chapters about the pipeline file and connectors: each pipeline in them is one that `check` finds nothing wrong with, and each setting has its row.

use crate::binary::{command, ok, plugin, root, text, write};
use pipeline::settings::{Pipeline, json_schema};
use std::{fs, os::unix::fs::symlink};
use tests::services::databases::sqlite;

/// A chapter, and whose settings its tables list.
const CHAPTERS: [(&str, &[&str]); 9] = [
    (
        "host/pipeline/src/pipeline.md",
        &[
            "Source",
            "Watermark",
            "SocketSettings",
            "StdinSettings",
            "RateSettings",
            "Function",
            "Step",
            "DropDuplicates",
            "Retry",
            "Sink",
            "MemorySettings",
            "ConsoleSettings",
            "StdoutSettings",
            "Test",
            "Limits",
        ],
    ),
    (
        "host/connectors/src/kafka/README.md",
        &["KafkaSettings", "MinRows", "RegistrySettings", "KafkaSinkSettings"],
    ),
    (
        "host/connectors/src/delta/README.md",
        &["DeltaSettings", "DeltaSinkSettings", "Compact", "Vacuum", "DeltaTableSettings"],
    ),
    (
        "host/connectors/src/sql/README.md",
        &["SqlSinkSettings", "SqlSourceSettings", "SqlTableSettings", "AuditSettings"],
    ),
    (
        "host/connectors/src/files/README.md",
        &["FilesSettings", "CsvInput", "FileSinkSettings", "MaxFile", "CsvOutput", "JsonOutput"],
    ),
    ("host/connectors/src/stores/README.md", &[]),
    ("host/pipeline/src/secrets.md", &["ConnectionSettings", "SecretPlace"]),
    ("host/pipeline/src/foreach_batch.md", &["PluginSink"]),
    ("host/pipeline/src/dead_letters.md", &[]),
];

/// What the secrets of the chapters are: a key of Azure has to be base64.
const SECRET: &str = "c2VjcmV0";
const SECRETS: [&str; 4] = ["KAFKA_PASSWORD", "WAREHOUSE_PASSWORD", "LAKE_KEY", "TOKEN"];

/// What the pipelines of the chapters read, and the plugins that they name.
fn place() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path();
    write(
        folder.join("in/1.json"),
        "{\"id\":1,\"customer\":7,\"amount\":9.5,\"at\":\"2025-03-01T12:00:00Z\"}\n",
    );
    write(folder.join("customers.csv"), "id,name\n7,Ann\n");
    write(folder.join("secrets/lake"), SECRET);
    for name in ["json-extract", "route-by-date", "upsert-latest"] {
        symlink(plugin(name), folder.join(format!("{name}.wasm"))).unwrap();
    }
    sqlite(&folder.join("shop.db")).run(
        "CREATE TABLE orders (id INTEGER PRIMARY KEY, customer INT, amount DOUBLE); \
         CREATE TABLE customers (id INT, name TEXT)",
    );
    write(
        folder.join("orders.toml"),
        "trigger = \"once\"\n[sources.orders]\nschema = \"id INT, customer INT, amount DOUBLE, at TIMESTAMP\"\n\
         [sources.orders.files]\npath = \"in\"\nformat = \"json\"\n\
         [sinks.orders.delta]\npath = \"orders\"\nproperties = { \"delta.enableChangeDataFeed\" = \"true\" }\n",
    );
    ok(folder, ["run", "orders.toml"]);
    dir
}

fn read(chapter: &str) -> String {
    fs::read_to_string(root().join(chapter)).unwrap()
}

/// The blocks of TOML in a text, each with the number of the line that it begins with.
fn blocks(text: &str) -> Vec<(usize, &str)> {
    let block = |(at, fence): (usize, &str)| {
        let start = at + fence.len();
        let (block, _) = text[start..].split_once("```").expect("a block without an end");
        (text[..start].lines().count() + 1, block)
    };
    text.match_indices("```toml\n").map(block).collect()
}

/// Whether a block is a pipeline, and not a part of one.
fn is_whole(block: &str) -> bool {
    ["[sources.", "[sinks."].iter().all(|table| block.lines().any(|line| line.starts_with(table)))
}

#[test]
fn check_finds_nothing_wrong_with_the_pipelines_of_the_chapters() {
    let dir = place();
    for (chapter, _) in CHAPTERS {
        let written = read(chapter);
        let blocks = blocks(&written);
        assert!(blocks.iter().any(|(_, block)| is_whole(block)), "{chapter} has no pipeline");
        for (line, block) in blocks {
            // A part of a pipeline has no key that there is not, either.
            let parsed = toml::from_str::<Pipeline>(block).map(drop);
            assert!(parsed.is_ok(), "{chapter}:{line}: {parsed:?}");
            if is_whole(block) {
                write(dir.path().join("pipeline.toml"), block);
                let mut check = command(dir.path(), ["check", "pipeline.toml"]);
                let output = check.envs(SECRETS.map(|name| (name, SECRET))).output().unwrap();
                assert!(output.status.success(), "{chapter}:{line}: {}", text(&output.stderr));
            }
        }
    }
}

#[test]
fn every_setting_has_a_row_in_its_chapter() {
    let schema: serde_json::Value = serde_json::from_str(&json_schema().unwrap()).unwrap();
    for (chapter, owners) in CHAPTERS {
        let written = read(chapter);
        for owner in owners {
            let settings = schema["$defs"][*owner]["properties"].as_object();
            for setting in settings.unwrap_or_else(|| panic!("there is no {owner}")).keys() {
                assert!(written.contains(&format!("\n| `{setting}` |")), "{chapter}: {owner}: {setting}");
            }
        }
    }
}
