//! The exports of a component that keeps state for each key.

use std::cell::RefCell;
use std::marker::PhantomData;

use crate::bindings::exports::streamhost::plugin::plugin::{Binding, Description, Guest, Role};
use crate::bindings::stateful::exports::streamhost::plugin::keyed::{
    Groups, Guest as Groupwise, Outcome, TableDeclaration,
};
use crate::bindings::stateful::streamhost::plugin::state::{self, Clock, Timer};
use crate::bindings::streamhost::plugin::types::Failure;
use crate::keyed::{BoundKeyed, Keyed, Store};
use crate::{Context, Error, Result, instance, ipc, log};

/// Connects a plugin that keeps state with the functions that the host calls.
pub struct KeyedExports<P>(PhantomData<P>);

/// Exports a type that implements [`Keyed`]. A crate has one plugin.
#[doc(hidden)]
#[macro_export]
macro_rules! __export_keyed {
    ($plugin:ty) => {
        #[cfg(target_family = "wasm")]
        const _: () = {
            type Exports = $crate::KeyedExports<$plugin>;
            $crate::bindings::export_base!(Exports);
            $crate::bindings::stateful::export_groups!(Exports);
        };
    };
}

thread_local! {
    // A component has one thread; the host binds it before the first call.
    static BOUND: RefCell<Option<Box<dyn Calls>>> = const { RefCell::new(None) };
}

/// A plugin of any configuration.
trait Calls {
    fn tables(&self) -> Vec<TableDeclaration>;
    fn process(&self, cx: &Context, groups: Groups) -> Result<Outcome>;
    fn fired(&self, cx: &Context, clock: Clock, keys: Vec<u8>, timers: Vec<Timer>) -> Result<Outcome>;
    fn migrate(&self, table: String, version: u32, before: &[u8], entries: Vec<u8>) -> Result<Vec<u8>>;
}

impl<P: Keyed> Calls for BoundKeyed<P> {
    fn tables(&self) -> Vec<TableDeclaration> {
        self.tables.iter().map(|table| table.declaration()).collect()
    }

    fn process(&self, cx: &Context, groups: Groups) -> Result<Outcome> {
        self.process(cx, groups, &Host::default())
    }

    fn fired(&self, cx: &Context, clock: Clock, keys: Vec<u8>, timers: Vec<Timer>) -> Result<Outcome> {
        self.fired(cx, clock, keys, timers, &Host::default())
    }

    fn migrate(&self, table: String, version: u32, before: &[u8], entries: Vec<u8>) -> Result<Vec<u8>> {
        self.migrate(table, version, before, entries)
    }
}

fn bound<T>(call: impl FnOnce(&dyn Calls) -> Result<T>) -> Result<T, Failure> {
    BOUND
        .with_borrow(|bound| match bound {
            Some(plugin) => call(plugin.as_ref()),
            None => Err(Error::permanent("a call came before `bind`")),
        })
        .map_err(Error::into_failure)
}

impl<P: Keyed> Guest for KeyedExports<P> {
    fn describe() -> Description {
        instance::describe::<P::Config>(&P::MANIFEST)
    }

    fn bind(role: Role, config: String, input: Vec<u8>, keys: Vec<String>) -> Result<Binding, Failure> {
        log::report_panics();
        bind::<P>(role, &config, &input, &keys).map_err(Error::into_bind_failure)
    }
}

impl<P: Keyed> Groupwise for KeyedExports<P> {
    fn tables() -> Vec<TableDeclaration> {
        bound(|plugin| Ok(plugin.tables())).unwrap_or_default()
    }

    fn process(cx: Context, input: Groups) -> Result<Outcome, Failure> {
        bound(|plugin| plugin.process(&cx, input))
    }

    fn timers_fired(
        cx: Context,
        clock: Clock,
        keys: Vec<u8>,
        timers: Vec<Timer>,
    ) -> Result<Outcome, Failure> {
        bound(|plugin| plugin.fired(&cx, clock, keys, timers))
    }

    fn migrate(table: String, from: u32, before: Vec<u8>, entries: Vec<u8>) -> Result<Vec<u8>, Failure> {
        bound(|plugin| plugin.migrate(table, from, &before, entries))
    }
}

fn bind<P: Keyed>(role: Role, config: &str, input: &[u8], keys: &[String]) -> Result<Binding> {
    if role != Role::Keyed {
        return Err(Error::invalid(format!(
            "`{}` keeps state for each key, and has no other role: give its step `keys`",
            P::MANIFEST.name
        )));
    }
    let plugin = BoundKeyed::<P>::bind(config, &ipc::decode_schema(input)?, keys)?;
    let binding = plugin.binding();
    BOUND.set(Some(Box::new(plugin)));
    Ok(binding)
}

/// The state that the host holds, for one call.
#[derive(Default)]
struct Host {
    /// Tables that were asked for, so that each is opened once a call.
    opened: RefCell<Vec<(String, state::Table)>>,
}

impl Host {
    fn table<T>(&self, name: &str, call: impl FnOnce(&state::Table) -> Result<T, Failure>) -> Result<T> {
        let mut opened = self.opened.borrow_mut();
        if !opened.iter().any(|(of, _)| of == name) {
            opened.push((name.to_owned(), state::open(name).map_err(Error::told)?));
        }
        match opened.iter().find(|(of, _)| of == name) {
            Some((_, table)) => call(table).map_err(Error::told),
            None => Err(Error::permanent("it cannot be opened")),
        }
    }
}

impl Store for Host {
    fn get(&self, table: &str, keys: Option<&[u32]>) -> Result<Vec<u8>> {
        self.table(table, |table| table.get(keys))
    }

    fn find(&self, table: &str, of: &[u8]) -> Result<Vec<u8>> {
        self.table(table, |table| table.find(of))
    }

    fn put(&self, table: &str, entries: &[u8]) -> Result<()> {
        self.table(table, |table| table.put(entries))
    }

    fn append(&self, table: &str, entries: &[u8]) -> Result<()> {
        self.table(table, |table| table.append(entries))
    }

    fn remove(&self, table: &str, keys: &[u32]) -> Result<()> {
        self.table(table, |table| table.remove(keys))
    }

    fn remove_found(&self, table: &str, of: &[u8]) -> Result<()> {
        self.table(table, |table| table.remove_found(of))
    }

    fn set_timers(&self, clock: Clock, timers: &[Timer]) -> Result<()> {
        state::set_timers(clock, timers).map_err(Error::told)
    }

    fn clear_timers(&self, clock: Clock, timers: &[Timer]) -> Result<()> {
        state::clear_timers(clock, timers).map_err(Error::told)
    }

    fn clear_all_timers(&self, clock: Clock, keys: &[u32]) -> Result<()> {
        state::clear_all_timers(clock, keys).map_err(Error::told)
    }
}
