use super::MemorySettings;
use arrow::{
    array::{ArrayRef, BooleanArray, RecordBatch},
    compute::{concat_batches, filter_record_batch},
    datatypes::{Schema, SchemaRef},
    row::{RowConverter, SortField},
};
use engine::{Epoch, Error, Kind, OutputMode, Result, ResultExt};
use std::{
    collections::{BTreeMap, HashSet},
    sync::{Arc, Mutex, PoisonError, RwLock},
};

/// Epochs of few rows are gathered into batches of so many, or a table of many epochs would be slow to ask.
const BATCH: usize = 8192;

/// The tables of a process's memory sinks by name.
#[derive(Clone, Default)]
pub struct LiveTables(Arc<Mutex<BTreeMap<String, Arc<LiveTable>>>>);

impl LiveTables {
    /// The table of this name; made if there is none.
    pub fn table(&self, name: &str) -> Arc<LiveTable> {
        let mut tables = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tables.entry(name.to_owned()).or_default().clone()
    }

    /// Every table as it is now.
    pub fn snapshot(&self) -> BTreeMap<String, Snapshot> {
        let tables = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tables.iter().map(|(name, table)| (name.clone(), table.snapshot())).collect()
    }
}

/// The rows of one memory sink.
///
/// Invariant: a reader sees the rows of whole epochs.
#[derive(Default)]
pub struct LiveTable(RwLock<Snapshot>);

/// A table as it was after an epoch.
#[derive(Clone)]
pub struct Snapshot {
    /// The epoch; none before the first.
    pub epoch: Option<Epoch>,
    /// The columns; there are none before the first epoch.
    pub schema: SchemaRef,
    /// The rows, oldest first.
    pub rows: Vec<RecordBatch>,
}

impl Default for Snapshot {
    fn default() -> Self {
        Snapshot { epoch: None, schema: Arc::new(Schema::empty()), rows: Vec::new() }
    }
}

impl LiveTable {
    /// As it is now.
    pub fn snapshot(&self) -> Snapshot {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Names the columns before there are rows, so that an empty table can be asked. Other columns than before begin the table
    /// anew.
    pub(super) fn prepare(&self, schema: &SchemaRef) {
        let mut now = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if now.schema != *schema {
            *now = Snapshot { schema: schema.clone(), ..Snapshot::default() };
        }
    }

    /// Whether it has this epoch's rows.
    pub(super) fn has(&self, epoch: Epoch) -> bool {
        let now = self.0.read().unwrap_or_else(PoisonError::into_inner);
        now.epoch.is_some_and(|newest| newest >= epoch)
    }

    /// Takes the rows of an epoch.
    pub(super) fn store(
        &self,
        epoch: Epoch,
        schema: SchemaRef,
        rows: Vec<RecordBatch>,
        mode: OutputMode,
        settings: &MemorySettings,
    ) -> Result<()> {
        self.prepare(&schema);
        let before = self.snapshot().rows;
        let rows = match mode {
            OutputMode::Complete => rows,
            OutputMode::Update if !settings.keys.is_empty() => {
                newest(&schema, appended(before, rows, &schema)?, &settings.keys)?
            }
            OutputMode::Append | OutputMode::Update => appended(before, rows, &schema)?,
        };
        let size: usize = rows.iter().map(RecordBatch::get_array_memory_size).sum();
        if size as u64 > settings.max_size.0 {
            let (rows, most): (usize, _) =
                (rows.iter().map(RecordBatch::num_rows).sum(), settings.max_size.0);
            return Err(Error::data(format!(
                "the table in memory would have {rows} rows in {size} bytes after epoch {epoch}, and `max-size` is {most}; raise it, \
                 aggregate more, or write to files"
            )));
        }
        *self.0.write().unwrap_or_else(PoisonError::into_inner) =
            Snapshot { epoch: Some(epoch), schema, rows };
        Ok(())
    }
}

/// `rows` behind those of `before`.
fn appended(
    mut before: Vec<RecordBatch>,
    rows: Vec<RecordBatch>,
    schema: &SchemaRef,
) -> Result<Vec<RecordBatch>> {
    for rows in rows {
        match before.last_mut() {
            Some(last) if last.num_rows() + rows.num_rows() <= BATCH => {
                *last =
                    concat_batches(schema, [&*last, &rows]).doing(Kind::Internal, || "a table in memory")?;
            }
            _ => before.push(rows),
        }
    }
    Ok(before)
}

/// The last row of each key.
fn newest(schema: &Schema, rows: Vec<RecordBatch>, keys: &[String]) -> Result<Vec<RecordBatch>> {
    let doing = || "the keys of a table in memory";
    let at = key_columns(schema, keys)?;
    let fields = at.iter().map(|at| SortField::new(schema.field(*at).data_type().clone())).collect();
    let keys = RowConverter::new(fields).doing(Kind::Invalid, doing)?;
    let mut seen = HashSet::new();
    let mut kept = Vec::with_capacity(rows.len());
    for rows in rows.into_iter().rev() {
        let columns: Vec<ArrayRef> = at.iter().map(|at| rows.column(*at).clone()).collect();
        let of = keys.convert_columns(&columns).doing(Kind::Internal, doing)?;
        let mut last = vec![false; rows.num_rows()];
        for (last, key) in last.iter_mut().zip(&of).rev() {
            *last = seen.insert(key.owned());
        }
        let rows = match last.iter().all(|last| *last) {
            true => rows,
            false => filter_record_batch(&rows, &BooleanArray::from(last)).doing(Kind::Internal, doing)?,
        };
        kept.push(rows);
    }
    kept.reverse();
    kept.retain(|rows| rows.num_rows() > 0);
    Ok(kept)
}

/// Where the columns of these names are.
pub(super) fn key_columns(schema: &Schema, keys: &[String]) -> Result<Vec<usize>> {
    let find = |key: &String| {
        let at = schema.fields().iter().position(|field| field.name().eq_ignore_ascii_case(key));
        at.ok_or_else(|| {
            let there: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
            Error::invalid(format!("keys: there is no column `{key}`; there are: {}", there.join(", ")))
        })
    };
    keys.iter().map(find).collect()
}
