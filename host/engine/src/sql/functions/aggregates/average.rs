//! `avg`, whose last digit of a decimal is rounded half up.

use super::sum::decimals;
use crate::sql::functions::implied::numbers;
use arrow::{
    array::{Array, ArrayRef, AsArray, BooleanArray, Decimal128Array, Int64Array},
    datatypes::{DECIMAL128_MAX_PRECISION, DataType, Decimal128Type, Field, FieldRef, Int64Type, i256},
};
use datafusion_common::{Result, exec_err};
use datafusion_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature, Volatility,
    function::{AccumulatorArgs, StateFieldsArgs},
};
use datafusion_functions_aggregate::average::Avg;
use std::sync::Arc;

pub(super) fn function() -> Arc<AggregateUDF> {
    let signature = Signature::user_defined(Volatility::Immutable);
    Arc::new(AggregateUDF::new_from_impl(Average { inner: Avg::new(), signature }))
}

/// DataFusion's `avg`, but of decimals: it cuts their last digit off.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Average {
    inner: Avg,
    signature: Signature,
}

impl AggregateUDFImpl for Average {
    fn name(&self) -> &str {
        "avg"
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, of: &[DataType]) -> Result<Vec<DataType>> {
        numbers(of, &AggregateUDF::new_from_impl(Avg::new()))
    }

    fn return_type(&self, of: &[DataType]) -> Result<DataType> {
        self.inner.return_type(of)
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        self.inner.accumulator(args)
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        match args.input_fields.first().map(|field| sum_of(field.data_type())) {
            Some(Some((sum, _))) => {
                let count = Field::new("count", DataType::Int64, true);
                Ok(vec![Arc::new(count), Arc::new(Field::new("sum", sum, true))])
            }
            _ => self.inner.state_fields(args),
        }
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs<'_>) -> bool {
        self.inner.groups_accumulator_supported(args)
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn GroupsAccumulator>> {
        let of = args.expr_fields.first().and_then(|field| sum_of(field.data_type()));
        match (of, args.return_field.data_type()) {
            (Some((sum, scale)), DataType::Decimal128(precision, mean_scale)) => Ok(Box::new(DecimalMeans {
                sums: decimals(&sum, DECIMAL128_MAX_PRECISION),
                counts: Vec::new(),
                precision: *precision,
                scale: *mean_scale,
                more_digits: mean_scale.abs_diff(scale),
            })),
            _ => self.inner.create_groups_accumulator(args),
        }
    }
}

/// The type of the sum of decimals, and its scale.
fn sum_of(of: &DataType) -> Option<(DataType, i8)> {
    match of {
        DataType::Decimal128(_, scale) => {
            Some((DataType::Decimal128(DECIMAL128_MAX_PRECISION, *scale), *scale))
        }
        _ => None,
    }
}

/// Sum and count of every group. The count is the first part of the state: it is there even if the sum is NULL.
struct DecimalMeans {
    sums: Box<dyn GroupsAccumulator>,
    counts: Vec<i64>,
    precision: u8,
    scale: i8,
    /// How many digits behind the point a mean has more than the sum.
    more_digits: u8,
}

impl DecimalMeans {
    fn add(&mut self, groups: usize, counts: impl Iterator<Item = (usize, i64)>) {
        self.counts.resize(groups, 0);
        for (group, more) in counts {
            self.counts.iter_mut().skip(group).take(1).for_each(|count| *count += more);
        }
    }

