//! A plugin given as the folder of its source: built when it is stale.

use engine::{Error, Kind, Result, ResultExt};
use std::{
    collections::VecDeque,
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::SystemTime,
};

/// What a plugin is compiled for.
const TARGET: &str = "wasm32-wasip2";
/// Lines of the compiler that an error shows: the last ones.
const LINES_SHOWN: usize = 40;

/// Builds the plugin in `folder`, a Rust crate, unless its component is newer than everything it is made from, the
/// SDK's source included. Answers where the component is: `<folder>/<name>.wasm`. `tell` is given each line that the
/// tools write meanwhile; what they make on the way stays in `target` under the folder.
///
/// Fails with kind `Invalid` if the folder is no crate, or does not compile; the error has the compiler's last lines.
pub fn build(folder: &Path, tell: &dyn Fn(&str)) -> Result<PathBuf> {
    build_in(folder, &folder.join("target"), tell)
}

/// As [`build`], with another place for what the tools make on the way.
pub fn build_in(folder: &Path, target_dir: &Path, tell: &dyn Fn(&str)) -> Result<PathBuf> {
    let project = Project::open(folder, target_dir)?;
    if project.is_stale() { project.build(tell) } else { Ok(project.component()) }
}

/// A folder with the Rust source of a plugin.
struct Project {
    folder: PathBuf,
    target_dir: PathBuf,
    name: String,
    library: String,
}

impl Project {
    fn open(folder: &Path, target_dir: &Path) -> Result<Self> {
        let manifest = folder.join("Cargo.toml");
        let text = fs::read_to_string(&manifest).doing(Kind::Invalid, || {
            format!(
                "{}: a plugin is a .wasm file, or a folder with the Cargo.toml of its source",
                folder.display()
            )
        })?;
        let manifest: toml::Table =
            text.parse().doing(Kind::Invalid, || format!("reading {}", manifest.display()))?;
        let name = text_at(&manifest, "package")
            .ok_or_else(|| Error::invalid(format!("{}/Cargo.toml has no package.name", folder.display())))?;
        let library = text_at(&manifest, "lib").unwrap_or(name);
        Ok(Project {
            folder: folder.to_owned(),
            target_dir: std::path::absolute(target_dir).unwrap_or_else(|_| target_dir.to_owned()),
            name: name.to_owned(),
            library: library.replace('-', "_"),
        })
    }

    /// Where the component is, or will be.
    fn component(&self) -> PathBuf {
        self.folder.join(format!("{}.wasm", self.name))
    }

    fn build(&self, tell: &dyn Fn(&str)) -> Result<PathBuf> {
        self.install_target(tell)?;
        let mut cargo = Command::new("cargo");
        // From the plugin's own folder, so that its toolchain file and its flags for the compiler count.
        cargo.args(["build", "--release", "--target", TARGET]).current_dir(&self.folder);
        cargo.arg("--target-dir").arg(&self.target_dir);
        run(cargo, tell)
            .map_err(|e| e.while_doing(format!("building the plugin in {}", self.folder.display())))?;
        let made = self.made("wasm");
        let component = self.component();
        // Whoever loads the plugin meanwhile finds the old component or the new one, whole.
        let unfinished = component.with_extension(format!("{}.wasm", std::process::id()));
        fs::copy(&made, &unfinished).and_then(|_| fs::rename(&unfinished, &component)).doing(
            Kind::Unavailable,
            || {
                format!(
                    "copying {} to {}: does Cargo.toml say `crate-type = [\"cdylib\"]` under [lib]?",
                    made.display(),
                    component.display()
                )
            },
        )?;
        Ok(component)
    }

    /// Where cargo puts what it made of the library.
    fn made(&self, extension: &str) -> PathBuf {
        self.target_dir.join(TARGET).join("release").join(&self.library).with_extension(extension)
    }

    /// Cargo writes beside what it makes the list of the local files that went into it; when in doubt it is stale.
    fn is_stale(&self) -> bool {
        let Some(built) = modified(&self.component()) else { return true };
        let Ok(list) = fs::read_to_string(self.made("d")) else { return true };
        let settings = self.settings();
        let settings = settings.iter().filter(|file| file.exists());
        sources(&list).iter().chain(settings).any(|file| modified(file).is_none_or(|at| at > built))
    }

    /// Where there may be files that say how it is built. cargo and rustup look for theirs in the folders above too.
    fn settings(&self) -> Vec<PathBuf> {
        const ABOVE: [&str; 4] =
            [".cargo/config.toml", ".cargo/config", "rust-toolchain.toml", "rust-toolchain"];
        let folder = std::path::absolute(&self.folder).unwrap_or_else(|_| self.folder.clone());
        let above = folder.ancestors().flat_map(|folder| ABOVE.map(|name| folder.join(name)));
        ["Cargo.toml", "Cargo.lock"].map(|name| folder.join(name)).into_iter().chain(above).collect()
    }

