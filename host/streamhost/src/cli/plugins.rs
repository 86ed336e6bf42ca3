//! Commands about versions of plugins.

use clap::{Args, Subcommand};
use std::path::PathBuf;

#[derive(Subcommand)]
pub(crate) enum PluginCommand {
    /// Add a plugin; what is there under its version never changes
    ///
    /// What it is called and its version it says itself. README.md, schema/ and tests/ of a folder are added too. An add that is
    /// interrupted adds nothing.
    #[command(after_long_help = "\
Examples:
  streamhost plugin add my-filter                        # the folder of its source, built if it is stale
  streamhost plugin add my-filter.wasm --sign release.key
  streamhost plugin add other-registry/my-filter/1.2.0   # with the signatures that it has")]
    Add(AddArgs),
    /// List what there is
    #[command(after_long_help = "Example:\n  streamhost plugin list")]
    List,
    /// List what has all of these words in its name, summary or world
    #[command(after_long_help = "Example:\n  streamhost plugin search filter")]
    Search {
        /// The words.
        #[arg(required = true)]
        words: Vec<String>,
    },
    /// Say all about a version, or the newest one
    #[command(
        after_long_help = "Examples:\n  streamhost plugin info my-filter\n  streamhost plugin info my-filter@1.2.0"
    )]
    Info {
        /// `name` or `name@1.2.3`.
        plugin: String,
    },
    /// Compare every file with its digest, and check the signatures; exit code 4 if anything is wrong
    #[command(
        after_long_help = "Examples:\n  streamhost plugin verify\n  streamhost plugin verify my-filter@1.2.0"
    )]
    Verify {
        /// `name@1.2.3`. Default: all.
        releases: Vec<String>,
    },
    /// Keep a version from being chosen by any query that does not run it already
    #[command(after_long_help = "\
Examples:
  streamhost plugin yank my-filter@1.2.0 --reason \"drops rows with NULL\"
  streamhost plugin yank my-filter@1.2.0 --undo")]
    Yank {
        /// `name@1.2.3`.
        release: String,
        /// Why, for `plugin info`.
        #[arg(long, default_value = "")]
        reason: String,
        /// Let it be chosen again.
        #[arg(long, conflicts_with = "reason")]
        undo: bool,
    },
    /// Remove a version; refused while a checkpoint needs it
    #[command(after_long_help = "Example:\n  streamhost plugin remove my-filter@1.2.0")]
    Remove {
        /// `name@1.2.3`.
        release: String,
    },
    /// Remove what nobody can use: what interrupted adds have left, and notes of checkpoints that are gone
    #[command(after_long_help = "Examples:\n  streamhost plugin gc\n  streamhost plugin gc --yanked")]
    Gc {
        /// Yanked versions that no checkpoint needs, too.
        #[arg(long)]
        yanked: bool,
    },
    /// Sign a version with a key, after a look at all of its files
    #[command(after_long_help = "\
Examples:
  streamhost plugin sign my-filter@1.2.0 --key release.key
  streamhost plugin sign copy-of/my-filter/1.2.0 --key release.key")]
    Sign(SignArgs),
}

/// `streamhost plugin add`.
#[derive(Args)]
pub(crate) struct AddArgs {
    /// A `.wasm` file, the folder of a plugin's source, or the folder of a version in another registry.
    pub(crate) plugin: PathBuf,
    /// Sign it with this key.
    #[arg(long, value_name = "KEY")]
    pub(crate) sign: Option<PathBuf>,
}

/// `streamhost plugin sign`.
#[derive(Args)]
pub(crate) struct SignArgs {
    /// `name@1.2.3`, or a folder that was copied from a registry.
    pub(crate) plugin: String,
    /// The file of the key.
    #[arg(long)]
    pub(crate) key: PathBuf,
}

#[derive(Subcommand)]
pub(crate) enum Key {
    /// Make a key, and print its public half: that is what `require-signed-by` lists
    #[command(after_long_help = "Example:\n  streamhost key new release.key")]
    New {
        /// The file to make, which only this user can read.
        file: PathBuf,
    },
}

/// `streamhost shadow`.
#[derive(Args)]
pub(crate) struct ShadowArgs {
    /// The pipeline file.
    pub(crate) pipeline: PathBuf,
    /// The step.
    #[arg(long)]
    pub(crate) step: String,
    /// The other plugin: `name@^2.0` of the registry, a `.wasm` file, or the folder of a plugin's source.
    #[arg(long, value_name = "PLUGIN")]
    pub(crate) with: String,
    /// When an epoch starts: asap, available-now, once or an interval such as 10s. Default: as in the file.
    #[arg(long)]
    pub(crate) trigger: Option<String>,
    /// Directory of what the query remembers. Default: as in the file.
    #[arg(long, value_name = "DIR")]
    pub(crate) checkpoint: Option<String>,
}

/// `streamhost replay`.
#[derive(Args)]
pub(crate) struct ReplayArgs {
    /// The checkpoint's directory.
    pub(crate) checkpoint: PathBuf,
    /// The epoch.
    #[arg(long)]
    pub(crate) epoch: u64,
    /// The step.
    #[arg(long)]
    pub(crate) step: String,
    /// Another plugin beside the step's own: `name@^2.0` of the registry, a `.wasm` file, or the folder of a plugin's source.
    #[arg(long, value_name = "PLUGIN")]
    pub(crate) with: Option<String>,
    /// The pipeline file of the query.
    #[arg(long, value_name = "FILE", default_value = "pipeline.toml")]
    pub(crate) pipeline: PathBuf,
}
