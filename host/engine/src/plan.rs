//! What a query is made of.

pub use crate::table::NamedTable;
use crate::{
    Keyed, NamedFunction, OutputMode, Port, Releases, Result, Sink, Source, Step, StepFacts, Wanted,
    event_time::{InForce, Policy, Watermark},
};

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use std::{sync::Arc, time::Duration};

/// Makes a query's parts. Asked again after an `Unavailable` error, so that a restart begins with fresh connections,
/// and when a source's schema has evolved.
#[async_trait]
pub trait Planner: Send + Sync {
    /// The sources, always the same names in the same order.
    async fn sources(&self) -> Result<Vec<NamedSource>>;

    /// The steps and sinks for sources of these schemas, one for each source.
    async fn dataflow(&self, schemas: &[SchemaRef]) -> Result<Dataflow>;

    /// Told before a dataflow is made which versions of plugins an epoch ran with. `exact`: that epoch runs again, with these and no
    /// others. Otherwise it was the last one, and what comes after it goes on with them unless the pipeline asks for others now. Answers
    /// whether the dataflow that was made last would be another one.
    async fn pin(&self, _releases: &Releases, _exact: bool) -> Result<bool> {
        Ok(false)
    }

    /// The versions that the dataflow runs with which was made last, what was renewed since included.
    fn releases(&self) -> Releases {
        Releases::new()
    }

    /// Steps that are to take the place of those of the same name from the next epoch on. What leaves them has the same columns.
    fn renewed(&self) -> Vec<Renewed> {
        Vec::new()
    }

    /// What happened to plugins since this was asked last, a sentence each.
    fn notices(&self) -> Vec<String> {
        Vec::new()
    }
}

/// A newer version of a step.
pub struct Renewed {
    /// The step's name.
    pub name: String,
    /// What it does from now on. By key it goes on with the state there is: its identity is the same.
    pub work: Work,
}

/// A source and its name in the pipeline.
#[derive(Clone)]
pub struct NamedSource {
    /// Its name.
    pub name: String,
    /// The source.
    pub source: Arc<dyn Source>,
    /// After so long without anything new its rows are not waited for: their watermark does not hold the others back.
    pub idle_after: Option<Duration>,
}

/// Everything behind the sources.
///
/// Invariant: a step's inputs are sources or **earlier** steps.
#[derive(Default)]
pub struct Dataflow {
    /// The steps, inputs first.
    pub steps: Vec<NamedStep>,
    /// What steps join streams with.
    pub tables: Vec<Arc<NamedTable>>,
    /// What SQL calls beside Spark's functions.
    pub functions: Vec<Arc<NamedFunction>>,
    /// The sinks.
    pub sinks: Vec<NamedSink>,
    /// How several watermarks become one.
    pub policy: Policy,
}

/// A step and where its rows come from.
pub struct NamedStep {
    /// Its name: of a step of the pipeline, or of a part of one.
    pub name: String,
    /// Where its rows come from. A stateless step takes the rows of all of them alike: that is a union.
    pub inputs: Vec<Input>,
    /// What it does.
    pub work: Work,
}

/// What a step does with its rows.
#[derive(Clone)]
pub enum Work {
    /// One batch after the other, each for itself.
    Stateless(Arc<dyn Step>),
    /// By key, with state.
    Keyed(Arc<dyn Keyed>),
}

impl NamedStep {
    fn reads(&self, input: usize, wanted: &[Wanted]) -> Wanted {
        match &self.work {
            Work::Stateless(step) => step.reads(wanted),
            Work::Keyed(step) => step.reads(input, wanted),
        }
    }

    /// What leaves: the main output first.
    pub fn ports(&self) -> &[Port] {
        match &self.work {
            Work::Stateless(step) => step.ports(),
            Work::Keyed(step) => step.ports(),
        }
    }

    /// For the plan and `explain`.
    pub fn facts(&self) -> StepFacts {
        match &self.work {
            Work::Stateless(step) => step.facts(),
            Work::Keyed(step) => step.facts(),
        }
    }
}

