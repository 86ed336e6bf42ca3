//! From the flags of `run` to the table that a pipeline file with the same content would be.

use crate::cli::RunArgs;
use engine::{Error, Result};
use std::collections::HashMap;
use toml::{Table, Value};

/// Settings that stand beside a source's connector, not in it.
const BESIDE_SOURCE: [&str; 5] = ["schema", "max-per-trigger", "on-bad-data", "rescue", "evolve"];
/// Settings that stand beside a sink's connector.
const BESIDE_SINK: [&str; 1] = ["mode"];

/// The pipeline that these flags describe. `config_owner` says for each `--plugin-config` how many `--plugin` stand before
/// it: it is the last one's.
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
    let mut source = Table::new();
    if let Some(schema) = &args.schema {
        source.insert("schema".into(), schema.as_str().into());
    }
    if let Some(policy) = &args.on_bad_data {
        source.insert("on-bad-data".into(), policy.as_str().into());
    }
    limit(args, &mut source);
    let options = Options { flag: "--from-option", beside: &BESIDE_SOURCE };
    options.add(&args.from_option, &mut source, &mut connector)?;
    if matches!(kind, "files" | "stdin") && !has_columns_itself(&connector) {
        source.entry("schema").or_insert_with(|| "infer".into());
    }
    source.insert(kind.into(), Value::Table(connector));
    Ok(Value::Table(source))
}

fn has_columns_itself(connector: &Table) -> bool {
    matches!(connector.get("format").and_then(Value::as_str), Some("text" | "parquet"))
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
    if let Some(flag) = for_plugins(args).filter(|_| args.plugin.is_empty()) {
        return Err(Error::invalid(format!("{flag} is for plugins; give a --plugin, or leave it out")));
    }
    let mut configs = configs(args, config_owner)?;
    let mut steps = Table::new();
    for (index, plugin) in args.plugin.iter().enumerate() {
        let mut step = Table::new();
        step.insert("plugin".into(), plugin.as_str().into());
        if let Some(config) = configs.remove(&index) {
            step.insert("config".into(), config);
        }
        if let Some(policy) = on_error(args)? {
            step.insert("on-error".into(), policy.into());
        }
        if !args.allow_http.is_empty() {
            step.insert("allow".into(), one("http", args.allow_http.clone().into()));
        }
        steps.insert(step_name(index), Value::Table(step));
    }
    Ok(steps)
}

/// A flag that means nothing without a plugin.
fn for_plugins(args: &RunArgs) -> Option<&'static str> {
    let given = [
        ("--plugin-config", !args.plugin_config.is_empty()),
        ("--on-error", args.on_error.is_some()),
        ("--dead-letter", args.dead_letter.is_some()),
        ("--allow-http", !args.allow_http.is_empty()),
    ];
    given.iter().find(|(_, given)| *given).map(|(flag, _)| *flag)
}

/// Each plugin's configuration, by the plugin's index.
fn configs(args: &RunArgs, owners: &[usize]) -> Result<HashMap<usize, Value>> {
    let mut configs = HashMap::new();
    for (text, before) in args.plugin_config.iter().zip(owners) {
        let misplaced =
            |why| Error::invalid(format!("--plugin-config {text}: {why}; give one behind each --plugin"));
        let index = before.checked_sub(1).ok_or_else(|| misplaced("no --plugin stands before it"))?;
        if configs.insert(index, json(text)?).is_some() {
            return Err(misplaced("the --plugin before it has one already"));
        }
    }
    Ok(configs)
}

fn on_error(args: &RunArgs) -> Result<Option<&str>> {
    match (&args.dead_letter, args.on_error.as_deref()) {
        (None, Some("dead-letter")) => Err(Error::invalid(
            "--on-error dead-letter needs --dead-letter with the directory where the rows go",
        )),
        (None, policy) => Ok(policy),
        (Some(_), None | Some("dead-letter")) => Ok(Some("dead-letter")),
        (Some(_), Some(other)) => Err(Error::invalid(format!(
            "--on-error {other} leaves nothing for --dead-letter; leave one of the two out"
        ))),
    }
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
    let mut output = Table::new();
    let options = Options { flag: "--to-option", beside: &BESIDE_SINK };
    options.add(&args.to_option, &mut output, &mut connector)?;
    output.insert(kind.into(), Value::Table(connector));
    let mut sinks = Table::new();
    sinks.insert("output".into(), Value::Table(output));
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

/// `KEY=VALUE` pairs of a flag. A key with a dot reaches into a table; the settings that CSV has of its own need none.
struct Options<'a> {
    flag: &'static str,
    /// Keys that stand beside the connector; all others are the connector's.
    beside: &'a [&'static str],
}

