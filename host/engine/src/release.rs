use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Which version of a plugin something runs, where plugins have versions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// The plugin's name.
    pub plugin: String,
    /// Its version.
    pub version: String,
    /// The digest of its code.
    pub digest: String,
}

/// By the name of the step, or `sinks.` or `functions.` and the name of a sink or function.
pub type Releases = BTreeMap<String, Release>;
