//! One epoch on its way to its tables.

use super::{
    cells::Cells,
    database::{Chunk, Column, Connection, Dialect, SEQUENCE, TableName},
    held::{Held, explained},
    marker::{Mark, Marker},
    sink::{Shared, token},
    split::split,
    statement,
    target::Target,
};
use arrow::array::{Array, RecordBatch};
use async_trait::async_trait;
use engine::{Begin, EpochWriter, Error, Kind, OutputMode, Partition, Result, Token};
use jiff::tz::TimeZone;
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};
use tokio::sync::Mutex;

/// Writes one epoch. Its rows are in an open transaction, or in temporary tables, until they are committed; dropping it ends the
/// connection, and with it either.
pub(super) struct SqlEpoch {
    shared: Arc<Shared>,
    begin: Begin,
    /// What was stored when the epoch began.
    before: Mark,
    /// Counts rows, so that of two with the same keys it is known which came later.
    sequence: AtomicU64,
    writing: Mutex<Writing>,
}

/// What only one partition at a time may do.
struct Writing {
    connection: Box<dyn Connection>,
    epoch: Begin,
    /// Whether the transaction has begun.
    begun: bool,
    /// Whether statements of a plugin have run in it.
    executed: bool,
    /// That no other sink of the query gets a database that has one writer.
    _held: Option<Held>,
    tables: BTreeMap<TableName, Table>,
    /// Bytes of rows that are not loaded yet.
    waiting: usize,
}

/// How many bytes may wait for all tables together.
const MOST_WAITING: usize = 16 << 20;

/// A mark in the transaction, which is gone with it.
const WITHIN: &str = "streamhost_within";

/// A table on the way.
struct Table {
    target: Arc<Target>,
    /// Where rows are loaded into, in quotes: the table itself, or the temporary table for it.
    into: String,
    columns: Vec<Column>,
    staged: bool,
    /// Whether any row has a key that is NULL.
    null_keys: bool,
    /// Rows that are not loaded yet.
    waiting: Option<Chunk>,
}

impl SqlEpoch {
    pub(super) async fn new(
        shared: Arc<Shared>,
        begin: Begin,
        before: Mark,
        connection: Box<dyn Connection>,
        fixed: Option<Arc<Target>>,
    ) -> Result<Self> {
        let mut writing = Writing::new(connection, begin.clone());
        if let Some(target) = fixed {
            writing.table(&shared, target).await?;
        }
        Ok(SqlEpoch { shared, begin, before, sequence: AtomicU64::new(0), writing: Mutex::new(writing) })
    }

    /// The rows by their tables.
    fn divided(&self, rows: RecordBatch) -> Result<Vec<(TableName, RecordBatch)>> {
        let settings = &self.shared.settings;
        match (&settings.table, &settings.table_from_column) {
            (Some(table), _) => Ok(vec![(TableName::parse(table), rows)]),
            (None, Some(column)) => split(&rows, column, self.shared.place.database.dialect().longest_name),
            (None, None) => Err(Error::internal("a sink without a table")),
        }
    }

    async fn write_to(&self, name: &TableName, rows: &RecordBatch) -> Result<()> {
        let shared = &self.shared;
        let target = shared.target(name, &rows.schema()).await?;
        let cells = Cells::new(rows, &shared.options.time_zone)?;
        let null_keys = target.keys.iter().any(|key| {
            let column = target.columns.iter().position(|column| column.name == *key);
            column.and_then(|index| rows.columns().get(index)).is_some_and(|values| values.null_count() > 0)
        });
        let (cells, columns) = match shared.stages() {
            true => {
                let from = self.sequence.fetch_add(rows.num_rows() as u64, Relaxed);
                (cells.numbered(from), with_sequence(&target.columns))
            }
            false => (cells, target.columns.clone()),
        };
        // Outside the lock: another partition's rows may be on their way meanwhile.
        let chunk = shared.place.database.encode(&columns, &cells)?;
        let mut writing = self.writing.lock().await;
        writing.table(shared, target).await?;
        writing.add(shared, name, chunk, null_keys).await
    }

    async fn publish(self) -> Result<Token> {
        let SqlEpoch { shared, begin, before, writing, .. } = self;
        let mut writing = writing.into_inner();
        writing.load_all(&shared).await?;
        shared.step("loaded");
        writing.settle(&shared).await?;
        writing.same_transaction().await?;
        let marker = Marker::of(&shared.place, &begin);
        if begin.marked && !marker.set(&mut *writing.connection, before, begin.epoch).await? {
            writing.connection.execute("ROLLBACK").await?;
            let newest = marker.newest(&mut *writing.connection).await?;
            return if newest.has(begin.epoch) { Ok(token(&begin)) } else { Err(lost(&begin)) };
        }
        shared.step("marked");
        writing.connection.execute("COMMIT").await?;
        shared.step("stored");
        // What statements of a plugin did to the session ends with it.
        if !writing.executed {
            shared.keep(writing.connection).await;
        }
        Ok(token(&begin))
    }
}

