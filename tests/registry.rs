//! The registry as people use it, with the real binary.

mod follow;
mod keyed;
mod shadow;
mod shared;
mod signed;

use crate::{
    binary::{built, command, copy, fails, json_lines, ok, root, run, text, write},
    kill::kill_command_at,
};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Mutex,
    time::Instant,
};
use tempfile::TempDir;

/// The component of a plugin of the tests, of another version, with other texts in it.
fn component(guest: &str, folder: &Path, version: &str, changes: &[(&str, &str)]) -> PathBuf {
    static COMPONENTS: Mutex<BTreeMap<String, Vec<u8>>> = Mutex::new(BTreeMap::new());
    let build = || fs::read(built(&root().join("tests/guests").join(guest))).unwrap();
    let mut component = COMPONENTS.lock().unwrap().entry(guest.to_owned()).or_insert_with(build).clone();
    for (from, to) in changes.iter().chain(&[("7.7.7", version)]) {
        assert_eq!(from.len(), to.len(), "texts of a component have their place");
        let places: Vec<usize> =
            (0..component.len()).filter(|at| component[*at..].starts_with(from.as_bytes())).collect();
        assert!(!places.is_empty(), "the component has no {from}");
        places.into_iter().for_each(|at| component[at..at + to.len()].copy_from_slice(to.as_bytes()));
    }
    let path = folder.join(format!("{guest}-{version}.wasm"));
    fs::write(&path, component).unwrap();
    path
}

fn versioned(folder: &Path, version: &str, changes: &[(&str, &str)]) -> PathBuf {
    component("versioned", folder, version, changes)
}

/// Adds a version to the registry of a folder.
fn add_of(guest: &str, folder: &Path, version: &str, changes: &[(&str, &str)]) {
    let component = component(guest, folder, version, changes);
    let component = component.to_str().unwrap();
    let said = ok(folder, ["--registry", "registry", "plugin", "add", component]);
    assert_eq!(said, format!("added {guest}@{version} to registry\n"));
}

fn add(folder: &Path, version: &str, changes: &[(&str, &str)]) {
    add_of("versioned", folder, version, changes);
}

/// A folder with a pipeline from `in` to `out` through this plugin of the registry.
fn folder(plugin: &str) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    pipeline(dir.path(), plugin);
    dir
}

fn pipeline(folder: &Path, plugin: &str) {
    fs::create_dir_all(folder.join("in")).unwrap();
    write(
        folder.join("pipeline.toml"),
        format!(
            "trigger = 'available-now'\ncheckpoint = 'checkpoint'\n\
             [sources.rows]\nschema = 'id INT'\nmax-per-trigger = {{ files = 1 }}\n\
             [sources.rows.files]\npath = 'in'\nformat = 'json'\nsettle = '0s'\n\
             [steps.said]\nplugin = {plugin:?}\n\
             [sinks.out.files]\npath = 'out'\nformat = 'json'\n"
        ),
    );
}

/// Gives a row: a file that is there as a whole, as a part of it would be read.
fn give(folder: &Path, id: u32) {
    write(folder.join("in/.new"), format!("{{\"id\":{id}}}\n"));
    fs::rename(folder.join("in/.new"), folder.join(format!("in/{id}.json"))).unwrap();
}

/// Runs the pipeline of a folder to its end.
fn ran(folder: &Path) {
    ok(folder, ["run", "pipeline.toml", "--registry", "registry"]);
}

/// Which version each row came through, by the row's number.
fn versions(folder: &Path) -> Vec<String> {
    let version = |line: String| {
        let row: serde_json::Value = serde_json::from_str(&line).unwrap();
        (row["id"].as_u64().unwrap(), row["by_version"].as_str().unwrap().to_owned())
    };
    let mut rows: Vec<(u64, String)> = json_lines(&folder.join("out")).into_iter().map(version).collect();
    rows.sort_unstable();
    rows.into_iter().map(|(_, version)| version).collect()
}

