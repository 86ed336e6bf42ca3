//! What is wrong with who reads from whom.

use super::{DEAD_LETTER, Graph, Upstream};
use crate::{
    place::Problem,
    settings::{OnError, Pipeline},
};
use engine::OutputMode;

/// Every such problem of a pipeline whose parts are right by themselves.
pub(super) fn problems(pipeline: &Pipeline, graph: &Graph) -> Vec<Problem> {
    let mut problems = unread(pipeline, graph);
    problems.extend(complete(pipeline, graph));
    problems
}

/// Nothing may be dropped unseen: of each step something reaches a sink, and its dead letters too.
fn unread(pipeline: &Pipeline, graph: &Graph) -> Vec<Problem> {
    let reaching = reaching(graph);
    let is_read = |from: &dyn Fn(&Upstream) -> bool| {
        graph.sinks.iter().any(from)
            || graph
                .steps
                .iter()
                .zip(&reaching)
                .any(|(read, reaches)| *reaches && read.iter().any(|(_, upstream)| from(upstream)))
    };
    let mut problems = Vec::new();
    for (index, (name, step)) in pipeline.steps.iter().enumerate() {
        if !is_read(&|upstream| matches!(upstream, Upstream::Step(step, _) if *step == index)) {
            problems.push(Problem::at(
                &["steps", name],
                format!("no sink gets what step `{name}` puts out; add a sink with from = \"{name}\", or remove the step"),
            ));
        } else if step.on_error == OnError::DeadLetter
            && !is_read(&|upstream| *upstream == Upstream::Step(index, Some(DEAD_LETTER.into())))
        {
            problems.push(Problem::at(
                &["steps", name, "on-error"],
                format!("no sink reads the dead letters of step `{name}`; add a sink with from = \"{name}.dead-letter\", or set on-error = \"skip\""),
            ));
        }
    }
    problems
}

/// For each step, whether a sink reads any of its outputs, or of those of a step that reads them.
fn reaching(graph: &Graph) -> Vec<bool> {
    let mut reaching = vec![false; graph.steps.len()];
    let mark = |upstream: &Upstream, reaching: &mut Vec<bool>| {
        if let Upstream::Step(step, _) = upstream {
            reaching.get_mut(*step).into_iter().for_each(|reaches| *reaches = true);
        }
    };
    graph.sinks.iter().for_each(|upstream| mark(upstream, &mut reaching));
    // A step reads from earlier ones only.
    for (index, read) in graph.steps.iter().enumerate().rev() {
        if reaching.get(index) == Some(&true) {
            read.iter().for_each(|(_, upstream)| mark(upstream, &mut reaching));
        }
    }
    reaching
}

/// Every step works on rows as they come, so there is no result that a sink could store whole.
fn complete(pipeline: &Pipeline, graph: &Graph) -> Vec<Problem> {
    let sinks = pipeline.sinks.iter().zip(&graph.sinks);
    let complete = sinks.filter(|((_, sink), upstream)| {
        sink.mode == OutputMode::Complete && !may_aggregate(pipeline, graph, upstream)
    });
    complete
        .map(|((name, sink), upstream)| {
            let mode = sink.mode;
            let works = if sink.files.is_some() { "\"append\"" } else { "\"append\" or \"update\"" };
            let above = name_of(upstream, pipeline);
            Problem::at(
                &["sinks", name, "mode"],
                format!(
                    "sink `{name}` cannot have mode = \"{mode}\": {above} passes rows on as they come, and only an aggregation has a result to store as a whole; use {works}"
                ),
            )
        })
        .collect()
}

/// Whether there is SQL at or above a place, and no removal of duplicates behind it, which passes rows on as they come.
fn may_aggregate(pipeline: &Pipeline, graph: &Graph, upstream: &Upstream) -> bool {
    let Upstream::Step(step, _) = upstream else { return false };
    let set = pipeline.steps.get_index(*step).map(|(_, step)| step);
    if set.is_some_and(|step| step.drop_duplicates.is_some()) {
        return false;
    }
    let sql = set.is_some_and(|step| step.sql.is_some());
    let above = graph.steps.get(*step).into_iter().flatten();
    sql || above.into_iter().any(|(_, upstream)| may_aggregate(pipeline, graph, upstream))
}

fn name_of(upstream: &Upstream, pipeline: &Pipeline) -> String {
    let (kind, name) = match upstream {
        Upstream::Source(index) => ("source", pipeline.sources.get_index(*index).map(|(name, _)| name)),
        Upstream::Table(index) => ("table", pipeline.tables.get_index(*index).map(|(name, _)| name)),
        Upstream::Step(index, _) => ("step", pipeline.steps.get_index(*index).map(|(name, _)| name)),
    };
    format!("{kind} `{}`", name.map_or("", String::as_str))
}
