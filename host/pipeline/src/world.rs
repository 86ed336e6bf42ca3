//! What a pipeline gets from the process it runs in.

use connectors::{files::sink::AtStep, memory::LiveTables, stores::Environment};
use engine::{Clock, Error, LiveFunctions, Result};
use plugin::{
    Plugin, Runtime, project,
    registry::{Policy, Registry, Wanted},
};
use std::{
    io::Write,
    path::{Path, PathBuf},
    sync::Arc,
};

/// What a pipeline gets from the process it runs in: everything it cannot make by itself, so that a test can inject
/// it.
#[derive(Clone)]
pub struct World {
    /// Runs plugins.
    pub runtime: Arc<Runtime>,
    /// The only clock.
    pub clock: Arc<dyn Clock>,
    /// Where consoles and pipes print, and what happens once nobody reads that any more.
    pub stdout: Arc<dyn Fn(Unread) -> Box<dyn Write + Send> + Send + Sync>,
    /// Told of what takes long, such as the build of a plugin.
    pub note: Arc<dyn Fn(&str) + Send + Sync>,
    /// Where plugins' builds keep what they make on the way; none: beside each plugin.
    pub plugin_target: Option<PathBuf>,
    /// The tables of memory sinks, for whoever asks them.
    pub live: LiveTables,
    /// The functions of the pipeline, for the same.
    pub functions: LiveFunctions,
    /// Stops at the steps of a file sink's commit, for crash tests.
    pub at_step: Option<AtStep>,
    /// Where secrets may be, and the credentials of object stores.
    pub environment: Environment,
    /// Where plugins are by name; none if nobody has said where.
    pub registry: Option<Registry>,
}

/// What follows when whoever read standard output has gone, as `head` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unread {
    /// The process ends well, for nobody needs more. For a query whose only output this is.
    End,
    /// The rest is thrown away with one warning. For a query that has other sinks to serve.
    GoOn,
}

impl World {
    /// Loads the plugin of a `.wasm` file, or of a source folder, which is built when stale; if there is neither, the newest release
    /// of the registry that a name stands for. [`engine::Kind::Invalid`] if there is none either.
    pub async fn load(&self, path: &Path) -> Result<Plugin> {
        if !path.exists() {
            return match path.to_str().and_then(Wanted::parse).zip(self.registry.as_ref()) {
                Some((wanted, registry)) => {
                    let found = registry.resolve(&wanted?)?;
                    registry.load(&self.runtime, &found, &Policy::default()).await
                }
                None => Err(no_plugin(path)),
            };
        }
        let wasm = if path.is_dir() { self.build(path)? } else { path.to_owned() };
        self.runtime.load(&wasm).await
    }

    /// Builds the plugin of a source folder when it is stale; answers where the component is.
    pub fn build(&self, folder: &Path) -> Result<PathBuf> {
        match &self.plugin_target {
            Some(target) => project::build_in(folder, target, &*self.note),
            None => project::build(folder, &*self.note),
        }
    }
}

/// What a path that is not there may have meant: a build leaves the component inside the folder of its source.
fn no_plugin(path: &Path) -> Error {
    let folder = path.with_extension("");
    let built = folder.file_name().map(|name| folder.join(name).with_extension("wasm"));
    let meant = built.filter(|built| built.exists()).or_else(|| folder.is_dir().then_some(folder));
    let remedy = match meant {
        Some(meant) => format!("did you mean {}?", meant.display()),
        None => "give a .wasm file, or the folder of a plugin's source".into(),
    };
    Error::invalid(format!("there is no plugin {}; {remedy}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_component_is_looked_for_in_the_folder_that_it_is_built_in() {
        let dir = tempfile::tempdir().unwrap();
        let remedy = |path: &str| {
            let report = no_plugin(&dir.path().join(path)).report();
            report.split_once("; ").unwrap().1.replace(&format!("{}/", dir.path().display()), "")
        };
        assert_eq!(remedy("a.wasm"), "give a .wasm file, or the folder of a plugin's source");
        fs::create_dir(dir.path().join("a")).unwrap();
        assert_eq!(remedy("a.wasm"), "did you mean a?");
        fs::write(dir.path().join("a/a.wasm"), "").unwrap();
        assert_eq!(remedy("a.wasm"), "did you mean a/a.wasm?");
    }
}
