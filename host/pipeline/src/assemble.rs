//! From the steps of a file to the parts of a dataflow.
//!
//! First every step is prepared, inputs first, so that its columns are known. Then what its readers want of each step is
//! handed up from the sinks: rows for append, for update, or the complete result. Last the parts are added.

use crate::{
    bound::BoundPlugin,
    graph::{DEAD_LETTER, Upstream},
    planner::Planner,
    settings::{OnError, Step, Watermark},
};
use arrow::datatypes::SchemaRef;
use connectors::{source::OnBadData, units::Interval};
use engine::{
    Error, Keyed as _, Kind, OutputMode, Port, Result, Step as _,
    operators::{Beyond, DropDuplicates, Future, LATE, WatermarkStep},
    plan::{Dataflow, Input, NamedStep, NamedTable, Work},
    sql::{Catalog, Outputs, Planned, Sql, SqlError},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    sync::Arc,
};

/// Who reads, from where, and what.
pub(crate) struct Reader {
    /// A sink, or whatever a test looks at.
    pub(crate) name: String,
    pub(crate) upstream: Upstream,
    pub(crate) mode: OutputMode,
}

/// A pipeline's steps as parts of a dataflow.
pub(crate) struct Assembled {
    pub(crate) flow: Dataflow,
    /// For each reader, where its rows come from, and their columns.
    pub(crate) read: Vec<(Input, SchemaRef)>,
    /// For each step of the pipeline, its parts.
    pub(crate) parts: Vec<Range<usize>>,
}

/// A step whose columns are known.
struct Prepared {
    /// On what the body reads; none for SQL, whose tables have their own.
    watermark: Option<Arc<WatermarkStep>>,
    body: Body,
    ports: Vec<Port>,
}

enum Body {
    /// Nothing but a watermark.
    Pass,
    Plugin(BoundPlugin),
    Sql(Planned),
    DropDuplicates(Arc<DropDuplicates>),
}

impl Prepared {
    /// In which modes it wants its input, if its readers want it in `modes`.
    fn wants(&self, modes: &BTreeSet<Mode>) -> BTreeSet<Mode> {
        match &self.body {
            Body::Sql(planned) if planned.remembers() => [Mode(OutputMode::Append)].into(),
            Body::DropDuplicates(_) | Body::Plugin(BoundPlugin::Keyed(_)) => {
                [Mode(OutputMode::Append)].into()
            }
            _ => modes.clone(),
        }
    }
}

/// In the order in which they were thought of.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Mode(OutputMode);

impl Ord for Mode {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.0 as u8).cmp(&(other.0 as u8))
    }
}

impl PartialOrd for Mode {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Planner {
    /// The parts of all steps, for sources of these schemas. `injected` has steps that read a further source instead of
    /// what they name.
    pub(crate) async fn assemble(
        &self,
        schemas: &[SchemaRef],
        injected: &[(usize, usize)],
        readers: &[Reader],
    ) -> Result<Assembled> {
        let mut assembly = Assembly::new(self, schemas, injected).await?;
        for index in 0..self.file().graph.steps.len() {
            let prepared = assembly.prepare(index).await?;
            assembly.steps.push(prepared);
        }
        let wanted = assembly.wanted(readers);
        assembly.refuse_groups_of_results(&wanted)?;
        assembly.refuse_other_modes(readers, &wanted)?;
        let mut parts = Vec::with_capacity(assembly.steps.len());
        for (index, modes) in wanted.iter().enumerate() {
            let first = assembly.flow.steps.len();
            let modes: Vec<OutputMode> = modes.iter().map(|mode| mode.0).collect();
            let outputs = assembly.add(index, &modes)?;
            assembly.outputs.push(outputs);
            parts.push(first..assembly.flow.steps.len());
        }
        let read = readers.iter().map(|reader| {
            let read = assembly.read(&reader.upstream, reader.mode);
            read.map_err(|e| self.file().locate(&["sinks", &reader.name, "mode"], e))
        });
        let read = read.collect::<Result<_>>()?;
        Ok(Assembled { flow: assembly.flow, read, parts })
    }
}

impl Planner {
    /// The columns that each step reads; of SQL, those of its first table.
    pub(crate) async fn inputs(&self, schemas: &[SchemaRef]) -> Result<Vec<SchemaRef>> {
        let mut assembly = Assembly::new(self, schemas, &[]).await?;
        let mut inputs = Vec::new();
        for index in 0..self.file().graph.steps.len() {
            let upstreams = assembly.upstreams(index)?;
            inputs.push(assembly.schema_of(index, upstreams.first().map(|(_, upstream)| upstream))?);
            let prepared = assembly.prepare(index).await?;
            assembly.steps.push(prepared);
        }
        Ok(inputs)
    }

