//! Text cut into lines, in memory bounded by the longest line allowed.

use std::io::{self, Read};

/// How much is read at a time: small enough to stay in a core's cache until it is decoded.
const BLOCK: usize = 256 << 10;

/// How much of a line that is too long is kept to be shown.
const SHOWN: usize = 1 << 10;

/// Reads lines in blocks of whole lines.
pub(crate) struct LineReader<R> {
    input: R,
    buffer: Vec<u8>,
    /// `buffer[..given]` was handed out by the last call, `buffer[given..filled]` is read and not handed out.
    given: usize,
    filled: usize,
    /// Where `buffer[0]` is in the input.
    position: u64,
    /// Lines that start here or later are not read.
    end: u64,
    longest: usize,
    finished: bool,
}

/// What [`LineReader::next`] gives.
#[derive(Debug, PartialEq)]
pub(crate) enum Block<'a> {
    /// Whole lines, each with its line feed; the last one of the input may lack it.
    Lines(&'a [u8]),
    /// The first bytes of one line that is longer than allowed and was skipped.
    TooLong(&'a [u8]),
}

impl<R: Read> LineReader<R> {
    /// Reads all of `input`; lines may have `longest` bytes, the line feed included.
    pub(crate) fn new(input: R, longest: usize) -> Self {
        let longest = longest.max(1);
        LineReader {
            input,
            buffer: vec![0; BLOCK.min(longest + 1)],
            given: 0,
            filled: 0,
            position: 0,
            end: u64::MAX,
            longest,
            finished: false,
        }
    }

    /// Reads the lines that start at `start` or later and before `end`; `input` stands at byte `start - 1`, or at
    /// the very start if that is 0. So splits of a file that touch each other share its lines out without loss.
    pub(crate) fn between(input: R, longest: usize, start: u64, end: u64) -> io::Result<Self> {
        let mut reader = LineReader::new(input, longest);
        reader.end = end;
        if start > 0 {
            reader.position = start - 1;
            reader.skip_line()?;
        }
        Ok(reader)
    }

    /// The next lines; none at the end.
    pub(crate) fn next(&mut self) -> io::Result<Option<Block<'_>>> {
        self.forget_given();
        let mut searched = 0;
        loop {
            if self.finished || self.position >= self.end {
                return Ok(None);
            }
            let unseen = self.buffer.get(searched..self.filled).unwrap_or_default();
            if let Some(last) = memchr::memrchr(b'\n', unseen) {
                return Ok(Some(self.give(searched + last + 1)));
            }
            searched = self.filled;
            if self.filled > self.longest {
                return self.skip_long_line().map(Some);
            }
            if self.fill()? == 0 {
                self.finished = true;
                return Ok((self.filled > 0).then(|| self.give(self.filled)));
            }
        }
    }

    /// Whole lines up to `length`, cut at the end of the range.
    fn give(&mut self, length: usize) -> Block<'_> {
        let left = usize::try_from(self.end - self.position).unwrap_or(usize::MAX);
        self.given = length;
        if left < length {
            let tail = self.buffer.get(left.saturating_sub(1)..length).unwrap_or_default();
            self.given = memchr::memchr(b'\n', tail).map_or(length, |at| left + at);
            self.finished = true;
        }
        Block::Lines(self.buffer.get(..self.given).unwrap_or_default())
    }

    fn forget_given(&mut self) {
        self.buffer.copy_within(self.given..self.filled, 0);
        self.position += self.given as u64;
        self.filled -= self.given;
        self.given = 0;
    }

    /// Reads more behind what is there, and says how much.
    fn fill(&mut self) -> io::Result<usize> {
        if self.filled == self.buffer.len() {
            let room = (self.buffer.len() * 2).min(self.longest + 1);
            self.buffer.resize(room, 0);
        }
        let free = self.buffer.get_mut(self.filled..).unwrap_or_default();
        let read = read_some(&mut self.input, free)?;
        self.filled += read;
        Ok(read)
    }

    fn skip_long_line(&mut self) -> io::Result<Block<'_>> {
        let shown = self.buffer.get(..SHOWN.min(self.filled)).unwrap_or_default().to_vec();
        self.skip_line()?;
        // What was read behind the line moves up to make room for the bytes to show.
        let rest = self.buffer.get(self.given..self.filled).unwrap_or_default().to_vec();
        self.position += self.given as u64;
        self.position -= shown.len() as u64;
        self.given = shown.len();
        self.filled = shown.len() + rest.len();
        self.buffer.clear();
        self.buffer.extend_from_slice(&shown);
        self.buffer.extend_from_slice(&rest);
        self.buffer.resize(self.filled.max(BLOCK.min(self.longest + 1)), 0);
        Ok(Block::TooLong(self.buffer.get(..self.given).unwrap_or_default()))
    }

    /// Moves behind the next line feed, or to the end of the input, holding no more than a buffer.
    fn skip_line(&mut self) -> io::Result<()> {
        loop {
            let seen = self.buffer.get(..self.filled).unwrap_or_default();
            if let Some(at) = memchr::memchr(b'\n', seen) {
                self.given = at + 1;
                return Ok(());
            }
            self.given = self.filled;
            self.forget_given();
            if self.fill()? == 0 {
                self.finished = true;
                return Ok(());
            }
        }
    }
}

