#![doc = include_str!("../README.md")]

mod session;

use std::sync::Arc;

use streamhost::arrow::array::types::TimestampMicrosecondType;
use streamhost::arrow::array::{Int64Array, PrimitiveArray, TimestampMicrosecondArray};
use streamhost::arrow::compute::take_rows;
use streamhost::arrow::datatypes::{DataType, Field, FieldRef, Schema, TimeUnit};
use streamhost::keyed::{
    Clock, Entries, FiredTimers, Groups, Input, Keyed, Output, Plan, State, Table, Timer,
};
use streamhost::prelude::*;
use streamhost::{Interval, Manifest, ddl};

use session::{Session, Stored, sessions};

/// What a session is made of.
#[streamhost::config]
pub struct Config {
    /// The column of event time, a TIMESTAMP.
    time: String,
    /// For how long a key is still before its session has ended.
    gap: Interval,
    /// Columns of which a session has the earliest row's value, as `first_` and the name.
    #[serde(default)]
    first: Vec<String>,
    /// Columns of which a session has the latest row's value, as `last_` and the name.
    #[serde(default)]
    last: Vec<String>,
}

impl Config {
    /// When the watermark ends a session: in whole milliseconds, as Spark's time-outs are.
    fn ends(&self, last: i64) -> i64 {
        let gap = i64::try_from(self.gap.0.as_micros()).unwrap_or(i64::MAX);
        last.div_euclid(1000).saturating_mul(1000).saturating_add(gap)
    }
}

/// The plugin.
pub enum Sessionize {}

impl Keyed for Sessionize {
    const MANIFEST: Manifest = Manifest {
        name: env!("CARGO_PKG_NAME"),
        version: env!("CARGO_PKG_VERSION"),
        summary: env!("CARGO_PKG_DESCRIPTION"),
        deterministic: true,
        asks: &[],
    };
    type Config = Config;

    fn reads(config: &Config) -> Option<Vec<String>> {
        let mut columns = vec![config.time.clone()];
        columns.extend(config.first.iter().chain(&config.last).cloned());
        Some(columns)
    }

    fn plan(config: &Config, input: &Input) -> Result<Plan> {
        let tables = tables(config, &input.rows)?;
        let of_tables = tables.iter().flat_map(|(_, fields)| fields.iter().cloned());
        let output: Vec<FieldRef> = input.keys.fields().iter().cloned().chain(of_tables).collect();
        let names = output.iter().map(|field| field.name());
        if let Some(twice) =
            names.clone().enumerate().find(|(i, name)| names.clone().take(*i).any(|n| n == *name))
        {
            return Err(Error::invalid(format!(
                "a session would have two columns `{}`: rename the key's, or leave one out",
                twice.1
            )));
        }
        let tables =
            tables.into_iter().map(|(name, fields)| Table::value(name, Schema::new(fields))).collect();
        Ok(Plan { tables, ..Plan::of(Schema::new(output)) })
    }

    fn process(
        config: &Config,
        cx: &Context,
        groups: &Groups,
        state: &State<'_>,
        errors: &mut RowErrors,
    ) -> Result<Output> {
        let times = column(groups.rows(), &config.time)?;
        let Some(times) = times.as_primitive_opt::<TimestampMicrosecondType>() else {
            return Err(Error::invalid(format!("`{}` is no TIMESTAMP", config.time)));
        };
        let open = state.open("open")?.get()?;
        let stored = Stored::of(&open)?;
        let sessions = sessions(groups, times, &stored, errors);
        keep(config, groups.rows(), &sessions, times.data_type(), state)?;
        let (over, running) = sessions.iter().partition::<Vec<&Session>, _>(|session| {
            let ended = cx.watermark.is_some_and(|watermark| config.ends(session.end) <= watermark);
            // What follows of its rows belongs to it.
            ended && !groups.more(session.key as usize)
        });
        set_timers(config, cx, &over, &running, state)?;
        let over: Vec<u32> = over.iter().map(|session| session.key).collect();
        close(config, groups.keys(), &over, state)
    }

    fn fired(
        config: &Config,
        _: &Context,
        fired: &FiredTimers,
        state: &State<'_>,
        _: &mut RowErrors,
    ) -> Result<Output> {
        let over: Vec<u32> = fired.timers().iter().map(|timer| timer.key).collect();
        close(config, fired.keys(), &over, state)
    }
}

streamhost::keyed::export!(Sessionize);

/// What is kept of a session, by table: the columns of its end, of its earliest row and of its latest one. The latter two change less
/// often than it does.
fn tables(config: &Config, rows: &Schema) -> Result<Vec<(&'static str, Vec<FieldRef>)>> {
    let field = |name: &String| {
        let found = rows.field_with_name(name);
        found.map_err(|_| Error::invalid(format!("config: there is no column `{name}`")))
    };
    let time = field(&config.time)?.data_type();
    if !matches!(time, DataType::Timestamp(TimeUnit::Microsecond, _)) {
        let (name, has) = (&config.time, ddl::type_name(time));
        return Err(Error::invalid(format!(
            "config: column `{name}` has type {has}, and times are TIMESTAMP"
        )));
    }
    let own = [("start", time.clone()), ("end", time.clone()), ("n", DataType::Int64)];
    let own = own.map(|(name, kind)| Arc::new(Field::new(name, kind, true)));
    let mut tables = vec![("open", own.to_vec())];
    for (table, columns) in [("first", &config.first), ("last", &config.last)] {
        let named = columns.iter().map(|name| {
            Ok(Arc::new(field(name)?.clone().with_name(format!("{table}_{name}")).with_nullable(true)))
        });
        let named = named.collect::<Result<Vec<_>>>()?;
        tables.extend((!named.is_empty()).then_some((table, named)));
    }
    Ok(tables)
}

