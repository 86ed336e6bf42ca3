//! Components that were built once, for each version of the contract: every later host runs them. What is small is stored, in an
//! archive a language; what the others would be is built for `new` from the templates, with the same cases.

use crate::binary::{root, run, text, write};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

const KINDS: [&str; 6] = ["batch-sink", "filter", "function", "keyed", "map", "transform"];

/// Of the version 0.9.0, by archive.
const STORED: [(&str, &[&str]); 3] = [("c", &KINDS), ("js", &["keyed"]), ("rust", &KINDS)];

fn files(of: &Path, extension: &str) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> = fs::read_dir(of).unwrap().map(|entry| entry.unwrap().path()).collect();
    all.retain(|path| path.to_string_lossy().ends_with(extension));
    all.sort();
    all
}

fn stem(path: &Path, extension: &str) -> String {
    path.file_name().unwrap().to_string_lossy().trim_end_matches(extension).to_owned()
}

#[test]
fn components_of_every_version_of_the_contract_run() {
    for version in files(&root().join("tests/compat"), "") {
        let archives = files(&version, ".tar.zst");
        let languages: Vec<String> = archives.iter().map(|archive| stem(archive, ".tar.zst")).collect();
        assert_eq!(languages, STORED.map(|(language, _)| language));
        for (archive, (_, kinds)) in archives.iter().zip(STORED) {
            let unpacked = unpacked(archive);
            let components = files(unpacked.path(), ".wasm");
            let stored: Vec<String> = components.iter().map(|component| stem(component, ".wasm")).collect();
            assert_eq!(stored, kinds);
            for (component, kind) in components.iter().zip(stored) {
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
