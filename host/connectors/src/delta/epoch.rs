//! One epoch on its way into a table.

use super::{
    DeltaSinkOptions, DeltaSinkSettings,
    files::{Lane, Layout},
    folder::{Committed, Folder},
    maintain::Chores,
    protocol::{self, Change},
    schema::{self, Fit},
    sink::{commit_info, is_stored, metadata, stored_token},
    state::{Interest, State},
    upsert::{Held, Rewrites},
};
use arrow::array::RecordBatch;
use async_trait::async_trait;
use deltalake_core::kernel::{Action, Add, Remove, Transaction};
use engine::{Begin, EpochWriter, Error, Kind, Partition, Result, Token};
use object_store::path::Path as ObjectPath;
use serde_json::json;
use std::sync::Arc;
use tokio::sync::Mutex;

/// How often an epoch is tried again because others have committed first.
const TRIES: u32 = 200;

/// What does not change while an epoch is written.
pub(super) struct Work {
    pub(super) begin: Begin,
    pub(super) interest: Interest,
    pub(super) change: Change,
    pub(super) folder: Folder,
    pub(super) settings: DeltaSinkSettings,
    pub(super) options: DeltaSinkOptions,
    /// How the rows fit into the table.
    pub(super) fit: Fit,
    pub(super) layout: Layout,
    /// Tells this attempt's commit from those of others.
    pub(super) id: String,
}

impl Work {
    fn step(&self, name: &str) {
        if let Some(at_step) = &self.options.at_step {
            at_step(name);
        }
    }
}

/// Writes one epoch; see [`super::sink::DeltaSink`] for what it promises.
pub(super) struct DeltaEpoch {
    work: Arc<Work>,
    lanes: Vec<Mutex<Lane>>,
    held: Option<Held>,
    /// Files that are finished.
    staged: Vec<ObjectPath>,
    state: Arc<Mutex<Option<State>>>,
    chores: Arc<Mutex<Chores>>,
    /// Whether its files may be in the table, so that they stay whatever happens.
    published: bool,
}

impl DeltaEpoch {
    pub(super) fn new(work: Work, state: Arc<Mutex<Option<State>>>, chores: Arc<Mutex<Chores>>) -> Self {
        let lanes = (0..work.begin.partitions).map(|lane| Mutex::new(Lane::new(lane))).collect();
        let held =
            (work.change == Change::Upsert).then(|| Held::new(work.begin.partitions, work.settings.max_held));
        let staged = Vec::new();
        DeltaEpoch { work: Arc::new(work), lanes, held, staged, state, chores, published: false }
    }

    async fn publish(&mut self) -> Result<Token> {
        let work = self.work.clone();
        let mut rewrites = None;
        if let (Some(held), Some(lane)) = (self.held.take(), self.lanes.first_mut()) {
            rewrites = Some(held.settle(&work, lane.get_mut()).await?);
        }
        let mut adds = Vec::new();
        for lane in &mut self.lanes {
            let finished = lane.get_mut().finish(&work.layout).await?;
            self.staged.extend(finished.iter().filter_map(|add| ObjectPath::parse(&add.path).ok()));
            adds.extend(finished);
        }
        work.step("staged");
        let shared = self.state.clone();
        let mut kept = shared.lock().await;
        let mut state = kept.take().ok_or_else(|| Error::internal("the table of a sink was not loaded"))?;
        if adds.is_empty() && work.change != Change::Replace {
            let version = state.version;
            *kept = Some(state);
            return Ok(Token(json!({ "version": version, "files": 0, "bytes": 0 })));
        }
        let token = self.commit(&mut state, adds, rewrites).await?;
        work.step("logged");
        let done = self.chores.lock().await.after_commit(&work, &mut state).await;
        if let Err(error) = done {
            tracing::warn!(
                sink = work.begin.sink,
                error = error.report(),
                "the epoch is stored; looking after the table failed, and is tried again later"
            );
            state.catch_up(&work.folder, &work.interest).await?;
        }
        *kept = Some(state);
        Ok(token)
    }

    async fn commit(
        &mut self,
        state: &mut State,
        mut adds: Vec<Add>,
        mut rewrites: Option<Rewrites>,
    ) -> Result<Token> {
        let work = self.work.clone();
        for _ in 0..TRIES {
            if work.begin.marked && is_stored(state, &work.begin) {
                return self.stored_meanwhile(state, &adds).await;
            }
            let now = work.options.clock.now().0 / 1_000;
            adds.iter_mut().for_each(|add| add.modification_time = now);
            let (mut actions, evolved) = self.head(state, now)?;
            match (work.change, &mut rewrites) {
                (Change::Replace, _) => actions.extend(removed(state, now)),
                (Change::Upsert, Some(rewrites)) => {
                    actions.extend(rewrites.actions(&work, state, now).await?)
                }
                _ => {}
            }
            actions.extend(evolved);
            actions.extend(adds.iter().cloned().map(Action::Add));
            if work.begin.marked {
                let epoch = i64::try_from(work.begin.epoch.0).unwrap_or(i64::MAX);
                let txn = Transaction::new_with_last_update(&work.interest.app, epoch, Some(now));
                actions.push(Action::Txn(txn));
            }
            // From here on a crash or an error may leave the commit there.
            self.published = true;
            match work.folder.write(state.version + 1, &actions).await? {
                Committed::Won => {
                    state.apply(&actions, &work.interest)?;
                    return Ok(token(state.version, &adds));
                }
                Committed::Lost => {
                    self.published = false;
                    state.catch_up(&work.folder, &work.interest).await?;
                }
            }
        }
        Err(Error::new(
            Kind::Unavailable,
            format!("{TRIES} others have committed to the Delta table {} first", work.folder.shown()),
        ))
    }