impl Writing {
    fn new(connection: Box<dyn Connection>, epoch: Begin) -> Self {
        let tables = BTreeMap::new();
        Writing { connection, epoch, begun: false, executed: false, _held: None, tables, waiting: 0 }
    }

    /// Gets ready for rows of a table.
    async fn table(&mut self, shared: &Shared, target: Arc<Target>) -> Result<()> {
        if self.tables.contains_key(&target.name) {
            return Ok(());
        }
        let dialect = shared.place.database.dialect();
        let staged = shared.stages();
        let (into, columns) = if staged {
            let name = format!("streamhost_staging_{}", self.tables.len());
            if !dialect.one_writer {
                self.begin(shared).await?;
            }
            for statement in (dialect.staging)(&name, &target.name, &target.columns) {
                self.connection.execute(&statement).await?;
            }
            (name, with_sequence(&target.columns))
        } else {
            (target.name.quoted(dialect), target.columns.clone())
        };
        let (name, waiting) = (target.name.clone(), None);
        self.tables.insert(name, Table { target, into, columns, staged, null_keys: false, waiting });
        Ok(())
    }

    async fn begin(&mut self, shared: &Shared) -> Result<()> {
        if !self.begun {
            let begun = self.connection.execute(shared.place.database.dialect().begin).await;
            begun.map_err(|e| explained(e, &self.epoch, &shared.place))?;
            self.begun = true;
            self._held = Held::by(&self.epoch, &shared.place);
        }
        Ok(())
    }

    /// Takes rows of a table, and loads them once there are enough.
    async fn add(&mut self, shared: &Shared, name: &TableName, chunk: Chunk, null_keys: bool) -> Result<()> {
        let Some(table) = self.tables.get_mut(name) else { return Ok(()) };
        table.null_keys |= null_keys;
        self.waiting += chunk.size();
        match &mut table.waiting {
            Some(waiting) => waiting.append(chunk),
            None => table.waiting = Some(chunk),
        }
        match table.waiting.as_ref().is_some_and(Chunk::is_full) {
            _ if self.waiting > MOST_WAITING => self.load_all(shared).await,
            true => self.load(shared, name).await,
            false => Ok(()),
        }
    }

    async fn load_all(&mut self, shared: &Shared) -> Result<()> {
        let names: Vec<TableName> = self.tables.keys().cloned().collect();
        for name in names {
            self.load(shared, &name).await?;
        }
        Ok(())
    }

    async fn load(&mut self, shared: &Shared, name: &TableName) -> Result<()> {
        let Some(table) = self.tables.get(name) else { return Ok(()) };
        if !table.staged {
            self.replace_all(shared).await?;
        }
        let Some(table) = self.tables.get_mut(name) else { return Ok(()) };
        let Some(chunk) = table.waiting.take().filter(|chunk| !chunk.is_empty()) else { return Ok(()) };
        self.waiting = self.waiting.saturating_sub(chunk.size());
        let loaded = self.connection.load(&table.into, &table.columns, chunk).await;
        loaded.map_err(|e| e.while_doing(format!("table {name}")))
    }

    /// Begins the transaction; in complete mode what was in the tables goes first.
    async fn replace_all(&mut self, shared: &Shared) -> Result<()> {
        if self.begun {
            return Ok(());
        }
        let dialect = shared.place.database.dialect();
        self.begin(shared).await?;
        if shared.options.mode == OutputMode::Complete {
            for table in self.tables.values() {
                self.connection
                    .execute(&format!("DELETE FROM {}", table.target.name.quoted(dialect)))
                    .await?;
            }
        }
        Ok(())
    }

    /// Gets ready for statements of a plugin.
    async fn executes(&mut self) -> Result<()> {
        if !self.executed {
            self.connection.execute(&format!("SAVEPOINT {WITHIN}")).await?;
            self.executed = true;
        }
        Ok(())
    }

    /// An error if the transaction is not the one that statements of a plugin began in: what was written before them would be stored
    /// without its mark. No statement that is let through ends one; a trigger or a procedure of the database's own might.
    async fn same_transaction(&mut self) -> Result<()> {
        if self.executed {
            let released = self.connection.execute(&format!("RELEASE SAVEPOINT {WITHIN}")).await;
            let why = || "the transaction of the epoch was ended by a statement of the plugin; look at the triggers of its tables";
            released.map_err(|e| e.while_doing(why()))?;
        }
        Ok(())
    }

