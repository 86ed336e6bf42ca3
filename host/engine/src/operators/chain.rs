//! Stateless work on a batch, one part after the other: filters, projections, lists made into rows.

use super::table_join::TableJoin;
use crate::{
    Batch, Batching, EpochContext, Kind, Origin, Port, Result, ResultExt, Step, StepFacts, StepProgress,
    Wanted, Worker,
    sql::{EpochTime, Expression},
};
use arrow::{
    array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions, UInt32Array},
    compute::{filter_record_batch, prep_null_mask_filter, take},
    datatypes::SchemaRef,
};
use async_trait::async_trait;
use std::sync::Arc;

/// One part of a chain.
#[derive(Clone, Debug)]
pub(crate) enum Part {
    /// Keeps the rows for which it holds.
    Filter(Expression),
    /// Makes these columns.
    Project(Vec<Expression>, SchemaRef),
    /// Leaves everything as it is.
    Pass,
    /// The same columns by other names.
    Rename(SchemaRef),
    /// Puts rows of a table beside each.
    Join(Arc<TableJoin>),
    /// Makes a row of each element of a list; the others' values are repeated.
    Unnest(Unnest),
}

/// Rows from the elements of one column's lists.
#[derive(Clone, Debug)]
pub(crate) struct Unnest {
    /// The column of lists.
    pub(crate) column: usize,
    /// The input's columns that come out, in order.
    pub(crate) columns: Vec<usize>,
    /// Whether a row without an element comes out, with NULL.
    pub(crate) outer: bool,
    /// What comes out.
    pub(crate) schema: SchemaRef,
}

/// Parts in a row: no batch in between is copied.
#[derive(Clone, Debug)]
pub(crate) struct Chain {
    pub(crate) parts: Vec<Part>,
}

impl Chain {
    pub(crate) fn run(&self, rows: &RecordBatch) -> Result<RecordBatch> {
        let batch = Batch { rows: rows.clone(), origin: Origin::default() };
        Ok(self.run_with_origin(batch, false)?.rows)
    }

    /// Which columns of what comes in have to be there for those of what comes out.
    pub(crate) fn reads(&self, wanted: Wanted) -> Wanted {
        self.parts.iter().rev().fold(wanted, |wanted, part| part.reads(wanted))
    }

    fn run_with_origin(&self, mut batch: Batch, origins: bool) -> Result<Batch> {
        for part in &self.parts {
            if batch.is_empty() && matches!(part, Part::Filter(_)) {
                continue;
            }
            batch = part.run(batch, origins)?;
        }
        Ok(batch)
    }
}

impl Part {
    fn reads(&self, wanted: Wanted) -> Wanted {
        match self {
            Part::Filter(condition) => wanted.and(condition.reads()),
            Part::Project(columns, _) => {
                let of = |column| columns.get(column).map_or_else(Wanted::nothing, Expression::reads);
                wanted.through(columns.len(), of)
            }
            Part::Pass | Part::Rename(_) => wanted,
            Part::Join(join) => join.reads(&wanted),
            Part::Unnest(Unnest { column, columns, .. }) => {
                let of = |out| columns.get(out).copied().into_iter().collect();
                wanted.through(columns.len(), of).and([*column].into_iter().collect())
            }
        }
    }

    fn run(&self, batch: Batch, origins: bool) -> Result<Batch> {
        match self {
            Part::Filter(condition) => {
                let holds = condition.holds(&batch.rows)?;
                let holds = if holds.null_count() > 0 { prep_null_mask_filter(&holds) } else { holds };
                if holds.true_count() == batch.len() {
                    return Ok(batch);
                }
                let rows = filter_record_batch(&batch.rows, &holds);
                let rows = rows.doing(Kind::Internal, || condition.text().to_owned())?;
                let origin = if origins { batch.origin.keep(holds.values()) } else { Origin::default() };
                Ok(Batch { rows, origin })
            }
            Part::Project(columns, schema) => {
                let columns: Vec<ArrayRef> =
                    columns.iter().map(|column| column.evaluate(&batch.rows)).collect::<Result<_>>()?;
                let rows = made(schema, columns, batch.len())?;
                Ok(Batch { rows, origin: batch.origin })
            }
            Part::Pass => Ok(batch),
            Part::Rename(schema) => {
                let rows = made(schema, batch.rows.columns().to_vec(), batch.len())?;
                Ok(Batch { rows, origin: batch.origin })
            }
            Part::Join(join) => {
                let rows = join.run(&batch.rows)?;
                let origin =
                    if origins { batch.origin.made_from(rows.num_rows()) } else { Origin::default() };
                Ok(Batch { rows, origin })
            }
            Part::Unnest(unnest) => {
                let rows = unnest.run(&batch.rows)?;
                let origin =
                    if origins { batch.origin.made_from(rows.num_rows()) } else { Origin::default() };
                Ok(Batch { rows, origin })
            }
        }
    }
}

