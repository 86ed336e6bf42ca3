//! Go modules: Go's own compiler makes a module for WASI's first preview, which is wrapped here.

use super::{Language, Project, component, tool::Tool};
use engine::{Error, Result};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

pub(super) struct Go;

impl Language for Go {
    fn name(&self) -> &'static str {
        "Go"
    }

    fn manifest(&self) -> &'static str {
        "go.mod"
    }

    fn tools(&self, _folder: &Path) -> Vec<Tool> {
        const REMEDY: &str = "install it as the language's own site says; go from 1.24 on, as of `apt-get install golang` in \
                              Debian 13, brings what go.mod asks for by itself after `go env -w GOTOOLCHAIN=auto`";
        vec![Tool::program("go", &["version"], (1, 26), REMEDY)]
    }

    fn plugin_name(&self, manifest: &str) -> Result<String> {
        let module = manifest.lines().find_map(|line| line.trim().strip_prefix("module "));
        let module = module.ok_or_else(|| Error::invalid("it has no line `module`"))?;
        let module = module.split("//").next().unwrap_or_default().trim().trim_matches('"');
        Ok(module.rsplit('/').next().unwrap_or_default().to_owned())
    }

    /// The module's folder and those that it is built with instead of what a proxy has.
    fn sources(&self, project: &Project) -> Vec<PathBuf> {
        let folder = project.absolute();
        let manifest = fs::read_to_string(folder.join("go.mod")).unwrap_or_default();
        let replaced = manifest.lines().filter_map(|line| line.split_once("=>")).map(|(_, with)| with.trim());
        let replaced = replaced.filter(|with| with.starts_with('.')).map(|with| folder.join(with));
        replaced.chain([folder.clone()]).collect()
    }

    fn build(&self, project: &Project, tell: &dyn Fn(&str)) -> Result<Vec<u8>> {
        component::of_module(&project.output_of(go, tell)?, None)
    }
}

fn go(module: &Path) -> Command {
    let mut go = Command::new("go");
    go.args(["build", "-buildmode=c-shared", "-trimpath", "-buildvcs=false"]);
    // Symbols are a third of its size.
    go.arg("-ldflags=-s -w").arg("-o").arg(module).arg(".");
    go.env("GOOS", "wasip1").env("GOARCH", "wasm").env("CGO_ENABLED", "0");
    go
}
