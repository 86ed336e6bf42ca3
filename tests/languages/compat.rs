//! Components that were built once, for each version of the contract: every later host runs them. What is small is stored, in an
//! archive a language; what the others would be is built for `new` from the templates, with the same cases.

use crate::binary::{root, run, text, write};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

const KINDS: [&str; 6] = ["batch-sink", "filter", "function", "keyed", "map", "transform"];

/// An archive's language, and the kinds in it.
type Archive = (&'static str, &'static [&'static str]);

/// What is stored of each version.
const STORED: [(&str, &[Archive]); 1] =
    [("0.9.0", &[("c", &KINDS), ("go", &["keyed"]), ("js", &["keyed"]), ("rust", &KINDS)])];

fn files(of: &Path, extension: &str) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> = fs::read_dir(of).unwrap().map(|entry| entry.unwrap().path()).collect();
    all.retain(|path| path.to_string_lossy().ends_with(extension));
    all.sort();
    all
}

fn stems(paths: &[PathBuf], extension: &str) -> Vec<String> {
    let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
    paths.iter().map(|path| name(path).trim_end_matches(extension).to_owned()).collect()
}

#[test]
fn components_of_every_version_of_the_contract_run() {
    let versions = files(&root().join("tests/compat"), "");
    assert_eq!(stems(&versions, ""), STORED.map(|(version, _)| version));
    for (version, (_, languages)) in versions.iter().zip(STORED) {
        let archives = files(version, ".tar.zst");
        let stored: Vec<&str> = languages.iter().map(|(language, _)| *language).collect();
        assert_eq!(stems(&archives, ".tar.zst"), stored);
        for (archive, (_, kinds)) in archives.iter().zip(languages) {
            let unpacked = unpacked(archive);
            let components = files(unpacked.path(), ".wasm");
            assert_eq!(stems(&components, ".wasm"), *kinds);
            for (component, kind) in components.iter().zip(*kinds) {
                runs(component, &version.join(format!("{kind}.toml")));
            }
        }
    }
}

fn unpacked(archive: &Path) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let tar = zstd::decode_all(fs::File::open(archive).unwrap()).unwrap();
    fs::write(folder.path().join("all.tar"), tar).unwrap();
    let status = Command::new("tar").args(["-xf", "all.tar"]).current_dir(folder.path()).status().unwrap();
    assert!(status.success(), "{}", archive.display());
    folder
}

/// In the folder of a plugin whose source has nothing newer, the component is run as it is.
fn runs(component: &Path, case: &Path) {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path().join("CMakeLists.txt"), "project(kept)\n");
    write(folder.path().join("tests/case.toml"), fs::read(case).unwrap());
    write(folder.path().join("kept.wasm"), fs::read(component).unwrap());
    let output = run(folder.path(), ["test", "."]);
    let said = text(&output.stdout) + &text(&output.stderr);
    assert!(
        output.status.success() && said.ends_with("1 passed, 0 failed\n"),
        "{}: {said}",
        component.display()
    );
}
