//! `sum` of whole numbers and decimals, of which one that gets too large is an error, not another number.

use arrow::{
    array::{Array, ArrayRef, ArrowNativeTypeOp, AsArray, BooleanArray, PrimitiveArray},
    buffer::NullBuffer,
    datatypes::{ArrowPrimitiveType, DataType, Decimal128Type, FieldRef, Int64Type},
};
use datafusion_common::{Result, exec_datafusion_err, not_impl_err};
use datafusion_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature,
    function::{AccumulatorArgs, StateFieldsArgs},
};
use datafusion_functions_aggregate::sum::Sum;
use std::sync::Arc;

pub(super) fn function() -> Arc<AggregateUDF> {
    Arc::new(AggregateUDF::new_from_impl(Checked { sum: Sum::new() }))
}

/// DataFusion's sum with other sums of groups.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Checked {
    sum: Sum,
}

impl AggregateUDFImpl for Checked {
    fn name(&self) -> &str {
        "sum"
    }

    fn signature(&self) -> &Signature {
        self.sum.signature()
    }

    fn return_type(&self, of: &[DataType]) -> Result<DataType> {
        self.sum.return_type(of)
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        self.sum.accumulator(args)
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        self.sum.state_fields(args)
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs<'_>) -> bool {
        self.sum.groups_accumulator_supported(args)
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn GroupsAccumulator>> {
        let of = args.return_field.data_type().clone();
        Ok(match of {
            DataType::Int64 => Box::new(Sums::<Int64Type>::new(of)),
            DataType::Decimal128(..) => Box::new(Sums::<Decimal128Type>::new(of)),
            _ => return self.sum.create_groups_accumulator(args),
        })
    }
}

/// The sums of groups; none of a group without a value.
struct Sums<T: ArrowPrimitiveType> {
    of: DataType,
    sums: Vec<T::Native>,
    seen: Vec<bool>,
}

impl<T: ArrowPrimitiveType> Sums<T> {
    fn new(of: DataType) -> Self {
        Sums { of, sums: Vec::new(), seen: Vec::new() }
    }

    fn add(&mut self, group: usize, value: T::Native) -> Result<()> {
        if let (Some(sum), Some(seen)) = (self.sums.get_mut(group), self.seen.get_mut(group)) {
            *sum = sum.add_checked(value).map_err(|_| too_large())?;
            *seen = true;
        }
        Ok(())
    }
}

fn too_large() -> datafusion_common::DataFusionError {
    exec_datafusion_err!(
        "the sum is too large for its type; cast what is summed to a wider one, or use try_sum to have NULL instead"
    )
}

impl<T: ArrowPrimitiveType> GroupsAccumulator for Sums<T> {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        all: usize,
    ) -> Result<()> {
        self.sums.resize(all, T::default_value());
        self.seen.resize(all, false);
        let Some(values) = values.first() else { return Ok(()) };
        let values = values.as_primitive::<T>();
        for (row, (value, group)) in values.iter().zip(groups).enumerate() {
            let wanted = filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row));
            if let (Some(value), true) = (value, wanted) {
                self.add(*group, value)?;
            }
        }
        Ok(())
    }

    fn evaluate(&mut self, emit: EmitTo) -> Result<ArrayRef> {
        let (sums, seen) = (emit.take_needed(&mut self.sums), emit.take_needed(&mut self.seen));
        let sums = PrimitiveArray::<T>::new(sums.into(), Some(NullBuffer::from(seen)))
            .with_data_type(self.of.clone());
        if let (DataType::Decimal128(precision, _), Some(sums)) =
            (&self.of, sums.as_any().downcast_ref::<PrimitiveArray<Decimal128Type>>())
        {
            sums.validate_decimal_precision(*precision).map_err(|_| too_large())?;
        }
        Ok(Arc::new(sums))
    }

    fn state(&mut self, emit: EmitTo) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.evaluate(emit)?])
    }

    fn merge_batch(&mut self, states: &[ArrayRef], groups: &[usize], all: usize) -> Result<()> {
        self.update_batch(states, groups, None, all)
    }

    fn convert_to_state(&self, _: &[ArrayRef], _: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        not_impl_err!("a sum of one row each")
    }

    fn size(&self) -> usize {
        self.sums.capacity() * size_of::<T::Native>() + self.seen.capacity()
    }
}
