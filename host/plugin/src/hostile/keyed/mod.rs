//! What guests try that keep state by key, and what becomes of the state.

mod answers;
mod migrations;
mod refusals;
mod tables;

use super::*;
use crate::{KeyedPlugin, KeyedSettings, ipc};
use arrow::{
    array::{ArrayRef, AsArray, Int64Array, RecordBatchOptions, UInt32Array},
    datatypes::{DataType, Field, Int64Type, Schema, SchemaRef},
};
use engine::{Keyed as _, Kind, keyed::Alone};

/// What a guest says of one of its tables.
#[derive(Clone)]
struct Said {
    name: String,
    /// 0 is a value, 1 a sequence, 2 a mapping of the second schema.
    kind: (u8, Vec<u8>),
    value: Vec<u8>,
    ttl_ms: Option<u64>,
    version: u32,
}

/// A plugin with a value table `t (v BIGINT)`, which puts out the entries that the keys of a call have in it, and puts 7 for the first
/// of them; a test replaces what it does.
///
/// What it does first in the epoch with number 1 is the attack. Snippets may use the locals `$epoch`; `$keys` and `$keys_size`, `$starts` and
/// `$groups`, `$rows` and `$size`; functions are those of the world with `host_` in front, `(call $table)`, which opens `t`, and
/// `(call $pass_on)`, which makes what the host answered at 640 the answer, which is at 384.
#[derive(Clone)]
struct Attack {
    top: String,
    on_bind: String,
    on_tables: String,
    attack: String,
    fired: String,
    migrate: String,
    tables: Vec<Said>,
    /// The schema of what leaves.
    output: Schema,
    /// What is at 32768 and behind, each at the next multiple of 4096.
    blobs: Vec<Vec<u8>>,
}

fn of(fields: &[(&str, DataType)]) -> Schema {
    Schema::new(fields.iter().map(|(name, of)| Field::new(*name, of.clone(), true)).collect::<Vec<_>>())
}

fn value_of(name: &str, fields: &[(&str, DataType)]) -> Said {
    let value = ipc::encode_schema(&of(fields)).unwrap();
    Said { name: name.into(), kind: (0, Vec::new()), value, ttl_ms: None, version: 1 }
}

/// `t (v BIGINT)`.
fn value() -> Said {
    value_of("t", &[("v", DataType::Int64)])
}

/// The columns of the entries of `t`.
fn entry() -> SchemaRef {
    let key = Field::new("key", DataType::UInt32, false);
    Arc::new(Schema::new(vec![key, Field::new("v", DataType::Int64, true)]))
}

/// Entries of `t` as a message.
fn entries(of: &[(u32, i64)]) -> Vec<u8> {
    let keys = UInt32Array::from_iter_values(of.iter().map(|(key, _)| *key));
    let values = Int64Array::from_iter_values(of.iter().map(|(_, value)| *value));
    message(&entry(), vec![Arc::new(keys), Arc::new(values)])
}

fn message(schema: &SchemaRef, columns: Vec<ArrayRef>) -> Vec<u8> {
    let rows = columns.first().map(|column| column.len());
    let options = RecordBatchOptions::new().with_row_count(rows);
    let rows = RecordBatch::try_new_with_options(schema.clone(), columns, &options).unwrap();
    ipc::Encoder::new(schema).unwrap().encode(&rows).unwrap()
}

impl Default for Attack {
    fn default() -> Self {
        Attack {
            top: String::new(),
            on_bind: String::new(),
            on_tables: String::new(),
            attack: String::new(),
            fired: String::new(),
            migrate: "(unreachable)".into(),
            tables: vec![value()],
            output: entry().as_ref().clone(),
            blobs: vec![entries(&[(0, 7)])],
        }
    }
}

/// Where a blob is, and its size.
fn blob(blobs: &[Vec<u8>], number: usize) -> String {
    let at = 32_768 + blobs[..number].iter().map(|blob| blob.len().next_multiple_of(4096)).sum::<usize>();
    format!("(i32.const {at}) (i32.const {})", blobs[number].len())
}