    fn install_target(&self, tell: &dyn Fn(&str)) -> Result<()> {
        let mut rustc = Command::new("rustc");
        rustc.args(["--print", "target-libdir", "--target", TARGET]).current_dir(&self.folder);
        let said =
            rustc.output().doing(Kind::Invalid, || "asking rustc for its targets: is Rust installed?")?;
        let libraries = String::from_utf8_lossy(&said.stdout).trim().to_owned();
        if said.status.success() && Path::new(&libraries).exists() {
            return Ok(());
        }
        tell(&format!("installing Rust's target {TARGET}"));
        let mut rustup = Command::new("rustup");
        rustup.args(["target", "add", TARGET]).current_dir(&self.folder);
        run(rustup, tell).map_err(|e| {
            e.while_doing(format!(
                "plugins are compiled for {TARGET}; install it with `rustup target add {TARGET}`"
            ))
        })
    }
}

fn text_at<'a>(manifest: &'a toml::Table, table: &str) -> Option<&'a str> {
    manifest.get(table)?.get("name")?.as_str()
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|facts| facts.modified()).ok()
}

/// The files on the right of a makefile rule, as cargo writes it: spaces in names have a backslash before them.
fn sources(list: &str) -> Vec<PathBuf> {
    let rule = list.lines().next().and_then(|line| line.split_once(": ")).map_or("", |(_, right)| right);
    let split = rule.replace("\\ ", "\0");
    split.split(' ').filter(|name| !name.is_empty()).map(|name| name.replace('\0', " ").into()).collect()
}

/// Runs a tool to its end; the error has the last lines that it wrote.
fn run(mut command: Command, tell: &dyn Fn(&str)) -> Result<()> {
    let tool = command.get_program().display().to_string();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .doing(Kind::Invalid, || format!("starting {tool}: is it installed?"))?;
    let mut last = VecDeque::new();
    for line in
        child.stderr.take().map(BufReader::new).into_iter().flat_map(BufRead::lines).map_while(Result::ok)
    {
        tell(&line);
        last.push_back(line);
        if last.len() > LINES_SHOWN {
            last.pop_front();
        }
    }
    let status = child.wait().doing(Kind::Unavailable, || format!("waiting for {tool}"))?;
    if status.success() {
        return Ok(());
    }
    Err(Error::invalid(format!("{tool} failed:\n{}", Vec::from(last).join("\n"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_of_cargo_lists_the_sources() {
        let list = "/t/a.wasm: /p/src/lib.rs /my\\ sdk/src/lib.rs\n\n/p/src/lib.rs:\n";
        assert_eq!(sources(list), [PathBuf::from("/p/src/lib.rs"), PathBuf::from("/my sdk/src/lib.rs")]);
    }

    #[test]
    fn a_folder_without_a_manifest_is_no_project() {
        let folder = tempfile::tempdir().unwrap();
        let error = Project::open(folder.path(), folder.path()).err().unwrap();
        assert!(error.report().contains("Cargo.toml"), "{}", error.report());
    }

    #[test]
    fn a_component_is_stale_until_built_and_when_what_it_is_made_from_is_newer() {
        let above = tempfile::tempdir().unwrap();
        let folder = above.path().join("my-filter");
        let at = |name: &str| folder.join(name);
        fs::create_dir_all(at(".cargo")).unwrap();
        fs::write(at("Cargo.toml"), "[package]\nname = \"my-filter\"").unwrap();
        let project = Project::open(&folder, &folder).unwrap();
        assert!(project.is_stale());
        fs::create_dir_all(project.made("d").parent().unwrap()).unwrap();
        fs::write(project.made("d"), format!("x: {}\n", at("lib.rs").display())).unwrap();
        fs::write(at("my-filter.wasm"), "").unwrap();
        let touch = |name: &str, seconds| {
            let time = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
            let file = fs::File::options().create(true).append(true).open(at(name)).unwrap();
            file.set_modified(time).unwrap();
        };
        for name in ["lib.rs", "Cargo.lock", ".cargo/config.toml", "rust-toolchain.toml", "../rust-toolchain"]
        {
            touch(name, 0);
            assert!(!project.is_stale(), "{name} is older");
            touch(name, 1 << 40);
            assert!(project.is_stale(), "{name} is newer");
            touch(name, 0);
        }
    }
}