    /// The mode in which the first sink that gets rows from there wants them.
    pub(crate) fn mode_of(&self, upstream: &Upstream) -> OutputMode {
        let sinks = self.file().settings.sinks.values().zip(&self.file().graph.sinks);
        let mut reading = sinks.filter(|(_, from)| self.comes_from(from, upstream));
        reading.next().map_or(OutputMode::Append, |(sink, _)| sink.mode)
    }

    fn comes_from(&self, place: &Upstream, upstream: &Upstream) -> bool {
        let Upstream::Step(step, _) = place else { return place == upstream };
        let above = self.file().graph.steps.get(*step).into_iter().flatten();
        matches!(upstream, Upstream::Step(of, _) if of == step)
            || above.into_iter().any(|(_, above)| self.comes_from(above, upstream))
    }
}

struct Assembly<'a> {
    planner: &'a Planner,
    /// The columns of each source, with its watermark, and where its rows come from.
    sources: Vec<(SchemaRef, Input)>,
    tables: Vec<Arc<NamedTable>>,
    injected: BTreeMap<usize, usize>,
    steps: Vec<Prepared>,
    /// For each step that was added, where the rows of its outputs come from.
    outputs: Vec<BTreeMap<String, Outputs>>,
    flow: Dataflow,
}

impl<'a> Assembly<'a> {
    async fn new(planner: &'a Planner, schemas: &[SchemaRef], injected: &[(usize, usize)]) -> Result<Self> {
        let settings = &planner.file().settings;
        let mut flow = Dataflow { policy: settings.watermark_policy.into(), ..Dataflow::default() };
        let mut sources = Vec::with_capacity(schemas.len());
        for (index, schema) in schemas.iter().enumerate() {
            let set = settings.sources.get_index(index);
            let watermark = set.and_then(|(name, source)| Some((name, source.watermark.as_ref()?)));
            let Some((name, watermark)) = watermark else {
                sources.push((schema.clone(), Input::Source(index)));
                continue;
            };
            let beyond = match set.map(|(_, source)| source.on_bad_data) {
                Some(OnBadData::Fail) => Beyond::Fail,
                _ => Beyond::Skip,
            };
            let step =
                watermark_step(schema, watermark, beyond).map_err(|e| planner.of("source", name, e))?;
            let schema = main(step.ports());
            let step =
                push(&mut flow, format!("{name}.watermark"), Input::Source(index), Work::Stateless(step));
            sources.push((schema, Input::Step { step, port: 0 }));
        }
        let mut tables = Vec::with_capacity(settings.tables.len());
        for (name, table) in &settings.tables {
            tables.push(planner.table(name, table).await?);
        }
        flow.functions = planner.functions().await?;
        planner.live_functions().set(flow.functions.clone());
        let injected = injected.iter().copied().collect();
        Ok(Assembly { planner, sources, tables, injected, steps: Vec::new(), outputs: Vec::new(), flow })
    }

    fn settings(&self, index: usize) -> Result<(&'a str, &'a Step)> {
        let step = self.planner.file().settings.steps.get_index(index);
        step.map(|(name, step)| (name.as_str(), step)).ok_or_else(missing)
    }

