use crate::{limits::Limits, text};
use std::time::Duration;
use tracing::Level;

/// Everything a guest says: its log calls, its standard output and error. Cut, counted and escaped before it reaches
/// the host's log.
pub(crate) struct Voice {
    speaker: Speaker,
    line: usize,
    per_call: Allowance,
    per_minute: Allowance,
    minute: Duration,
    now: Duration,
    dropped: u64,
    out: Partial,
    err: Partial,
    last_words: Option<String>,
}

/// Whose voice it is, for the log.
#[derive(Clone, Debug, Default)]
pub(crate) struct Speaker {
    pub(crate) plugin: String,
    pub(crate) step: String,
}

/// Bytes that may still be said.
struct Allowance {
    whole: usize,
    left: usize,
}

/// One of the guest's two standard streams, cut into lines.
#[derive(Default)]
struct Partial {
    line: Vec<u8>,
    overlong: bool,
}

/// Which of its standard streams a guest wrote to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stream {
    Out,
    Err,
}

impl Voice {
    pub(crate) fn new(speaker: Speaker, limits: &Limits) -> Self {
        Voice {
            speaker,
            line: limits.log_line,
            per_call: Allowance::new(limits.log_per_call),
            per_minute: Allowance::new(limits.log_per_minute),
            minute: Duration::ZERO,
            now: Duration::ZERO,
            dropped: 0,
            out: Partial::default(),
            err: Partial::default(),
            last_words: None,
        }
    }

    /// A new call begins at `now` of the monotonic clock.
    pub(crate) fn arm(&mut self, now: Duration) {
        self.now = now;
        self.per_call.refill();
        self.last_words = None;
        if now.saturating_sub(self.minute) >= Duration::from_secs(60) {
            self.minute = now;
            self.per_minute.refill();
        }
    }

    /// The call is over: what it left unfinished is a line too, and what was dropped is told.
    pub(crate) fn rest(&mut self) {
        for stream in [Stream::Out, Stream::Err] {
            if let Some(line) = self.partial(stream).finish() {
                self.say_line(stream, &line);
            }
        }
        if self.dropped > 0 {
            let dropped = std::mem::take(&mut self.dropped);
            self.emit(
                Level::WARN,
                &format!("{dropped} bytes of this plugin's log were dropped: it says too much"),
            );
        }
    }

    /// What the guest wrote last to its standard error in this call: where a Rust panic or a Go crash says why.
    pub(crate) fn last_words(&self) -> Option<&str> {
        self.last_words.as_deref()
    }

    /// Bytes said in this call.
    pub(crate) fn said(&self) -> usize {
        self.per_call.whole - self.per_call.left
    }

    /// One message of the log interface.
    pub(crate) fn say(&mut self, level: Level, message: &str) {
        if let Some(line) = self.admit(message) {
            self.emit(level, &line);
        }
    }

    /// Bytes of a standard stream.
    pub(crate) fn write(&mut self, stream: Stream, bytes: &[u8]) {
        let most = self.line;
        for piece in bytes.split_inclusive(|b| *b == b'\n') {
            if let Some(line) = self.partial(stream).push(piece, most) {
                self.say_line(stream, &line);
            }
        }
    }

    fn partial(&mut self, stream: Stream) -> &mut Partial {
        match stream {
            Stream::Out => &mut self.out,
            Stream::Err => &mut self.err,
        }
    }

    fn say_line(&mut self, stream: Stream, line: &str) {
        match stream {
            Stream::Out => self.say(Level::INFO, line),
            Stream::Err => {
                self.remember(line);
                self.say(Level::WARN, line);
            }
        }
    }

    /// Rust's note about a backtrace is no reason for anything, so it does not displace one.
    fn remember(&mut self, line: &str) {
        if line.trim().is_empty() || line.starts_with("note: ") {
            return;
        }
        let words = self.last_words.get_or_insert_default();
        if words.len() < text::MESSAGE {
            if !words.is_empty() {
                words.push(' ');
            }
            words.push_str(&text::shown(line, text::MESSAGE));
        }
    }

    /// The line as it may be shown; none if the guest has said too much already.
    fn admit(&mut self, message: &str) -> Option<String> {
        let line = text::shown(message, self.line);
        if self.per_call.take(line.len()) && self.per_minute.take(line.len()) {
            return Some(line);
        }
        self.dropped += message.len() as u64;
        None
    }

    fn emit(&self, level: Level, line: &str) {
        let Speaker { plugin, step } = &self.speaker;
        match level {
            Level::ERROR => tracing::error!(target: "plugin", plugin, step, "{line}"),
            Level::WARN => tracing::warn!(target: "plugin", plugin, step, "{line}"),
            Level::INFO => tracing::info!(target: "plugin", plugin, step, "{line}"),
            Level::DEBUG => tracing::debug!(target: "plugin", plugin, step, "{line}"),
            _ => tracing::trace!(target: "plugin", plugin, step, "{line}"),
        }
    }
}

impl Allowance {
    fn new(whole: usize) -> Self {
        Allowance { whole, left: whole }
    }

    fn refill(&mut self) {
        self.left = self.whole;
    }

    fn take(&mut self, bytes: usize) -> bool {
        let enough = bytes <= self.left;
        self.left = if enough { self.left - bytes } else { 0 };
        enough
    }
}

impl Partial {
    /// Adds a piece of a line, and gives the line once its end is there. At most `most` bytes of it are kept.
    fn push(&mut self, piece: &[u8], most: usize) -> Option<String> {
        let (text, ended) = match piece.split_last() {
            Some((b'\n', text)) => (text, true),
            _ => (piece, false),
        };
        let room = most.saturating_sub(self.line.len()).min(text.len());
        self.overlong |= room < text.len();
        self.line.extend(text.iter().take(room));
        if ended { self.finish() } else { None }
    }

    fn finish(&mut self) -> Option<String> {
        let line = std::mem::take(&mut self.line);
        let overlong = std::mem::take(&mut self.overlong);
        let text = String::from_utf8_lossy(&line);
        (!line.is_empty()).then(|| if overlong { format!("{text}…") } else { text.into_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn voice() -> Voice {
        let limits = Limits { log_line: 8, log_per_call: 20, log_per_minute: 30, ..Limits::default() };
        Voice::new(Speaker::default(), &limits)
    }

    #[test]
    fn a_call_and_a_minute_have_their_share_of_the_log() {
        let mut voice = voice();
        let admitted = |voice: &mut Voice| (0..4).filter(|_| voice.admit("12345678").is_some()).count();
        assert_eq!(admitted(&mut voice), 2, "20 bytes a call");
        voice.arm(Duration::from_secs(1));
        assert_eq!(admitted(&mut voice), 1, "30 bytes a minute");
        voice.arm(Duration::from_secs(61));
        assert_eq!(admitted(&mut voice), 2, "the next minute");
    }

    #[test]
    fn a_line_without_an_end_is_cut() {
        let mut partial = Partial::default();
        assert_eq!(partial.push(&[b'a'; 1_000], 8), None);
        assert_eq!(partial.push(b"aa\n", 8).as_deref(), Some("aaaaaaaa…"));
        assert_eq!(partial.push(b"ok\n", 8).as_deref(), Some("ok"));
    }

    #[test]
    fn the_last_words_are_those_of_standard_error_in_this_call() {
        let mut voice = voice();
        voice.write(Stream::Out, b"hello\n");
        voice.write(Stream::Err, b"panicked\nnote: run with a backtrace\n");
        assert_eq!(voice.last_words(), Some("panicked"));
        voice.arm(Duration::ZERO);
        assert_eq!(voice.last_words(), None);
    }
}
