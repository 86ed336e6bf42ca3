//! What the registry costs: a start among many plugins, and a newer version while a query runs.

use crate::{
    process::{Workshop, succeed},
    table::{self, median},
};
use engine::{Error, Kind, Result, ResultExt};
use serde_json::Value;
use std::{
    fs,
    io::{BufRead, BufReader, Lines},
    path::{Path, PathBuf},
    process::{Child, ChildStderr, Stdio},
    time::Duration,
};

/// Plugins in the registry.
const PLUGINS: usize = 50;
const STARTS: usize = 5;
/// Newer versions, one after the other.
const SWAPS: u64 = 5;

pub(crate) fn rows(workshop: &Workshop) -> Result<()> {
    let place = Place { workshop, folder: workshop.path("registry-bench") };
    place.add(0)?;
    place.fill()?;
    place.start()?;
    place.swap()
}

/// A folder with a registry and a pipeline through one of its plugins.
struct Place<'w> {
    workshop: &'w Workshop,
    folder: PathBuf,
}

impl Place<'_> {
    /// Adds a version of the plugin `versioned`, whose component has its version as a text of five bytes.
    fn add(&self, minor: u64) -> Result<()> {
        let component = self.workshop.plugin("tests/guests/versioned")?;
        let mut bytes = fs::read(&component).doing(Kind::Unavailable, || "reading a plugin")?;
        let version = format!("1.{minor}.0");
        for at in 0..bytes.len().saturating_sub(4) {
            if let Some(text) = bytes.get_mut(at..at + 5).filter(|text| *text == b"7.7.7") {
                text.copy_from_slice(version.as_bytes());
            }
        }
        write(&self.folder.join("plugin.wasm"), &bytes)?;
        let mut add = self.workshop.streamhost();
        succeed(
            add.current_dir(&self.folder)
                .args(["--registry", "registry", "plugin", "add", "plugin.wasm"])
                .stdout(Stdio::null()),
        )
    }

    /// The same release under other names.
    fn fill(&self) -> Result<()> {
        let release = self.folder.join("registry/versioned/1.0.0");
        let reading = || format!("reading {}", release.display());
        for number in 1..PLUGINS {
            let name = format!("other-{number}");
            for file in fs::read_dir(&release).doing(Kind::Unavailable, reading)? {
                let from = file.doing(Kind::Unavailable, reading)?.path();
                let to = self.folder.join("registry").join(&name).join("1.0.0");
                let Some(file) = from.file_name().filter(|_| from.is_file()) else { continue };
                let mut bytes = fs::read(&from).doing(Kind::Unavailable, reading)?;
                if file == "plugin.toml" {
                    let text = String::from_utf8_lossy(&bytes);
                    bytes = text.replace("name = \"versioned\"", &format!("name = {name:?}")).into_bytes();
                }
                write(&to.join(file), &bytes)?;
            }
        }
        Ok(())
    }

    fn pipeline(&self, trigger: &str, more: &str) -> Result<()> {
        let text = format!(
            "trigger = '{trigger}'\ncheckpoint = 'checkpoint-{trigger}'\n[sources.rows]\nschema = 'id INT'\n\
             [sources.rows.files]\npath = 'in'\nformat = 'json'\nsettle = '0s'\n\
             [steps.said]\nplugin = 'versioned@^1'\n{more}[sinks.out.noop]\n"
        );
        write(&self.folder.join("pipeline.toml"), text.as_bytes())
    }

    fn give(&self, row: u64) -> Result<()> {
        write(&self.folder.join(format!("in/{row}.json")), format!("{{\"id\":{row}}}\n").as_bytes())
    }

    fn run(&self) -> std::process::Command {
        let mut run = self.workshop.streamhost();
        run.current_dir(&self.folder).args([
            "run",
            "pipeline.toml",
            "--registry",
            "registry",
            "--progress",
            "json",
        ]);
        run
    }

    /// From the start of the process to its end, with a row on the way and compiled code in the cache.
    fn start(&self) -> Result<()> {
        self.pipeline("available-now", "")?;
        let mut times = Vec::new();
        for row in 0..=STARTS as u64 {
            self.give(row)?;
            times.push(self.workshop.time(self.run().stderr(Stdio::null()))?);
        }
        // The first one compiled.
        times.remove(0);
        let time = median(times);
        table::row(
            &format!(
                "start, an epoch of a row and end, with {PLUGINS} plugins in the registry and compiled code"
            ),
            &format!("{} ms", time.as_millis()),
            "≤ 300 ms",
            time <= Duration::from_millis(300),
        );
        Ok(())
    }

    fn swap(&self) -> Result<()> {
        self.pipeline("asap", "follow = true\n")?;
        let mut query = Following::start(self)?;
        let mut with = Vec::new();
        let mut without = Vec::new();
        for minor in 1..=SWAPS {
            self.add(minor)?;
            let release = Value::String(format!("versioned@1.{minor}.0"));
            loop {
                let epoch = query.epoch(self)?;
                let at = |path: &str| epoch.pointer(path).cloned().unwrap_or_default();
                let took = Duration::from_millis(at("/durationMs/triggerExecution").as_u64().unwrap_or(0));
                if at("/releases/said") == release {
                    with.push(took);
                    break;
                }
                without.push(took);
            }
        }
        let longest = with.iter().max().copied().unwrap_or_default();
        let (with, without) = (median(with), median(without));
        table::row(
            "hot swap: the epoch that begins with a newer version, beside the others",
            &format!(
                "{} ms, the longest {} ms, others {} ms",
                with.as_millis(),
                longest.as_millis(),
                without.as_millis()
            ),
            "≤ 50 ms longer",
            longest.saturating_sub(without) <= Duration::from_millis(50),
        );
        Ok(())
    }
}

/// A query that runs, and what it says of each epoch.
struct Following {
    child: Child,
    said: Lines<BufReader<ChildStderr>>,
    given: u64,
}

impl Following {
    fn start(place: &Place<'_>) -> Result<Self> {
        let starting = || "starting a query";
        let mut child = place
            .run()
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .doing(Kind::Unavailable, starting)?;
        let said = child.stderr.take().ok_or_else(|| Error::internal(starting()))?;
        Ok(Following { child, said: BufReader::new(said).lines(), given: 1_000 })
    }

    /// Gives a row, and answers what is said of the epoch that has it.
    fn epoch(&mut self, place: &Place<'_>) -> Result<Value> {
        place.give(self.given)?;
        self.given += 1;
        let mut said = self.said.by_ref().map_while(std::io::Result::ok);
        said.find_map(|line| serde_json::from_str(&line).ok())
            .ok_or_else(|| Error::internal("the query that follows has ended"))
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let writing = || format!("writing {}", path.display());
    let folder = path.parent().ok_or_else(|| Error::internal(writing()))?;
    fs::create_dir_all(folder).doing(Kind::Unavailable, writing)?;
    fs::write(path, bytes).doing(Kind::Unavailable, writing)
}
