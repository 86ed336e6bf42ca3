//! What every source and every sink keeps, whatever it is connected to: one check for all of them.

use crate::{
    binary::{command, text, write},
    delta,
    kill::{newest, plain},
};
use arrow::{
    array::{Array, ArrayRef, AsArray, Int32Array, RecordBatch, StringArray},
    datatypes::Int32Type,
};
use parquet::arrow::{ArrowWriter, arrow_reader::ParquetRecordBatchReaderBuilder};
use std::{
    fs::{self, File},
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};
use tests::services::{
    databases::{Database, mariadb, postgres, sqlite},
    kafka::kafka,
    s3::s3,
};

/// A row: `id INT, name STRING`.
type Row = (i32, Option<String>);

/// The rows with these ids. A name may be missing, empty, of other letters, or full of what formats quote.
fn rows(ids: Range<i32>) -> Vec<Row> {
    let name = |id: i32| match id % 5 {
        0 => None,
        1 => Some(format!("Zoë {id} 🚲")),
        2 => Some(format!("a \"quoted\", {id}; it's")),
        3 => Some(format!("a\tb {id}")),
        _ => Some(format!("name {id}")),
    };
    ids.map(|id| (id, name(id))).collect()
}

fn json((id, name): &Row) -> String {
    serde_json::json!({ "id": id, "name": name }).to_string()
}

fn of_json(line: &str) -> Row {
    let row: serde_json::Value = serde_json::from_str(line).unwrap();
    (row["id"].as_i64().unwrap() as i32, row["name"].as_str().map(str::to_owned))
}

/// One end of a pipeline: what stands in the pipeline file, and how a test gets rows in or out at the other side.
struct End<'a, T> {
    tables: String,
    /// Whether rows come out in the order in which they went in, where all are of one partition.
    ordered: bool,
    rows: Box<dyn Fn(T) -> Vec<Row> + 'a>,
}

const SOURCES: [&str; 9] =
    ["json", "csv", "parquet", "s3", "kafka", "delta", "sqlite", "postgres", "mariadb"];

/// Where rows come from: writes those with some ids there.
fn source<'a>(kind: &'a str, folder: &'a Path, test: &'a str) -> End<'a, Range<i32>> {
    let schema = "[sources.rows]\nschema = \"id INT, name STRING\"\n";
    let tables = match kind {
        "kafka" => format!(
            "{schema}[sources.rows.kafka]\nbootstrap-servers = {:?}\ntopic = \"{test}-in\"\nvalue = \"json\"\n",
            kafka().bootstrap()
        ),
        "delta" => "[sources.rows.delta]\npath = \"in\"\n".into(),
        "s3" => format!(
            "{}{schema}[sources.rows.files]\npath = \"s3://test/{}/in\"\nformat = \"json\"\nsettle = \"0s\"\n",
            lake(folder),
            place(folder)
        ),
        "json" | "csv" | "parquet" => {
            let head = if kind == "csv" { "csv = { header = true, escape = \"\\\"\" }\n" } else { "" };
            format!(
                "{schema}[sources.rows.files]\npath = \"in\"\nformat = \"{kind}\"\nsettle = \"0s\"\n{head}"
            )
        }
        _ => format!(
            "{}[sources.rows.sql]\nconnection = \"db\"\ntable = \"{test}_in\"\ncolumn = \"id\"\n",
            database(kind, folder).connection()
        ),
    };
    let rows = move |ids: Range<i32>| {
        let (first, rows) = (ids.start, rows(ids));
        let file = folder.join(format!("in/{first:04}.{kind}"));
        match kind {
            "json" => write(file, rows.iter().map(|row| json(row) + "\n").collect::<String>()),
            "csv" => write(file, "id,name\n".to_owned() + &rows.iter().map(csv).collect::<String>()),
            "parquet" => parquet(&file, &rows),
            "kafka" => {
                if first == 0 {
                    kafka().topic(&format!("{test}-in"), 1);
                }
                kafka().send(&format!("{test}-in"), 0, rows.iter().map(json));
            }
            "delta" => append(&folder.join("in"), &rows),
            "s3" => {
                let lines: String = rows.iter().map(|row| json(row) + "\n").collect();
                delta::on_s3(PUT, &[&format!("test/{}/in/{first:04}.json", place(folder)), &lines]);
            }
            _ => insert(&database(kind, folder), &format!("{test}_in"), &rows),
        }
        rows
    };
    End { tables, ordered: true, rows: Box::new(rows) }
}

const SINKS: [&str; 10] =
    ["json", "csv", "text", "parquet", "s3", "kafka", "delta", "sqlite", "postgres", "mariadb"];

