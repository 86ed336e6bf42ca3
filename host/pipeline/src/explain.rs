//! What would run, in words: the answer of `streamhost explain`.

use crate::{
    assemble::Assembled,
    file::PipelineFile,
    graph::Upstream,
    planner::Planner,
    query::{parallelism, trigger},
    settings::{self, Pipeline, Retry},
    world::World,
};
use arrow::datatypes::SchemaRef;
use connectors::{formats::ddl, source::Limit, sql::SqlTableSettings};
use engine::{
    Guarantee, History, NamedFunction, OutputMode, Port, Result, Trigger, Wanted,
    operators::LATE,
    plan::{Dataflow, Input, NamedSource, Planner as _},
};
use std::{fmt::Write, sync::Arc};

/// Plans a pipeline without running it, and says what each part is: what runs where, the columns, what plugins may
/// do, and what each sink guarantees. Everything that `run` would refuse before its first epoch is refused here.
pub async fn explain(file: &Arc<PipelineFile>, world: &World) -> Result<String> {
    let planner = Planner::new(file.clone(), world.clone())?;
    let sources = planner.sources().await?;
    let mut schemas = Vec::with_capacity(sources.len());
    for NamedSource { name, source, .. } in &sources {
        let restored = source.restore(History::default(), trigger(file.settings.trigger).reach()).await;
        let schema = restored.and_then(|()| source.schema(None));
        schemas.push(schema.map_err(|e| planner.of("source", name, e))?);
    }
    let planned = planner.plan(&schemas).await?;
    Ok(text(file, &sources, &schemas, &planned))
}

fn text(file: &PipelineFile, sources: &[NamedSource], schemas: &[SchemaRef], planned: &Assembled) -> String {
    let flow = &planned.flow;
    let mut out = String::new();
    let pipeline = &file.settings;
    line(&mut out, "query", &file.name(), &[head(file), how(pipeline)]);
    let settings = pipeline.sources.values();
    let sources_of = sources.iter().zip(schemas).zip(settings).enumerate();
    for (index, ((NamedSource { name, source, .. }, schema), settings)) in sources_of {
        let facts = source.facts();
        let mut details = vec![format!("columns: {}", ddl::print(schema))];
        details.extend(used(schema, &flow.wanted(Input::Source(index))));
        details.extend(settings.watermark.as_ref().map(behind));
        details.extend(settings.max_per_trigger.map(most));
        if !facts.replayable {
            details.push("cannot be read again after a crash: rows of an unfinished epoch are lost".into());
        }
        line(&mut out, "source", &format!("{name}: {}", facts.description), &details);
    }
    for table in &flow.tables {
        let details = [
            format!("columns: {}", ddl::print(&table.schema())),
            format!("held in memory whole; {}", reading(pipeline.tables.get(&table.name))),
        ];
        line(&mut out, "table", &table.name, &details);
    }
    for function in &flow.functions {
        line(&mut out, "function", &called(function), &function.function().facts().details);
    }
    for ((name, parts), upstreams) in pipeline.steps.keys().zip(&planned.parts).zip(&file.graph.steps) {
        let upstreams: Vec<String> = upstreams.iter().map(|(_, upstream)| from(upstream, pipeline)).collect();
        for (number, part) in flow.steps.get(parts.clone()).into_iter().flatten().enumerate() {
            let facts = part.facts();
            let what = match number {
                0 => format!("{name} ← {}: {}", upstreams.join(", "), facts.description),
                _ => format!("{:width$}   {}", "", facts.description, width = name.len()),
            };
            let mut details = facts.details;
            // What is between the parts of a step is nobody's business.
            let leaves = part.ports().iter().enumerate();
            let leaves = leaves.filter(|(port, _)| *port > 0 || number + 1 == parts.len());
            details.extend(leaves.map(|(_, port)| output(port)));
            line(&mut out, if number == 0 { "step" } else { "" }, &what, &details);
        }
    }
    for (sink, upstream) in flow.sinks.iter().zip(&file.graph.sinks) {
        let promise = promise(pipeline, sources, sink.sink.accepts(sink.mode, &sink.schema).ok());
        let mut details = vec![rows_of(sink.mode, flow, sink.input), promise];
        details.extend(sink.sink.facts().into_iter().flat_map(|facts| facts.details));
        let what = format!("{} ← {}: {}", sink.name, from(upstream, pipeline), sink.description);
        line(&mut out, "sink", &what, &details);
    }
    out + &notes(pipeline, flow)
}

