//! What a pipeline gets from the process it runs in.

use connectors::files::sink::AtStep;
use engine::{Clock, Result};
use plugin::{Plugin, Runtime, project};
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
    /// Stops at the steps of a file sink's commit, for crash tests.
    pub at_step: Option<AtStep>,
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
    /// Loads the plugin of a `.wasm` file, or of a source folder, which is built when stale.
    pub async fn load(&self, path: &Path) -> Result<Plugin> {
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
