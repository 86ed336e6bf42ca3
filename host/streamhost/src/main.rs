//! The command line of streamhost.

mod answer;
mod bench;
mod build;
mod checkpoint;
mod cli;
mod dlq;
mod flags;
mod generate;
mod inspect;
mod live;
mod new;
mod process;
mod progress;
mod registry;
mod run;
mod shadow;
mod state;
mod test;

use clap::{CommandFactory, FromArgMatches};
use cli::{Cli, Command};
use engine::{Error, Kind, Result};
use plugin::CompileLimits;
use std::{fmt::Write as _, process::ExitCode};

fn main() -> ExitCode {
    let matches = Cli::command().get_matches();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|e| e.exit());
    process::start_log(cli.log);
    let registry = cli.registry.as_deref();
    let done = match cli.command {
        Command::Run(args) => run::run(*args, &matches, registry),
        Command::Test { path, update } => test::test(&path, update, registry),
        Command::New(cli::New::Plugin { folder, kind, lang }) => new::plugin(&folder, kind, lang),
        Command::Build { folder, watch: false } => build::build(&folder),
        Command::Build { folder, watch: true } => build::watch(&folder),
        Command::Doctor { folder } => build::doctor(folder.as_deref()),
        Command::Inspect(args) => inspect::inspect(&args, registry),
        Command::Bench(args) => bench::bench(&args, registry),
        Command::Check { pipeline } => run::check(&pipeline, registry),
        Command::Explain { pipeline } => run::explain(&pipeline, registry),
        Command::Shadow(args) => shadow::shadow(args, registry),
        Command::Replay(args) => shadow::replay(args, registry),
        Command::Query(args) => live::query(&args),
        Command::Plugin(command) => registry::plugin(&command, registry),
        Command::Key(command) => registry::key(&command),
        Command::Generate(cli::Generate::Events(args)) => generate::events_command(&args),
        Command::Checkpoint(command) => checkpoint::checkpoint(command),
        Command::State(command) => state::state(&command),
        Command::Dlq(cli::Dlq::Replay(args)) => dlq::replay(&args, registry),
        Command::Schema => run::schema(),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::shown(), "streamhost", &mut std::io::stdout());
            Ok(())
        }
        Command::Compile { cpu_seconds, memory } => {
            return plugin::compile_child(CompileLimits { cpu_seconds, memory });
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}", message(&error));
            ExitCode::from(error.kind().exit_code())
        }
    }
}

/// The error as people read it: one line a problem, and what to do about a bug.
fn message(error: &Error) -> String {
    let mut text = format!("error: {}", error.report());
    if error.kind() == Kind::Internal {
        let _ = write!(text, "\nThis is a bug of streamhost, or a file of it was changed from outside.");
    }
    text
}

/// Prints to standard output; a reader that has gone away is not an error of ours.
fn print(text: &str) -> Result<()> {
    use std::io::{ErrorKind, Write};
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => {
            Err(Error::new(Kind::Unavailable, "cannot write to standard output").caused_by(e))
        }
        _ => Ok(()),
    }
}