/// Answers what is at an address.
fn answer(at_and_size: &str) -> String {
    let (at, size) = at_and_size.split_once(") (").unwrap();
    format!("(i32.store (i32.const 388) {at})) (i32.store (i32.const 392) ({size})")
}

/// Calls the host, and answers its refusal if it refuses.
fn asks(call: &str) -> String {
    format!("{call} (if (i32.load8_u (i32.const 640)) (then (return (call $pass_on))))")
}

impl Attack {
    fn new(attack: &str) -> Self {
        Attack { attack: attack.into(), ..Attack::default() }
    }

    /// Calls a function of the state, and passes a refusal on.
    fn asking(call: &str) -> Self {
        Attack::new(&asks(call))
    }

    /// Does something with these bytes, which follow what it remembers.
    fn with(bytes: Vec<u8>, attack: impl Fn(&str) -> String) -> Self {
        let blobs = vec![entries(&[(0, 7)]), bytes];
        Attack { attack: attack(&blob(&blobs, 1)), blobs, ..Attack::default() }
    }

    fn component(&self) -> Vec<u8> {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("\\{byte:02x}")).collect::<String>();
        let (mut list, mut texts) = (Vec::new(), Vec::new());
        for Said { name, kind, value, ttl_ms, version } in &self.tables {
            let mut text = |text: &[u8]| {
                let at = 16_384 + texts.len() as u32;
                texts.extend(text);
                texts.resize(texts.len().next_multiple_of(8), 0);
                [at.to_le_bytes(), (text.len() as u32).to_le_bytes()].concat()
            };
            list.extend(text(name.as_bytes()));
            list.extend(u32::from(kind.0).to_le_bytes());
            list.extend(text(&kind.1));
            list.extend(text(value));
            list.extend([0; 4]);
            list.extend(u64::from(ttl_ms.is_some()).to_le_bytes());
            list.extend(ttl_ms.unwrap_or_default().to_le_bytes());
            list.extend(u64::from(*version).to_le_bytes());
        }
        assert!(list.len() < 12_000 && texts.len() < 16_000, "there is no more room");
        let blobs = self.blobs.iter().enumerate().map(|(number, bytes)| {
            let at = blob(&self.blobs, number);
            format!("(data {} \"{}\")\n", at.split_once(") ").unwrap().0.to_owned() + ")", hex(bytes))
        });
        self.module(&hex(&list), &hex(&texts), &blobs.collect::<String>())
    }

    fn module(&self, list: &str, texts: &str, blobs: &str) -> Vec<u8> {
        let schema = ipc::encode_schema(&self.output).unwrap();
        let (size, count, remembered) = (schema.len(), self.tables.len(), blob(&self.blobs, 0));
        let schema: String = schema.iter().map(|byte| format!("\\{byte:02x}")).collect();
        let Attack { top, on_bind, on_tables, attack, fired, migrate, .. } = self;
        guest::keyed_component(&format!(
            r#"(module
  {IMPORTS}
  {top}
  (memory (export "memory") 64)
  (global $heap (mut i32) (i32.const 2097152))
  (data (i32.const 512) "hostile0.0.1tnope")
  (data (i32.const 1024) "{schema}")
  (data (i32.const 4096) "{list}")
  (data (i32.const 16384) "{texts}")
  {blobs}
  {HELPERS}
  (func (export "streamhost:plugin/plugin@0.9.0#describe") (result i32)
    (i32.store (i32.const 256) (i32.const 512)) (i32.store (i32.const 260) (i32.const 7))
    (i32.store (i32.const 264) (i32.const 519)) (i32.store (i32.const 268) (i32.const 5))
    (i32.const 256))
  (func (export "streamhost:plugin/plugin@0.9.0#bind") (param i32 i32 i32 i32 i32 i32 i32) (result i32)
    (i32.store (i32.const 340) (i32.const 1024)) (i32.store (i32.const 344) (i32.const {size}))
    {on_bind}
    (i32.const 320))
  (func (export "streamhost:plugin/keyed@0.9.0#tables") (result i32)
    (i32.store (i32.const 360) (i32.const 4096)) (i32.store (i32.const 364) (i32.const {count}))
    {on_tables}
    (i32.const 360))
  (func (export "streamhost:plugin/keyed@0.9.0#process")
    (param i32 i32) (param $epoch i64) (param i32 i32 i32 i64 i64)
    (param $keys i32) (param $keys_size i32) (param $starts i32) (param $groups i32) (param $rows i32) (param $size i32)
    (param $more i32) (result i32) (local $of i32)
    (memory.fill (i32.const 384) (i32.const 0) (i32.const 64))
    (if (i64.eq (local.get $epoch) (i64.const 1)) (then {attack}))
    (local.set $of (call $table))
    (call $host_get (local.get $of) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 640))
    (if (i32.load8_u (i32.const 640)) (then (return (call $pass_on))))
    (i64.store (i32.const 388) (i64.load (i32.const 644)))
    (call $host_put (local.get $of) {remembered} (i32.const 640))
    (if (i32.load8_u (i32.const 640)) (then (return (call $pass_on))))
    (i32.const 384))
  (func (export "streamhost:plugin/keyed@0.9.0#timers-fired")
    (param i32 i32) (param $epoch i64) (param i32 i32 i32 i64 i64)
    (param $clock i32) (param $keys i32) (param $keys_size i32) (param $timers i32) (param $count i32) (result i32)
    (memory.fill (i32.const 384) (i32.const 0) (i32.const 64))
    {fired}
    (i32.const 384))
  (func (export "streamhost:plugin/keyed@0.9.0#migrate")
    (param $name i32) (param $name_size i32) (param $from i32) (param i32 i32) (param $entries i32) (param $size i32)
    (result i32)
    (memory.fill (i32.const 384) (i32.const 0) (i32.const 64))
    {migrate}
    (i32.const 384)))"#
        ))
    }
}

