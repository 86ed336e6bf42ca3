//! From a logical plan to the parts of a dataflow.
//!
//! Filters, projections and lists made into rows are gathered into one chain, which runs as a step of its own or, in
//! front of an aggregation, as the first thing that this does with a batch.

mod distinct;
mod grouping;
mod join;
mod order;
mod session;
mod table_join;

pub(super) use self::join::same_names;

use self::table_join::table_of;

use super::{
    Catalog, Outputs,
    error::OrError,
    event_time,
    expression::{Expression, ansi, props, text},
    functions::{WINDOW, Windows, is_time_window},
};
use crate::{
    Error, Keyed, OutputMode, Result,
    operators::{
        LATE,
        aggregate::{Aggregate, Aggregation, Aggregations, Key, Plan},
        chain::{Chain, ChainStep, Part, Unnest},
    },
    plan::{Dataflow, Input, NamedStep, Work},
};
use arrow::datatypes::{Schema, SchemaRef};
use datafusion_common::{
    DFSchema,
    tree_node::{TreeNode, TreeNodeRecursion},
};
use datafusion_expr::{
    Distinct, Expr, LogicalPlan, expr::AggregateFunction, logical_plan,
    physical_planning_context::PhysicalPlanningContext,
};
use datafusion_physical_expr::aggregate::LoweredAggregateBuilder;
use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::AtomicU64},
};

/// Whether a plan has state.
pub(super) fn remembers(plan: &LogicalPlan, catalog: &Catalog) -> bool {
    let mut found = false;
    let seen = plan.apply(|plan| {
        found |= match plan {
            LogicalPlan::Aggregate(_) | LogicalPlan::Distinct(_) => true,
            LogicalPlan::Join(join) => table_of(&join.right, catalog).is_none(),
            _ => false,
        };
        Ok(TreeNodeRecursion::Continue)
    });
    seen.is_ok() && found
}

/// Adds a plan's parts to `flow` and answers where its rows come from, for each of `modes`.
pub(super) fn add(
    plan: &LogicalPlan,
    catalog: &Catalog,
    flow: &mut Dataflow,
    name: &str,
    tables: &BTreeMap<String, Outputs>,
    modes: &[OutputMode],
) -> Result<(Outputs, Option<Outputs>)> {
    let first = flow.steps.len();
    let mut adding = Adding { catalog, flow, name, tables, stateful: 0, in_table: false };
    let rows = adding.rows(plan, modes)?;
    let outputs = adding.outputs(rows, modes)?;
    let late = flow.keyed().filter(|(index, ..)| *index >= first).find_map(|(step, _, keyed)| {
        let port = keyed.ports().iter().position(|port| port.name == LATE)?;
        Some(Outputs::alike(Input::Step { step, port }))
    });
    Ok((outputs, late))
}

/// The columns of rows that come too late for the one part that has state.
pub(super) fn late(plan: &LogicalPlan, catalog: &Catalog) -> Option<SchemaRef> {
    let mut all = Vec::new();
    let seen = plan.apply(|plan| {
        match plan {
            LogicalPlan::Aggregate(aggregate) => all.push(aggregate.input.schema().inner().clone()),
            LogicalPlan::Distinct(Distinct::All(input)) => all.push(input.schema().inner().clone()),
            LogicalPlan::Join(join) if table_of(&join.right, catalog).is_none() => {
                all.push(Arc::new(join::late_rows(&join::pairs(join)?)));
            }
            _ => {}
        }
        Ok(TreeNodeRecursion::Continue)
    });
    match (seen, &all[..]) {
        (Ok(_), [one]) => Some(one.clone()),
        _ => None,
    }
}

struct Adding<'a> {
    catalog: &'a Catalog,
    flow: &'a mut Dataflow,
    name: &'a str,
    tables: &'a BTreeMap<String, Outputs>,
    /// Stateful parts so far.
    stateful: usize,
    /// Whether what is planned now is the table's side of a join.
    in_table: bool,
}

/// Rows on their way: from where, for each mode, and what is still to be done to them.
struct Rows {
    inputs: Vec<Vec<Input>>,
    chain: Chain,
    schema: SchemaRef,
}

