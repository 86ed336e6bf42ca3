//! `min` and `max` of doubles, of which NaN is the greatest.

use arrow::datatypes::{DataType, FieldRef, Float32Type, Float64Type};
use datafusion_common::Result;
use datafusion_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, GroupsAccumulator, Signature,
    function::{AccumulatorArgs, StateFieldsArgs},
};
use datafusion_functions_aggregate::min_max::{max_udaf, min_udaf};
use datafusion_functions_aggregate_common::aggregate::groups_accumulator::prim_op::PrimitiveGroupsAccumulator;
use std::sync::Arc;

pub(super) fn functions() -> [Arc<AggregateUDF>; 2] {
    [min_udaf(), max_udaf()].map(|of| {
        let greatest = of.name() == "max";
        Arc::new(AggregateUDF::new_from_impl(Extreme { greatest, of }))
    })
}

/// DataFusion's function, but for groups of doubles.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Extreme {
    greatest: bool,
    of: Arc<AggregateUDF>,
}

impl AggregateUDFImpl for Extreme {
    fn name(&self) -> &str {
        self.of.name()
    }

    fn signature(&self) -> &Signature {
        self.of.signature()
    }

    fn coerce_types(&self, of: &[DataType]) -> Result<Vec<DataType>> {
        self.of.coerce_types(of)
    }

    fn return_type(&self, of: &[DataType]) -> Result<DataType> {
        self.of.return_type(of)
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        self.of.accumulator(args)
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        self.of.state_fields(args)
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs<'_>) -> bool {
        self.of.groups_accumulator_supported(args)
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn GroupsAccumulator>> {
        let greatest = self.greatest;
        let of = args.return_field.data_type();
        Ok(match of {
            DataType::Float64 => {
                let better = move |best: &mut f64, x: f64| {
                    if above(x, *best) == greatest {
                        *best = x;
                    }
                };
                let first = if greatest { f64::NEG_INFINITY } else { f64::NAN };
                Box::new(
                    PrimitiveGroupsAccumulator::<Float64Type, _>::new(of, better).with_starting_value(first),
                )
            }
            DataType::Float32 => {
                let better = move |best: &mut f32, x: f32| {
                    if above(x.into(), f64::from(*best)) == greatest {
                        *best = x;
                    }
                };
                let first = if greatest { f32::NEG_INFINITY } else { f32::NAN };
                Box::new(
                    PrimitiveGroupsAccumulator::<Float32Type, _>::new(of, better).with_starting_value(first),
                )
            }
            _ => return self.of.create_groups_accumulator(args),
        })
    }
}

/// Whether one number is above another, NaN being above every other.
fn above(x: f64, other: f64) -> bool {
    x > other || x.is_nan() && !other.is_nan()
}
