//! From the flags of `run` to the table that a pipeline file with the same content would be.

use crate::cli::RunArgs;
use engine::{Error, Result};
use toml::{Table, Value};

/// The pipeline that these flags describe. `config_owner` says for each `--plugin-config` which `--plugin` it follows.
pub(crate) fn pipeline(args: &RunArgs, config_owner: &[usize]) -> Result<Table> {
    let mut pipeline = Table::new();
    overrides(args, &mut pipeline)?;
    let from = args.from.as_deref().ok_or_else(|| {
        Error::invalid("nothing to read: give a pipeline file, or --from with a directory, file or `-`")
    })?;
    if from == "-" && args.trigger.is_none() {
        // Standard input ends; the query ends with it.
        pipeline.insert("trigger".into(), "available-now".into());
    }
    pipeline.insert("sources".into(), one("input", source(args, from)?));
    pipeline.insert("steps".into(), Value::Table(steps(args, config_owner)?));
    pipeline.insert("sinks".into(), Value::Table(sinks(args)?));
    Ok(pipeline)
}

/// Flags that mean the same beside a pipeline file.
pub(crate) fn overrides(args: &RunArgs, pipeline: &mut Table) -> Result<()> {
    if let Some(name) = &args.name {
        pipeline.insert("name".into(), name.as_str().into());
    }
    if let Some(trigger) = &args.trigger {
        pipeline.insert("trigger".into(), self::trigger(trigger));
    }
    if let Some(checkpoint) = &args.checkpoint {
        pipeline.insert("checkpoint".into(), checkpoint.as_str().into());
    }
    if let Some(parallelism) = args.parallelism {
        pipeline.insert("parallelism".into(), i64::from(parallelism).into());
    }
    Ok(())
}

fn trigger(text: &str) -> Value {
    let interval = |kind: &str, interval: &str| one(kind, interval.into());
    match text.split_once('=') {
        Some((kind, time)) => interval(kind, time),
        None if text.starts_with(|c: char| c.is_ascii_digit()) => interval("processing-time", text),
        None => text.into(),
    }
}

fn source(args: &RunArgs, from: &str) -> Result<Value> {
    let mut connector = Table::new();
    let kind = match from.strip_prefix("socket:") {
        Some(address) => {
            let (host, port) = address.rsplit_once(':').ok_or_else(|| {
                Error::invalid(format!(
                    "--from {from}: write socket:HOST:PORT, such as socket:localhost:9999"
                ))
            })?;
            connector.insert("host".into(), host.into());
            connector.insert("port".into(), scalar(port));
            "socket"
        }
        None if from == "rate" => "rate",
        None if from == "-" => "stdin",
        None => {
            connector.insert("path".into(), from.into());
            "files"
        }
    };
    if let Some(format) = &args.format {
        connector.insert("format".into(), format.as_str().into());
    }
    options("--from-option", &args.from_option, &mut connector)?;
    let mut source = Table::new();
    let infers =
        matches!(kind, "files" | "stdin") && !matches!(args.format.as_deref(), Some("text" | "parquet"));
    match &args.schema {
        Some(schema) => source.insert("schema".into(), schema.as_str().into()),
        None if infers => source.insert("schema".into(), "infer".into()),
        None => None,
    };
    if let Some(policy) = &args.on_bad_data {
        source.insert("on-bad-data".into(), policy.as_str().into());
    }
    limit(args, &mut source);
    source.insert(kind.into(), Value::Table(connector));
    Ok(Value::Table(source))
}

fn limit(args: &RunArgs, source: &mut Table) {
    let limits = [
        ("files", args.max_files_per_trigger.map(|n| Value::Integer(n as i64))),
        ("bytes", args.max_bytes_per_trigger.as_deref().map(scalar)),
        ("rows", args.max_rows_per_trigger.map(|n| Value::Integer(n as i64))),
    ];
    for (unit, limit) in limits {
        if let Some(limit) = limit {
            source.insert("max-per-trigger".into(), one(unit, limit));
        }
    }
}

fn steps(args: &RunArgs, config_owner: &[usize]) -> Result<Table> {
    let mut steps = Table::new();
    for (index, plugin) in args.plugin.iter().enumerate() {
        let mut step = Table::new();
        step.insert("plugin".into(), plugin.as_str().into());
        for (config, _) in args.plugin_config.iter().zip(config_owner).filter(|(_, owner)| **owner == index) {
            step.insert("config".into(), json(config)?);
        }
        let policy = args.dead_letter.as_ref().map(|_| "dead-letter").or(args.on_error.as_deref());
        if let Some(policy) = policy {
            step.insert("on-error".into(), policy.into());
        }
        steps.insert(step_name(index), Value::Table(step));
    }
    Ok(steps)
}

fn step_name(index: usize) -> String {
    format!("plugin-{}", index + 1)
}

