//! Components that were built once, for each version of the contract: every later host runs them.

use crate::binary::{root, run, text, write};
use std::{
    fs,
    path::{Path, PathBuf},
};

fn folders(of: &Path) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> = fs::read_dir(of).unwrap().map(|entry| entry.unwrap().path()).collect();
    all.retain(|path| path.is_dir());
    all.sort();
    all
}

#[test]
fn components_of_every_version_of_the_contract_and_of_every_kind_run() {
    for version in folders(&root().join("tests/compat")) {
        let kinds = folders(&version);
        let names: Vec<_> = kinds.iter().map(|kind| kind.file_name().unwrap().to_string_lossy()).collect();
        assert_eq!(names, ["batch-sink", "filter", "function", "keyed", "map", "transform"]);
        for kind in kinds {
            runs(&kind);
        }
    }
}

/// In the folder of a plugin whose source has nothing newer, the component is run as it is.
fn runs(kind: &Path) {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path().join("CMakeLists.txt"), "project(kept)\n");
    write(folder.path().join("tests/case.toml"), fs::read(kind.join("case.toml")).unwrap());
    write(folder.path().join("kept.wasm"), fs::read(kind.join("component.wasm")).unwrap());
    let output = run(folder.path(), ["test", "."]);
    let said = text(&output.stdout) + &text(&output.stderr);
    assert!(output.status.success() && said.ends_with("1 passed, 0 failed\n"), "{}: {said}", kind.display());
}
