//! Another version beside the one that runs, and epochs that run again for a look.

use super::*;

#[test]
fn a_version_runs_beside_another_and_what_it_does_differently_is_told_and_not_stored() {
    let dir = folder("versioned@^1");
    let folder = dir.path();
    add(folder, "1.0.0", &[]);
    add(folder, "2.0.0", &[]);
    add(folder, "3.0.0", &[("health: sounds", "health: ailing")]);
    for id in 0..3 {
        give(folder, id);
    }
    let shadow = |with: &str| {
        ok(folder, ["shadow", "pipeline.toml", "--step", "said", "--with", with, "--registry", "registry"])
    };
    let said = shadow("versioned@2");
    for words in [
        "batches                3\n",
        "rows in                3\n",
        "rows out               3              3\n",
        "rows of this one only  3              3\n",
        "batches it fails on    0\n",
        "- epoch 0: {\"id\":0,\"by_version\":\"1.0.0\"}\n",
        "+ epoch 0: {\"id\":0,\"by_version\":\"2.0.0\"}\n",
    ] {
        assert!(said.contains(words), "{words} in\n{said}");
    }
    assert_eq!(versions(folder), ["1.0.0", "1.0.0", "1.0.0"]);
    give(folder, 3);
    let same = shadow("versioned@1.0.0");
    assert!(same.contains("rows of this one only  0              0\n"), "{same}");
    let args =
        ["shadow", "pipeline.toml", "--step", "said", "--with", "versioned@3", "--registry", "registry"];
    let said = fails(3, folder, args);
    assert!(said.contains("--with versioned@3: "), "{said}");
    let args = ["shadow", "pipeline.toml", "--step", "sad", "--with", "versioned@1"];
    let said = fails(2, folder, args);
    assert!(said.contains("there is no step `sad` with a plugin; there are: said"), "{said}");
}

#[test]
fn an_epoch_runs_again_as_it_was_and_what_is_gone_is_named() {
    let dir = folder("versioned@1.0.0");
    let folder = dir.path();
    add(folder, "1.0.0", &[]);
    add(folder, "1.1.0", &[]);
    for id in 0..3 {
        give(folder, id);
    }
    ran(folder);
    pipeline(folder, "versioned@1.1.0");
    let before = json_lines(&folder.join("out"));
    let replay = |more: &[&'static str]| {
        let args = ["replay", "checkpoint", "--step", "said", "--registry", "registry", "--epoch"];
        args.iter().chain(more).copied().collect::<Vec<_>>()
    };
    // With the version that it had, whatever the pipeline asks for now.
    assert_eq!(ok(folder, replay(&["1"])), "{\"id\":1,\"by_version\":\"1.0.0\"}\n");
    let said = ok(folder, replay(&["1", "--with", "versioned@1.1.0"]));
    assert!(said.contains("+ epoch 1: {\"id\":1,\"by_version\":\"1.1.0\"}\n"), "{said}");
    assert_eq!(json_lines(&folder.join("out")), before);
    let said = fails(2, folder, replay(&["7"]));
    assert!(said.contains("has no plan of epoch 7: it has those of epochs 0 to 2"), "{said}");
    fs::remove_file(folder.join("in/1.json")).unwrap();
    let output = run(folder, replay(&["1"]));
    assert!(!output.status.success() && text(&output.stderr).contains("1.json"), "{}", text(&output.stderr));
    ran(folder);
}

#[test]
fn a_plugin_that_is_not_deterministic_as_it_says_is_found_out_when_an_epoch_runs_again() {
    let dir = folder("versioned@1.0.0");
    let folder = dir.path();
    add(folder, "1.0.0", &[("honesty: says", "honesty: lies")]);
    (0..3).for_each(|id| give(folder, id));
    ran(folder);
    let replay =
        |epoch| ["replay", "checkpoint", "--step", "said", "--registry", "registry", "--epoch", epoch];
    let found = fails(3, folder, replay("2"));
    assert!(
        found.contains("what step said puts out is not what it put out then, and its plugin says that it is deterministic"),
        "{found}"
    );
}
