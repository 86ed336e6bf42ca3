//! Embeds the Rust SDK and the template of a plugin, so that `streamhost new` needs nothing but the binary.

use std::{
    env,
    fmt::Write,
    fs, io,
    path::{Path, PathBuf},
};

fn main() -> io::Result<()> {
    let sdk = directory("CARGO_MANIFEST_DIR")?.join("../../plugins/sdk/rust");
    println!("cargo::rerun-if-changed={}", sdk.display());
    let mut files = Vec::new();
    walk(&sdk, &mut files)?;
    files.sort();
    let mut code = String::from("pub(crate) static FILES: &[(&str, &str)] = &[\n");
    for file in files {
        let name = file.strip_prefix(&sdk).map_err(io::Error::other)?;
        // The link to the contract is followed: a copy of the SDK stands alone.
        let _ = writeln!(code, "    ({name:?}, include_str!({:?})),", file.canonicalize()?);
    }
    code.push_str("];\n");
    fs::write(directory("OUT_DIR")?.join("sdk.rs"), code)
}

/// A directory that cargo tells by an environment variable.
fn directory(variable: &str) -> io::Result<PathBuf> {
    env::var_os(variable).map(PathBuf::from).ok_or_else(|| io::Error::other(variable.to_owned()))
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default();
        if path.is_dir() {
            if name != "target" {
                walk(&path, files)?;
            }
        } else if name != "Cargo.lock" {
            files.push(path);
        }
    }
    Ok(())
}
