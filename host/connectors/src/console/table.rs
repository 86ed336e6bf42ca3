use crate::formats::encode::cell::{Style, cells};
use arrow::array::RecordBatch;
use engine::Result;
use std::fmt::Write;

/// Spark's: so that a table of short columns is not cramped.
const MIN_WIDTH: usize = 3;

/// The first rows of a partition, as text, and how many there were.
#[derive(Default)]
pub(super) struct Head {
    pub(super) rows: Vec<Vec<String>>,
    pub(super) total: u64,
}

impl Head {
    /// Counts the rows and keeps those that are still among the first `most`.
    pub(super) fn push(&mut self, rows: &RecordBatch, most: usize, style: &Style) -> Result<()> {
        self.total += rows.num_rows() as u64;
        let rows = rows.slice(0, rows.num_rows().min(most.saturating_sub(self.rows.len())));
        let from = self.rows.len();
        self.rows.resize_with(from + rows.num_rows(), Vec::new);
        for column in rows.columns() {
            let cell = cells(column, style)?;
            for (i, row) in self.rows.iter_mut().skip(from).enumerate() {
                let mut text = String::new();
                match column.is_null(i) {
                    true => text.push_str("NULL"),
                    false => cell(i, &mut text),
                }
                row.push(text);
            }
        }
        Ok(())
    }
}

/// The table of an epoch.
pub(super) struct Table {
    /// The names of the columns first.
    lines: Vec<Vec<String>>,
    truncate: Option<usize>,
}

impl Table {
    pub(super) fn new(columns: &[String], truncate: Option<usize>) -> Self {
        Table { lines: vec![columns.iter().map(|name| printable(name)).collect()], truncate }
    }

    /// Appends rows as long as there are fewer than `most`, the names aside.
    pub(super) fn push(&mut self, rows: Vec<Vec<String>>, most: usize) {
        let room = (most + 1).saturating_sub(self.lines.len());
        let shown = |text: String| cut(printable(&text), self.truncate);
        let rows = rows.into_iter().take(room).map(|row| row.into_iter().map(shown).collect());
        self.lines.extend(rows.collect::<Vec<_>>());
    }

    /// The text of the table, of `total` rows altogether.
    pub(super) fn show(&self, total: u64) -> String {
        let widths = self.widths();
        let rule =
            widths.iter().fold(String::from("+"), |rule, width| rule + &"-".repeat(*width) + "+") + "\n";
        let mut text = rule.clone();
        for (i, line) in self.lines.iter().enumerate() {
            self.line(line, &widths, &mut text);
            if i == 0 {
                text.push_str(&rule);
            }
        }
        text.push_str(&rule);
        let shown = self.lines.len() - 1;
        if total > shown as u64 {
            let _ = writeln!(text, "only showing top {shown} {}", if shown == 1 { "row" } else { "rows" });
        }
        text
    }

    fn line(&self, line: &[String], widths: &[usize], text: &mut String) {
        text.push('|');
        for (cell, width) in line.iter().zip(widths) {
            let padding = " ".repeat(width - half_widths(cell));
            // Spark's: cut values to the right, whole ones to the left.
            let (left, right) =
                if self.truncate.is_some() { (padding.as_str(), "") } else { ("", padding.as_str()) };
            let _ = write!(text, "{left}{cell}{right}|");
        }
        text.push('\n');
    }

    fn widths(&self) -> Vec<usize> {
        let columns = self.lines.first().map_or(0, Vec::len);
        let width =
            |column: usize| self.lines.iter().filter_map(|l| l.get(column)).map(|c| half_widths(c)).max();
        (0..columns).map(|column| width(column).unwrap_or(0).max(MIN_WIDTH)).collect()
    }
}

/// Control characters, which could move the cursor or worse, as their escapes.
fn printable(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        match c.is_control() {
            true => out.extend(c.escape_default()),
            false => out.push(c),
        }
        out
    })
}

fn cut(text: String, at: Option<usize>) -> String {
    match at {
        Some(at) if text.chars().count() > at => {
            let dots = if at < 4 { "" } else { "..." };
            text.chars().take(at - dots.len()).chain(dots.chars()).collect()
        }
        _ => text,
    }
}

/// How many columns of a terminal a text takes: two for a character of the East Asian scripts.
fn half_widths(text: &str) -> usize {
    let wide = |c: char| {
        matches!(c,
            '\u{1100}'..='\u{115F}' | '\u{2E80}'..='\u{A4CF}' | '\u{AC00}'..='\u{D7A3}' | '\u{F900}'..='\u{FAFF}'
            | '\u{FE10}'..='\u{FE19}' | '\u{FE30}'..='\u{FE6F}' | '\u{FF00}'..='\u{FF60}' | '\u{FFE0}'..='\u{FFE6}')
    };
    text.chars().map(|c| if wide(c) { 2 } else { 1 }).sum()
}