/// Where rows go: answers what is there.
fn sink<'a>(kind: &'a str, folder: &'a Path, test: &'a str) -> End<'a, ()> {
    let tables = match kind {
        "kafka" => {
            kafka().topic(&format!("{test}-out"), 1);
            format!(
                "[sinks.out.kafka]\nbootstrap-servers = {:?}\ntopic = \"{test}-out\"\n",
                kafka().bootstrap()
            )
        }
        "delta" => "[sinks.out.delta]\npath = \"out\"\n".into(),
        "json" | "csv" | "parquet" => format!("[sinks.out.files]\npath = \"out\"\nformat = \"{kind}\"\n"),
        // Of lines with no more than a text.
        "text" => {
            "[steps.lines]\nsql = \"SELECT concat_ws('|', CAST(id AS STRING), name) AS line FROM rows\"\n\
                   [sinks.out.files]\npath = \"out\"\nformat = \"text\"\n"
                .into()
        }
        "s3" => format!(
            "{}[sinks.out.files]\npath = \"s3://test/{}/out\"\nformat = \"json\"\n",
            lake(folder),
            place(folder)
        ),
        _ => format!(
            "{}[sinks.out.sql]\nconnection = \"db\"\ntable = \"{test}_out\"\ncreate = true\n",
            database(kind, folder).connection()
        ),
    };
    let rows = move |()| match kind {
        "json" => lines(folder, kind).iter().map(|line| of_json(line)).collect(),
        "csv" => lines(folder, kind).iter().map(|line| of_csv(line)).collect(),
        "text" => lines(folder, "txt").iter().map(|line| of_cells(line)).collect(),
        "parquet" => in_order(folder, kind).iter().flat_map(|file| of_parquet(file)).collect(),
        "s3" => delta::on_s3(LINES, &[&format!("test/{}/out", place(folder))]).lines().map(of_json).collect(),
        "kafka" => kafka()
            .read(&format!("{test}-out"))
            .iter()
            .map(|of| of_json(of.value.as_ref().unwrap()))
            .collect(),
        "delta" => delta::read(folder.join("out")).iter().map(|line| of_json(line)).collect(),
        // As they lie in the table, which is as they were inserted.
        _ => database(kind, folder)
            .rows(&format!("SELECT id, name FROM {test}_out"))
            .iter()
            .map(|row| of_cells(row))
            .collect(),
    };
    // Who reads a Delta table may read its files in any order.
    End { tables, ordered: kind != "delta", rows: Box::new(rows) }
}

/// The files of a sink in the order of its epochs.
fn in_order(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut files = plain(&folder.join("out"), extension);
    let epoch = |file: &PathBuf| {
        let name = file.file_name().unwrap().to_str().unwrap();
        let before = name.split("-out-").next().unwrap();
        before.rsplit('-').next().unwrap().parse::<u64>().unwrap()
    };
    files.sort_by_key(|file| (epoch(file), file.clone()));
    files
}

fn lines(folder: &Path, extension: &str) -> Vec<String> {
    let texts = in_order(folder, extension).into_iter().map(|file| fs::read_to_string(file).unwrap());
    texts.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>()).collect()
}

/// `id|name`, or without a name.
fn of_cells(row: &str) -> Row {
    let (id, name) = row.split_once('|').unwrap_or((row, "NULL"));
    (id.parse().unwrap(), Some(name.to_owned()).filter(|name| name != "NULL"))
}

/// A line as Spark writes it: a quote in a value has a backslash before it.
fn of_csv(line: &str) -> Row {
    let (id, name) = line.split_once(',').unwrap();
    let quoted = name.strip_prefix('"').and_then(|name| name.strip_suffix('"'));
    let name = quoted.map_or(name.to_owned(), |name| name.replace("\\\"", "\""));
    (id.parse().unwrap(), Some(name).filter(|name| !name.is_empty()))
}

/// `[connections]` and `[secrets]` that lead to the S3 server, with nothing in the environment.
fn lake(folder: &Path) -> String {
    let mut options = String::new();
    for (name, value) in s3().environment() {
        match name {
            "AWS_SECRET_ACCESS_KEY" => {
                write(folder.join("key"), value);
                options += &format!("{name} = \"secret:lake\"\n");
            }
            _ => options += &format!("{name} = {value:?}\n"),
        }
    }
    format!(
        "[connections.lake]\nurl = \"s3://test\"\n[connections.lake.options]\n{options}[secrets]\nlake = {{ file = \"key\" }}\n"
    )
}

/// Where the objects of a test are.
fn place(folder: &Path) -> &str {
    folder.file_name().unwrap().to_str().unwrap().trim_start_matches('.')
}

const PUT: &str = "
with store.open_output_stream(sys.argv[1]) as out:
    out.write(sys.argv[2].encode())
";

const LINES: &str = "
from pyarrow.fs import FileSelector
files = [file.path for file in store.get_file_info(FileSelector(sys.argv[1])) if file.path.endswith('.json')]
epoch = lambda path: int(path.split('-out-')[0].rsplit('-', 1)[1])
for path in sorted(files, key=lambda path: (epoch(path), path)):
    print(store.open_input_stream(path).read().decode(), end='')
";

fn database(kind: &str, folder: &Path) -> Database {
    match kind {
        "sqlite" => sqlite(&folder.join("rows.db")),
        "postgres" => postgres(),
        _ => mariadb(),
    }
}

fn csv((id, name): &Row) -> String {
    let name = name.as_ref().map(|name| format!("\"{}\"", name.replace('"', "\"\"")));
    format!("{id},{}\n", name.unwrap_or_default())
}

