//! What a plugin's author does wrong is told in his words and lines, and what his plugin uses it gives back.

use super::{
    C, GO, JS, Language, PYTHON, corpus,
    host::{Bench, block_on, built, keyed, runtime},
};
use crate::binary::{ok, run, text, write};
use arrow::{
    array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray},
    datatypes::{DataType, Field, Schema, TimeUnit},
};
use engine::{Epoch, EpochContext, Keyed, keyed::Alone, sql::with_delay};
use std::{path::Path, sync::Arc};

/// The sources of a plugin that breaks, by language: where its source is, one that breaks on a row, on which line it does so, and
/// one that has no plugin in it.
struct Broken {
    language: &'static str,
    source: &'static str,
    breaks: &'static str,
    /// What a report of the break has in it, beside the message.
    place: &'static str,
    /// A function that was being called.
    function: &'static str,
    nothing: &'static str,
    /// What is said of the source that has no plugin.
    said: &'static str,
}

const BROKEN: [Broken; 4] = [
    Broken {
        language: "go",
        source: "plugin.go",
        breaks: r#"package main

import (
	"fmt"

	"streamhost/stateless"
)

type event struct{ ID int64 }

func init() { stateless.FilterRows(keep) }

func main() {}

func keep(e event) bool {
	if e.ID == 2 {
		panic(fmt.Sprintf("no such id: %d", e.ID))
	}
	return true
}
"#,
        place: "plugin.go:17",
        function: "keep",
        nothing: "package main\n\nfunc main() {}\n",
        said: "the module exports no kind of plugin",
    },
    Broken {
        language: "js",
        source: "src/plugin.js",
        breaks: r#"import { filter, t } from "streamhost-sdk";

function look(id) {
  if (id === 2n) throw new TypeError(`no such id: ${id}`);
  return true;
}

export default filter({
  row: { id: t.bigint },
  each: ({ id }) => look(id),
});
"#,
        place: "plugin.js:4",
        function: "look",
        nothing: "export const nothing = 1;\n",
        said: "export default",
    },
    Broken {
        language: "python",
        source: "plugin.py",
        breaks: r#"from dataclasses import dataclass

import streamhost


@dataclass
class Event:
    id: int


def look(id: int) -> bool:
    if id == 2:
        raise KeyError(f"no such id: {id}")
    return True


@streamhost.filter
def keep(event: Event) -> bool:
    return look(event.id)
"#,
        place: "plugin.py:13",
        function: "look",
        nothing: "nothing = 1\n",
        said: "`plugin` has no plugin: decorate a function with @streamhost.filter",
    },
    Broken {
        language: "c",
        source: "plugin.c",
        breaks: r#"#include <assert.h>
#include <streamhost.h>

static bool keep(const sh_row *event) {
  assert(sh_get_int(event, 0) != 2 && "no such id: 2");
  return true;
}

STREAMHOST_FILTER(keep, .reads = "id BIGINT NOT NULL");
"#,
        place: "plugin.c:5",
        function: "keep, called by ",
        nothing: "int nothing(void) { return 1; }\n",
        said: "the module exports no kind of plugin",
    },
];

fn broken(language: &str) -> &'static Broken {
    BROKEN.iter().find(|broken| broken.language == language).unwrap()
}

/// A new plugin with another source.
fn with_source(dir: &Path, broken: &Broken, source: &str) {
    ok(dir, ["new", "plugin", "broken", "--lang", broken.language]);
    write(dir.join("broken").join(broken.source), source);
}

/// A row that breaks the plugin is in error by itself, and the error has message, file, line and stack.
#[track_caller]
fn a_break_is_told_with_its_place(language: &Language) {
    let dir = tempfile::tempdir().unwrap();
    let broken = broken(language.name);
    with_source(dir.path(), broken, broken.breaks);
    write(
        dir.path().join("p.toml"),
        "trigger = \"once\"\n[sources.ids]\nschema = \"id BIGINT\"\nfiles = { path = \"in\", format = \"json\" }\n\
         [steps.kept]\nplugin = \"broken\"\non-error = \"dead-letter\"\n\
         [sinks.out]\nfrom = \"kept\"\nfiles = { path = \"out\", format = \"json\" }\n\
         [sinks.bad]\nfrom = \"kept.dead-letter\"\nfiles = { path = \"bad\", format = \"json\" }\n",
    );
    write(dir.path().join("in/a.json"), "{\"id\":1}\n{\"id\":2}\n{\"id\":3}\n");
    let output = run(dir.path(), ["run", "p.toml"]);
    assert!(output.status.success(), "{}: {}", broken.language, text(&output.stderr));
    let kept = crate::binary::json_lines(&dir.path().join("out"));
    assert_eq!(kept, ["{\"id\":1}", "{\"id\":3}"], "{}: {}", broken.language, text(&output.stderr));
    let letters = crate::binary::json_lines(&dir.path().join("bad"));
    let letter: serde_json::Value = serde_json::from_str(&letters[0]).unwrap();
    let error = letter["_error"].as_str().unwrap();
    for words in ["no such id: 2", broken.place, broken.function] {
        assert!(error.contains(words), "{}: {words} in {error}", broken.language);
    }
    assert_eq!(letters.len(), 1, "{letters:?}");
}

