//! Keys, signatures, and files that were changed.

use super::*;

fn key(folder: &Path, name: &str) -> String {
    ok(folder, ["key", "new", name]).trim().to_owned()
}

#[test]
fn a_plugin_that_nobody_who_is_trusted_has_signed_does_not_run() {
    let dir = folder("versioned@^1");
    let folder = dir.path();
    let (ours, other) = (key(folder, "ours.key"), key(folder, "other.key"));
    add(folder, "1.0.0", &[]);
    give(folder, 0);
    let registry = ["--registry", "registry", "plugin"];
    let sign = |key: &str| ok(folder, registry.iter().chain(&["sign", "versioned@1.0.0", "--key", key]));
    let runs = || run(folder, ["run", "pipeline.toml", "--registry", "registry"]);
    write(folder.join("registry/registry.toml"), format!("require-signed-by = [{ours:?}]\n"));
    let refused = |words: &str| {
        let output = runs();
        let said = text(&output.stderr);
        assert!(output.status.code() == Some(2) && said.contains(words), "{words} in\n{said}");
    };
    refused("and it is not signed");
    sign("other.key");
    refused(&format!("and it is signed by {other}"));
    assert_eq!(sign("ours.key"), format!("versioned@1.0.0 is signed by {ours}\n"));
    ran(folder);
    assert_eq!(versions(folder), ["1.0.0"]);
    // The pipeline may ask for more.
    let text = fs::read_to_string(folder.join("pipeline.toml")).unwrap();
    let third = key(folder, "third.key");
    write(folder.join("pipeline.toml"), format!("require-signed-by = [{third:?}]\n{text}"));
    refused(&format!("asks for a signature of {third}"));
    let component = versioned(folder, "1.0.0", &[]);
    let by_path = text.replace("versioned@^1", component.to_str().unwrap());
    write(folder.join("pipeline.toml"), format!("require-signed-by = [{third:?}]\n{by_path}"));
    refused("is a file that nobody has signed");
    write(folder.join("pipeline.toml"), format!("require-signed-by = []\n{text}"));
    ran(folder);
}

#[test]
fn a_component_that_was_changed_does_not_run_however_it_was_done() {
    let dir = folder("versioned@^1");
    let folder = dir.path();
    add(folder, "1.0.0", &[]);
    let release = folder.join("registry/versioned/1.0.0");
    let (component, manifest) = (release.join("component.wasm"), release.join("plugin.toml"));
    let (was, said) = (fs::read(&component).unwrap(), fs::read_to_string(&manifest).unwrap());
    give(folder, 0);
    ran(folder);
    let refused = |words: &str| {
        let said = fails(4, folder, ["run", "pipeline.toml", "--registry", "registry"]);
        assert!(said.contains(words), "{words} in\n{said}");
        let said = fails(4, folder, ["--registry", "registry", "plugin", "verify", "versioned@1.0.0"]);
        assert!(said.contains("versioned/1.0.0"), "{said}");
    };
    // The component alone.
    let other = fs::read(versioned(folder, "1.0.0", &[("by_version", "by_another")])).unwrap();
    fs::write(&component, &other).unwrap();
    refused("is not what it was: its digest is ");
    // And the manifest, so that they fit each other.
    let digest = |text: &str| text.lines().find(|line| line.contains("component.wasm")).unwrap().to_owned();
    ok(folder, ["--registry", "elsewhere", "plugin", "add", "versioned-1.0.0.wasm"]);
    let elsewhere = fs::read_to_string(folder.join("elsewhere/versioned/1.0.0/plugin.toml")).unwrap();
    fs::write(&manifest, said.replace(&digest(&said), &digest(&elsewhere))).unwrap();
    refused("plugin.toml was changed since it was added");
    // And the index, so that nobody but the checkpoint knows.
    fs::remove_file(folder.join("registry/index.json")).unwrap();
    let words = fails(4, folder, ["run", "pipeline.toml", "--registry", "registry"]);
    assert!(words.contains("the registry has another versioned@1.0.0 than before"), "{words}");
    fs::write(&component, was).unwrap();
    fs::write(&manifest, said).unwrap();
    give(folder, 1);
    ran(folder);
    assert_eq!(versions(folder), ["1.0.0", "1.0.0"]);
}

#[test]
fn an_older_release_that_was_withdrawn_cannot_be_brought_back_with_its_signature() {
    let dir = folder("versioned@^1");
    let folder = dir.path();
    key(folder, "ours.key");
    let registry = ["--registry", "registry", "plugin"];
    let say = |args: &[&str]| ok(folder, registry.iter().chain(args));
    for version in ["1.0.0", "1.1.0"] {
        let component = versioned(folder, version, &[]);
        say(&["add", component.to_str().unwrap(), "--sign", "ours.key"]);
    }
    copy(&folder.join("registry/versioned/1.0.0"), &folder.join("kept"));
    say(&["remove", "versioned@1.0.0"]);
    let said = fails(2, folder, registry.iter().chain(&["add", "kept"]));
    assert!(said.contains("is older than one that this registry has seen"), "{said}");
    say(&["sign", "kept", "--key", "ours.key"]);
    assert_eq!(say(&["add", "kept"]), "added versioned@1.0.0 to registry\n");
    assert_eq!(say(&["verify"]), "2 verified\n");
}
