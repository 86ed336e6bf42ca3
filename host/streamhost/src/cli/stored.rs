//! Commands about what a query keeps: its checkpoint, its state, its dead letters, its tables.

use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

#[derive(Subcommand)]
pub(crate) enum Checkpoint {
    /// Show epochs, offsets, commits and sizes
    #[command(after_long_help = "Example:\n  streamhost checkpoint show ckpt")]
    Show {
        /// The checkpoint's directory.
        checkpoint: PathBuf,
    },
    /// Take commits back, so that the epochs after them run again over the same input
    #[command(after_long_help = "\
Examples:
  streamhost checkpoint reset ckpt --to 7             # run 8 and later again; sinks that have them skip them
  streamhost checkpoint reset ckpt --to 7 --new-id    # the same as a new query: every sink stores them once more")]
    Reset {
        /// The checkpoint's directory.
        checkpoint: PathBuf,
        /// The last epoch that stays committed.
        #[arg(long, value_name = "EPOCH")]
        to: u64,
        /// Give the query a new identity: sinks that stored the epochs store them once more.
        #[arg(long)]
        new_id: bool,
        /// Files that were archived or deleted after their epoch are back where they were, with the times they had.
        #[arg(long)]
        restored: bool,
    },
    /// Make a checkpoint for a pipeline whose steps with state have changed
    ///
    /// The new checkpoint goes on where the old one has committed last, as the same query. State of steps that are not named stays.
    ///
    /// Stop the query first. One that still runs on the old checkpoint is replaced: it commits no epoch that it has not planned yet, and
    /// ends with exit code 6. If it was amid an epoch, the migration is refused: let the pipeline as it was finish that epoch, and
    /// migrate then.
    #[command(after_long_help = "\
Examples:
  streamhost checkpoint migrate ckpt ckpt2 --rename counts=totals     # the step is called otherwise now
  streamhost checkpoint migrate ckpt ckpt2 --forget counts            # the step is gone
  streamhost checkpoint migrate ckpt ckpt2 --empty sessions           # the step is new, and knows nothing of the rows before")]
    Migrate(MigrateArgs),
}

/// `streamhost checkpoint migrate`.
#[derive(Args)]
pub(crate) struct MigrateArgs {
    /// The checkpoint's directory.
    pub(crate) from: PathBuf,
    /// The directory of the new one.
    pub(crate) to: PathBuf,
    /// A step that has state, and its new name.
    #[arg(long, value_name = "OLD=NEW")]
    pub(crate) rename: Vec<String>,
    /// A step whose state is left behind.
    #[arg(long, value_name = "STEP")]
    pub(crate) forget: Vec<String>,
    /// A step that is new, and begins without state.
    #[arg(long, value_name = "STEP")]
    pub(crate) empty: Vec<String>,
}

#[derive(Subcommand)]
pub(crate) enum Dlq {
    /// Read the dead letters that a sink has stored, and go on with the step that could not process them
    ///
    /// Each letter is read once: another replay goes on where this one ends. What passes goes to the sinks behind the step; what
    /// does not is stored as a dead letter again. The letters themselves stay where they are.
    #[command(after_long_help = "\
Examples:
  streamhost dlq replay pipeline.toml --sink rejected
  streamhost dlq replay pipeline.toml --sink rejected --column id      # of a table: its column that rises")]
    Replay(DlqReplay),
}

/// `streamhost dlq replay`.
#[derive(Args)]
pub(crate) struct DlqReplay {
    /// The pipeline file, with what was wrong mended.
    pub(crate) pipeline: PathBuf,
    /// The sink that has the letters, one that reads `<step>.dead-letter`.
    #[arg(long)]
    pub(crate) sink: String,
    /// For letters in a table: a column of it that rises, such as an identity column.
    #[arg(long)]
    pub(crate) column: Option<String>,
    /// Directory of what the replay remembers. Default: beside the pipeline's own.
    #[arg(long, value_name = "DIR")]
    pub(crate) checkpoint: Option<PathBuf>,
}

#[derive(Subcommand)]
pub(crate) enum State {
    /// Show each step that remembers something: what it does, entries, bytes, columns
    #[command(after_long_help = "\
Examples:
  streamhost state show ckpt
  streamhost state show ckpt --epoch 7")]
    Show {
        /// The checkpoint's directory.
        checkpoint: PathBuf,
        /// The committed epoch after which to look. Default: the last one.
        #[arg(long)]
        epoch: Option<u64>,
    },
    /// Ask what the steps remember: any SELECT
    #[command(after_long_help = "\
Examples:
  streamhost state query ckpt \"SELECT * FROM operator_0\"
  streamhost state query ckpt \"SELECT count(*) FROM counted\" --epoch 7 --format json")]
    Query(StateQuery),
}

/// `streamhost state query`.
#[derive(Args)]
pub(crate) struct StateQuery {
    /// The checkpoint's directory.
    pub(crate) checkpoint: PathBuf,
    /// The question. The first step that `state show` lists is the table `operator_0`; each is also called as the step.
    pub(crate) sql: String,
    /// The committed epoch after which to look. Default: the last one.
    #[arg(long)]
    pub(crate) epoch: Option<u64>,
    /// How the answer is written.
    #[arg(long, value_enum, default_value_t = AnswerFormat::Table)]
    pub(crate) format: AnswerFormat,
}

/// `streamhost query`.
#[derive(Args)]
pub(crate) struct QueryArgs {
    /// The running query's name: `name` in its file, or its file's folder.
    pub(crate) name: String,
    /// The question; a table is called as its sink.
    pub(crate) sql: String,
    /// How the answer is written.
    #[arg(long, value_enum, default_value_t = AnswerFormat::Table)]
    pub(crate) format: AnswerFormat,
}

/// How an answer is written.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum AnswerFormat {
    /// As the console shows rows.
    Table,
    /// A JSON object a row.
    Json,
    /// With a header.
    Csv,
}