/// Where a replay may not do what was done before.
fn notes(pipeline: &Pipeline, flow: &Dataflow) -> String {
    let mut out = String::new();
    let several = pipeline.leaves().len() > 1;
    for step in flow.steps.iter().filter(|s| several && !s.facts().deterministic) {
        let _ = writeln!(
            out,
            "note     step `{}` does not claim to be deterministic: after a crash the sinks may disagree about rows of one epoch",
            step.name
        );
    }
    for function in flow.functions.iter().filter(|f| several && !f.function().facts().deterministic) {
        let _ = writeln!(
            out,
            "note     function `{}` does not claim to be deterministic: after a crash the sinks may disagree about rows of one epoch",
            function.name
        );
    }
    for (sink, (_, settings)) in flow.sinks.iter().zip(&pipeline.sinks) {
        let outputs = settings.plugin.as_ref().map_or(0, |plugin| plugin.outputs.len());
        if outputs > 1 && sink.sink.facts().is_some_and(|facts| !facts.deterministic) {
            let _ = writeln!(
                out,
                "note     the plugin of sink `{}` does not claim to be deterministic: after a crash its outputs may disagree about an epoch",
                sink.name
            );
        }
    }
    out
}

/// How a function is called, what comes of it, and whose it is.
fn called(function: &NamedFunction) -> String {
    let returns = ddl::print_type(function.function().signature().returns.data_type());
    format!("{} → {returns}: {}", function.usage(), function.function().facts().description)
}

/// When the rows of a table are read.
fn reading(table: Option<&settings::Table>) -> String {
    match table.and_then(|table| table.sql.as_ref()) {
        None => "read again in the first epoch after it has changed".into(),
        Some(SqlTableSettings { refresh: None, .. }) => "read once, when the query starts".into(),
        Some(SqlTableSettings { refresh: Some(age), .. }) => {
            format!(
                "read again in the first epoch after its rows are {:?} old; a replay joins with those of its own start",
                age.0
            )
        }
    }
}

fn head(file: &PipelineFile) -> String {
    let pipeline = &file.settings;
    let trigger = match pipeline.trigger {
        settings::Trigger::Asap => "as soon as there is data".into(),
        settings::Trigger::AvailableNow => "what is there now, then end".into(),
        settings::Trigger::Once => "one epoch over what is there now, then end".into(),
        settings::Trigger::ProcessingTime(interval) => format!("every {:?}", interval.0),
        settings::Trigger::Continuous(interval) => format!("rows at once, epochs of {:?}", interval.0),
    };
    let checkpoint = match &pipeline.checkpoint {
        Some(path) => format!("checkpoint {}", file.resolve(path).display()),
        None => "no checkpoint: every start begins anew".into(),
    };
    format!("trigger: {trigger}; {checkpoint}")
}

/// How far the work is divided, whose times those without a zone are, and when it is given up.
fn how(pipeline: &Pipeline) -> String {
    let Retry { attempts, backoff } = &pipeline.restart;
    let restart = match attempts {
        0 => "no restart".into(),
        n => format!("restart {n} times, after {:?} to {:?}", backoff.first.0, backoff.longest.0),
    };
    let zone = &pipeline.time_zone;
    format!(
        "parallelism {}, each partition with plugin instances of its own; time zone {zone}; {restart}",
        parallelism(pipeline)
    )
}

