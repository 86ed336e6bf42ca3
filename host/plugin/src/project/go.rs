//! Go modules: Go's own compiler makes a module for WASI's first preview, which is wrapped here.

use super::{
    Language, Project, component,
    sources::newer,
    tool::{Tool, run},
};
use engine::{Error, Kind, Result, ResultExt};
use semver::Version;
use std::{fs, path::PathBuf, process::Command};

pub(super) struct Go;

impl Language for Go {
    fn name(&self) -> &'static str {
        "Go"
    }

    fn manifest(&self) -> &'static str {
        "go.mod"
    }

    fn tools(&self) -> &'static [Tool] {
        const TOOLS: &[Tool] = &[Tool {
            program: "go",
            ask: &["version"],
            least: Version::new(1, 26, 0),
            below: None,
            remedy: "install it with `apt-get install golang`, or as the language's own site says",
        }];
        TOOLS
    }

    fn plugin_name(&self, manifest: &str) -> Result<String> {
        let module = manifest.lines().find_map(|line| line.trim().strip_prefix("module "));
        let module = module.ok_or_else(|| Error::invalid("it has no line `module`"))?;
        let module = module.split("//").next().unwrap_or_default().trim().trim_matches('"');
        Ok(module.rsplit('/').next().unwrap_or_default().to_owned())
    }

    fn is_stale(&self, project: &Project) -> bool {
        newer(&roots(project), &project.component())
    }

    fn build(&self, project: &Project, tell: &dyn Fn(&str)) -> Result<Vec<u8>> {
        let scratch = project.scratch()?;
        let module = scratch.0.join("module.wasm");
        let mut go = Command::new("go");
        go.args(["build", "-buildmode=c-shared", "-trimpath", "-buildvcs=false"]);
        // Symbols are a third of its size.
        go.arg("-ldflags=-s -w").arg("-o").arg(&module).arg(".");
        go.env("GOOS", "wasip1").env("GOARCH", "wasm").env("CGO_ENABLED", "0");
        go.current_dir(&project.folder);
        run(go, tell)?;
        component::of_module(
            &fs::read(&module).doing(Kind::Unavailable, || "reading what go has made")?,
            None,
        )
    }
}

/// The module's folder and those that it is built with instead of what a proxy has.
fn roots(project: &Project) -> Vec<PathBuf> {
    let folder = project.absolute();
    let manifest = fs::read_to_string(folder.join("go.mod")).unwrap_or_default();
    let replaced = manifest.lines().filter_map(|line| line.split_once("=>")).map(|(_, with)| with.trim());
    let local = replaced.filter(|with| with.starts_with('.')).map(|with| folder.join(with));
    local.collect::<Vec<_>>().into_iter().chain([folder]).collect()
}
