//! Python projects: a module of the SDK has componentize-py put them beside an interpreter.

use super::{
    Language, Project, kit,
    sources::newer,
    tool::{Tool, run},
};
use engine::{Error, Kind, Result, ResultExt};
use semver::Version;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// What makes the component, and the version of it that the SDK is written for.
const COMPONENTIZE: &str = "componentize-py==0.25.1";
/// Where `streamhost new` puts the SDK.
const VENDORED: &str = "vendor/streamhost-sdk";

pub(super) struct Python;

impl Language for Python {
    fn name(&self) -> &'static str {
        "Python"
    }

    fn manifest(&self) -> &'static str {
        "pyproject.toml"
    }

    fn tools(&self) -> &'static [Tool] {
        const TOOLS: &[Tool] = &[Tool {
            program: "python3",
            ask: &["--version"],
            least: Version::new(3, 11, 0),
            below: None,
            remedy: "install it with `apt-get install python3 python3-venv`",
        }];
        TOOLS
    }

    fn brings(&self) -> &'static [&'static str] {
        &["componentize-py 0.25.1, with pip"]
    }

    fn plugin_name(&self, manifest: &str) -> Result<String> {
        let manifest: toml::Table = manifest.parse().doing(Kind::Invalid, || "it is no TOML")?;
        let name = manifest.get("project").and_then(|project| project.get("name")?.as_str());
        Ok(name.ok_or_else(|| Error::invalid("it has no project.name"))?.to_owned())
    }

    fn is_stale(&self, project: &Project) -> bool {
        let sdk = sdk(project).ok().map(|sdk| ["streamhost", "wit"].map(|name| sdk.join(name)));
        let roots: Vec<PathBuf> = sdk.into_iter().flatten().chain([project.absolute()]).collect();
        newer(&roots, &project.component())
    }

    fn build(&self, project: &Project, tell: &dyn Fn(&str)) -> Result<Vec<u8>> {
        let sdk = sdk(project)?;
        let tools = kit::installed(&project.work, "python-0.25.1", |dir| install(dir, tell))?;
        let scratch = project.scratch()?;
        let component = scratch.0.join("component.wasm");
        let mut python = python(&tools);
        python.args(["-m", "streamhost.build"]).arg(project.absolute()).arg("-o").arg(&component);
        python.env("PYTHONPATH", &sdk).env("PYTHONDONTWRITEBYTECODE", "1").current_dir(&project.folder);
        run(python, tell)?;
        fs::read(&component).doing(Kind::Unavailable, || "reading what componentize-py has made")
    }
}

/// The interpreter of an environment that is not the caller's.
fn python(tools: &Path) -> Command {
    let mut python = Command::new(tools.join("bin/python"));
    for of_another in ["VIRTUAL_ENV", "PYTHONHOME", "PYTHONSTARTUP"] {
        python.env_remove(of_another);
    }
    python
}

fn install(dir: &Path, tell: &dyn Fn(&str)) -> Result<()> {
    tell(&format!("installing {COMPONENTIZE} with pip"));
    let mut venv = Command::new("python3");
    venv.args(["-m", "venv"]).arg(dir).env_remove("VIRTUAL_ENV");
    run(venv, tell).map_err(|e| {
        e.while_doing("making an environment for Python's tools; this needs `apt-get install python3-venv`")
    })?;
    let mut pip = python(dir);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", COMPONENTIZE]);
    run(pip, tell).map_err(|e| e.while_doing("what Python is built with comes from its package index"))
}

/// Where the SDK is: in the folder, as `new` puts it there, or above it, as in its own checkout.
fn sdk(project: &Project) -> Result<PathBuf> {
    let folder = project.absolute();
    let above = folder.ancestors().skip(1).map(Path::to_owned);
    let found =
        [folder.join(VENDORED)].into_iter().chain(above).find(|sdk| sdk.join("streamhost/py.typed").exists());
    found.ok_or_else(|| {
        Error::invalid(format!(
            "there is no SDK in {VENDORED}; `streamhost new plugin --lang python` puts it there"
        ))
    })
}