    /// Brings what waits in temporary tables to where it belongs, within the transaction.
    async fn settle(&mut self, shared: &Shared) -> Result<()> {
        self.replace_all(shared).await?;
        let dialect = shared.place.database.dialect();
        for (name, table) in self.tables.iter().filter(|(_, table)| table.staged) {
            for statement in table.moves(dialect) {
                let moved = self.connection.execute(&statement).await;
                moved.map_err(|e| e.while_doing(format!("table {name}")))?;
            }
        }
        Ok(())
    }
}

impl Table {
    /// The statements that bring its rows from the temporary table to the table.
    fn moves(&self, dialect: &Dialect) -> Vec<String> {
        let target = self.target.name.quoted(dialect);
        let names = dialect.list(self.target.columns.iter().map(|column| &column.name));
        let (from, keys) = (&self.into, &self.target.keys);
        let empty = format!("DELETE FROM {from}");
        if keys.is_empty() {
            return vec![
                format!("INSERT INTO {target} ({names}) SELECT {names} FROM {from} ORDER BY {SEQUENCE}"),
                empty,
            ];
        }
        let newest = format!(
            "(SELECT {names}, ROW_NUMBER() OVER (PARTITION BY {} ORDER BY {SEQUENCE} DESC) AS streamhost_rank FROM {from}) AS newest",
            dialect.list(keys)
        );
        let all =
            |of: &str| keys.iter().map(|key| format!("{} {of}", dialect.quoted(key))).collect::<Vec<_>>();
        let (given, missing) = (all("IS NOT NULL").join(" AND "), all("IS NULL").join(" OR "));
        let insert =
            format!("INSERT INTO {target} ({names}) SELECT {names} FROM {newest} WHERE streamhost_rank = 1");
        let mut statements =
            vec![format!("{insert} AND {given} {}", (dialect.replace)(keys, &self.target.others()))];
        if self.null_keys {
            // No index finds NULLs equal.
            let same = |key: &String| {
                let key = dialect.quoted(key);
                format!("{from}.{key} {} {target}.{key}", dialect.same)
            };
            let same = keys.iter().map(same).collect::<Vec<_>>().join(" AND ");
            let there = format!("EXISTS (SELECT 1 FROM {from} WHERE {same})");
            statements.push(format!("DELETE FROM {target} WHERE ({missing}) AND {there}"));
            statements.push(format!("{insert} AND ({missing})"));
        }
        statements.push(empty);
        statements
    }
}

#[async_trait]
impl EpochWriter for SqlEpoch {
    async fn write(&self, _: Partition, rows: RecordBatch) -> Result<()> {
        for (name, rows) in self.divided(rows)? {
            let written = self.write_to(&name, &rows).await;
            written.map_err(|e| self.shared.of(e.while_doing(format!("table {name}"))))?;
        }
        Ok(())
    }

    async fn execute(&self, statement: &str, parameters: RecordBatch) -> Result<u64> {
        let statement = statement::checked(statement, self.shared.place.database.dialect())?;
        let cells = Cells::new(&parameters, &self.shared.options.time_zone)?;
        let writing = &self.shared.place.database.dialect().writing;
        let values = writing.rows(&cells, |index| (format!("${}", index + 1), TimeZone::UTC))?;
        let rows = match cells.columns.len() {
            0 => vec![Vec::new(); cells.rows],
            columns => values.chunks(columns).map(<[_]>::to_vec).collect(),
        };
        let mut writing = self.writing.lock().await;
        let done = async {
            // The statement is to find what was written before it.
            writing.load_all(&self.shared).await?;
            writing.settle(&self.shared).await?;
            writing.executes().await?;
            writing.connection.execute_each(statement, rows).await
        };
        done.await.map_err(|e| self.shared.of(e))
    }

    async fn commit(self: Box<Self>) -> Result<Token> {
        let shared = self.shared.clone();
        self.publish().await.map_err(|e| shared.of(e))
    }
}

fn with_sequence(columns: &[Column]) -> Vec<Column> {
    let sequence = Column { name: SEQUENCE.into(), kind: "bigint".into(), required: true };
    columns.iter().cloned().chain([sequence]).collect()
}

fn lost(begin: &Begin) -> Error {
    let what =
        format!("sink {}: another host has taken over before epoch {} was stored", begin.sink, begin.epoch);
    Error::new(Kind::Fenced, what)
}
