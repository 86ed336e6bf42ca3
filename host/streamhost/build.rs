//! Embeds the SDKs and their templates of plugins, so that `streamhost new` needs nothing but the binary.

use std::{
    env,
    fmt::Write,
    fs, io,
    path::{Path, PathBuf},
};

/// The folder of each SDK.
const SDKS: [&str; 5] = ["rust", "go", "js", "python", "c"];
/// Folders in which builds and tests leave things.
const MADE: [&str; 4] = ["target", "dist", "node_modules", "__pycache__"];
/// Folders with what tests an SDK, which is no part of a plugin's copy of it.
const TESTS: [&str; 4] = ["test", "tests", "testdata", "conformance"];

fn main() -> io::Result<()> {
    let sdks = directory("CARGO_MANIFEST_DIR")?.join("../../plugins/sdk");
    let mut code = String::from("static SDKS: &[(&str, Files)] = &[\n");
    for name in SDKS {
        let sdk = sdks.join(name);
        if !sdk.exists() {
            continue;
        }
        println!("cargo::rerun-if-changed={}", sdk.display());
        let mut files = Vec::new();
        walk(&sdk, true, &mut files)?;
        files.sort();
        let _ = writeln!(code, "    ({name:?}, &[");
        for file in files {
            let path = file.strip_prefix(&sdk).map_err(io::Error::other)?;
            // The link to the contract is followed: a copy of the SDK stands alone.
            let _ = writeln!(code, "        ({path:?}, include_bytes!({:?})),", file.canonicalize()?);
        }
        code.push_str("    ]),\n");
    }
    code.push_str("];\n");
    fs::write(directory("OUT_DIR")?.join("sdk.rs"), code)
}

/// A directory that cargo tells by an environment variable.
fn directory(variable: &str) -> io::Result<PathBuf> {
    env::var_os(variable).map(PathBuf::from).ok_or_else(|| io::Error::other(variable.to_owned()))
}

/// The files in a folder that belong to a plugin; of the SDK, or of a template, whose tests are the plugin's.
fn walk(folder: &Path, of_sdk: bool, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if is_made(&path, &name) || (of_sdk && is_test(&name)) {
            continue;
        } else if path.is_dir() {
            walk(&path, of_sdk && !name.starts_with("template"), files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

fn is_made(path: &Path, name: &str) -> bool {
    if path.is_dir() {
        return MADE.contains(&name) || name.starts_with('.') || path.join("CMakeCache.txt").exists();
    }
    name == "Cargo.lock" || name.ends_with(".pyc") || name.ends_with(".wasm")
}

fn is_test(name: &str) -> bool {
    TESTS.contains(&name) || name.ends_with("_test.go")
}
