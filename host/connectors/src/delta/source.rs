//! A Delta table as a source.

use super::{
    DeltaSettings, StartingVersion,
    changes::{Commit, Entry},
    folder::Folder,
    position::{Detail, Position},
    protocol::{self, Description},
    read::{DataFile, rows_of},
    schema, state,
};
use crate::{
    formats::ddl,
    source::{Limit, SchemaOption, SourceOptions},
    stores::Environment,
};
use arrow::{
    array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray},
    datatypes::{DataType, Field, FieldRef, Schema, SchemaRef},
};
use async_trait::async_trait;
use bytes::Bytes;
use engine::{
    Batch, BatchStream, Clock, Error, History, Kind, Offset, Place, Planned, Range, Reach, Result, ResultExt,
    Source, SourceFacts, Wanted,
};
use futures::{StreamExt, TryStreamExt, stream};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

/// Files of an epoch unless somebody says otherwise, as Spark has it.
const FILES: u64 = 1_000;

/// So many commits without rows are passed by an epoch of their own, so that the position is not left behind what the log
/// still has.
const EMPTY_COMMITS: u64 = 100;

/// The columns of the change data feed behind those of the table.
const CHANGE_TYPE: &str = "_change_type";
const COMMIT_VERSION: &str = "_commit_version";
const COMMIT_TIMESTAMP: &str = "_commit_timestamp";

/// The rows of a Delta table, file by file, and of each commit to it. What it promises is said at [`DeltaSettings`].
pub(super) struct DeltaSource {
    name: String,
    settings: DeltaSettings,
    options: SourceOptions,
    folder: Folder,
    clock: Arc<dyn Clock>,
    /// The columns of the table, once they are known.
    columns: Mutex<Option<Schema>>,
    /// Those that the plan looks at.
    wanted: Mutex<Wanted>,
    known: tokio::sync::Mutex<Known>,
}

/// What was read of the log.
#[derive(Default)]
struct Known {
    /// Where a query that has no position starts.
    first: Option<Position>,
    /// The newest version at the start.
    newest: u64,
    /// The last version to read, if there is one.
    last: Option<u64>,
    once: bool,
    /// The files of the table as of a version, in order.
    table: Option<(u64, Arc<Vec<Entry>>)>,
    commits: BTreeMap<u64, Arc<Commit>>,
}

impl DeltaSource {
    /// [`Kind::Invalid`] if a setting cannot be. Nothing is read yet.
    pub(super) fn new(
        name: impl Into<String>,
        settings: DeltaSettings,
        options: SourceOptions,
        clock: Arc<dyn Clock>,
        environment: &Environment,
    ) -> Result<Self> {
        let folder = Folder::new(&settings.path, environment)?;
        if settings.starting_version.is_some() && settings.starting_timestamp.is_some() {
            return Err(Error::invalid("starting-version and starting-timestamp are two starts; keep one"));
        }
        if matches!(options.schema, Some(SchemaOption::Ddl(_))) {
            return Err(Error::invalid(
                "the columns of a Delta source are those of its table; leave `schema` out",
            ));
        }
        if let Some(Limit::Rows(_)) = options.max_per_trigger {
            return Err(Error::invalid("max-per-trigger: a Delta source counts files or bytes, not rows"));
        }
        let (columns, known) = Default::default();
        let wanted = Mutex::new(Wanted::All);
        Ok(DeltaSource { name: name.into(), settings, options, folder, clock, columns, wanted, known })
    }

    fn columns(&self) -> Result<Schema> {
        let columns = self.columns.lock().unwrap_or_else(PoisonError::into_inner).clone();
        columns.ok_or_else(|| Error::internal("a Delta source is asked for its columns before it has looked"))
    }

    fn set_columns(&self, columns: Schema) {
        *self.columns.lock().unwrap_or_else(PoisonError::into_inner) = Some(columns);
    }

    /// The columns of the rows: those of the table, and those of the change data feed.
    fn with_feed(&self, table: &Schema) -> SchemaRef {
        let feed = [
            Field::new(CHANGE_TYPE, DataType::Utf8, true),
            Field::new(COMMIT_VERSION, DataType::Int64, true),
            Field::new(COMMIT_TIMESTAMP, ddl::timestamp(), true),
        ];
        let feed = feed.into_iter().filter(|_| self.settings.change_data_feed).map(Arc::new);
        Arc::new(Schema::new(table.fields().iter().cloned().chain(feed).collect::<Vec<FieldRef>>()))
    }

