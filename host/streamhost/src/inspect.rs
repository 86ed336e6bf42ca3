//! `inspect`: what a plugin is, imports and asks for.

use crate::{cli::InspectArgs, process};
use arrow::datatypes::{FieldRef, Schema};
use connectors::formats::ddl;
use engine::{
    Error, FunctionSignature, Keyed, Result, Step,
    keyed::{TableKind, TableSpec},
};
use pipeline::explain::outputs;
use plugin::{BindSettings, FunctionSettings, KeyedSettings, Plugin, Role, SinkSettings};
use std::{fmt::Write, path::Path, sync::Arc};

pub(crate) fn inspect(args: &InspectArgs, registry: Option<&Path>) -> Result<()> {
    let text = process::block_on(async {
        let plugin = process::world(registry)?.load(&args.plugin).await?;
        let has_functions = plugin.roles().contains(&Role::Functions);
        if args.config.is_some() && args.schema.is_none() && !has_functions {
            return Err(Error::invalid("--config: of this plugin it says something with --schema alone"));
        }
        let config = args.config.as_deref();
        let mut text = text(&plugin);
        if has_functions {
            text += &functions(&plugin, config).await?;
        }
        match &args.schema {
            Some(schema) => text += &bound(&plugin, schema, &args.keys, config.unwrap_or("{}")).await?,
            None if plugin.roles().contains(&Role::Keyed) => {
                text += "tables         told with --schema and --keys\n";
            }
            None => {}
        }
        Ok(text)
    })?;
    crate::print(&text)
}

/// How each function of a plugin is called, a line each.
async fn functions(plugin: &Plugin, config: Option<&str>) -> Result<String> {
    let to = config.map_or_else(|| "{}".into(), str::to_owned);
    let bound = match plugin
        .bind_functions(FunctionSettings { config: to, ..FunctionSettings::new("inspect") })
        .await
    {
        Ok(bound) => bound,
        Err(e) if config.is_none() => {
            return Ok(format!("functions      told with --config: {}\n", e.report()));
        }
        Err(e) => return Err(e),
    };
    let line = |name: &str| {
        let function = bound.function(name)?;
        let FunctionSignature { arguments, returns } = function.signature();
        let arguments = ddl::print(&Schema::new(arguments.clone()));
        let returns = ddl::print_type(returns.data_type());
        let once = if function.facts().deterministic { "" } else { ", not deterministic" };
        Ok(format!("function       {name}({arguments}) → {returns}{once}\n"))
    };
    bound.names().map(line).collect()
}

/// What a plugin does with these columns, a line each.
async fn bound(plugin: &Plugin, schema: &str, keys: &[String], config: &str) -> Result<String> {
    let input = ddl::parse(schema).map_err(|e| e.while_doing("--schema"))?;
    let (input, config) = (Arc::new(input), config.to_owned());
    let roles = plugin.roles();
    if roles.contains(&Role::Keyed) && (!keys.is_empty() || !roles.contains(&Role::Transform)) {
        let bind = BindSettings { config, ..BindSettings::new("inspect", input) };
        return kept(plugin, KeyedSettings { bind, keys: keys.to_vec() }).await;
    }
    if !keys.is_empty() {
        return Err(Error::invalid("--keys: this plugin keeps no state; leave it out"));
    }
    if !plugin.roles().contains(&Role::Transform) {
        let sink = plugin.bind_sink(SinkSettings { config, ..SinkSettings::new("inspect", input) }).await?;
        let outputs = sink.outputs().iter();
        let outputs = outputs.map(|o| format!("writes to `{}`: {}\n", o.name, ddl::print(&o.schema)));
        return Ok(format!("reads {}\n", sink.reads()) + &outputs.collect::<String>());
    }
    let step = plugin.bind(BindSettings { config, ..BindSettings::new("inspect", input) }).await?;
    let lines = step.columns().into_iter().chain(outputs(step.ports()));
    Ok(lines.map(|line| line + "\n").collect())
}

/// What a plugin keeps by key, and what leaves, a line each.
async fn kept(plugin: &Plugin, settings: KeyedSettings) -> Result<String> {
    if settings.keys.is_empty() {
        return Err(Error::invalid("this plugin keeps state by key: name columns of the schema with --keys"));
    }
    let keys = settings.keys.join(", ");
    let step = plugin.bind_keyed(settings).await?;
    let columns = |fields: &[FieldRef]| ddl::print(&Schema::new(fields.to_vec()));
    let tables = step.tables().iter().map(|table| {
        let TableSpec { name, kind, value, version, ttl } = table.spec();
        let holds = match kind {
            TableKind::Value => format!("a value of {}", columns(value)),
            TableKind::Sequence => format!("a list of {}", columns(value)),
            TableKind::Mapping(second) => format!("a mapping of {} to {}", columns(second), columns(value)),
        };
        let ttl = ttl.map(|ttl| format!(", for {:?}", std::time::Duration::from_micros(ttl.unsigned_abs())));
        format!("table `{name}`: {holds}{}, version {version}", ttl.unwrap_or_default())
    });
    let lines = [format!("by {keys}"), format!("reads {}", step.column_names())];
    let lines = lines.into_iter().chain(tables).chain(outputs(step.ports()));
    Ok(lines.map(|line| line + "\n").collect())
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
