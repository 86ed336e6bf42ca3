//! Commands of who writes a plugin.

use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

#[derive(Subcommand)]
pub(crate) enum New {
    /// Make the source of a new plugin: a folder that builds, with a test
    #[command(after_long_help = "\
Examples:
  streamhost new plugin my-filter
  streamhost new plugin add-columns --kind map
  streamhost new plugin sessions --kind keyed --lang python")]
    Plugin {
        /// The folder to make; its last part is the plugin's name.
        folder: PathBuf,
        /// What the plugin does with rows.
        #[arg(long, value_enum, default_value_t = Kind::Filter)]
        kind: Kind,
        /// The language that it is written in.
        #[arg(long, value_enum, default_value_t = Lang::Rust)]
        lang: Lang,
    },
}

/// A language of plugins.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Lang {
    /// A crate.
    Rust,
    /// A module.
    Go,
    /// An npm package.
    Js,
    /// An npm package with types.
    Ts,
    /// A Python project.
    Python,
    /// A CMake project, for C++ too.
    C,
}

/// What a plugin does with rows.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// Keeps some rows.
    Filter,
    /// Adds columns.
    Map,
    /// Makes new rows.
    Transform,
    /// Keeps state for each key: flatMapGroupsWithState.
    Keyed,
    /// Stores epochs in outputs: foreachBatch.
    BatchSink,
    /// Gives a value for each row: a function for SQL.
    Function,
}

#[derive(Args)]
pub(crate) struct InspectArgs {
    /// A `.wasm` file, the folder of a plugin's source, or `name@^1.2` of the registry.
    pub(crate) plugin: PathBuf,
    /// Columns of its input, such as "user_id INT, value DOUBLE".
    #[arg(long, value_name = "DDL")]
    pub(crate) schema: Option<String>,
    /// Of a plugin that keeps state: the columns of its input by which it does, as in "user_id,device".
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',', requires = "schema")]
    pub(crate) keys: Vec<String>,
    /// JSON settings of the plugin, for its columns or its functions. Default: none.
    #[arg(long, value_name = "JSON")]
    pub(crate) config: Option<String>,
}

#[derive(Args)]
pub(crate) struct BenchArgs {
    /// A `.wasm` file or the folder of a plugin's source.
    pub(crate) plugin: PathBuf,
    /// A file of rows: Parquet, JSON lines or CSV.
    #[arg(long)]
    pub(crate) input: PathBuf,
    /// Columns of the input, for formats that do not say. Default: inferred.
    #[arg(long, value_name = "DDL")]
    pub(crate) schema: Option<String>,
    /// JSON settings of the plugin.
    #[arg(long, default_value = "{}")]
    pub(crate) config: String,
    /// Rows of a batch.
    #[arg(long, default_value_t = 8192)]
    pub(crate) batch: usize,
    /// For how many seconds to measure.
    #[arg(long, default_value_t = 3)]
    pub(crate) seconds: u64,
}