impl Unnest {
    fn run(&self, rows: &RecordBatch) -> Result<RecordBatch> {
        let doing = || "making rows of the elements of a list";
        let lists = rows.column(self.column);
        let lists =
            lists.as_list_opt::<i32>().ok_or_else(|| crate::Error::internal("no lists to make rows of"))?;
        let (mut from, mut element) = (Vec::new(), Vec::new());
        for row in 0..lists.len() {
            let (start, end) = match (lists.is_null(row), lists.value_offsets().get(row..row + 2)) {
                (false, Some([start, end])) => (*start as u32, *end as u32),
                _ => (0, 0),
            };
            from.extend((start..end).map(|_| row as u32));
            element.extend((start..end).map(Some));
            if start == end && self.outer {
                from.push(row as u32);
                element.push(None);
            }
        }
        let (from, element) = (UInt32Array::from(from), UInt32Array::from(element));
        let columns = self.columns.iter().map(|column| match *column == self.column {
            true => take(lists.values(), &element, None),
            false => take(rows.column(*column), &from, None),
        });
        let columns = columns.collect::<Result<_, _>>().doing(Kind::Internal, doing)?;
        made(&self.schema, columns, from.len())
    }
}

/// Rows of these columns.
pub(crate) fn made(schema: &SchemaRef, columns: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(schema.clone(), columns, &options)
        .doing(Kind::Internal, || "columns do not fit their schema")
}

/// A chain as a step.
pub(crate) struct ChainStep {
    chain: Arc<Chain>,
    ports: Vec<Port>,
}

impl ChainStep {
    /// What comes out has the columns of `schema`.
    pub(crate) fn new(chain: Chain, schema: SchemaRef) -> Self {
        ChainStep { chain: Arc::new(chain), ports: vec![Port { name: String::new(), schema }] }
    }
}

#[async_trait]
impl Step for ChainStep {
    fn facts(&self) -> StepFacts {
        let details = self.chain.parts.iter().map(|part| match part {
            Part::Filter(condition) => format!("where {}", condition.text()),
            Part::Project(columns, _) => {
                let columns: Vec<&str> = columns.iter().map(Expression::text).collect();
                format!("select {}", columns.join(", "))
            }
            Part::Join(join) => join.text(),
            Part::Unnest(_) => "explode".into(),
            Part::Pass => "all rows".into(),
            Part::Rename(_) => "the same columns by other names".into(),
        });
        StepFacts { description: "SQL".into(), deterministic: true, digest: None, details: details.collect() }
    }

    fn ports(&self) -> &[Port] {
        &self.ports
    }

    fn reads(&self, wanted: &[Wanted]) -> Wanted {
        self.chain.reads(wanted.first().cloned().unwrap_or(Wanted::All))
    }

    fn batching(&self) -> Batching {
        // Batches pass as they come: nothing is gained by joining them.
        Batching { target_rows: 1, max_rows: usize::MAX, max_bytes: usize::MAX }
    }

    async fn worker(&self) -> Result<Box<dyn Worker>> {
        Ok(Box::new(ChainWorker(self.chain.clone())))
    }

    fn progress(&self) -> StepProgress {
        StepProgress::default()
    }
}

struct ChainWorker(Arc<Chain>);

#[async_trait]
impl Worker for ChainWorker {
    async fn process(
        &mut self,
        cx: &EpochContext,
        batch: Batch,
        out: &mut Vec<(usize, Batch)>,
    ) -> Result<()> {
        let _now = EpochTime::set(cx.now.0);
        let span = batch.origin.span();
        let done = self.0.run_with_origin(batch, true);
        out.push((
            0,
            done.map_err(|e| match span {
                Some(span) if e.kind() == Kind::Data => e.while_doing(span.to_string()),
                _ => e,
            })?,
        ));
        Ok(())
    }
}
