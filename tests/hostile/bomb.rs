//! A component that is small and valid, and that no compiler is done with soon.

use crate::binary::streamhost;
use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use engine::{Batch, EpochContext, Kind, Place, Step, SystemClock};
use plugin::{BindSettings, CompileLimits, Compiler, Runtime, RuntimeSettings};
use std::{future::poll_fn, pin::pin, sync::Arc, task::Poll};
use wasm_encoder::{
    BlockType, CodeSection, Component, Function, FunctionSection, InstructionSink, Module, ModuleSection,
    TypeSection, ValType,
};

/// Loops inside loops, each of which changes every local: the compiler has to follow `locals` × `loops` values.
fn bomb(locals: u32, loops: u32) -> Vec<u8> {
    let mut types = TypeSection::new();
    types.ty().function([], []);
    let mut functions = FunctionSection::new();
    functions.function(0);
    let mut function = Function::new([(locals, ValType::I64)]);
    let mut code = function.instructions();
    for _ in 0..loops {
        code.loop_(BlockType::Empty);
        change_all(&mut code, locals);
    }
    for _ in 0..loops {
        code.local_get(0).i32_wrap_i64().br_if(0).end();
        change_all(&mut code, locals);
    }
    code.end();
    let mut codes = CodeSection::new();
    codes.function(&function);
    let mut module = Module::new();
    module.section(&types).section(&functions).section(&codes);
    let mut component = Component::new();
    component.section(&ModuleSection(&module));
    component.finish()
}

fn change_all(code: &mut InstructionSink<'_>, locals: u32) {
    for local in 0..locals {
        code.local_get(local).local_get((local + 1) % locals).i64_add().local_set(local);
    }
}

fn runtime(limits: CompileLimits) -> Runtime {
    let compiler = Compiler::Child { executable: streamhost().to_owned(), limits };
    let (scratch, clock) = (std::env::temp_dir(), Arc::new(SystemClock::new()));
    Runtime::new(RuntimeSettings { cache_dir: None, scratch, compiler, clock }).unwrap()
}

/// Why the bomb is refused, and how many calls another plugin made on the only thread of this process meanwhile.
async fn explode(limits: CompileLimits) -> (String, usize) {
    let runtime = runtime(limits);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bomb.wasm");
    std::fs::write(&path, bomb(500, 500)).unwrap();
    let (batch, mut neighbour) = neighbour(&runtime).await;
    let context = EpochContext::alone("bomb");
    let mut loading = pin!(runtime.load(&path));
    let mut calls = 0;
    loop {
        if let Poll::Ready(loaded) = poll_fn(|cx| Poll::Ready(loading.as_mut().poll(cx))).await {
            let error = loaded.err().unwrap();
            assert_eq!(error.kind(), Kind::Invalid);
            return (error.report(), calls);
        }
        neighbour.process(&context, batch.clone(), &mut Vec::new()).await.unwrap();
        calls += 1;
        tokio::task::yield_now().await;
    }
}

async fn neighbour(runtime: &Runtime) -> (Batch, Box<dyn engine::Worker>) {
    let column: ArrayRef = Arc::new(Int64Array::from_iter_values(0..64));
    let batch = Batch::read(RecordBatch::try_from_iter([("x", column)]).unwrap(), Place::Epoch);
    let plugin = runtime.empty_plugin().await.map_err(|e| e.report()).unwrap();
    let step = plugin.bind(BindSettings::new("neighbour", batch.rows.schema())).await.unwrap();
    (batch, step.worker().await.unwrap())
}

#[tokio::test(flavor = "current_thread")]
async fn a_bomb_that_takes_time_is_put_out_and_the_host_goes_on_meanwhile() {
    let limits = CompileLimits { cpu_seconds: 1, ..CompileLimits::default() };
    let (said, calls) = explode(limits).await;
    assert!(
        said.ends_with(
            "it does not compile: that takes more than the 1 s of processor time that it may take"
        ),
        "{said}"
    );
    assert!(calls > 100, "{calls}");
}

#[tokio::test(flavor = "current_thread")]
async fn a_bomb_that_takes_memory_is_put_out() {
    let limits = CompileLimits { memory: 256 << 20, ..CompileLimits::default() };
    let (said, _) = explode(limits).await;
    assert!(
        said.contains("it does not compile: that takes more than the 256 MiB of memory that it may take"),
        "{said}"
    );
}
