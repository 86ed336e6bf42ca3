use super::Codec;
use flate2::write::GzEncoder;
use std::io::{self, Write};

/// Zstandard's own default: half the time of 6 for a few percent more bytes.
const ZSTD_LEVEL: i32 = 3;

/// Compresses what is written on its way to `W`.
pub(super) enum Compressor<W: Write> {
    /// As it is.
    Plain(Counted<W>),
    /// gzip.
    Gzip(GzEncoder<Counted<W>>),
    /// Zstandard.
    Zstd(zstd::Encoder<'static, Counted<W>>),
}

/// Counts the bytes that reach `W`.
pub(super) struct Counted<W> {
    out: W,
    bytes: u64,
}

impl<W: Write> Compressor<W> {
    pub(super) fn new(codec: Codec, out: W) -> io::Result<Self> {
        let out = Counted { out, bytes: 0 };
        Ok(match codec {
            Codec::Gzip => Compressor::Gzip(GzEncoder::new(out, flate2::Compression::default())),
            Codec::Zstd => Compressor::Zstd(zstd::Encoder::new(out, ZSTD_LEVEL)?),
            Codec::None | Codec::Snappy => Compressor::Plain(out),
        })
    }

    /// Compressed bytes written so far, without what the compressor still holds.
    pub(super) fn written(&self) -> u64 {
        match self {
            Compressor::Plain(out) => out.bytes,
            Compressor::Gzip(out) => out.get_ref().bytes,
            Compressor::Zstd(out) => out.get_ref().bytes,
        }
    }

    /// Writes the end of the stream.
    pub(super) fn finish(self) -> io::Result<()> {
        match self {
            Compressor::Plain(mut out) => out.flush(),
            Compressor::Gzip(out) => out.finish()?.flush(),
            Compressor::Zstd(out) => out.finish()?.flush(),
        }
    }
}

impl<W: Write> Write for Compressor<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Compressor::Plain(out) => out.write(bytes),
            Compressor::Gzip(out) => out.write(bytes),
            Compressor::Zstd(out) => out.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Compressor::Plain(out) => out.flush(),
            Compressor::Gzip(out) => out.flush(),
            Compressor::Zstd(out) => out.flush(),
        }
    }
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
