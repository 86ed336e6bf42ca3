//! What a plugin's author does wrong is told in his words and lines, and what his plugin uses it gives back.

use super::{
    C, GO, JS, Language, PYTHON, corpus,
    host::{Bench, block_on, built, keyed, patient, runtime, sink, store},
};
use crate::binary::{ok, root, run, text, write};
use arrow::{
    array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray},
    datatypes::{DataType, Field, Schema, TimeUnit},
};
use connectors::noop::{NoopSettings, NoopSink};
use engine::{Argument, Epoch, EpochContext, Keyed, Sink, Timestamp, keyed::Alone, sql::with_delay};
use plugin::FunctionSettings;
use std::{fs, path::Path, sync::Arc};

/// What the tests of breaks know of a language. `broken` has a source of each kind that breaks in a function `look`.
struct Broken {
    /// Where the source of a plugin is.
    source: &'static str,
    /// A source that has no plugin in it.
    nothing: &'static str,
    /// What is said of that.
    said: &'static str,
}

impl Broken {
    fn of(language: &Language) -> Self {
        let exports_nothing = "the module exports no kind of plugin";
        match language.name {
            "go" => Broken {
                source: "plugin.go",
                nothing: "package main\n\nfunc main() {}\n",
                said: exports_nothing,
            },
            "js" => {
                let (source, nothing) = ("src/plugin.js", "export const nothing = 1;\n");
                Broken { source, nothing, said: "export default" }
            }
            "python" => Broken {
                source: "plugin.py",
                nothing: "nothing = 1\n",
                said: "`plugin` has no plugin: decorate a function with @streamhost.filter",
            },
            _ => {
                let nothing = "int nothing(void) { return 1; }\n";
                Broken { source: "plugin.c", nothing, said: exports_nothing }
            }
        }
    }
}

/// A new plugin with another source.
fn with_source(dir: &Path, language: &Language, source: &str) {
    ok(dir, ["new", "plugin", "broken", "--lang", language.name]);
    write(dir.join("broken").join(Broken::of(language).source), source);
}

/// A pipeline whose plugin, of this kind, breaks on the second of three rows; answers what a report of the break has in it: the
/// message, the function and its line.
fn breaking(dir: &Path, language: &Language, kind: &str) -> [String; 3] {
    let source = Path::new(Broken::of(language).source);
    let extension = source.extension().unwrap().to_str().unwrap();
    let text = root().join("tests/languages/broken").join(format!("{kind}.{extension}"));
    let text = fs::read_to_string(text).unwrap();
    with_source(dir, language, &text);
    let rest = match kind {
        "filter" => {
            "[steps.kept]\nplugin = \"broken\"\non-error = \"dead-letter\"\n\
             [sinks.out]\nfrom = \"kept\"\nfiles = { path = \"out\", format = \"json\" }\n\
             [sinks.bad]\nfrom = \"kept.dead-letter\"\nfiles = { path = \"bad\", format = \"json\" }\n"
        }
        "function" => {
            "[functions.look]\nplugin = \"broken\"\n[steps.seen]\nsql = \"SELECT look(id) AS id FROM ids\"\n\
             [sinks.out]\nfiles = { path = \"out\", format = \"json\" }\n"
        }
        "keyed" => {
            "[steps.seen]\nplugin = \"broken\"\nkeys = [\"id\"]\n\
             [sinks.out]\nfiles = { path = \"out\", format = \"json\" }\n"
        }
        _ => "[sinks.out.plugin]\nplugin = \"broken\"\n",
    };
    let pipeline = "trigger = \"once\"\nrestart = { attempts = 0 }\n[sources.ids]\nschema = \"id BIGINT, n BIGINT\"\n\
         files = { path = \"in\", format = \"json\" }\n";
    write(dir.join("p.toml"), format!("{pipeline}{rest}"));
    write(dir.join("in/a.json"), "{\"id\":1,\"n\":1}\n{\"id\":2,\"n\":1}\n{\"id\":3,\"n\":1}\n");
    let line = text.lines().position(|line| line.contains("no such id")).unwrap() + 1;
    let file = source.file_name().unwrap().to_str().unwrap();
    ["no such id: 2".into(), "look".into(), format!("{file}:{line}")]
}

