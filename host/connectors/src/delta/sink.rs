//! A Delta table as a sink.

use super::{
    DeltaSinkOptions, DeltaSinkSettings,
    epoch::{DeltaEpoch, Work},
    files::Layout,
    folder::{Committed, Folder},
    maintain::Chores,
    protocol::{self, Change, Description},
    schema::{self, Fit},
    state::{Interest, State},
};
use crate::formats::encode::Codec;
use arrow::datatypes::{Schema, SchemaRef};
use async_trait::async_trait;
use deltalake_core::{
    StructType,
    kernel::{Action, CommitInfo, Protocol},
};
use engine::{Begin, Begun, Error, Guarantee, Kind, OutputMode, QueryId, Result, ResultExt, Sink, Token};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};
use tokio::sync::Mutex;

/// Commits after which the log of a new table is summed up.
const CHECKPOINT_EVERY: &str = "100";

/// Writes each epoch as one commit of a Delta table.
///
/// # Exactly once
///
/// A commit holds `txn(<query id>/<sink>, <epoch>)`. It is created as the version that follows the one it was made for, only
/// if that is not there yet; where it is, the table is read on, and if by then it holds the epoch, that was another host's
/// or an earlier attempt's: nothing is written. So an epoch is in the table once, whoever writes to it.
pub(super) struct DeltaSink {
    settings: DeltaSinkSettings,
    options: DeltaSinkOptions,
    folder: Folder,
    /// The table as the last epoch left it. None at the start and after an error: then it is loaded.
    state: Arc<Mutex<Option<State>>>,
    chores: Arc<Mutex<Chores>>,
}

impl DeltaSink {
    /// [`Kind::Invalid`] if the settings contradict each other. Touches no file.
    pub(super) fn new(settings: DeltaSinkSettings, options: DeltaSinkOptions) -> Result<Self> {
        let folder = Folder::new(&settings.path, &options.environment)?;
        match (options.mode, settings.keys.is_empty()) {
            (OutputMode::Update, true) => {
                return Err(Error::invalid(
                    "mode = \"update\" puts rows in the place of others: set `keys` to the columns that tell rows apart",
                ));
            }
            (OutputMode::Append | OutputMode::Complete, false) => {
                return Err(Error::invalid(format!(
                    "keys are for mode = \"update\", and this is mode = \"{}\"; leave them out",
                    options.mode
                )));
            }
            _ => {}
        }
        Ok(DeltaSink { settings, options, folder, state: Arc::default(), chores: Arc::default() })
    }

    fn interest(&self, query: &QueryId, sink: &str) -> Interest {
        let files = self.options.mode != OutputMode::Append || self.settings.compact.is_some();
        Interest { app: format!("{query}/{sink}"), files }
    }

    fn change(&self) -> Change {
        match self.options.mode {
            OutputMode::Append => Change::Append,
            OutputMode::Update => Change::Upsert,
            OutputMode::Complete => Change::Replace,
        }
    }

    /// The columns that the settings name must be among those of the rows.
    fn check_columns(&self, rows: &Schema) -> Result<()> {
        let settings = &self.settings;
        for (key, names) in [("partition-by", &settings.partition_by), ("keys", &settings.keys)] {
            for name in names {
                let there = rows.fields().iter().any(|f| f.name().eq_ignore_ascii_case(name));
                if !there {
                    let names: Vec<_> = rows.fields().iter().map(|f| f.name().as_str()).collect();
                    return Err(Error::invalid(format!(
                        "{key}: there is no column {name}; there are {}",
                        names.join(", ")
                    )));
                }
            }
        }
        if settings.partition_by.len() == rows.fields().len() {
            return Err(Error::invalid(
                "partition-by names every column, so that files would have none; leave one out",
            ));
        }
        Ok(())
    }

    /// The table as it is, created if it is not there.
    async fn state(&self, interest: &Interest, rows: &Schema) -> Result<State> {
        for _ in 0..2 {
            if let Some(state) = State::load(&self.folder, interest).await? {
                return Ok(state);
            }
            self.create(rows).await?;
        }
        Err(Error::new(Kind::Unavailable, format!("the Delta table {} is gone again", self.folder.shown())))
    }

    async fn create(&self, rows: &Schema) -> Result<()> {
        let table = schema::of_rows(rows)?;
        let spelled = |name: &String| {
            let field = table.fields().find(|f| f.name().eq_ignore_ascii_case(name));
            field.map_or_else(|| name.clone(), |f| f.name().clone())
        };
        let partition_by: Vec<String> = self.settings.partition_by.iter().map(spelled).collect();
        let mut properties = self.settings.properties.clone();
        properties.entry("delta.checkpointInterval".into()).or_insert_with(|| CHECKPOINT_EVERY.into());
        let now = self.options.clock.now().0 / 1_000;
        let metadata = metadata(&uuid::Uuid::new_v4().to_string(), &table, &partition_by, &properties, now)?;
        let info = CommitInfo {
            timestamp: Some(now),
            operation: Some("CREATE TABLE".into()),
            engine_info: Some(ENGINE.into()),
            ..CommitInfo::default()
        };
        let actions =
            [Action::CommitInfo(info), Action::Protocol(new_protocol(&table, &properties)?), metadata];
        // Lost: another host has created it just now.
        self.folder.write(0, &actions).await.map(|_: Committed| ())
    }