    /// The actions before the files, and the new columns if there are any. The table may have been changed since the files
    /// were written: they must still be what it wants.
    fn head(&self, state: &State, now: i64) -> Result<(Vec<Action>, Option<Action>)> {
        let work = &self.work;
        protocol::writable(&state.protocol, &state.description, work.change)?;
        let table = schema::parse(&state.description.schema_string)?;
        let fit = Fit::new(&table, &work.begin.schema, work.settings.merge_schema)?;
        let partitions = state.description.partition_columns.iter().map(String::as_str);
        if fit.written != work.fit.written || !partitions.eq(work.layout.partition_columns()) {
            return Err(Error::new(
                Kind::Unavailable,
                format!(
                    "the columns of the Delta table {} were changed while an epoch was written; it is written again",
                    work.folder.shown()
                ),
            ));
        }
        let info = commit_info(work, state.version, now);
        let description = &state.description;
        let evolved = fit.evolved.as_ref().map(|table| {
            metadata(&description.id, table, &description.partition_columns, &description.configuration, now)
        });
        Ok((vec![Action::CommitInfo(info)], evolved.transpose()?))
    }

    /// The table holds the epoch though this attempt does not know of having committed it. Either another host did, or this
    /// attempt did and never heard back.
    async fn stored_meanwhile(&mut self, state: &State, adds: &[Add]) -> Result<Token> {
        let ours = match &state.files {
            Some(files) => adds.iter().any(|add| files.contains_key(&add.path)),
            None => self.find_own(state).await?,
        };
        if ours {
            self.published = true;
            return Ok(token(state.version, adds));
        }
        self.work.folder.discard(std::mem::take(&mut self.staged)).await;
        Ok(stored_token(state))
    }

    /// Whether one of the newest commits is of this attempt.
    async fn find_own(&self, state: &State) -> Result<bool> {
        let newest = (0..=u64::from(TRIES)).map_while(|back| state.version.checked_sub(back));
        for version in newest {
            let Some(actions) = self.work.folder.commit(version).await? else { return Ok(true) };
            let mut infos = actions.iter().filter_map(|action| match action {
                Action::CommitInfo(info) => info.info.get("txnId").and_then(|id| id.as_str()),
                _ => None,
            });
            if infos.any(|id| id == self.work.id) {
                return Ok(true);
            }
            let epoch = actions
                .iter()
                .any(|action| matches!(action, Action::Txn(txn) if txn.app_id == self.work.interest.app));
            if epoch {
                return Ok(false);
            }
        }
        // Rather leave files that nobody needs than delete one that somebody reads.
        Ok(true)
    }
}

fn token(version: u64, adds: &[Add]) -> Token {
    let bytes: i64 = adds.iter().map(|add| add.size).sum();
    Token(json!({ "version": version, "files": adds.len(), "bytes": bytes }))
}

/// All files of a table, to be taken out of it.
fn removed(state: &State, now: i64) -> Vec<Action> {
    state
        .files
        .iter()
        .flat_map(|files| files.values())
        .map(|add| Action::Remove(removal(add, now, true)))
        .collect()
}

/// Takes a file out of a table.
pub(super) fn removal(add: &Add, now: i64, data_change: bool) -> Remove {
    Remove {
        path: add.path.clone(),
        data_change,
        deletion_timestamp: Some(now),
        extended_file_metadata: Some(true),
        partition_values: Some(add.partition_values.clone()),
        size: Some(add.size),
        tags: add.tags.clone(),
        deletion_vector: add.deletion_vector.clone(),
        base_row_id: add.base_row_id,
        default_row_commit_version: add.default_row_commit_version,
    }
}

#[async_trait]
impl EpochWriter for DeltaEpoch {
    async fn write(&self, partition: Partition, rows: RecordBatch) -> Result<()> {
        let lane = self.lanes.get(partition.index()).ok_or_else(|| {
            Error::internal(format!("partition {partition} of {} was written", self.work.begin.partitions))
        })?;
        let rows = self.work.fit.arrange(&rows)?;
        match &self.held {
            Some(held) => held.hold(partition, rows),
            None => lane.lock().await.write(&self.work.layout, &rows).await,
        }
    }

    async fn commit(mut self: Box<Self>) -> Result<Token> {
        self.publish().await
    }
}

impl Drop for DeltaEpoch {
    fn drop(&mut self) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if self.published {
            return;
        }
        // What cannot be deleted now is deleted by a vacuum.
        let (mut files, mut uploads) = (std::mem::take(&mut self.staged), Vec::new());
        for lane in std::mem::take(&mut self.lanes) {
            let (finished, open) = lane.into_inner().abandon();
            files.extend(finished);
            uploads.extend(open);
        }
        if files.is_empty() && uploads.is_empty() {
            return;
        }
        let folder = self.work.folder.clone();
        runtime.spawn(async move {
            for mut upload in uploads {
                // What cannot be aborted now, the store throws away after the time it is set to.
                let _ = upload.abort().await;
            }
            folder.discard(files).await;
        });
    }
}
