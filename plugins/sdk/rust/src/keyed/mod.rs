//! Plugins that keep state for each key: Spark's mapGroupsWithState, flatMapGroupsWithState and transformWithState.
//!
//! `#[streamhost::keyed]` makes one of a function that is called for each key, with structs for key, rows and state. Where columns
//! are only known from the configuration, or a table is too large to be read whole, implement [`Keyed`] on a type instead, and
//! export it with [`export!`]: it works on all keys of a call at once.
//!
//! ```
//! use std::sync::Arc;
//! use streamhost::arrow::array::Int64Array;
//! use streamhost::arrow::compute::take_rows;
//! use streamhost::arrow::datatypes::Schema;
//! use streamhost::keyed::{Groups, Input, Keyed, Output, Plan, State, Table};
//! use streamhost::prelude::*;
//! use streamhost::{Manifest, NoConfig, ddl};
//!
//! /// Tells of each key when it is seen for the first time.
//! pub enum Newcomers {}
//!
//! impl Keyed for Newcomers {
//!     const MANIFEST: Manifest = Manifest { name: "newcomers", version: "0.1.0", summary: "Tells of new keys.", deterministic: true, asks: &[] };
//!     type Config = NoConfig;
//!
//!     fn reads(_: &NoConfig) -> Option<Vec<String>> {
//!         Some(Vec::new())
//!     }
//!
//!     fn plan(_: &NoConfig, input: &Input) -> Result<Plan> {
//!         let seen = Table::value("seen", ddl::parse("epoch BIGINT")?);
//!         Ok(Plan { tables: vec![seen], ..Plan::of(Schema::clone(&input.keys)) })
//!     }
//!
//!     fn process(_: &NoConfig, cx: &Context, groups: &Groups, state: &State, _: &mut RowErrors) -> Result<Output> {
//!         let seen = state.open("seen")?;
//!         let known = seen.get()?;
//!         let new: Vec<u32> = (0..groups.len() as u32).filter(|key| known.keys().binary_search(key).is_err()).collect();
//!         let epochs = Int64Array::from(vec![cx.epoch as i64; new.len()]);
//!         seen.put(&new, &RecordBatch::try_from_iter([("epoch", Arc::new(epochs) as ArrayRef)])?)?;
//!         let keys = groups.keys().columns().iter().map(|column| take_rows(column, &new)).collect::<Result<_>>()?;
//!         Ok(RecordBatch::try_new(groups.keys().schema(), keys)?.into())
//!     }
//! }
//!
//! streamhost::keyed::export!(Newcomers);
//!
//! let mut job = streamhost::testing::bind_keyed::<Newcomers>("", "user INT", &["user"])?;
//! job.epoch(r#"{"user": 1}"#)?.expect(r#"{"user": 1}"#);
//! job.epoch("{\"user\": 2}\n{\"user\": 1}")?.expect(r#"{"user": 2}"#);
//! # Ok::<(), streamhost::Error>(())
//! ```

mod before;
mod bound;
mod call;
mod content;
mod entries;
mod group;
mod held;
mod out;
mod rows;
mod state;
mod table;
mod timers;

pub use before::Before;
pub use call::{FiredTimers, Groups, Input};
pub use content::Content;
pub use entries::Entries;
pub use group::{Fired, Group, Grouped, Source, named};
pub use held::Held;
pub use out::Out;
pub use rows::{declare, plan};
pub use state::{OpenTable, State};
pub use table::{Table, TableKind};
pub use timers::Timers;

pub use crate::__export_keyed as export;
pub use crate::bindings::stateful::streamhost::plugin::state::{Clock, Timer};

pub(crate) use bound::BoundKeyed;
pub(crate) use state::Store;

use arrow_array::RecordBatch;
use arrow_schema::Schema;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::{Context, Manifest, Result, RowErrors};

/// A plugin that keeps state for each key. `#[streamhost::keyed]` implements it on a type named as its function.
///
/// The host calls `plan` when the plugin is bound, `process` for the keys of an epoch, in the order of the keys, and after the last
/// of them `fired` for the timers that are due. What a call changed is kept if it succeeds, and gone if it fails; a call that fails is
/// tried again with fewer keys. So nothing may outlive a call but what is in a table.
pub trait Keyed: 'static {
    /// What the plugin says of itself.
    const MANIFEST: Manifest;
    /// What the pipeline's `config` is read into.
    type Config: DeserializeOwned + JsonSchema + 'static;

    /// The input's columns it reads, all if none. The host sends no other; keys come by themselves.
    fn reads(_config: &Self::Config) -> Option<Vec<String>> {
        None
    }

    /// What leaves it and what it keeps, for these columns.
    ///
    /// # Errors
    /// If the configuration does not go with these columns.
    fn plan(config: &Self::Config, input: &Input) -> Result<Plan>;

    /// Processes the rows of some keys.
    ///
    /// # Errors
    /// If it cannot: nothing of the call is kept then.
    fn process(
        config: &Self::Config,
        cx: &Context,
        groups: &Groups,
        state: &State<'_>,
        errors: &mut RowErrors,
    ) -> Result<Output>;

    /// Processes timers that are due; rows in error are numbered as the timers are. Without one, they are passed over.
    ///
    /// # Errors
    /// If it cannot: nothing of the call is kept then.
    fn fired(
        _config: &Self::Config,
        _cx: &Context,
        _fired: &FiredTimers,
        _state: &State<'_>,
        _errors: &mut RowErrors,
    ) -> Result<Output> {
        Ok(Output::default())
    }

    /// Brings entries of an older version of a table into the columns of now.
    ///
    /// # Errors
    /// If it cannot: the query does not start then, and the table is as it was.
    fn migrate(_config: &Self::Config, before: &Before) -> Result<RecordBatch> {
        Err(before.unknown())
    }
}

/// What a plugin agrees on before the first row.
#[derive(Debug)]
pub struct Plan {
    /// The columns of the rows that leave.
    pub output: Schema,
    /// Side outputs, by name.
    pub side: Vec<(String, Schema)>,
    /// What is kept for each key.
    pub tables: Vec<Table>,
}

impl Plan {
    /// Only rows of these columns.
    pub fn of(output: Schema) -> Self {
        Self { output, side: Vec::new(), tables: Vec::new() }
    }
}

/// What leaves a call: rows, and rows for side outputs by name. None by default.
#[derive(Debug, Default)]
pub struct Output {
    /// The main output.
    pub main: Option<RecordBatch>,
    /// Side outputs.
    pub side: Vec<(String, RecordBatch)>,
}

impl From<RecordBatch> for Output {
    fn from(rows: RecordBatch) -> Self {
        Self { main: Some(rows), side: Vec::new() }
    }
}
