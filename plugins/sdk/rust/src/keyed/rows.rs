//! What the attribute needs beside the rows: tables, and a plan.

use crate::instance::no_context;
use crate::{Error, Result, RowErrors, ddl, schema};

use super::{Clock, Content, FiredTimers, Groups, Input, Keyed, Output, Plan, State, Store, Table, Timer};

/// The table that a parameter of this type is a key's part of.
#[doc(hidden)]
pub fn declare<C: Content>(name: &str) -> Table {
    C::declare(name)
}

/// What leaves a function over structs: calls without keys show it.
///
/// # Errors
/// If the input has not the columns of the structs, or the two functions give different ones.
#[doc(hidden)]
pub fn plan<P: Keyed>(config: &P::Config, input: &Input, tables: Vec<Table>) -> Result<Plan> {
    let (state, cx) = (State::new(&tables, &Nowhere), no_context());
    let made = P::process(config, &cx, &Groups::none(input)?, &state, &mut RowErrors::default())?;
    let late = P::fired(config, &cx, &FiredTimers::none(input)?, &state, &mut RowErrors::default())?;
    let columns = |output: &Output| output.main.as_ref().map(|rows| schema::nullable(rows.schema_ref()));
    let output = columns(&made).unwrap_or_else(|| schema::nullable(&arrow_schema::Schema::empty()));
    if let Some(late) = columns(&late).filter(|late| !schema::alike(&output, late)) {
        let (rows, timers) = (ddl::print(&output), ddl::print(&late));
        return Err(Error::invalid(format_args!(
            "rows give {rows}, and timers {timers}: both have to give the same columns"
        )));
    }
    Ok(Plan { tables, ..Plan::of(output.as_ref().clone()) })
}

/// State of no keys.
struct Nowhere;

impl Store for Nowhere {
    fn get(&self, _: &str, _: Option<&[u32]>) -> Result<Vec<u8>> {
        Ok(Vec::new())
    }

    fn find(&self, _: &str, _: &[u8]) -> Result<Vec<u8>> {
        Ok(Vec::new())
    }

    fn put(&self, _: &str, _: &[u8]) -> Result<()> {
        Ok(())
    }

    fn append(&self, _: &str, _: &[u8]) -> Result<()> {
        Ok(())
    }

    fn remove(&self, _: &str, _: &[u32]) -> Result<()> {
        Ok(())
    }

    fn remove_found(&self, _: &str, _: &[u8]) -> Result<()> {
        Ok(())
    }

    fn set_timers(&self, _: Clock, _: &[Timer]) -> Result<()> {
        Ok(())
    }

    fn clear_timers(&self, _: Clock, _: &[Timer]) -> Result<()> {
        Ok(())
    }

    fn clear_all_timers(&self, _: Clock, _: &[u32]) -> Result<()> {
        Ok(())
    }
}
