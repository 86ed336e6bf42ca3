//! `sum`, whose answer is never another number than the sum: one that its type cannot hold is an error.

use arrow::{
    array::{ArrayRef, BooleanArray},
    datatypes::{ArrowPrimitiveType, DataType, Decimal128Type, FieldRef, Int64Type},
};
use datafusion_common::{Result, exec_err};
use datafusion_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature,
    function::{AccumulatorArgs, StateFieldsArgs},
};
use datafusion_functions_aggregate::sum::Sum;
use datafusion_functions_aggregate_common::aggregate::groups_accumulator::prim_op::PrimitiveGroupsAccumulator;
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

pub(super) fn function() -> Arc<AggregateUDF> {
    Arc::new(AggregateUDF::new_from_impl(CheckedSum(Sum::new())))
}

/// DataFusion's `sum`, but for sums of whole numbers and decimals: those wrap around there.
#[derive(Debug, PartialEq, Eq, Hash)]
struct CheckedSum(Sum);

impl AggregateUDFImpl for CheckedSum {
    fn name(&self) -> &str {
        "sum"
    }

    fn signature(&self) -> &Signature {
        self.0.signature()
    }

    fn return_type(&self, of: &[DataType]) -> Result<DataType> {
        self.0.return_type(of)
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        self.0.accumulator(args)
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        self.0.state_fields(args)
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs<'_>) -> bool {
        self.0.groups_accumulator_supported(args)
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn GroupsAccumulator>> {
        let of = args.return_field.data_type();
        match of {
            DataType::Int64 => Ok(checked::<Int64Type>(of, i64::checked_add)),
            DataType::Decimal128(precision, _) => {
                let limit = 10_i128.checked_pow(u32::from(*precision)).unwrap_or(i128::MAX);
                let add =
                    move |a: i128, b: i128| a.checked_add(b).filter(|sum| -limit < *sum && *sum < limit);
                Ok(checked::<Decimal128Type>(of, add))
            }
            _ => self.0.create_groups_accumulator(args),
        }
    }
}

/// Sums of decimals of type `of`, which has so many digits.
pub(super) fn decimals(of: &DataType, precision: u8) -> Box<dyn GroupsAccumulator> {
    let limit = 10_i128.checked_pow(u32::from(precision)).unwrap_or(i128::MAX);
    let add = move |a: i128, b: i128| a.checked_add(b).filter(|sum| -limit < *sum && *sum < limit);
    checked::<Decimal128Type>(of, add)
}

/// Sums of type `of` by an addition that answers nothing if it fails.
fn checked<T: ArrowPrimitiveType + Send>(
    of: &DataType,
    add: impl Fn(T::Native, T::Native) -> Option<T::Native> + Send + Sync + 'static,
) -> Box<dyn GroupsAccumulator> {
    let overflowed = Arc::new(AtomicBool::new(false));
    let flag = overflowed.clone();
    let add = move |sum: &mut T::Native, more| match add(*sum, more) {
        Some(added) => *sum = added,
        None => flag.store(true, Relaxed),
    };
    Box::new(CheckedSums {
        sums: PrimitiveGroupsAccumulator::<T, _>::new(of, add),
        overflowed,
        of: of.clone(),
    })
}

struct CheckedSums<S> {
    sums: S,
    overflowed: Arc<AtomicBool>,
    of: DataType,
}

impl<S> CheckedSums<S> {
    fn check(&self) -> Result<()> {
        if self.overflowed.load(Relaxed) {
            return exec_err!(
                "the sum is too large for {}; use try_sum, which answers NULL, or sum a wider type: sum(CAST(… AS DECIMAL(38, 0)))",
                self.of
            );
        }
        Ok(())
    }
}

impl<S: GroupsAccumulator> GroupsAccumulator for CheckedSums<S> {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        of_row: &[usize],
        filter: Option<&BooleanArray>,
        groups: usize,
    ) -> Result<()> {
        self.sums.update_batch(values, of_row, filter, groups)?;
        self.check()
    }

    fn merge_batch(&mut self, states: &[ArrayRef], of_row: &[usize], groups: usize) -> Result<()> {
        self.sums.merge_batch(states, of_row, groups)?;
        self.check()
    }

    fn evaluate(&mut self, emit: EmitTo) -> Result<ArrayRef> {
        self.sums.evaluate(emit)
    }

    fn state(&mut self, emit: EmitTo) -> Result<Vec<ArrayRef>> {
        self.sums.state(emit)
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let states = self.sums.convert_to_state(values, filter)?;
        self.check()?;
        Ok(states)
    }

    fn size(&self) -> usize {
        self.sums.size()
    }
}
