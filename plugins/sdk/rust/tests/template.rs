//! A new plugin of each kind builds and passes its tests, against a copy of this folder outside of the repository.

use std::fs;
use std::path::Path;
use std::process::Command;

const SDK: &str = env!("CARGO_MANIFEST_DIR");

/// Copies a folder with its links followed, without what is built in it.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let from = entry.expect("an entry").path();
        let to = to.join(from.file_name().expect("a name"));
        match from.metadata().expect("no broken link").is_dir() {
            true if from.ends_with("target") => {}
            true => copy(&from, &to),
            false => fs::copy(&from, &to).map(|_| ()).expect("a copy"),
        }
    }
}

/// Writes a plugin as `streamhost new plugin` does.
fn write(kind: &str, sdk: &Path, plugin: &Path) {
    let template = Path::new(SDK).join("template");
    let read = |name: &str| fs::read_to_string(template.join(name)).expect("a part of the template");
    let summary = read(&format!("{kind}/summary"));
    let filled = |name: &str| {
        let text =
            read(name).replace("{{name}}", &format!("my-{kind}")).replace("{{summary}}", summary.trim());
        text.replace("{{sdk}}", &sdk.display().to_string())
    };
    let own = format!("{kind}/README.md.tmpl");
    let readme = if template.join(&own).exists() { &own } else { "README.md.tmpl" };
    let files = [
        ("Cargo.toml", filled("Cargo.toml.tmpl")),
        ("README.md", filled(readme)),
        (".cargo/config.toml", read("cargo-config.toml")),
        (".gitignore", read("gitignore")),
        ("src/lib.rs", read(&format!("{kind}/lib.rs"))),
        ("tests/basic.toml", read(&format!("{kind}/basic.toml"))),
    ];
    for (name, text) in files {
        let file = plugin.join(name);
        fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
        fs::write(file, text).expect("a file");
    }
    // The versions that are here already, so that nothing is fetched.
    fs::copy(Path::new(SDK).join("../../Cargo.lock"), plugin.join("Cargo.lock")).expect("a lock file");
}

fn builds(kind: &str) {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join(kind);
    let (sdk, plugin) = (place.join("sdk"), place.join("plugin"));
    copy(Path::new(SDK), &sdk);
    write(kind, &sdk, &plugin);
    // This test's own, where the dependencies are built already.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("..");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["test", "--offline", "--quiet"]).current_dir(&plugin).env("CARGO_TARGET_DIR", target);
    let output = cargo.output().expect("cargo");
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stderr), String::from_utf8_lossy(&output.stdout));
    assert!(output.status.success(), "{said}");
    assert!(!said.contains("warning"), "{said}");
}

#[test]
fn a_new_plugin_of_each_kind_builds_and_passes_its_tests() {
    ["filter", "map", "transform", "batch-sink", "keyed", "function"].into_iter().for_each(builds);
}
