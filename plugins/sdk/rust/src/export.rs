//! The component's exports, for whichever plugin the crate has.

use std::cell::RefCell;
use std::marker::PhantomData;

use crate::bindings::exports::streamhost::plugin::plugin::{Binding, Description, Failure, Guest, Role};
use crate::bindings::stateless::exports::streamhost::plugin::transform::{Guest as Transform, Outcome};
use crate::instance::{self, Instance};
use crate::{Context, Error, Plugin, Result, ipc, log};

/// Connects a plugin with the functions that the host calls.
pub struct Exports<P>(PhantomData<P>);

type Process = Box<dyn Fn(&Context, Vec<u8>) -> Result<Outcome>>;

thread_local! {
    // A component has one thread; the host binds it before the first batch.
    static BOUND: RefCell<Option<Process>> = const { RefCell::new(None) };
}

impl<P: Plugin> Guest for Exports<P> {
    fn describe() -> Description {
        instance::describe::<P::Config>(&P::MANIFEST)
    }

    fn bind(role: Role, config: String, input: Vec<u8>, _keys: Vec<String>) -> Result<Binding, Failure> {
        log::report_panics();
        bind::<P>(role, &config, &input).map_err(Error::into_bind_failure)
    }
}

impl<P: Plugin> Transform for Exports<P> {
    fn process(cx: Context, batch: Vec<u8>) -> Result<Outcome, Failure> {
        BOUND
            .with_borrow(|bound| match bound {
                Some(process) => process(&cx, batch),
                None => Err(Error::permanent("a batch came before `bind`")),
            })
            .map_err(Error::into_failure)
    }
}

fn bind<P: Plugin>(role: Role, config: &str, input: &[u8]) -> Result<Binding> {
    if role != Role::Transform {
        return Err(Error::invalid(format!(
            "`{}` transforms batches; it has no other role",
            P::MANIFEST.name
        )));
    }
    let (instance, binding) = Instance::<P>::bind(config, &ipc::decode_schema(input)?)?;
    BOUND.set(Some(Box::new(move |cx, batch| instance.process(cx, batch))));
    Ok(binding)
}
