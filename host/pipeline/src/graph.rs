//! Who reads from whom. Everything that can be said of a pipeline without opening anything.

mod checks;
mod shape;
#[cfg(test)]
mod tests;

pub(crate) use checks::of_sink;

use crate::{
    place::Problem,
    settings::{OnError, Pipeline},
};
use engine::{operators::LATE, sql::Sql};

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
        let mut problems = checks::problems(pipeline);
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
            problems = shape::problems(pipeline, &graph);
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
