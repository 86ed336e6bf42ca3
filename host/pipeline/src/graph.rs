//! Who reads from whom. Everything that can be said of a pipeline's shape without opening anything.

use crate::{
    foreach_batch,
    place::Problem,
    settings::{OnError, Pipeline, Sink, Source, Step},
};
use connectors::{files::Clean, source::Limit};
use engine::{OutputMode, operators::LATE, sql::Sql};

/// The name of the side output that gets rows in error.
pub const DEAD_LETTER: &str = "dead-letter";

/// Where the rows of each step and sink come from, in the order of the pipeline.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Graph {
    /// For each step what it reads, by the names that its SQL gives it.
    pub steps: Vec<Vec<(String, Upstream)>>,
    /// One for each sink.
    pub sinks: Vec<Upstream>,
}

/// Where rows come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Upstream {
    /// The source of this index.
    Source(usize),
    /// An output of the step of this index; none for its main output.
    Step(usize, Option<String>),
    /// The table of this index, which a query joins with rows from elsewhere.
    Table(usize),
}

impl Graph {
    /// Resolves every `from`, or answers every problem there is.
    pub fn resolve(pipeline: &Pipeline) -> Result<Graph, Vec<Problem>> {
        let mut problems = settings(pipeline);
        problems.extend(followed(pipeline));
        let mut graph = Graph::default();
        for (index, (name, step)) in pipeline.steps.iter().enumerate() {
            let who = Reader { kind: "step", table: "steps", name, from: step.from.as_deref(), above: index };
            let upstreams = match &step.sql {
                Some(sql) => who.tables(sql, pipeline),
                None => who.upstream(pipeline).map(|upstream| vec![(String::new(), upstream)]),
            };
            graph.steps.extend(upstreams.map_err(|p| problems.push(p)));
        }
        for (name, sink) in &pipeline.sinks {
            let above = pipeline.steps.len();
            let who = Reader { kind: "sink", table: "sinks", name, from: sink.from.as_deref(), above };
            graph.sinks.extend(who.upstream(pipeline).map_err(|p| problems.push(p)));
        }
        if problems.is_empty() {
            problems = unread(pipeline, &graph);
            problems.extend(complete(pipeline, &graph));
        }
        if problems.is_empty() { Ok(graph) } else { Err(problems) }
    }

    /// Whether a sink or a step reads the late rows of a step.
    pub(crate) fn reads_late(&self, step: usize) -> bool {
        let late = Upstream::Step(step, Some(LATE.into()));
        let mut read = self.sinks.iter().chain(self.steps.iter().flatten().map(|(_, upstream)| upstream));
        read.any(|upstream| *upstream == late)
    }
}

/// A step or sink that wants to know its upstream.
struct Reader<'a> {
    kind: &'static str,
    table: &'static str,
    name: &'a str,
    from: Option<&'a str>,
    /// It may read from the steps before this index.
    above: usize,
}

impl Reader<'_> {
    /// What a query reads.
    fn tables(&self, sql: &str, pipeline: &Pipeline) -> Result<Vec<(String, Upstream)>, Problem> {
        let problem = |what: String| Problem::at(&[self.table, self.name, "sql"], what);
        let parsed = Sql::parse(sql).map_err(|e| problem(e.error.report()).within(e.at))?;
        let upstream = |table: String| {
            let spelled = self.spelled(&table, pipeline);
            if let Some(kept) = pipeline.tables.get_index_of(&spelled) {
                return Ok((table, Upstream::Table(kept)));
            }
            let named = self.named(&spelled, pipeline).map_err(|p| problem(p.message))?;
            Ok((table, named))
        };
        parsed.tables().into_iter().map(upstream).collect()
    }

    fn upstream(&self, pipeline: &Pipeline) -> Result<Upstream, Problem> {
        match self.from {
            Some(from) => self.named(from, pipeline),
            None => self.default(pipeline),
        }
    }

    /// A table's name as the pipeline has it: SQL does not tell upper case from lower case.
    fn spelled(&self, table: &str, pipeline: &Pipeline) -> String {
        let (name, output) =
            table.split_once('.').map_or((table, None), |(name, output)| (name, Some(output)));
        let above = pipeline.sources.keys().chain(pipeline.steps.keys().take(self.above));
        let mut names = above.chain(pipeline.tables.keys());
        let known = names.clone().find(|known| *known == name);
        let known = known.or_else(|| names.find(|known| known.eq_ignore_ascii_case(name)));
        let known = known.map_or(name, String::as_str);
        output.map_or_else(|| known.to_owned(), |output| format!("{known}.{output}"))
    }

    fn named(&self, from: &str, pipeline: &Pipeline) -> Result<Upstream, Problem> {
        let (name, output) = match from.split_once('.') {
            Some((name, output)) => (name, Some(output.to_owned())),
            None => (from, None),
        };
        let step = pipeline.steps.get_index_of(name).filter(|step| *step < self.above);
        let source = pipeline.sources.get_index_of(name).filter(|_| output.is_none());
        match (step, source) {
            (Some(step), _) if output.as_deref() == Some(DEAD_LETTER) => {
                self.dead_letters(pipeline, step, name).map(|()| Upstream::Step(step, output))
            }
            (Some(step), _) => Ok(Upstream::Step(step, output)),
            (None, Some(source)) => Ok(Upstream::Source(source)),
            (None, None) => {
                let there: Vec<&str> = pipeline
                    .sources
                    .keys()
                    .chain(pipeline.steps.keys().take(self.above))
                    .map(String::as_str)
                    .collect();
                Err(self.problem(format!(
                    "there is no source or step `{from}` above {} `{}`; there are: {}",
                    self.kind,
                    self.name,
                    there.join(", ")
                )))
            }
        }
    }

    /// Rows in error go to a side output only if the step is told to put them there.
    fn dead_letters(&self, pipeline: &Pipeline, step: usize, name: &str) -> Result<(), Problem> {
        match pipeline.steps.get_index(step) {
            Some((_, step)) if step.on_error != OnError::DeadLetter => Err(self.problem(format!(
                "step `{name}` puts out no dead letters; set on-error = \"dead-letter\" in [steps.{name}]"
            ))),
            _ => Ok(()),
        }
    }

    fn default(&self, pipeline: &Pipeline) -> Result<Upstream, Problem> {
        if let Some(above) = self.above.checked_sub(1) {
            return Ok(Upstream::Step(above, None));
        }
        match pipeline.sources.len() {
            1 => Ok(Upstream::Source(0)),
            _ => Err(self.problem(format!(
                "{} `{}` needs `from`: there is more than one source",
                self.kind, self.name
            ))),
        }
    }

    fn problem(&self, message: String) -> Problem {
        Problem::at(&[self.table, self.name, "from"], message)
    }
}