    fn missing(&self) -> Error {
        Error::invalid(format!(
            "there is no Delta table {}; correct `path`, or start what writes it first",
            self.folder.shown()
        ))
    }

    fn check(&self, description: &Description) -> Result<()> {
        if self.settings.change_data_feed && !description.is_on("delta.enableChangeDataFeed") {
            return Err(Error::invalid(format!(
                "change-data-feed: the Delta table {} does not record changes; set its property delta.enableChangeDataFeed = true",
                self.folder.shown()
            )));
        }
        Ok(())
    }

    /// Where to start, of a table that has `newest` for its newest version.
    async fn first(&self, newest: u64) -> Result<Position> {
        match (self.settings.starting_version, &self.settings.starting_timestamp) {
            (Some(StartingVersion::Version(version)), _) => Ok(Position::commit(version)),
            (Some(StartingVersion::Latest), _) => Ok(Position::commit(newest + 1)),
            (None, Some(text)) => {
                let time = super::time::parse(text, &self.options.time_zone)?;
                super::time::first_version(&self.folder, newest, time).await.map(Position::commit)
            }
            (None, None) => Ok(Position::table(newest)),
        }
    }

    /// The files of the table as of a version, oldest first.
    async fn table(&self, known: &mut Known, version: u64) -> Result<Arc<Vec<Entry>>> {
        if let Some((_, entries)) = known.table.as_ref().filter(|(of, _)| *of == version) {
            return Ok(entries.clone());
        }
        let snapshot = self.folder.snapshot(Some(version)).await?.ok_or_else(|| self.missing())?;
        let files = state::files(&self.folder, &snapshot).await?;
        let mut files: Vec<_> = files.into_values().collect();
        files.sort_by(|a, b| (a.modification_time, &a.path).cmp(&(b.modification_time, &b.path)));
        let change = self.settings.change_data_feed.then_some("insert");
        let committed = match self.settings.change_data_feed {
            true => super::time::committed(&self.folder, version).await?.unwrap_or(0),
            false => 0,
        };
        let entry = |add| Ok(Entry { file: DataFile::of(add)?, change, version, committed });
        let entries = Arc::new(files.iter().map(entry).collect::<Result<Vec<_>>>()?);
        known.table = Some((version, entries.clone()));
        Ok(entries)
    }

    /// What a version did; none if it is not there yet.
    async fn commit(&self, known: &mut Known, version: u64) -> Result<Option<Arc<Commit>>> {
        if let Some(commit) = known.commits.get(&version) {
            return Ok(Some(commit.clone()));
        }
        let Some(actions) = self.folder.commit(version).await? else {
            return match version > known.newest && !self.folder.summed_up(version).await? {
                true => Ok(None),
                false => Err(self.lost(version)),
            };
        };
        let commit = Arc::new(Commit::new(version, &actions, &self.settings)?);
        known.commits.insert(version, commit.clone());
        Ok(Some(commit))
    }

    fn lost(&self, version: u64) -> Error {
        Error::data(format!(
            "version {version} is not in the log of the Delta table {} any more; start a new query, or from a later version",
            self.folder.shown()
        ))
    }

    /// Takes the new columns of a commit that is about to be read, or refuses them.
    fn take_columns(&self, version: u64, commit: &Commit) -> Result<()> {
        if let Some(protocol) = &commit.protocol {
            protocol::readable(protocol, commit.description.as_ref())?;
        }
        let Some(description) = &commit.description else { return Ok(()) };
        let (new, now) = (schema::columns(description)?, self.columns()?);
        // Those of an earlier version than the one that the query started with.
        if schema::has_all(&now, &new) {
            return Ok(());
        }
        if self.options.evolve && schema::has_all(&new, &now) {
            tracing::info!(
                source = self.name,
                version,
                columns = ddl::print(&new),
                "the table has new columns"
            );
            self.set_columns(new);
            return Ok(());
        }
        Err(Error::invalid(format!(
            "version {version} changes the columns of the Delta table {} to {}; start the query again to read them",
            self.folder.shown(),
            ddl::print(&new)
        )))
    }

