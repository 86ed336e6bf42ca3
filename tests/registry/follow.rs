//! A query that goes on with newer versions while it runs.

use super::*;
use crate::binary::Running;
use serde_json::Value;
use std::{
    io::{BufRead, BufReader},
    process::Stdio,
};

/// The most milliseconds of an epoch that begins with another version.
const PAUSE: u64 = 50;

/// A running query, and what it says of each epoch.
pub(super) struct Following {
    pub(super) dir: TempDir,
    _host: Running,
    said: Box<dyn Iterator<Item = String>>,
    pub(super) given: u32,
}

impl Following {
    pub(super) fn start(dir: TempDir) -> Self {
        let path = dir.path().join("pipeline.toml");
        let text = fs::read_to_string(&path).unwrap().replace("'available-now'", "'asap'");
        let text = text.replace("follow = true\n", "");
        write(&path, text.replace("[sinks.out.files]", "follow = true\n[sinks.out.files]"));
        let args = ["run", "pipeline.toml", "--registry", "registry", "--progress", "json"];
        let mut host =
            command(dir.path(), args).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let said = BufReader::new(host.stderr.take().unwrap()).lines().map(Result::unwrap);
        Following { dir, _host: Running(host), said: Box::new(said), given: 0 }
    }

    /// Gives one row, and waits for the epoch that has it.
    pub(super) fn epoch(&mut self) -> Value {
        give(self.dir.path(), self.given);
        self.given += 1;
        let mut progress = self.said.by_ref().filter_map(|line| serde_json::from_str::<Value>(&line).ok());
        progress.next().expect("the query has ended")
    }

    /// Gives rows until an epoch fits, and answers it.
    pub(super) fn until(&mut self, fits: impl Fn(&Value) -> bool) -> Value {
        for _ in 0..1_000 {
            let epoch = self.epoch();
            if fits(&epoch) {
                return epoch;
            }
        }
        panic!("no epoch fits");
    }
}

pub(super) fn runs(epoch: &Value, plugin: &str, version: &str) -> bool {
    epoch["releases"]["said"] == format!("{plugin}@{version}")
}

pub(super) fn notice(epoch: &Value, words: &str) -> bool {
    epoch["notices"]
        .as_array()
        .is_some_and(|all| all.iter().any(|notice| notice.as_str().unwrap().contains(words)))
}

#[test]
fn a_step_that_follows_goes_on_with_a_newer_version_between_two_epochs_and_keeps_the_last_good_one() {
    let dir = folder("versioned@^1");
    add(dir.path(), "1.0.0", &[]);
    let mut query = Following::start(dir);
    assert!(runs(&query.epoch(), "versioned", "1.0.0"));
    add(query.dir.path(), "1.1.0", &[]);
    let swapped = query.until(|epoch| runs(epoch, "versioned", "1.1.0"));
    assert!(notice(&swapped, "step `said` runs versioned@1.1.0 now, after versioned@1.0.0"), "{swapped}");
    let pause = swapped["durationMs"]["triggerExecution"].as_u64().unwrap();
    println!("the epoch that began with another version took {pause} ms in all");
    assert!(pause <= PAUSE * 4, "{swapped}");
    // Another major version is none that may take its place.
    add(query.dir.path(), "2.0.0", &[]);
    add(query.dir.path(), "1.2.0", &[("health: sounds", "health: ailing")]);
    let stays = query.until(|epoch| notice(epoch, "stays with versioned@1.1.0: versioned@1.2.0"));
    assert!(runs(&stays, "versioned", "1.1.0"), "{stays}");
    add(query.dir.path(), "1.3.0", &[("by_version", "by_another")]);
    let stays = query.until(|epoch| notice(epoch, "stays with versioned@1.1.0: versioned@1.3.0"));
    assert!(runs(&stays, "versioned", "1.1.0") && notice(&stays, "its columns are others"), "{stays}");
    add(query.dir.path(), "1.4.0", &[]);
    query.until(|epoch| runs(epoch, "versioned", "1.4.0"));
    let rows = versions(query.dir.path());
    assert!(rows.is_sorted() && rows.len() as u32 == query.given, "{rows:?}");
    let mut seen = rows.clone();
    seen.dedup();
    assert_eq!(seen, ["1.0.0", "1.1.0", "1.4.0"]);
}

/// Brings a version into the registry as somebody who copies folders would, after something was done to its files.
fn smuggle(folder: &Path, version: &str, change: impl FnOnce(&Path)) {
    let other = tempfile::tempdir_in(folder).unwrap();
    let component = versioned(folder, version, &[]);
    ok(
        other.path(),
        [
            "--registry".as_ref(),
            "elsewhere".as_ref(),
            "plugin".as_ref(),
            "add".as_ref(),
            component.as_os_str(),
        ],
    );
    let from = other.path().join("elsewhere/versioned").join(version);
    change(&from);
    fs::rename(from, folder.join("registry/versioned").join(version)).unwrap();
}

#[test]
fn a_step_that_follows_takes_nothing_that_was_spoilt_or_half_copied() {
    let dir = folder("versioned@^1");
    add(dir.path(), "1.0.0", &[]);
    let mut query = Following::start(dir);
    assert!(runs(&query.epoch(), "versioned", "1.0.0"));
    // A folder without `plugin.toml` is not there yet.
    smuggle(query.dir.path(), "1.9.0", |from| fs::remove_file(from.join("plugin.toml")).unwrap());
    smuggle(query.dir.path(), "1.1.0", |from| {
        let component = from.join("component.wasm");
        let mut bytes = fs::read(&component).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(component, bytes).unwrap();
    });
    let stays = query.until(|epoch| notice(epoch, "stays with versioned@1.0.0: "));
    assert!(
        runs(&stays, "versioned", "1.0.0") && notice(&stays, "1.1.0") && notice(&stays, "digest"),
        "{stays}"
    );
    add(query.dir.path(), "1.2.0", &[]);
    query.until(|epoch| runs(epoch, "versioned", "1.2.0"));
}

#[test]
fn a_start_goes_on_with_the_version_that_ran_last_and_only_then_looks_for_newer_ones() {
    let dir = folder("versioned@^1");
    add(dir.path(), "1.0.0", &[]);
    let mut query = Following::start(dir);
    assert!(runs(&query.epoch(), "versioned", "1.0.0"));
    let Following { dir, _host, said, given } = query;
    drop((_host, said));
    add(dir.path(), "1.1.0", &[("health: sounds", "health: ailing")]);
    let mut query = Following { given, ..Following::start(dir) };
    let stays = query.until(|epoch| notice(epoch, "stays with versioned@1.0.0: versioned@1.1.0"));
    assert!(runs(&stays, "versioned", "1.0.0"), "{stays}");
}

#[test]
fn only_a_plugin_of_the_registry_is_followed() {
    let dir = folder("versioned.wasm");
    let text = fs::read_to_string(dir.path().join("pipeline.toml")).unwrap();
    let text = text.replace("[sinks.out.files]", "follow = true\n[sinks.out.files]");
    write(dir.path().join("pipeline.toml"), text);
    fs::rename(versioned(dir.path(), "1.0.0", &[]), dir.path().join("versioned.wasm")).unwrap();
    let said = fails(2, dir.path(), ["check", "pipeline.toml"]);
    assert!(said.contains("pipeline.toml:12:10: follow = true is for a plugin of the registry"), "{said}");
}
