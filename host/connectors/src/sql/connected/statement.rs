//! Statements that a plugin wrote: what they may do to the transaction that they run in, and to the server.
//!
//! A guest is hostile. The user of the connection bounds what its statements can change; what is refused here would reach beyond
//! that: end the epoch's transaction before its mark is in it, change the marks, or have the server read and write files. Nothing is
//! parsed, for who parses differently from the server can be fooled: a word, or a semicolon within, is refused wherever it stands, in
//! a text or a comment too. Values are parameters, so that no statement needs one there.

use super::database::Dialect;
use engine::{Error, Result};

/// What a statement begins with. None of them ends a transaction in any database, as making a table does in some.
const BEGINNINGS: [&str; 8] = ["insert", "update", "delete", "replace", "merge", "select", "with", "values"];

/// All names that are streamhost's own begin so.
const OWN: &str = "streamhost_";

/// What leads out of a database, by its first letters.
pub(super) struct Forbidden {
    /// Words.
    pub(super) words: &'static [&'static str],
    /// What no word begins with.
    pub(super) beginnings: &'static [&'static str],
}

/// The statement without the semicolon at its end; [`engine::Kind::Plugin`] if a plugin may not run it.
pub(super) fn checked<'a>(statement: &'a str, dialect: &Dialect) -> Result<&'a str> {
    let statement = statement.trim().trim_end_matches(';').trim_end();
    match refusal(&statement.to_ascii_lowercase(), dialect) {
        None => Ok(statement),
        Some(why) => Err(Error::plugin(format!("a statement for {} {why}", dialect.name))),
    }
}

fn refusal(statement: &str, dialect: &Dialect) -> Option<String> {
    let first = words(statement).next().filter(|word| statement.starts_with(word)).unwrap_or_default();
    if !BEGINNINGS.contains(&first) {
        return Some(format!(
            "begins with none of {}; these are what a plugin executes, within the transaction of the epoch",
            BEGINNINGS.join(", ").to_ascii_uppercase()
        ));
    }
    if statement.contains([';', '\0']) {
        return Some(
            "has a semicolon or a NUL in it; execute one statement at a time, and give texts as parameters"
                .into(),
        );
    }
    // Names that are written in numbers.
    if statement.contains("u&\"") || statement.contains("u&'") {
        return Some("has text with escapes, `U&`; write it as it is, or give it as a parameter".into());
    }
    let Forbidden { words: whole, beginnings } = dialect.forbidden;
    let forbidden = |word: &&str| {
        word.starts_with(OWN)
            || whole.contains(word)
            || beginnings.iter().any(|beginning| word.starts_with(beginning))
    };
    let word = words(statement).find(forbidden)?;
    Some(format!(
        "has the word {word} in it, which leads out of what a plugin may change; if it is a text, give it as a parameter"
    ))
}

fn words(statement: &str) -> impl Iterator<Item = &str> {
    statement.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::{
        super::{mysql, postgres, sqlite},
        *,
    };

    #[track_caller]
    fn refused(dialect: &Dialect, statement: &str, why: &str) {
        let error = checked(statement, dialect).unwrap_err();
        assert_eq!(error.kind(), engine::Kind::Plugin);
        assert!(error.report().contains(why), "{statement}: {}", error.report());
    }

    #[test]
    fn what_changes_rows_is_left_as_it_is() {
        for dialect in [&sqlite::DIALECT, &postgres::DIALECT, &mysql::DIALECT] {
            for statement in [
                "INSERT INTO t (a) VALUES ($1) ON CONFLICT (a) DO UPDATE SET a = excluded.a",
                "update t set \"begin\" = $1 -- at the end",
                "WITH old AS (SELECT a FROM t) DELETE FROM t WHERE a IN (SELECT a FROM old)",
            ] {
                assert_eq!(checked(statement, dialect).unwrap(), statement);
            }
            assert_eq!(checked("\n DELETE FROM t ;\n", dialect).unwrap(), "DELETE FROM t");
        }
    }

    #[test]
    fn what_ends_the_transaction_or_is_more_than_one_statement_is_refused() {
        for dialect in [&sqlite::DIALECT, &postgres::DIALECT, &mysql::DIALECT] {
            for statement in [
                "COMMIT",
                "/* INSERT */ COMMIT",
                "(SELECT 1)",
                "CREATE TABLE t (a INT)",
                "ATTACH DATABASE '/tmp/x' AS x",
                "PRAGMA writable_schema = 1",
                "CALL out()",
                "",
                ";",
                "é",
            ] {
                refused(dialect, statement, "begins with none of INSERT");
            }
            for statement in ["SELECT 1; COMMIT; DROP TABLE t", "SELECT ';'", "INSERT INTO t VALUES ('\0')"] {
                refused(dialect, statement, "one statement at a time");
            }
        }
    }

    #[test]
    fn the_marks_and_what_leads_out_of_the_database_are_refused() {
        for dialect in [&sqlite::DIALECT, &postgres::DIALECT, &mysql::DIALECT] {
            for statement in [
                "UPDATE streamhost_epochs SET epoch = 9",
                "DELETE FROM \"main\".'STREAMHOST_Epochs'",
                "INSERT INTO streamhost_staging_0 VALUES (1)",
            ] {
                refused(dialect, statement, "has the word streamhost_");
            }
            refused(dialect, "UPDATE U&\"streamhost\\005fepochs\" SET epoch = 9", "`U&`");
        }
        refused(&postgres::DIALECT, "SELECT set_config('role', 'admin', false)", "the word set_config");
        refused(&postgres::DIALECT, "SELECT \"pg_read_file\"('/etc/passwd')", "the word pg_read_file");
        refused(&postgres::DIALECT, "UPDATE pg_settings SET setting = 'off'", "the word pg_settings");
        refused(&mysql::DIALECT, "SELECT a FROM t INTO/**/OUTFILE '/tmp/x'", "the word outfile");
        refused(&sqlite::DIALECT, "SELECT load_extension('x')", "the word load_extension");
    }
}