/// A row that breaks the plugin is in error by itself, and the error has message, file, line and stack.
#[track_caller]
fn a_break_is_told_with_its_place(language: &Language) {
    let dir = tempfile::tempdir().unwrap();
    let words = breaking(dir.path(), language, "filter");
    let output = run(dir.path(), ["run", "p.toml"]);
    assert!(output.status.success(), "{}: {}", language.name, text(&output.stderr));
    let kept = crate::binary::json_lines(&dir.path().join("out"));
    let expected = ["{\"id\":1,\"n\":1}", "{\"id\":3,\"n\":1}"];
    assert_eq!(kept, expected, "{}: {}", language.name, text(&output.stderr));
    let letters = crate::binary::json_lines(&dir.path().join("bad"));
    let letter: serde_json::Value = serde_json::from_str(&letters[0]).unwrap();
    let error = letter["_error"].as_str().unwrap();
    for words in words {
        assert!(error.contains(&words), "{}: {words} in {error}", language.name);
    }
    assert_eq!(letters.len(), 1, "{letters:?}");
}

/// Where a break fails the query, the failure has them.
#[track_caller]
fn a_failure_is_told_with_its_place(language: &Language) {
    for kind in ["function", "keyed", "sink"] {
        let dir = tempfile::tempdir().unwrap();
        let words = breaking(dir.path(), language, kind);
        let output = run(dir.path(), ["run", "p.toml"]);
        let said = text(&output.stderr);
        assert!(!output.status.success(), "{} {kind}: {said}", language.name);
        for words in words {
            assert!(said.contains(&words), "{} {kind}: {words} in {said}", language.name);
        }
    }
}

/// The build says what a source lacks that is no plugin.
#[track_caller]
fn nothing_is_no_plugin(language: &Language) {
    let dir = tempfile::tempdir().unwrap();
    let Broken { nothing, said, .. } = Broken::of(language);
    with_source(dir.path(), language, nothing);
    let output = run(dir.path(), ["build", "broken"]);
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains(said), "{}: {told}", language.name);
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
    for (name, config, batch) in
        [("normalize", "{\"above\":10}", events(500)), ("echo", "{}", corpus::together(|_| true))]
    {
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
    let (early, late) = block_on(memory_of_a_sink(language));
    is_flat(language, "echo-sink", early, late);
    let (early, late) = block_on(memory_of_a_function(language));
    is_flat(language, "echo-function", early, late);
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

async fn memory_of_a_sink(language: &Language) -> (u64, u64) {
    let plugin = runtime().load(&built(&language.plugin("echo-sink"))).await.unwrap();
    let rows = corpus::together(|_| true);
    let nowhere = |_: &str| Ok(Arc::new(NoopSink::new(NoopSettings::default())) as Arc<dyn Sink>);
    let sink = sink(&plugin, &rows.schema(), nowhere).await.unwrap();
    let mut peaks = Vec::new();
    for epoch in 0..5_000 {
        store(&sink, epoch, &rows).await.unwrap();
        peaks.extend(sink.progress().map(|progress| progress.peak_memory));
    }
    (peaks[1_000], peaks[4_999])
}

async fn memory_of_a_function(language: &Language) -> (u64, u64) {
    let plugin = runtime().load(&built(&language.plugin("echo-function"))).await.unwrap();
    let settings = FunctionSettings { limits: patient(), ..FunctionSettings::new("tested") };
    let function = plugin.bind_functions(settings).await.unwrap().function("utf8").unwrap();
    // So many that a collector has run long before the first look.
    let texts = events(500).project(&[1]).unwrap();
    let arguments = [Argument::Column(texts.column(0).clone())];
    let mut peaks = Vec::new();
    for _ in 0..5_000 {
        function.results(&arguments, texts.num_rows(), Timestamp(0)).unwrap();
        peaks.push(function.progress().peak_memory);
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
fn a_failure_in_go_is_told_with_its_place() {
    a_failure_is_told_with_its_place(&GO);
}

#[test]
fn a_failure_in_javascript_is_told_with_its_place() {
    a_failure_is_told_with_its_place(&JS);
}

#[test]
fn a_failure_in_python_is_told_with_its_place() {
    a_failure_is_told_with_its_place(&PYTHON);
}

#[test]
fn a_failure_in_c_is_told_with_its_place() {
    a_failure_is_told_with_its_place(&C);
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