    /// What a step reads, by the names it has in the step's SQL; one without a name for other steps.
    fn upstreams(&self, index: usize) -> Result<Vec<(String, Upstream)>> {
        if let Some(source) = self.injected.get(&index) {
            let (name, _) = self.settings(index)?;
            let tables = self.planner.file().graph.steps.get(index).ok_or_else(missing)?;
            let (kept, streams): (Vec<_>, Vec<_>) =
                tables.iter().cloned().partition(|(_, of)| matches!(of, Upstream::Table(_)));
            return match &streams[..] {
                [(table, _)] => Ok([vec![(table.clone(), Upstream::Source(*source))], kept].concat()),
                _ => Err(Error::invalid(format!(
                    "step `{name}` reads several tables; give rows to each of them, not to the step"
                ))),
            };
        }
        self.planner.file().graph.steps.get(index).cloned().ok_or_else(missing)
    }

    async fn prepare(&self, index: usize) -> Result<Prepared> {
        let (name, step) = self.settings(index)?;
        let upstreams = self.upstreams(index)?;
        if let Some(sql) = &step.sql {
            let planned = self.query(sql, &upstreams, self.planner.file().graph.reads_late(index));
            let planned = planned.map_err(|e| self.planner.in_sql(name, e))?;
            let mut ports = vec![Port { name: String::new(), schema: planned.schema() }];
            ports.extend(planned.late().map(|schema| Port { name: LATE.to_owned(), schema }));
            return Ok(Prepared { watermark: None, body: Body::Sql(planned), ports });
        }
        let mut schema = self.schema_of(index, upstreams.first().map(|(_, upstream)| upstream))?;
        let mut watermark = None;
        if let Some(set) = &step.watermark {
            let made = watermark_step(&schema, set, beyond(step.on_error));
            let made = made.map_err(|e| self.planner.file().locate(&["steps", name, "watermark"], e))?;
            schema = main(made.ports());
            watermark = Some(made);
        }
        if let Some(set) = &step.drop_duplicates {
            let made = DropDuplicates::new(&schema, set.keys.as_deref(), set.within_watermark);
            let made =
                made.map_err(|e| self.planner.file().locate(&["steps", name, "drop-duplicates"], e))?;
            let ports = made.ports().to_vec();
            return Ok(Prepared { watermark, body: Body::DropDuplicates(Arc::new(made)), ports });
        }
        let Some(plugin) = &step.plugin else {
            return Ok(Prepared {
                ports: watermark.as_ref().map_or_else(Vec::new, |made| made.ports().to_vec()),
                watermark,
                body: Body::Pass,
            });
        };
        let plugin = self.planner.plugin_step(name, plugin, step, schema).await?;
        let ports = plugin.ports().to_vec();
        Ok(Prepared { watermark, body: Body::Plugin(plugin), ports })
    }

    /// `whole`: rows keep the columns that the query does not use.
    fn query(&self, sql: &str, upstreams: &[(String, Upstream)], whole: bool) -> Result<Planned, SqlError> {
        let mut tables = BTreeMap::new();
        let mut kept = Vec::new();
        for (table, upstream) in upstreams {
            match upstream {
                Upstream::Table(index) => kept.push(self.tables.get(*index).ok_or_else(missing)?.clone()),
                _ => drop(tables.insert(table.clone(), self.columns(upstream)?)),
            }
        }
        let catalog = Catalog::new(tables, &self.planner.file().settings.time_zone).with_tables(kept);
        let catalog = Arc::new(catalog.with_functions(self.flow.functions.iter().cloned()));
        let sql = Sql::parse(sql)?;
        let sql = if whole { sql.with_whole_rows() } else { sql };
        sql.plan(catalog)
    }

