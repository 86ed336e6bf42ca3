//! Several at once, crashes, and a disk without space.

use super::*;
use crate::binary::{Running, streamhost};
use std::process::{Command, Stdio};

#[test]
fn two_processes_that_add_at_once_add_one_after_the_other() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path();
    let one = versioned(folder, "1.0.0", &[]);
    let other = versioned(folder, "1.1.0", &[]);
    let start = |component: &Path| {
        let args = ["--registry", "registry", "plugin", "add", component.to_str().unwrap()];
        command(folder, args).stdout(Stdio::piped()).spawn().unwrap()
    };
    let adding: Vec<_> = [&one, &one, &other, &other].into_iter().map(|component| start(component)).collect();
    let mut said: Vec<String> = adding
        .into_iter()
        .map(|adding| {
            let output = adding.wait_with_output().unwrap();
            assert!(output.status.success());
            text(&output.stdout)
        })
        .collect();
    said.sort();
    let there = |version: &str| format!("versioned@{version} is in registry already\n");
    let added = |version: &str| format!("added versioned@{version} to registry\n");
    assert_eq!(said, [added("1.0.0"), added("1.1.0"), there("1.0.0"), there("1.1.0")]);
    assert_eq!(ok(folder, ["--registry", "registry", "plugin", "verify"]), "2 verified\n");
}

#[test]
fn an_add_that_is_killed_adds_nothing_or_all_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path();
    add(folder, "1.0.0", &[]);
    let registry = ["--registry", "registry", "plugin"];
    let say = |args: &[&str]| ok(folder, registry.iter().chain(args));
    let component = versioned(folder, "1.1.0", &[]);
    let adding = ["--registry", "registry", "plugin", "add", component.to_str().unwrap()];
    assert!(kill_command_at(folder, &adding, "0:staged"));
    assert!(!say(&["list"]).contains("1.1.0"));
    assert_eq!(say(&["verify"]), "1 verified\n");
    assert_eq!(say(&["gc"]), "removed versioned@1.1.0, half written\n");
    assert!(kill_command_at(folder, &adding, "0:published"));
    assert!(say(&["list"]).contains("1.1.0"));
    assert_eq!(say(&["verify"]), "2 verified\n");
    assert_eq!(say(&["add", component.to_str().unwrap()]), "versioned@1.1.0 is in registry already\n");
    // A copy that came to an end too early.
    let half = folder.join("registry/versioned/1.2.0");
    write(half.join("component.wasm"), "ha");
    let said = fails(4, folder, registry.iter().chain(&["verify"]));
    assert!(said.contains("1.2.0 is half written"), "{said}");
    assert!(!say(&["list"]).contains("1.2.0"));
    assert_eq!(say(&["gc"]), "removed versioned@1.2.0, half written\n");
}

/// A file system of its own, with room for almost nothing.
const MOUNT: &str = "mount -t tmpfs -o size=64k none registry && \"$0\" \"$@\"; code=$?; ls -A registry registry/.staging >&2; exit $code";

#[test]
fn an_add_without_space_says_so_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path();
    let component = versioned(folder, "1.0.0", &[]);
    fs::create_dir(folder.join("registry")).unwrap();
    let mut adding = Command::new("unshare");
    adding.args(["--map-root-user", "--mount", "sh", "-c", MOUNT]).arg(streamhost());
    adding.args(["--registry", "registry", "plugin", "add"]).arg(component).current_dir(folder);
    let output = adding.output().expect("this test makes a file system: it needs `unshare` of util-linux");
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(5), "{said}");
    assert!(said.contains("the directory must be writable and have room: No space left"), "{said}");
    assert!(said.ends_with("registry:\n.lock\n.staging\n\nregistry/.staging:\n"), "{said}");
}

#[test]
fn two_hosts_on_one_registry_run_side_by_side_and_both_keep_what_they_need() {
    let (one, other) = (folder("versioned@1.0.0"), folder("versioned@1.1.0"));
    add(one.path(), "1.0.0", &[]);
    add(one.path(), "1.1.0", &[]);
    let registry = one.path().join("registry");
    let start = |folder: &Path| {
        give(folder, 0);
        let args = ["run", "pipeline.toml", "--registry", registry.to_str().unwrap()];
        Running(command(folder, args).spawn().unwrap())
    };
    let mut both = [start(one.path()), start(other.path())];
    assert!(both.iter_mut().all(|host| host.0.wait().unwrap().success()));
    assert_eq!((versions(one.path()), versions(other.path())), (vec!["1.0.0".into()], vec!["1.1.0".into()]));
    for version in ["1.0.0", "1.1.0"] {
        let release = format!("versioned@{version}");
        let said = fails(2, one.path(), ["--registry", "registry", "plugin", "remove", &release]);
        assert!(said.contains("needs it"), "{said}");
    }
}
