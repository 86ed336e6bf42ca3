//! Spark's patterns of dates and times: `yyyy-MM-dd HH:mm:ss`.
//!
//! | letters | meaning |
//! | --- | --- |
//! | `y`, `M` `L`, `d`, `D`, `Q` `q` | year, month (`MMM` its name), day, day of the year, quarter |
//! | `E` | day of the week by its name |
//! | `H`, `k`, `K`, `h`, `a` | hour: 0 to 23, 1 to 24, 0 to 11, 1 to 12, AM or PM |
//! | `m`, `s`, `S` | minute, second, digits of the fraction |
//! | `V`, `z`, `O`, `X`, `x`, `Z` | zone: its name, its abbreviation, its offset |
//! | `'…'`, `[…]` | text as it is; what may be left out |

use datafusion_common::{Result, exec_err};
use jiff::{
    Timestamp,
    civil::{Date, DateTime, Time},
    tz::{Offset, TimeZone},
};
use std::fmt::Write;

use crate::sql::functions::zone;

/// A pattern, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    /// A letter, and how often it stands there.
    Field(char, usize),
    Optional(Vec<Piece>),
}

const FIELDS: &str = "yMLdDQqEHkKhamsSVzOXxZ";

impl Pattern {
    pub(crate) fn new(text: &str) -> Result<Pattern> {
        let mut chars = text.chars().peekable();
        let mut open: Vec<Vec<Piece>> = vec![Vec::new()];
        while let Some(c) = chars.next() {
            let piece = match c {
                '\'' => Piece::Text(quoted(&mut chars)),
                '[' => {
                    open.push(Vec::new());
                    continue;
                }
                ']' => match (open.pop(), open.is_empty()) {
                    (Some(inner), false) => Piece::Optional(inner),
                    _ => return exec_err!("{text:?}: there is no [ to this ]"),
                },
                c if FIELDS.contains(c) => {
                    let mut count = 1;
                    while chars.next_if_eq(&c).is_some() {
                        count += 1;
                    }
                    Piece::Field(c, count)
                }
                c if c.is_ascii_alphabetic() || c == '{' || c == '}' || c == '#' => {
                    return exec_err!(
                        "{text:?} is no pattern of times: {c:?} has no meaning; letters of text stand in '…'"
                    );
                }
                c => Piece::Text(c.into()),
            };
            if let Some(pieces) = open.last_mut() {
                pieces.push(piece);
            }
        }
        match open.pop() {
            Some(pieces) if open.is_empty() => Ok(Pattern(pieces)),
            _ => exec_err!("{text:?}: a [ has no ]"),
        }
    }

    /// A time as the pattern shows it.
    pub(super) fn show(&self, micros: i64, zone: &TimeZone) -> Option<String> {
        let clock = Clock { time: zone::local(micros, zone)?, micros, zone };
        let mut text = String::new();
        show(&self.0, &clock, &mut text)?;
        Some(text)
    }

    /// The time that a text shows; what has no zone is of `zone`. None if the text is not of this pattern.
    pub(crate) fn read(&self, text: &str, zone: &TimeZone) -> Option<i64> {
        let mut read = Read::default();
        let rest = read.pieces(&self.0, text)?;
        rest.is_empty().then(|| read.time(zone))?
    }
}

fn quoted(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> String {
    let mut text = String::new();
    while let Some(c) = chars.next() {
        match c {
            '\'' if chars.next_if_eq(&'\'').is_some() => text.push('\''),
            '\'' => break,
            c => text.push(c),
        }
    }
    // Two quotes that enclose nothing are one.
    if text.is_empty() { "'".into() } else { text }
}

/// What a clock shows, when, and where.
struct Clock<'a> {
    time: DateTime,
    micros: i64,
    zone: &'a TimeZone,
}

fn show(pieces: &[Piece], time: &Clock<'_>, out: &mut String) -> Option<()> {
    for piece in pieces {
        match piece {
            Piece::Text(text) => out.push_str(text),
            Piece::Optional(pieces) => show(pieces, time, out)?,
            Piece::Field(letter, count) => field(*letter, *count, time, out)?,
        }
    }
    Some(())
}

