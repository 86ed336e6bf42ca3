use super::{
    clean,
    discover::schema_of_files,
    listing::{FileEntry, Location, lexical},
    path_columns::with_metadata,
    pending::Pending,
    read::{Reading, format_of},
    seen::{Detail, Seen},
    settings::{Clean, FileFormat, FilesSettings},
    splits::{Split, assign},
    watch::Watch,
};
use crate::{
    formats::{
        ddl,
        infer::extended,
        rows::{RowRules, Tally},
    },
    source::{SchemaOption, SourceOptions},
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use bytes::Bytes;
use engine::{
    BadRows, Batch, BatchStream, Clock, Error, History, Offset, Planned, Range, Reach, Result, Source,
    SourceFacts, Wanted,
};
use futures::stream;
use serde_json::json;
use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{sync::mpsc, task::JoinHandle};

/// Batches that wait between the thread that reads a partition and the plan.
const AHEAD: usize = 2;

/// How many files are looked at when there is no schema yet.
const SAMPLE: usize = 20;

/// How often an unsettled file is looked at before a query that reads what is there leaves it for its next start.
const LOOKS: u32 = 25;

/// Files of a directory, each read once. What it promises about files being written is said at [`FilesSettings`].
pub struct FileSource {
    name: String,
    settings: FilesSettings,
    options: SourceOptions,
    location: Location,
    /// Where it reads, however the path to there is written.
    identity: String,
    clock: Arc<dyn Clock>,
    tally: Tally,
    state: Arc<Mutex<State>>,
}

struct State {
    reach: Reach,
    seen: Seen,
    pending: Pending,
    watch: Option<Watch>,
    /// Files that have been warned of because they were written to after they were read.
    appended: HashSet<String>,
    /// Files go away once they were read, so that another one may come under the same name.
    cleaning: bool,
    /// The schema, once it is known.
    schema: Option<Schema>,
    /// The columns that the plan looks at.
    wanted: Wanted,
}

impl FileSource {
    /// A source called `name`. [`engine::Kind::Invalid`] if a setting cannot be or the path is not there.
    pub fn new(
        name: impl Into<String>,
        settings: FilesSettings,
        options: SourceOptions,
        clock: Arc<dyn Clock>,
    ) -> Result<Self> {
        let name = name.into();
        let location = Location::new(&settings.path, settings.recursive, &options.environment)
            .and_then(|location| settings.check(&options, &location).map(|()| location))?;
        let place = match location.is_remote() {
            true => settings.path.clone(),
            false => lexical(&settings.path)?,
        };
        let identity = format!("FileSource[{}]", place.display());
        let schema = match &options.schema {
            Some(SchemaOption::Ddl(text)) => {
                let schema = options.columns(text)?;
                settings.check_metadata(&schema)?;
                Some(schema)
            }
            _ => None,
        };
        let state = State {
            reach: Reach::Endless,
            seen: Seen::default(),
            // Objects appear whole.
            pending: match location.is_remote() {
                true => Pending::new(settings.latest_first, Duration::ZERO).listed_seldom(),
                false => Pending::new(settings.latest_first, settings.settle.0),
            },
            watch: None,
            appended: HashSet::new(),
            cleaning: settings.clean != Clean::Off,
            schema,
            wanted: Wanted::All,
        };
        Ok(FileSource {
            name,
            settings,
            options,
            location,
            identity,
            clock,
            tally: Tally::default(),
            state: Arc::new(Mutex::new(state)),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Lists on a thread that may block, if it is time to.
    async fn list(&self) -> Result<()> {
        let (state, location, clock) = (self.state.clone(), self.location.clone(), self.clock.clone());
        blocking(move || lock(&state).list(&location, &*clock)).await?
    }

    /// Lists once, and waits until what was found has settled. What does not is left for the next start.
    async fn list_once(&self) -> Result<()> {
        if self.state().pending.listed() {
            return Ok(());
        }
        self.list().await?;
        for _ in 0..LOOKS {
            let Some(wait) = self.state().pending.until_all_settled(&*self.clock) else { return Ok(()) };
            self.clock.sleep(wait).await;
            self.state().pending.look_again(&self.location, &*self.clock)?;
        }
        for path in self.state().pending.give_up_unsettled() {
            tracing::warn!(source = self.name, path, "still being written, left for the next start");
        }
        Ok(())
    }

    fn plan(&self, start: Option<&Offset>) -> Result<Option<Planned>> {
        let mut state = self.state();
        let limit = if state.reach == Reach::Once { None } else { self.options.max_per_trigger };
        let files = state.pending.take_up_to(limit, &self.location, &*self.clock)?;
        if files.is_empty() {
            return Ok(None);
        }
        let before = start.and_then(|o| o.0.get("files")).and_then(serde_json::Value::as_u64).unwrap_or(0);
        let end = Offset(json!({ "files": before + files.len() as u64 }));
        let backlog = state.pending.beyond(&files, limit);
        let schema = self.recorded_schema(&mut state, &files)?;
        let detail = Detail { files, schema }.value()?;
        Ok(Some(Planned { range: Range { start: start.cloned(), end, detail }, backlog }))
    }

    /// The columns to write down with a range: those that a replay could not find out again. With `evolve`, the columns
    /// that are new in `files` come behind the known ones.
    fn recorded_schema(&self, state: &mut State, files: &[FileEntry]) -> Result<Option<String>> {
        if matches!(self.options.schema, Some(SchemaOption::Ddl(_))) && !self.options.evolve {
            return Ok(None);
        }
        let mut schema = self.settled_schema(state)?;
        if self.options.evolve {
            let found = schema_of_files(files, &self.location, &self.settings)?;
            schema = extended(&schema, &found).unwrap_or(schema);
        }
        Ok(Some(ddl::print(&schema)))
    }

    /// The columns of the data, those of the range if it has its own.
    fn data_schema(&self, range: Option<&Range>) -> Result<Schema> {
        match range.map(Detail::of).transpose()?.and_then(|d| d.schema) {
            Some(recorded) => ddl::parse(&recorded),
            None => self.settled_schema(&mut self.state()),
        }
    }

    /// The columns as of now. The first time, if nobody has named them, that means to look at the files.
    fn settled_schema(&self, state: &mut State) -> Result<Schema> {
        if let Some(schema) = &state.schema {
            return Ok(schema.clone());
        }
        if self.settings.format == Some(FileFormat::Text) {
            return Ok(Schema::new(vec![Field::new("value", DataType::Utf8, true)]));
        }
        let mut files = self.location.list(&|_| false)?;
        files.sort_unstable_by(|a, b| (a.modified, &a.path).cmp(&(b.modified, &b.path)));
        files.truncate(SAMPLE);
        if self.options.schema.is_none() {
            self.has_columns_itself(&files)?;
        }
        let schema = self.options.with_rescue(schema_of_files(&files, &self.location, &self.settings)?);
        tracing::info!(
            source = self.name,
            schema = ddl::print(&schema),
            "inferred; set `schema` to this to fix it"
        );
        state.schema = Some(schema.clone());
        Ok(schema)
    }

    /// Text and Parquet need no schema; for the others it has to be asked for.
    fn has_columns_itself(&self, files: &[FileEntry]) -> Result<()> {
        let format =
            files.first().map(|f| format_of(&self.settings, &self.location.full(&f.path))).transpose()?;
        match format.or(self.settings.format) {
            Some(FileFormat::Text | FileFormat::Parquet) => Ok(()),
            _ => Err(Error::invalid(
                "set `schema` to the columns, such as \"id INT, name STRING\", or to \"infer\" to look at the files",
            )),
        }
    }

    fn reading(&self, range: &Range) -> Result<Reading> {
        Ok(Reading {
            location: self.location.clone(),
            settings: self.settings.clone(),
            rules: RowRules {
                schema: Arc::new(self.data_schema(Some(range))?),
                on_bad_data: self.options.on_bad_data,
                rescue: self.options.rescue.clone(),
                time_zone: self.options.time_zone.clone(),
                tally: self.tally.clone(),
                wanted: self.state().wanted.clone(),
            },
        })
    }
}

#[async_trait]
impl Source for FileSource {
    fn facts(&self) -> SourceFacts {
        SourceFacts {
            description: format!("FileSource[{}]", self.settings.path.display()),
            identity: self.identity.clone(),
            replayable: true,
            needs_history: true,
            consumes: self.settings.clean != Clean::Off,
        }
    }

    fn schema(&self, range: Option<&Range>) -> Result<SchemaRef> {
        Ok(with_metadata(&self.data_schema(range)?, &self.settings.metadata))
    }

    async fn restore(&self, history: History, reach: Reach) -> Result<()> {
        let seen = Seen::restore(&history)?;
        let mut state = self.state();
        // Columns that the pipeline names count more than those of an earlier start.
        let named = matches!(self.options.schema, Some(SchemaOption::Ddl(_))) && !self.options.evolve;
        if let Some(text) = seen.schema.as_ref().filter(|_| !named) {
            state.schema = Some(ddl::parse(text)?);
        }
        state.reach = reach;
        state.seen = seen;
        let watched = reach == Reach::Endless && !self.location.is_remote();
        state.watch = watched.then(|| Watch::start(&self.location));
        Ok(())
    }

    async fn latest(&self, start: Option<&Offset>) -> Result<Option<Planned>> {
        let reach = self.state().reach;
        match reach {
            Reach::Endless => self.list().await?,
            Reach::AvailableNow | Reach::Once => self.list_once().await?,
        }
        self.plan(start)
    }

    async fn wait(&self) {
        let (changed, quiet, at_least) = self.state().when_to_list(&*self.clock);
        let change = async {
            match changed {
                Some(changed) => changed.notified().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = change => self.clock.sleep(at_least).await,
            () = self.clock.sleep(quiet) => {}
        }
    }

    async fn read(&self, range: &Range, partitions: usize) -> Result<Vec<BatchStream>> {
        let reading = Arc::new(self.reading(range)?);
        let files = Detail::of(range)?.files;
        let shares = assign(&files, partitions, |file| reading.may_cut(file));
        let shares = shares.into_iter().filter(|splits| !splits.is_empty());
        Ok(shares.map(|splits| stream_of(reading.clone(), splits)).collect())
    }

    async fn release(&self, range: &Range) -> Result<Option<Bytes>> {
        let detail = Detail::of(range)?;
        let mut gone = Vec::new();
        if self.settings.clean != Clean::Off {
            let (location, clean, files) =
                (self.location.clone(), self.settings.clean.clone(), detail.files.clone());
            gone = blocking(move || clean::all(&location, &clean, files)).await??;
        }
        let mut state = self.state();
        state.seen.add(&detail);
        state.seen.forget(&gone);
        if let Some(text) = &detail.schema {
            state.schema = Some(ddl::parse(text)?);
        }
        state.pending.remove(&detail.files);
        state.seen.snapshot()
    }

    fn want(&self, columns: Wanted) {
        self.state().wanted = columns;
    }

    fn bad_rows(&self) -> BadRows {
        self.tally.take()
    }
}

impl State {
    /// Lists what is there, if anything points at news and the last time is long enough ago.
    fn list(&mut self, location: &Location, clock: &dyn Clock) -> Result<()> {
        let changed = self.watch.as_ref().is_none_or(Watch::take_changed);
        if !self.pending.is_due(changed, self.watches(), clock) {
            if changed && let Some(watch) = &self.watch {
                watch.put_back();
            }
            return self.pending.look_again(location, clock);
        }
        self.warn_of_appends(location);
        let started = clock.monotonic();
        let mut found = location.list(&|path| !self.cleaning && self.seen.has(path))?;
        found.retain(|file| !self.seen.has_exactly(file));
        self.pending.replace(found, started, clock);
        Ok(())
    }

    /// A file is read once, so rows that come to it later are missed, which whoever writes it may not know. Only the files
    /// that the watch names are looked at: to look at all would make listing a large directory slow.
    fn warn_of_appends(&mut self, location: &Location) {
        let written = self.watch.iter().flat_map(Watch::take_written);
        for path in written.filter(|path| !self.cleaning && self.seen.has(path)) {
            let full = location.full(&path);
            let changed = matches!(location.look(&path), Ok(Some(now)) if !self.seen.has_exactly(&now));
            if changed && self.appended.insert(path) {
                tracing::warn!(path = %full.display(), "was written to after it was read: a file is read once, so that is not; write new files");
            }
        }
    }

    fn watches(&self) -> bool {
        self.watch.as_ref().is_some_and(Watch::works)
    }

    /// What tells of changes; how long to wait without one; how long to wait at least.
    fn when_to_list(&self, clock: &dyn Clock) -> (Option<Arc<tokio::sync::Notify>>, Duration, Duration) {
        let watch = self.watch.as_ref();
        let quiet = self.pending.until_due(false, self.watches(), clock);
        let at_least = self.pending.until_due(true, self.watches(), clock);
        (watch.map(Watch::notifier), quiet, at_least)
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    // Whatever panicked left sets of names, of which any subset is a state that could have been.
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs what reads the file system on a thread that may wait for it.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|e| Error::internal("a thread of a files source").caused_by(e))
}

/// Reads splits on a thread of their own, a few batches ahead.
fn stream_of(reading: Arc<Reading>, splits: Vec<Split>) -> BatchStream {
    let (send, receive) = mpsc::channel(AHEAD);
    let reader = tokio::task::spawn_blocking(move || read_all(&reading, &splits, &send));
    Box::pin(stream::unfold(Some((receive, reader)), next))
}

type Reader = (mpsc::Receiver<Result<Batch>>, JoinHandle<()>);

async fn next(reader: Option<Reader>) -> Option<(Result<Batch>, Option<Reader>)> {
    let (mut receive, reader) = reader?;
    match receive.recv().await {
        Some(Ok(batch)) => Some((Ok(batch), Some((receive, reader)))),
        Some(Err(e)) => Some((Err(e), None)),
        // A thread that panicked sends nothing more either; that must not look like the end.
        None => {
            let failed = reader.await.err()?;
            Some((Err(Error::internal("the thread that reads files ended").caused_by(failed)), None))
        }
    }
}

fn read_all(reading: &Reading, splits: &[Split], send: &mpsc::Sender<Result<Batch>>) {
    let mut abandoned = false;
    for split in splits {
        let result = reading.split(split, &mut |batch| {
            abandoned = send.blocking_send(Ok(batch)).is_err();
            if abandoned { Err(Error::internal("nobody reads on")) } else { Ok(()) }
        });
        match result {
            Ok(()) => {}
            Err(error) if reading.settings.skips(&error) => {
                tracing::error!(error = error.report(), "skipped the rest of a file: its rows are lost");
            }
            Err(error) => {
                if !abandoned {
                    // The receiver may have gone meanwhile, and then nobody needs to know.
                    let _ = send.blocking_send(Err(error));
                }
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stores::Environment;
    use engine::{ManualClock, Timestamp};

    /// It tells of changes to another directory: none of its own are heard of.
    #[tokio::test]
    async fn a_change_that_nobody_tells_of_is_found_within_five_seconds() {
        let (dir, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let clock = Arc::new(ManualClock::new(Timestamp(4_000_000_000_000_000)));
        let options = SourceOptions { schema: Some("a INT".to_owned().into()), ..SourceOptions::default() };
        let source = FileSource::new("in", FilesSettings::at(dir.path()), options, clock.clone()).unwrap();
        source.restore(History::default(), Reach::Endless).await.unwrap();
        source.state().watch =
            Some(Watch::start(&Location::new(elsewhere.path(), false, &Environment::default()).unwrap()));
        assert!(source.latest(None).await.unwrap().is_none());
        std::fs::write(dir.path().join("f.json"), "{}").unwrap();
        assert!(source.latest(None).await.unwrap().is_none(), "nothing points at news");
        tokio::join!(source.wait(), async { clock.advance(Duration::from_secs(5)) });
        assert!(source.latest(None).await.unwrap().is_some());
    }
}
