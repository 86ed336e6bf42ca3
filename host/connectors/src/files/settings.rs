use super::{
    listing::{Location, lexical},
    sink::FileSink,
};
use crate::{
    choice::{self, Choice},
    formats::{compression::Compression, csv::decode::CsvInput},
    source::{Limit, SourceOptions},
    stores::{Environment, address},
    units::{ByteSize, Interval},
};
use engine::{Error, Kind, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Files as a source.
///
/// Each file is read once, whole. What is appended to it later is never read: write a new file instead. A query that waits for
/// files warns of an append where the system tells it of changes; but files that were read are not looked at again, so an
/// append may also go unnoticed. With `clean`, a file that has changed when its epoch is committed is left where it is, and
/// read again as another file, whole.
///
/// A file that is still being written is not read half: names that start with `.` or `_` or end with `.tmp`, `.part`,
/// `.partial`, `.crdownload`, `.swp` or `~` are left alone, so the safe way to deliver a file is to write it under such a name
/// and rename it. Any other file is taken once it has been left unchanged for `settle`. A writer that pauses for longer has
/// its file planned as it is then, the last row cut where the writer stood: choose `settle` longer than its pauses. Files
/// whose names are not UTF-8 are left alone too, with a warning.
///
/// An epoch reads the bytes that it was planned with, however often it is repeated. Of CSV, JSON and text that grew meanwhile
/// that is its beginning, with a warning; compressed files and Parquet that grew, and files that shrank, were rewritten or are
/// gone, end the query with an error until they are put back, or are given up by `on-bad-file = "skip"`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(
    rename_all = "kebab-case",
    deny_unknown_fields,
    expecting = "a table such as { path = \"in\", format = \"json\" }"
)]
pub struct FilesSettings {
    /// A directory, one file, or a pattern such as `in/*/part-*.json`; or `s3://bucket/path` or `az://container/path`, which are
    /// listed every few seconds.
    pub path: PathBuf,
    /// The format. Default: what the extension says.
    #[serde(default)]
    pub format: Option<FileFormat>,
    /// How CSV is read.
    #[serde(default)]
    pub csv: Option<CsvInput>,
    /// How files are compressed. Default: what each file's extension says, `.gz` or `.zst`.
    #[serde(default)]
    pub compression: Option<Compression>,
    /// Read the files of all directories below `path` too. Default: only those of directories called `column=value`.
    #[serde(default)]
    pub recursive: bool,
    /// Take the newest files first instead of the oldest. Default: false.
    #[serde(default)]
    pub latest_first: bool,
    /// What happens to a file once its epoch is committed. Default: `off`, it stays.
    #[serde(default, deserialize_with = "choice::choice")]
    pub clean: Clean,
    /// What happens when a file is damaged, is gone or has changed since its epoch was planned, or has a header that does not fit.
    /// Default: `fail`, the query ends.
    #[serde(default)]
    pub on_bad_file: OnBadFile,
    /// Columns of a STRUCT named `_metadata` that tell about the file of each row. Default: there is none.
    #[serde(default)]
    pub metadata: Vec<MetadataField>,
    /// How long a file must be unchanged before it is read. Default: `200ms`.
    #[serde(default = "default_settle")]
    pub settle: Interval,
    /// The longest line that is read; a longer one is a bad row. Default: `16MiB`.
    #[serde(default = "default_max_line_bytes")]
    pub max_line_bytes: ByteSize,
}

const fn default_settle() -> Interval {
    Interval::millis(200)
}

const fn default_max_line_bytes() -> ByteSize {
    ByteSize(16 << 20)
}

/// A format of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FileFormat {
    /// Comma-separated values, a record a line.
    Csv,
    /// One JSON object a line.
    Json,
    /// Lines, each the value of one STRING column.
    Text,
    /// Apache Parquet.
    Parquet,
}

