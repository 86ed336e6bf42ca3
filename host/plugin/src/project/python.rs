//! Python projects: a module of the SDK has componentize-py put them beside an interpreter.

use super::{
    Language, Project, kit,
    tool::{Tool, run},
};
use engine::{Error, Kind, Result, ResultExt};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The version of componentize-py that the SDK is written for.
const COMPONENTIZE: &str = "0.25.1";
/// Where the SDK is unless the manifest names another folder.
const SDK: &str = "vendor/streamhost-sdk";

pub(super) struct Python;

impl Language for Python {
    fn name(&self) -> &'static str {
        "Python"
    }

    fn manifest(&self) -> &'static str {
        "pyproject.toml"
    }

    fn tools(&self, _folder: &Path) -> Vec<Tool> {
        const REMEDY: &str = "install it with `apt-get install python3 python3-venv`";
        const VENV: &[&str] = &["-c", "import venv, ensurepip; print(ensurepip.__file__)"];
        vec![
            Tool::program("python3", &["--version"], (3, 11), REMEDY),
            Tool::found_by("python3", VENV, "python3's module venv", REMEDY),
        ]
    }

    fn brings(&self) -> Vec<String> {
        vec![format!("componentize-py {COMPONENTIZE}, with pip")]
    }

    fn plugin_name(&self, manifest: &str) -> Result<String> {
        let manifest = parse(manifest)?;
        let name = manifest.get("project").and_then(|project| project.get("name")?.as_str());
        Ok(name.ok_or_else(|| Error::invalid("it has no project.name"))?.to_owned())
    }

    fn sources(&self, project: &Project) -> Vec<PathBuf> {
        project.with_sdk(sdk(project), ["streamhost", "wit"])
    }

    fn build(&self, project: &Project, tell: &dyn Fn(&str)) -> Result<Vec<u8>> {
        let sdk = sdk(project)?;
        let tools =
            kit::installed(&project.work, &format!("python-{COMPONENTIZE}"), |dir| install(dir, tell))?;
        let build = |component: &Path| {
            let mut python = python(&tools);
            python.args(["-m", "streamhost.build"]).arg(project.absolute()).arg("-o").arg(component);
            python.env("PYTHONPATH", &sdk).env("PYTHONDONTWRITEBYTECODE", "1");
            python
        };
        project.output_of(build, tell)
    }
}

fn parse(manifest: &str) -> Result<toml::Table> {
    manifest.parse().doing(Kind::Invalid, || "it is no TOML")
}

/// Where the SDK is: the manifest may say so.
fn sdk(project: &Project) -> Result<PathBuf> {
    let path = project.folder.join("pyproject.toml");
    let text = fs::read_to_string(&path).doing(Kind::Invalid, || format!("reading {}", path.display()))?;
    let manifest = parse(&text)?;
    let named = manifest.get("tool").and_then(|tool| tool.get("streamhost")?.get("sdk")?.as_str());
    project.sdk(named.unwrap_or(SDK), "streamhost/py.typed")
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
    let package = format!("componentize-py=={COMPONENTIZE}");
    tell(&format!("installing {package} with pip"));
    let mut venv = Command::new("python3");
    venv.args(["-m", "venv"]).arg(dir).env_remove("VIRTUAL_ENV");
    run(venv, tell).map_err(|e| {
        e.while_doing("making an environment for Python's tools; this needs `apt-get install python3-venv`")
    })?;
    let mut pip = python(dir);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", &package]);
    run(pip, tell).map_err(|e| e.while_doing("what Python is built with comes from its package index"))
}