/// What every such guest has: memory is taken anew with each call, a refusal of the host is passed on, and the table is `t`.
const HELPERS: &str = r#"
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $heap) (i32.const 15)) (i32.const -16)))
    (global.set $heap (i32.add (local.get $at) (local.get 3)))
    (local.get $at))
  (func $pass_on (result i32)
    (memory.copy (i32.const 384) (i32.const 640) (i32.const 16)) (i32.const 384))
  (func $table (result i32)
    (call $host_open (i32.const 524) (i32.const 1) (i32.const 700))
    (if (i32.load8_u (i32.const 700)) (then unreachable))
    (i32.load (i32.const 704)))
  (func $again (global.set $heap (i32.const 2097152)))
  (func (export "cabi_post_streamhost:plugin/keyed@0.9.0#process") (param i32) (call $again))
  (func (export "cabi_post_streamhost:plugin/keyed@0.9.0#timers-fired") (param i32) (call $again))"#;

/// The state, as a guest calls it. What is answered comes at the address in the last argument.
const IMPORTS: &str = r#"
  (import "streamhost:plugin/state@0.9.0" "open" (func $host_open (param i32 i32 i32)))
  (import "streamhost:plugin/state@0.9.0" "[method]table.get" (func $host_get (param i32 i32 i32 i32 i32)))
  (import "streamhost:plugin/state@0.9.0" "[method]table.find" (func $host_find (param i32 i32 i32 i32)))
  (import "streamhost:plugin/state@0.9.0" "[method]table.put" (func $host_put (param i32 i32 i32 i32)))
  (import "streamhost:plugin/state@0.9.0" "[method]table.append" (func $host_append (param i32 i32 i32 i32)))
  (import "streamhost:plugin/state@0.9.0" "[method]table.remove" (func $host_remove (param i32 i32 i32 i32)))
  (import "streamhost:plugin/state@0.9.0" "[method]table.remove-found" (func $host_remove_found (param i32 i32 i32 i32)))
  (import "streamhost:plugin/state@0.9.0" "set-timers" (func $host_set_timers (param i32 i32 i32 i32)))
  (import "streamhost:plugin/state@0.9.0" "clear-timers" (func $host_clear_timers (param i32 i32 i32 i32)))
  (import "streamhost:plugin/state@0.9.0" "clear-all-timers" (func $host_clear_all_timers (param i32 i32 i32 i32)))"#;