    /// Goes on from a position as far as the limit lets it. Answers the files, and where they end.
    async fn walk(&self, known: &mut Known, from: Position, mut room: Room) -> Result<(u64, Position)> {
        let mut at = from;
        let mut files = 0;
        loop {
            if known.last.is_some_and(|last| !at.snapshot && at.version > last) {
                return Ok((files, at));
            }
            let entries = if at.snapshot {
                self.table(known, at.version).await?
            } else {
                let Some(commit) = self.commit(known, at.version).await? else { return Ok((files, at)) };
                if commit.description.is_some() || commit.protocol.is_some() {
                    match self.take_columns(at.version, &commit) {
                        // First what comes before it.
                        Err(_) if files > 0 => return Ok((files, at)),
                        taken => taken?,
                    }
                }
                Arc::new(commit.entries.clone())
            };
            for entry in entries.iter().skip(usize::try_from(at.index).unwrap_or(usize::MAX)) {
                if !room.takes(entry.file.size) {
                    return Ok((files, at));
                }
                at.index += 1;
                files += 1;
            }
            at = Position::commit(at.version + 1);
        }
    }

    /// The files of a range, in order.
    async fn entries(&self, start: Position, end: Position) -> Result<Vec<Entry>> {
        let mut known = self.known.lock().await;
        let mut at = start;
        let mut all = Vec::new();
        while at != end {
            let entries = if at.snapshot {
                self.table(&mut known, at.version).await?
            } else {
                let commit = self.commit(&mut known, at.version).await?;
                Arc::new(commit.ok_or_else(|| self.lost(at.version))?.entries.clone())
            };
            let here = (at.version, at.snapshot) == (end.version, end.snapshot);
            let to = if here { end.index } else { u64::MAX };
            let rest = entries.iter().skip(usize::try_from(at.index).unwrap_or(usize::MAX));
            all.extend((at.index..to).zip(rest).map(|(_, entry)| entry.clone()));
            if here {
                break;
            }
            at = Position::commit(at.version + 1);
        }
        Ok(all)
    }
}

/// How much an epoch may still take: at least one file.
struct Room {
    files: u64,
    bytes: u64,
    none_yet: bool,
}

impl Room {
    fn new(limit: Option<Limit>) -> Self {
        let (files, bytes) = match limit {
            None | Some(Limit::Rows(_)) => (FILES, u64::MAX),
            Some(Limit::Files(files)) => (files, u64::MAX),
            Some(Limit::Bytes(bytes)) => (u64::MAX, bytes.0),
        };
        Room { files, bytes, none_yet: true }
    }

    fn endless() -> Self {
        Room { files: u64::MAX, bytes: u64::MAX, none_yet: true }
    }

    fn takes(&mut self, size: u64) -> bool {
        let fits = self.files > 0 && self.bytes > size;
        if !fits && !self.none_yet {
            return false;
        }
        self.none_yet = false;
        self.files = self.files.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(size);
        true
    }
}

#[async_trait]
impl Source for DeltaSource {
    fn facts(&self) -> SourceFacts {
        SourceFacts {
            description: format!("DeltaSource[{}]", self.folder.shown()),
            identity: format!("DeltaSource[{}]", self.folder.address()),
            replayable: true,
            needs_history: false,
            consumes: false,
        }
    }

    fn schema(&self, range: Option<&Range>) -> Result<SchemaRef> {
        let table = match range {
            Some(range) => ddl::parse(&Detail::of(range)?.schema)?,
            None => self.columns()?,
        };
        Ok(self.with_feed(&table))
    }

    async fn restore(&self, _: History, reach: Reach) -> Result<()> {
        let snapshot = self.folder.snapshot(None).await?.ok_or_else(|| self.missing())?;
        let description = Description::of(snapshot.metadata())?;
        protocol::readable(snapshot.protocol(), Some(&description))?;
        self.check(&description)?;
        self.set_columns(schema::columns(&description)?);
        let newest = snapshot.version();
        let mut known = self.known.lock().await;
        *known = Known {
            first: Some(self.first(newest).await?),
            newest,
            last: (reach != Reach::Endless).then_some(newest),
            once: reach == Reach::Once,
            ..Known::default()
        };
        Ok(())
    }

