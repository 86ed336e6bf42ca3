//! Runs the real binary, built once from this checkout.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::OnceLock,
};

/// The root of the checkout.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// The binary, built if it is not up to date.
pub(crate) fn streamhost() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let mut build = Command::new(env!("CARGO"));
        // Of the whole workspace and with a test: so that its dependencies have the features that this test's have, and none is
        // built a second time.
        build
            .args(["build", "--quiet", "--workspace", "--bin", "streamhost", "--test", "all"])
            .current_dir(root());
        // What cargo says of this package to its tests would make build scripts of dependencies run anew, and all above them.
        let of_this = |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
        for (name, _) in std::env::vars().filter(|(name, _)| of_this(name)) {
            build.env_remove(name);
        }
        assert!(build.status().unwrap().success(), "cannot build streamhost");
        // This test is in <target>/<profile>/deps.
        let profile = std::env::current_exe().unwrap().parent().unwrap().parent().unwrap().to_owned();
        profile.join("streamhost")
    })
}

/// The component of a ready-made plugin, built if it is stale.
pub(crate) fn plugin(name: &str) -> PathBuf {
    built(&root().join("plugins").join(name))
}

/// The component of the plugin in a folder, built if it is stale.
pub(crate) fn built(folder: &Path) -> PathBuf {
    let built = ok(root(), ["build".as_ref(), folder.as_os_str()]);
    root().join(built.trim())
}

/// A command that runs the binary in a directory.
pub(crate) fn command<A: AsRef<OsStr>>(
    folder: impl AsRef<Path>,
    args: impl IntoIterator<Item = A>,
) -> Command {
    let mut command = Command::new(streamhost());
    command.current_dir(folder).args(args).stdin(Stdio::null());
    command
}

/// Runs the binary to its end.
pub(crate) fn run<A: AsRef<OsStr>>(folder: impl AsRef<Path>, args: impl IntoIterator<Item = A>) -> Output {
    command(folder, args).output().unwrap()
}

/// Runs the binary, which must succeed; answers what it wrote to standard output.
#[track_caller]
pub(crate) fn ok<A: AsRef<OsStr>>(folder: impl AsRef<Path>, args: impl IntoIterator<Item = A>) -> String {
    let output = run(folder, args);
    assert!(output.status.success(), "{}\n{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

/// Runs the binary, which must fail with this exit code; answers what it wrote to standard error.
#[track_caller]
pub(crate) fn fails<A: AsRef<OsStr>>(
    code: i32,
    folder: impl AsRef<Path>,
    args: impl IntoIterator<Item = A>,
) -> String {
    let output = run(folder, args);
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{}\n{stderr}", text(&output.stdout));
    stderr
}

/// Bytes as text.
pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A process that is killed when the test ends, however it ends.
pub(crate) struct Running(pub(crate) Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The lines of all JSON files of a folder, sorted.
pub(crate) fn json_lines(folder: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|of| of == "json") {
            lines.extend(fs::read_to_string(path).unwrap().lines().map(str::to_owned));
        }
    }
    lines.sort();
    lines
}

/// Writes a file, and the directories above it.
pub(crate) fn write(path: impl AsRef<Path>, text: impl AsRef<[u8]>) {
    let path = path.as_ref();
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// Copies a directory, without what an earlier run left in it.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    // In the order of names: who reads files by age sees them as a checkout has them.
    let mut entries: Vec<_> = fs::read_dir(from).unwrap().map(Result::unwrap).collect();
    entries.sort_by_key(|entry| entry.file_name());
    for entry in entries {
        let target = to.join(entry.file_name());
        if entry.file_name() == "data" {
            continue;
        } else if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