async fn try_bind_on(
    runtime: &Runtime,
    attack: &Attack,
    adjust: impl FnOnce(&mut KeyedSettings),
) -> Result<KeyedPlugin, Error> {
    let plugin = load(runtime, &attack.component()).await.map_err(|e| e.report()).unwrap();
    let mut settings = KeyedSettings { bind: BindSettings::new("guarded", input()), keys: vec!["x".into()] };
    adjust(&mut settings);
    plugin.bind_keyed(settings).await
}

async fn try_bind(attack: &Attack, adjust: impl FnOnce(&mut KeyedSettings)) -> Result<KeyedPlugin, Error> {
    try_bind_on(&runtime_with(Arc::new(SystemClock::new())), attack, adjust).await
}

async fn bound(attack: &Attack, adjust: impl FnOnce(&mut KeyedSettings)) -> Arc<KeyedPlugin> {
    Arc::new(try_bind(attack, adjust).await.map_err(|e| e.report()).unwrap())
}

/// How a step is refused before there are rows.
async fn refusal(attack: &Attack) -> String {
    let report = try_bind(attack, |_| {}).await.err().unwrap().report();
    let own = "step guarded: plugin hostile 0.0.1: ";
    report.strip_prefix(own).unwrap_or_else(|| panic!("{report}")).to_owned()
}

fn epoch(number: u64) -> EpochContext {
    EpochContext {
        epoch: Epoch(number),
        now: Timestamp(1_000_000 * (1 + number as i64)),
        ..EpochContext::alone("q")
    }
}

type Out = Vec<(usize, RecordBatch)>;

/// Runs an epoch over these rows; an error as its kind and report.
async fn run(alone: &mut Alone, number: u64, values: impl IntoIterator<Item = i64>) -> Result<Out, String> {
    let out = alone.epoch(&epoch(number), &guest::rows(values)).await;
    out.map_err(|e| format!("{:?}: {}", e.kind(), e.report()))
}

/// What was remembered of the keys of a call, as it was put out.
fn remembered(out: &Out) -> Vec<i64> {
    let main = out.iter().filter(|(port, _)| *port == 0);
    main.flat_map(|(_, rows)| rows.column(1).as_primitive::<Int64Type>().values().to_vec()).collect()
}

/// How an epoch ends that is attacked. What the one before it has committed is there in the one after it.
async fn failure_of(attack: &Attack, adjust: impl FnOnce(&mut KeyedSettings)) -> String {
    let mut alone = Alone::new(bound(attack, adjust).await);
    assert_eq!(remembered(&run(&mut alone, 0, [5]).await.unwrap()), [0; 0]);
    let said = run(&mut alone, 1, [5]).await.expect_err("an epoch that cannot pass");
    assert_eq!(remembered(&run(&mut alone, 2, [5]).await.unwrap()), [7], "after {said}");
    said
}

/// The same of one for which the plugin is to blame, by key.
async fn failure(attack: &Attack) -> String {
    let said = failure_of(attack, |_| {}).await;
    let own = "Plugin: plugin hostile 0.0.1 (step guarded), epoch 1, key (5): ";
    said.strip_prefix(own).unwrap_or_else(|| panic!("{said}")).to_owned()
}

#[tokio::test]
async fn a_harmless_guest_finds_what_it_has_put() {
    let mut alone = Alone::new(bound(&Attack::default(), |_| {}).await);
    assert_eq!(remembered(&run(&mut alone, 0, [5, 5, 6]).await.unwrap()), [0; 0]);
    // Of the two keys the first has something.
    assert_eq!(remembered(&run(&mut alone, 1, [6, 5]).await.unwrap()), [7]);
    assert_eq!(remembered(&run(&mut alone, 2, [6]).await.unwrap()), [0; 0]);
    assert_eq!(remembered(&run(&mut alone, 3, [6, 5, 4]).await.unwrap()), [7, 7]);
}
