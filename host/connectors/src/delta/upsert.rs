//! `mode = "update"`: each row takes the place of the one with the same keys.

use super::{
    epoch::{Work, removal},
    files::{Lane, Layout, Partition as Place},
    prune::Span,
    read::{DataFile, rows_of},
    state::State,
};
use crate::{formats::encode::Codec, units::ByteSize};
use arrow::{
    array::{ArrayRef, BooleanArray, RecordBatch},
    compute::filter_record_batch,
    datatypes::{Schema, SchemaRef},
    row::{RowConverter, SortField},
};
use deltalake_core::kernel::{Action, Add};
use engine::{Error, Kind, Partition, Result, ResultExt, Wanted};
use futures::StreamExt;
use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

/// The rows of an epoch, which are held until it ends: only then is it known which of those with the same keys is the last.
pub(super) struct Held {
    partitions: Vec<Mutex<Vec<RecordBatch>>>,
    bytes: AtomicU64,
    most: ByteSize,
}

impl Held {
    pub(super) fn new(partitions: u32, most: ByteSize) -> Self {
        let partitions = (0..partitions).map(|_| Mutex::default()).collect();
        Held { partitions, bytes: AtomicU64::new(0), most }
    }

    /// Takes rows. [`Kind::Invalid`] if these are more than there may be.
    pub(super) fn hold(&self, partition: Partition, rows: RecordBatch) -> Result<()> {
        let size = size(&rows)?;
        if self.bytes.fetch_add(size, Relaxed).saturating_add(size) > self.most.0 {
            return Err(Error::invalid(format!(
                "an epoch of mode = \"update\" has more than {} bytes of rows, which are held in memory until its end; set a larger \
                 `max-held` for this epoch, and max-per-trigger on the sources so that later ones are smaller",
                self.most.0
            )));
        }
        let held = self.partitions.get(partition.index());
        let held = held.ok_or_else(|| Error::internal("a partition too many"))?;
        held.lock().unwrap_or_else(PoisonError::into_inner).push(rows);
        Ok(())
    }

    /// Writes the rows that count, in their order.
    pub(super) async fn settle(self, work: &Work, lane: &mut Lane) -> Result<Rewrites> {
        let all: Vec<RecordBatch> = self
            .partitions
            .into_iter()
            .flat_map(|held| held.into_inner().unwrap_or_else(PoisonError::into_inner))
            .collect();
        let columns = Columns::new(&work.fit.written, &work.settings.keys)?;
        let mut keys = HashSet::new();
        let mut spans = columns.spans();
        let mut kept = Vec::with_capacity(all.len());
        for rows in all.iter().rev() {
            let found = columns.keys(rows)?;
            let mut last: Vec<bool> = found.into_iter().rev().map(|key| keys.insert(key)).collect();
            last.reverse();
            kept.push(
                filter_record_batch(rows, &last.into()).doing(Kind::Internal, || "the last rows of keys")?,
            );
            spans.iter_mut().zip(columns.of(rows)).for_each(|(span, column)| span.widen(&column));
        }
        for rows in kept.into_iter().rev().filter(|rows| rows.num_rows() > 0) {
            lane.write(&work.layout, &rows).await?;
        }
        Ok(Rewrites { columns, keys, spans, done: HashMap::new() })
    }
}

/// What the rows take up in memory; not what they share with rows that are not here.
fn size(rows: &RecordBatch) -> Result<u64> {
    let bytes = |column: &ArrayRef| column.to_data().get_slice_memory_size();
    let sizes = rows.columns().iter().map(bytes).collect::<std::result::Result<Vec<_>, _>>();
    Ok(sizes.doing(Kind::Internal, || "the size of rows")?.into_iter().sum::<usize>() as u64)
}

/// The columns that tell rows apart.
struct Columns {
    schema: SchemaRef,
    at: Vec<usize>,
    converter: RowConverter,
}

impl Columns {
    fn new(written: &Schema, keys: &[String]) -> Result<Self> {
        let find = |key: &String| {
            let found = written.fields().iter().position(|f| f.name().eq_ignore_ascii_case(key));
            found.ok_or_else(|| Error::invalid(format!("keys: there is no column {key}")))
        };
        let at = keys.iter().map(find).collect::<Result<Vec<_>>>()?;
        let schema = written.project(&at).doing(Kind::Internal, || "the key columns")?;
        let fields = schema.fields().iter().map(|f| SortField::new(f.data_type().clone())).collect();
        let converter = RowConverter::new(fields)
            .doing(Kind::Invalid, || "keys: a MAP cannot tell rows apart; choose other columns")?;
        Ok(Columns { schema: Arc::new(schema), at, converter })
    }

    fn of(&self, rows: &RecordBatch) -> Vec<ArrayRef> {
        self.at.iter().map(|at| rows.column(*at).clone()).collect()
    }

