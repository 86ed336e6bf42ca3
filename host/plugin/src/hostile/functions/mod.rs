//! What guests try that have SQL functions, and what becomes of the calls.

mod answers;
mod limits;
mod signatures;

use super::*;
use crate::{BoundFunctions, FunctionSettings, ipc};
use arrow::{
    array::{ArrayRef, AsArray, Int64Array},
    datatypes::{DataType, Field, Int64Type, Schema},
};
use engine::{Argument, Function, Result as Done};

/// What a guest says of one function.
#[derive(Clone)]
struct Said {
    name: String,
    arguments: Vec<u8>,
    returns: Vec<u8>,
    deterministic: bool,
}

/// A plugin with a function `same(x BIGINT)`, which answers what it is given; a test replaces what it does.
///
/// Snippets may use the locals `$message` and `$size`, the arguments, and `$function`, the address of the function's name. What is at 384
/// is answered: at 388 the address and at 392 the size of the result.
#[derive(Clone)]
struct Attack {
    top: String,
    behind: String,
    on_bind: String,
    /// Runs before the functions are told, which are at 2048; how many is at 388 of what is told.
    on_signatures: String,
    call: String,
    functions: Vec<Said>,
}

fn schema(fields: &[(&str, DataType, bool)]) -> Schema {
    Schema::new(
        fields.iter().map(|(name, of, null)| Field::new(*name, of.clone(), *null)).collect::<Vec<_>>(),
    )
}

fn said(name: &str, arguments: &Schema, returns: &Schema) -> Said {
    let encode = |schema| ipc::encode_schema(schema).unwrap();
    Said { name: name.into(), arguments: encode(arguments), returns: encode(returns), deterministic: true }
}

fn same() -> Said {
    said("same", &schema(&[("x", DataType::Int64, false)]), &schema(&[("y", DataType::Int64, true)]))
}

/// Answers what is at an address.
fn answer(at: &str, size: &str) -> String {
    format!("(i32.store (i32.const 388) {at}) (i32.store (i32.const 392) {size})")
}

impl Default for Attack {
    fn default() -> Self {
        Attack {
            top: String::new(),
            behind: String::new(),
            on_bind: String::new(),
            on_signatures: String::new(),
            call: answer("(local.get $message)", "(local.get $size)"),
            functions: vec![same()],
        }
    }
}

impl Attack {
    fn calling(call: &str) -> Self {
        Attack { call: call.into(), ..Attack::default() }
    }

    /// Answers these bytes.
    fn answering(bytes: &[u8]) -> Self {
        let data: String = bytes.iter().map(|byte| format!("\\{byte:02x}")).collect();
        let call = answer("(i32.const 32768)", &format!("(i32.const {})", bytes.len()));
        Attack { behind: format!("(data (i32.const 32768) \"{data}\")"), ..Attack::calling(&call) }
    }

    fn of(functions: Vec<Said>) -> Self {
        Attack { functions, ..Attack::default() }
    }

    fn component(&self) -> Vec<u8> {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("\\{byte:02x}")).collect::<String>();
        let (mut list, mut texts) = (Vec::new(), Vec::new());
        for function in &self.functions {
            for text in [function.name.as_bytes(), &function.arguments, &function.returns] {
                list.extend((12_288 + texts.len() as u32).to_le_bytes());
                list.extend((text.len() as u32).to_le_bytes());
                texts.extend(text);
                texts.resize(texts.len().next_multiple_of(8), 0);
            }
            list.extend(u32::from(function.deterministic).to_le_bytes());
        }
        assert!(list.len() < 10_000 && texts.len() < 20_000, "there is no more room");
        let (list, texts, count) = (hex(&list), hex(&texts), self.functions.len());
        let Attack { top, behind, on_bind, on_signatures, call, .. } = self;
        guest::functions_component(&format!(
            r#"(module
  {top}
  (memory (export "memory") 8)
  {behind}
  (global $heap (mut i32) (i32.const 65536))
  (data (i32.const 512) "hostile0.0.1")
  (data (i32.const 2048) "{list}")
  (data (i32.const 12288) "{texts}")
  (func $alloc (param $size i32) (result i32) (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $heap) (i32.const 15)) (i32.const -16)))
    (global.set $heap (i32.add (local.get $at) (local.get $size)))
    (if (i32.gt_u (global.get $heap) (i32.mul (memory.size) (i32.const 65536)))
      (then (if (i32.eq (i32.const -1) (memory.grow (i32.add (i32.const 1) (i32.shr_u (local.get $size) (i32.const 16)))))
        (then unreachable))))
    (local.get $at))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (call $alloc (local.get 3)))
  (func (export "streamhost:plugin/plugin@0.9.0#describe") (result i32)
    (i32.store (i32.const 256) (i32.const 512)) (i32.store (i32.const 260) (i32.const 7))
    (i32.store (i32.const 264) (i32.const 519)) (i32.store (i32.const 268) (i32.const 5))
    (i32.const 256))
  (func (export "streamhost:plugin/plugin@0.9.0#bind") (param i32 i32 i32 i32 i32 i32 i32) (result i32)
    (i32.store8 (i32.const 336) (i32.const 2))
    {on_bind}
    (i32.const 320))
  (func (export "streamhost:plugin/functions@0.9.0#signatures") (result i32)
    (i32.store (i32.const 384) (i32.const 2048)) (i32.store (i32.const 388) (i32.const {count}))
    {on_signatures}
    (i32.const 384))
  (func (export "streamhost:plugin/functions@0.9.0#call")
    (param $function i32) (param i32) (param $message i32) (param $size i32) (result i32)
    (memory.fill (i32.const 384) (i32.const 0) (i32.const 64))
    {call}
    (i32.const 384))
  (func (export "cabi_post_streamhost:plugin/functions@0.9.0#call") (param i32)
    (global.set $heap (i32.const 65536))))"#
        ))
    }
}

