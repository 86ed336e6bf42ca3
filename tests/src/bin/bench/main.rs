//! The table of speeds: what crossing into a plugin costs beside the same work done natively, and what whole runs of the
//! program cost.
//!
//! ```text
//! cargo xtask bench [--full | --calls | --databases | --kafka | --languages] [--spark]
//! ```
//!
//! The last row is ten times the data, or with `--full` a hundred times; `--calls` stops before whole runs, and `--databases`, `--kafka` and `--languages` are
//! about these alone. With `--spark`, Spark runs its jobs too, each once, behind ours; without, its times are those that were recorded. What is compared runs alternately, in this
//! process or back to back, and medians are compared. Times of one machine say little about another's; ratios do.

mod boundary;
mod databases;
mod deltas;
mod events;
mod fed;
mod functions;
mod jobs;
mod kafka;
mod kernels;
mod keyed;
mod languages;
mod native;
mod operators;
mod process;
mod queries;
mod registry;
mod spark;
mod table;

use engine::{Error, Result};
use process::Workshop;
use std::{path::Path, process::ExitCode};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    // Where `cargo xtask bench --spark` has put it.
    let at = words.iter().position(|word| *word == "--spark").filter(|at| at + 1 < words.len());
    let spark = at.and_then(|at| words.drain(at..at + 2).nth(1)).map(Path::new);
    let done = match words[..] {
        [] => bench(spark, Some(10)).await,
        ["--full"] => bench(spark, Some(100)).await,
        ["--calls"] => bench(None, None).await,
        ["--kafka"] => with_kafka(spark).await,
        ["--languages"] => with_languages(spark).await,
        // What starts databases has a runtime of its own.
        ["--databases"] => tokio::task::spawn_blocking(databases)
            .await
            .unwrap_or_else(|e| Err(Error::internal("measuring databases").caused_by(e))),
        [native::COMMAND, input, output] => native::run(Path::new(input), Path::new(output)),
        [kafka::COMMAND, servers, from, to, how] => kafka::run(servers, from, to, how),
        _ => Err(Error::invalid(
            "usage: bench [--full | --calls | --databases | --kafka | --languages] [--spark FOLDER]",
        )),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("{}", e.report());
            ExitCode::from(e.kind().exit_code())
        }
    }
}

/// Prints what is about topics.
async fn with_kafka(spark: Option<&Path>) -> Result<()> {
    let workshop = Workshop::open(spark)?;
    table::head();
    kafka::rows(&workshop).await
}

/// Prints what is about the languages of plugins.
async fn with_languages(spark: Option<&Path>) -> Result<()> {
    let workshop = Workshop::open(spark)?;
    table::head();
    languages::rows(&workshop).await
}

/// Prints the table; its last row is of `scale` times the data. Without a scale only what is about calls.
async fn bench(spark: Option<&Path>, scale: Option<u32>) -> Result<()> {
    if cfg!(debug_assertions) {
        return Err(Error::invalid("this build is not optimised; run `cargo xtask bench`"));
    }
    let workshop = Workshop::open(spark)?;
    table::head();
    boundary::rows(&workshop).await?;
    functions::rows(&workshop).await?;
    registry::rows(&workshop)?;
    operators::rows(&workshop).await?;
    keyed::counts(&workshop).await?;
    deltas::rows(&workshop).await?;
    match scale {
        Some(scale) => {
            jobs::rows(&workshop, scale).await?;
            kafka::rows(&workshop).await
        }
        None => Ok(()),
    }
}

fn databases() -> Result<()> {
    let workshop = Workshop::open(None)?;
    let input = workshop.path("input");
    events::write(&input)?;
    table::head();
    databases::rows(&workshop, &input)
}
