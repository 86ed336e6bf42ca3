//! Aggregate functions at work: from rows to states, from states to states, from states to values.

use crate::{
    Error, Kind, Result, ResultExt,
    operators::{layout::column, rows::Codec},
};
use arrow::{
    array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, new_null_array},
    compute::concat,
    datatypes::{DataType, Field, FieldRef, Schema},
};
use datafusion_expr::{EmitTo, GroupsAccumulator};
use datafusion_functions_aggregate_common::aggregate::groups_accumulator::GroupsAccumulatorAdapter;
use datafusion_physical_expr::{PhysicalExpr, aggregate::AggregateFunctionExpr};
use std::sync::Arc;

/// The aggregate functions of a query, in the order of its columns.
///
/// Without any, a group has a state all the same, NULL: its row says that the group is there.
#[derive(Clone)]
pub(crate) struct Aggregations(Arc<[Aggregation]>);

/// One aggregate function and what it is of.
pub(crate) struct Aggregation {
    /// As people write it.
    text: String,
    function: Arc<AggregateFunctionExpr>,
    arguments: Vec<Arc<dyn PhysicalExpr>>,
    /// The types of the arguments.
    inputs: Vec<DataType>,
    filter: Option<Arc<dyn PhysicalExpr>>,
    /// The types of its state.
    state: Vec<DataType>,
}

/// One accumulator a function, each with a state for every group.
pub(crate) struct Accumulators {
    of: Aggregations,
    all: Vec<Box<dyn GroupsAccumulator>>,
    /// How many groups are known.
    groups: usize,
}

impl Aggregation {
    pub(crate) fn new(
        text: String,
        function: Arc<AggregateFunctionExpr>,
        filter: Option<Arc<dyn PhysicalExpr>>,
        rows: &Schema,
    ) -> Result<Self> {
        let doing = || format!("SQL: {text} over a stream");
        let state = function.state_fields().doing(Kind::Invalid, doing)?;
        let state = state.iter().map(|field| field.data_type().clone()).collect();
        let arguments = function.expressions();
        let inputs = arguments.iter().map(|of| of.data_type(rows)).collect::<datafusion_common::Result<_>>();
        let inputs = inputs.doing(Kind::Invalid, doing)?;
        Ok(Aggregation { text, arguments, inputs, function, filter, state })
    }

    fn accumulator(&self) -> Result<Box<dyn GroupsAccumulator>> {
        let doing = || self.text.clone();
        if self.function.groups_accumulator_supported() {
            return self.function.create_groups_accumulator().doing(Kind::Internal, doing);
        }
        let function = self.function.clone();
        Ok(Box::new(GroupsAccumulatorAdapter::new(move || function.create_accumulator())))
    }

    fn arguments(&self, rows: &RecordBatch) -> Result<Vec<ArrayRef>> {
        self.arguments.iter().map(|argument| self.evaluated(argument, rows)).collect()
    }

    fn filter(&self, rows: &RecordBatch) -> Result<Option<BooleanArray>> {
        let filter = self.filter.as_ref().map(|filter| self.evaluated(filter, rows)).transpose()?;
        Ok(filter.map(|holds| holds.as_boolean().clone()))
    }

    fn evaluated(&self, expr: &Arc<dyn PhysicalExpr>, rows: &RecordBatch) -> Result<ArrayRef> {
        self.done(expr.evaluate(rows).and_then(|value| value.into_array(rows.num_rows())))
    }

    /// A failure of the function: a sum that overflows is a row's fault.
    fn done<T>(&self, answer: datafusion_common::Result<T>) -> Result<T> {
        answer.map_err(|e| Error::new(Kind::Data, self.text.clone()).caused_by(e))
    }
}

impl Aggregations {
    pub(crate) fn new(all: Vec<Aggregation>) -> Self {
        Aggregations(all.into())
    }

    /// What they are, for people.
    pub(crate) fn names(&self) -> String {
        let names: Vec<&str> = self.0.iter().map(|of| of.text.as_str()).collect();
        names.join(", ")
    }

    /// Their states as bytes.
    pub(crate) fn codec(&self) -> Result<Codec> {
        Codec::new(self.states())
    }

    fn states(&self) -> impl Iterator<Item = &DataType> {
        let none = self.0.is_empty().then_some(&DataType::Boolean);
        self.0.iter().flat_map(|of| &of.state).chain(none)
    }

    /// Their states as columns of a piece.
    pub(crate) fn fields(&self) -> impl Iterator<Item = FieldRef> {
        let states = self.states().enumerate();
        states.map(|(i, of)| Arc::new(Field::new(format!("state{i}"), of.clone(), true)))
    }

