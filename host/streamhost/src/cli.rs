//! The command line: every command, flag and example.

mod plugins;

pub(crate) use plugins::{AddArgs, Key, PluginCommand, ReplayArgs, ShadowArgs, SignArgs};

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use std::path::PathBuf;

/// Continuous jobs over streams, with your own logic in WebAssembly plugins.
#[derive(Parser)]
#[command(
    name = "streamhost",
    version,
    arg_required_else_help = true,
    max_term_width = 110,
    after_long_help = "\
Examples:
  streamhost run pipeline.toml
  streamhost new plugin my-filter
  streamhost run --plugin my-filter --from data/input --to console"
)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
    /// What to log to standard error.
    #[arg(long, global = true, value_enum, default_value_t = Level::Warn)]
    pub(crate) log: Level,
    /// The directory of plugins by name. Default: `streamhost/registry` in the user's data directory.
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) registry: Option<PathBuf>,
}

/// A log level.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Level {
    /// Data was lost, or someone must act.
    Error,
    /// And: something failed and was recovered from.
    Warn,
    /// And: life cycle.
    Info,
    /// And: every epoch.
    Debug,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run a pipeline file, or a pipeline made of flags
    #[command(after_long_help = "\
Examples:
  streamhost run pipeline.toml
  streamhost run --plugin my-filter --from data/input --format json --schema \"user_id INT, value DOUBLE\" --to console
  streamhost run --plugin a.wasm --plugin b.wasm --plugin-config '{\"threshold\":10}' --from in/ --to out/ --to-format parquet --trigger available-now --checkpoint ckpt
  cat x.json | streamhost run --plugin filter.wasm --from - --format json --to - --to-format csv

Exit codes: 0 done, 2 invalid pipeline, 3 plugin, 4 data, 5 something outside is unavailable, 6 another host took over, 70 a bug.")]
    Run(Box<RunArgs>),
    /// Run the tests of a pipeline file, or the fixtures of a plugin's folder
    #[command(after_long_help = "\
Examples:
  streamhost test pipeline.toml
  streamhost test my-filter
  streamhost test my-filter --update      # write what came as what is expected

Exit codes: 0 all passed, 4 a test failed; if one could not run, 2 for what it says itself, 3 for the plugin.")]
    Test {
        /// A pipeline file with tests, or the folder of a plugin with fixtures in tests/.
        path: PathBuf,
        /// Write what came as what is expected.
        #[arg(long)]
        update: bool,
    },
    /// Make the source of a new plugin
    #[command(subcommand, after_long_help = "Example:\n  streamhost new plugin my-filter --kind filter")]
    New(New),
    /// Build a plugin's source folder into a component
    #[command(after_long_help = "\
Examples:
  streamhost build my-filter              # writes my-filter/my-filter.wasm
  streamhost build my-filter --watch      # and again after each change of its source")]
    Build {
        /// The folder of a plugin's source.
        folder: PathBuf,
        /// Go on: build again whenever the source changes, until Ctrl+C.
        #[arg(long)]
        watch: bool,
    },
    /// Say which languages plugins can be built in here, and what brings what is missing
    ///
    /// Give the folder of a plugin to look at its language alone; then the exit code is 2 if something is missing.
    #[command(after_long_help = "Examples:\n  streamhost doctor\n  streamhost doctor my-filter")]
    Doctor {
        /// The folder of a plugin's source.
        folder: Option<PathBuf>,
    },
    /// Say what a plugin is, imports and asks for
    ///
    /// Which columns it reads and puts out follows from its input and its settings: give --schema, and --config where it needs one,
    /// to see them.
    #[command(after_long_help = "\
Examples:
  streamhost inspect my-filter
  streamhost inspect my-filter/my-filter.wasm --schema \"user_id INT, value DOUBLE\" --config '{\"threshold\":10}'")]
    Inspect(InspectArgs),
    /// Measure a plugin on a file of rows, beside a plugin that does nothing
    ///
    /// Both are given the same batches in turns, call by call. The empty plugin reads the columns that the plugin reads and keeps
    /// every row: what it costs is what crossing with these columns costs any plugin. The rest is the plugin's work and what follows
    /// from its answers: rows that are dropped, columns that are added.
    #[command(
        after_long_help = "Example:\n  streamhost bench my-filter --input events.parquet --config '{\"threshold\":10}'"
    )]
    Bench(BenchArgs),
    /// Find what is wrong with a pipeline and its tests, without running them; exit code 2 if anything is
    #[command(after_long_help = "Example:\n  streamhost check pipeline.toml")]
    Check {
        /// The pipeline file.
        pipeline: PathBuf,
    },
    /// Say what a pipeline would run: columns, grants, limits, guarantees
    #[command(after_long_help = "Example:\n  streamhost explain pipeline.toml")]
    Explain {
        /// The pipeline file.
        pipeline: PathBuf,
    },
    /// Run a pipeline with another version of a step's plugin beside it, and say how the two compare
    ///
    /// It runs as `run` does, and stores what it stores. The other plugin is given the same batches; what it puts out is compared row by
    /// row and thrown away, and what it fails on fails nothing.
    #[command(
        after_long_help = "Example:\n  streamhost shadow pipeline.toml --step scored --with fraud-score@2.0 --trigger available-now"
    )]
    Shadow(ShadowArgs),
    /// Run an epoch of a checkpoint again, for a look at what a step puts out; nothing is stored
    ///
    /// The epoch reads what it read, with the state, the watermarks and the time that it had, and the versions of plugins. What of that
    /// is gone is named. Without --with the step's rows are printed, in no order; with it, how the other plugin compares.
    #[command(after_long_help = "\
