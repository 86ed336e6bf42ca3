//! Rows of one partition to one state a group.

use super::{Accumulators, Key, Plan};
use crate::{
    Batch, EpochContext, Error, Kind, Piece, Result, ResultExt, Scatter, Scattered, Timestamp,
    event_time::Watermark,
    operators::{
        chain::made,
        keys::{final_at, hashed},
        rows::{Codec, as_key},
    },
    sql::{EpochTime, instants},
};
use arrow::{
    array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch, UInt32Array},
    compute::{filter_record_batch, is_not_null, take, take_record_batch},
    datatypes::{DataType, Field, Int64Type, Schema},
};
use datafusion_expr::EmitTo;
use datafusion_physical_plan::aggregates::{
    group_values::{GroupValues, new_group_values},
    order::GroupOrdering,
};
use std::sync::{Arc, atomic::Ordering::Relaxed};

/// So many groups are held before they are sent: what bounds the memory of a partition.
const GROUPS: usize = 1 << 16;

pub(super) struct GroupScatter {
    plan: Arc<Plan>,
    now: Timestamp,
    late: Watermark,
    codec: Codec,
    groups: Box<dyn GroupValues>,
    accumulators: Accumulators,
    /// Rows of each group, where rows may be late.
    rows: Vec<u64>,
    /// The group of each row of a batch; kept for its memory.
    of_row: Vec<usize>,
}

impl GroupScatter {
    pub(super) fn new(plan: Arc<Plan>, cx: &EpochContext) -> Result<Self> {
        Ok(GroupScatter {
            now: cx.now,
            late: cx.in_force.late,
            codec: plan.key_codec()?,
            groups: group_values(&plan)?,
            accumulators: plan.aggregates.accumulators()?,
            rows: Vec::new(),
            of_row: Vec::new(),
            plan,
        })
    }

    /// The values to group by, and the rows that have any: one without a time is in no window.
    fn keys(&self, rows: RecordBatch) -> Result<(Vec<ArrayRef>, RecordBatch)> {
        let mut rows = rows;
        for key in &self.plan.keys {
            let Key::Window { time, .. } = key else { continue };
            let times = time.evaluate(&rows)?;
            if times.null_count() > 0 {
                let timed = is_not_null(&times).doing(Kind::Internal, || "rows with a time")?;
                rows = filter_record_batch(&rows, &timed).doing(Kind::Internal, || "rows with a time")?;
            }
        }
        let mut keys = Vec::with_capacity(self.plan.keys.len());
        for key in &self.plan.keys {
            keys.push(match key {
                Key::Plain(expression) => as_key(expression.evaluate(&rows)?)?,
                Key::Window { time, windows, .. } => {
                    let times = instants(&time.evaluate(&rows)?).doing(Kind::Internal, || "times")?;
                    let panes = windows.panes();
                    Arc::new(arrow::compute::unary::<_, _, Int64Type>(&times, |time| panes.last_start(time)))
                }
            });
        }
        if keys.is_empty() {
            keys.push(Arc::new(BooleanArray::from(vec![true; rows.num_rows()])));
        }
        Ok((keys, rows))
    }

    fn accumulate(&mut self, keys: &[ArrayRef], rows: &RecordBatch) -> Result<()> {
        self.groups.intern(keys, &mut self.of_row).doing(Kind::Internal, || "groups")?;
        let total = self.groups.len();
        self.accumulators.update(rows, &self.of_row, total)?;
        if self.plan.timed() {
            self.rows.resize(total, 0);
            for group in &self.of_row {
                self.rows.iter_mut().skip(*group).take(1).for_each(|rows| *rows += 1);
            }
        }
        Ok(())
    }

