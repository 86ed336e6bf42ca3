//! Embeds the SDKs and their templates of plugins, so that `streamhost new` needs nothing but the binary.

use std::{
    env,
    fmt::Write,
    fs, io,
    path::{Path, PathBuf},
};

/// The folder of each SDK.
const SDKS: [&str; 5] = ["rust", "go", "js", "python", "c"];
/// Folders in which builds and tests leave things, and plugins that only this checkout tests.
const LEFT_OUT: [&str; 6] = ["target", "dist", "node_modules", "__pycache__", "conformance", "bench"];

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
        walk(&sdk, &mut files)?;
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

fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            let built = path.join("CMakeCache.txt").exists();
            if !built && !LEFT_OUT.contains(&name.as_str()) && !name.starts_with('.') {
                walk(&path, files)?;
            }
        } else if name != "Cargo.lock" && !name.ends_with(".pyc") && !name.ends_with(".wasm") {
            files.push(path);
        }
    }
    Ok(())
}
