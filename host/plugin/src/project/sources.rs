//! What a component is made of, by the times of files.

use std::{
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

/// Folders that builds, tests and version managers fill.
const NOT_SOURCE: [&str; 5] = ["target", "dist", "node_modules", "__pycache__", "tests"];

pub(super) fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|facts| facts.modified()).ok()
}

/// Whether any of these files, or anything below these folders, is newer than the file `made`. When in doubt it is, as of files of the
/// same time: the clock of a file system is coarse.
pub(super) fn newer(roots: &[PathBuf], made: &Path) -> bool {
    let Some(made) = modified(made) else { return true };
    roots.iter().any(|root| if root.is_dir() { any_newer(root, made) } else { is_newer(root, made) })
}

fn is_newer(file: &Path, than: SystemTime) -> bool {
    modified(file).is_none_or(|at| at >= than)
}

fn any_newer(folder: &Path, than: SystemTime) -> bool {
    let Ok(entries) = fs::read_dir(folder) else { return true };
    entries.filter_map(Result::ok).filter(|entry| is_source(&entry.file_name().to_string_lossy())).any(
        |entry| {
            let path = entry.path();
            if path.is_dir() { !is_built(&path) && any_newer(&path, than) } else { is_newer(&path, than) }
        },
    )
}

/// CMake says so of the folder it builds in, whatever that is called.
fn is_built(folder: &Path) -> bool {
    folder.join("CMakeCache.txt").exists()
}

/// The same of a path, by all of its parts.
pub(super) fn is_source_path(path: &Path) -> bool {
    path.iter().all(|part| is_source(&part.to_string_lossy()))
}

fn is_source(name: &str) -> bool {
    !name.starts_with('.')
        && !name.ends_with(".wasm")
        && !name.ends_with(".md")
        && !NOT_SOURCE.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_component_is_stale_until_built_and_when_a_source_is_newer() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let touch = |name: &str, seconds| {
            fs::create_dir_all(at(name).parent().unwrap()).unwrap();
            let file = fs::File::options().create(true).append(true).open(at(name)).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)).unwrap();
        };
        let stale = || newer(&[dir.path().to_owned()], &at("p.wasm"));
        assert!(stale(), "there is none");
        touch("p.wasm", 100);
        for name in ["go.mod", "src/deep/plugin.go", "vendor/streamhost-sdk/kernels.wat"] {
            touch(name, 99);
            assert!(!stale(), "{name} is older");
            for seconds in [100, 101] {
                touch(name, seconds);
                assert!(stale(), "{name} may be newer");
            }
            touch(name, 99);
        }
        for name in [
            "README.md",
            "other.wasm",
            ".git/index",
            "node_modules/a/index.js",
            "tests/basic.toml",
            "build/CMakeCache.txt",
        ] {
            touch(name, 101);
            assert!(!stale(), "{name} is not in it");
        }
    }
}