fn sinks(args: &RunArgs) -> Result<Table> {
    let mut connector = Table::new();
    let to = args.to.as_deref().unwrap_or("console");
    let kind = match to {
        "console" | "noop" => to,
        "-" => "stdout",
        path => {
            connector.insert("path".into(), path.into());
            "files"
        }
    };
    if let Some(format) = &args.to_format {
        connector.insert("format".into(), format.as_str().into());
    }
    if !args.partition_by.is_empty() {
        let columns = args.partition_by.iter().map(|c| Value::from(c.as_str())).collect();
        connector.insert("partition-by".into(), Value::Array(columns));
    }
    options("--to-option", &args.to_option, &mut connector)?;
    let mut sinks = Table::new();
    sinks.insert("output".into(), one(kind, Value::Table(connector)));
    if let Some(path) = &args.dead_letter {
        for index in 0..args.plugin.len() {
            let mut files = Table::new();
            files.insert("path".into(), path.as_str().into());
            files.insert("format".into(), "json".into());
            let mut sink = Table::new();
            sink.insert("from".into(), format!("{}.dead-letter", step_name(index)).into());
            sink.insert("files".into(), Value::Table(files));
            sinks.insert(format!("dead-letter-{}", index + 1), Value::Table(sink));
        }
    }
    Ok(sinks)
}

/// `KEY=VALUE` pairs. A key with a dot reaches into a table; the settings that CSV has of its own need none.
fn options(flag: &str, pairs: &[String], connector: &mut Table) -> Result<()> {
    /// Settings of `csv = { … }`, so that `header=true` means what it says.
    const CSV: [&str; 6] = ["header", "delimiter", "quote", "escape", "null-value", "comment"];
    for pair in pairs {
        let (key, value) = pair.split_once('=').ok_or_else(|| {
            Error::invalid(format!("{flag} {pair}: write KEY=VALUE, such as {flag} header=true"))
        })?;
        let key = if CSV.contains(&key) { format!("csv.{key}") } else { key.to_owned() };
        match key.split_once('.') {
            None => {
                connector.insert(key, scalar(value));
            }
            Some((table, key)) => {
                let inner = connector.entry(table).or_insert_with(|| Value::Table(Table::new()));
                if let Value::Table(inner) = inner {
                    inner.insert(key.to_owned(), scalar(value));
                }
            }
        }
    }
    Ok(())
}

/// A value as TOML if it is that, otherwise as text: `true`, `10`, `["day"]`, `;`.
fn scalar(text: &str) -> Value {
    let parsed = format!("v = {text}").parse::<Table>().ok().and_then(|mut table| table.remove("v"));
    parsed.unwrap_or_else(|| text.into())
}

fn json(text: &str) -> Result<Value> {
    let invalid = |e: &dyn std::fmt::Display| {
        Error::invalid(format!("--plugin-config {text}: {e}; write JSON, such as '{{\"threshold\":10}}'"))
    };
    let value: serde_json::Value = serde_json::from_str(text).map_err(|e| invalid(&e))?;
    Value::try_from(value).map_err(|e| invalid(&e))
}

fn one(key: &str, value: Value) -> Value {
    Value::Table(Table::from_iter([(key.to_owned(), value)]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(args: RunArgs, owners: &[usize]) -> String {
        pipeline(&args, owners).unwrap().to_string()
    }

    #[test]
    fn flags_say_what_a_file_would_say() {
        let args = RunArgs {
            plugin: vec!["a.wasm".into(), "b.wasm".into()],
            plugin_config: vec!["{\"threshold\":10}".into()],
            from: Some("in".into()),
            format: Some("csv".into()),
            from_option: vec!["header=true".into(), "recursive=true".into()],
            max_files_per_trigger: Some(1),
            to: Some("out".into()),
            to_format: Some("json".into()),
            trigger: Some("10s".into()),
            ..RunArgs::default()
        };
        let text = text(args, &[1]);
        for part in [
            "[trigger]\nprocessing-time = \"10s\"",
            "[sources.input]\nschema = \"infer\"",
            "[sources.input.max-per-trigger]\nfiles = 1",
            "recursive = true\n\n[sources.input.files.csv]\nheader = true",
            "[steps.plugin-1]\nplugin = \"a.wasm\"\n",
            "[steps.plugin-2.config]\nthreshold = 10",
            "[sinks.output.files]\npath = \"out\"\nformat = \"json\"",
        ] {
            assert!(text.contains(part), "{part}\nnot in\n{text}");
        }
    }

    #[test]
    fn standard_input_ends_the_query() {
        let args = RunArgs { from: Some("-".into()), to: Some("-".into()), ..RunArgs::default() };
        let text = text(args, &[]);
        assert!(
            text.contains("trigger = \"available-now\"") && text.contains("[sources.input.stdin]"),
            "{text}"
        );
    }
}
