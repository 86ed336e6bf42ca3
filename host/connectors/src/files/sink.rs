//! Files as a sink.

mod disk;
mod epoch;
mod lane;
mod layout;
mod ledger;
mod manifest;
pub(crate) mod names;
#[cfg(feature = "object-store")]
mod object;
mod published;

#[cfg(test)]
mod tests;

pub use ledger::AtStep;
pub use published::{Published, published};

use self::{
    epoch::{FileEpoch, Job},
    layout::Layout,
    ledger::Ledger,
    names::Ticket,
};
use super::{
    FileFormat,
    listing::{Location, lexical},
};
#[cfg(not(feature = "object-store"))]
use crate::stores::built_without;
use crate::{
    formats::encode::{Codec, CsvOutput, Encoding, JsonOutput},
    stores::{Environment, address},
    units::ByteSize,
};
use arrow::datatypes::{Schema, SchemaRef};
use async_trait::async_trait;
use engine::{Begin, Begun, Error, Guarantee, OutputMode, QueryId, Result, Sink};
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    sync::Arc,
};

/// `[sinks.<name>.files]`: files in a directory, each row exactly once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(
    rename_all = "kebab-case",
    deny_unknown_fields,
    expecting = "a table such as { path = \"out\", format = \"parquet\" }"
)]
pub struct FileSinkSettings {
    /// The directory, `s3://bucket/path` or `az://container/path`. It is created if it is not there. No other sink of the pipeline may write to it, and no source read it.
    pub path: PathBuf,
    /// What the files hold. Default: what the extension of `path` says, else parquet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<FileFormat>,
    /// Columns that become directories, `country=de/day=2025-01-01`, in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub partition_by: Vec<String>,
    /// How the files are compressed. Default: snappy for parquet, else none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compression: Option<Codec>,
    /// When a file is full and another is begun. Default: an epoch's partition is one file a directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_file: Option<MaxFile>,
    /// For `format = "csv"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub csv: Option<CsvOutput>,
    /// For `format = "json"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub json: Option<JsonOutput>,
}

/// When a file is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(
    rename_all = "kebab-case",
    deny_unknown_fields,
    default,
    expecting = "a table such as { rows = 1000000 } or { bytes = \"128MiB\" }"
)]
pub struct MaxFile {
    /// At this many rows, exactly.
    pub rows: Option<u64>,
    /// Once it has about this many bytes.
    pub bytes: Option<ByteSize>,
}

/// What a file sink needs to know beside its settings.
#[derive(Clone)]
pub struct FileSinkOptions {
    /// The zone that times are written in, in text and in directory names.
    pub time_zone: TimeZone,
    /// How many epochs the sink remembers to have written: at least as many as the checkpoint keeps, and one.
    pub retain_epochs: u64,
    /// Stops at the steps of a commit, for crash tests.
    pub at_step: Option<AtStep>,
    /// Where the credentials of object stores are.
    pub environment: Environment,
}

impl Default for FileSinkOptions {
    fn default() -> Self {
        FileSinkOptions {
            time_zone: TimeZone::UTC,
            retain_epochs: 100,
            at_step: None,
            environment: Environment::default(),
        }
    }
}

/// Writes the rows of each epoch to files that appear whole or not at all, and only once. How: [`Ledger`].
pub struct FileSink {
    settings: FileSinkSettings,
    options: FileSinkOptions,
    encoding: Encoding,
    codec: Codec,
    /// The object store that it writes to, if that is not a directory of this machine.
    #[cfg(feature = "object-store")]
    remote: Option<crate::stores::Root>,
}

impl FileSink {
    /// [`engine::Kind::Invalid`] if the settings contradict each other. Touches no file.
    pub fn new(settings: FileSinkSettings, options: FileSinkOptions) -> Result<Self> {
        let encoding = settings.encoding()?;
        let codec = settings.compression.unwrap_or(encoding.default_codec());
        let remote = address(&settings.path).is_some();
        #[cfg(not(feature = "object-store"))]
        if remote {
            return Err(built_without("object-store").while_doing(settings.path.display().to_string()));
        }
        Ok(FileSink {
            #[cfg(feature = "object-store")]
            remote: match remote {
                true => Some(crate::stores::Root::new(&settings.path, &options.environment)?),
                false => None,
            },
            settings,
            options,
            encoding,
            codec,
        })
    }

    /// Whether whoever reads one of the two sinks' directories as a table gets files of the other too: the directory is the
    /// same, or one lies where the other has, or seems to have, its partitions.
    pub fn mixes_with(&self, other: &FileSink) -> Result<bool> {
        Ok(self.reads_from(other)? || other.reads_from(self)?)
    }

    /// Whether a directory that files are archived in holds files of this sink, or lies where they do.
    pub fn mixes_with_archive(&self, archive: &Path) -> Result<bool> {
        // Whatever is archived keeps its path, so what lies below the archive may be among it.
        let below = self.is_below(archive)?;
        let archive = FileSink::new(FileSinkSettings::new(archive), FileSinkOptions::default())?;
        Ok(below || self.mixes_with(&archive)?)
    }