#[test]
fn a_plugin_is_added_found_described_and_run_by_its_name() {
    let dir = folder("versioned@^1");
    let folder = dir.path();
    add(folder, "1.0.0", &[]);
    let registry = ["--registry", "registry", "plugin"];
    let say = |args: &[&str]| ok(folder, registry.iter().chain(args));
    assert!(say(&["list"]).starts_with("versioned@1.0.0 "), "{}", say(&["list"]));
    assert_eq!(say(&["search", "version", "STATELESS"]), say(&["list"]));
    assert_eq!(say(&["search", "fraud"]), "no plugin\n");
    let info = say(&["info", "versioned"]);
    for words in [
        "version        1.0.0\n",
        "signed by      nobody\n",
        "files          component.wasm, schema/config.json\n",
    ] {
        assert!(info.contains(words), "{words} in\n{info}");
    }
    assert_eq!(say(&["verify"]), "1 verified\n");
    assert!(
        ok(folder, ["inspect", "versioned@1", "--registry", "registry"]).contains("version        1.0.0\n")
    );
    give(folder, 0);
    ran(folder);
    assert_eq!(versions(folder), ["1.0.0"]);
    assert!(
        ok(folder, ["explain", "pipeline.toml", "--registry", "registry"]).contains("plugin versioned 1.0.0")
    );
}

#[test]
fn a_version_stays_until_somebody_asks_for_another() {
    let dir = folder("versioned@^1");
    let folder = dir.path();
    add(folder, "1.0.0", &[]);
    give(folder, 0);
    ran(folder);
    add(folder, "1.1.0", &[]);
    give(folder, 1);
    ran(folder);
    assert_eq!(versions(folder), ["1.0.0", "1.0.0"]);
    pipeline(folder, "versioned@^1.1");
    give(folder, 2);
    ran(folder);
    assert_eq!(versions(folder), ["1.0.0", "1.0.0", "1.1.0"]);
    // Only a query that does not run it already passes a yanked one over.
    ok(folder, ["--registry", "registry", "plugin", "yank", "versioned@1.1.0", "--reason", "it lies"]);
    give(folder, 3);
    ran(folder);
    assert_eq!(versions(folder)[3], "1.1.0");
    let said = fails(2, folder, ["run", "pipeline.toml", "--registry", "registry", "--checkpoint", "other"]);
    assert!(said.contains("it has 1.0.0, 1.1.0 (yanked)"), "{said}");
    assert!(said.contains("pipeline.toml:11:10: "), "{said}");
}

#[test]
fn an_epoch_that_runs_again_runs_the_version_that_it_first_ran_with() {
    let dir = folder("versioned@1.0.0");
    let folder = dir.path();
    add(folder, "1.0.0", &[]);
    add(folder, "1.1.0", &[]);
    for id in 0..4 {
        give(folder, id);
    }
    assert!(kill_command_at(folder, &["run", "pipeline.toml", "--registry", "registry"], "1:planned"));
    pipeline(folder, "versioned@1.1.0");
    ran(folder);
    assert_eq!(versions(folder), ["1.0.0", "1.0.0", "1.1.0", "1.1.0"]);
    let record = fs::read_to_string(folder.join("checkpoint/offsets/1")).unwrap();
    assert!(record.contains("\"version\": \"1.0.0\""), "{record}");
}

#[test]
fn what_an_epoch_needs_to_run_again_is_named_if_it_is_gone() {
    let dir = folder("versioned@1.0.0");
    let folder = dir.path();
    add(folder, "1.0.0", &[]);
    add(folder, "1.1.0", &[]);
    give(folder, 0);
    assert!(kill_command_at(folder, &["run", "pipeline.toml", "--registry", "registry"], "0:planned"));
    fs::remove_dir_all(folder.join("registry/versioned/1.0.0")).unwrap();
    pipeline(folder, "versioned@1.1.0");
    let said = fails(2, folder, ["run", "pipeline.toml", "--registry", "registry"]);
    for words in ["`said` ran versioned@1.0.0 (sha256:", "an epoch has to run again", "which has 1.1.0"] {
        assert!(said.contains(words), "{words} in\n{said}");
    }
}

#[test]
fn a_version_that_a_checkpoint_needs_is_not_removed() {
    let dir = folder("versioned@^1");
    let folder = dir.path();
    add(folder, "1.0.0", &[]);
    add(folder, "1.1.0", &[]);
    give(folder, 0);
    ran(folder);
    let registry = ["--registry", "registry", "plugin"];
    let said = fails(2, folder, registry.iter().chain(&["remove", "versioned@1.1.0"]));
    assert!(
        said.contains("versioned@1.1.0 stays: checkpoint ") && said.contains("checkpoint needs it"),
        "{said}"
    );
    assert_eq!(
        ok(folder, registry.iter().chain(&["remove", "versioned@1.0.0"])),
        "removed versioned@1.0.0\n"
    );
    add(folder, "1.0.0", &[]);
    pipeline(folder, "versioned@1.0.0");
    give(folder, 1);
    ran(folder);
    assert_eq!(
        ok(folder, registry.iter().chain(&["remove", "versioned@1.1.0"])),
        "removed versioned@1.1.0\n"
    );
    fs::remove_dir_all(folder.join("checkpoint")).unwrap();
    let said = ok(folder, registry.iter().chain(&["gc"]));
    assert!(said.starts_with("removed the pin of checkpoint "), "{said}");
    ok(folder, registry.iter().chain(&["remove", "versioned@1.0.0"]));
}

