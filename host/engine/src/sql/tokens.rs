//! The words of a query, before they are read as one.

use super::{dialect::Spark, text::SqlError};
use crate::Error;
use datafusion_expr::sqlparser::{
    keywords::Keyword,
    parser::ParserError,
    tokenizer::{Token, TokenWithSpan, Tokenizer},
};
use std::collections::VecDeque;

/// Operators and calls in a query, however they are nested. Planning looks at each of them many times.
pub(super) const MOST_OPERATORS: usize = 10_000;

/// What to do about too many.
pub(super) const FEWER: &str = "put parts of it into steps of their own, or use IN (…) for many ORs";

/// Words that are operators.
const OPERATORS: [Keyword; 9] = [
    Keyword::AND,
    Keyword::OR,
    Keyword::NOT,
    Keyword::IN,
    Keyword::IS,
    Keyword::LIKE,
    Keyword::BETWEEN,
    Keyword::WHEN,
    Keyword::SELECT,
];

/// The tokens of a text, with their places in it.
pub(super) fn tokens(text: &str) -> Result<Vec<TokenWithSpan>, SqlError> {
    let (plain, raw) = raw_texts(text)?;
    let tokens = Tokenizer::new(&Spark, &plain).tokenize_with_location();
    let mut tokens = tokens.map_err(|e| SqlError::of_parser(ParserError::from(e)))?;
    refuse_many(&tokens)?;
    if let Some(raw) = raw {
        raw.put_back(&mut tokens);
    }
    Ok(tokens)
}

/// Refuses a text with so many operators that even reading it could not end well: of `1 + 1 + …` each is a level of its own.
fn refuse_many(tokens: &[TokenWithSpan]) -> Result<(), SqlError> {
    let mut operators = tokens.iter().filter(|token| match &token.token {
        Token::Word(word) => word.quote_style.is_none() && OPERATORS.contains(&word.keyword),
        Token::Number(..) | Token::Whitespace(_) | Token::Comma | Token::Period | Token::RParen => false,
        Token::SingleQuotedString(_) | Token::DoubleQuotedString(_) => false,
        _ => true,
    });
    let Some(first) = operators.nth(MOST_OPERATORS) else { return Ok(()) };
    let at = first.span.start;
    Err(SqlError {
        at: Some((at.line as usize, at.column as usize)),
        error: Error::invalid(format!(
            "SQL: there are more than {MOST_OPERATORS} operators and calls in the query; {FEWER}"
        )),
    })
}

/// What is written as `r'…'`, in which a backslash is a backslash.
struct RawTexts {
    /// A letter that the query has nowhere, of which the texts consist that stand in for these.
    mark: char,
    texts: VecDeque<String>,
}

impl RawTexts {
    fn put_back(mut self, tokens: &mut [TokenWithSpan]) {
        for token in tokens {
            let Token::SingleQuotedString(text) = &mut token.token else { continue };
            if text.starts_with(self.mark)
                && let Some(raw) = self.texts.pop_front()
            {
                *text = raw;
            }
        }
    }
}

/// The text with others of the same length in the place of raw ones, and these; none if it has none.
fn raw_texts(text: &str) -> Result<(String, Option<RawTexts>), SqlError> {
    let mut plain = String::with_capacity(text.len());
    let mark = ('\u{e000}'..'\u{f8ff}').find(|mark| !text.contains(*mark)).unwrap_or_default();
    let mut texts = VecDeque::new();
    let mut rest = text;
    let mut before = ' ';
    while let Some(first) = rest.chars().next() {
        let part = match raw(rest).filter(|_| !is_of_name(before)) {
            Some((all, raw)) => {
                if rest.get(all..).is_some_and(|rest| rest.starts_with(['\'', '"'])) {
                    return Err(Error::invalid(
                        "SQL: a text behind r'…' or r\"…\" is set apart by a blank; a quote inside is written r\"it's\"",
                    )
                    .into());
                }
                // As long as the text, and with its ends of lines.
                plain.extend(['\'', mark]);
                plain.extend(raw.chars().map(|c| if c == '\n' { c } else { mark }));
                plain.push('\'');
                texts.push_back(raw.to_owned());
                all
            }
            None => {
                let part = apart(rest).unwrap_or(first.len_utf8());
                plain.push_str(rest.get(..part).unwrap_or_default());
                part
            }
        };
        let (done, after) = rest.split_at(part);
        before = done.chars().next_back().unwrap_or(' ');
        rest = after;
    }
    let raw = (!texts.is_empty()).then_some(RawTexts { mark, texts });
    Ok((plain, raw))
}

