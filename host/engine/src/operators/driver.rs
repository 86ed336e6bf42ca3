//! Drives one keyed step over epochs, as a query would: for tests.

use crate::{
    Epoch, EpochContext, Keyed, NamedFunction, OneShard, OutputMode, Partition, Result, Scattered,
    event_time::{InForce, Watermark},
    plan::{Dataflow, Input, NamedStep, Work},
    shards::{KeyedState, Shard, States},
    sql::{Catalog, Outputs, Sql, with_delay},
    state::KeyGroups,
};
use arrow::{
    array::{ArrayRef, Int32Array, RecordBatch, StringArray, TimestampMicrosecondArray, UInt32Array},
    compute::take_record_batch,
    datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit},
    util::display::{ArrayFormatter, FormatOptions},
};
use std::{num::NonZeroU16, sync::Arc};

/// A row of `k STRING, t TIMESTAMP, v INT, g STRING`; the time is in seconds.
pub(crate) type Row = (Option<&'static str>, Option<f64>, i32, Option<&'static str>);

/// A row with key, time in seconds, and the value 1.
pub(crate) fn row(key: &'static str, seconds: impl Into<f64>) -> Row {
    (Some(key), Some(seconds.into()), 1, None)
}

/// The columns of [`Row`], `t` with a watermark of 5 s if it is wanted.
pub(crate) fn schema(watermark: bool) -> SchemaRef {
    let time = DataType::Timestamp(TimeUnit::Microsecond, None);
    let fields = [("k", DataType::Utf8), ("t", time), ("v", DataType::Int32), ("g", DataType::Utf8)];
    let schema = Schema::new(fields.map(|(name, of)| Field::new(name, of, true)).to_vec());
    Arc::new(if watermark { with_delay(&schema, "t", 5_000) } else { schema })
}

fn batch(rows: &[Row], schema: &SchemaRef) -> RecordBatch {
    let micros = |seconds: f64| (seconds * 1e6).round() as i64;
    let columns: Vec<ArrayRef> = vec![
        Arc::new(rows.iter().map(|row| row.0).collect::<StringArray>()),
        Arc::new(rows.iter().map(|row| row.1.map(micros)).collect::<TimestampMicrosecondArray>()),
        Arc::new(rows.iter().map(|row| row.2).collect::<Int32Array>()),
        Arc::new(rows.iter().map(|row| row.3).collect::<StringArray>()),
    ];
    RecordBatch::try_new(schema.clone(), columns).unwrap()
}

/// The dataflow of a query over `rows`, a table of [`schema`].
pub(crate) fn planned(sql: &str, watermark: bool, modes: &[OutputMode]) -> Result<Dataflow> {
    planned_with(sql, watermark, modes, &[])
}

fn planned_with(
    sql: &str,
    watermark: bool,
    modes: &[OutputMode],
    functions: &[Arc<NamedFunction>],
) -> Result<Dataflow> {
    let tables = [("rows".to_owned(), schema(watermark))].into();
    let catalog = Catalog::new(tables, "UTC").with_functions(functions.iter().cloned());
    let planned = Sql::parse(sql)?.plan(Arc::new(catalog))?;
    let mut flow = Dataflow::default();
    let tables = [("rows".to_owned(), Outputs::alike(Input::Source(0)))].into();
    planned.add_to(&mut flow, "step", &tables, modes)?;
    Ok(flow)
}

/// A keyed step with its state, from epoch to epoch.
pub(crate) struct Driver {
    step: Arc<dyn Keyed>,
    state: Arc<KeyedState>,
    input: SchemaRef,
    shards: usize,
    epoch: u64,
    in_force: InForce,
    watermark: i64,
}

impl Driver {
    /// The first keyed step of a query in append mode over rows with a watermark.
    pub(crate) fn of(sql: &str) -> Driver {
        Driver::of_mode(sql, OutputMode::Append)
    }

    /// The same in another mode.
    pub(crate) fn of_mode(sql: &str, mode: OutputMode) -> Driver {
        Driver::of_flow(&planned(sql, true, &[mode]).unwrap())
    }

    /// The same of a query that calls these functions.
    pub(crate) fn with_functions(sql: &str, functions: &[Arc<NamedFunction>]) -> Driver {
        Driver::of_flow(&planned_with(sql, true, &[OutputMode::Append], functions).unwrap())
    }