    /// Whether its directory is `directory`, or lies in it.
    pub fn is_below(&self, directory: &Path) -> Result<bool> {
        Ok(lexical(&self.settings.path)?.starts_with(lexical(directory)?))
    }

    /// Whether a reader of this sink's directory gets files of the other.
    fn reads_from(&self, other: &FileSink) -> Result<bool> {
        let table = Location::table(&self.settings.path);
        table.covers(&other.example(&table.directory)?)
    }

    fn layout(&self, schema: &Schema) -> Result<(Layout, SchemaRef)> {
        let layout = Layout::new(&self.settings.partition_by, schema, &self.options.time_zone)?;
        let file_schema = layout.file_schema(schema)?;
        Ok((layout, Arc::new(file_schema)))
    }

    /// A file as this sink may write it: in the directory itself, or where it is divided, in a directory for each column. Of
    /// all that there may be it is one that lies `toward` that path.
    pub(super) fn example(&self, toward: &Path) -> Result<PathBuf> {
        let mut file = lexical(&self.settings.path)?;
        let toward = lexical(toward)?;
        let mut parts = toward.strip_prefix(&file).into_iter().flatten().map(OsStr::to_str);
        for column in &self.settings.partition_by {
            let of = |part: &&str| part.split_once('=').is_some_and(|(name, _)| name == column);
            let here = parts.next().flatten().filter(of);
            file.push(here.map_or_else(|| format!("{column}=value"), str::to_owned));
        }
        file.push(format!("rows.{}", self.encoding.extension(self.codec)));
        Ok(file)
    }

    fn ledger(&self, query: &QueryId, sink: &str) -> Ledger {
        Ledger::new(&self.settings.path, query, sink, self.options.at_step.clone())
    }

    fn job(&self, begin: &Begin) -> Result<Job> {
        let (layout, file_schema) = self.layout(&begin.schema)?;
        let max = self.settings.max_file.unwrap_or_default();
        Ok(Job {
            ticket: Ticket::new(begin.epoch),
            begin: begin.clone(),
            layout,
            file_schema,
            encoding: self.encoding.clone(),
            codec: self.codec,
            extension: self.encoding.extension(self.codec),
            zone: self.options.time_zone.clone(),
            max_rows: max.rows.unwrap_or(u64::MAX),
            max_bytes: max.bytes.map_or(u64::MAX, |b| b.0),
            retain: self.options.retain_epochs.max(1),
            by_writer: address(&self.settings.path).is_some(),
        })
    }
}

#[async_trait]
impl Sink for FileSink {
    fn accepts(&self, mode: OutputMode, schema: &SchemaRef) -> Result<Guarantee> {
        if mode != OutputMode::Append {
            return Err(Error::invalid(format!(
                "files can only be appended to, so mode = \"{mode}\" is not for them; use mode = \"append\", or another sink"
            )));
        }
        let (_, file_schema) = self.layout(schema)?;
        self.encoding.accepts(self.codec, &file_schema)?;
        Ok(Guarantee::ExactlyOnce)
    }

    async fn open(&self, query: &QueryId, name: &str) -> Result<()> {
        #[cfg(feature = "object-store")]
        if let Some(root) = &self.remote {
            let ledger = object::ObjectLedger::new(root, query, name, self.options.at_step.clone())?;
            return object::blocking(move || ledger.roll_forward()).await;
        }
        let ledger = self.ledger(query, name);
        ledger.create()?;
        ledger.sweep(|_| true)
    }

    async fn begin(&self, epoch: &Begin) -> Result<Begun> {
        let job = self.job(epoch)?;
        #[cfg(feature = "object-store")]
        if let Some(root) = &self.remote {
            let at_step = self.options.at_step.clone();
            let ledger = object::ObjectLedger::new(root, &epoch.query, &epoch.sink, at_step)?;
            return object::ObjectEpoch::begin(job, ledger).await;
        }
        FileEpoch::begin(job, self.ledger(&epoch.query, &epoch.sink))
    }
}

impl FileSinkSettings {
    /// Parquet files in `path`, everything else as it is by default.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        FileSinkSettings {
            path: path.into(),
            format: None,
            partition_by: Vec::new(),
            compression: None,
            max_file: None,
            csv: None,
            json: None,
        }
    }

    fn encoding(&self) -> Result<Encoding> {
        let format = self.format.unwrap_or_else(|| self.format_of_path());
        Encoding::new(format, self.csv.clone(), self.json.clone())
            .map_err(|e| e.while_doing(format!("files in {}", self.path.display())))
    }

    fn format_of_path(&self) -> FileFormat {
        match self.path.extension().and_then(|e| e.to_str()) {
            Some("json" | "jsonl" | "ndjson") => FileFormat::Json,
            Some("csv") => FileFormat::Csv,
            Some("txt") => FileFormat::Text,
            _ => FileFormat::Parquet,
        }
    }
}
