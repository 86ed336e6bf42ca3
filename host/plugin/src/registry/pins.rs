//! Who needs what: a checkpoint that runs plugins of a registry leaves a note there.

use super::{Registry, folder, name::Release};
use engine::{Kind, Result, ResultExt};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, path::PathBuf};

/// The most bytes of a pin.
const LARGEST: u64 = 1 << 20;

/// The note of one checkpoint: which releases its query was started with. What it needs, its own records say; a checkpoint that has
/// none yet needs what stands here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// Where the checkpoint is.
    pub checkpoint: String,
    /// Release → the digest of its component.
    pub plugins: BTreeMap<String, String>,
}

impl Registry {
    /// Notes that a query with its checkpoint there uses these releases, beside those that it used before.
    pub fn pin(&self, checkpoint: &str, plugins: impl IntoIterator<Item = (Release, String)>) -> Result<()> {
        let _lock = self.lock()?;
        let path = self.pin_path(checkpoint);
        let kept =
            folder::read_text(&path, LARGEST)?.and_then(|text| serde_json::from_str::<Pin>(&text).ok());
        let mut pin = kept.clone().unwrap_or_default();
        checkpoint.clone_into(&mut pin.checkpoint);
        pin.plugins.extend(plugins.into_iter().map(|(release, digest)| (release.to_string(), digest)));
        if kept.as_ref() == Some(&pin) {
            return Ok(());
        }
        let text = serde_json::to_vec_pretty(&pin).doing(Kind::Internal, || "writing a pin")?;
        folder::make(&self.dir.join(".pins"))?;
        folder::replace(&path, &text)
    }

    /// The notes of all checkpoints.
    pub fn pins(&self) -> Result<Vec<Pin>> {
        let mut pins = Vec::new();
        for name in folder::names(&self.dir.join(".pins"))?.iter().filter(|name| !name.starts_with('.')) {
            let path = self.dir.join(".pins").join(name);
            let Some(text) = folder::read_text(&path, LARGEST)? else { continue };
            let damaged = || {
                format!(
                    "{} is damaged: it says which checkpoint needs which plugins; start that query once, which writes it anew, or delete it",
                    path.display()
                )
            };
            pins.push(serde_json::from_str(&text).doing(Kind::Data, damaged)?);
        }
        Ok(pins)
    }

    /// Forgets the note of a checkpoint that is gone; the lock is held.
    pub(super) fn unpin(&self, checkpoint: &str) -> Result<()> {
        folder::remove(&self.pin_path(checkpoint))
    }

    fn pin_path(&self, checkpoint: &str) -> PathBuf {
        let digest = crate::load::digest(checkpoint.as_bytes());
        self.dir.join(".pins").join(format!("{}.json", digest.trim_start_matches("sha256:")))
    }
}
