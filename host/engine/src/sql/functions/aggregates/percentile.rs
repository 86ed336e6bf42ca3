//! `percentile_approx(x, share[, accuracy])`: of numbers, the one that a share of all is not larger than. `share` may be
//! an array; 1 / `accuracy`, or 1 / 10,000, is by how much of all numbers the answer's rank may be off.

mod summary;

use self::summary::{Sample, Summary};
use arrow::{
    array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, ListArray, RecordBatch},
    compute::cast,
    datatypes::{DataType, Field, FieldRef, Float64Type, Int64Type, Schema},
};
use datafusion_common::{Result, ScalarValue, exec_err, plan_err, utils::SingleRowListArrayBuilder};
use datafusion_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility,
    function::{AccumulatorArgs, StateFieldsArgs},
};
use datafusion_physical_expr::PhysicalExpr;
use std::sync::Arc;

const ACCURACY: i64 = 10_000;

pub(super) fn function() -> Arc<AggregateUDF> {
    let signature = Signature::user_defined(Volatility::Immutable);
    Arc::new(AggregateUDF::new_from_impl(PercentileApprox { signature }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct PercentileApprox {
    signature: Signature,
}

impl AggregateUDFImpl for PercentileApprox {
    fn name(&self) -> &str {
        "percentile_approx"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, of: &[DataType]) -> Result<Vec<DataType>> {
        let (Some(number), Some(share), accuracy, None) = (of.first(), of.get(1), of.get(2), of.get(3))
        else {
            return plan_err!("percentile_approx has a column, a share, and maybe an accuracy");
        };
        if !(number.is_numeric() || number.is_temporal()) {
            return plan_err!("percentile_approx is of numbers and times, not of {number}");
        }
        let share = match share {
            DataType::List(_) => DataType::new_list(DataType::Float64, true),
            _ => DataType::Float64,
        };
        Ok([number.clone(), share].into_iter().chain(accuracy.map(|_| DataType::Int64)).collect())
    }

    fn return_type(&self, of: &[DataType]) -> Result<DataType> {
        match of {
            [number, DataType::List(_), ..] => Ok(DataType::new_list(number.clone(), true)),
            [number, ..] => Ok(number.clone()),
            [] => plan_err!("percentile_approx has a column"),
        }
    }

    fn state_fields(&self, _: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let list = |name: &str, of| Arc::new(Field::new(name, DataType::new_list(of, true), true));
        let [value, count] = [DataType::Float64, DataType::Int64];
        Ok(vec![list("values", value), list("weights", count.clone()), list("slacks", count)])
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        let of = args.expr_fields.first().map_or(DataType::Float64, |field| field.data_type().clone());
        let list = matches!(args.return_field.data_type(), DataType::List(_));
        let shares = match args.exprs.get(1) {
            Some(shares) => floats(&constant(shares)?, list)?,
            None => Vec::new(),
        };
        if let Some(share) = shares.iter().find(|share| !(0.0..=1.0).contains(*share)) {
            return plan_err!("percentile_approx: {share} is no share, which is between 0.0 and 1.0");
        }
        let accuracy = match args.exprs.get(2) {
            Some(accuracy) => constant(accuracy)?.as_primitive::<Int64Type>().iter().flatten().next(),
            None => Some(ACCURACY),
        };
        let Some(accuracy @ 1..=2_147_483_647) = accuracy else {
            return plan_err!("percentile_approx: an accuracy is a whole number from 1 to 2147483647");
        };
        Ok(Box::new(Percentiles { summary: Summary::new(1.0 / accuracy as f64), shares, list, of }))
    }
}

/// The value of an argument that is the same for all rows.
fn constant(argument: &Arc<dyn PhysicalExpr>) -> Result<ArrayRef> {
    let no_columns = RecordBatch::new_empty(Arc::new(Schema::empty()));
    match argument.evaluate(&no_columns) {
        Ok(value) => value.into_array(1),
        Err(_) => plan_err!("percentile_approx: share and accuracy are the same for all rows"),
    }
}

fn floats(of: &ArrayRef, list: bool) -> Result<Vec<f64>> {
    let values = match of.as_list_opt::<i32>() {
        Some(lists) if list => lists.values().clone(),
        _ => of.clone(),
    };
    match values.as_primitive_opt::<Float64Type>() {
        Some(values) if values.null_count() == 0 => Ok(values.values().to_vec()),
        _ => plan_err!("percentile_approx: a share is a number between 0.0 and 1.0, not NULL"),
    }
}

/// Of one group.
#[derive(Debug)]
struct Percentiles {
    summary: Summary,
    shares: Vec<f64>,
    /// Whether the answer is an array.
    list: bool,
    /// The type of the numbers.
    of: DataType,
}

impl Accumulator for Percentiles {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let Some(values) = values.first() else { return exec_err!("percentile_approx of nothing") };
        let numbers = match self.of.is_temporal() {
            true => cast(&cast(values, &whole(&self.of))?, &DataType::Float64)?,
            false => cast(values, &DataType::Float64)?,
        };
        numbers.as_primitive::<Float64Type>().iter().flatten().for_each(|number| self.summary.insert(number));
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let [values, weights, slacks] = states else {
            return exec_err!("percentile_approx: a state lacks columns");
        };
        let [values, weights, slacks] = [values, weights, slacks].map(|list| list.as_list::<i32>());
        for row in 0..values.len() {
            self.summary.merge(&samples(values, weights, slacks, row));
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let samples = self.summary.samples();
        let values: Float64Array = samples.iter().map(|sample| Some(sample.value)).collect();
        let counts = |of: fn(&Sample) -> u64| -> Int64Array {
            samples.iter().map(|sample| Some(of(sample) as i64)).collect()
        };
        let lists: [ArrayRef; 3] = [
            Arc::new(values),
            Arc::new(counts(|sample| sample.weight)),
            Arc::new(counts(|sample| sample.slack)),
        ];
        Ok(lists.map(|list| SingleRowListArrayBuilder::new(list).build_list_scalar()).into())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let answers: Option<Vec<f64>> =
            self.shares.iter().map(|share| self.summary.quantile(*share)).collect();
        let of = if self.list { DataType::new_list(self.of.clone(), true) } else { self.of.clone() };
        let Some(answers) = answers else { return ScalarValue::try_from(&of) };
        let answers: ArrayRef = Arc::new(Float64Array::from(answers));
        let answers = match self.of.is_temporal() {
            true => cast(&cast(&answers, &whole(&self.of))?, &self.of)?,
            false => cast(&answers, &self.of)?,
        };
        match self.list {
            true => Ok(SingleRowListArrayBuilder::new(answers).build_list_scalar()),
            false => ScalarValue::try_from_array(&answers, 0),
        }
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }
}

/// The whole number that a time is counted in.
fn whole(of: &DataType) -> DataType {
    if *of == DataType::Date32 { DataType::Int32 } else { DataType::Int64 }
}

/// The samples of a state.
fn samples(values: &ListArray, weights: &ListArray, slacks: &ListArray, row: usize) -> Vec<Sample> {
    if values.is_null(row) {
        return Vec::new();
    }
    let (values, weights, slacks) = (values.value(row), weights.value(row), slacks.value(row));
    let values = values.as_primitive::<Float64Type>().values().iter();
    let [weights, slacks] = [&weights, &slacks].map(|counts| counts.as_primitive::<Int64Type>());
    let counts = weights.values().iter().zip(slacks.values());
    values
        .zip(counts)
        .map(|(value, (weight, slack))| Sample {
            value: *value,
            weight: *weight as u64,
            slack: *slack as u64,
        })
        .collect()
}