    fn of_flow(flow: &Dataflow) -> Driver {
        let step = flow.keyed().next().unwrap().2.clone();
        Driver::new(step, schema(true), 3)
    }

    pub(crate) fn new(step: Arc<dyn Keyed>, input: SchemaRef, shards: usize) -> Driver {
        let named = NamedStep { name: "step".into(), inputs: Vec::new(), work: Work::Keyed(step.clone()) };
        let flow = Dataflow { steps: vec![named], ..Dataflow::default() };
        let state = States::empty(&flow, KeyGroups::new(NonZeroU16::new(8).unwrap())).of("step").unwrap();
        Driver { step, state, input, shards, epoch: 0, in_force: InForce::default(), watermark: 0 }
    }

    /// An epoch over rows in one partition: what leaves by the main port, sorted.
    pub(crate) fn epoch(&mut self, rows: &[Row]) -> Vec<String> {
        let mut out = self.partitions(&[rows]).swap_remove(0);
        out.sort();
        out
    }

    /// An epoch over several partitions: what leaves, by port.
    pub(crate) fn partitions(&mut self, rows: &[&[Row]]) -> Vec<Vec<String>> {
        let batches: Vec<RecordBatch> = rows.iter().map(|rows| batch(rows, &self.input)).collect();
        let latest = rows.iter().copied().flatten().filter_map(|row| row.1).reduce(f64::max);
        let out = self.batches(&batches);
        self.watermark = self.watermark.max(latest.map_or(0, |s| (s * 1e3) as i64 - 5_000));
        self.in_force = InForce { late: self.in_force.eviction, eviction: Watermark(self.watermark) };
        let mut ports = vec![Vec::new(); self.step.ports().len()];
        out.iter().for_each(|(port, rows)| ports[*port].extend(printed(rows)));
        ports
    }

    fn batches(&mut self, partitions: &[RecordBatch]) -> Vec<(usize, RecordBatch)> {
        let cx = EpochContext {
            epoch: Epoch(self.epoch),
            in_force: self.in_force,
            partition: Partition(0),
            ..EpochContext::alone("test")
        };
        self.epoch += 1;
        let mut sent = Scattered::default();
        for rows in partitions {
            let mut scatter = self.step.scatter(0, &cx).unwrap();
            // Row by row, so that nothing depends on how rows are divided into batches.
            for n in 0..rows.num_rows() {
                let row = crate::Batch::read(rows.slice(n, 1), crate::Place::Epoch);
                scatter.on_batch(&row, &mut sent).unwrap();
            }
            scatter.on_end(&mut sent).unwrap();
        }
        let mut out = sent.side;
        for index in 0..self.shards {
            let OneShard::Operator(mut operator) = self.step.shard(&cx).unwrap() else { panic!("it waits") };
            for piece in &sent.pieces {
                let own = |hash: &u64| self.state.group_of(*hash) % self.shards == index;
                let rows: Vec<u32> =
                    (0..).zip(&piece.hashes).filter(|(_, hash)| own(hash)).map(|(n, _)| n).collect();
                let hashes = piece.hashes.iter().copied().filter(own).collect();
                if rows.is_empty() {
                    continue;
                }
                let rows = take_record_batch(&piece.rows, &UInt32Array::from(rows)).unwrap();
                operator.on_piece(0, crate::Piece::new(rows, hashes)).unwrap();
            }
            let shard = Shard { index, of: self.shards };
            operator.on_epoch_end(&mut self.state.shard(shard).unwrap(), &mut out).unwrap();
        }
        out
    }

    /// Rows that came too late since the last call.
    pub(crate) fn late(&self) -> u64 {
        self.step.take_late()
    }

    /// Entries of state.
    pub(crate) fn entries(&self) -> u64 {
        self.state.size().0
    }
}

/// Rows as `a | 00:10 | 1 |`: times of the first hour of 1970 as minutes and seconds.
pub(crate) fn printed(rows: &RecordBatch) -> Vec<String> {
    let options = FormatOptions::default();
    let columns: Vec<_> =
        rows.columns().iter().map(|c| ArrayFormatter::try_new(c.as_ref(), &options).unwrap()).collect();
    let row = |n| {
        let values: Vec<String> = columns.iter().map(|column| column.value(n).to_string()).collect();
        values.join(" | ").replace("1970-01-01T00:", "").trim_end().to_owned()
    };
    (0..rows.num_rows()).map(row).collect()
}