/// What happens to a file once its epoch is committed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Clean {
    /// It stays where it is.
    #[default]
    Off,
    /// It is deleted.
    Delete,
    /// It is moved into this directory, under the same path as it had below `path`.
    Archive(PathBuf),
}

impl Choice for Clean {
    const WRITTEN: &'static str = "\"off\", \"delete\" or { archive = \"done\" }";
}

/// What happens when a file cannot be read as it was planned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnBadFile {
    /// The query ends, and every start tries again: nothing is lost.
    #[default]
    Fail,
    /// The rest of the file is left out, and an error logged. Its rows are lost, and a sink that stored the epoch before has
    /// more of them than the others. With `on-bad-data = "fail"` a bad row makes a bad file.
    Skip,
}

/// A field of `_metadata`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MetadataField {
    /// STRING: where the file is.
    FilePath,
    /// STRING: its name without directories.
    FileName,
    /// BIGINT: its size in bytes.
    FileSize,
    /// TIMESTAMP: when it was last written.
    FileModificationTime,
}

impl FilesSettings {
    /// A directory with every setting at its default.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        FilesSettings {
            path: path.into(),
            format: None,
            csv: None,
            compression: None,
            recursive: false,
            latest_first: false,
            clean: Clean::Off,
            on_bad_file: OnBadFile::Fail,
            metadata: Vec::new(),
            settle: default_settle(),
            max_line_bytes: default_max_line_bytes(),
        }
    }

    /// Whether a file with this error is left out.
    pub(super) fn skips(&self, error: &Error) -> bool {
        self.on_bad_file == OnBadFile::Skip && error.kind() == Kind::Data
    }

    /// Whether a source with these settings would read one of the files that `sink` writes. [`engine::Kind::Invalid`] if
    /// `path` is not there.
    pub fn read_from(&self, sink: &FileSink) -> Result<bool> {
        let location = Location::new(&self.path, self.recursive, &Environment::default())?;
        location.covers(&lexical(&sink.example(&location.directory)?)?)
    }

    /// Whether a source with these settings would read a file of this path. [`engine::Kind::Invalid`] if `path` is not there.
    pub fn reads(&self, file: &Path) -> Result<bool> {
        Location::new(&self.path, self.recursive, &Environment::default())?.covers(&lexical(file)?)
    }

    /// [`engine::Kind::Invalid`] if settings contradict each other.
    pub(super) fn check(&self, options: &SourceOptions, location: &Location) -> Result<()> {
        if let Some(Limit::Rows(_)) = options.max_per_trigger {
            return Err(Error::invalid("max-per-trigger: a files source counts files or bytes, not rows"));
        }
        if let Some(csv) = &self.csv {
            csv.rules()?;
        }
        match &self.clean {
            Clean::Archive(to) if location.is_remote() || address(to).is_some() => {
                Err(Error::invalid(format!(
                    "clean: files of object stores are not archived, nor archived there, as {}; use \"delete\" or \"off\"",
                    to.display()
                )))
            }
            Clean::Archive(to) if location.is_tree() && to.starts_with(&location.directory) => {
                Err(Error::invalid(format!(
                    "clean: the archive {} lies below the files it is for and would be read again; choose another",
                    to.display()
                )))
            }
            _ => Ok(()),
        }
    }
}

impl FileFormat {
    /// What the extension says, one for compression aside: `.csv`, `.json`, `.jsonl`, `.ndjson`, `.txt`, `.log`, `.parquet`.
    pub fn of(path: &Path) -> Option<Self> {
        let plain = match Compression::of(path) {
            Compression::None => path.to_path_buf(),
            _ => path.with_extension(""),
        };
        match plain.extension()?.to_str()? {
            "csv" | "tsv" => Some(FileFormat::Csv),
            "json" | "jsonl" | "ndjson" => Some(FileFormat::Json),
            "txt" | "text" | "log" => Some(FileFormat::Text),
            "parquet" => Some(FileFormat::Parquet),
            _ => None,
        }
    }
}
