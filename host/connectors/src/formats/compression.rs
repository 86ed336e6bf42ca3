//! Compression of files that are read.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{
    io::{self, BufReader, Read},
    path::Path,
};

/// How the bytes of a file are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip, of one or several members.
    Gzip,
    /// Zstandard, of one or several frames.
    Zstd,
}

impl Compression {
    /// What the extension says: `.gz`, `.gzip`, `.zst` or `.zstd`.
    pub fn of(path: &Path) -> Self {
        match path.extension().and_then(|e| e.to_str()) {
            Some("gz" | "gzip") => Compression::Gzip,
            Some("zst" | "zstd") => Compression::Zstd,
            _ => Compression::None,
        }
    }

    /// The bytes as they were before they were compressed. Memory is bounded: frames of Zstandard that want a window of more
    /// than 128 MiB are refused.
    pub fn reader<'a>(self, bytes: impl Read + Send + 'a) -> io::Result<Box<dyn Read + Send + 'a>> {
        Ok(match self {
            Compression::None => Box::new(bytes),
            Compression::Gzip => {
                Box::new(flate2::read::MultiGzDecoder::new(BufReader::with_capacity(64 << 10, bytes)))
            }
            Compression::Zstd => Box::new(zstd::Decoder::new(bytes)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn gzip(text: &str) -> Vec<u8> {
        let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        out.write_all(text.as_bytes()).unwrap();
        out.finish().unwrap()
    }

    fn read(compression: Compression, bytes: &[u8]) -> io::Result<String> {
        let mut text = String::new();
        compression.reader(bytes)?.read_to_string(&mut text).map(|_| text)
    }

    #[test]
    fn members_and_frames_are_read_one_after_the_other() {
        let both = [gzip("a\n"), gzip("b\n")].concat();
        assert_eq!(read(Compression::Gzip, &both).unwrap(), "a\nb\n");
        let both =
            [zstd::encode_all(&b"a\n"[..], 1).unwrap(), zstd::encode_all(&b"b\n"[..], 1).unwrap()].concat();
        assert_eq!(read(Compression::Zstd, &both).unwrap(), "a\nb\n");
    }

    #[test]
    fn what_is_cut_off_is_an_error() {
        let text = "some text ".repeat(100);
        let whole = gzip(&text);
        assert!(read(Compression::Gzip, &whole[..whole.len() - 3]).is_err());
        let whole = zstd::encode_all(text.as_bytes(), 1).unwrap();
        assert!(read(Compression::Zstd, &whole[..whole.len() - 3]).is_err());
    }
}
