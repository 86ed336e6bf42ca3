//! Which directories a pipeline writes to, and which of them are in each other's way.

use crate::{
    file::PipelineFile,
    settings::{Leaf, Source},
};
use connectors::files::{
    Clean, FilesSettings,
    sink::{FileSink, FileSinkOptions},
};
use engine::{Error, Result};
use std::path::PathBuf;

/// Files as they are in a checkpoint.
const RECORDS: [&str; 4] = ["metadata", "offsets/0", "owners/0", "sources/name/0"];

/// A file sink of the pipeline.
struct Output<'a> {
    name: &'a str,
    path: PathBuf,
    sink: FileSink,
}

/// Refuses file sinks that share a directory with another sink, with an archive or with the checkpoint, and a checkpoint
/// that a source would read. Paths are compared as they are written; nothing needs to be there but what sources read.
pub(crate) fn refuse_shared(file: &PipelineFile) -> Result<()> {
    let mut earlier = Vec::new();
    let leaves = file.settings.leaves();
    for Leaf { name, key, sink } in &leaves {
        let Some(mut files) = sink.files.clone() else { continue };
        files.path = file.resolve(&files.path);
        let path = files.path.clone();
        // Settings that contradict each other are reported where the sink itself is made.
        let Ok(sink) = FileSink::new(files, FileSinkOptions::default()) else { continue };
        let output = Output { name, path, sink };
        output.alone(&earlier, file).map_err(|e| file.locate(&[&key[..], &["files", "path"]].concat(), e))?;
        earlier.push(output);
    }
    refuse_read_checkpoint(file).map_err(|e| file.locate(&["checkpoint"], e))
}

impl Output<'_> {
    fn alone(&self, others: &[Output<'_>], file: &PipelineFile) -> Result<()> {
        for other in others {
            if self.sink.mixes_with(&other.sink)? {
                return Err(self.mixed(&format!("sink `{}` writes to {}", other.name, other.path.display())));
            }
        }
        for (name, files) in files_sources(file) {
            let Clean::Archive(archive) = &files.clean else { continue };
            if self.sink.mixes_with_archive(archive)? {
                return Err(self.mixed(&format!("source `{name}` archives into {}", archive.display())));
            }
        }
        match checkpoint(file) {
            Some(checkpoint) if self.sink.is_below(&checkpoint)? => Err(Error::invalid(format!(
                "sink `{}` writes to {}, but {} is the checkpoint's alone; choose another directory for one of them",
                self.name,
                self.path.display(),
                checkpoint.display()
            ))),
            _ => Ok(()),
        }
    }

    fn mixed(&self, with: &str) -> Error {
        Error::invalid(format!(
            "sink `{}` writes to {}, and {with}: who reads the one would get files of the other; choose another \
             directory for one of them",
            self.name,
            self.path.display()
        ))
    }
}

/// A source would take the records of the query for its data, epoch after epoch.
fn refuse_read_checkpoint(file: &PipelineFile) -> Result<()> {
    let Some(checkpoint) = checkpoint(file) else { return Ok(()) };
    for (name, files) in files_sources(file) {
        for record in RECORDS {
            if files.reads(&checkpoint.join(record))? {
                return Err(Error::invalid(format!(
                    "source `{name}`, which reads {}, would read the checkpoint {} too; choose another directory for \
                     the checkpoint",
                    files.path.display(),
                    checkpoint.display()
                )));
            }
        }
    }
    Ok(())
}

fn checkpoint(file: &PipelineFile) -> Option<PathBuf> {
    file.settings.checkpoint.as_ref().map(|path| file.resolve(path))
}

fn files_sources(file: &PipelineFile) -> impl Iterator<Item = (&str, FilesSettings)> {
    let files = |(name, source): (_, &Source)| Some((name, file.resolved(source.files.as_ref()?)));
    file.settings.sources.iter().map(|(name, source)| (name.as_str(), source)).filter_map(files)
}