    fn work(&self, begin: &Begin, state: &State, interest: Interest) -> Result<Work> {
        let change = self.change();
        protocol::writable(&state.protocol, &state.description, change)?;
        let table = schema::parse(&state.description.schema_string)?;
        let fit = Fit::new(&table, &begin.schema, self.settings.merge_schema)?;
        let id = uuid::Uuid::new_v4().simple().to_string();
        let layout = Layout::new(
            self.folder.store(),
            &fit.written,
            &state.description.partition_columns,
            self.settings.compression.unwrap_or(Codec::Snappy),
            format!("part-{:05}-{id}", begin.epoch.0),
        )?;
        self.same_partitions(&state.description)?;
        Ok(Work {
            begin: begin.clone(),
            interest,
            change,
            folder: self.folder.clone(),
            settings: self.settings.clone(),
            options: self.options.clone(),
            fit,
            layout,
            id,
        })
    }

    fn same_partitions(&self, table: &Description) -> Result<()> {
        let (set, there) = (&self.settings.partition_by, &table.partition_columns);
        let same = set.len() == there.len() && set.iter().zip(there).all(|(a, b)| a.eq_ignore_ascii_case(b));
        if same || set.is_empty() {
            return Ok(());
        }
        Err(Error::invalid(format!(
            "the Delta table {} is divided by [{}], and partition-by says [{}]; make them the same, or leave partition-by out",
            self.folder.shown(),
            there.join(", "),
            set.join(", ")
        )))
    }
}

#[async_trait]
impl Sink for DeltaSink {
    fn accepts(&self, _: OutputMode, schema: &SchemaRef) -> Result<Guarantee> {
        self.check_columns(schema)?;
        schema::of_rows(schema)?;
        Ok(Guarantee::ExactlyOnce)
    }

    async fn open(&self, query: &QueryId, name: &str) -> Result<()> {
        *self.state.lock().await = State::load(&self.folder, &self.interest(query, name)).await?;
        Ok(())
    }

    async fn begin(&self, begin: &Begin) -> Result<Begun> {
        let interest = self.interest(&begin.query, &begin.sink);
        let mut kept = self.state.lock().await;
        let state = match kept.take() {
            Some(state) => state,
            None => self.state(&interest, &begin.schema).await?,
        };
        if begin.marked && is_stored(&state, begin) {
            let token = stored_token(&state);
            *kept = Some(state);
            return Ok(Begun::Stored(token));
        }
        let work = self.work(begin, &state, interest)?;
        *kept = Some(state);
        drop(kept);
        Ok(Begun::Writer(Box::new(DeltaEpoch::new(work, self.state.clone(), self.chores.clone()))))
    }
}

/// What the log says has written a commit.
pub(super) const ENGINE: &str = concat!("streamhost/", env!("CARGO_PKG_VERSION"));

/// Whether the table has the epoch, or a later one of the same sink.
pub(super) fn is_stored(state: &State, begin: &Begin) -> bool {
    state.stored.and_then(|stored| u64::try_from(stored).ok()).is_some_and(|stored| stored >= begin.epoch.0)
}

/// The token of an epoch that was there already.
pub(super) fn stored_token(state: &State) -> Token {
    Token(json!({ "version": state.version, "stored": true }))
}

/// A `metaData` action: there is no other way to make one than from its JSON.
pub(super) fn metadata(
    id: &str,
    table: &StructType,
    partition_by: &[String],
    properties: &BTreeMap<String, String>,
    created: i64,
) -> Result<Action> {
    let doing = || "the metadata of a table";
    let schema = serde_json::to_string(table).doing(Kind::Internal, doing)?;
    let value = json!({
        "id": id,
        "format": { "provider": "parquet", "options": {} },
        "schemaString": schema,
        "partitionColumns": partition_by,
        "configuration": properties,
        "createdTime": created,
    });
    serde_json::from_value(value).map(Action::Metadata).doing(Kind::Internal, doing)
}

/// The oldest protocol that has what the columns and properties of a new table need.
fn new_protocol(table: &StructType, properties: &BTreeMap<String, String>) -> Result<Protocol> {
    let is_on = |name: &str| properties.get(name).is_some_and(|value| value == "true");
    let text = serde_json::to_string(table).doing(Kind::Internal, || "the columns of a table")?;
    let zoneless = text.contains("\"timestamp_ntz\"");
    let feed = is_on("delta.enableChangeDataFeed");
    let value = match (zoneless, feed) {
        (false, false) => json!({ "minReaderVersion": 1, "minWriterVersion": 2 }),
        (false, true) => json!({ "minReaderVersion": 1, "minWriterVersion": 4 }),
        (true, feed) => {
            let mut writer = vec!["timestampNtz", "appendOnly", "invariants"];
            writer.extend(feed.then_some("changeDataFeed"));
            json!({
                "minReaderVersion": 3, "minWriterVersion": 7,
                "readerFeatures": ["timestampNtz"], "writerFeatures": writer,
            })
        }
    };
    serde_json::from_value(value).doing(Kind::Internal, || "the protocol of a table")
}

/// What a commit says of itself.
pub(super) fn commit_info(work: &Work, read: u64, now: i64) -> CommitInfo {
    let mode = match work.change {
        Change::Append => "Append",
        Change::Replace => "Complete",
        Change::Upsert => "Update",
    };
    let parameters = [
        ("outputMode", json!(mode)),
        ("queryId", json!(work.begin.query.0)),
        ("epochId", json!(work.begin.epoch.to_string())),
    ];
    let parameters: HashMap<String, Value> =
        parameters.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    CommitInfo {
        timestamp: Some(now),
        operation: Some("STREAMING UPDATE".into()),
        operation_parameters: Some(parameters),
        read_version: Some(read),
        is_blind_append: Some(work.change == Change::Append),
        engine_info: Some(ENGINE.into()),
        info: HashMap::from([("txnId".to_owned(), json!(work.id))]),
        ..CommitInfo::default()
    }
}