    fn schema_of(&self, index: usize, upstream: Option<&Upstream>) -> Result<SchemaRef> {
        let (name, _) = self.settings(index)?;
        let schema = self.columns(upstream.ok_or_else(missing)?);
        schema.map_err(|e| self.planner.file().locate(&["steps", name, "from"], e))
    }

    /// The columns of what stands above.
    fn columns(&self, upstream: &Upstream) -> Result<SchemaRef> {
        match upstream {
            Upstream::Source(source) => {
                self.sources.get(*source).map(|(schema, _)| schema.clone()).ok_or_else(missing)
            }
            Upstream::Step(step, output) => {
                let (name, prepared) = (self.settings(*step)?.0, self.steps.get(*step).ok_or_else(missing)?);
                port(name, &prepared.ports, output.as_deref()).map(|port| port.schema.clone())
            }
            Upstream::Table(table) => self.tables.get(*table).map(|table| table.schema()).ok_or_else(missing),
        }
    }

    /// For each step, in which modes its rows are wanted.
    fn wanted(&self, readers: &[Reader]) -> Vec<BTreeSet<Mode>> {
        let mut wanted = vec![BTreeSet::new(); self.steps.len()];
        let want = |wanted: &mut Vec<BTreeSet<Mode>>, upstream: &Upstream, modes: &BTreeSet<Mode>| {
            if let Upstream::Step(step, output) = upstream {
                if output.as_deref() == Some(LATE) {
                    return; // Late rows are the same in every mode.
                }
                wanted.iter_mut().skip(*step).take(1).for_each(|all| all.extend(modes));
            }
        };
        for reader in readers {
            want(&mut wanted, &reader.upstream, &[Mode(reader.mode)].into());
        }
        for (index, prepared) in self.steps.iter().enumerate().rev() {
            let modes = wanted.get(index).map(|modes| prepared.wants(modes)).unwrap_or_default();
            for (_, upstream) in self.upstreams(index).into_iter().flatten() {
                want(&mut wanted, &upstream, &modes);
            }
        }
        wanted
    }

    /// Before the steps below are added, in the mode that they are read in here, which nobody has asked for.
    fn refuse_groups_of_results(&self, wanted: &[BTreeSet<Mode>]) -> Result<()> {
        for (index, (prepared, modes)) in self.steps.iter().zip(wanted).enumerate() {
            let Body::Sql(planned) = &prepared.body else { continue };
            let modes: Vec<OutputMode> = modes.iter().map(|mode| mode.0).collect();
            if self.upstreams(index)?.iter().any(|(_, upstream)| self.has_result(upstream)) {
                let name = self.settings(index)?.0;
                planned.over_results(&modes).map_err(|e| self.planner.in_sql(name, e.into()))?;
            }
        }
        Ok(())
    }

    /// Rows of a plugin with state are as its step says, and are to be wanted so.
    fn refuse_other_modes(&self, readers: &[Reader], wanted: &[BTreeSet<Mode>]) -> Result<()> {
        let file = self.planner.file();
        for Reader { name, upstream, mode } in readers {
            self.check_mode(upstream, *mode).map_err(|e| file.locate(&["sinks", name, "mode"], e))?;
        }
        for (index, (prepared, modes)) in self.steps.iter().zip(wanted).enumerate() {
            let name = self.settings(index)?.0;
            for (Mode(mode), (_, upstream)) in prepared
                .wants(modes)
                .iter()
                .flat_map(|mode| self.upstreams(index).into_iter().flatten().map(move |of| (mode, of)))
            {
                self.check_mode(&upstream, *mode).map_err(|e| file.locate(&["steps", name], e))?;
            }
        }
        Ok(())
    }

    fn check_mode(&self, upstream: &Upstream, wanted: OutputMode) -> Result<()> {
        let Upstream::Step(index, None) = upstream else { return Ok(()) };
        let (name, Step { mode, .. }) = self.settings(*index)?;
        let of = self.steps.get(*index).map(|prepared| &prepared.body);
        if !matches!(of, Some(Body::Plugin(BoundPlugin::Keyed(_)))) || *mode == wanted {
            return Ok(());
        }
        Err(Error::invalid(format!(
            "the rows of step `{name}`, a plugin with state, are of mode = \"{mode}\", and here they are wanted in mode = \"{wanted}\": \
             give both the same mode"
        )))
    }