/// The build says what a source lacks that is no plugin.
#[track_caller]
fn nothing_is_no_plugin(language: &Language) {
    let dir = tempfile::tempdir().unwrap();
    let broken = broken(language.name);
    with_source(dir.path(), broken, broken.nothing);
    let output = run(dir.path(), ["build", "broken"]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains(broken.said), "{}: {said}", broken.language);
}

fn events(rows: usize) -> RecordBatch {
    let ids = Int64Array::from_iter_values(0..rows as i64);
    let texts: StringArray = (0..rows).map(|row| (row % 5 > 0).then(|| format!("text {row}"))).collect();
    let values = Float64Array::from_iter((0..rows).map(|row| (row % 7 > 0).then_some(row as f64)));
    let fields = vec![
        Field::new("id", DataType::Int64, true),
        Field::new("text", DataType::Utf8, true),
        Field::new("value", DataType::Float64, true),
    ];
    let columns: Vec<ArrayRef> = vec![Arc::new(ids), Arc::new(texts), Arc::new(values)];
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
}

/// After 5,000 batches an instance has the memory that it had after 1,000, but for an eighth: a collector lets its heap settle.
#[track_caller]
fn memory_is_flat(language: &Language) {
    for (name, config, batch) in [("normalize", "{\"above\":10}", events(500)), ("echo", "{}", corpus::together(|_| true))] {
        let (early, late) = block_on(async {
            let plugin = runtime().load(&built(&language.plugin(name))).await.unwrap();
            let mut bench = Bench::of(&plugin, &batch.schema(), config).await.unwrap();
            let mut early = 0;
            for call in 0..5_000 {
                bench.call(&batch).await.unwrap();
                if call == 1_000 {
                    early = bench.progress().peak_memory;
                }
            }
            (early, bench.progress().peak_memory)
        });
        is_flat(language, name, early, late);
    }
    let (early, late) = block_on(memory_with_state(language));
    is_flat(language, "sessionize", early, late);
}

#[track_caller]
fn is_flat(language: &Language, name: &str, early: u64, late: u64) {
    assert!(late <= early + early / 8, "{} {name}: {early} bytes, then {late}", language.name);
}

/// Of a plugin with state, whose keys come again in each of 5,000 epochs.
async fn memory_with_state(language: &Language) -> (u64, u64) {
    let plugin = runtime().load(&built(&language.plugin("sessionize"))).await.unwrap();
    let rows = visits();
    let config = r#"{"time":"at","gap":"1m"}"#;
    let step = keyed(&plugin, &rows.schema(), config, &["user"]).await.unwrap();
    let mut alone = Alone::new(step.clone());
    let mut peaks = Vec::new();
    for epoch in 0..5_000 {
        let cx = EpochContext { epoch: Epoch(epoch), ..EpochContext::alone("tested") };
        alone.epoch(&cx, &rows).await.unwrap();
        peaks.extend(Keyed::progress(&*step).map(|progress| progress.peak_memory));
    }
    (peaks[1_000], peaks[4_999])
}

fn visits() -> RecordBatch {
    let users = Int64Array::from_iter_values((0..40).map(|row| row % 20));
    let times = TimestampMicrosecondArray::from_iter_values((0..40).map(|row| row * 1_000_000));
    let at = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let fields = vec![Field::new("user", DataType::Int64, true), Field::new("at", at, true)];
    let columns: Vec<ArrayRef> = vec![Arc::new(users), Arc::new(times.with_timezone("UTC"))];
    RecordBatch::try_new(Arc::new(with_delay(&Schema::new(fields), "at", 0)), columns).unwrap()
}

#[test]
fn a_panic_in_go_is_told_with_its_place() {
    a_break_is_told_with_its_place(&GO);
}

#[test]
fn an_exception_in_javascript_is_told_with_its_place() {
    a_break_is_told_with_its_place(&JS);
}

#[test]
fn an_exception_in_python_is_told_with_its_place() {
    a_break_is_told_with_its_place(&PYTHON);
}

#[test]
fn an_assertion_in_c_is_told_with_its_place() {
    a_break_is_told_with_its_place(&C);
}

#[test]
fn a_source_in_go_without_a_plugin_is_told() {
    nothing_is_no_plugin(&GO);
}

#[test]
fn a_source_in_javascript_without_a_plugin_is_told() {
    nothing_is_no_plugin(&JS);
}

#[test]
fn a_source_in_python_without_a_plugin_is_told() {
    nothing_is_no_plugin(&PYTHON);
}

#[test]
fn a_source_in_c_without_a_plugin_is_told() {
    nothing_is_no_plugin(&C);
}

#[test]
fn memory_in_go_is_flat_over_5_000_batches() {
    memory_is_flat(&GO);
}

#[test]
fn memory_in_javascript_is_flat_over_5_000_batches() {
    memory_is_flat(&JS);
}

#[test]
fn memory_in_python_is_flat_over_5_000_batches() {
    memory_is_flat(&PYTHON);
}

#[test]
fn memory_in_c_is_flat_over_5_000_batches() {
    memory_is_flat(&C);
}