    /// The key of each row. NULL is a value like others.
    fn keys(&self, rows: &RecordBatch) -> Result<Vec<Box<[u8]>>> {
        self.of_columns(&self.of(rows))
    }

    fn of_columns(&self, columns: &[ArrayRef]) -> Result<Vec<Box<[u8]>>> {
        let keys = self.converter.convert_columns(columns).doing(Kind::Internal, || "the keys of rows")?;
        Ok(keys.iter().map(|key| key.as_ref().into()).collect())
    }

    fn spans(&self) -> Vec<Span> {
        self.schema.fields().iter().map(|f| Span::new(f.name())).collect()
    }
}

/// Takes the rows of an epoch's keys out of a table's files.
pub(super) struct Rewrites {
    columns: Columns,
    keys: HashSet<Box<[u8]>>,
    /// Between which values the keys lie, by column.
    spans: Vec<Span>,
    /// What became of the files that were looked at, so that after a conflict only new ones are.
    done: HashMap<String, Outcome>,
}

#[derive(Clone)]
enum Outcome {
    /// No row of it is replaced.
    Kept,
    /// These files have the rows that are left.
    Replaced(Vec<Add>),
}

impl Rewrites {
    /// The removals and additions that leave a table without the keys.
    pub(super) async fn actions(&mut self, work: &Work, state: &State, now: i64) -> Result<Vec<Action>> {
        let mut actions = Vec::new();
        for add in state.files.iter().flat_map(|files| files.values()) {
            if !self.spans.iter().all(|span| span.may_meet(add)) {
                continue;
            }
            let outcome = match self.done.get(&add.path) {
                Some(outcome) => outcome.clone(),
                None => self.rewrite(work, state, add).await?,
            };
            if let Outcome::Replaced(rest) = &outcome {
                actions.push(Action::Remove(removal(add, now, true)));
                let rest = rest.iter().cloned();
                actions.extend(rest.map(|add| Action::Add(Add { modification_time: now, ..add })));
            }
            self.done.insert(add.path.clone(), outcome);
        }
        Ok(actions)
    }

    async fn rewrite(&self, work: &Work, state: &State, add: &Add) -> Result<Outcome> {
        let file = DataFile::of(add)?;
        if !self.meets(work, &file).await? {
            return Ok(Outcome::Kept);
        }
        let layout = whole_files(work, state, &format!("part-{:05}-{}-rest", work.begin.epoch.0, work.id))?;
        let mut lane = Lane::new(u32::try_from(self.done.len()).unwrap_or(u32::MAX));
        let all = self.with_keys(&layout);
        let mut rows = Box::pin(rows_of(work.folder.store(), file, all, &Wanted::All).await?);
        while let Some(rows) = rows.next().await {
            let rows = rows?;
            let own = layout.file_schema.fields().len();
            let keys: Vec<ArrayRef> = rows.columns().iter().skip(own).cloned().collect();
            let keep: BooleanArray =
                self.columns.of_columns(&keys)?.iter().map(|key| Some(!self.keys.contains(key))).collect();
            let own: Vec<usize> = (0..own).collect();
            let doing = || "the rows that are left";
            let rows = rows.project(&own).and_then(|rows| filter_record_batch(&rows, &keep));
            let rows = rows.doing(Kind::Internal, doing)?;
            if rows.num_rows() > 0 {
                lane.write_to(&layout, place(state, add), &rows).await?;
            }
        }
        lane.finish(&layout).await.map(Outcome::Replaced)
    }

    /// Whether a file has a row with one of the keys.
    async fn meets(&self, work: &Work, file: &DataFile) -> Result<bool> {
        let mut rows = Box::pin(
            rows_of(work.folder.store(), file.clone(), self.columns.schema.clone(), &Wanted::All).await?,
        );
        while let Some(rows) = rows.next().await {
            let keys = self.columns.of_columns(rows?.columns())?;
            if keys.iter().any(|key| self.keys.contains(key)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The columns of a file, and behind them those of the keys.
    fn with_keys(&self, layout: &Layout) -> SchemaRef {
        let fields = layout.file_schema.fields().iter().chain(self.columns.schema.fields());
        Arc::new(Schema::new(fields.cloned().collect::<Vec<_>>()))
    }
}

/// How files of all columns of a table are written.
pub(super) fn whole_files(work: &Work, state: &State, prefix: &str) -> Result<Layout> {
    let table = super::schema::parse(&state.description.schema_string)?;
    let stored = super::schema::stored(work.fit.evolved.as_ref().unwrap_or(&table))?;
    let codec = work.settings.compression.unwrap_or(Codec::Snappy);
    let by = &state.description.partition_columns;
    Layout::new(work.folder.store(), &stored, by, codec, prefix.to_owned())
}

/// The partition of a file.
pub(super) fn place(state: &State, add: &Add) -> Place {
    let columns = state.description.partition_columns.iter();
    let value = |name: &String| add.partition_values.get(name).cloned().flatten();
    Place(columns.map(|name| (name.clone(), value(name))).collect())
}