    async fn latest(&self, start: Option<&Offset>) -> Result<Option<Planned>> {
        let mut known = self.known.lock().await;
        let from = match start {
            Some(offset) => Position::of(offset)?,
            None => known.first.ok_or_else(|| Error::internal("a Delta source was not restored"))?,
        };
        let room = if known.once { Room::endless() } else { Room::new(self.options.max_per_trigger) };
        let (files, end) = self.walk(&mut known, from, room).await?;
        // What was the newest version at the very first start must be known at later ones, so it is put down in an epoch of its own.
        let undecided = start.is_none() && self.settings.starting_version == Some(StartingVersion::Latest);
        if files == 0 && !undecided && end.version.saturating_sub(from.version) < EMPTY_COMMITS {
            return Ok(None);
        }
        let detail = Detail { start: from, schema: ddl::print(&self.columns()?) };
        let detail = serde_json::to_value(detail).doing(Kind::Internal, || "a range of a Delta table")?;
        let backlog = match &known.table {
            Some((version, entries)) if end.snapshot && *version == end.version => {
                entries.len() as u64 - end.index
            }
            _ => 0,
        };
        Ok(Some(Planned { range: Range { start: start.cloned(), end: end.offset()?, detail }, backlog }))
    }

    async fn wait(&self) {
        self.clock.sleep(self.settings.poll.0).await;
    }

    async fn read(&self, range: &Range, partitions: usize) -> Result<Vec<BatchStream>> {
        let schema = self.schema(Some(range))?;
        let entries = self.entries(Detail::of(range)?.start, Position::of(&range.end)?).await?;
        let shares = shares(entries, partitions);
        Ok(shares.into_iter().map(|share| self.stream_of(share, schema.clone())).collect())
    }

    fn want(&self, columns: Wanted) {
        *self.wanted.lock().unwrap_or_else(PoisonError::into_inner) = columns;
    }

    async fn release(&self, range: &Range) -> Result<Option<Bytes>> {
        let end = Position::of(&range.end)?;
        let mut known = self.known.lock().await;
        known.commits = known.commits.split_off(&end.version);
        if !end.snapshot {
            known.table = None;
        }
        Ok(None)
    }
}

impl DeltaSource {
    /// The rows of some files, one after the other.
    fn stream_of(&self, entries: Vec<Entry>, schema: SchemaRef) -> BatchStream {
        let (store, feed) = (self.folder.store(), self.settings.change_data_feed);
        let wanted = Arc::new(self.wanted.lock().unwrap_or_else(PoisonError::into_inner).clone());
        let files = stream::iter(entries.into_iter().map(Ok::<_, Error>)).and_then(move |entry: Entry| {
            let (store, schema, wanted) = (store.clone(), schema.clone(), wanted.clone());
            async move {
                let of: Arc<str> = entry.file.path.as_str().into();
                let rows = rows_of(store, entry.file.clone(), schema, &wanted).await?;
                let mut next = 1;
                Ok(rows.map(move |rows| {
                    let rows = rows?;
                    let rows = if feed { with_change(rows, &entry)? } else { rows };
                    let place = Place::At { of: of.clone(), unit: "row", first: next };
                    next += rows.num_rows() as u64;
                    Ok(Batch::read(rows, place))
                }))
            }
        });
        Box::pin(files.try_flatten())
    }
}

/// Shares files out to partitions in order, about equally by size.
fn shares(entries: Vec<Entry>, partitions: usize) -> Vec<Vec<Entry>> {
    let partitions = partitions.max(1) as u64;
    let total: u64 = entries.iter().map(|entry| entry.file.size.max(1)).sum();
    let mut shares: BTreeMap<u64, Vec<Entry>> = BTreeMap::new();
    let mut before = 0;
    for entry in entries {
        let middle = before + entry.file.size.max(1) / 2;
        before += entry.file.size.max(1);
        let share = u128::from(middle) * u128::from(partitions) / u128::from(total.max(1));
        shares.entry(share as u64).or_default().push(entry);
    }
    shares.into_values().collect()
}

/// Fills the columns of the change data feed in.
fn with_change(rows: RecordBatch, entry: &Entry) -> Result<RecordBatch> {
    let schema = rows.schema();
    let count = rows.num_rows();
    let column = |(field, column): (&FieldRef, &ArrayRef)| -> ArrayRef {
        match (field.name().as_str(), entry.change) {
            (CHANGE_TYPE, Some(change)) => Arc::new(StringArray::from(vec![change; count])),
            (COMMIT_VERSION, _) => Arc::new(Int64Array::from(vec![entry.version as i64; count])),
            (COMMIT_TIMESTAMP, _) => {
                let times = TimestampMicrosecondArray::from(vec![entry.committed * 1_000; count]);
                Arc::new(times.with_timezone("UTC"))
            }
            _ => column.clone(),
        }
    };
    let columns = schema.fields().iter().zip(rows.columns()).map(column).collect();
    RecordBatch::try_new(schema, columns).doing(Kind::Internal, || "the columns of the change data feed")
}
