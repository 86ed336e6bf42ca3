//! The exports of a component of SQL functions.

use std::cell::RefCell;
use std::marker::PhantomData;

use crate::bindings::exports::streamhost::plugin::plugin::{Binding, Description, Guest, Output, Role};
use crate::bindings::sql_functions::exports::streamhost::plugin::functions::{Guest as Scalars, Signature};
use crate::bindings::streamhost::plugin::types::Failure;
use crate::function::{BoundFunctions, Functions};
use crate::{Error, Result, instance, log};

/// Connects a plugin of functions with what the host calls.
pub struct FunctionExports<P>(PhantomData<P>);

/// The functions, whatever their configuration is.
trait Answer {
    fn signatures(&self) -> Vec<Signature>;
    fn call(&self, name: &str, arguments: Vec<u8>) -> Result<Vec<u8>>;
}

impl<P: Functions> Answer for BoundFunctions<P> {
    fn signatures(&self) -> Vec<Signature> {
        self.signatures()
    }

    fn call(&self, name: &str, arguments: Vec<u8>) -> Result<Vec<u8>> {
        self.call(name, arguments)
    }
}

thread_local! {
    // A component has one thread; the host binds it before the first call.
    static BOUND: RefCell<Option<Box<dyn Answer>>> = const { RefCell::new(None) };
}

impl<P: Functions> Guest for FunctionExports<P> {
    fn describe() -> Description {
        instance::describe::<P::Config>(&P::MANIFEST)
    }

    fn bind(role: Role, config: String, _input: Vec<u8>, _keys: Vec<String>) -> Result<Binding, Failure> {
        log::report_panics();
        bind::<P>(role, &config).map_err(Error::into_bind_failure)
    }
}

impl<P: Functions> Scalars for FunctionExports<P> {
    fn signatures() -> Vec<Signature> {
        BOUND.with_borrow(|bound| bound.as_ref().map(|bound| bound.signatures()).unwrap_or_default())
    }

    fn call(name: String, arguments: Vec<u8>) -> Result<Vec<u8>, Failure> {
        BOUND
            .with_borrow(|bound| match bound {
                Some(bound) => bound.call(&name, arguments),
                None => Err(Error::permanent("a call came before `bind`")),
            })
            .map_err(Error::into_failure)
    }
}

fn bind<P: Functions>(role: Role, config: &str) -> Result<Binding> {
    if role != Role::Functions {
        return Err(Error::invalid(format!(
            "`{}` has functions for SQL; it has no other role",
            P::MANIFEST.name
        )));
    }
    BOUND.set(Some(Box::new(BoundFunctions::<P>::bind(config)?)));
    Ok(Binding { reads: Some(Vec::new()), output: Output::Nothing, side: Vec::new() })
}