    fn mean(&self, sum: i128, count: i64) -> Result<i128> {
        let limit = 10_i128.checked_pow(u32::from(self.precision)).unwrap_or(i128::MAX);
        let mean = rounded(sum, count, self.more_digits).filter(|mean| -limit < *mean && *mean < limit);
        match mean {
            Some(mean) => Ok(mean),
            None => exec_err!(
                "the mean does not fit DECIMAL({}, {}); cast what it is of to fewer digits behind the point",
                self.precision,
                self.scale
            ),
        }
    }
}

/// `sum / count` with so many digits more than `sum` has, half up.
fn rounded(sum: i128, count: i64, more_digits: u8) -> Option<i128> {
    let (sum, count) = (i256::from_i128(sum), i256::from_i128(count.into()));
    let sum = sum.checked_mul(i256::from_i128(10).checked_pow(more_digits.into())?)?;
    let (mean, rest) = (sum.checked_div(count)?, sum.checked_rem(count)?);
    let up = rest.wrapping_abs().checked_mul(i256::from_i128(2))? >= count;
    let away = if sum < i256::ZERO { i256::MINUS_ONE } else { i256::ONE };
    if up { mean.checked_add(away)? } else { mean }.to_i128()
}

impl GroupsAccumulator for DecimalMeans {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        of_row: &[usize],
        filter: Option<&BooleanArray>,
        groups: usize,
    ) -> Result<()> {
        let Some(known) = values.first() else { return exec_err!("avg of nothing") };
        let counts = |at: usize| {
            known.is_valid(at) && filter.is_none_or(|filter| filter.is_valid(at) && filter.value(at))
        };
        let counted = of_row.iter().enumerate().filter(|(at, _)| counts(*at));
        self.add(groups, counted.map(|(_, group)| (*group, 1)));
        self.sums.update_batch(values, of_row, filter, groups)
    }

    fn merge_batch(&mut self, states: &[ArrayRef], of_row: &[usize], groups: usize) -> Result<()> {
        let [counts, sums] = states else { return exec_err!("avg: a state lacks columns") };
        let counts = counts.as_primitive::<Int64Type>().iter().map(Option::unwrap_or_default);
        self.add(groups, of_row.iter().copied().zip(counts));
        self.sums.merge_batch(std::slice::from_ref(sums), of_row, groups)
    }

    fn evaluate(&mut self, emit: EmitTo) -> Result<ArrayRef> {
        let counts = emit.take_needed(&mut self.counts);
        let sums = self.sums.evaluate(emit)?;
        let sums = sums.as_primitive::<Decimal128Type>().iter();
        let means = sums.zip(counts).map(|(sum, count)| sum.map(|sum| self.mean(sum, count)).transpose());
        let means: Decimal128Array = means.collect::<Result<_>>()?;
        Ok(Arc::new(means.with_precision_and_scale(self.precision, self.scale)?))
    }

    fn state(&mut self, emit: EmitTo) -> Result<Vec<ArrayRef>> {
        let counts: ArrayRef = Arc::new(Int64Array::from(emit.take_needed(&mut self.counts)));
        Ok([counts].into_iter().chain(self.sums.state(emit)?).collect())
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let sums = self.sums.convert_to_state(values, filter)?;
        let count = |sum: &ArrayRef| {
            let counts = (0..sum.len()).map(|at| i64::from(sum.is_valid(at)));
            Arc::new(Int64Array::from_iter_values(counts)) as ArrayRef
        };
        Ok(sums.first().map(count).into_iter().chain(sums).collect())
    }

    fn size(&self) -> usize {
        self.sums.size() + self.counts.capacity() * size_of::<i64>()
    }
}

#[cfg(test)]
mod tests {
    use super::rounded;

    #[test]
    fn a_mean_is_rounded_half_up_and_away_from_zero() {
        assert_eq!(rounded(2_467_972, 7, 4), Some(3_525_674_286));
        assert_eq!(rounded(1, 2, 0), Some(1));
        assert_eq!(rounded(-1, 2, 0), Some(-1));
        assert_eq!(rounded(-1, 3, 0), Some(0));
        assert_eq!(rounded(i128::MAX, 1, 0), Some(i128::MAX));
        assert_eq!(rounded(i128::MAX, 1, 4), None);
        assert_eq!(rounded(1, 0, 4), None);
    }
}
