//! What is wrong with single values, and with sources, steps and sinks by themselves.

use crate::{
    foreach_batch,
    place::Problem,
    settings::{OnError, Pipeline, Sink, Source, Step},
};
use connectors::{files::Clean, source::Limit};
use engine::OutputMode;

/// Every one of them.
pub(super) fn problems(pipeline: &Pipeline) -> Vec<Problem> {
    let mut problems = Vec::new();
    if pipeline.sources.is_empty() {
        problems.push(Problem::at::<&str>(&[], "the pipeline has no source; add [sources.<name>.files]"));
    }
    if pipeline.sinks.is_empty() {
        problems.push(Problem::at::<&str>(&[], "the pipeline has no sink; add [sinks.<name>.console]"));
    }
    problems.extend(numbers(pipeline));
    for name in pipeline.steps.keys().filter(|name| pipeline.sources.contains_key(*name)) {
        problems.push(Problem::at(
            &["steps", name],
            format!("`{name}` is a source already; choose another name"),
        ));
    }
    problems.extend(tables(pipeline));
    problems.extend(crate::secrets::problems(pipeline));
    problems.extend(crate::functions::problems(pipeline));
    problems.extend(crate::requests::problems(pipeline));
    problems.extend(names(pipeline));
    problems.extend(followed(pipeline));
    problems.extend(
        pipeline
            .sources
            .iter()
            .filter_map(|(name, source)| one_connector("source", name, &of_source(source))),
    );
    problems
        .extend(pipeline.sinks.iter().filter_map(|(name, sink)| one_connector("sink", name, &of_sink(sink))));
    problems.extend(pipeline.sinks.iter().flat_map(|(name, sink)| foreach_batch::problems(name, sink)));
    problems
}

/// Tables have a place, and names of their own.
fn tables(pipeline: &Pipeline) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (name, table) in &pipeline.tables {
        if pipeline.sources.contains_key(name) || pipeline.steps.contains_key(name) {
            problems.push(Problem::at(
                &["tables", name],
                format!("`{name}` is a source or a step already; choose another name"),
            ));
        }
        let connectors = [
            ("files", table.files.is_some()),
            ("delta", table.delta.is_some()),
            ("sql", table.sql.is_some()),
        ];
        problems.extend(one_connector("table", name, &connectors));
        match &table.files {
            Some(files) if files.clean != Clean::Off => problems.push(Problem::at(
                &["tables", name, "files", "clean"],
                "a table's files are read again: they stay where they are; leave `clean` out",
            )),
            _ => {}
        }
    }
    problems
}

/// Numbers that are numbers, but let nothing through or mean nothing.
fn numbers(pipeline: &Pipeline) -> Vec<Problem> {
    let mut problems = Vec::new();
    if pipeline.parallelism == Some(0) {
        problems.push(Problem::at(&["parallelism"], "parallelism is at least 1"));
    }
    if pipeline.retain_epochs == 0 {
        problems.push(Problem::at(
            &["retain-epochs"],
            "retain-epochs is at least 1: the records of the last epoch say where the next one starts",
        ));
    }
    for (name, _) in
        pipeline.sources.iter().filter(|(_, source)| source.max_per_trigger.is_some_and(takes_nothing))
    {
        problems.push(Problem::at(
            &["sources", name, "max-per-trigger"],
            "max-per-trigger is at least 1, or no epoch would take anything; leave it out for no limit",
        ));
    }
    problems.extend(pipeline.steps.iter().filter_map(|(name, step)| body(name, step)));
    for (name, step) in &pipeline.steps {
        if step.max_error_rate.is_some_and(|rate| !(0.0..=1.0).contains(&rate)) {
            problems.push(Problem::at(
                &["steps", name, "max-error-rate"],
                "max-error-rate is a share from 0 to 1, such as 0.2",
            ));
        }
    }
    problems
}

