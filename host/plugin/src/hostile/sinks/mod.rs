//! What guests try that are the sink of epochs, and what becomes of the epochs.

mod abuse;
mod epochs;

use super::*;
use crate::{BoundSink, Grant, PluginSink, SinkSettings, ipc};
use arrow::{
    array::AsArray,
    datatypes::{DataType, Field, Int64Type, Schema, SchemaRef},
};
use async_trait::async_trait;
use engine::{
    Begin, Begun, EpochWriter, Guarantee, Kind, OutputMode, Partition, QueryId, Result as Done, Sink, Token,
};
use futures::FutureExt;
use std::{
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

/// A sink that passes all rows on to its output `out`; a test replaces what it does.
///
/// Snippets may use `(call $next)`, which answers whether there is a batch, whose address is then at
/// 644 and its size at 648; and `(call $write_to i32 name, i32 its size, i32 rows, i32 their size)`, which answers whether it failed.
struct Attack {
    top: String,
    process: String,
    /// The outputs it names.
    outputs: Vec<&'static str>,
}

const PASS_ON: &str = "
    (block $done (loop $more
      (br_if $done (i32.eqz (call $next)))
      (drop (call $write_to (i32.const 524) (i32.const 3) (i32.load (i32.const 644)) (i32.load (i32.const 648))))
      (br $more)))";
const IDLE: &str = "(nop)";

impl Attack {
    fn new(process: &str) -> Self {
        Attack { top: String::new(), process: process.into(), outputs: vec!["out"] }
    }

    fn component(&self) -> Vec<u8> {
        let schema = ipc::encode_schema(&input()).unwrap();
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("\\{byte:02x}")).collect::<String>();
        let (mut list, mut names) = (Vec::new(), String::new());
        for name in &self.outputs {
            for number in [2_000 + names.len(), name.len(), 1_024, schema.len()] {
                list.extend((number as u32).to_le_bytes());
            }
            names.push_str(name);
        }
        let (schema, list, count) = (hex(&schema), hex(&list), self.outputs.len());
        let Attack { top, process, .. } = self;
        guest::sink_component(&format!(
            r#"(module
  (import "streamhost:plugin/epoch@0.9.0" "next-rows" (func $host_next (param i32)))
  (import "streamhost:plugin/outputs@0.9.0" "write" (func $host_write (param i32 i32 i32 i32 i32)))
  (import "streamhost:plugin/outputs@0.9.0" "execute"
    (func $host_execute (param i32 i32 i32 i32 i32 i32 i32 i32 i32)))
  {top}
  (memory (export "memory") 8)
  (global $heap (mut i32) (i32.const 65536))
  (data (i32.const 512) "hostile0.0.1outnope")
  (data (i32.const 1024) "{schema}")
  (data (i32.const 1900) "{list}")
  (data (i32.const 2000) "{names}")
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $heap) (i32.const 15)) (i32.const -16)))
    (global.set $heap (i32.add (local.get $at) (local.get 3)))
    (local.get $at))
  (func $next (result i32)
    (global.set $heap (i32.const 65536))
    (call $host_next (i32.const 640))
    (i32.load8_u (i32.const 640)))
  (func $write_to (param i32 i32 i32 i32) (result i32)
    (call $host_write (local.get 0) (local.get 1) (local.get 2) (local.get 3) (i32.const 704))
    (i32.load8_u (i32.const 704)))
  (func (export "streamhost:plugin/plugin@0.9.0#describe") (result i32)
    (i32.store (i32.const 256) (i32.const 512)) (i32.store (i32.const 260) (i32.const 7))
    (i32.store (i32.const 264) (i32.const 519)) (i32.store (i32.const 268) (i32.const 5))
    (i32.const 256))
  (func (export "streamhost:plugin/plugin@0.9.0#bind") (param i32 i32 i32 i32 i32 i32 i32) (result i32)
    (i32.store8 (i32.const 336) (i32.const 2))
    (i32.store (i32.const 348) (i32.const 1900)) (i32.store (i32.const 352) (i32.const {count}))
    (i32.const 320))
  (func (export "streamhost:plugin/foreach-batch@0.9.0#process")
    (param i32 i32 i64 i32 i32 i32 i64 i64) (result i32)
    (memory.fill (i32.const 384) (i32.const 0) (i32.const 64))
    {process}
    (i32.const 384)))"#
        ))
    }
}

/// An output in memory.
#[derive(Clone, Default)]
struct Store(Arc<Stored>);

#[derive(Default)]
struct Stored {
    rows: Mutex<Vec<i64>>,
    epochs: Mutex<Vec<u64>>,
    /// Writers that are neither committed nor dropped.
    open: AtomicUsize,
    full: AtomicBool,
    names: Mutex<Vec<String>>,
}

