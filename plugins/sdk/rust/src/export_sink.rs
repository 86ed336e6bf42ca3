//! The exports of a component that stores epochs.

use std::cell::RefCell;
use std::marker::PhantomData;

use crate::bindings::batch_sink::exports::streamhost::plugin::foreach_batch::Guest as ForeachBatch;
use crate::bindings::batch_sink::streamhost::plugin::{epoch, outputs};
use crate::bindings::exports::streamhost::plugin::plugin::{Binding, Description, Guest, Output, Role};
use crate::bindings::streamhost::plugin::types::Failure;
use crate::sink::{BatchSink, BoundSink, Places};
use crate::{Context, Error, Result, instance, ipc, log};

/// Connects a plugin that stores epochs with the functions that the host calls.
pub struct SinkExports<P>(PhantomData<P>);

type Process = Box<dyn Fn(&Context, &mut dyn FnMut() -> Option<Vec<u8>>) -> Result<()>>;

thread_local! {
    // A component has one thread; the host binds it before the first epoch.
    static BOUND: RefCell<Option<Process>> = const { RefCell::new(None) };
}

impl<P: BatchSink> Guest for SinkExports<P> {
    fn describe() -> Description {
        instance::describe::<P::Config>(&P::MANIFEST)
    }

    fn bind(role: Role, config: String, input: Vec<u8>, _keys: Vec<String>) -> Result<Binding, Failure> {
        log::report_panics();
        bind::<P>(role, &config, &input).map_err(Error::into_bind_failure)
    }
}

impl<P: BatchSink> ForeachBatch for SinkExports<P> {
    fn process(cx: Context) -> Result<(), Failure> {
        BOUND
            .with_borrow(|bound| match bound {
                Some(process) => process(&cx, &mut epoch::next_rows),
                None => Err(Error::permanent("an epoch came before `bind`")),
            })
            .map_err(Error::into_failure)
    }
}

fn bind<P: BatchSink>(role: Role, config: &str, input: &[u8]) -> Result<Binding> {
    if role != Role::BatchSink {
        return Err(Error::invalid(format!("`{}` stores epochs; it has no other role", P::MANIFEST.name)));
    }
    let sink = BoundSink::<P>::bind(config, &ipc::decode_schema(input)?)?;
    let side = sink.outputs.iter().map(|(name, schema)| (name.clone(), ipc::encode_schema(schema)));
    let binding = Binding { reads: sink.reads.clone(), output: Output::Nothing, side: side.collect() };
    BOUND.set(Some(Box::new(move |cx, next| sink.process(cx, next, &Host))));
    Ok(binding)
}

/// The places that the host holds.
struct Host;

impl Places for Host {
    fn write(&self, output: &str, rows: Vec<u8>) -> Result<()> {
        outputs::write(output, &rows).map_err(|failure| told(output, failure))
    }

    fn execute(&self, output: &str, statement: &str, schema: Vec<u8>, parameters: Vec<u8>) -> Result<u64> {
        outputs::execute(output, statement, &schema, &parameters).map_err(|failure| told(output, failure))
    }
}

fn told(output: &str, failure: Failure) -> Error {
    Error::told(failure).context(format_args!("output `{output}`"))
}
