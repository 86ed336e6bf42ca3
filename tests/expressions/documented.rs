//! The table of what differs.

use std::{collections::BTreeMap, fs, path::PathBuf};

/// An expression that has another answer here.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Difference {
    pub(super) expression: String,
    pub(super) spark: String,
    pub(super) ours: String,
}

const HEAD: &str = "| expression | Spark | streamhost | why |\n| --- | --- | --- | --- |\n";

/// What the documentation says.
pub(super) struct Documented {
    /// Everything before the table.
    before: String,
    rows: Vec<(Difference, String)>,
}

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../host/engine/src/sql/README.md")
}

impl Documented {
    pub(super) fn read() -> Documented {
        let text = fs::read_to_string(path()).unwrap();
        let (before, table) = text.split_once(HEAD).expect("the table of differences ends the page");
        let rows = table.lines().map(|line| {
            let hidden = line.replace("\\|", "\u{0}");
            let cells: Vec<String> =
                hidden.split('|').map(|cell| cell.trim().replace('\u{0}', "|")).collect();
            let [_, expression, spark, ours, why, _] = &cells[..] else {
                panic!("no row of the table: {line}")
            };
            let expression = expression.trim_matches('`').trim().to_owned();
            (Difference { expression, spark: spark.clone(), ours: ours.clone() }, why.clone())
        });
        Documented { before: before.to_owned(), rows: rows.collect() }
    }

    /// Fails with what is not documented, what is documented and is not so, and what lacks a reason.
    pub(super) fn check(&self, differences: &[Difference]) {
        let documented: BTreeMap<&str, &Difference> =
            self.rows.iter().map(|(row, _)| (row.expression.as_str(), row)).collect();
        let found = firsts(differences);
        let mut wrong = Vec::new();
        for (expression, difference) in &found {
            let difference = printed(difference);
            match documented.get(expression) {
                None => wrong.push(format!("not documented: {difference:?}")),
                Some(row) if **row != difference => {
                    wrong.push(format!("documented as {row:?}: {difference:?}"))
                }
                Some(_) => {}
            }
        }
        let same = documented.keys().filter(|expression| !found.contains_key(*expression));
        wrong.extend(same.map(|expression| format!("documented, but as in Spark: {expression}")));
        let mute = self.rows.iter().filter(|(_, why)| why.is_empty());
        wrong.extend(mute.map(|(row, _)| format!("no reason is given: {}", row.expression)));
        assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
    }

    /// Writes the table anew. Reasons are kept.
    pub(super) fn write(&self, differences: &[Difference]) {
        let why: BTreeMap<&str, &str> =
            self.rows.iter().map(|(row, why)| (row.expression.as_str(), why.as_str())).collect();
        let mut seen = Vec::new();
        let mut text = format!("{}{HEAD}", self.before);
        for difference in differences {
            if seen.contains(&&difference.expression) {
                continue;
            }
            seen.push(&difference.expression);
            let Difference { expression, spark, ours } = printed(difference);
            let why = why.get(expression.as_str()).copied().unwrap_or_default();
            let cells = [format!("`{expression}`"), spark, ours, why.to_owned()];
            text.push_str(&format!("| {} |\n", cells.map(|cell| cell.replace('|', "\\|")).join(" | ")));
        }
        fs::write(path(), text).unwrap();
    }
}

/// The first difference of each expression.
fn firsts(differences: &[Difference]) -> BTreeMap<&str, &Difference> {
    differences.iter().rev().map(|difference| (difference.expression.as_str(), difference)).collect()
}

/// As it stands in a table: on one line, and not too long.
fn printed(difference: &Difference) -> Difference {
    let cell = |text: &str| -> String {
        let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let short: String = line.chars().take(120).collect();
        if short.len() < line.len() { format!("{}…", short.trim_end()) } else { short }
    };
    Difference {
        expression: difference.expression.trim().to_owned(),
        spark: cell(&difference.spark),
        ours: cell(&difference.ours),
    }
}