    /// Sends every group there is.
    fn flush(&mut self, out: &mut Scattered) -> Result<()> {
        let count = self.groups.len();
        if count == 0 {
            return Ok(());
        }
        let keys = self.groups.emit(EmitTo::All).doing(Kind::Internal, || "groups")?;
        let states = self.accumulators.take_states()?;
        let rows = std::mem::take(&mut self.rows);
        let (keys, states) = self.in_windows(keys, states, &rows)?;
        out.pieces.push(self.piece(keys, states)?);
        Ok(())
    }

    /// Each group in each of its windows, without those that are late.
    fn in_windows(
        &self,
        mut keys: Vec<ArrayRef>,
        states: Vec<ArrayRef>,
        rows: &[u64],
    ) -> Result<(Vec<ArrayRef>, Vec<ArrayRef>)> {
        let mut of: Option<Vec<u32>> = None;
        for (at, key) in self.plan.keys.iter().enumerate() {
            let Key::Window { windows, .. } = key else { continue };
            if windows.tumbling() {
                continue;
            }
            let (from, starts) = expanded(keys.get(at), windows)?;
            keys = taken(&keys, &from)?;
            keys.iter_mut().skip(at).take(1).for_each(|key| *key = starts.clone());
            of = Some(match of {
                None => from,
                Some(before) => from.iter().filter_map(|row| before.get(*row as usize).copied()).collect(),
            });
        }
        let count = keys.first().map_or(0, |key| key.len());
        let mut from = of.unwrap_or_else(|| (0..count as u32).collect());
        if let Some(kept) = self.in_time(&keys, &from, rows)? {
            keys = taken(&keys, &kept)?;
            from = kept.iter().filter_map(|row| from.get(*row as usize).copied()).collect();
        } else if from.len() == states.first().map_or(from.len(), |state| state.len())
            && count == from.len()
            && !self.overlapping()
        {
            return Ok((keys, states));
        }
        Ok((keys, taken(&states, &from)?))
    }

    fn overlapping(&self) -> bool {
        self.plan.keys.iter().any(|key| matches!(key, Key::Window { windows, .. } if !windows.tumbling()))
    }

    /// The groups that are not late; none if all of them are in time. Rows that are late are counted.
    fn in_time(&self, keys: &[ArrayRef], from: &[u32], rows: &[u64]) -> Result<Option<Vec<u32>>> {
        let (true, Some(at)) = (self.plan.timed(), self.plan.time) else {
            return Ok(None);
        };
        let (Some(key), Some(values)) = (self.plan.keys.get(at), keys.get(at)) else { return Ok(None) };
        let ends = ends(key, values)?;
        let is_late = |group: usize| !ends.is_null(group) && self.late.covers(ends.value(group));
        let late = (0..ends.len()).filter(|group| is_late(*group));
        let dropped: u64 = late.filter_map(|group| rows.get(*from.get(group)? as usize)).sum();
        if dropped == 0 {
            return Ok(None);
        }
        self.plan.late.fetch_add(dropped, Relaxed);
        Ok(Some((0..ends.len()).filter(|group| !is_late(*group)).map(|group| group as u32).collect()))
    }

    fn piece(&self, keys: Vec<ArrayRef>, states: Vec<ArrayRef>) -> Result<Piece> {
        let rows = self.codec.encode(&keys)?;
        let (keys, hashes) = hashed(rows.iter().map(|row| row.data()));
        let columns = [keys].into_iter().chain(states).collect();
        Ok(Piece::new(made(&self.plan.pieces(), columns, hashes.len())?, hashes))
    }

