//! `sum`, whose answer is never another number than the sum: one that its type cannot hold is an error.

use crate::sql::functions::implied::numbers;
use arrow::{
    array::{ArrayRef, BooleanArray},
    datatypes::{ArrowPrimitiveType, DataType, Decimal128Type, FieldRef, Int64Type},
};
use datafusion_common::{Result, exec_err};
use datafusion_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature, Volatility,
    function::{AccumulatorArgs, StateFieldsArgs},
};
use datafusion_functions_aggregate::sum::Sum;
use datafusion_functions_aggregate_common::aggregate::groups_accumulator::prim_op::PrimitiveGroupsAccumulator;
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

pub(super) fn function() -> Arc<AggregateUDF> {
    let signature = Signature::user_defined(Volatility::Immutable);
    Arc::new(AggregateUDF::new_from_impl(CheckedSum { inner: Sum::new(), signature }))
}

/// DataFusion's `sum`, but for sums of whole numbers and decimals: those wrap around there.
#[derive(Debug, PartialEq, Eq, Hash)]
struct CheckedSum {
    inner: Sum,
    signature: Signature,
}

impl AggregateUDFImpl for CheckedSum {
    fn name(&self) -> &str {
        "sum"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, of: &[DataType]) -> Result<Vec<DataType>> {
        numbers(of, &AggregateUDF::new_from_impl(Sum::new()))
    }

    fn return_type(&self, of: &[DataType]) -> Result<DataType> {
        self.inner.return_type(of)
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        self.inner.accumulator(args)
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        self.inner.state_fields(args)
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs<'_>) -> bool {
        self.inner.groups_accumulator_supported(args)
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
            _ => self.inner.create_groups_accumulator(args),
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
        if !self.overflowed.load(Relaxed) {
            return Ok(());
        }
        match self.of {
            DataType::Decimal128(precision, scale) => exec_err!(
                "the sum is too large for DECIMAL({precision}, {scale}); use try_sum, which answers NULL, or cast to fewer digits behind the point"
            ),
            _ => exec_err!(
                "the sum is too large for BIGINT; use try_sum, which answers NULL, or sum(CAST(… AS DECIMAL(38, 0)))"
            ),
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{AsArray, Decimal128Array, Int64Array};

    #[test]
    fn a_sum_that_its_type_cannot_hold_is_an_error_that_says_what_to_do() {
        let mut sums = checked::<Int64Type>(&DataType::Int64, i64::checked_add);
        let values: ArrayRef = Arc::new(Int64Array::from(vec![i64::MAX, 1, -1]));
        sums.update_batch(std::slice::from_ref(&values), &[0, 1, 1], None, 2).unwrap();
        let error = sums.update_batch(&[values.slice(1, 1)], &[0], None, 2).unwrap_err().to_string();
        assert!(error.contains("too large for BIGINT; use try_sum"), "{error}");
        let of = DataType::Decimal128(3, 1);
        let nines = Decimal128Array::from(vec![998, 1, 1]).with_data_type(of.clone());
        let error = decimals(&of, 3).update_batch(&[Arc::new(nines)], &[0, 0, 0], None, 1).unwrap_err();
        assert!(error.to_string().contains("too large for DECIMAL(3, 1)"), "{error}");
    }

    #[test]
    fn the_sum_of_nothing_is_null() {
        let mut sums = checked::<Int64Type>(&DataType::Int64, i64::checked_add);
        let values: ArrayRef = Arc::new(Int64Array::from(vec![None, Some(2)]));
        sums.update_batch(&[values], &[0, 1], None, 2).unwrap();
        let all = sums.evaluate(EmitTo::All).unwrap();
        assert_eq!(all.as_primitive::<Int64Type>(), &Int64Array::from(vec![None, Some(2)]));
    }
}
