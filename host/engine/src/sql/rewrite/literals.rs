//! Literals that DataFusion reads otherwise: intervals of several units, patterns with an escape of their own.

use super::calls::text;
use crate::{Error, Result};
use datafusion_expr::sqlparser::ast::{DateTimeField, Expr, Interval, Value};

/// `INTERVAL '1 02:03' DAY TO MINUTE` as `INTERVAL '1 day 2 hour 3 minute'`.
pub(super) fn of_units(interval: &mut Interval) -> Result<()> {
    let (Some(from), Some(to)) = (&interval.leading_field, &interval.last_field) else { return Ok(()) };
    let wrong = || {
        let example = "for example INTERVAL '1 02:03:04' DAY TO SECOND or INTERVAL '1-2' YEAR TO MONTH";
        Err(Error::invalid(format!("SQL: {interval} is no interval; write {example}")))
    };
    let Some(written) = string(&interval.value) else { return wrong() };
    let (Some(from), Some(to)) = (place(from), place(to)) else { return wrong() };
    let units = match UNITS.get(from..=to) {
        // Months and days are no parts of one another.
        Some(units) if from < to && (to < 2 || from >= 2) => units,
        _ => return wrong(),
    };
    let trimmed = written.trim();
    let (sign, digits) = match trimmed.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", trimmed.strip_prefix('+').unwrap_or(trimmed)),
    };
    let numbers: Vec<&str> = digits.split([' ', ':', '-']).collect();
    let is_number = |of: &&str| !of.is_empty() && of.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    if numbers.len() != units.len() || !numbers.iter().all(is_number) {
        return wrong();
    }
    let parts = numbers.iter().zip(units).map(|(number, unit)| format!("{sign}{number} {unit}"));
    *interval.value = text(&parts.collect::<Vec<_>>().join(" "));
    (interval.leading_field, interval.last_field) = (None, None);
    Ok(())
}

const UNITS: [&str; 6] = ["year", "month", "day", "hour", "minute", "second"];

fn place(field: &DateTimeField) -> Option<usize> {
    let name = field.to_string().to_lowercase();
    UNITS.iter().position(|unit| *unit == name.trim_end_matches('s'))
}

/// `LIKE 'a!%' ESCAPE '!'` with the escape that every pattern has.
pub(super) fn escaped(like: &mut Expr) -> Result<()> {
    let (Expr::Like { pattern, escape_char, .. } | Expr::ILike { pattern, escape_char, .. }) = like else {
        return Ok(());
    };
    let Some(escape) = escape_char.take() else { return Ok(()) };
    let mut escape = escape.value.into_string().unwrap_or_default().chars().collect::<Vec<_>>().into_iter();
    let (Some(escape), None) = (escape.next(), escape.next()) else {
        return Err(Error::invalid("SQL: LIKE … ESCAPE: the escape is one character, for example '!'"));
    };
    let Some(written) = string(pattern) else {
        return Err(Error::invalid("SQL: LIKE … ESCAPE: the pattern is written down as a text here"));
    };
    if escape == '\\' {
        return Ok(());
    }
    let mut plain = String::new();
    let mut chars = written.chars();
    while let Some(char) = chars.next() {
        match char {
            _ if char == escape => match chars.next() {
                Some(next) if next == '%' || next == '_' => plain.extend(['\\', next]),
                Some(next) if next == escape => plain.push(next),
                _ => {
                    return Err(Error::invalid(format!(
                        "SQL: LIKE '{written}' ESCAPE '{escape}': behind the escape stands %, _ or the escape itself"
                    )));
                }
            },
            '\\' => plain.push_str("\\\\"),
            char => plain.push(char),
        }
    }
    **pattern = text(&plain);
    Ok(())
}

fn string(of: &Expr) -> Option<String> {
    match of {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) | Value::DoubleQuotedString(text) => Some(text.clone()),
            _ => None,
        },
        _ => None,
    }
}
