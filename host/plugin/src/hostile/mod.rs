//! What hostile and faulty guests try, and what becomes of it.

mod answers;
mod errors;
mod footprint;
mod functions;
mod guest;
mod keyed;
mod limits;
mod loading;
mod machine;
mod sinks;
mod speech;
mod text;

use crate::{BindSettings, Compiler, OnError, Plugin, PluginStep, Runtime, RuntimeSettings};
use arrow::array::RecordBatch;
use engine::{
    Batch, Clock, Epoch, EpochContext, Error, ManualClock, Place, Step, SystemClock, Timestamp, Worker,
};
use guest::{Guest, input};
use std::sync::Arc;

fn runtime_with(clock: Arc<dyn Clock>) -> Runtime {
    let (compiler, scratch) = (Compiler::InProcess, std::env::temp_dir());
    Runtime::new(RuntimeSettings { cache_dir: None, scratch, compiler, clock }).unwrap()
}

async fn load(runtime: &Runtime, component: &[u8]) -> Result<Plugin, Error> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("guest.wasm");
    std::fs::write(&path, component).unwrap();
    runtime.load(&path).await
}

async fn bound(guest: &Guest, adjust: impl FnOnce(&mut BindSettings)) -> PluginStep {
    bound_with(Arc::new(SystemClock::new()), guest, adjust).await
}

async fn bound_with(
    clock: Arc<dyn Clock>,
    guest: &Guest,
    adjust: impl FnOnce(&mut BindSettings),
) -> PluginStep {
    bound_on(&runtime_with(clock), guest, adjust).await
}

async fn bound_on(runtime: &Runtime, guest: &Guest, adjust: impl FnOnce(&mut BindSettings)) -> PluginStep {
    let plugin = load(runtime, &guest.component()).await.map_err(|e| e.report()).unwrap();
    let mut settings = BindSettings::new("guarded", input());
    adjust(&mut settings);
    plugin.bind(settings).await.map_err(|e| e.report()).unwrap()
}

fn context() -> EpochContext {
    EpochContext { epoch: Epoch(7), now: Timestamp(1_000_000), ..EpochContext::alone("q") }
}

fn batch(values: impl IntoIterator<Item = i64>) -> Batch {
    Batch::read(guest::rows(values), Place::At { of: "a.json".into(), unit: "line", first: 1 })
}

type Out = Vec<(usize, Batch)>;

async fn process(worker: &mut dyn Worker, values: impl IntoIterator<Item = i64>) -> Result<Out, Error> {
    let mut out = Vec::new();
    worker.process(&context(), batch(values), &mut out).await.map(|()| out)
}

/// What comes of one batch in a new worker; an error as its report.
async fn run(step: &PluginStep, values: impl IntoIterator<Item = i64>) -> Result<Out, String> {
    let mut worker = step.worker().await.unwrap();
    process(&mut *worker, values).await.map_err(|e| format!("{:?}: {}", e.kind(), e.report()))
}

async fn failure(guest: &Guest, adjust: impl FnOnce(&mut BindSettings)) -> String {
    run(&bound(guest, adjust).await, 0..64).await.unwrap_err()
}

/// The values of `x` that leave by a port.
fn values(out: &Out, port: usize) -> Vec<i64> {
    let of_port = out.iter().filter(|(index, _)| *index == port);
    of_port.flat_map(|(_, batch)| x(&batch.rows).to_vec()).collect()
}

fn x(rows: &RecordBatch) -> &[i64] {
    use arrow::array::AsArray;
    rows.column(0).as_primitive::<arrow::datatypes::Int64Type>().values()
}

#[tokio::test]
async fn a_harmless_guest_keeps_its_rows_without_a_copy() {
    let step = bound(&Guest::default(), |_| {}).await;
    let mut worker = step.worker().await.unwrap();
    let given = batch(0..1_000);
    let mut out = Vec::new();
    worker.process(&context(), given.clone(), &mut out).await.unwrap();
    let [(0, kept)] = &out[..] else { panic!("{out:?}") };
    assert_eq!(x(&kept.rows).as_ptr(), x(&given.rows).as_ptr());
    assert_eq!(kept.origin.position(999).to_string(), "a.json, line 1000");
    let progress = step.progress();
    assert_eq!((progress.calls, progress.rows_in, progress.rows_out), (1, 1_000, 1_000));
    assert!(step.progress().calls == 0 && progress.peak_memory >= 4 << 16);
}

#[tokio::test]
async fn the_empty_plugin_keeps_every_row_of_any_columns() {
    let plugin =
        runtime_with(Arc::new(SystemClock::new())).empty_plugin().await.map_err(|e| e.report()).unwrap();
    let step = plugin.bind(BindSettings::new("empty", input())).await.map_err(|e| e.report()).unwrap();
    assert_eq!(step.reads(), [0]);
    for rows in [1, 8, 9, 60_000] {
        assert_eq!(values(&run(&step, 0..rows).await.unwrap(), 0), (0..rows).collect::<Vec<_>>());
    }
}

#[test]
fn the_empty_plugin_is_what_its_text_says() {
    let component = guest::component(include_str!("../empty/plugin.wat"));
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/src/empty/plugin.wasm"), &component).unwrap();
    }
    assert!(component == crate::empty::COMPONENT, "run the tests with UPDATE_EXPECT=1, twice, to rewrite it");
}

#[tokio::test]
async fn a_batch_too_large_for_the_guest_is_split() {
    let step = bound(&Guest::default(), |s| s.limits.memory = 1 << 20).await;
    let out = run(&step, 0..100_000).await.unwrap();
    assert_eq!(values(&out, 0), (0..100_000).collect::<Vec<_>>());
    assert!(step.progress().calls >= 6, "each call gets an eighth of 1 MiB at most");
}
