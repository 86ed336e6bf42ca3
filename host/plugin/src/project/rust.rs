//! Crates: cargo makes the component.

use super::{
    Language, Project,
    tool::{Tool, run},
};
use engine::{Error, Kind, Result, ResultExt};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// What a plugin is compiled for.
const TARGET: &str = "wasm32-wasip2";

const VERSION: &[&str] = &["--version"];
const REMEDY: &str = "install Rust with rustup, or bring it up to date with `rustup update`";
/// What rustup brings when it is not there.
const LIBRARIES: Tool =
    Tool::found_by("rustc", &["--print", "target-libdir", "--target", TARGET], TARGET, REMEDY);

pub(super) struct Rust;

impl Language for Rust {
    fn name(&self) -> &'static str {
        "Rust"
    }

    fn manifest(&self) -> &'static str {
        "Cargo.toml"
    }

    fn tools(&self, folder: &Path) -> Vec<Tool> {
        let mut tools = vec![
            Tool::program("cargo", VERSION, (1, 85), REMEDY),
            Tool::program("rustc", VERSION, (1, 85), REMEDY),
        ];
        if LIBRARIES.find(folder).is_err() {
            tools.push(Tool::program("rustup", VERSION, (1, 20), REMEDY));
        }
        tools
    }

    fn brings(&self) -> Vec<String> {
        vec![format!("the target {TARGET}, with rustup")]
    }

    fn plugin_name(&self, manifest: &str) -> Result<String> {
        let manifest = parse(manifest)?;
        let name = text_at(&manifest, "package").ok_or_else(|| Error::invalid("it has no package.name"))?;
        Ok(name.to_owned())
    }

    /// Cargo writes beside what it makes the list of the local files that went into it.
    fn sources(&self, project: &Project) -> Vec<PathBuf> {
        let path = made(project, "d");
        let Ok(list) = fs::read_to_string(&path) else { return vec![path] };
        let settings = settings(project).into_iter().filter(|file| file.exists());
        listed(&list).into_iter().chain(settings).collect()
    }

    fn build(&self, project: &Project, tell: &dyn Fn(&str)) -> Result<Vec<u8>> {
        install_target(&project.folder, tell)?;
        let mut cargo = Command::new("cargo");
        // From the plugin's own folder, so that its toolchain file and its flags for the compiler count.
        cargo.args(["build", "--release", "--target", TARGET]).current_dir(&project.folder);
        cargo.arg("--target-dir").arg(&project.work).arg("--config").arg(short_names(project));
        run(cargo, tell)?;
        let made = made(project, "wasm");
        fs::read(&made).doing(Kind::Unavailable, || {
            format!(
                "reading {}: does Cargo.toml say `crate-type = [\"cdylib\"]` under [lib]?",
                made.display()
            )
        })
    }
}

/// The setting that gives short names to the files whose names a panic has in its message; those of the project's own have short ones.
///
/// Cargo takes flags from one place of several and puts there together what it finds and what it is given. If the project has flags for
/// the target, these join them; otherwise they are where every other place comes before. They are the same for all projects, so that
/// the SDK is compiled once.
fn short_names(project: &Project) -> String {
    let home = std::env::home_dir().filter(|home| home.parent().is_some());
    // The last one that fits counts.
    let names = [(home, "~"), (cargo_home(), "cargo"), (Some(project.work.clone()), "target")];
    let flags = names.into_iter().filter_map(|(path, name)| {
        Some(toml::Value::from(format!("--remap-path-prefix={}={name}", path?.to_str()?)))
    });
    let place = if has_flags_for_target(project) { &format!("target.{TARGET}") } else { "build" };
    format!("{place}.rustflags={}", toml::Value::Array(flags.collect()))
}

fn has_flags_for_target(project: &Project) -> bool {
    let texts = settings(project).into_iter().filter_map(|file| fs::read_to_string(file).ok());
    texts.filter_map(|text| parse(&text).ok()).any(|settings| {
        let flags = settings.get("target").and_then(|targets| targets.get(TARGET)?.get("rustflags"));
        flags.is_some()
    })
}

fn cargo_home() -> Option<PathBuf> {
    let set = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    set.or_else(|| Some(std::env::home_dir()?.join(".cargo")))
}

