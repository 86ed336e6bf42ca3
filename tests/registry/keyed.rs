//! Versions of a plugin that keeps state: in the place of one that runs, beside it, and in an epoch that runs again.

use super::{
    follow::{Following, notice, runs},
    *,
};
use serde_json::{Value, json};

/// A folder with a pipeline that counts all rows by this version of `tally`.
fn counting(plugin: &str) -> TempDir {
    let dir = folder(plugin);
    let path = dir.path().join("pipeline.toml");
    let text = fs::read_to_string(&path).unwrap().replace(
        "[steps.said]\n",
        "[steps.all]\nsql = 'SELECT 1 AS one FROM rows'\n[steps.said]\nkeys = ['one']\n",
    );
    write(path, text);
    dir
}

fn add_tally(folder: &Path, version: &str, changes: &[(&str, &str)]) {
    add_of("tally", folder, version, changes);
}

/// What a version says of so many rows.
fn said(n: u64, version: &str) -> String {
    format!("{{\"one\":1,\"n\":{n},\"by_version\":\"{version}\"}}")
}

fn counts(folder: &Path) -> Vec<(u64, String)> {
    let count = |line: String| {
        let row: Value = serde_json::from_str(&line).unwrap();
        (row["n"].as_u64().unwrap(), row["by_version"].as_str().unwrap().to_owned())
    };
    let mut counts: Vec<_> = json_lines(&folder.join("out")).into_iter().map(count).collect();
    counts.sort_unstable();
    counts
}

#[test]
fn a_step_that_follows_goes_on_with_its_state_and_with_no_version_that_keeps_another() {
    let dir = counting("tally@^1");
    add_tally(dir.path(), "1.0.0", &[]);
    let mut query = Following::start(dir);
    assert!(runs(&query.epoch(), "tally", "1.0.0"));
    add_tally(query.dir.path(), "1.1.0", &[]);
    let swapped = query.until(|epoch| runs(epoch, "tally", "1.1.0"));
    assert!(notice(&swapped, "step `said` runs tally@1.1.0 now, after tally@1.0.0"), "{swapped}");
    add_tally(query.dir.path(), "1.2.0", &[("kept is older", "kept is newer")]);
    let stays = query.until(|epoch| notice(epoch, "stays with tally@1.1.0: tally@1.2.0"));
    assert!(runs(&stays, "tally", "1.1.0") && notice(&stays, "it keeps other tables"), "{stays}");
    add_tally(query.dir.path(), "1.3.0", &[]);
    query.until(|epoch| runs(epoch, "tally", "1.3.0"));
    query.epoch();
    let counts = counts(query.dir.path());
    let numbers: Vec<u64> = counts.iter().map(|(n, _)| *n).collect();
    assert_eq!(numbers, (1..=u64::from(query.given)).collect::<Vec<_>>());
    let mut versions: Vec<&str> = counts.iter().map(|(_, version)| version.as_str()).collect();
    versions.dedup();
    assert_eq!(versions, ["1.0.0", "1.1.0", "1.3.0"]);
}

#[test]
fn an_epoch_runs_again_on_the_state_that_it_began_with_and_another_version_on_a_copy_of_it() {
    let dir = counting("tally@1.0.0");
    let folder = dir.path();
    add_tally(folder, "1.0.0", &[]);
    add_tally(folder, "1.1.0", &[("honesty: counts", "honesty: cheats")]);
    add_tally(folder, "1.2.0", &[("kept is older", "kept is newer")]);
    (0..3).for_each(|id| give(folder, id));
    ran(folder);
    let replay = |more: &[&'static str]| {
        let args = ["replay", "checkpoint", "--step", "said", "--registry", "registry", "--epoch"];
        args.iter().chain(more).copied().collect::<Vec<_>>()
    };
    assert_eq!(ok(folder, replay(&["1"])), said(2, "1.0.0") + "\n");
    let differs = ok(folder, replay(&["1", "--with", "tally@1.1.0"]));
    for words in [format!("- epoch 1: {}\n", said(2, "1.0.0")), format!("+ epoch 1: {}\n", said(3, "1.1.0"))]
    {
        assert!(differs.contains(&words), "{words} in\n{differs}");
    }
    // A copy is migrated as the state itself would be.
    let newer = ok(folder, replay(&["1", "--with", "tally@1.2.0"]));
    for words in ["batches it fails on    1\n", "migrating its table `so_far` from version 1 to 2"] {
        assert!(newer.contains(words), "{words} in\n{newer}");
    }
    (3..6).for_each(|id| give(folder, id));
    let shadow =
        ["shadow", "pipeline.toml", "--step", "said", "--with", "tally@1.1.0", "--registry", "registry"];
    let beside = ok(folder, shadow);
    for words in [
        "rows in                3\n".to_owned(),
        "rows of this one only  3              3\n".to_owned(),
        format!("- epoch 5: {}\n", said(6, "1.0.0")),
        // In each epoch it begins with what the other one keeps.
        format!("+ epoch 5: {}\n", said(7, "1.1.0")),
    ] {
        assert!(beside.contains(&words), "{words} in\n{beside}");
    }
    let numbers: Vec<Value> = counts(folder).into_iter().map(|(n, _)| json!(n)).collect();
    assert_eq!(json!(numbers), json!([1, 2, 3, 4, 5, 6]));
    // The state that an epoch began with is gone with the epochs before it.
    fs::remove_file(folder.join("checkpoint/commits/0")).unwrap();
    let gone = fails(2, folder, replay(&["1"]));
    assert!(gone.contains("the state that it began with is gone"), "{gone}");
}

#[test]
fn a_version_that_is_not_what_it_says_it_is_is_found_out_when_an_epoch_runs_again() {
    let dir = counting("tally@1.0.0");
    let folder = dir.path();
    add_tally(folder, "1.0.0", &[("honesty: counts", "honesty: lies !")]);
    (0..3).for_each(|id| give(folder, id));
    ran(folder);
    let replay =
        |epoch| ["replay", "checkpoint", "--step", "said", "--registry", "registry", "--epoch", epoch];
    let found = fails(3, folder, replay("2"));
    assert!(found.contains("what step said puts out is not what it put out then"), "{found}");
}