async fn try_bind(
    clock: Arc<dyn Clock>,
    attack: &Attack,
    adjust: impl FnOnce(&mut FunctionSettings),
) -> Done<BoundFunctions> {
    let plugin = load(&runtime_with(clock), &attack.component()).await.map_err(|e| e.report()).unwrap();
    let mut settings = FunctionSettings::new("f");
    adjust(&mut settings);
    plugin.bind_functions(settings).await
}

async fn bound_functions(attack: &Attack) -> BoundFunctions {
    try_bind(Arc::new(SystemClock::new()), attack, |_| {}).await.map_err(|e| e.report()).unwrap()
}

async fn function(attack: &Attack) -> Arc<dyn Function> {
    bound_functions(attack).await.function("same").unwrap()
}

fn column(values: impl IntoIterator<Item = i64>) -> Argument {
    Argument::Column(Arc::new(Int64Array::from_iter_values(values)))
}

fn call(function: &dyn Function, values: impl IntoIterator<Item = i64>) -> Result<ArrayRef, String> {
    let values: Vec<i64> = values.into_iter().collect();
    let rows = values.len();
    let called = function.call(&[column(values)], rows, Timestamp(1_000_000));
    called.map_err(|e| format!("{:?}: {}", e.kind(), e.report()))
}

fn numbers(results: &ArrayRef) -> Vec<i64> {
    results.as_primitive::<Int64Type>().values().to_vec()
}

/// How a call for 64 rows fails.
async fn failure(attack: &Attack) -> String {
    let said = call(&*function(attack).await, 0..64).unwrap_err();
    said.strip_prefix("Plugin: plugin hostile 0.0.1, function `same`: ")
        .unwrap_or_else(|| panic!("{said}"))
        .into()
}

#[tokio::test]
async fn a_harmless_function_answers_every_row_and_is_counted() {
    let same = function(&Attack::default()).await;
    assert_eq!(numbers(&call(&*same, 0..1_000).unwrap()), (0..1_000).collect::<Vec<_>>());
    assert_eq!(numbers(&call(&*same, 7..8).unwrap()), [7]);
    let progress = same.progress();
    assert_eq!((progress.calls, progress.rows_in, progress.rows_out), (2, 1_001, 1_001));
    let facts = same.facts();
    assert!(
        facts.description.starts_with("plugin hostile 0.0.1 (sha256:") && facts.deterministic,
        "{facts:?}"
    );
}

#[tokio::test]
async fn a_constant_stands_for_every_row() {
    let same = function(&Attack::default()).await;
    let seven: ArrayRef = Arc::new(Int64Array::from(vec![7]));
    let results = same.call(&[Argument::Constant(seven)], 5, Timestamp(0)).unwrap();
    assert_eq!(numbers(&results), [7; 5]);
}

#[tokio::test]
async fn more_rows_than_a_guest_can_take_are_several_calls() {
    let adjust = |settings: &mut FunctionSettings| settings.limits.memory = 1 << 20;
    let bound = try_bind(Arc::new(SystemClock::new()), &Attack::default(), adjust).await.unwrap();
    let same = bound.function("same").unwrap();
    assert_eq!(numbers(&call(&*same, 0..100_000).unwrap()), (0..100_000).collect::<Vec<_>>());
    assert!(same.progress().calls >= 6, "each call gets an eighth of 1 MiB at most");
    let whole = function(&Attack::default()).await;
    assert_eq!(numbers(&call(&*whole, 0..65_536).unwrap()).len(), 65_536);
    assert_eq!(whole.progress().calls, 1);
    // What a constant takes beside every row counts as well.
    let seven: ArrayRef = Arc::new(Int64Array::from(vec![7]));
    assert_eq!(same.call(&[Argument::Constant(seven)], 100_000, Timestamp(0)).unwrap().len(), 100_000);
    assert!(same.progress().calls >= 6);
}

#[test]
fn a_function_is_called_from_any_thread_and_from_several_at_once() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let same = runtime.block_on(function(&Attack::default()));
    std::thread::scope(|threads| {
        for first in [0, 1_000, 2_000] {
            let same = &same;
            threads.spawn(move || {
                for round in 0..50 {
                    let values = first + round..first + round + 100;
                    assert_eq!(numbers(&call(&**same, values.clone()).unwrap()), values.collect::<Vec<_>>());
                }
            });
        }
    });
    assert_eq!(same.progress().calls, 150);
}
