use datafusion_expr::sqlparser::{
    ast::{BinaryOperator, CastKind, DataType, ExactNumberInfo, Expr, Interval, Value},
    dialect::{Dialect, SparkSqlDialect},
    keywords::Keyword,
    parser::{Parser, ParserError},
    tokenizer::Token,
};

/// Spark's dialect, and `INTERVAL '10 minutes'` beside `INTERVAL 10 MINUTES`.
#[derive(Debug)]
pub(super) struct Spark;

const SPARK: SparkSqlDialect = SparkSqlDialect;

impl Dialect for Spark {
    fn is_delimited_identifier_start(&self, ch: char) -> bool {
        SPARK.is_delimited_identifier_start(ch)
    }
    fn is_identifier_start(&self, ch: char) -> bool {
        SPARK.is_identifier_start(ch)
    }
    fn is_identifier_part(&self, ch: char) -> bool {
        SPARK.is_identifier_part(ch)
    }
    fn supports_filter_during_aggregation(&self) -> bool {
        true
    }
    fn supports_group_by_expr(&self) -> bool {
        true
    }
    fn supports_group_by_with_modifier(&self) -> bool {
        true
    }
    fn supports_lambda_functions(&self) -> bool {
        true
    }
    fn supports_select_wildcard_except(&self) -> bool {
        true
    }
    fn supports_struct_literal(&self) -> bool {
        true
    }
    fn supports_nested_comments(&self) -> bool {
        true
    }
    fn supports_long_type_as_bigint(&self) -> bool {
        true
    }
    fn supports_values_as_table_factor(&self) -> bool {
        true
    }
    fn supports_bang_not_operator(&self) -> bool {
        true
    }
    fn supports_cte_without_as(&self) -> bool {
        true
    }
    fn supports_map_literal_with_angle_brackets(&self) -> bool {
        true
    }
    fn supports_bitwise_shift_operators(&self) -> bool {
        true
    }
    fn supports_string_literal_backslash_escape(&self) -> bool {
        true
    }
    fn ignores_wildcard_escapes(&self) -> bool {
        true
    }
    /// A number with a letter that says its type: `1.5D`, `10S`; `INTERVAL 1 HOUR 30 MINUTES`.
    fn parse_prefix(&self, parser: &mut Parser<'_>) -> Option<Result<Expr, ParserError>> {
        if let Some(interval) = several_units(parser) {
            return Some(Ok(interval));
        }
        // Between the two there is no blank.
        let mut tokens = (0..).map(|n| parser.peek_nth_token_no_skip(n).token);
        let number = tokens.find(|token| !matches!(token, Token::Whitespace(_)))?;
        let (Token::Number(digits, false), Some(Token::Word(word))) = (number, tokens.next()) else {
            return None;
        };
        let data_type = match word.value.to_ascii_uppercase().as_str() {
            "Y" => DataType::TinyInt(None),
            "S" => DataType::SmallInt(None),
            "F" => DataType::Float(ExactNumberInfo::None),
            "D" => DataType::Double(ExactNumberInfo::None),
            "BD" => exact(&digits),
            _ => return None,
        };
        let digits = Value::SingleQuotedString(digits);
        let expr = Box::new(Expr::Value(digits.with_span(parser.peek_token_ref().span)));
        parser.advance_token();
        parser.advance_token();
        Some(Ok(Expr::Cast { kind: CastKind::Cast, expr, data_type, array: false, format: None }))
    }
    /// `div`, which binds as `*` does.
    fn parse_infix(
        &self,
        parser: &mut Parser<'_>,
        expr: &Expr,
        precedence: u8,
    ) -> Option<Result<Expr, ParserError>> {
        let quotient = |right| Expr::BinaryOp {
            left: Box::new(expr.clone()),
            op: BinaryOperator::MyIntegerDivide,
            right: Box::new(right),
        };
        parser.parse_keyword(Keyword::DIV).then(|| parser.parse_subexpr(precedence).map(quotient))
    }
}

/// An interval of two units or more, each behind its number.
fn several_units(parser: &mut Parser<'_>) -> Option<Expr> {
    let Token::Word(word) = &parser.peek_token_ref().token else { return None };
    if word.keyword != Keyword::INTERVAL {
        return None;
    }
    let span = parser.peek_token_ref().span;
    let mut parts = Vec::new();
    let mut at = 1;
    loop {
        let negative = parser.peek_nth_token(at).token == Token::Minus;
        let number = at + usize::from(negative);
        let (of, unit) = (parser.peek_nth_token(number).token, parser.peek_nth_token(number + 1).token);
        let (Token::Number(of, false) | Token::SingleQuotedString(of), Token::Word(unit)) = (of, unit) else {
            break;
        };
        if !UNITS.contains(&unit.value.to_ascii_lowercase().trim_end_matches('s')) {
            break;
        }
        parts.push(format!("{}{of} {}", if negative { "-" } else { "" }, unit.value));
        at = number + 2;
    }
    if parts.len() < 2 {
        return None;
    }
    (0..at).for_each(|_| parser.advance_token());
    let value = Value::SingleQuotedString(parts.join(" ")).with_span(span);
    Some(Expr::Interval(Interval {
        value: Box::new(Expr::Value(value)),
        leading_field: None,
        leading_precision: None,
        last_field: None,
        fractional_seconds_precision: None,
    }))
}

const UNITS: [&str; 9] =
    ["year", "month", "week", "day", "hour", "minute", "second", "millisecond", "microsecond"];

/// The decimal type that has just these digits.
fn exact(digits: &str) -> DataType {
    let (whole, behind) = digits.split_once('.').unwrap_or((digits, ""));
    let (whole, scale) = (whole.trim_start_matches('0').len() as u64, behind.len() as u64);
    DataType::Decimal(ExactNumberInfo::PrecisionAndScale((whole + scale).max(1), scale as i64))
}