    /// Their states as columns that people read.
    pub(crate) fn readable(&self) -> Vec<FieldRef> {
        let of = |of: &Aggregation| {
            let name = |i: usize| match of.state.len() {
                1 => of.text.clone(),
                _ => format!("{}[{i}]", of.text),
            };
            of.state.iter().enumerate().map(|(i, of)| column(name(i), of)).collect::<Vec<_>>()
        };
        match self.0.is_empty() {
            true => self.fields().collect(),
            false => self.0.iter().flat_map(of).collect(),
        }
    }

    pub(crate) fn accumulators(&self) -> Result<Accumulators> {
        let all = self.0.iter().map(Aggregation::accumulator).collect::<Result<_>>()?;
        Ok(Accumulators { of: self.clone(), all, groups: 0 })
    }
}

impl Accumulators {
    /// Adds rows, each to its group, of `groups` in all.
    pub(crate) fn update(&mut self, rows: &RecordBatch, of_row: &[usize], groups: usize) -> Result<()> {
        self.groups = groups;
        for (of, accumulator) in self.of.0.iter().zip(&mut self.all) {
            let (arguments, filter) = (of.arguments(rows)?, of.filter(rows)?);
            of.done(accumulator.update_batch(&arguments, of_row, filter.as_ref(), groups))?;
        }
        Ok(())
    }

    /// Adds states, one set of columns after the other, each state to its group, of `groups` in all.
    ///
    /// Every group has to be among them, and they are added at once: an accumulator takes a group that it was told of, and
    /// never given a NULL, for one that has a value.
    pub(crate) fn merge(&mut self, states: &[&[ArrayRef]], of_row: &[usize], groups: usize) -> Result<()> {
        let joined = joined(states)?;
        let mut states = &joined[..];
        self.groups = groups;
        for (of, accumulator) in self.of.0.iter().zip(&mut self.all) {
            let (own, rest) = states
                .split_at_checked(of.state.len())
                .ok_or_else(|| Error::internal("a state lacks columns"))?;
            of.done(accumulator.merge_batch(own, of_row, groups))?;
            states = rest;
        }
        Ok(())
    }

    /// The state of a group to which nothing was added.
    pub(crate) fn nothing(&self) -> Result<Vec<ArrayRef>> {
        let mut states = Vec::new();
        for of in self.of.0.iter() {
            // A row that is left out: what a group of such rows has is not what an accumulator has that was told of no group.
            let row: Vec<ArrayRef> = of.inputs.iter().map(|of| new_null_array(of, 1)).collect();
            let mut none = of.accumulator()?;
            of.done(none.update_batch(&row, &[0], Some(&BooleanArray::from(vec![false])), 1))?;
            for (state, of_type) in of.done(none.state(EmitTo::All))?.into_iter().zip(&of.state) {
                states.push(as_type(state, of_type)?);
            }
        }
        match states.is_empty() {
            true => Ok(vec![new_null_array(&DataType::Boolean, 1)]),
            false => Ok(states),
        }
    }

    /// Takes the state of every group.
    pub(crate) fn take_states(&mut self) -> Result<Vec<ArrayRef>> {
        let groups = std::mem::take(&mut self.groups);
        if self.all.is_empty() {
            return Ok(vec![new_null_array(&DataType::Boolean, groups)]);
        }
        let mut states = Vec::new();
        for (of, accumulator) in self.of.0.iter().zip(&mut self.all) {
            let own = of.done(accumulator.state(EmitTo::All))?;
            for (state, of) in own.into_iter().zip(&of.state) {
                states.push(as_type(state, of)?);
            }
        }
        Ok(states)
    }

    /// The value of every group.
    pub(crate) fn values(mut self) -> Result<Vec<ArrayRef>> {
        let all = self.of.0.iter().zip(&mut self.all);
        all.map(|(of, accumulator)| of.done(accumulator.evaluate(EmitTo::All))).collect()
    }
}

/// Sets of the same columns, one below the other.
fn joined(states: &[&[ArrayRef]]) -> Result<Vec<ArrayRef>> {
    let columns = states.first().map_or(0, |first| first.len());
    let column = |at: usize| {
        let parts: Vec<&dyn Array> = states.iter().filter_map(|set| set.get(at).map(|c| &**c)).collect();
        concat(&parts).doing(Kind::Internal, || "states")
    };
    (0..columns).map(column).collect()
}

/// A state as the state's fields have it.
fn as_type(state: ArrayRef, of: &DataType) -> Result<ArrayRef> {
    if state.data_type() == of {
        return Ok(state);
    }
    arrow::compute::cast(&state, of).doing(Kind::Internal, || "the type of a state")
}
