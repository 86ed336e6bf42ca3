//! Components written by hand, so that they can do what no compiler would emit.

use crate::ipc;
use arrow::{
    array::{Int64Array, RecordBatch},
    datatypes::{DataType, Field, Schema, SchemaRef},
};
use std::{fmt::Write, sync::Arc};

/// A plugin on rows of one column `x BIGINT`. As it is, it keeps every row; a test adds what is hostile.
///
/// Snippets are in the text format. They may use the locals `$batch` and `$size` (the message), `$rows`, and the
/// functions `(call $alloc (i32)) → i32`, `(call $x (i32 batch, i32 row)) → i64`.
#[derive(Clone)]
pub(super) struct Guest {
    /// Imports.
    pub(super) top: String,
    /// Further memories, tables and functions.
    pub(super) behind: String,
    /// Runs before `bind` answers with what is at address 320.
    pub(super) on_bind: String,
    /// Runs whenever the host wants memory of the guest.
    pub(super) on_alloc: String,
    /// Runs at every call of `process`, before anything else.
    pub(super) on_call: String,
    /// Runs for each row, whose value is the local `$value`.
    pub(super) on_row: String,
    /// Writes another answer to the answer's memory at `$answer`, instead of keeping all rows.
    pub(super) answer: Option<String>,
    /// The schema message answered in `bind`, and whether it is one of added columns or of whole rows.
    pub(super) output: (bool, Vec<u8>),
    /// Its first memory, in pages of 64 KiB.
    pub(super) memory_pages: u32,
}

/// The input of all these plugins.
pub(super) fn input() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("x", DataType::Int64, false)]))
}

pub(super) fn rows(values: impl IntoIterator<Item = i64>) -> RecordBatch {
    let x = Int64Array::from_iter_values(values);
    RecordBatch::try_new(input(), vec![Arc::new(x)]).unwrap()
}

/// Where in a message of `input()` the number of rows and the first value are.
fn layout() -> (usize, usize) {
    const ROWS: i64 = 1_237;
    let batch = rows(vec![0x5eed_5eed_5eed; ROWS as usize]);
    let message = ipc::Encoder::new(&input()).unwrap().encode(&batch).unwrap();
    let find = |n: i64| message.windows(8).position(|w| w == n.to_le_bytes()).unwrap();
    (find(ROWS), find(0x5eed_5eed_5eed))
}

impl Default for Guest {
    fn default() -> Self {
        Guest {
            top: String::new(),
            behind: String::new(),
            on_bind: String::new(),
            on_alloc: String::new(),
            on_call: String::new(),
            on_row: String::new(),
            answer: None,
            output: (true, ipc::encode_schema(&Schema::empty()).unwrap()),
            memory_pages: 4,
        }
    }
}

impl Guest {
    pub(super) fn on_call(code: &str) -> Self {
        Guest { on_call: code.into(), ..Guest::default() }
    }

    /// Does `code` at every row whose value is 666.
    pub(super) fn on_bad_row(code: &str) -> Self {
        let on_row = format!("(if (i64.eq (local.get $value) (i64.const 666)) (then {code}))");
        Guest { on_row, ..Guest::default() }
    }

    /// Answers as `code` says.
    pub(super) fn answering(code: &str) -> Self {
        Guest { answer: Some(code.into()), ..Guest::default() }
    }

    pub(super) fn with_top(mut self, code: &str) -> Self {
        self.top = code.into();
        self
    }

    /// Does `code` when an instance starts, after its data was put in its memory.
    pub(super) fn on_start(code: &str) -> Self {
        Guest::default().with_behind(&format!("(func $spoil {code}) (start $spoil)"))
    }

    pub(super) fn with_behind(mut self, code: &str) -> Self {
        self.behind = code.into();
        self
    }

    /// The component's bytes.
    pub(super) fn component(&self) -> Vec<u8> {
        component(&self.text())
    }