struct Writer {
    store: Store,
    epoch: u64,
    rows: Mutex<Vec<i64>>,
}

impl Store {
    fn rows(&self) -> Vec<i64> {
        self.0.rows.lock().unwrap().clone()
    }
}

#[async_trait]
impl Sink for Store {
    fn accepts(&self, _: OutputMode, _: &SchemaRef) -> Done<Guarantee> {
        Ok(Guarantee::ExactlyOnce)
    }

    async fn open(&self, _: &QueryId, name: &str) -> Done<()> {
        self.0.names.lock().unwrap().push(name.into());
        Ok(())
    }

    async fn begin(&self, begin: &Begin) -> Done<Begun> {
        self.0.names.lock().unwrap().push(begin.sink.clone());
        if self.0.epochs.lock().unwrap().contains(&begin.epoch.0) {
            return Ok(Begun::Stored(Token("stored".into())));
        }
        self.0.open.fetch_add(1, Relaxed);
        let (store, epoch) = (self.clone(), begin.epoch.0);
        Ok(Begun::Writer(Box::new(Writer { store, epoch, rows: Mutex::default() })))
    }
}

#[async_trait]
impl EpochWriter for Writer {
    async fn write(&self, _: Partition, rows: RecordBatch) -> Done<()> {
        if self.store.0.full.load(Relaxed) {
            return Err(Error::new(Kind::Unavailable, "the disk is full"));
        }
        self.rows.lock().unwrap().extend(rows.column(0).as_primitive::<Int64Type>().values());
        Ok(())
    }

    async fn commit(self: Box<Self>) -> Done<Token> {
        self.store.0.rows.lock().unwrap().append(&mut self.rows.lock().unwrap());
        self.store.0.epochs.lock().unwrap().push(self.epoch);
        Ok(Token("written".into()))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.store.0.open.fetch_sub(1, Relaxed);
    }
}

async fn bound_sink(clock: Arc<dyn Clock>, component: &[u8]) -> BoundSink {
    let plugin = load(&runtime_with(clock), component).await.map_err(|e| e.report()).unwrap();
    let mut settings = SinkSettings::new("audit", input());
    settings.limits.cpu_per_call = Duration::from_millis(500);
    settings.limits.output_bytes = 1 << 20;
    settings.limits.output_rows = 10_000;
    plugin.bind_sink(settings).await.map_err(|e| e.report()).unwrap()
}

fn grants(bound: &BoundSink, stores: &[&Store]) -> Vec<Grant> {
    let grant = |(port, store): (&engine::Port, &&Store)| Grant {
        name: port.name.clone(),
        description: "Store".into(),
        mode: OutputMode::Append,
        sink: Arc::new((*store).clone()),
    };
    bound.outputs().iter().zip(stores).map(grant).collect()
}

async fn sink_with(clock: Arc<dyn Clock>, attack: &Attack, stores: &[&Store]) -> PluginSink {
    let bound = bound_sink(clock, &attack.component()).await;
    let grants = grants(&bound, stores);
    bound.grant(grants).map_err(|e| e.report()).unwrap()
}

async fn sink(attack: &Attack, store: &Store) -> PluginSink {
    sink_with(Arc::new(SystemClock::new()), attack, &[store]).await
}

fn epoch(number: u64) -> Begin {
    Begin::of("q", "audit", number, input())
}

async fn writer(sink: &PluginSink, number: u64) -> Box<dyn EpochWriter> {
    match sink.begin(&epoch(number)).await.map_err(|e| e.report()).unwrap() {
        Begun::Writer(writer) => writer,
        Begun::Stored(token) => panic!("stored already: {token:?}"),
    }
}

/// Writes two batches as an epoch.
async fn store(sink: &PluginSink, number: u64) -> Result<Token, Error> {
    let writer = writer(sink, number).await;
    writer.write(Partition(0), guest::rows(0..5)).await?;
    writer.write(Partition(0), guest::rows(5..8)).await?;
    writer.commit().await
}

/// How an epoch fails; nothing of it may be there, and the sink has let go of it.
async fn failure(attack: &Attack) -> String {
    let place = Store::default();
    let sink = sink(attack, &place).await;
    let error = store(&sink, 7).await.expect_err("an epoch that cannot be stored");
    assert_eq!(place.rows(), [0; 0]);
    assert_eq!(place.0.open.load(Relaxed), 0);
    let said = format!("{:?}: {}", error.kind(), error.report());
    said.strip_prefix("Plugin: plugin hostile 0.0.1: ").map_or(said.clone(), str::to_owned)
}