impl Adding<'_> {
    fn rows(&mut self, plan: &LogicalPlan, modes: &[OutputMode]) -> Result<Rows> {
        match plan {
            LogicalPlan::TableScan(scan) => self.table(scan, modes),
            LogicalPlan::SubqueryAlias(alias) => self.rows(&alias.input, modes),
            LogicalPlan::Projection(projection) => {
                let rows = self.rows(&projection.input, modes)?;
                let columns = self.expressions(&projection.expr, projection.input.schema())?;
                Ok(rows.then(|schema| Part::Project(columns, schema), columns_of(plan)))
            }
            LogicalPlan::Filter(filter) => {
                let rows = self.rows(&filter.input, modes)?;
                let condition = Expression::new(&filter.predicate, filter.input.schema(), self.catalog)?;
                Ok(rows.then(|_| Part::Filter(condition), columns_of(plan)))
            }
            LogicalPlan::Unnest(unnest) => {
                let rows = self.rows(&unnest.input, modes)?;
                let part = one_list(unnest)?;
                Ok(rows.then(|schema| Part::Unnest(Unnest { schema, ..part }), columns_of(plan)))
            }
            LogicalPlan::Union(union) => self.union(union, modes),
            LogicalPlan::Aggregate(aggregate) => self.aggregate(aggregate, modes),
            LogicalPlan::Join(join) => match table_of(&join.right, self.catalog) {
                Some(table) => self.join_table(join, &table.clone(), modes),
                None => self.join(join, modes),
            },
            LogicalPlan::Distinct(distinct) => self.distinct(distinct, modes),
            LogicalPlan::Sort(sort) => self.sort(plan, sort, modes),
            LogicalPlan::Limit(limit) => self.limit(limit, modes),
            other => Err(refused(other)),
        }
    }

    fn table(&mut self, scan: &logical_plan::TableScan, modes: &[OutputMode]) -> Result<Rows> {
        let table = scan.table_name.table();
        let inputs = match (self.catalog.table(table), self.in_table) {
            (Some(_), true) => Vec::new(),
            (Some(_), false) => return Err(table_join::not_alone(table)),
            (None, _) => {
                let outputs = self.tables.get(table);
                let outputs =
                    outputs.ok_or_else(|| Error::internal(format!("table {table} has no input")))?;
                let inputs = modes.iter().map(|mode| outputs.of(*mode).map(|input| vec![input]));
                inputs.collect::<Result<_>>()?
            }
        };
        let rows = Rows { inputs, chain: Chain { parts: Vec::new() }, schema: scan.source.schema() };
        let Some(projection) = &scan.projection else { return Ok(rows) };
        if projection.iter().copied().eq(0..rows.schema.fields().len()) {
            return Ok(rows);
        }
        let all = DFSchema::try_from_qualified_schema(scan.table_name.clone(), &rows.schema);
        let all = all.invalid(|| "SQL".into())?;
        let columns = projection.iter().map(|column| {
            let column = Expr::Column(datafusion_common::Column::from(all.qualified_field(*column)));
            Expression::new(&column, &all, self.catalog)
        });
        let columns = columns.collect::<Result<Vec<_>>>()?;
        Ok(rows.then(|schema| Part::Project(columns, schema), scan.projected_schema.inner().clone()))
    }

    fn expressions(&self, of: &[Expr], schema: &DFSchema) -> Result<Vec<Expression>> {
        of.iter().map(|expr| Expression::new(expr, schema, self.catalog)).collect()
    }

    fn union(&mut self, union: &logical_plan::Union, modes: &[OutputMode]) -> Result<Rows> {
        let schema = union.schema.inner().clone();
        let mut inputs = vec![Vec::new(); modes.len()];
        for child in &union.inputs {
            let rows = self.rows(child, modes)?;
            let rows = rows.with_columns_of(&schema)?;
            for (all, more) in inputs.iter_mut().zip(self.inputs(rows)) {
                all.extend(more);
            }
        }
        Ok(Rows { inputs, chain: Chain { parts: Vec::new() }, schema })
    }

    fn aggregate(&mut self, aggregate: &logical_plan::Aggregate, modes: &[OutputMode]) -> Result<Rows> {
        if let Some(place) = session::place(aggregate) {
            return self.sessions(aggregate, place, modes);
        }
        // What is grouped is final when it comes, whatever mode the groups are wanted in.
        if groups(&aggregate.input) {
            over_results(modes)?;
        }
        let rows = self.rows(&aggregate.input, &[OutputMode::Append])?;
        if rows.inputs.iter().flatten().any(|input| self.flow.has_result_above(*input)) {
            over_results(modes)?;
        }
        let input = aggregate.input.schema();
        let (keys, sets) = self.keys(aggregate)?;
        let schema: SchemaRef = aggregate.schema.inner().clone();
        let is_time =
            |at: &usize| schema.fields().get(*at).is_some_and(|field| event_time::is_event_time(field));
        let time = (0..keys.len()).find(is_time);
        modes.iter().try_for_each(|mode| accept(*mode, time.is_some(), aggregate))?;
        let aggregates = self.aggregations(&aggregate.aggr_expr, input)?;
        let plan = Plan {
            before: rows.chain,
            keys,
            sets,
            time,
            aggregates,
            modes: modes.to_vec(),
            schema: schema.clone(),
            late: AtomicU64::new(0),
        };
        let late = Arc::new(input.as_arrow().clone());
        let step = self.push_keyed(rows.inputs, Aggregate::new(plan, late)?);
        let inputs = (0..modes.len()).map(|port| vec![Input::Step { step, port }]).collect();
        Ok(Rows { inputs, chain: Chain { parts: Vec::new() }, schema })
    }

    fn key(&self, expr: &Expr, schema: &DFSchema) -> Result<Key> {
        let Some(call) = is_time_window(expr, WINDOW) else {
            return Ok(Key::Plain(Expression::new(expr, schema, self.catalog)?));
        };
        let [time, ..] = &call.args[..] else { return Err(Error::internal("window() without a time")) };
        let windows = Windows::of(call).invalid(|| format!("SQL: {}", text(expr)))?;
        let of = Expression::new(expr, schema, self.catalog)?.data_type().clone();
        Ok(Key::Window { time: Expression::new(time, schema, self.catalog)?, windows, of })
    }

    fn aggregations(&self, of: &[Expr], schema: &DFSchema) -> Result<Aggregations> {
        let all = of.iter().map(|expr| self.aggregation(expr, schema));
        Ok(Aggregations::new(all.collect::<Result<_>>()?))
    }

    fn aggregation(&self, expr: &Expr, schema: &DFSchema) -> Result<Aggregation> {
        if let Some(of) = distinct(expr) {
            return Err(Error::invalid(format!(
                "SQL: {of} of DISTINCT values cannot be kept over a stream; use approx_count_distinct, or remove duplicates in a step before"
            )));
        }
        let doing = || format!("SQL: {}", text(expr));
        let props = props(self.catalog);
        let planning = PhysicalPlanningContext::default();
        let lowered =
            LoweredAggregateBuilder::new(expr, schema, schema.as_arrow(), &props, &planning).build();
        let lowered = lowered.invalid(doing)?;
        if !lowered.order_bys.is_empty() {
            return Err(Error::invalid(format!(
                "SQL: {}: ORDER BY inside an aggregate is not kept over a stream",
                text(expr)
            )));
        }
        let filter = lowered.filter.map(ansi).transpose().invalid(doing)?;
        Aggregation::new(text(expr), lowered.aggregate, filter, schema.as_arrow())
    }

    /// The name of the next stateful part. It names a directory of the checkpoint.
    fn stateful_name(&mut self) -> String {
        self.stateful += 1;
        match self.stateful {
            1 => self.name.to_owned(),
            n => format!("{}.{n}", self.name),
        }
    }

    /// Adds a stateful part that reads append rows, and answers its index.
    fn push_keyed(&mut self, inputs: Vec<Vec<Input>>, work: impl Keyed + 'static) -> usize {
        let name = self.stateful_name();
        self.push(name, inputs.into_iter().next().unwrap_or_default(), Work::Keyed(Arc::new(work)))
    }

    fn push(&mut self, name: String, inputs: Vec<Input>, work: Work) -> usize {
        self.flow.steps.push(NamedStep { name, inputs, work });
        self.flow.steps.len() - 1
    }

    /// Where the rows come from once everything is done to them, for each mode.
    fn inputs(&mut self, rows: Rows) -> Vec<Vec<Input>> {
        if rows.chain.parts.is_empty() {
            return rows.inputs;
        }
        let mut done: Vec<(Vec<Input>, Input)> = Vec::new();
        for inputs in rows.inputs {
            let same = done.iter().find(|(of, _)| *of == inputs).map(|(_, input)| *input);
            let input = same.unwrap_or_else(|| {
                let step = ChainStep::new(rows.chain.clone(), rows.schema.clone());
                let step = self.push(self.name.to_owned(), inputs.clone(), Work::Stateless(Arc::new(step)));
                Input::Step { step, port: 0 }
            });
            done.push((inputs, input));
        }
        done.into_iter().map(|(_, input)| vec![input]).collect()
    }

    fn outputs(&mut self, mut rows: Rows, modes: &[OutputMode]) -> Result<Outputs> {
        if rows.inputs.iter().any(|inputs| inputs.len() != 1) && rows.chain.parts.is_empty() {
            // A union alone has to be a step for others to read from.
            let all = Arc::new(rows.schema.as_ref().clone());
            rows = rows.with_columns_of(&all)?;
            if rows.chain.parts.is_empty() {
                rows.chain.parts.push(Part::Pass);
            }
        }
        let inputs = self.inputs(rows).into_iter().map(|inputs| inputs.into_iter().next());
        let outputs: Option<Vec<_>> =
            modes.iter().copied().zip(inputs).map(|(mode, input)| Some((mode, input?))).collect();
        Ok(Outputs(outputs.ok_or_else(|| Error::internal("a query without an input"))?))
    }
}

