//! `min` and `max`: NaN is above every other number; of values with parts, the first part that differs counts, and a NULL is
//! below everything else.

use arrow::{
    array::{Array, ArrayRef, BooleanArray, new_null_array},
    datatypes::{DataType, FieldRef, Float32Type, Float64Type},
    row::{RowConverter, SortField},
};
use datafusion_common::Result;
use datafusion_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature,
    function::{AccumulatorArgs, StateFieldsArgs},
};
use datafusion_functions_aggregate::min_max::{max_udaf, min_udaf};
use datafusion_functions_aggregate_common::aggregate::groups_accumulator::prim_op::PrimitiveGroupsAccumulator;
use std::{cmp::Ordering, sync::Arc};

pub(super) fn min() -> Arc<AggregateUDF> {
    Arc::new(AggregateUDF::new_from_impl(Extreme { flat: min_udaf(), wins: Ordering::Less }))
}

pub(super) fn max() -> Arc<AggregateUDF> {
    Arc::new(AggregateUDF::new_from_impl(Extreme { flat: max_udaf(), wins: Ordering::Greater }))
}

/// DataFusion's function, but for floats and for values with parts.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Extreme {
    flat: Arc<AggregateUDF>,
    wins: Ordering,
}

impl AggregateUDFImpl for Extreme {
    fn name(&self) -> &str {
        self.flat.name()
    }

    fn signature(&self) -> &Signature {
        self.flat.signature()
    }

    fn coerce_types(&self, of: &[DataType]) -> Result<Vec<DataType>> {
        self.flat.coerce_types(of)
    }

    fn return_type(&self, of: &[DataType]) -> Result<DataType> {
        self.flat.return_type(of)
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        self.flat.accumulator(args)
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        self.flat.state_fields(args)
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs<'_>) -> bool {
        args.return_field.data_type().is_nested() || self.flat.groups_accumulator_supported(args)
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn GroupsAccumulator>> {
        let of = args.return_field.data_type();
        match of {
            DataType::Float64 => Ok(doubles(of, self.wins)),
            DataType::Float32 => Ok(singles(of, self.wins)),
            of if of.is_nested() => Ok(Box::new(Extremes::new(of, self.wins)?)),
            _ => self.flat.create_groups_accumulator(args),
        }
    }
}

fn doubles(of: &DataType, wins: Ordering) -> Box<dyn GroupsAccumulator> {
    // The one that loses against every number, NaN included.
    let loser = f64::from_bits(if wins == Ordering::Less { u64::MAX >> 1 } else { u64::MAX });
    let best = move |best: &mut f64, value: f64| {
        let value = if value.is_nan() { f64::NAN } else { value };
        if value.total_cmp(best) == wins {
            *best = value;
        }
    };
    Box::new(PrimitiveGroupsAccumulator::<Float64Type, _>::new(of, best).with_starting_value(loser))
}

fn singles(of: &DataType, wins: Ordering) -> Box<dyn GroupsAccumulator> {
    let loser = f32::from_bits(if wins == Ordering::Less { u32::MAX >> 1 } else { u32::MAX });
    let best = move |best: &mut f32, value: f32| {
        let value = if value.is_nan() { f32::NAN } else { value };
        if value.total_cmp(best) == wins {
            *best = value;
        }
    };
    Box::new(PrimitiveGroupsAccumulator::<Float32Type, _>::new(of, best).with_starting_value(loser))
}

/// The extreme of every group, as bytes that sort as the values do.
struct Extremes {
    converter: RowConverter,
    wins: Ordering,
    of: DataType,
    best: Vec<Option<Box<[u8]>>>,
}

impl Extremes {
    fn new(of: &DataType, wins: Ordering) -> Result<Self> {
        let converter = RowConverter::new(vec![SortField::new(of.clone())])?;
        Ok(Extremes { converter, wins, of: of.clone(), best: Vec::new() })
    }

    fn update(
        &mut self,
        values: &ArrayRef,
        of_row: &[usize],
        counts: impl Fn(usize) -> bool,
        groups: usize,
    ) -> Result<()> {
        self.best.resize(groups, None);
        let rows = self.converter.convert_columns(std::slice::from_ref(values))?;
        for (at, (group, row)) in of_row.iter().zip(&rows).enumerate() {
            let Some(best) = self.best.get_mut(*group).filter(|_| values.is_valid(at) && counts(at)) else {
                continue;
            };
            if best.as_ref().is_none_or(|best| row.data().cmp(best) == self.wins) {
                *best = Some(row.data().into());
            }
        }
        Ok(())
    }

    fn take(&mut self, emit: EmitTo) -> Result<ArrayRef> {
        let best = emit.take_needed(&mut self.best);
        let nothing = self.converter.convert_columns(&[new_null_array(&self.of, 1)])?;
        let parser = self.converter.parser();
        let rows = best.iter().map(|best| match best {
            Some(best) => parser.parse(best),
            None => nothing.row(0),
        });
        let columns = self.converter.convert_rows(rows)?;
        Ok(columns.into_iter().next().unwrap_or_else(|| new_null_array(&self.of, best.len())))
    }
}

impl GroupsAccumulator for Extremes {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        of_row: &[usize],
        filter: Option<&BooleanArray>,
        groups: usize,
    ) -> Result<()> {
        let counts = |at| filter.is_none_or(|filter| filter.is_valid(at) && filter.value(at));
        values.iter().try_for_each(|values| self.update(values, of_row, counts, groups))
    }

    fn merge_batch(&mut self, states: &[ArrayRef], of_row: &[usize], groups: usize) -> Result<()> {
        self.update_batch(states, of_row, None, groups)
    }

    fn evaluate(&mut self, emit: EmitTo) -> Result<ArrayRef> {
        self.take(emit)
    }

    fn state(&mut self, emit: EmitTo) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.take(emit)?])
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let kept = |values: &ArrayRef| match filter {
            Some(filter) => arrow::compute::nullif(values, &arrow::compute::not(filter)?),
            None => Ok(values.clone()),
        };
        Ok(values.iter().map(kept).collect::<Result<_, _>>()?)
    }

    fn size(&self) -> usize {
        self.best
            .iter()
            .map(|best| best.as_ref().map_or(0, |best| best.len()) + size_of::<Option<Box<[u8]>>>())
            .sum()
    }
}
