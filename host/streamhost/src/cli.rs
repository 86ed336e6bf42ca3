//! The command line: every command, flag and example.

mod author;
mod plugins;
mod stored;

pub(crate) use author::{BenchArgs, InspectArgs, Kind, Lang, New};
pub(crate) use plugins::{AddArgs, Key, PluginCommand, ReplayArgs, ShadowArgs, SignArgs};
pub(crate) use stored::{
    AnswerFormat, Checkpoint, Dlq, DlqReplay, MigrateArgs, QueryArgs, State, StateQuery,
};

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
