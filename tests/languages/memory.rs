//! What a plugin uses it gives back.

use super::{
    C, GO, JS, Language, PYTHON, corpus,
    host::{Bench, block_on, built, keyed, patient, runtime, sink, store},
};
use arrow::{
    array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray},
    datatypes::{DataType, Field, Schema, TimeUnit},
};
use connectors::noop::{NoopSettings, NoopSink};
use engine::{Argument, Epoch, EpochContext, Keyed, Sink, Timestamp, keyed::Alone, sql::with_delay};
use plugin::FunctionSettings;
use std::sync::Arc;

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

fn visits() -> RecordBatch {
    let users = Int64Array::from_iter_values((0..40).map(|row| row % 20));
    let times = TimestampMicrosecondArray::from_iter_values((0..40).map(|row| row * 1_000_000));
    let at = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let fields = vec![Field::new("user", DataType::Int64, true), Field::new("at", at, true)];
    let columns: Vec<ArrayRef> = vec![Arc::new(users), Arc::new(times.with_timezone("UTC"))];
    RecordBatch::try_new(Arc::new(with_delay(&Schema::new(fields), "at", 0)), columns).unwrap()
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