/// Where cargo puts what it makes of the library.
fn made(project: &Project, extension: &str) -> PathBuf {
    let manifest = fs::read_to_string(project.folder.join("Cargo.toml")).ok();
    let manifest = manifest.and_then(|text| parse(&text).ok());
    let library = manifest.as_ref().and_then(|manifest| text_at(manifest, "lib")).unwrap_or(&project.name);
    project.work.join(TARGET).join("release").join(library.replace('-', "_")).with_extension(extension)
}

fn parse(manifest: &str) -> Result<toml::Table> {
    manifest.parse().doing(Kind::Invalid, || "it is no TOML")
}

/// Where there may be files that say how it is built. cargo and rustup look for theirs in the folders above and at home too.
fn settings(project: &Project) -> Vec<PathBuf> {
    const ABOVE: [&str; 4] = [".cargo/config.toml", ".cargo/config", "rust-toolchain.toml", "rust-toolchain"];
    let folder = project.absolute();
    let above = folder.ancestors().flat_map(|folder| ABOVE.map(|name| folder.join(name)));
    let home = cargo_home().map(|home| home.join("config.toml"));
    ["Cargo.toml", "Cargo.lock"].map(|name| folder.join(name)).into_iter().chain(above).chain(home).collect()
}

fn install_target(folder: &Path, tell: &dyn Fn(&str)) -> Result<()> {
    if LIBRARIES.find(folder).is_ok() {
        return Ok(());
    }
    tell(&format!("installing Rust's target {TARGET}"));
    let mut rustup = Command::new("rustup");
    rustup.args(["target", "add", TARGET]).current_dir(folder);
    run(rustup, tell).map_err(|e| {
        e.while_doing(format!(
            "plugins are compiled for {TARGET}; install it with `rustup target add {TARGET}`"
        ))
    })
}

fn text_at<'a>(manifest: &'a toml::Table, table: &str) -> Option<&'a str> {
    manifest.get(table)?.get("name")?.as_str()
}

/// The files on the right of a makefile rule, as cargo writes it: spaces in names have a backslash before them.
fn listed(list: &str) -> Vec<PathBuf> {
    let rule = list.lines().next().and_then(|line| line.split_once(": ")).map_or("", |(_, right)| right);
    let split = rule.replace("\\ ", "\0");
    split.split(' ').filter(|name| !name.is_empty()).map(|name| name.replace('\0', " ").into()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::SystemTime;

    #[test]
    fn short_names_join_the_flags_that_a_project_has_for_the_target_and_yield_to_all_others() {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join(".cargo/config.toml");
        fs::create_dir(folder.path().join(".cargo")).unwrap();
        fs::write(folder.path().join("Cargo.toml"), "[package]\nname = \"p\"").unwrap();
        let project = Project::open(folder.path(), &folder.path().join("a \"work\"")).unwrap();
        for (text, place) in [
            ("[build]\nrustflags = []", "build"),
            ("[target.x86_64-unknown-linux-gnu]\nrustflags = []", "build"),
            ("[target.wasm32-wasip2]\nrustflags = []", "target.wasm32-wasip2"),
        ] {
            fs::write(&config, text).unwrap();
            let setting: toml::Table = short_names(&project).parse().unwrap();
            let place = place.split('.').fold(&toml::Value::Table(setting), |at, name| &at[name]).clone();
            let flags = place["rustflags"].as_array().unwrap().clone();
            let last = flags.last().and_then(toml::Value::as_str).unwrap();
            assert!(last.ends_with("/a \"work\"=target"), "{last}");
        }
    }

    #[test]
    fn a_rule_of_cargo_lists_the_sources() {
        let list = "/t/a.wasm: /p/src/lib.rs /my\\ sdk/src/lib.rs\n\n/p/src/lib.rs:\n";
        assert_eq!(listed(list), [PathBuf::from("/p/src/lib.rs"), PathBuf::from("/my sdk/src/lib.rs")]);
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
        fs::create_dir_all(made(&project, "d").parent().unwrap()).unwrap();
        fs::write(made(&project, "d"), format!("x: {}\n", at("lib.rs").display())).unwrap();
        fs::write(at("my-filter.wasm"), "").unwrap();
        let touch = |name: &str, seconds| {
            let time = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
            let file = fs::File::options().create(true).append(true).open(at(name)).unwrap();
            file.set_modified(time).unwrap();
        };
        touch("Cargo.toml", 0);
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