impl Dataflow {
    /// How many partitions come from `input` in an epoch whose sources are asked for `partitions`.
    pub fn width(&self, input: Input, partitions: u32) -> u32 {
        let Input::Step { step, .. } = input else { return partitions };
        let Some(named) = self.steps.get(step) else { return partitions };
        let into = named.inputs.iter().map(|input| self.width(*input, partitions)).sum();
        match named.work {
            Work::Stateless(_) => into,
            // Its shards, or what it puts aside on the way to them.
            Work::Keyed(_) => partitions.max(into),
        }
    }

    /// The watermarks of the rows that a step takes in, if the query's are `query`: a step above may hold its rows back.
    pub fn in_force(&self, step: usize, query: InForce) -> InForce {
        let of = |watermark| self.input_watermark(step, watermark);
        InForce { late: of(query.late), eviction: of(query.eviction) }
    }

    fn input_watermark(&self, step: usize, query: Watermark) -> Watermark {
        let inputs = self.steps.get(step).into_iter().flat_map(|named| &named.inputs);
        let outputs = inputs.map(|input| match input {
            Input::Source(_) => query,
            Input::Step { step, .. } => {
                let above = self.input_watermark(*step, query);
                match self.steps.get(*step).map(|named| &named.work) {
                    Some(Work::Keyed(keyed)) => keyed.output_watermark(above),
                    _ => above,
                }
            }
        });
        outputs.min().unwrap_or(query).max(Watermark::default())
    }

    /// Which columns of these rows anything behind them looks at.
    pub fn wanted(&self, of: Input) -> Wanted {
        if self.sinks.iter().any(|sink| sink.input == of) {
            return Wanted::All;
        }
        let mut wanted = Wanted::nothing();
        for (step, named) in self.steps.iter().enumerate() {
            for (place, _) in named.inputs.iter().enumerate().filter(|(_, input)| **input == of) {
                let ports = (0..named.ports().len()).map(|port| self.wanted(Input::Step { step, port }));
                wanted = wanted.and(named.reads(place, &ports.collect::<Vec<_>>()));
            }
        }
        wanted
    }

    /// Whether any step has state.
    pub fn remembers(&self) -> bool {
        self.keyed().next().is_some()
    }

    /// Whether a step with a result is among those that rows of `input` come through.
    pub fn has_result_above(&self, input: Input) -> bool {
        self.keyed_above(input, &|step| step.has_result())
    }

    /// Whether a step above `input` holds rows back until the watermark says that they are final.
    pub fn waits_above(&self, input: Input) -> bool {
        self.keyed_above(input, &|step| step.timed())
    }

    fn keyed_above(&self, input: Input, is: &dyn Fn(&dyn Keyed) -> bool) -> bool {
        let Input::Step { step, .. } = input else { return false };
        self.steps.get(step).is_some_and(|named| {
            matches!(&named.work, Work::Keyed(step) if is(&**step))
                || named.inputs.iter().any(|above| self.keyed_above(*above, is))
        })
    }

    /// The keyed steps with their indices and names.
    pub fn keyed(&self) -> impl Iterator<Item = (usize, &str, &Arc<dyn Keyed>)> {
        self.steps.iter().enumerate().filter_map(|(index, named)| match &named.work {
            Work::Keyed(step) => Some((index, named.name.as_str(), step)),
            Work::Stateless(_) => None,
        })
    }

    /// The stateless steps with their indices and names.
    pub fn stateless(&self) -> impl Iterator<Item = (usize, &str, &Arc<dyn Step>)> {
        self.steps.iter().enumerate().filter_map(|(index, named)| match &named.work {
            Work::Stateless(step) => Some((index, named.name.as_str(), step)),
            Work::Keyed(_) => None,
        })
    }

    /// The digests of the plugins of steps, by the step's name, of sinks, by `sinks.<name>`, and of functions, by
    /// `functions.<name>`.
    pub(crate) fn digests(&self) -> impl Iterator<Item = (String, String)> {
        let steps = self.steps.iter().filter_map(|step| Some((step.name.clone(), step.facts().digest?)));
        let sinks = self.sinks.iter().filter_map(|sink| Some((sink.key(), sink.sink.facts()?.digest?)));
        let functions =
            self.functions.iter().filter_map(|of| Some((of.key(), of.function().facts().digest?)));
        steps.chain(sinks).chain(functions)
    }

