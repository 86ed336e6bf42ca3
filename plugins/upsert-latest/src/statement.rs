//! The statement, as PostgreSQL and SQLite have it.

use streamhost::arrow::datatypes::Schema;

use crate::Config;

/// Inserts a row, or updates the one of its key if that is not newer.
pub(crate) fn upsert(config: &Config, columns: &Schema) -> String {
    let names: Vec<String> = columns.fields().iter().map(|field| quoted(field.name())).collect();
    let places: Vec<String> = (1..=names.len()).map(|n| format!("${n}")).collect();
    let keys: Vec<String> = config.keys.iter().map(|key| quoted(key)).collect();
    let sets: Vec<String> = names
        .iter()
        .filter(|name| !keys.contains(name))
        .map(|name| format!("{name} = excluded.{name}"))
        .collect();
    let table: Vec<String> = config.table.split('.').map(quoted).collect();
    let (table, newest) = (table.join("."), quoted(&config.newest));
    format!(
        "INSERT INTO {table} AS kept ({}) VALUES ({}) ON CONFLICT ({}) DO UPDATE SET {} \
         WHERE kept.{newest} IS NULL OR excluded.{newest} >= kept.{newest}",
        names.join(", "),
        places.join(", "),
        keys.join(", "),
        sets.join(", ")
    )
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
