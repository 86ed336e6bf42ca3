//! Reading an output through its manifests.

use super::{
    disk::names,
    ledger::Ledger,
    names::{file_safe, published_epoch},
};
use engine::{Epoch, QueryId, Result};
use std::path::{Path, PathBuf};

/// A file of an epoch.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Published {
    /// The epoch whose rows it has.
    pub epoch: Epoch,
    /// Where it is.
    pub path: PathBuf,
}

/// The files that `query` has published in the directory `output`, by epoch; of epochs that are committed, all of them.
///
/// A plain listing of the directory may see some files of an epoch before the others get their names; this does not:
/// a file that is committed and not yet named is answered under the name it has. Epochs that are too old to
/// have a manifest are answered by the names of their files.
///
/// # Errors
///
/// [`engine::Kind::Unavailable`] if a directory cannot be read, [`engine::Kind::Internal`] if a manifest is damaged.
pub fn published(output: &Path, query: &QueryId) -> Result<Vec<Published>> {
    let mut files = Vec::new();
    let query = file_safe(&query.0);
    for sink in names(&output.join(".streamhost").join(&query))? {
        let ledger = Ledger::at(output, &query, &sink, None);
        let manifests = ledger.all()?;
        let oldest = manifests.iter().map(|m| m.floor).max().unwrap_or(Epoch(0));
        for manifest in manifests.iter().filter(|m| m.epoch >= oldest) {
            let places = manifest.files.iter().map(|file| ledger.place(file));
            files.extend(places.map(|path| Published { epoch: manifest.epoch, path }));
        }
        collect(output, &mut |path, name| {
            let epoch = published_epoch(name, &query, &sink).filter(|epoch| *epoch < oldest);
            files.extend(epoch.map(|epoch| Published { epoch, path }));
        })?;
    }
    files.retain(|file| file.path.exists());
    files.sort();
    Ok(files)
}

/// Shows every file below `folder` that is not hidden.
fn collect(folder: &Path, show: &mut impl FnMut(PathBuf, &str)) -> Result<()> {
    for name in names(folder)?.iter().filter(|n| !n.starts_with('.')) {
        let path = folder.join(name);
        match path.is_dir() {
            true => collect(&path, show)?,
            false => show(path, name),
        }
    }
    Ok(())
}
