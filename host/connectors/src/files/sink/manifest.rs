//! What one epoch publishes.

use engine::{Epoch, Error, Kind, Result, ResultExt, Token};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::path::{Component, Path};

const VERSION: u32 = 1;

/// The files of one epoch, and who wrote them. Its creation, as a file, is the commit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    version: u32,
    /// The epoch.
    pub(super) epoch: Epoch,
    /// The writer whose staging files these are.
    pub(super) writer: String,
    /// Manifests of epochs before this one may have been removed: such an epoch can no longer be written.
    pub(super) floor: Epoch,
    /// The files.
    pub(super) files: Vec<Entry>,
}

/// One file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    /// Its name among the staging files.
    pub(super) staged: String,
    /// Its final path, relative to the output.
    pub(super) path: String,
    /// How many rows it has.
    pub(super) rows: u64,
    /// How many bytes it has.
    pub(super) bytes: u64,
}

impl Manifest {
    pub(super) fn new(epoch: Epoch, writer: String, floor: Epoch, files: Vec<Entry>) -> Self {
        Manifest { version: VERSION, epoch, writer, floor, files }
    }

    /// [`Kind::Internal`] if it is not what a sink wrote. `from` is where it was read, for the message.
    pub(super) fn parse(text: &[u8], from: &Path) -> Result<Self> {
        let broken = || format!("{} is damaged; restore it, or write to a new directory", from.display());
        let manifest: Manifest = serde_json::from_slice(text).doing(Kind::Internal, broken)?;
        if manifest.version != VERSION {
            let (found, from) = (manifest.version, from.display());
            return Err(Error::invalid(format!(
                "{from} has version {found}, which needs a newer streamhost"
            )));
        }
        // It says which file to rename to where, so whoever can write it must not reach beyond the output.
        match manifest.files.iter().all(|f| stays_inside(&f.path) && is_name(&f.staged)) {
            true => Ok(manifest),
            false => Err(Error::internal(broken())),
        }
    }

    pub(super) fn to_bytes(&self) -> Result<Vec<u8>> {
        serde_json::to_vec_pretty(self).doing(Kind::Internal, || "writing a manifest")
    }

    /// What the commit record of the epoch says of this sink.
    pub(super) fn token(&self) -> Token {
        let rows: u64 = self.files.iter().map(|f| f.rows).sum();
        let bytes: u64 = self.files.iter().map(|f| f.bytes).sum();
        Token(json!({ "files": self.files.len(), "rows": rows, "bytes": bytes }))
    }
}

fn stays_inside(path: &str) -> bool {
    Path::new(path).components().all(|c| matches!(c, Component::Normal(_)))
}

fn is_name(name: &str) -> bool {
    stays_inside(name) && !name.contains('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(staged: &str, path: &str) -> Manifest {
        let file = Entry { staged: staged.into(), path: path.into(), rows: 2, bytes: 30 };
        Manifest::new(Epoch(3), "w".into(), Epoch(0), vec![file])
    }

    fn reread(manifest: &Manifest) -> Result<Manifest> {
        Manifest::parse(&manifest.to_bytes().unwrap(), Path::new("out/3"))
    }

    #[test]
    fn a_manifest_reads_back_and_counts_its_rows() {
        let written = manifest("3-w-0-0", "day=1/a.parquet");
        assert_eq!(reread(&written).unwrap(), written);
        assert_eq!(written.token().0["rows"], 2);
    }

    #[test]
    fn a_manifest_that_points_out_of_the_output_is_damaged() {
        for (staged, path) in [("a", "../b"), ("a", "/etc/b"), ("../a", "b"), ("a/b", "b")] {
            let error = reread(&manifest(staged, path)).unwrap_err();
            assert!(error.to_string().starts_with("out/3 is damaged"), "{staged} {path}");
        }
        assert_eq!(Manifest::parse(b"{", Path::new("m")).unwrap_err().kind(), Kind::Internal);
    }
}
