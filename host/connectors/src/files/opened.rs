//! A file that is open, wherever it is.

use super::listing::FileEntry;
#[cfg(feature = "object-store")]
use crate::stores::{ObjectFile, Root};
use bytes::Bytes;
use parquet::{
    errors::Result as ParquetResult,
    file::reader::{ChunkReader, Length},
};
use std::{
    fs::{self, File},
    io::{self, BufReader, Read, Seek, SeekFrom},
    path::Path,
    sync::Arc,
};

/// Where files are.
#[derive(Clone, Debug)]
pub(crate) enum Disk {
    /// On this machine.
    Here,
    /// Objects of a store, below this.
    #[cfg(feature = "object-store")]
    Store(Root),
}

/// A file that is open.
#[derive(Debug)]
pub(crate) enum Opened {
    Here(File),
    #[cfg(feature = "object-store")]
    Store(Box<ObjectFile>),
}

impl Disk {
    /// Opens the file called `path`, on this machine `full`.
    pub(crate) fn open(&self, _path: &str, full: &Path) -> io::Result<Opened> {
        match self {
            Disk::Here => File::open(full).map(Opened::Here),
            #[cfg(feature = "object-store")]
            Disk::Store(root) => ObjectFile::open(root, _path).map(|file| Opened::Store(Box::new(file))),
        }
    }

    /// The file as it is now; none if it is no file.
    pub(crate) fn look(&self, path: &str, full: &Path) -> io::Result<Option<FileEntry>> {
        match self {
            Disk::Here => {
                let found = fs::metadata(full)?;
                Ok(found.is_file().then(|| FileEntry::new(path.into(), &found)))
            }
            #[cfg(feature = "object-store")]
            Disk::Store(root) => {
                root.head_blocking(path).map(|meta| Some(FileEntry::of_object(path.into(), &meta)))
            }
        }
    }
}

impl Disk {
    /// Removes a file.
    pub(crate) fn remove(&self, _path: &str, full: &Path) -> io::Result<()> {
        match self {
            Disk::Here => fs::remove_file(full),
            #[cfg(feature = "object-store")]
            Disk::Store(root) => root.delete_blocking(_path),
        }
    }
}

impl Opened {
    /// What it is now, under this name.
    pub(crate) fn entry(&self, path: Arc<str>) -> io::Result<FileEntry> {
        match self {
            Opened::Here(file) => file.metadata().map(|metadata| FileEntry::new(path, &metadata)),
            #[cfg(feature = "object-store")]
            Opened::Store(file) => Ok(FileEntry::of_object(path, &file.meta)),
        }
    }

    /// The same file once more.
    pub(crate) fn again(&self) -> io::Result<Opened> {
        match self {
            Opened::Here(file) => file.try_clone().map(Opened::Here),
            #[cfg(feature = "object-store")]
            Opened::Store(file) => Ok(Opened::Store(Box::new(file.again()))),
        }
    }
}

impl Read for &Opened {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self {
            Opened::Here(file) => (&mut &*file).read(out),
            #[cfg(feature = "object-store")]
            Opened::Store(file) => (&mut &**file).read(out),
        }
    }
}

impl Seek for &Opened {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match self {
            Opened::Here(file) => (&mut &*file).seek(to),
            #[cfg(feature = "object-store")]
            Opened::Store(file) => (&mut &**file).seek(to),
        }
    }
}

impl Length for Opened {
    fn len(&self) -> u64 {
        match self {
            Opened::Here(file) => file.len(),
            #[cfg(feature = "object-store")]
            Opened::Store(file) => file.meta.size,
        }
    }
}

impl ChunkReader for Opened {
    type T = Box<dyn Read>;

    fn get_read(&self, start: u64) -> ParquetResult<Box<dyn Read>> {
        match self {
            Opened::Here(file) => Ok(Box::new(file.get_read(start)?)),
            #[cfg(feature = "object-store")]
            Opened::Store(file) => {
                let file = file.again();
                (&mut &file).seek(SeekFrom::Start(start))?;
                Ok(Box::new(BufReader::new(Owned(file))))
            }
        }
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        match self {
            Opened::Here(file) => file.get_bytes(start, length),
            #[cfg(feature = "object-store")]
            Opened::Store(file) => Ok(file.fetch(start, length as u64)?),
        }
    }
}

#[cfg(feature = "object-store")]
struct Owned(ObjectFile);

#[cfg(feature = "object-store")]
impl Read for Owned {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        (&mut &self.0).read(out)
    }
}