    /// Whether rows come out of something with state.
    fn has_result(&self, upstream: &Upstream) -> bool {
        let Upstream::Step(index, output) = upstream else { return false };
        let remembers = self.steps.get(*index).is_some_and(|prepared| match &prepared.body {
            Body::Sql(planned) => planned.remembers(),
            Body::DropDuplicates(_) | Body::Plugin(BoundPlugin::Keyed(_)) => true,
            Body::Pass | Body::Plugin(BoundPlugin::Stateless(_)) => false,
        });
        let above = || self.upstreams(*index).into_iter().flatten();
        output.as_deref() != Some(LATE) && (remembers || above().any(|(_, above)| self.has_result(&above)))
    }

    /// Adds a step's parts, and answers where the rows of each of its outputs come from.
    fn add(&mut self, index: usize, modes: &[OutputMode]) -> Result<BTreeMap<String, Outputs>> {
        let (name, _) = self.settings(index)?;
        let upstreams = self.upstreams(index)?;
        let prepared = self.steps.get(index).ok_or_else(missing)?;
        let ports = prepared.ports.clone();
        if let Body::Sql(planned) = &prepared.body {
            let planned = planned.clone();
            let mut tables = BTreeMap::new();
            let streams = upstreams.iter().filter(|(_, upstream)| !matches!(upstream, Upstream::Table(_)));
            for (table, upstream) in streams {
                tables.insert(table.clone(), self.outputs_of(upstream)?);
            }
            let modes = if modes.is_empty() { &[OutputMode::Append] } else { modes };
            if planned.remembers() && modes.len() > 1 && modes.contains(&OutputMode::Complete) {
                let what = "its result is wanted in mode = \"complete\", for which every group stays in state, and in another mode as well, for which groups leave; write the query as two steps, one for the sinks of each";
                return Err(self.planner.file().locate(&["steps", name, "sql"], Error::invalid(what)));
            }
            let added = planned.add_to(&mut self.flow, name, &tables, modes);
            let (main, late) = added.map_err(|e| self.planner.in_sql(name, e.into()))?;
            let late = late.map(|late| (LATE.to_owned(), late));
            return Ok([(String::new(), main)].into_iter().chain(late).collect());
        }
        let works: Vec<(String, Work)> = {
            let watermark =
                prepared.watermark.clone().map(|step| (format!("{name}.watermark"), Work::Stateless(step)));
            let body = match &prepared.body {
                Body::Plugin(plugin) => Some((name.to_owned(), self.planner.work_of(name, plugin))),
                Body::DropDuplicates(step) => Some((name.to_owned(), Work::Keyed(step.clone()))),
                _ => None,
            };
            watermark.into_iter().chain(body).collect()
        };
        let above = self.outputs_of(&upstreams.first().ok_or_else(missing)?.1)?;
        let mut outputs: BTreeMap<String, Outputs> = BTreeMap::new();
        // One step for all modes whose rows are the same.
        let mut done: Vec<(Input, Input)> = Vec::new();
        let removes_duplicates = matches!(prepared.body, Body::DropDuplicates(_));
        let appends = removes_duplicates || matches!(prepared.body, Body::Plugin(BoundPlugin::Keyed(_)));
        if removes_duplicates && modes.contains(&OutputMode::Complete) {
            let what = "what duplicates were removed from passes on as it comes, and has no complete result; use mode = \"append\" or \"update\" in the sinks behind it";
            let key = ["steps", name, "drop-duplicates"];
            return Err(self.planner.file().locate(&key, Error::invalid(what)));
        }
        for mode in modes {
            let from = above.of(if appends { OutputMode::Append } else { *mode })?;
            let known = done.iter().find(|(of, _)| *of == from).map(|(_, to)| *to);
            let to = known.unwrap_or_else(|| self.add_works(&works, from));
            done.push((from, to));
            for (number, Port { name, .. }) in ports.iter().enumerate() {
                let input = match to {
                    Input::Step { step, .. } if !works.is_empty() => Input::Step { step, port: number },
                    other => other,
                };
                outputs.entry(name.clone()).or_default().0.push((*mode, input));
            }
        }
        Ok(outputs)
    }