/// Which of a source's columns are used, unless all are.
fn used(schema: &SchemaRef, wanted: &Wanted) -> Option<String> {
    let fields = schema.fields().iter().enumerate();
    let used: Vec<&str> = fields.filter(|(i, _)| wanted.has(*i)).map(|(_, f)| f.name().as_str()).collect();
    match used[..] {
        [] => Some("used of these: none".into()),
        _ if used.len() == schema.fields().len() => None,
        _ => Some(format!("used of these: {}", used.join(", "))),
    }
}

fn behind(watermark: &settings::Watermark) -> String {
    format!("watermark: {:?} behind the latest `{}`", watermark.delay.0, watermark.column)
}

fn most(limit: Limit) -> String {
    match limit {
        Limit::Files(files) => format!("at most {files} files an epoch"),
        Limit::Bytes(bytes) => format!("at most {} bytes of files an epoch", bytes.0),
        Limit::Rows(rows) => format!("at most {rows} rows an epoch"),
    }
}

/// What leaves a step, a line for each output.
pub fn outputs(ports: &[Port]) -> impl Iterator<Item = String> {
    ports.iter().map(output)
}

fn output(Port { name, schema }: &Port) -> String {
    let name = if name.is_empty() { "columns out".into() } else { format!("side output `{name}`") };
    format!("{name}: {}", ddl::print(schema))
}

fn line(out: &mut String, kind: &str, what: &str, details: &[String]) {
    let _ = writeln!(out, "{kind:<8} {what}");
    for detail in details {
        let _ = writeln!(out, "{:<8}   {detail}", "");
    }
}

fn from(upstream: &Upstream, pipeline: &Pipeline) -> String {
    let source = |index: &usize| pipeline.sources.get_index(*index).map(|(name, _)| name.clone());
    let step = |index: &usize| pipeline.steps.get_index(*index).map(|(name, _)| name.clone());
    match upstream {
        Upstream::Source(index) => source(index),
        Upstream::Table(index) => pipeline.tables.get_index(*index).map(|(name, _)| name.clone()),
        Upstream::Step(index, None) => step(index),
        Upstream::Step(index, Some(output)) => step(index).map(|name| format!("{name}.{output}")),
    }
    .unwrap_or_default()
}

/// What a sink gets in its mode, and by what that is possible.
fn rows_of(mode: OutputMode, flow: &Dataflow, input: Input) -> String {
    let what = match mode {
        _ if is_late(flow, input) => "each row once, in the epoch in which it came too late",
        OutputMode::Append if flow.waits_above(input) => {
            "each row once, when the watermark says that it is final"
        }
        OutputMode::Append => "each row once, as it comes",
        OutputMode::Update if flow.has_result_above(input) => "the rows of the result that the epoch changed",
        OutputMode::Update => "each row once, as it comes: nothing above changes a row",
        OutputMode::Complete => "the whole result after each epoch, all of which stays in state",
    };
    format!("mode {mode}: {what}")
}

fn is_late(flow: &Dataflow, input: Input) -> bool {
    let Input::Step { step, port } = input else { return false };
    let port = flow.steps.get(step).and_then(|step| step.ports().get(port));
    port.is_some_and(|port| port.name == LATE)
}

/// What a sink's own guarantee comes to in this pipeline.
fn promise(pipeline: &Pipeline, sources: &[NamedSource], guarantee: Option<Guarantee>) -> String {
    let own = match guarantee {
        Some(Guarantee::ExactlyOnce) => "exactly once",
        Some(Guarantee::AtLeastOnce) => "at least once",
        Some(Guarantee::BestEffort) | None => return "best effort".into(),
    };
    if sources.iter().any(|s| !s.source.facts().replayable) {
        return format!("{own} by itself; best effort here, as a source cannot be read again");
    }
    if pipeline.checkpoint.is_none() {
        return format!("{own} by itself; here only within one run, as there is no checkpoint");
    }
    match trigger(pipeline.trigger) {
        Trigger::Continuous(_) => "at least once, as the trigger is continuous".into(),
        _ => own.into(),
    }
}
