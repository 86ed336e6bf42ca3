//! Dates as days since 1970-01-01, and as text.

use streamhost::arrow::array::StringArray;
use streamhost::arrow::array::types::{Date32Type, TimestampMicrosecondType};
use streamhost::arrow::datatypes::{DataType, TimeUnit};
use streamhost::prelude::*;

const MICROS_A_DAY: i64 = 86_400_000_000;

/// The date of each row.
pub(crate) fn days(batch: &RecordBatch, column: &str) -> Result<Vec<Option<i32>>> {
    let Some(dates) = batch.column_by_name(column) else {
        return Err(Error::invalid(format!("there is no column `{column}`")));
    };
    match dates.data_type() {
        DataType::Date32 => Ok(dates.as_primitive::<Date32Type>().iter().collect()),
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            let times = dates.as_primitive::<TimestampMicrosecondType>();
            Ok(times.iter().map(|time| time.map(|micros| micros.div_euclid(MICROS_A_DAY) as i32)).collect())
        }
        other => Err(Error::invalid(format!("column `{column}` has type {other}, which has no date"))),
    }
}

/// Year, month and day of the proleptic Gregorian calendar. Eras of 400 years are all alike, and a year that begins in March has
/// its odd day at the end.
pub(crate) fn civil(day: i32) -> (i64, i64, i64) {
    let day = i64::from(day) + 719_468;
    let (era, day) = (day.div_euclid(146_097), day.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let (day, month) = (day - (153 * month + 2) / 5 + 1, if month < 10 { month + 3 } else { month - 9 });
    (year + era * 400 + i64::from(month <= 2), month, day)
}

/// The day of a date written `2025-03-01`.
pub(crate) fn parse(text: &str) -> Option<i32> {
    let mut parts = text.splitn(3, '-').map(str::parse::<i64>);
    let (year, month, day) = (parts.next()?.ok()?, parts.next()?.ok()?, parts.next()?.ok()?);
    if !(0..10_000).contains(&year) {
        return None;
    }
    // March is month 0 of a year that began then.
    let (march, from_march) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, of_era) = (march.div_euclid(400), march.rem_euclid(400));
    let of_year = (153 * from_march + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    i32::try_from(days).ok().filter(|days| civil(*days) == (year, month, day))
}

/// A text with places for the parts of a date.
pub(crate) struct Pattern(Vec<Part>);

enum Part {
    Text(String),
    Year,
    Month,
    Day,
}

impl Pattern {
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once('{') {
            let Some((name, behind)) = behind.split_once('}') else {
                return Err(Error::invalid(format!("config: text: `{text}` has a `{{` and no `}}` to it")));
            };
            parts.push(Part::Text(before.into()));
            parts.push(match name {
                "year" => Part::Year,
                "month" => Part::Month,
                "day" => Part::Day,
                _ => {
                    return Err(Error::invalid(format!(
                        "config: text: {{{name}}} is none of {{year}}, {{month}} and {{day}}"
                    )));
                }
            });
            rest = behind;
        }
        parts.push(Part::Text(rest.into()));
        Ok(Self(parts))
    }

    /// The text of each day. Rows of a day mostly come together, so a text is made where the day changes.
    pub(crate) fn texts(&self, days: &[Option<i32>]) -> StringArray {
        let mut last: Option<(i32, String)> = None;
        let texts = days.iter().map(|day| {
            let day = (*day)?;
            match &last {
                Some((of, text)) if *of == day => Some(text.clone()),
                _ => Some(last.insert((day, self.text(day))).1.clone()),
            }
        });
        texts.collect()
    }

    fn text(&self, day: i32) -> String {
        let (year, month, day) = civil(day);
        let part = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Year => format!("{year:04}"),
            Part::Month => format!("{month:02}"),
            Part::Day => format!("{day:02}"),
        };
        self.0.iter().map(part).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_dates_go_both_ways() {
        for (day, date) in
            [(0, "1970-01-01"), (-1, "1969-12-31"), (11_016, "2000-02-29"), (20_148, "2025-03-01")]
        {
            assert_eq!(parse(date), Some(day), "{date}");
            let pattern = Pattern::parse("{year}-{month}-{day}").expect("a pattern");
            assert_eq!(pattern.text(day), date);
        }
        assert_eq!(["2025-02-29", "2025-13-01", "2025-03", "x"].map(parse), [None; 4]);
    }

    #[test]
    fn a_pattern_that_is_none_is_refused() {
        let refusal = |text| Pattern::parse(text).err().map(|error| error.to_string());
        assert_eq!(
            refusal("t_{hour}").as_deref(),
            Some("config: text: {hour} is none of {year}, {month} and {day}")
        );
        assert_eq!(refusal("t_{day").as_deref(), Some("config: text: `t_{day` has a `{` and no `}` to it"));
        let pattern = Pattern::parse("events_{year}_{month}").expect("a pattern");
        assert_eq!(pattern.text(20_148), "events_2025_03");
    }
}
