//! Looking after a table: summing its log up, putting small files together, deleting what is not used.

use super::{
    Compact, Vacuum,
    epoch::{Work, removal},
    files::Lane,
    folder::{Committed, Folder},
    protocol::{self, Change},
    read::{DataFile, rows_of},
    sink::ENGINE,
    state::State,
    upsert::{place, whole_files},
};
use deltalake_core::{
    DeltaTable, checkpoints,
    kernel::{Action, Add, CommitInfo},
    operations::vacuum::VacuumMode,
};
use engine::{Error, Result, Timestamp, Wanted};
use futures::StreamExt;
use object_store::path::Path as ObjectPath;
use std::collections::BTreeMap;

/// As other writers have it where the table does not say.
const CHECKPOINT_EVERY: u64 = 10;

/// What is to be done after a commit. All of it may be left out, cut off or done twice without a row lost or doubled.
#[derive(Default)]
pub(super) struct Chores {
    vacuumed: Option<Timestamp>,
    /// Compactions so far, for names.
    compactions: u64,
}

impl Chores {
    /// Does what is due. `state` is the table as of the newest commit, before and after.
    pub(super) async fn after_commit(&mut self, work: &Work, state: &mut State) -> Result<()> {
        let every = state.description.configuration.get("delta.checkpointInterval");
        let every = every.and_then(|text| text.parse().ok()).filter(|every| *every > 0);
        if state.version.is_multiple_of(every.unwrap_or(CHECKPOINT_EVERY)) && state.version > 0 {
            sum_up(&work.folder, state, work).await?;
        }
        if let Some(compact) = work.settings.compact {
            self.compact(work, state, compact).await?;
        }
        if let Some(vacuum) = work.settings.vacuum {
            self.vacuum(work, state, vacuum).await?;
        }
        Ok(())
    }

    /// Puts the small files of each partition that has enough of them together, in one commit that changes no row.
    async fn compact(&mut self, work: &Work, state: &mut State, compact: Compact) -> Result<()> {
        let small = small_files(state, compact);
        if small.is_empty() {
            return Ok(());
        }
        protocol::writable(&state.protocol, &state.description, Change::Append)?;
        self.compactions += 1;
        let layout = whole_files(work, state, &format!("compact-{}-{}", work.id, self.compactions))?;
        let target = usize::try_from(compact.target.0).unwrap_or(usize::MAX);
        let mut lane = Lane::new(0);
        for add in &small {
            let partition = place(state, add);
            let file = DataFile::of(add)?;
            let mut rows =
                Box::pin(rows_of(work.folder.store(), file, layout.file_schema.clone(), &Wanted::All).await?);
            while let Some(rows) = rows.next().await {
                lane.write_to(&layout, partition.clone(), &rows?).await?;
                lane.close_at(&layout, &partition, target).await?;
            }
        }
        let now = work.options.clock.now().0 / 1_000;
        let together = lane.finish(&layout).await?.into_iter();
        let together: Vec<Add> =
            together.map(|add| Add { modification_time: now, data_change: false, ..add }).collect();
        let info = CommitInfo {
            timestamp: Some(now),
            operation: Some("OPTIMIZE".into()),
            read_version: Some(state.version),
            is_blind_append: Some(false),
            engine_info: Some(ENGINE.into()),
            ..CommitInfo::default()
        };
        let mut actions = vec![Action::CommitInfo(info)];
        actions.extend(small.iter().map(|add| Action::Remove(removal(add, now, false))));
        actions.extend(together.iter().cloned().map(Action::Add));
        match work.folder.write(state.version + 1, &actions).await? {
            Committed::Won => state.apply(&actions, &work.interest),
            Committed::Lost => {
                // Another writer may have taken some of the files away: the next epoch tries again with what is there then.
                let names = together.iter().filter_map(|add| ObjectPath::parse(&add.path).ok());
                work.folder.discard(names.collect()).await;
                state.catch_up(&work.folder, &work.interest).await
            }
        }
    }

    async fn vacuum(&mut self, work: &Work, state: &mut State, vacuum: Vacuum) -> Result<()> {
        let now = work.options.clock.now();
        let every = i64::try_from(vacuum.every.0.as_micros()).unwrap_or(i64::MAX);
        if self.vacuumed.is_some_and(|last| now.0.saturating_sub(last.0) < every) {
            return Ok(());
        }
        self.vacuumed = Some(now);
        let retain = chrono::Duration::from_std(vacuum.retain.0)
            .map_err(|e| Error::invalid("vacuum: `retain` is too long").caused_by(e))?;
        // A file that no commit names may be one of another writer's that is yet to commit. After so long it is not.
        let mode = if vacuum.retain < Vacuum::default().retain { VacuumMode::Lite } else { VacuumMode::Full };
        let table = table(&work.folder, state.version).await?;
        let vacuuming = table
            .vacuum()
            .with_retention_period(retain)
            .with_enforce_retention_duration(false)
            .with_mode(mode);
        let done = vacuuming.await.map_err(|e| work.folder.failed("deleting unused files of", e))?;
        tracing::info!(
            sink = work.begin.sink,
            files = done.1.files_deleted.len(),
            "deleted files that the table does not use"
        );
        state.catch_up(&work.folder, &work.interest).await
    }
}

/// The small files of partitions that have enough of them, in the order of their paths.
fn small_files(state: &State, compact: Compact) -> Vec<Add> {
    let mut of_partition: BTreeMap<Vec<Option<&String>>, Vec<&Add>> = BTreeMap::new();
    let columns = &state.description.partition_columns;
    for add in state.files.iter().flat_map(|files| files.values()) {
        let small = u64::try_from(add.size).is_ok_and(|size| size < compact.target.0 / 2);
        if small && add.deletion_vector.is_none() {
            let values = columns.iter().map(|name| add.partition_values.get(name).and_then(Option::as_ref));
            of_partition.entry(values.collect()).or_default().push(add);
        }
    }
    let enough = of_partition.into_values().filter(|files| files.len() as u64 >= compact.files.max(2));
    enough.flatten().cloned().collect()
}

/// Writes a checkpoint of the table, and deletes log entries that are older than the table keeps them.
async fn sum_up(folder: &Folder, state: &State, work: &Work) -> Result<()> {
    let doing = "summing up the log of";
    let table = table(folder, state.version).await?;
    checkpoints::create_checkpoint(&table, None).await.map_err(|e| folder.failed(doing, e))?;
    let kept = state.description.configuration.get("delta.enableExpiredLogCleanup");
    if kept.is_none_or(|value| value == "true") {
        let deleted =
            checkpoints::cleanup_metadata(&table, None).await.map_err(|e| folder.failed(doing, e))?;
        tracing::debug!(
            sink = work.begin.sink,
            version = state.version,
            deleted,
            "summed up the log of a table"
        );
    }
    Ok(())
}

async fn table(folder: &Folder, version: u64) -> Result<DeltaTable> {
    let mut table = DeltaTable::new(folder.log().clone());
    table.load_version(version).await.map_err(|e| folder.failed("reading the log of", e))?;
    Ok(table)
}