fn field(letter: char, count: usize, clock: &Clock<'_>, out: &mut String) -> Option<()> {
    let time = clock.time;
    let number = match letter {
        'y' if count == 2 => i32::from(time.year()).rem_euclid(100),
        'y' => time.year().into(),
        'M' | 'L' if count < 3 => time.month().into(),
        'Q' | 'q' if count < 3 => quarter(time),
        'd' => time.day().into(),
        'D' => time.day_of_year().into(),
        'H' => time.hour().into(),
        'k' => (i32::from(time.hour()) + 23) % 24 + 1,
        'K' => i32::from(time.hour()) % 12,
        'h' => (i32::from(time.hour()) + 11) % 12 + 1,
        'm' => time.minute().into(),
        's' => time.second().into(),
        'S' => {
            let digits = format!("{:09}", time.subsec_nanosecond());
            out.push_str(digits.get(..count.min(9))?);
            return Some(());
        }
        _ => return text(letter, count, clock, out),
    };
    write!(out, "{number:0count$}").ok()
}

/// The fields that are no numbers.
fn text(letter: char, count: usize, clock: &Clock<'_>, out: &mut String) -> Option<()> {
    let time = clock.time;
    let offset = zone::offset(clock.micros, clock.zone);
    let name = |format: &str| time.strftime(format).to_string();
    let shown = match (letter, count) {
        ('M' | 'L', 3) => name("%b"),
        ('M' | 'L', _) => name("%B"),
        ('E', 1..=3) => name("%a"),
        ('E', _) => name("%A"),
        ('a', _) => name("%p"),
        ('Q' | 'q', 3) => format!("Q{}", quarter(time)),
        ('Q' | 'q', _) => {
            let ordinal = ["st", "nd", "rd", "th"].get(usize::try_from(quarter(time) - 1).ok()?)?;
            format!("{}{ordinal} quarter", quarter(time))
        }
        ('V', _) => clock.zone.iana_name().map_or_else(|| offset.to_string(), str::to_owned),
        ('z', _) => {
            let instant = Timestamp::from_microsecond(clock.micros).unwrap_or(Timestamp::MAX);
            clock.zone.to_offset_info(instant).abbreviation().to_owned()
        }
        _ => from_utc(letter, count, offset),
    };
    out.push_str(&shown);
    Some(())
}

fn quarter(time: DateTime) -> i32 {
    i32::from((time.month() + 2) / 3)
}

fn from_utc(letter: char, count: usize, of: Offset) -> String {
    let seconds = of.seconds();
    let sign = if seconds < 0 { '-' } else { '+' };
    let (hours, minutes) = (seconds.abs() / 3600, seconds.abs() / 60 % 60);
    match (letter, count) {
        ('X', _) if seconds == 0 => "Z".into(),
        ('X' | 'x', 1) if minutes == 0 => format!("{sign}{hours:02}"),
        ('X' | 'x', 1 | 2 | 4) | ('Z', 1..=3) => format!("{sign}{hours:02}{minutes:02}"),
        ('X' | 'x' | 'Z', 3 | 5) => format!("{sign}{hours:02}:{minutes:02}"),
        _ if seconds == 0 => "GMT".into(),
        ('O', 1) if minutes == 0 => format!("GMT{sign}{hours}"),
        ('O', 1) => format!("GMT{sign}{hours}:{minutes:02}"),
        _ => format!("GMT{sign}{hours:02}:{minutes:02}"),
    }
}

/// What has been read so far.
#[derive(Clone, Debug, Default)]
struct Read {
    year: Option<i32>,
    month: Option<i32>,
    day: Option<i32>,
    day_of_year: Option<i32>,
    hour: Option<i32>,
    /// An hour from 0 to 11, and whether it is of the afternoon.
    half: Option<i32>,
    afternoon: Option<bool>,
    minute: i32,
    second: i32,
    nanos: i32,
    zone: Option<TimeZone>,
}

