//! `inspect`: what a plugin is, imports and asks for.

use crate::process;
use engine::Result;
use plugin::{Plugin, Role};
use std::{fmt::Write, path::Path};

pub(crate) fn inspect(path: &Path) -> Result<()> {
    let text = process::block_on(async { Ok(text(&process::world()?.load(path).await?)) })?;
    crate::print(&text)
}

fn text(plugin: &Plugin) -> String {
    let about = plugin.description();
    let list = |items: &[String]| if items.is_empty() { "nothing".into() } else { items.join(", ") };
    let worlds: Vec<&str> = plugin.roles().into_iter().map(world).collect();
    let mut out = String::new();
    let mut line = |what: &str, value: &str| {
        let _ = writeln!(out, "{what:<14} {value}");
    };
    line("name", &about.name);
    line("version", &about.version);
    line("summary", &about.summary);
    line("world", &worlds.join(", "));
    line("deterministic", if about.deterministic { "yes" } else { "no" });
    line("asks for", &list(&about.asks));
    line("imports", &list(plugin.imports()));
    line("exports", &list(plugin.exports()));
    line("size", &format!("{} bytes", plugin.bytes()));
    line("digest", plugin.digest());
    line("config", &config(&about.config_schema));
    out
}

fn world(role: Role) -> &'static str {
    match role {
        Role::Transform => "stateless",
        Role::Keyed => "stateful",
        Role::BatchSink => "batch-sink",
        Role::Functions => "sql-functions",
    }
}

/// The schema as JSON on lines of its own; a guest's text that is no JSON is shown escaped.
fn config(schema: &str) -> String {
    match serde_json::from_str::<serde_json::Value>(schema) {
        Ok(value) => serde_json::to_string_pretty(&value).unwrap_or_default(),
        Err(_) => schema.escape_debug().to_string(),
    }
}