#[test]
fn a_config_that_does_not_fit_its_schema_is_told_with_its_place_and_the_reason() {
    let dir = folder("versioned@^1");
    let folder = dir.path();
    add(folder, "1.0.0", &[]);
    let text = fs::read_to_string(folder.join("pipeline.toml")).unwrap();
    write(folder.join("pipeline.toml"), text.replace("[sinks.out", "config.prefix = 3\n[sinks.out"));
    let said = fails(2, folder, ["check", "pipeline.toml", "--registry", "registry"]);
    let words =
        "pipeline.toml:12:17: steps.said: plugin versioned: config.prefix: 3 is not of type \"string\"";
    assert!(said.contains(words), "{said}");
}

#[test]
fn a_name_that_could_leave_the_registry_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["../a@1.0.0", "..@1.0.0", "a@../../b", "a@1.0.0/..", "A@1.0.0", "ä@1.0.0", "a@1.0.0+x"] {
        for command in ["remove", "yank", "verify"] {
            let said = fails(2, dir.path(), ["--registry", "registry", "plugin", command, name]);
            assert!(
                said.contains("is no name of a plugin") || said.contains("is no version of a plugin"),
                "{said}"
            );
        }
    }
    assert!(!dir.path().join("registry").exists());
}

#[test]
fn a_folder_is_added_with_what_belongs_to_it_and_its_copy_to_another_registry() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path();
    let package = folder.join("package");
    write(package.join("README.md"), "# versioned\n");
    write(package.join("tests/case.toml"), "schema = 'id INT'\n");
    write(package.join("notes.txt"), "not of it");
    fs::rename(versioned(folder, "1.0.0", &[]), package.join("component.wasm")).unwrap();
    ok(folder, ["--registry", "one", "plugin", "add", "package"]);
    let there = folder.join("one/versioned/1.0.0");
    assert!(there.join("README.md").exists() && there.join("tests/case.toml").exists());
    assert!(!there.join("notes.txt").exists());
    copy(&there, &folder.join("copied"));
    ok(folder, ["--registry", "two", "plugin", "add", "copied"]);
    let said = ok(folder, ["--registry", "two", "plugin", "add", "one/versioned/1.0.0"]);
    assert_eq!(said, "versioned@1.0.0 is in two already\n");
    write(package.join("README.md"), "# other\n");
    let said = fails(2, folder, ["--registry", "one", "plugin", "add", "package"]);
    assert!(said.contains("with another README.md: a version never changes"), "{said}");
    write(folder.join("copied/README.md"), "# other\n");
    let said = fails(4, folder, ["--registry", "two", "plugin", "add", "copied"]);
    assert!(said.contains("README.md is not what was added"), "{said}");
}

/// Copies a release of the registry under other names, as somebody who fills it by hand does.
fn fill(folder: &Path, count: usize) {
    let release = folder.join("registry/versioned/1.0.0");
    let manifest = fs::read_to_string(release.join("plugin.toml")).unwrap();
    for number in 0..count {
        let name = format!("other-{number}");
        let to = folder.join("registry").join(&name).join("1.0.0");
        copy(&release, &to);
        write(to.join("plugin.toml"), manifest.replace("name = \"versioned\"", &format!("name = {name:?}")));
    }
}

#[test]
fn a_host_with_many_plugins_starts_as_fast_as_with_one() {
    let dir = folder("versioned@^1");
    let folder = dir.path();
    add(folder, "1.0.0", &[]);
    ran(folder);
    let time = || {
        let mut times: Vec<_> = (0..5)
            .map(|_| {
                let start = Instant::now();
                ran(folder);
                start.elapsed()
            })
            .collect();
        times.sort_unstable();
        times[0]
    };
    let alone = time();
    fill(folder, 50);
    let among_many = time();
    println!("start with 1 plugin: {alone:?}; with 51: {among_many:?}");
    assert_eq!(ok(folder, ["--registry", "registry", "plugin", "verify"]), "51 verified\n");
    assert!(among_many < alone * 2, "{alone:?}, and with 51 plugins {among_many:?}");
}