Examples:
  streamhost replay ckpt --epoch 12 --step scored --pipeline jobs/pipeline.toml
  streamhost replay ckpt --epoch 12 --step scored --with fraud-score@2.0

Exit codes: 0 done, 2 what the epoch needs is gone, 3 a plugin that calls itself deterministic put out something else than then.")]
    Replay(ReplayArgs),
    /// Ask the tables of a running query's memory sinks: any SELECT
    #[command(after_long_help = "\
Examples:
  streamhost query late-purchases \"SELECT * FROM live ORDER BY n DESC LIMIT 10\"
  streamhost query late-purchases \"SELECT count(*) AS rows FROM live\" --format json")]
    Query(QueryArgs),
    /// Keep plugins by name and version, in the registry
    #[command(
        subcommand,
        after_long_help = "Examples:\n  streamhost plugin add my-filter\n  streamhost plugin list"
    )]
    Plugin(PluginCommand),
    /// Make keys that sign plugins
    #[command(subcommand, after_long_help = "Example:\n  streamhost key new release.key")]
    Key(Key),
    /// Make test data
    #[command(
        subcommand,
        after_long_help = "Example:\n  streamhost generate events --out data/input --format csv"
    )]
    Generate(Generate),
    /// Look at a checkpoint, or go back in it
    #[command(
        subcommand,
        after_long_help = "Examples:\n  streamhost checkpoint show ckpt\n  streamhost checkpoint reset ckpt --to 7"
    )]
    Checkpoint(Checkpoint),
    /// Look into what the steps of a query remember
    #[command(
        subcommand,
        after_long_help = "Examples:\n  streamhost state show ckpt\n  streamhost state query ckpt \"SELECT * FROM operator_0\""
    )]
    State(State),
    /// Put dead letters through again, once what was wrong is mended
    #[command(
        subcommand,
        after_long_help = "Example:\n  streamhost dlq replay pipeline.toml --sink rejected"
    )]
    Dlq(Dlq),
    /// Print the JSON Schema of the pipeline file, for editors
    #[command(after_long_help = "Example:\n  streamhost schema > pipeline.schema.json")]
    Schema,
    /// Print a completion script for a shell
    #[command(
        after_long_help = "Example:\n  streamhost completions bash > /etc/bash_completion.d/streamhost"
    )]
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// Compile a component in a process of its own; the host calls this.
    #[command(name = plugin::COMPILE_COMMAND, hide = true)]
    Compile {
        /// Seconds on a processor that it may take.
        cpu_seconds: u64,
        /// Bytes of memory that it may take.
        memory: u64,
    },
}