    /// Rows all of whose windows are late, for whoever wants them.
    fn late_rows(&self, rows: &RecordBatch, out: &mut Scattered) -> Result<()> {
        let (true, Some(at)) = (self.plan.timed(), self.plan.time) else {
            return Ok(());
        };
        let values = match self.plan.keys.get(at) {
            Some(Key::Plain(expression)) => expression.evaluate(rows)?,
            Some(Key::Window { time, windows, .. }) => {
                let times = instants(&time.evaluate(rows)?).doing(Kind::Internal, || "times")?;
                Arc::new(arrow::compute::unary::<_, _, Int64Type>(&times, |time| windows.last_start(time)))
                    as ArrayRef
            }
            None => return Ok(()),
        };
        let Some(key) = self.plan.keys.get(at) else { return Ok(()) };
        let ends = ends(key, &values)?;
        let late = (0..ends.len()).filter(|row| !ends.is_null(*row) && self.late.covers(ends.value(*row)));
        let late = UInt32Array::from_iter_values(late.map(|row| row as u32));
        if !late.is_empty() {
            let rows = take_record_batch(rows, &late).doing(Kind::Internal, || "late rows")?;
            out.side.push((self.plan.modes.len(), rows));
        }
        Ok(())
    }
}

impl Scatter for GroupScatter {
    fn on_batch(&mut self, batch: &Batch, out: &mut Scattered) -> Result<()> {
        let _now = EpochTime::set(self.now.0);
        let rows = self.plan.before.run(&batch.rows)?;
        if rows.num_rows() == 0 {
            return Ok(());
        }
        self.late_rows(&rows, out)?;
        let (keys, rows) = self.keys(rows)?;
        let plan = self.plan.clone();
        match &plan.sets[..] {
            [] => self.accumulate(&keys, &rows)?,
            sets => sets.iter().try_for_each(|set| self.accumulate(&set.keys(&keys)?, &rows))?,
        }
        if self.groups.len() >= GROUPS {
            self.flush(out)?;
        }
        Ok(())
    }

    fn on_end(&mut self, out: &mut Scattered) -> Result<()> {
        self.flush(out)
    }
}

fn group_values(plan: &Plan) -> Result<Box<dyn GroupValues>> {
    let mut fields: Vec<Field> = plan
        .keys
        .iter()
        .enumerate()
        .map(|(i, key)| Field::new(format!("k{i}"), key.stored().clone(), true))
        .collect();
    if fields.is_empty() {
        fields.push(Field::new("all", DataType::Boolean, false));
    }
    new_group_values(Arc::new(Schema::new(fields)), &GroupOrdering::None).doing(Kind::Invalid, || "GROUP BY")
}

/// The times, in microseconds, at which groups with these keys are final.
pub(super) fn ends(key: &Key, values: &ArrayRef) -> Result<Int64Array> {
    match key {
        Key::Window { windows, .. } => {
            let size = windows.size;
            let starts = values.as_primitive_opt::<Int64Type>();
            let starts = starts.ok_or_else(|| Error::internal("a window's key is its start"))?;
            Ok(arrow::compute::unary(starts, |start: i64| start.saturating_add(size)))
        }
        Key::Plain(_) => final_at(values),
    }
}

/// The rows of panes, once for each window that a pane is in, and the windows' starts.
fn expanded(panes: Option<&ArrayRef>, windows: &crate::sql::Windows) -> Result<(Vec<u32>, ArrayRef)> {
    let panes = panes.and_then(|panes| panes.as_primitive_opt::<Int64Type>());
    let panes = panes.ok_or_else(|| Error::internal("a window's key is its pane"))?;
    let (mut from, mut starts) = (Vec::new(), Vec::new());
    for (row, pane) in panes.iter().enumerate() {
        let Some(pane) = pane else {
            // Of a grouping set without the window.
            from.push(row as u32);
            starts.push(None);
            continue;
        };
        for start in windows.starts(windows.last_start(pane), pane) {
            from.push(row as u32);
            starts.push(Some(start));
        }
    }
    Ok((from, Arc::new(Int64Array::from(starts))))
}

fn taken(columns: &[ArrayRef], rows: &[u32]) -> Result<Vec<ArrayRef>> {
    let rows = UInt32Array::from(rows.to_vec());
    columns
        .iter()
        .map(|column| take(column, &rows, None).doing(Kind::Internal, || "rows of groups"))
        .collect()
}