fn read_some(input: &mut impl Read, into: &mut [u8]) -> io::Result<usize> {
    loop {
        match input.read(into) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// The lines of a block, without line feed and carriage return.
pub(crate) fn lines(block: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = block;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (line, next) = match memchr::memchr(b'\n', rest) {
            Some(at) => rest.split_at_checked(at + 1)?,
            None => (rest, &[][..]),
        };
        rest = next;
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        Some(line.strip_suffix(b"\r").unwrap_or(line))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(mut reader: LineReader<&[u8]>) -> Vec<String> {
        let mut out = Vec::new();
        while let Some(block) = reader.next().unwrap() {
            match block {
                Block::Lines(b) => out.extend(lines(b).map(|l| String::from_utf8_lossy(l).into_owned())),
                Block::TooLong(b) => out.push(format!("too long: {}", String::from_utf8_lossy(b))),
            }
        }
        out
    }

    #[test]
    fn lines_end_with_line_feeds_and_the_last_may_lack_it() {
        assert_eq!(all(LineReader::new(&b"a\r\n\nb"[..], 100)), ["a", "", "b"]);
        assert_eq!(all(LineReader::new(&b""[..], 100)), Vec::<String>::new());
    }

    #[test]
    fn splits_share_out_every_line_exactly_once() {
        let text = "one\ntwo\n\nthree and more\nfour";
        let whole = all(LineReader::new(text.as_bytes(), 100));
        for cut in 0..=text.len() as u64 {
            let from = |start: u64| &text.as_bytes()[start.saturating_sub(1) as usize..];
            let mut both = all(LineReader::between(from(0), 100, 0, cut).unwrap());
            both.extend(all(LineReader::between(from(cut), 100, cut, text.len() as u64).unwrap()));
            assert_eq!(both, whole, "cut at {cut}");
        }
    }

    #[test]
    fn a_line_that_is_too_long_is_skipped_without_being_held() {
        let long = "x".repeat(5000);
        let text = format!("a\n{long}\nb\n{long}");
        let mut reader = LineReader::new(text.as_bytes(), 2000);
        let mut seen = Vec::new();
        while let Some(block) = reader.next().unwrap() {
            seen.push(match block {
                Block::Lines(b) => String::from_utf8_lossy(b).into_owned(),
                Block::TooLong(b) => format!("{} x", b.len()),
            });
            assert!(reader.buffer.len() <= 2001 + SHOWN);
        }
        assert_eq!(seen, ["a\n", "1024 x", "b\n", "1024 x"]);
    }
}