/// Problems of single values and of sources and sinks by themselves.
fn settings(pipeline: &Pipeline) -> Vec<Problem> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(text: &str) -> Result<Graph, Vec<String>> {
        let pipeline: Pipeline = toml::from_str(text).unwrap();
        Graph::resolve(&pipeline)
            .map_err(|ps| ps.into_iter().map(|p| format!("{}: {}", p.key.join("."), p.message)).collect())
    }

    const SOURCE: &str = "[sources.in.rate]\n";

    #[test]
    fn from_defaults_to_the_step_above_or_the_only_source() {
        let graph =
            resolve(&format!("{SOURCE}[steps.a]\nplugin='p'\n[steps.b]\nplugin='p'\n[sinks.out.noop]\n"))
                .unwrap();
        let read = |upstream| vec![(String::new(), upstream)];
        assert_eq!(graph.steps, [read(Upstream::Source(0)), read(Upstream::Step(0, None))]);
        assert_eq!(graph.sinks, [Upstream::Step(1, None)]);
    }

    #[test]
    fn dead_letters_that_nobody_reads_are_refused() {
        let step = "[steps.a]\nplugin='p'\non-error='dead-letter'\n[sinks.out]\nfrom='a'\n[sinks.out.noop]\n";
        let problems = resolve(&format!("{SOURCE}{step}")).unwrap_err();
        assert!(problems[0].starts_with("steps.a.on-error: no sink reads the dead letters"), "{problems:?}");
        let read = "[sinks.bad]\nfrom='a.dead-letter'\n[sinks.bad.noop]\n";
        assert!(resolve(&format!("{SOURCE}{step}{read}")).is_ok());
    }

    #[test]
    fn a_query_reads_tables_beside_sources_and_a_table_keeps_its_files_and_its_name() {
        let table = "[tables.users.files]\npath='u.json'\n";
        let join = "[steps.a]\nsql='SELECT * FROM in JOIN users ON a = b'\n[sinks.out.noop]\n";
        let graph = resolve(&format!("{SOURCE}{table}{}", join.replace("FROM in", "FROM `in`"))).unwrap();
        let read = [("in".to_owned(), Upstream::Source(0)), ("users".to_owned(), Upstream::Table(0))];
        assert_eq!(graph.steps, [read]);
        let wrong = "[tables.in]\n[tables.gone.files]\npath='x'\nclean='delete'\n[sinks.out.noop]\n";
        assert_eq!(
            resolve(&format!("{SOURCE}{wrong}")).unwrap_err(),
            [
                "tables.in: `in` is a source or a step already; choose another name",
                "tables.in: table `in` has no connector; add one of [tables.in.files], [tables.in.delta], [tables.in.sql]",
                "tables.gone.files.clean: a table's files are read again: they stay where they are; leave `clean` out",
            ]
        );
        let alone = "[sinks.out]\nfrom='users'\n[sinks.out.noop]\n";
        assert!(
            resolve(&format!("{SOURCE}{table}{alone}")).unwrap_err()[0]
                .contains("there is no source or step `users`")
        );
    }

    #[test]
    fn two_connectors_and_odd_names_are_refused() {
        let problems = resolve("[sources.in]\nrate={}\nstdin={}\n[sinks.'a/b'.noop]\n").unwrap_err();
        assert_eq!(problems.len(), 2, "{problems:?}");
        assert!(problems[1].contains("more than one connector"), "{problems:?}");
    }

    #[test]
    fn dead_letters_that_only_a_step_without_a_sink_reads_are_refused() {
        let steps =
            "[steps.a]\nplugin='p'\non-error='dead-letter'\n[steps.b]\nplugin='p'\nfrom='a.dead-letter'\n";
        let sink = "[sinks.out]\nfrom='a'\n[sinks.out.noop]\n";
        let problems = resolve(&format!("{SOURCE}{steps}{sink}")).unwrap_err();
        assert_eq!(
            problems,
            [
                "steps.a.on-error: no sink reads the dead letters of step `a`; add a sink with from = \"a.dead-letter\", or set on-error = \"skip\"",
                "steps.b: no sink gets what step `b` puts out; add a sink with from = \"b\", or remove the step",
            ]
        );
        let other = "[sinks.bad]\nfrom='b'\n[sinks.bad.noop]\n";
        assert!(resolve(&format!("{SOURCE}{steps}{sink}{other}")).is_ok());
    }

    #[test]
    fn dead_letters_of_a_step_that_puts_out_none_are_refused_with_the_setting() {
        let text =
            "[steps.a]\nplugin='p'\n[sinks.out.noop]\n[sinks.bad]\nfrom='a.dead-letter'\n[sinks.bad.noop]\n";
        assert_eq!(
            resolve(&format!("{SOURCE}{text}")).unwrap_err(),
            [
                "sinks.bad.from: step `a` puts out no dead letters; set on-error = \"dead-letter\" in [steps.a]"
            ]
        );
    }

    #[test]
    fn a_plan_without_an_aggregation_has_no_complete_result() {
        let mode = |sink: &str| {
            let text =
                format!("{SOURCE}[steps.a]\nplugin='p'\n[sinks.out]\nmode='complete'\n[sinks.out.{sink}]\n");
            resolve(&text).unwrap_err()
        };
        for sink in ["console", "noop", "stdout"] {
            assert_eq!(
                mode(sink),
                [
                    "sinks.out.mode: sink `out` cannot have mode = \"complete\": step `a` passes rows on as they come, and only an aggregation has a result to store as a whole; use \"append\" or \"update\""
                ]
            );
        }
        assert!(mode("files]\npath='x'\n[sinks.other.noop").iter().all(|p| p.ends_with("; use \"append\"")));
    }

    #[test]
    fn a_step_does_one_thing() {
        let problems = |step: &str| {
            resolve(&format!("{SOURCE}[steps.a]\n{step}\n[sinks.out.noop]\n")).err().unwrap_or_default()
        };
        assert_eq!(problems("drop-duplicates={keys=['x']}"), [""; 0]);
        for (step, says) in [
            ("plugin='p'\ndrop-duplicates={}", "steps.a.drop-duplicates: a step has one of sql, plugin"),
            ("sql='SELECT 1 FROM in'\nplugin='p'", "steps.a.plugin: a step has one of sql, plugin"),
            ("from='in'", "steps.a: the step does nothing; add sql, plugin, drop-duplicates or watermark"),
            (
                "drop-duplicates={}\non-error='skip'",
                "steps.a: config and on-error are for a plugin, and this step is a removal of duplicates",
            ),
        ] {
            let problems = problems(step);
            assert!(problems.len() == 1 && problems[0].starts_with(says), "{step}: {problems:?}");
        }
    }

    #[test]
    fn only_a_step_with_a_plugin_follows_newer_ones() {
        let text = "[steps.a]\nsql='SELECT 1 FROM in'\nfollow=true\n[sinks.out.noop]\n";
        let problems = resolve(&format!("{SOURCE}{text}")).unwrap_err();
        assert_eq!(problems, ["steps.a.follow: follow is for a plugin, and this step has none"]);
    }

    #[test]
    fn a_removal_of_duplicates_has_no_complete_result_even_behind_an_aggregation() {
        let steps = "[steps.a]\nsql='SELECT 1 FROM in'\n[steps.b]\ndrop-duplicates={}\n";
        let sink = "[sinks.out]\nmode='complete'\n[sinks.out.noop]\n";
        let problems = resolve(&format!("{SOURCE}{steps}{sink}")).unwrap_err();
        assert!(problems[0].starts_with("sinks.out.mode: sink `out` cannot have"), "{problems:?}");
    }

    #[test]
    fn limits_that_would_let_nothing_through_are_refused() {
        for limit in ["files=0", "bytes='0MiB'", "rows=0"] {
            let text = format!(
                "retain-epochs=0\n[sources.in]\nmax-per-trigger={{{limit}}}\n[sources.in.stdin]\n[sinks.out.noop]\n"
            );
            let problems = resolve(&text).unwrap_err();
            assert!(problems[0].starts_with("retain-epochs: retain-epochs is at least 1"), "{problems:?}");
            assert!(
                problems[1].starts_with("sources.in.max-per-trigger: max-per-trigger is at least 1"),
                "{problems:?}"
            );
        }
    }
}