fn is_of_name(c: char) -> bool {
    c.is_alphanumeric() || "_.`".contains(c)
}

/// The raw text that this begins with, and how long it is with what is around it.
fn raw(text: &str) -> Option<(usize, &str)> {
    let quote = text.strip_prefix(['r', 'R'])?.chars().next().filter(|c| ['\'', '"'].contains(c))?;
    let inner = text.get(2..)?;
    let end = inner.find(quote)?;
    Some((end + 3, inner.get(..end)?))
}

/// How long the text, the name in quotes or the comment is that this begins with, if it does.
fn apart(text: &str) -> Option<usize> {
    let first = text.chars().next()?;
    if text.starts_with("--") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    if text.starts_with("/*") {
        return Some(comment(text));
    }
    if !['\'', '"', '`'].contains(&first) {
        return None;
    }
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        if escaped {
            escaped = false;
        } else if c == '\\' && first != '`' {
            escaped = true;
        } else if c == first {
            return Some(at + 1);
        }
    }
    Some(text.len())
}

/// How long the comment is that this begins with, with those inside it.
fn comment(text: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let step = if rest.starts_with("/*") {
            depth += 1;
            2
        } else if rest.starts_with("*/") {
            depth -= 1;
            2
        } else {
            rest.chars().next().map_or(1, char::len_utf8)
        };
        at += step;
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::Sql;

    fn texts(sql: &str) -> Vec<(String, u64, u64)> {
        let tokens = tokens(sql).unwrap();
        let text = |token: TokenWithSpan| match token.token {
            Token::SingleQuotedString(text) => Some((text, token.span.start.line, token.span.start.column)),
            _ => None,
        };
        tokens.into_iter().filter_map(text).collect()
    }

    #[test]
    fn in_a_raw_text_a_backslash_is_a_backslash_and_everything_keeps_its_place() {
        let of = |text: &str, line, column| (text.to_owned(), line, column);
        assert_eq!(
            texts(r#"SELECT r'\d+\', 'a' , R"it's\n" -- r'no'"#),
            [of(r"\d+\", 1, 8), of("a", 1, 17), of(r"it's\n", 1, 23)]
        );
        assert_eq!(texts("SELECT r'\\a\n\\b', 'c'"), [of("\\a\n\\b", 1, 8), of("c", 2, 6)]);
        assert_eq!(texts(r"SELECT 'r', '\'r', `r'x`, /* r'y' /* ' */ */ 'z'").len(), 3);
        assert_eq!(texts("SELECT r FROM t WHERE r='x'"), [of("x", 1, 25)]);
        let refused = Sql::parse("SELECT r'it''s'").unwrap_err().error.report();
        assert!(refused.contains("set apart by a blank"), "{refused}");
    }

    #[test]
    fn a_chain_of_operators_without_end_is_refused_with_its_place() {
        let sum = format!("SELECT 1\n{} AS x FROM t", "+ 1 ".repeat(300_000));
        let refused = Sql::parse(&sum).unwrap_err();
        assert!(refused.error.report().contains("more than 10000 operators"), "{}", refused.error.report());
        // Of the operators, SELECT is the first.
        assert_eq!(refused.at, Some((2, 39_997)));
        for long in [
            format!("SELECT k FROM t WHERE {} k = 1", "k = 0 OR ".repeat(10_000)),
            format!("SELECT {}1", "abs(1), ".repeat(20_000)),
            format!("SELECT {}1", "- ".repeat(20_000)),
        ] {
            let refused = Sql::parse(&long).unwrap_err().error.report();
            assert!(refused.contains("more than 10000 operators"), "{refused}");
        }
        let list = format!("SELECT k FROM t WHERE k IN ({}1)", "1, ".repeat(20_000));
        assert!(Sql::parse(&list).is_ok());
    }
}
