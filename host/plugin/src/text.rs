//! Text that a guest wrote, made safe to show.

/// The longest message of a guest that is kept, in bytes.
pub(crate) const MESSAGE: usize = 2 << 10;
/// The longest name of a guest that is kept, in bytes.
pub(crate) const NAME: usize = 128;

/// At most `most` bytes of `text`, with everything escaped that could move a cursor, colour a terminal or reorder a
/// line: control characters, line breaks and bidirectional marks.
pub(crate) fn shown(text: &str, most: usize) -> String {
    let mut out = String::with_capacity(text.len().min(most));
    for c in text.chars() {
        if out.len() + c.len_utf8() > most {
            out.push('…');
            break;
        }
        if unsafe_to_show(c) { out.extend(c.escape_default()) } else { out.push(c) }
    }
    out
}

fn unsafe_to_show(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminal_escapes_and_line_breaks_are_escaped() {
        assert_eq!(shown("\u{1b}[31mred\nend\u{202e}", 100), "\\u{1b}[31mred\\nend\\u{202e}");
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(shown("ääää", 5), "ää…");
        assert_eq!(shown("abcd", 4), "abcd");
    }
}