impl Read {
    /// Reads pieces from the front of a text; answers the rest.
    fn pieces<'t>(&mut self, pieces: &[Piece], mut text: &'t str) -> Option<&'t str> {
        for (at, piece) in pieces.iter().enumerate() {
            text = match piece {
                Piece::Text(expected) => text.strip_prefix(expected.as_str())?,
                Piece::Optional(inner) => {
                    let mut trial = self.clone();
                    match trial.pieces(inner, text) {
                        Some(rest) => {
                            *self = trial;
                            rest
                        }
                        None => text,
                    }
                }
                Piece::Field(letter, count) => {
                    let next = matches!(pieces.get(at + 1), Some(Piece::Field(next, _)) if !"EaVzOXxZ".contains(*next));
                    self.field(*letter, *count, next, text)?
                }
            };
        }
        Some(text)
    }

    fn field<'t>(
        &mut self,
        letter: char,
        count: usize,
        digits_follow: bool,
        text: &'t str,
    ) -> Option<&'t str> {
        match (letter, count) {
            ('M' | 'L', 3..) => return self.month_by_name(count, text),
            ('E', _) => return weekday(count, text),
            ('a', _) => {
                let (half, rest) = text.split_at_checked(2)?;
                self.afternoon = Some(half.eq_ignore_ascii_case("pm"));
                return (half.eq_ignore_ascii_case("am") || self.afternoon == Some(true)).then_some(rest);
            }
            ('V' | 'z' | 'O' | 'X' | 'x' | 'Z', _) => return self.zone(text),
            _ => {}
        }
        let most = match (letter, count) {
            ('y', 2) | ('M' | 'L' | 'd' | 'H' | 'k' | 'K' | 'h' | 'm' | 's', _) => 2,
            ('S', count) => count.min(9),
            ('D', _) => 3,
            ('y', _) => 9,
            _ => 1,
        };
        let most = if digits_follow { count } else { most };
        let length = text.bytes().take(most).take_while(u8::is_ascii_digit).count();
        let least = if letter == 'S' { 1 } else { count };
        let (digits, rest) = text.split_at_checked(length)?;
        let number: i32 = if length < least { None } else { digits.parse().ok() }?;
        self.number(letter, count, number, length)?;
        Some(rest)
    }

    fn number(&mut self, letter: char, count: usize, number: i32, length: usize) -> Option<()> {
        match letter {
            'y' => self.year = Some(if count == 2 { 2000 + number } else { number }),
            'M' | 'L' => self.month = Some(number),
            'd' => self.day = Some(number),
            'D' => self.day_of_year = Some(number),
            'H' => self.hour = Some(number),
            'k' => self.hour = (1..=24).contains(&number).then_some(number % 24),
            'K' => self.half = (0..=11).contains(&number).then_some(number),
            'h' => self.half = (1..=12).contains(&number).then_some(number % 12),
            'm' => self.minute = number,
            's' => self.second = number,
            'S' => self.nanos = number.checked_mul(10_i32.checked_pow(9 - u32::try_from(length).ok()?)?)?,
            _ => {}
        }
        Some(())
    }

    fn month_by_name<'t>(&mut self, count: usize, text: &'t str) -> Option<&'t str> {
        (1..=12).find_map(|month| {
            let first = Date::new(2000, month, 1).ok()?;
            let name = first.strftime(if count == 3 { "%b" } else { "%B" }).to_string();
            let rest = strip(text, &name)?;
            self.month = Some(month.into());
            Some(rest)
        })
    }

    /// A zone's name or offset, up to what cannot be of one.
    fn zone<'t>(&mut self, text: &'t str) -> Option<&'t str> {
        let ends = |c: char| !(c.is_ascii_alphanumeric() || "+-:/_".contains(c));
        let (name, rest) = text.split_at_checked(text.find(ends).unwrap_or(text.len()))?;
        self.zone = Some(zone::named(name).ok()?);
        Some(rest)
    }

    /// Microseconds since 1970. What was not read is as on the first of January 1970, at midnight.
    fn time(&self, zone: &TimeZone) -> Option<i64> {
        let year = i16::try_from(self.year.unwrap_or(1970)).ok()?;
        let date = match self.day_of_year {
            Some(day) => {
                let date = Date::new(year, 1, 1)
                    .ok()?
                    .checked_add(jiff::Span::new().try_days(day - 1).ok()?)
                    .ok()?;
                (date.year() == year).then_some(date)?
            }
            None => {
                let small = |n: Option<i32>| i8::try_from(n.unwrap_or(1)).ok();
                Date::new(year, small(self.month)?, small(self.day)?).ok()?
            }
        };
        let half = self.half.map(|hour| hour + if self.afternoon == Some(true) { 12 } else { 0 });
        let hour = self.hour.or(half).unwrap_or(0);
        let small = |n: i32| i8::try_from(n).ok();
        let time = Time::new(small(hour)?, small(self.minute)?, small(self.second)?, self.nanos).ok()?;
        Some(zone::instant(DateTime::from_parts(date, time), self.zone.as_ref().unwrap_or(zone)))
    }
}

