//! `cargo xtask conformance DIR`: every scenario of a folder, as Spark answered it.

use engine::Result;
use std::{path::Path, process::ExitCode};
use tests::conformance::{How, run, scenarios};

#[tokio::main]
async fn main() -> ExitCode {
    let Some(folder) = std::env::args().nth(1) else {
        eprintln!("usage: cargo xtask conformance DIR, a folder of scenarios with an expected.jsonl each");
        return ExitCode::FAILURE;
    };
    match all(Path::new(&folder)).await {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{}", error.report());
            ExitCode::FAILURE
        }
    }
}

/// Runs them, prints what differs, and answers how many failed.
async fn all(folder: &Path) -> Result<usize> {
    let (mut passed, mut failed) = (0, 0);
    for scenario in scenarios(folder)? {
        let name = scenario.file_name().unwrap_or_default().to_string_lossy().into_owned();
        match run(&scenario, 2, How::Whole).await {
            Ok((None, _)) => passed += 1,
            Ok((Some(difference), _)) => {
                failed += 1;
                println!("{name}: {difference}");
            }
            Err(error) => {
                failed += 1;
                println!("{name}: {}", error.report());
            }
        }
    }
    println!("{passed} passed, {failed} failed");
    Ok(failed)
}