impl Rows {
    /// These, and one more thing to do, after which they have the columns of `schema`.
    fn then(mut self, part: impl FnOnce(SchemaRef) -> Part, schema: SchemaRef) -> Rows {
        self.chain.parts.push(part(schema.clone()));
        Rows { schema, ..self }
    }

    /// The same columns under the names and the marks of `schema`.
    fn with_columns_of(self, schema: &SchemaRef) -> Result<Rows> {
        if self.schema == *schema {
            return Ok(self);
        }
        Ok(self.then(Part::Rename, schema.clone()))
    }
}

/// Whether a plan has groups.
pub(super) fn groups(plan: &LogicalPlan) -> bool {
    plan.exists(|plan| Ok(matches!(plan, LogicalPlan::Aggregate(_)))).unwrap_or(false)
}

/// Groups of what is a result itself are for one mode.
pub(super) fn over_results(modes: &[OutputMode]) -> Result<()> {
    match modes.iter().find(|mode| **mode != OutputMode::Append) {
        None => Ok(()),
        Some(mode) => Err(Error::invalid(format!(
            "SQL: an aggregation of what has state itself is not for mode = \"{mode}\": groups below it change until they are final; use mode = \"append\", with windows of an event time below, or a query of its own on what the first one stores"
        ))),
    }
}