/// Reads over the name of a day of the week.
fn weekday(count: usize, text: &str) -> Option<&str> {
    let format = if count < 4 { "%a" } else { "%A" };
    (1..=7).find_map(|day| strip(text, &Date::new(2024, 1, day).ok()?.strftime(format).to_string()))
}

fn strip<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let (front, rest) = text.split_at_checked(name.len())?;
    front.eq_ignore_ascii_case(name).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: i64 = 1_740_832_496_123_456;

    fn shown(pattern: &str) -> String {
        Pattern::new(pattern).unwrap().show(TIME, &zone::named("America/New_York").unwrap()).unwrap()
    }

    #[test]
    fn a_time_is_shown_as_the_pattern_says() {
        for (pattern, text) in [
            ("yyyy-MM-dd HH:mm:ss.SSS", "2025-03-01 07:34:56.123"),
            ("yyyy-MM-dd'T'HH:mm:ssXXX", "2025-03-01T07:34:56-05:00"),
            ("EEE, d MMM yy h:mm a", "Sat, 1 Mar 25 7:34 AM"),
            ("EEEE MMMM D Q QQQ z VV", "Saturday March 60 1 Q1 EST America/New_York"),
            ("''yyyy'''o'", "'2025'o"),
        ] {
            assert_eq!(shown(pattern), text, "{pattern}");
        }
    }

    #[test]
    fn what_is_shown_is_read_again() {
        let zone = zone::named("America/New_York").unwrap();
        for (pattern, micros) in [
            ("yyyyMMddHHmmss", 56_000_000),
            ("d.M.y H:m:s.SSSSSS", 56_123_456),
            ("MMM dd yyyy hh:mm:ss a X", 56_000_000),
            ("EEEE, dd MMMM yyyy HH:mm:ss[ VV]", 56_000_000),
        ] {
            let pattern = Pattern::new(pattern).unwrap();
            let text = pattern.show(TIME, &zone).unwrap();
            assert_eq!(pattern.read(&text, &zone), Some(TIME - 56_123_456 + micros), "{text}");
        }
        let day = Pattern::new("yyyy-MM-dd[ HH:mm]").unwrap();
        assert_eq!(day.read("1970-01-02", &TimeZone::UTC), Some(zone::DAY));
        assert_eq!(day.read("1970-01-02 x", &TimeZone::UTC), None);
        assert_eq!(day.read("1970-1-2", &TimeZone::UTC), None);
    }

    #[test]
    fn a_letter_without_a_meaning_is_no_pattern() {
        for wrong in ["yyyy-MM-ddTHH", "YYYY", "[yyyy", "yyyy]"] {
            assert!(Pattern::new(wrong).is_err(), "{wrong}");
        }
    }
}
