//! The syntax of JSON, over one line.

/// Deeper values are refused, as Spark's parser does.
const MAX_DEPTH: usize = 1000;

/// Why reading stopped.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Stop {
    /// This is not JSON.
    Syntax(&'static str),
    /// This is JSON, and not what the column takes.
    Mismatch(&'static str),
}

type Read<T> = Result<T, Stop>;

/// A place in a line of valid UTF-8.
pub(crate) struct Reader<'a> {
    line: &'a [u8],
    pub(crate) at: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(line: &'a [u8]) -> Self {
        Reader { line, at: 0 }
    }

    /// The next byte; 0, which no token starts with, at the end.
    #[inline]
    pub(crate) fn peek(&self) -> u8 {
        self.line.get(self.at).copied().unwrap_or(0)
    }

    pub(crate) fn at_end(&self) -> bool {
        self.at >= self.line.len()
    }

    #[inline]
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.line.get(self.at..).unwrap_or_default()
    }

    /// What was read since `start`.
    #[inline]
    pub(crate) fn since(&self, start: usize) -> &'a [u8] {
        self.line.get(start..self.at).unwrap_or_default()
    }

    #[inline]
    pub(crate) fn space(&mut self) {
        while matches!(self.peek(), b' ' | b'\t' | b'\r' | b'\n') {
            self.at += 1;
        }
    }

    #[inline]
    pub(crate) fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == byte;
        self.at += usize::from(found);
        found
    }

    #[inline]
    pub(crate) fn eat_all(&mut self, token: &[u8]) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    #[inline]
    pub(crate) fn expect(&mut self, byte: u8, or: &'static str) -> Read<()> {
        if self.eat(byte) { Ok(()) } else { Err(Stop::Syntax(or)) }
    }

    /// The colon between key and value, with the space around it.
    #[inline]
    pub(crate) fn colon(&mut self) -> Read<()> {
        self.space();
        self.expect(b':', "expected `:`")?;
        self.space();
        Ok(())
    }

    /// Whether another element follows in a list that ends with `close`.
    #[inline]
    pub(crate) fn another(&mut self, close: u8) -> Read<bool> {
        self.space();
        if self.eat(b',') {
            self.space();
            return Ok(true);
        }
        if self.eat(close) {
            return Ok(false);
        }
        Err(Stop::Syntax(if close == b'}' { "expected `,` or `}`" } else { "expected `,` or `]`" }))
    }

    /// A number as its text, and whether it is a whole one.
    #[inline]
    pub(crate) fn number(&mut self) -> Read<(&'a [u8], bool)> {
        let start = self.at;
        self.eat(b'-');
        let first = self.peek();
        if self.digits()? > 1 && first == b'0' {
            return Err(Stop::Syntax("a number with a leading zero"));
        }
        let mut whole = true;
        if self.eat(b'.') {
            whole = false;
            self.digits()?;
        }
        if matches!(self.peek(), b'e' | b'E') {
            whole = false;
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), b'+' | b'-'));
            self.digits()?;
        }
        Ok((self.since(start), whole))
    }

    #[inline]
    fn digits(&mut self) -> Read<usize> {
        let start = self.at;
        while self.peek().is_ascii_digit() {
            self.at += 1;
        }
        match self.at - start {
            0 => Err(Stop::Syntax("expected a digit")),
            count => Ok(count),
        }
    }

    /// A string between its quotes as it stands, if nothing in it is escaped. Does not move otherwise.
    #[inline]
    pub(crate) fn plain_string(&mut self) -> Option<&'a [u8]> {
        let [b'"', rest @ ..] = self.rest() else { return None };
        let length = plain_prefix(rest);
        if rest.get(length) != Some(&b'"') {
            return None;
        }
        self.at += length + 2;
        rest.get(..length)
    }

    /// Appends the text of a string to `out`.
    #[inline]
    pub(crate) fn string(&mut self, out: &mut Vec<u8>) -> Read<()> {
        match self.plain_string() {
            Some(text) => {
                out.extend_from_slice(text);
                Ok(())
            }
            None => self.escaped_string(out),
        }
    }

    fn escaped_string(&mut self, out: &mut Vec<u8>) -> Read<()> {
        self.expect(b'"', "expected a string in quotes")?;
        loop {
            let length = plain_prefix(self.rest());
            out.extend_from_slice(self.rest().get(..length).unwrap_or_default());
            self.at += length;
            match self.peek() {
                b'"' => {
                    self.at += 1;
                    return Ok(());
                }
                b'\\' => self.escape(out)?,
                _ if self.at_end() => return Err(Stop::Syntax("the line ends inside a string")),
                _ => return Err(Stop::Syntax("a control character inside a string")),
            }
        }
    }

    fn escape(&mut self, out: &mut Vec<u8>) -> Read<()> {
        self.at += 1;
        let plain = match self.peek() {
            quoted @ (b'"' | b'\\' | b'/') => quoted,
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => return self.unicode_escape(out),
            _ => return Err(Stop::Syntax("an unknown escape in a string")),
        };
        out.push(plain);
        self.at += 1;
        Ok(())
    }

    /// `\u0041`, or two of them that make one character; half of such a pair becomes the replacement character.
    fn unicode_escape(&mut self, out: &mut Vec<u8>) -> Read<()> {
        let unit = self.four_digits()?;
        let before_second = self.at;
        let mut char = char::from_u32(unit);
        if (0xd800..0xdc00).contains(&unit) && self.eat_all(b"\\") && self.peek() == b'u' {
            let low = self.four_digits()?;
            if (0xdc00..0xe000).contains(&low) {
                char = char::from_u32(0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00));
            }
        }
        if char.is_none() {
            self.at = before_second;
        }
        let char = char.unwrap_or(char::REPLACEMENT_CHARACTER);
        out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
        Ok(())
    }

    /// The `uXXXX` of an escape.
    fn four_digits(&mut self) -> Read<u32> {
        self.at += 1;
        let digits = self.rest().get(..4).unwrap_or_default();
        self.at += digits.len();
        let valid = digits.len() == 4 && digits.iter().all(u8::is_ascii_hexdigit);
        let text = std::str::from_utf8(digits).ok().filter(|_| valid);
        text.and_then(|t| u32::from_str_radix(t, 16).ok())
            .ok_or(Stop::Syntax("expected four hexadecimal digits after \\u"))
    }

    /// Moves behind a string.
    pub(crate) fn skip_string(&mut self) -> Read<()> {
        if self.plain_string().is_some() {
            return Ok(());
        }
        self.escaped_string(&mut Vec::new())
    }

    /// Moves behind a value of any kind, checking it, without recursion.
    pub(crate) fn skip_value(&mut self) -> Read<()> {
        let mut open = Vec::new();
        loop {
            self.space();
            match self.peek() {
                b'{' => {
                    self.open(&mut open, b'}')?;
                    if self.peek() != b'}' {
                        self.skip_key()?;
                        continue;
                    }
                }
                b'[' => {
                    self.open(&mut open, b']')?;
                    if self.peek() != b']' {
                        continue;
                    }
                }
                _ => self.skip_scalar()?,
            }
            if !self.close(&mut open)? {
                return Ok(());
            }
        }
    }

    fn open(&mut self, open: &mut Vec<u8>, close: u8) -> Read<()> {
        if open.len() == MAX_DEPTH {
            return Err(Stop::Syntax("nested deeper than 1,000 levels"));
        }
        open.push(close);
        self.at += 1;
        self.space();
        Ok(())
    }

    fn skip_key(&mut self) -> Read<()> {
        self.skip_string()?;
        self.colon()
    }

    /// Leaves what ends here; whether another value follows.
    fn close(&mut self, open: &mut Vec<u8>) -> Read<bool> {
        while let Some(close) = open.last().copied() {
            self.space();
            // An empty list has no element to stand before the comma.
            if self.another(close)? {
                if close == b'}' {
                    self.skip_key()?;
                }
                return Ok(true);
            }
            open.pop();
        }
        Ok(false)
    }

    fn skip_scalar(&mut self) -> Read<()> {
        match self.peek() {
            b'"' => self.skip_string(),
            b'-' | b'0'..=b'9' => self.number().map(drop),
            _ if self.eat_all(b"null") || self.eat_all(b"true") || self.eat_all(b"false") => Ok(()),
            _ if self.at_end() => Err(Stop::Syntax("the line ends inside a value")),
            _ => Err(Stop::Syntax("expected a value")),
        }
    }
}