#[derive(Args, Default)]
pub(crate) struct RunArgs {
    /// A pipeline file, beside which only --name, --trigger, --checkpoint, --parallelism and --progress have a meaning;
    /// without one, flags say everything.
    pub(crate) pipeline: Option<PathBuf>,
    /// A `.wasm` file, the folder of a plugin's source, or `name@^1.2` of the registry; several are applied in order.
    #[arg(long, value_name = "PATH")]
    pub(crate) plugin: Vec<String>,
    /// JSON settings of the `--plugin` before it.
    #[arg(long, value_name = "JSON")]
    pub(crate) plugin_config: Vec<String>,
    /// A place that the plugin may send requests to, if it asks for HTTP; with one --plugin.
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) allow_http: Vec<String>,
    /// What happens to rows that a plugin cannot process: fail, skip, or dead-letter (then give --dead-letter).
    #[arg(long, value_name = "POLICY", value_parser = ["fail", "skip", "dead-letter"])]
    pub(crate) on_error: Option<String>,
    /// A directory for rows that plugins could not process; implies --on-error dead-letter.
    #[arg(long, value_name = "DIR")]
    pub(crate) dead_letter: Option<String>,
    /// A directory, file or pattern; `-` for standard input; `HOST:PORT` after `socket:`; or `rate`.
    #[arg(long, value_name = "WHERE")]
    pub(crate) from: Option<String>,
    /// Format of the input: csv, json, text or parquet. Default: by extension.
    #[arg(long)]
    pub(crate) format: Option<String>,
    /// Columns of the input, such as "user_id INT, value DOUBLE". Default: inferred and printed.
    #[arg(long, value_name = "DDL")]
    pub(crate) schema: Option<String>,
    /// A directory; `console`; `-` for standard output; or `noop`.
    #[arg(long, value_name = "WHERE")]
    pub(crate) to: Option<String>,
    /// Format of the output: parquet, json, csv or text.
    #[arg(long, value_name = "FORMAT")]
    pub(crate) to_format: Option<String>,
    /// A setting of the source, as in a pipeline file: `header=true`, `clean=delete`, `evolve=true`.
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) from_option: Vec<String>,
    /// A setting of the sink, as in a pipeline file: `header=true`, `partition-by=["day"]`.
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) to_option: Vec<String>,
    /// Columns that name directories of the output.
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    pub(crate) partition_by: Vec<String>,
    /// Draw the table of this memory sink on the terminal after each epoch.
    #[arg(long, value_name = "SINK")]
    pub(crate) watch: Option<String>,
    /// When an epoch starts: asap, available-now, once, an interval such as 10s, or continuous=1s.
    #[arg(long)]
    pub(crate) trigger: Option<String>,
    /// Directory of what the query remembers.
    #[arg(long, value_name = "DIR")]
    pub(crate) checkpoint: Option<String>,
    /// The most files that one epoch takes.
    #[arg(long, value_name = "N", conflicts_with_all = ["max_bytes_per_trigger", "max_rows_per_trigger"])]
    pub(crate) max_files_per_trigger: Option<u64>,
    /// The most bytes of files that one epoch takes, such as 64MiB.
    #[arg(long, value_name = "SIZE", conflicts_with = "max_rows_per_trigger")]
    pub(crate) max_bytes_per_trigger: Option<String>,
    /// The most rows that one epoch takes.
    #[arg(long, value_name = "N")]
    pub(crate) max_rows_per_trigger: Option<u64>,
    /// What happens to input that does not fit the schema: permissive, drop or fail.
    #[arg(long, value_name = "POLICY", value_parser = ["permissive", "drop", "fail"])]
    pub(crate) on_bad_data: Option<String>,
    /// The query's name.
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Into how many partitions an epoch is divided. Default: the number of cores.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) parallelism: Option<u32>,
    /// How progress is shown on standard error. Default: live on a terminal, else none.
    #[arg(long, value_enum)]
    pub(crate) progress: Option<ProgressStyle>,
}

/// How progress is shown.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProgressStyle {
    /// One JSON object an epoch, in the shape of Spark's progress.
    Json,
    /// A line that is drawn again and again, and at the end one of what there was in all.
    Live,
    /// Not at all.
    None,
}

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

#[derive(Subcommand)]
pub(crate) enum Generate {
    /// Write files of login, logout, purchase and view events, one by one
    #[command(after_long_help = "\
Example:
  streamhost generate events --out data/input --format csv --files 10 --rows 10 --every 3s")]
    Events(EventsArgs),
}

#[derive(Args)]
pub(crate) struct EventsArgs {
    /// The directory to write to.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// csv, json or parquet.
    #[arg(long, default_value = "csv")]
    pub(crate) format: String,
    /// How many files; their numbers go on behind those that are there.
    #[arg(long, default_value_t = 10)]
    pub(crate) files: u64,
    /// Rows of a file.
    #[arg(long, default_value_t = 10)]
    pub(crate) rows: u64,
    /// Time between two files.
    #[arg(long, default_value = "0s")]
    pub(crate) every: String,
    /// The same number makes the same events.
    #[arg(long)]
    pub(crate) seed: Option<u64>,
}

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

impl Cli {
    /// The commands that people use, for completion: those that the host calls itself are left out.
    pub(crate) fn shown() -> clap::Command {
        let all = Cli::command();
        let shown: Vec<_> = all.get_subcommands().filter(|command| !command.is_hide_set()).cloned().collect();
        clap::Command::new("streamhost").args(all.get_arguments().cloned()).subcommands(shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn without_example(path: &str, command: &clap::Command) -> Vec<String> {
        let help = command.get_after_long_help().map(ToString::to_string).unwrap_or_default();
        let has = help.contains("Example") && help.contains(&format!("\n  {path}"));
        let below = command.get_subcommands().filter(|below| !below.is_hide_set());
        let below = below.flat_map(|below| without_example(&format!("{path} {}", below.get_name()), below));
        below.chain((!has).then(|| path.to_owned())).collect()
    }

    #[test]
    fn every_command_has_an_example_in_its_help() {
        assert_eq!(without_example("streamhost", &Cli::command()), [""; 0]);
    }

    #[test]
    fn completion_knows_what_people_use() {
        let names: Vec<String> = Cli::shown().get_subcommands().map(|c| c.get_name().to_owned()).collect();
        assert!(
            names.contains(&"run".into()) && !names.contains(&plugin::COMPILE_COMMAND.into()),
            "{names:?}"
        );
    }
}