fn insert(database: &Database, table: &str, rows: &[Row]) {
    database.run(&format!("CREATE TABLE IF NOT EXISTS {table} (id INT, name {})", database.text()));
    let literal = |name: &str| format!("'{}'", name.replace('\'', "''"));
    let values =
        rows.iter().map(|(id, name)| format!("({id}, {})", name.as_deref().map_or("NULL".into(), literal)));
    database.run(&format!("INSERT INTO {table} VALUES {}", values.collect::<Vec<_>>().join(", ")));
}

const APPEND: &str = "
import json, sys, pyarrow as pa
from deltalake import write_deltalake
rows = json.loads(sys.argv[2])
columns = {'id': pa.array([row[0] for row in rows], pa.int32()), 'name': pa.array([row[1] for row in rows], pa.string())}
write_deltalake(sys.argv[1], pa.table(columns), mode='append')
";

fn append(table: &Path, rows: &[Row]) {
    delta::py(APPEND, &[table.to_str().unwrap(), &serde_json::to_string(rows).unwrap()], &[]);
}

fn parquet(file: &Path, rows: &[Row]) {
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    let ids: ArrayRef = Arc::new(Int32Array::from_iter_values(rows.iter().map(|(id, _)| *id)));
    let names: ArrayRef = Arc::new(StringArray::from_iter(rows.iter().map(|(_, name)| name.as_deref())));
    let batch = RecordBatch::try_from_iter_with_nullable([("id", ids, true), ("name", names, true)]).unwrap();
    let mut writer = ArrowWriter::try_new(File::create(file).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

fn of_parquet(file: &Path) -> Vec<Row> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(file).unwrap());
    let mut rows = Vec::new();
    for batch in reader.unwrap().build().unwrap().map(Result::unwrap) {
        let (ids, names) = (batch.column(0).as_primitive::<Int32Type>(), batch.column(1).as_string::<i32>());
        rows.extend(
            (0..batch.num_rows())
                .map(|row| (ids.value(row), names.is_valid(row).then(|| names.value(row).to_owned()))),
        );
    }
    rows
}

/// Runs the query of a folder to its end; answers the progress of its epochs.
fn run(folder: &Path) -> Vec<serde_json::Value> {
    let output = command(folder, ["run", "pipeline.toml", "--progress", "json"]).output().unwrap();
    let said = text(&output.stderr);
    assert!(output.status.success(), "{said}");
    said.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// The sum of a figure over epochs.
fn sum(progress: &[serde_json::Value], figure: &str) -> i64 {
    progress.iter().map(|epoch| epoch.pointer(figure).and_then(serde_json::Value::as_i64).unwrap()).sum()
}

/// What every pair of a source and a sink keeps.
fn complies(from: &str, to: &str) {
    let (folder, test) = (tempfile::tempdir().unwrap(), format!("comply_{from}_{to}"));
    let folder = folder.path();
    let (source, sink) = (source(from, folder, &test), sink(to, folder, &test));
    let pair = format!("{from} to {to}");
    eprintln!("{pair}");
    let head = "trigger = \"available-now\"\ncheckpoint = \"checkpoint\"\nparallelism = 1\n";
    write(folder.join("pipeline.toml"), format!("{head}{}{}", source.tables, sink.tables));
    let stored = |expected: &[Row], when: &str| {
        let mut stored = (sink.rows)(());
        if !(source.ordered && sink.ordered) {
            stored.sort();
        }
        assert_eq!(stored, expected, "{pair}, {when}");
    };

    // Rows go in, and come out as they were; in the order of their partition, where the sink has an order.
    let mut expected = (source.rows)(0..100);
    let progress = run(folder);
    stored(&expected, "first run");
    // The progress counts them.
    assert_eq!(sum(&progress, "/numInputRows"), 100, "{pair}: {progress:?}");
    assert_eq!(sum(&progress, "/sink/numOutputRows"), 100, "{pair}: {progress:?}");
    // Without new rows nothing is stored again.
    let progress = run(folder);
    assert_eq!(
        progress.iter().map(|epoch| epoch["numInputRows"].as_i64().unwrap()).sum::<i64>(),
        0,
        "{pair}"
    );
    stored(&expected, "run without new rows");
    // A query goes on where it was.
    expected.extend((source.rows)(100..150));
    let progress = run(folder);
    assert_eq!(sum(&progress, "/numInputRows"), 50, "{pair}: {progress:?}");
    stored(&expected, "resumed");
    // An epoch whose commit was not recorded is read again as it was, and is stored once.
    let newest = newest(folder, "commits").unwrap();
    fs::remove_file(folder.join("checkpoint/commits").join(newest.to_string())).unwrap();
    run(folder);
    stored(&expected, "replayed");
}

#[test]
fn every_source_keeps_what_a_source_promises() {
    SOURCES.iter().for_each(|source| complies(source, "json"));
}

#[test]
fn every_sink_keeps_what_a_sink_promises() {
    SINKS.iter().for_each(|sink| complies("json", sink));
}