    /// The sources that rows of a step come from, some perhaps several times.
    pub fn sources_above(&self, step: usize) -> Vec<usize> {
        let inputs = self.steps.get(step).into_iter().flat_map(|named| &named.inputs);
        let above = |input: &Input| match input {
            Input::Source(source) => vec![*source],
            Input::Step { step, .. } => self.sources_above(*step),
        };
        inputs.flat_map(above).collect()
    }
}

/// A sink and where its rows come from.
pub struct NamedSink {
    /// Its name in the pipeline.
    pub name: String,
    /// What it is, for people: `FileSink[out]`.
    pub description: String,
    /// Where its rows come from.
    pub input: Input,
    /// Their columns.
    pub schema: SchemaRef,
    /// What it is asked to store.
    pub mode: OutputMode,
    /// The sink.
    pub sink: Arc<dyn Sink>,
}

impl NamedSink {
    /// Its name where there are names of steps too, none of which has a dot behind `sinks`.
    pub(crate) fn key(&self) -> String {
        format!("sinks.{}", self.name)
    }
}

/// Where rows come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// The source of this index.
    Source(usize),
    /// A port of the step of this index.
    Step {
        /// Index in [`Dataflow::steps`].
        step: usize,
        /// Index in [`NamedStep::ports`].
        port: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operators::driver::planned;

    /// The names of the columns of `rows` (k, t, v, g; `t` has the watermark) that a query looks at.
    fn used(sql: &str, mode: OutputMode) -> String {
        let mut flow = planned(sql, true, &[mode]).unwrap();
        // A query that changes nothing has no step.
        let last = flow.steps.len().checked_sub(1);
        read(&mut flow, last.map_or(Input::Source(0), |step| Input::Step { step, port: 0 }), mode);
        let wanted = flow.wanted(Input::Source(0));
        ["k", "t", "v", "g"].iter().enumerate().filter(|(i, _)| wanted.has(*i)).map(|(_, n)| *n).collect()
    }

    /// Adds a sink that reads these rows.
    fn read(flow: &mut Dataflow, input: Input, mode: OutputMode) {
        let (name, description) = ("out".into(), "a sink".into());
        let (schema, sink) = (Arc::new(arrow::datatypes::Schema::empty()), Arc::new(Nowhere));
        flow.sinks.push(NamedSink { name, description, input, schema, mode, sink });
    }

    struct Nowhere;

    #[async_trait]
    impl Sink for Nowhere {
        fn accepts(&self, _: OutputMode, _: &SchemaRef) -> Result<crate::Guarantee> {
            Ok(crate::Guarantee::BestEffort)
        }

        async fn open(&self, _: &crate::QueryId, _: &str) -> Result<()> {
            Ok(())
        }

        async fn begin(&self, _: &crate::Begin) -> Result<crate::Begun> {
            Ok(crate::Begun::Stored(crate::Token::default()))
        }
    }

    #[test]
    fn a_source_is_told_which_columns_queries_look_at() {
        let append = |sql: &str| used(sql, OutputMode::Append);
        assert_eq!(append("SELECT * FROM rows"), "ktvg");
        assert_eq!(append("SELECT v + 1 FROM rows WHERE g = 'x'"), "vg");
        assert_eq!(append("SELECT window(t, '10 seconds'), count(*) FROM rows GROUP BY 1"), "t");
        assert_eq!(append("SELECT explode(split(k, ' ')) FROM rows"), "k");
        assert_eq!(append("SELECT DISTINCT k, t FROM rows"), "kt");
        let join =
            "SELECT a.k FROM rows a JOIN rows b ON a.k = b.k AND a.t BETWEEN b.t AND b.t + INTERVAL '1 hour'";
        assert_eq!(append(join), "kt");
        assert_eq!(used("SELECT k, sum(v) FROM rows GROUP BY k", OutputMode::Complete), "kv");
        assert_eq!(used("SELECT count(*) FROM rows", OutputMode::Complete), "");
    }

    #[test]
    fn rows_that_a_sink_gets_as_they_are_are_wanted_whole() {
        let mut flow = planned("SELECT v FROM rows", true, &[OutputMode::Append]).unwrap();
        read(&mut flow, Input::Source(0), OutputMode::Append);
        assert_eq!(flow.wanted(Input::Source(0)), Wanted::All);
    }
}