    fn text(&self) -> String {
        let (rows_at, values_at) = layout();
        let (columns, schema) = &self.output;
        let schema_size = schema.len();
        let data = schema.iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "\\{byte:02x}");
            text
        });
        let output = u8::from(*columns);
        let Guest { top, behind, on_bind, on_alloc, on_call, on_row, memory_pages, .. } = self;
        let answer = self.answer.as_deref().unwrap_or(KEEP_ALL);
        format!(
            r#"(module
  {top}
  (memory (export "memory") {memory_pages})
  {behind}
  (global $heap (mut i32) (i32.const 65536))
  (data (i32.const 1024) "{data}")
  (data (i32.const 512) "hostile0.0.1")
  (func $alloc (param $size i32) (result i32) (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $heap) (i32.const 15)) (i32.const -16)))
    (global.set $heap (i32.add (local.get $at) (local.get $size)))
    (if (i32.gt_u (global.get $heap) (i32.mul (memory.size) (i32.const 65536)))
      (then (if (i32.eq (i32.const -1) (memory.grow (i32.add (i32.const 1) (i32.shr_u (local.get $size) (i32.const 16)))))
        (then unreachable))))
    (local.get $at))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    {on_alloc}
    (call $alloc (local.get 3)))
  (func $x (param $batch i32) (param $row i32) (result i64)
    (i64.load (i32.add (i32.add (local.get $batch) (i32.const {values_at})) (i32.shl (local.get $row) (i32.const 3)))))
  (func (export "streamhost:plugin/plugin@0.9.0#describe") (result i32)
    (i32.store (i32.const 256) (i32.const 512)) (i32.store (i32.const 260) (i32.const 7))
    (i32.store (i32.const 264) (i32.const 519)) (i32.store (i32.const 268) (i32.const 5))
    (i32.const 256))
  (func (export "streamhost:plugin/plugin@0.9.0#bind") (param i32 i32 i32 i32 i32 i32 i32) (result i32)
    (i32.store8 (i32.const 336) (i32.const {output}))
    (i32.store (i32.const 340) (i32.const 1024)) (i32.store (i32.const 344) (i32.const {schema_size}))
    {on_bind}
    (i32.const 320))
  (func (export "streamhost:plugin/transform@0.9.0#process")
    (param i32 i32 i64 i32 i32 i32 i64 i64) (param $batch i32) (param $size i32) (result i32)
    (local $rows i32) (local $row i32) (local $value i64) (local $answer i32) (local $bits i32)
    (local.set $rows (i32.wrap_i64 (i64.load (i32.add (local.get $batch) (i32.const {rows_at})))))
    (local.set $answer (i32.const 384))
    (memory.fill (local.get $answer) (i32.const 0) (i32.const 64))
    {on_call}
    (block $done (loop $next
      (br_if $done (i32.ge_u (local.get $row) (local.get $rows)))
      (local.set $value (call $x (local.get $batch) (local.get $row)))
      {on_row}
      (local.set $row (i32.add (local.get $row) (i32.const 1)))
      (br $next)))
    {answer}
    (local.get $answer))
  (func (export "cabi_post_streamhost:plugin/transform@0.9.0#process") (param i32)
    (global.set $heap (i32.const 65536))))"#
        )
    }
}

/// `keep` with every bit set.
pub(super) const KEEP_ALL: &str = r"
    (local.set $bits (call $alloc (i32.shr_u (i32.add (local.get $rows) (i32.const 7)) (i32.const 3))))
    (memory.fill (local.get $bits) (i32.const 255) (i32.shr_u (i32.add (local.get $rows) (i32.const 7)) (i32.const 3)))
    (i32.store8 offset=4 (local.get $answer) (i32.const 1))
    (i32.store offset=8 (local.get $answer) (local.get $bits))
    (i32.store offset=12 (local.get $answer) (i32.shr_u (i32.add (local.get $rows) (i32.const 7)) (i32.const 3)))";

