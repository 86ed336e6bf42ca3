//! npm packages in JavaScript or TypeScript: a script of the SDK bundles them, and puts them beside an engine.

use super::{
    Language, Project, kit,
    sources::newer,
    tool::{Tool, run},
};
use engine::{Error, Kind, Result, ResultExt};
use semver::Version;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// What the package of the SDK is called.
const SDK: &str = "streamhost-sdk";
/// Tools come as the lock file says and without npm's advice.
const QUIET: [&str; 3] = ["--no-audit", "--no-fund", "--loglevel=error"];

pub(super) struct JavaScript;

impl Language for JavaScript {
    fn name(&self) -> &'static str {
        "JavaScript"
    }

    fn manifest(&self) -> &'static str {
        "package.json"
    }

    fn tools(&self) -> &'static [Tool] {
        const REMEDY: &str = "install it with `apt-get install nodejs npm`, or as Node.js's own site says";
        const TOOLS: &[Tool] = &[
            Tool {
                program: "node",
                ask: &["--version"],
                least: Version::new(20, 0, 0),
                below: None,
                remedy: REMEDY,
            },
            Tool {
                program: "npm",
                ask: &["--version"],
                least: Version::new(9, 0, 0),
                below: None,
                remedy: REMEDY,
            },
        ];
        TOOLS
    }

    fn brings(&self) -> &'static [&'static str] {
        &["componentize-qjs, esbuild and assemblyscript, with npm"]
    }

    fn plugin_name(&self, manifest: &str) -> Result<String> {
        let manifest = parse(manifest)?;
        let name = manifest.get("name").and_then(Value::as_str);
        let name = name.ok_or_else(|| Error::invalid("it has no `name`"))?;
        // What stands before the slash is a scope.
        Ok(name.rsplit('/').next().unwrap_or_default().to_owned())
    }

    fn is_stale(&self, project: &Project) -> bool {
        let mut roots = vec![project.absolute()];
        roots.extend(
            sdk(project)
                .ok()
                .map(|sdk| ["src", "build", "kernels", "wit"].map(|name| sdk.join(name)))
                .into_iter()
                .flatten(),
        );
        let installed = project.absolute().join("node_modules/.package-lock.json");
        roots.extend(Some(installed).filter(|file| file.exists()));
        newer(&roots, &project.component())
    }

    fn build(&self, project: &Project, tell: &dyn Fn(&str)) -> Result<Vec<u8>> {
        let sdk = sdk(project)?;
        let tools = tools(project, &sdk, tell)?;
        install_dependencies(project, tell)?;
        let scratch = project.scratch()?;
        let component = scratch.0.join("component.wasm");
        let mut node = Command::new("node");
        node.arg(sdk.join("build/main.mjs")).arg("--folder").arg(project.absolute());
        node.arg("--sdk").arg(&sdk).arg("--tools").arg(tools).arg("--out").arg(&component);
        node.current_dir(&project.folder);
        run(node, tell)?;
        fs::read(&component).doing(Kind::Unavailable, || "reading what node has made")
    }
}

fn parse(manifest: &str) -> Result<Value> {
    serde_json::from_str(manifest).doing(Kind::Invalid, || "it is no JSON")
}

fn manifest(project: &Project) -> Result<Value> {
    let path = project.folder.join("package.json");
    parse(&fs::read_to_string(&path).doing(Kind::Invalid, || format!("reading {}", path.display()))?)
}

/// Where the SDK is: the manifest says so, or npm has put it there.
fn sdk(project: &Project) -> Result<PathBuf> {
    let manifest = manifest(project)?;
    let named = manifest.pointer(&format!("/dependencies/{SDK}")).and_then(Value::as_str);
    let named = named.ok_or_else(|| {
        Error::invalid(format!(
            "package.json has no dependency {SDK}; `streamhost new plugin --lang js` writes one"
        ))
    })?;
    let folder = project.absolute();
    let sdk = match named.strip_prefix("file:") {
        Some(path) => folder.join(path),
        None => folder.join("node_modules").join(SDK),
    };
    match sdk.join("build/main.mjs").exists() {
        true => Ok(sdk),
        false => Err(Error::invalid(format!(
            "there is no SDK in {}, where package.json says it is",
            sdk.display()
        ))),
    }
}

/// What the script works with, in the versions of the SDK's lock file.
fn tools(project: &Project, sdk: &Path, tell: &dyn Fn(&str)) -> Result<PathBuf> {
    let files = ["package.json", "package-lock.json"];
    let lock = sdk.join("build/package-lock.json");
    let locked = fs::read(&lock).doing(Kind::Invalid, || format!("reading {}", lock.display()))?;
    let digest =
        Sha256::digest(&locked).iter().take(8).fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    kit::installed(&project.work, &format!("js-{digest}"), |dir| {
        tell("installing componentize-qjs, esbuild and assemblyscript with npm");
        for name in files {
            fs::copy(sdk.join("build").join(name), dir.join(name))
                .doing(Kind::Unavailable, || format!("copying {name} to {}", dir.display()))?;
        }
        let mut npm = Command::new("npm");
        npm.arg("ci").args(QUIET).current_dir(dir);
        run(npm, tell)
            .map_err(|e| e.while_doing("the tools that JavaScript is built with come from npm's registry"))
    })
}

/// The plugin's own packages, the first time.
fn install_dependencies(project: &Project, tell: &dyn Fn(&str)) -> Result<()> {
    let manifest = manifest(project)?;
    let dependencies = manifest.get("dependencies").and_then(Value::as_object);
    let others = dependencies.into_iter().flatten().any(|(name, _)| name != SDK);
    if !others || project.folder.join("node_modules").exists() {
        return Ok(());
    }
    tell("installing the plugin's packages with npm");
    let mut npm = Command::new("npm");
    npm.arg("install").args(QUIET).current_dir(&project.folder);
    run(npm, tell)
}