    fn add_works(&mut self, works: &[(String, Work)], from: Input) -> Input {
        works.iter().fold(from, |input, (name, work)| {
            let step = push(&mut self.flow, name.clone(), input, work.clone());
            Input::Step { step, port: 0 }
        })
    }

    /// Where the rows of what stands above come from.
    fn outputs_of(&self, upstream: &Upstream) -> Result<Outputs> {
        match upstream {
            Upstream::Source(source) => {
                let input = self.sources.get(*source).ok_or_else(missing)?.1;
                Ok(Outputs::alike(input))
            }
            Upstream::Step(step, output) => {
                let outputs = self.outputs.get(*step).ok_or_else(missing)?;
                outputs.get(output.as_deref().unwrap_or("")).cloned().ok_or_else(missing)
            }
            Upstream::Table(_) => Err(missing()),
        }
    }

    fn read(&self, upstream: &Upstream, mode: OutputMode) -> Result<(Input, SchemaRef)> {
        let (schema, input) = (self.columns(upstream)?, self.outputs_of(upstream)?.of(mode)?);
        let late = matches!(upstream, Upstream::Step(_, Some(output)) if output == LATE);
        if mode == OutputMode::Complete && (late || !self.flow.has_result_above(input)) {
            return Err(Error::invalid(
                "mode = \"complete\" is of the result of an aggregation, and these rows pass as they come; use mode = \"append\"",
            ));
        }
        Ok((input, schema))
    }
}

fn push(flow: &mut Dataflow, name: String, input: Input, work: Work) -> usize {
    flow.steps.push(NamedStep { name, inputs: vec![input], work });
    flow.steps.len() - 1
}

fn watermark_step(schema: &SchemaRef, of: &Watermark, beyond: Beyond) -> Result<Arc<WatermarkStep>> {
    let step = WatermarkStep::new(schema, &of.column, of.delay.0)?;
    Ok(Arc::new(match of.max_future {
        Some(Interval(most)) => step.with_future(Future { most, beyond }),
        None => step,
    }))
}

fn beyond(on_error: OnError) -> Beyond {
    match on_error {
        OnError::Fail => Beyond::Fail,
        OnError::Skip => Beyond::Skip,
        OnError::DeadLetter => Beyond::To(DEAD_LETTER),
    }
}

fn main(ports: &[Port]) -> SchemaRef {
    ports.first().map_or_else(|| Arc::new(arrow::datatypes::Schema::empty()), |port| port.schema.clone())
}

/// The output of this name.
fn port<'p>(step: &str, ports: &'p [Port], output: Option<&str>) -> Result<&'p Port> {
    let wanted = output.unwrap_or("");
    ports.iter().find(|port| port.name == wanted).ok_or_else(|| {
        let names: Vec<String> = ports.iter().skip(1).map(|p| format!("`{step}.{}`", p.name)).collect();
        let there =
            if names.is_empty() { "it has none".into() } else { format!("it has {}", names.join(", ")) };
        let hint = match wanted {
            LATE => "; a step has late rows if it has one aggregation, removal of duplicates or join of streams, and not several",
            _ => "",
        };
        Error::new(Kind::Invalid, format!("step `{step}` has no side output `{wanted}`: {there}{hint}"))
    })
}

pub(crate) fn missing() -> Error {
    Error::internal("the pipeline's graph names a part that was not made")
}
