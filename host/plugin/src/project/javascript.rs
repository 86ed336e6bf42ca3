//! npm packages in JavaScript or TypeScript: a script of the SDK bundles them, and puts them beside an engine.

use super::{
    Language, Project, kit,
    tool::{Tool, run},
};
use engine::{Error, Kind, Result, ResultExt};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// What the package of the SDK is called.
const SDK: &str = "streamhost-sdk";
/// What npm writes of the packages that it has installed.
const INSTALLED: &str = "node_modules/.package-lock.json";
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

    fn tools(&self, _folder: &Path) -> Vec<Tool> {
        const REMEDY: &str = "install it with `apt-get install nodejs npm`, or as Node.js's own site says";
        vec![
            Tool::program("node", &["--version"], (20, 0), REMEDY),
            Tool::program("npm", &["--version"], (9, 0), REMEDY),
        ]
    }

    fn brings(&self) -> Vec<String> {
        vec!["componentize-qjs, esbuild and assemblyscript, with npm".into()]
    }

    fn plugin_name(&self, manifest: &str) -> Result<String> {
        let manifest = parse(manifest)?;
        let name = manifest.get("name").and_then(Value::as_str);
        let name = name.ok_or_else(|| Error::invalid("it has no `name`"))?;
        // What stands before the slash is a scope.
        Ok(name.rsplit('/').next().unwrap_or_default().to_owned())
    }

    fn sources(&self, project: &Project) -> Vec<PathBuf> {
        let mut sources = project.with_sdk(sdk(project), ["src", "build", "kernels", "wit"]);
        sources.extend(Some(project.absolute().join(INSTALLED)).filter(|file| file.exists()));
        sources
    }

    fn build(&self, project: &Project, tell: &dyn Fn(&str)) -> Result<Vec<u8>> {
        let sdk = sdk(project)?;
        let tools = tools(project, &sdk, tell)?;
        install_dependencies(project, tell)?;
        let node = |component: &Path| {
            let mut node = Command::new("node");
            node.arg(sdk.join("build/main.mjs")).arg("--folder").arg(project.absolute());
            node.arg("--sdk").arg(&sdk).arg("--tools").arg(tools).arg("--out").arg(component);
            node
        };
        project.output_of(node, tell)
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
    let installed = format!("node_modules/{SDK}");
    project.sdk(named.strip_prefix("file:").unwrap_or(&installed), "build/main.mjs")
}

/// What the script works with, in the versions of the SDK's lock file.
fn tools(project: &Project, sdk: &Path, tell: &dyn Fn(&str)) -> Result<PathBuf> {
    let files = ["package.json", "package-lock.json"];
    let lock = sdk.join("build/package-lock.json");
    let locked = fs::read(&lock).doing(Kind::Invalid, || format!("reading {}", lock.display()))?;
    kit::installed(&project.work, &format!("js-{}", digest(&locked)), |dir| {
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

/// The plugin's own packages: the first time, and when what it asks for is not what was installed.
fn install_dependencies(project: &Project, tell: &dyn Fn(&str)) -> Result<()> {
    let manifest = manifest(project)?;
    let dependencies = manifest.get("dependencies").and_then(Value::as_object);
    let others = dependencies.into_iter().flatten().any(|(name, _)| name != SDK);
    let by_another = project.folder.join("node_modules").exists() && !project.folder.join(INSTALLED).exists();
    let mark = project.folder.join("node_modules/.streamhost");
    let wanted = || asked_for(project);
    if !others || by_another || fs::read_to_string(&mark).is_ok_and(|mark| mark == wanted()) {
        return Ok(());
    }
    tell("installing the plugin's packages with npm");
    let mut npm = Command::new("npm");
    npm.arg("install").args(QUIET).current_dir(&project.folder);
    run(npm, tell)?;
    // As npm leaves the lock file.
    fs::write(&mark, wanted()).doing(Kind::Unavailable, || format!("writing {}", mark.display()))
}

/// What says which packages the plugin has.
fn asked_for(project: &Project) -> String {
    let files = ["package.json", "package-lock.json"].map(|name| project.folder.join(name));
    digest(&files.map(|file| fs::read(file).unwrap_or_default()).concat())
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().take(8).fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}