fn column<'a>(rows: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef> {
    rows.column_by_name(name).ok_or_else(|| Error::invalid(format!("there is no column `{name}`")))
}

/// Writes what has changed.
fn keep(
    config: &Config,
    rows: &RecordBatch,
    sessions: &[Session],
    time: &DataType,
    state: &State<'_>,
) -> Result<()> {
    let changed: Vec<_> = sessions.iter().filter(|session| session.added > 0).collect();
    let keys: Vec<u32> = changed.iter().map(|session| session.key).collect();
    let moments = |of: fn(&Session) -> i64| -> ArrayRef {
        let moments = changed.iter().map(|session| of(session));
        Arc::new(TimestampMicrosecondArray::from_iter_values(moments).with_data_type(time.clone()))
    };
    let counts = PrimitiveArray::from_iter_values(changed.iter().map(|session| session.n));
    let counts: Int64Array = counts;
    let columns: [(&str, ArrayRef); 3] = [
        ("start", moments(|session| session.start)),
        ("end", moments(|session| session.end)),
        ("n", Arc::new(counts)),
    ];
    state.open("open")?.put(&keys, &RecordBatch::try_from_iter(columns)?)?;
    let firsts = changed.iter().filter_map(|session| Some((session.key, session.first?)));
    keep_rows("first", &config.first, rows, firsts, state)?;
    let lasts = changed.iter().filter_map(|session| Some((session.key, session.last?)));
    keep_rows("last", &config.last, rows, lasts, state)
}

/// Writes columns of a row of each of these keys.
fn keep_rows(
    table: &str,
    columns: &[String],
    rows: &RecordBatch,
    of: impl Iterator<Item = (u32, u32)>,
    state: &State<'_>,
) -> Result<()> {
    if columns.is_empty() {
        return Ok(());
    }
    let (keys, picked): (Vec<u32>, Vec<u32>) = of.unzip();
    let columns = columns.iter().map(|name| Ok((name, take_rows(column(rows, name)?, &picked)?)));
    let columns = RecordBatch::try_from_iter(columns.collect::<Result<Vec<_>>>()?)?;
    state.open(table)?.put(&keys, &columns)
}

/// Each running session has one timer, at its end; but one that ends already, and of which more rows follow in the next call, has none
/// yet. One that is over has none any more.
fn set_timers(
    config: &Config,
    cx: &Context,
    over: &[&Session],
    running: &[&Session],
    state: &State<'_>,
) -> Result<()> {
    let moved: Vec<_> = running.iter().filter(|session| session.before != Some(session.end)).collect();
    let timer = |session: &Session| Some(Timer { key: session.key, at: config.ends(session.before?) });
    let before = over.iter().chain(moved.iter().copied()).filter_map(|session| timer(session));
    state.clear_timers(Clock::EventTime, &before.collect::<Vec<_>>())?;
    let now = moved.iter().map(|session| Timer { key: session.key, at: config.ends(session.end) });
    let now = now.filter(|timer| cx.watermark.is_none_or(|watermark| timer.at > watermark));
    state.set_timers(Clock::EventTime, &now.collect::<Vec<_>>())
}

/// The sessions of these keys, which are gone with that.
fn close(config: &Config, keys: &RecordBatch, over: &[u32], state: &State<'_>) -> Result<Output> {
    if over.is_empty() {
        return Ok(Output::default());
    }
    let mut fields: Vec<FieldRef> = keys.schema_ref().fields().to_vec();
    let mut columns = keys.columns().iter().map(|key| take_rows(key, over)).collect::<Result<Vec<_>>>()?;
    let named = [("open", true), ("first", !config.first.is_empty()), ("last", !config.last.is_empty())];
    for (table, _) in named.into_iter().filter(|(_, there)| *there) {
        let table = state.open(table)?;
        let entries = table.get_of(over)?;
        let rows = over.iter().map(|key| row_of(&entries, *key)).collect::<Result<Vec<_>>>()?;
        fields.extend(entries.values().schema_ref().fields().iter().cloned());
        for column in entries.values().columns() {
            columns.push(take_rows(column, &rows)?);
        }
        table.remove(over)?;
    }
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?.into())
}

fn row_of(entries: &Entries, key: u32) -> Result<u32> {
    let row = entries.keys().binary_search(&key);
    row.map(|row| row as u32).map_err(|_| Error::permanent("a session that ends is not in the state"))
}

#[cfg(test)]
mod tests;
