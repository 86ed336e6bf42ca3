//! One plugin that keeps state, bound to a configuration, columns and keys.

use arrow_array::RecordBatch;
use arrow_schema::{Schema, SchemaRef};

use crate::bindings::exports::streamhost::plugin::plugin::{Binding, Output as Shape};
use crate::bindings::stateful::exports::streamhost::plugin::keyed::{Groups as Sent, Outcome};
use crate::{Context, Error, Result, RowErrors, config, ddl, ipc, schema};

use super::{Before, Clock, FiredTimers, Groups, Input, Keyed, Output, State, Store, Table, Timer};

/// A plugin that has agreed on columns and tables.
pub(crate) struct BoundKeyed<P: Keyed> {
    config: P::Config,
    pub(crate) input: Input,
    /// The names of `input.rows`, if the plugin does not read all columns.
    pub(crate) reads: Option<Vec<String>>,
    pub(crate) output: SchemaRef,
    pub(crate) side: Vec<(String, SchemaRef)>,
    pub(crate) tables: Vec<Table>,
}

impl<P: Keyed> BoundKeyed<P> {
    /// Reads the configuration, picks the columns and asks the plugin what it makes of them.
    ///
    /// # Errors
    /// If the configuration is wrong, the input lacks a column, or no keys are given.
    pub(crate) fn bind(config: &str, input: &Schema, keys: &[String]) -> Result<Self> {
        if keys.is_empty() {
            let name = P::MANIFEST.name;
            return Err(Error::invalid(format_args!(
                "`{name}` keeps state for each key: name the key's columns, as in keys = [\"user_id\"]"
            )));
        }
        let config = config::parse::<P::Config>(config)?;
        let reads = P::reads(&config);
        let rows = schema::project(input, reads.as_deref())?;
        let input = Input { keys: key_columns(input, keys)?, rows };
        // A type that does not cross is refused before there are rows.
        Groups::none(&input)?;
        let plan = P::plan(&config, &input)?;
        plan.tables.iter().try_for_each(Table::check)?;
        let reads = reads.is_some().then(|| schema::names(&input.rows));
        let side = plan.side.into_iter().map(|(name, columns)| (name, schema::nullable(&columns)));
        let (side, output) = (side.collect(), schema::nullable(&plan.output));
        Ok(Self { config, input, reads, output, side, tables: plan.tables })
    }

    pub(crate) fn binding(&self) -> Binding {
        let side = self.side.iter().map(|(name, schema)| (name.clone(), ipc::encode_schema(schema)));
        Binding {
            reads: self.reads.clone(),
            output: Shape::Rows(ipc::encode_schema(&self.output)),
            side: side.collect(),
        }
    }

    /// Processes the rows of some keys.
    ///
    /// # Errors
    /// If the plugin does, or gives other columns than it said.
    pub(crate) fn process(&self, cx: &Context, sent: Sent, store: &dyn Store) -> Result<Outcome> {
        let keys = ipc::decode_one(sent.keys, &self.input.keys)?;
        let rows = ipc::decode_one(sent.rows, &self.input.rows)?;
        let groups = Groups::new(keys, sent.starts, rows, sent.more)?;
        let (state, mut errors) = (State::new(&self.tables, store), RowErrors::default());
        let output = P::process(&self.config, cx, &groups, &state, &mut errors)?;
        self.outcome(output, errors)
    }

    /// Processes timers that are due.
    ///
    /// # Errors
    /// As for [`BoundKeyed::process`].
    pub(crate) fn fired(
        &self,
        cx: &Context,
        clock: Clock,
        keys: Vec<u8>,
        timers: Vec<Timer>,
        store: &dyn Store,
    ) -> Result<Outcome> {
        let fired = FiredTimers::new(clock, ipc::decode_one(keys, &self.input.keys)?, timers)?;
        let (state, mut errors) = (State::new(&self.tables, store), RowErrors::default());
        let output = P::fired(&self.config, cx, &fired, &state, &mut errors)?;
        self.outcome(output, errors)
    }

    /// Brings entries of an older version into the columns of now.
    ///
    /// # Errors
    /// If the plugin does, or gives other columns or another number of rows.
    pub(crate) fn migrate(
        &self,
        table: String,
        version: u32,
        before: &[u8],
        entries: Vec<u8>,
    ) -> Result<Vec<u8>> {
        let named = self.tables.iter().find(|named| named.name == table);
        let named = named.ok_or_else(|| {
            Error::invalid(format_args!("a table `{table}` is stored, and the plugin has none of that name"))
        })?;
        let columns = SchemaRef::new(ipc::decode_schema(before)?);
        let mut messages = Vec::new();
        for entries in ipc::decode(entries, &columns)? {
            let count = entries.num_rows();
            let renewed = P::migrate(&self.config, &Before { table: table.clone(), version, entries })?;
            self.encode(&mut messages, &format!("table `{table}`"), &renewed, &named.columns())?;
            if renewed.num_rows() != count {
                let rows = renewed.num_rows();
                return Err(Error::permanent(format_args!(
                    "table `{table}`: {count} entries are to be migrated, and there are {rows} rows of them"
                )));
            }
        }
        Ok(messages)
    }

    fn outcome(&self, output: Output, errors: RowErrors) -> Result<Outcome> {
        let mut main = Vec::new();
        if let Some(rows) = output.main {
            self.encode(&mut main, "the output", &rows, &self.output)?;
        }
        let mut side: Vec<(String, Vec<u8>)> = Vec::new();
        for (name, rows) in output.side {
            let declared = self.side.iter().find(|(declared, _)| *declared == name);
            let (_, columns) = declared.ok_or_else(|| {
                Error::permanent(format_args!("the plugin did not say that it has a side output `{name}`"))
            })?;
            let mut messages = Vec::new();
            self.encode(&mut messages, &format!("side output `{name}`"), &rows, columns)?;
            side.push((name, messages));
        }
        Ok(Outcome { main, side, errors: errors.after(0) })
    }

    /// Adds the message of a batch, which has to have these columns.
    fn encode(&self, messages: &mut Vec<u8>, what: &str, rows: &RecordBatch, columns: &Schema) -> Result<()> {
        if !schema::alike(columns, rows.schema_ref()) {
            let (said, given) = (ddl::print(columns), ddl::print(rows.schema_ref()));
            return Err(Error::permanent(format_args!(
                "{what} has the columns {said}, and is given {given}"
            )));
        }
        if rows.num_rows() == 0 {
            return Ok(());
        }
        ipc::encode(rows, messages)
    }
}

/// The columns of the keys, in their order.
fn key_columns(input: &Schema, keys: &[String]) -> Result<SchemaRef> {
    let field = |key: &String| match input.column_with_name(key) {
        Some((at, _)) => Ok(input.field(at).clone()),
        None => Err(schema::missing_column(key, input)),
    };
    Ok(Schema::new(keys.iter().map(field).collect::<Result<Vec<_>>>()?).into())
}