/// Whether groups can be emitted in a mode.
fn accept(mode: OutputMode, timed: bool, aggregate: &logical_plan::Aggregate) -> Result<()> {
    match mode {
        OutputMode::Append if !timed => {
            let lost = event_time::lost(aggregate).map_or_else(String::new, |lost| {
                format!(
                    "; `{lost}` is none any more: a column stays event time under any name, and in window() and window_time(), but not in a cast or in arithmetic"
                )
            });
            Err(Error::invalid(format!(
                "SQL: in mode = \"append\" a group is emitted once it is final, and these groups never are: group by a window, or by the column, of an event time that has a watermark{lost}; or use mode = \"update\" or \"complete\""
            )))
        }
        _ => Ok(()),
    }
}

/// The columns that come out of a part.
fn columns_of(plan: &LogicalPlan) -> SchemaRef {
    plan.schema().inner().clone()
}

fn distinct(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Alias(alias) => distinct(&alias.expr),
        Expr::AggregateFunction(AggregateFunction { func, params }) if params.distinct => {
            Some(func.name().to_owned())
        }
        _ => None,
    }
}

/// What a plan's unnesting comes to, if it is of one list.
fn one_list(unnest: &logical_plan::Unnest) -> Result<Unnest> {
    let ([(column, list)], true) = (&unnest.list_type_columns[..], unnest.struct_type_columns.is_empty())
    else {
        return Err(Error::invalid(
            "SQL: one explode() of an array in a SELECT, and no more; use a step for each",
        ));
    };
    if list.depth != 1 {
        return Err(Error::invalid(
            "SQL: explode() of an array of arrays: one after the other, in two steps",
        ));
    }
    let columns = unnest.dependency_indices.clone();
    let schema = Arc::new(Schema::empty());
    Ok(Unnest { column: *column, columns, outer: false, schema })
}

fn refused(plan: &LogicalPlan) -> Error {
    let what = match plan {
        LogicalPlan::Sort(_) => {
            "ORDER BY: a stream has no end after which it could be sorted; it is for complete mode, after an aggregation"
        }
        LogicalPlan::Window(_) => {
            "OVER (…): numbering and ranking need all rows of a stream, which never ends"
        }
        LogicalPlan::EmptyRelation(_) | LogicalPlan::Values(_) => {
            "there is no FROM: a query reads a source or a step"
        }
        _ => "this part of SQL cannot be kept over a stream",
    };
    Error::invalid(format!("SQL: {what}"))
}