/// A step does one thing.
fn body(name: &str, step: &Step) -> Option<Problem> {
    let problem = |key: &str, what: &str| Some(Problem::at(&["steps", name, key], what));
    let bodies = [
        ("sql", step.sql.is_some()),
        ("plugin", step.plugin.is_some()),
        ("drop-duplicates", step.drop_duplicates.is_some()),
    ];
    let mut bodies = bodies.iter().filter(|(_, set)| *set).map(|(key, _)| *key);
    let body = bodies.next();
    if let Some(second) = bodies.next() {
        return problem(second, "a step has one of sql, plugin and drop-duplicates; make a step of each");
    }
    match body {
        Some("sql") if step.from.is_some() => {
            problem("from", "a query names what it reads in its own FROM; leave `from` out")
        }
        Some("sql") if step.watermark.is_some() => problem(
            "watermark",
            "a query's FROM may name several tables; put the watermark on the source or the step that has the column",
        ),
        body if body != Some("plugin") && step.keys.is_some() => problem(
            "keys",
            "keys are of a plugin that keeps state by key; a removal of duplicates has its own",
        ),
        _ if step.mode == OutputMode::Complete => problem(
            "mode",
            "what leaves a plugin has no complete result that could be put out anew; use mode = \"append\" or \"update\"",
        ),
        _ if step.mode != OutputMode::Append && step.keys.is_none() => {
            problem("mode", "the mode of a step is for a plugin with keys; elsewhere the sinks say it")
        }
        None if step.watermark.is_none() => Some(Problem::at(
            &["steps", name],
            "the step does nothing; add sql, plugin, drop-duplicates or watermark",
        )),
        body if body.is_some() && future(step) && step.on_error == OnError::DeadLetter => problem(
            "watermark",
            "max-future: dead letters of a watermark are rows as they came, and those of a plugin are not; put the watermark in a step of its own above this one",
        ),
        None if future(step) && step.config.is_empty() => None,
        body if body != Some("plugin") && (!step.config.is_empty() || step.on_error != OnError::Fail) => {
            let what = match body {
                Some("sql") => "SQL",
                Some(_) => "a removal of duplicates",
                None => "a watermark",
            };
            Some(Problem::at(
                &["steps", name],
                format!("config and on-error are for a plugin, and this step is {what}"),
            ))
        }
        _ => None,
    }
}

/// Only plugins have versions.
fn followed(pipeline: &Pipeline) -> impl Iterator<Item = Problem> {
    let steps = pipeline.steps.iter().filter(|(_, step)| step.follow && step.plugin.is_none());
    steps.map(|(name, _)| {
        Problem::at(&["steps", name, "follow"], "follow is for a plugin, and this step has none")
    })
}

/// Whether rows may be too far in the future.
fn future(step: &Step) -> bool {
    step.watermark.as_ref().is_some_and(|watermark| watermark.max_future.is_some())
}

fn takes_nothing(limit: Limit) -> bool {
    matches!(limit, Limit::Files(0) | Limit::Rows(0)) || matches!(limit, Limit::Bytes(bytes) if bytes.0 == 0)
}

/// Names become parts of file names and of `from`.
fn names(pipeline: &Pipeline) -> Vec<Problem> {
    let all = pipeline.sources.keys().map(|n| ("sources", n));
    let all = all
        .chain(pipeline.tables.keys().map(|n| ("tables", n)))
        .chain(pipeline.connections.keys().map(|n| ("connections", n)))
        .chain(pipeline.secrets.keys().map(|n| ("secrets", n)))
        .chain(pipeline.steps.keys().map(|n| ("steps", n)))
        .chain(pipeline.sinks.keys().map(|n| ("sinks", n)));
    all.filter(|(_, name)| !is_name(name))
        .map(|(table, name)| {
            let rule = "1 to 64 letters, digits, `-` and `_`";
            Problem::at(&[table, name], format!("{name:?} is no name; a name has {rule}"))
        })
        .collect()
}

fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

fn of_source(source: &Source) -> [(&'static str, bool); 7] {
    [
        ("files", source.files.is_some()),
        ("kafka", source.kafka.is_some()),
        ("delta", source.delta.is_some()),
        ("sql", source.sql.is_some()),
        ("socket", source.socket.is_some()),
        ("rate", source.rate.is_some()),
        ("stdin", source.stdin.is_some()),
    ]
}

/// Which connectors it has.
pub(crate) fn of_sink(sink: &Sink) -> [(&'static str, bool); 9] {
    [
        ("files", sink.files.is_some()),
        ("kafka", sink.kafka.is_some()),
        ("delta", sink.delta.is_some()),
        ("sql", sink.sql.is_some()),
        ("memory", sink.memory.is_some()),
        ("console", sink.console.is_some()),
        ("stdout", sink.stdout.is_some()),
        ("noop", sink.noop.is_some()),
        ("plugin", sink.plugin.is_some()),
    ]
}

fn one_connector(kind: &str, name: &str, connectors: &[(&'static str, bool)]) -> Option<Problem> {
    let set: Vec<&str> = connectors.iter().filter(|(_, set)| *set).map(|(c, _)| *c).collect();
    let tables = |names: &[&str]| {
        let tables: Vec<String> = names.iter().map(|c| format!("[{kind}s.{name}.{c}]")).collect();
        tables.join(", ")
    };
    let message = match set.as_slice() {
        [_] => return None,
        [] => {
            let all: Vec<&str> = connectors.iter().map(|(c, _)| *c).collect();
            format!("{kind} `{name}` has no connector; add one of {}", tables(&all))
        }
        several => format!("{kind} `{name}` has more than one connector; keep one of {}", tables(several)),
    };
    Some(Problem::at(&[&format!("{kind}s"), name], message))
}