impl Options<'_> {
    fn add(&self, pairs: &[String], beside: &mut Table, connector: &mut Table) -> Result<()> {
        /// Settings of `csv = { … }`, so that `header=true` means what it says.
        const CSV: [&str; 6] = ["header", "delimiter", "quote", "escape", "null-value", "comment"];
        for pair in pairs {
            let invalid = |why: &str| Error::invalid(format!("{} {pair}: {why}", self.flag));
            let (key, value) =
                pair.split_once('=').ok_or_else(|| invalid("write KEY=VALUE, such as header=true"))?;
            let key = if CSV.contains(&key) { format!("csv.{key}") } else { key.to_owned() };
            let first = key.split('.').next().unwrap_or_default();
            let table = if self.beside.contains(&first) { &mut *beside } else { &mut *connector };
            if !set(table, &key, scalar(value)) {
                return Err(invalid("this is set already, by a flag or an option before it; leave one out"));
            }
        }
        Ok(())
    }
}

/// Sets what `key` names, of a table inside if it has a dot; false if it has a value already.
fn set(table: &mut Table, key: &str, value: Value) -> bool {
    match key.split_once('.') {
        None => table.insert(key.to_owned(), value).is_none(),
        Some((outer, key)) => {
            let inner = table.entry(outer).or_insert_with(|| Value::Table(Table::new()));
            inner.as_table_mut().is_some_and(|inner| set(inner, key, value))
        }
    }
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
        let text = text(args, &[2]);
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

    #[test]
    fn options_reach_what_stands_beside_the_connector_too() {
        let options = ["rescue=_r", "evolve=true", "max-per-trigger.files=2", "recursive=true"];
        let args = RunArgs {
            from: Some("in".into()),
            schema: Some("a INT".into()),
            from_option: options.map(str::to_owned).to_vec(),
            to_option: vec!["mode=update".into()],
            ..RunArgs::default()
        };
        let pipeline = pipeline(&args, &[]).unwrap();
        let expected: Table = "
            schema = 'a INT'\nrescue = '_r'\nevolve = true\nmax-per-trigger = { files = 2 }
            files = { path = 'in', recursive = true }"
            .parse()
            .unwrap();
        assert_eq!(pipeline["sources"]["input"], Value::Table(expected));
        assert_eq!(pipeline["sinks"]["output"]["mode"].as_str(), Some("update"));
    }

    #[test]
    fn what_is_said_twice_or_of_nothing_is_refused() {
        let refused = |args: RunArgs, owners: &[usize]| {
            let args = RunArgs { from: Some("in".into()), ..args };
            pipeline(&args, owners).unwrap_err().report()
        };
        let one = |config: &[&str]| RunArgs {
            plugin: vec!["a.wasm".into()],
            plugin_config: config.iter().map(|c| (*c).to_owned()).collect(),
            ..RunArgs::default()
        };
        assert_eq!(
            refused(one(&["{}"]), &[0]),
            "--plugin-config {}: no --plugin stands before it; give one behind each --plugin"
        );
        assert_eq!(
            refused(one(&["{}", "{\"a\":1}"]), &[1, 1]),
            "--plugin-config {\"a\":1}: the --plugin before it has one already; give one behind each --plugin"
        );
        let on_error = Some("fail".to_owned());
        assert_eq!(
            refused(RunArgs { on_error, dead_letter: Some("bad".into()), ..one(&[]) }, &[]),
            "--on-error fail leaves nothing for --dead-letter; leave one of the two out"
        );
        let from_option = vec!["schema=b INT".to_owned()];
        assert_eq!(
            refused(RunArgs { schema: Some("a INT".into()), from_option, ..RunArgs::default() }, &[]),
            "--from-option schema=b INT: this is set already, by a flag or an option before it; leave one out"
        );
    }
}