/// What of WASI the attacks import, in its own words.
const WASI: &str = "
package test:attack;
world attack {
  include streamhost:plugin/stateless@0.9.0;
  import wasi:clocks/monotonic-clock@0.2.0;
  import wasi:cli/environment@0.2.0;
  import wasi:filesystem/preopens@0.2.0;
  import wasi:filesystem/types@0.2.0;
  import wasi:random/random@0.2.0;
  import streamhost:plugin/outputs@0.9.0;
}
world attack-as-functions {
  include streamhost:plugin/sql-functions@0.9.0;
  import wasi:clocks/monotonic-clock@0.2.0;
}
world attack-with-state {
  include streamhost:plugin/stateful@0.9.0;
  import wasi:clocks/monotonic-clock@0.2.0;
}
world attack-as-sink {
  include streamhost:plugin/batch-sink@0.9.0;
  import wasi:clocks/monotonic-clock@0.2.0;
}
package wasi:io@0.2.0 { interface poll { resource pollable { block: func(); } } }
package wasi:clocks@0.2.0 { interface monotonic-clock {
  use wasi:io/poll@0.2.0.{pollable};
  now: func() -> u64;
  subscribe-duration: func(when: u64) -> pollable;
} }
package wasi:cli@0.2.0 { interface environment {
  get-environment: func() -> list<tuple<string, string>>;
  get-arguments: func() -> list<string>;
} }
package wasi:filesystem@0.2.0 {
  interface types {
    flags path-flags { symlink-follow }
    flags open-flags { create, directory, exclusive, truncate }
    flags descriptor-flags {
      read, write, file-integrity-sync, data-integrity-sync, requested-write-sync, mutate-directory
    }
    enum error-code {
      access, would-block, already, bad-descriptor, busy, deadlock, quota, exist, file-too-large,
      illegal-byte-sequence, in-progress, interrupted, invalid, io, is-directory, loop, too-many-links, message-size,
      name-too-long, no-device, no-entry, no-lock, insufficient-memory, insufficient-space, not-directory, not-empty,
      not-recoverable, unsupported, no-tty, no-such-device, overflow, not-permitted, pipe, read-only, invalid-seek,
      text-file-busy, cross-device
    }
    resource descriptor {
      open-at: func(path-flags: path-flags, path: string, open-flags: open-flags, %flags: descriptor-flags)
        -> result<descriptor, error-code>;
    }
  }
  interface preopens { use types.{descriptor}; get-directories: func() -> list<tuple<descriptor, string>>; }
}
package wasi:random@0.2.0 { interface random {
  get-random-u64: func() -> u64;
  get-random-bytes: func(len: u64) -> list<u8>;
} }
";

/// A component around a core module that exports the plugin contract and may import [`WASI`].
pub(super) fn component(text: &str) -> Vec<u8> {
    component_of_world(text, "attack")
}

/// The same of one that is the sink of epochs.
pub(super) fn sink_component(text: &str) -> Vec<u8> {
    component_of_world(text, "attack-as-sink")
}

/// The same of one that has SQL functions.
pub(super) fn functions_component(text: &str) -> Vec<u8> {
    component_of_world(text, "attack-as-functions")
}

/// The same of one that keeps state by key.
pub(super) fn keyed_component(text: &str) -> Vec<u8> {
    component_of_world(text, "attack-with-state")
}

fn component_of_world(text: &str, world: &str) -> Vec<u8> {
    let mut contract = wit_parser::Resolve::default();
    contract.push_file(concat!(env!("CARGO_MANIFEST_DIR"), "/../../wit/streamhost.wit")).unwrap();
    let attack = contract.push_str("attack.wit", WASI).unwrap();
    wrapped(text, &contract, contract.select_world(&[attack], Some(world)).unwrap())
}

/// A component of a world of our own making around a core module.
pub(super) fn component_of(text: &str, wit: &str) -> Vec<u8> {
    let mut contract = wit_parser::Resolve::default();
    let package = contract.push_str("test.wit", wit).unwrap();
    wrapped(text, &contract, contract.select_world(&[package], None).unwrap())
}

fn wrapped(text: &str, contract: &wit_parser::Resolve, world: wit_parser::WorldId) -> Vec<u8> {
    let mut module = wat::parse_str(text).unwrap();
    let encoding = wit_component::StringEncoding::UTF8;
    wit_component::embed_component_metadata(&mut module, contract, world, encoding).unwrap();
    wit_component::ComponentEncoder::default().module(&module).unwrap().validate(true).encode().unwrap()
}