/// How many bytes from the start belong to a string without being escaped.
#[inline]
fn plain_prefix(text: &[u8]) -> usize {
    let special = |b: &u8| matches!(b, b'"' | b'\\' | 0..=0x1f);
    text.iter().position(special).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn skips(text: &str) -> bool {
        let mut reader = Reader::new(text.as_bytes());
        reader.skip_value().is_ok() && reader.at_end()
    }

    #[test]
    fn values_are_checked_while_they_are_skipped() {
        for good in
            ["1", "-0.5e+3", "\"a\\u00e9\\n\"", "{}", "[]", "[[],{}]", "{\"a\":[1, {\"b\":null}],\"c\":true}"]
        {
            assert!(skips(good), "{good}");
        }
        for bad in
            ["", "01", "1.", "[1 2]", "[1,]", "[,1]", "{a:1}", "{\"a\"}", "[}", "[1", "\"a", "nul", "\"\\x\""]
        {
            assert!(!skips(bad), "{bad}");
        }
    }

    #[test]
    fn depth_is_bounded() {
        assert!(skips(&format!("{}{}", "[".repeat(1000), "]".repeat(1000))));
        assert!(!skips(&"[".repeat(100_000)));
        assert!(!skips(&"{\"a\":".repeat(100_000)));
    }

    #[test]
    fn escapes_become_characters() {
        let text = |json: &str| {
            let mut out = Vec::new();
            Reader::new(json.as_bytes()).string(&mut out).map(|()| String::from_utf8(out).unwrap())
        };
        assert_eq!(text(r#""a\"\\\/\b\f\n\r\t\u00e9""#), Ok("a\"\\/\u{8}\u{c}\n\r\té".into()));
        assert_eq!(text(r#""\ud83d\ude00""#), Ok("😀".into()));
        assert_eq!(text(r#""\ud83dx""#), Ok("\u{fffd}x".into()));
        assert_eq!(text(r#""\ud83d\u0041""#), Ok("\u{fffd}A".into()));
        assert!(text(r#""\u12""#).is_err());
        assert!(text("\"a\nb\"").is_err());
    }
}
