//! Casts that Arrow does otherwise than Spark: from and to texts, between numbers and times, and those that need the time
//! zone of the pipeline. Every other cast stays Arrow's.

mod print;
mod read;
mod times;

pub(super) use self::print::{double, texts};
pub(crate) use self::read::{day, decimal, fraction, time, time_without_zone, truth, whole};

use super::zone;
use crate::sql::types::name_of;
use arrow::{
    array::{
        Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, ListArray, MapArray, PrimitiveArray,
        PrimitiveBuilder, StructArray,
    },
    compute::{CastOptions, cast_with_options},
    datatypes::{
        DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
        Int64Type, TimeUnit, TimestampMicrosecondType,
    },
};
use datafusion_common::{Result, ScalarValue, config::ConfigOptions, exec_err};
use datafusion_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use jiff::tz::TimeZone;
use std::sync::Arc;

/// What a cast depends on besides its value.
#[derive(Debug)]
pub(crate) struct How {
    /// The time zone of the pipeline.
    pub(crate) zone: TimeZone,
    /// Whether a value that does not fit becomes NULL.
    pub(crate) lenient: bool,
}

impl How {
    pub(crate) fn new(options: &ConfigOptions, lenient: bool) -> Result<How> {
        Ok(How { zone: zone::session(options)?, lenient })
    }
}

/// `CAST(of AS to)`, or `try_cast`, if Arrow's is not Spark's.
pub(crate) fn spark_cast(of: &Expr, from: &DataType, to: &DataType, lenient: bool) -> Option<Expr> {
    is_ours(from, to).then(|| {
        let signature = Signature::any(1, Volatility::Immutable);
        ScalarUDF::new_from_impl(Cast { to: to.clone(), lenient, signature }).call(vec![of.clone()])
    })
}

/// Whether Arrow's cast is not Spark's.
fn is_ours(from: &DataType, to: &DataType) -> bool {
    use DataType::*;
    match (from, to) {
        (Null, _) => false,
        _ if from == to => false,
        (Utf8 | Utf8View | LargeUtf8, Boolean | Date32 | Timestamp(..) | Decimal128(..)) => true,
        (Utf8 | Utf8View | LargeUtf8, to) => to.is_numeric(),
        (Float32 | Float64, Utf8 | Decimal128(..) | Timestamp(..)) => true,
        (Timestamp(_, from), Timestamp(_, to)) => from.is_some() != to.is_some(),
        (Timestamp(..), Utf8 | Date32 | Decimal128(..)) | (Date32, Timestamp(..)) => true,
        (Timestamp(..), to) => to.is_numeric(),
        (from, Timestamp(..)) => from.is_numeric(),
        (Boolean, Decimal128(..)) | (Decimal128(..), Boolean) => true,
        (List(from), List(to)) => is_ours(from.data_type(), to.data_type()),
        (Struct(from), Struct(to)) => {
            from.len() == to.len()
                && from.iter().zip(to).any(|(from, to)| is_ours(from.data_type(), to.data_type()))
        }
        (Map(from, _), Map(to, _)) => is_ours(from.data_type(), to.data_type()),
        (List(_) | Struct(_) | Map(..), Utf8) => true,
        _ => false,
    }
}

/// The name of the function that a cast becomes, which nobody can write.
pub(crate) const CAST: &str = "cast";

#[derive(Debug, PartialEq, Eq, Hash)]
struct Cast {
    to: DataType,
    lenient: bool,
    signature: Signature,
}

impl ScalarUDFImpl for Cast {
    fn name(&self) -> &str {
        CAST
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.to.clone())
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        let of = args.first().map(|of| of.human_display().to_string()).unwrap_or_default();
        let cast = if self.lenient { "try_cast" } else { "CAST" };
        Ok(format!("{cast}({of} AS {})", name_of(&self.to)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let how = How::new(&args.config_options, self.lenient)?;
        match args.args.into_iter().next() {
            Some(ColumnarValue::Array(values)) => Ok(cast(&values, &self.to, &how)?.into()),
            Some(ColumnarValue::Scalar(value)) => {
                Ok(ScalarValue::try_from_array(&cast(&value.to_array()?, &self.to, &how)?, 0)?.into())
            }
            None => exec_err!("a cast is of a value"),
        }
    }
}

/// Casts values as Spark does.
pub(crate) fn cast(values: &ArrayRef, to: &DataType, how: &How) -> Result<ArrayRef> {
    use DataType::*;
    if !is_ours(values.data_type(), to) {
        let options = CastOptions { safe: how.lenient, ..CastOptions::default() };
        return Ok(cast_with_options(values, to, &options)?);
    }
    if let Timestamp(unit, zone) = to
        && *unit != TimeUnit::Microsecond
    {
        let times = cast(values, &Timestamp(TimeUnit::Microsecond, zone.clone()), how)?;
        return Ok(arrow::compute::cast(&times, to)?);
    }
    match (values.data_type(), to) {
        (Utf8View | LargeUtf8, _) => cast(&arrow::compute::cast(values, &Utf8)?, to, how),
        (Utf8, _) => of_texts(values, to, how),
        (_, Utf8) => texts(values, how),
        (Float32 | Float64, Decimal128(..)) => {
            // As in Spark, what is no number at all is NULL here, and no error.
            let numbers = arrow::compute::cast(values, &Float64)?;
            let finite = numbers
                .as_primitive::<Float64Type>()
                .unary_opt::<_, Float64Type>(|x| x.is_finite().then_some(x));
            let numbers: ArrayRef = match values.data_type() {
                Float32 => arrow::compute::cast(&finite, &Float32)?,
                _ => Arc::new(finite),
            };
            of_texts(&texts(&numbers, how)?, to, how)
        }
        (Boolean, Decimal128(..)) => cast(&arrow::compute::cast(values, &Int32)?, to, how),
        (Decimal128(..), Boolean) => {
            let numbers = values.as_primitive::<Decimal128Type>();
            Ok(Arc::new(numbers.iter().map(|number| number.map(|n| n != 0)).collect::<BooleanArray>()))
        }
        (List(_), List(item)) => {
            let list = values.as_list::<i32>();
            let items = cast(list.values(), item.data_type(), how)?;
            let list = ListArray::try_new(item.clone(), list.offsets().clone(), items, list.nulls().cloned());
            Ok(Arc::new(list?))
        }
        (Struct(_), Struct(fields)) => {
            let parts = values.as_struct();
            let columns =
                parts.columns().iter().zip(fields).map(|(part, to)| cast(part, to.data_type(), how));
            let columns = columns.collect::<Result<Vec<_>>>()?;
            Ok(Arc::new(StructArray::try_new(fields.clone(), columns, parts.nulls().cloned())?))
        }
        (Map(..), Map(entry, sorted)) => {
            let map = values.as_map();
            let entries: ArrayRef = Arc::new(map.entries().clone());
            let entries = cast(&entries, entry.data_type(), how)?.as_struct().clone();
            let (offsets, nulls) = (map.offsets().clone(), map.nulls().cloned());
            Ok(Arc::new(MapArray::try_new(entry.clone(), offsets, entries, nulls, *sorted)?))
        }
        _ => times::cast(values, to, how),
    }
}

fn of_texts(values: &ArrayRef, to: &DataType, how: &How) -> Result<ArrayRef> {
    match to {
        DataType::Int8 => read::<Int8Type>(values, to, how, whole),
        DataType::Int16 => read::<Int16Type>(values, to, how, whole),
        DataType::Int32 => read::<Int32Type>(values, to, how, whole),
        DataType::Int64 => read::<Int64Type>(values, to, how, whole),
        DataType::Float32 => read::<Float32Type>(values, to, how, fraction),
        DataType::Float64 => read::<Float64Type>(values, to, how, fraction),
        DataType::Date32 => read::<Date32Type>(values, to, how, day),
        DataType::Decimal128(precision, scale) => {
            read::<Decimal128Type>(values, to, how, |text| decimal(text, *precision, *scale))
        }
        DataType::Timestamp(_, Some(_)) => {
            read::<TimestampMicrosecondType>(values, to, how, |text| time(text, &how.zone))
        }
        DataType::Timestamp(_, None) => read::<TimestampMicrosecondType>(values, to, how, time_without_zone),
        DataType::Boolean => {
            let truths = values.as_string::<i32>().iter();
            let truths = truths.map(|text| text.map_or(Ok(None), |text| fits(truth(text), text, to, how)));
            Ok(Arc::new(truths.collect::<Result<BooleanArray>>()?))
        }
        other => exec_err!("a text cannot be cast to {}", name_of(other)),
    }
}

fn read<T: ArrowPrimitiveType>(
    values: &ArrayRef,
    to: &DataType,
    how: &How,
    value: impl Fn(&str) -> Option<T::Native>,
) -> Result<ArrayRef> {
    let mut read = PrimitiveBuilder::<T>::with_capacity(values.len()).with_data_type(to.clone());
    for text in values.as_string::<i32>() {
        match text {
            Some(text) => read.append_option(fits(value(text), text, to, how)?),
            None => read.append_null(),
        }
    }
    Ok(Arc::new(read.finish()))
}

/// What a value has become; an error if it has become nothing and that is not wanted.
fn fits<T>(made: Option<T>, of: impl std::fmt::Display, to: &DataType, how: &How) -> Result<Option<T>> {
    match made {
        None if !how.lenient => exec_err!(
            "'{of}' is no value of type {}; correct it, or use try_cast to have NULL instead",
            name_of(to)
        ),
        made => Ok(made),
    }
}

/// The values of another type, where each fits.
fn made<F: ArrowPrimitiveType, T: ArrowPrimitiveType>(
    values: &ArrayRef,
    to: &DataType,
    how: &How,
    value: impl Fn(F::Native) -> Option<T::Native>,
) -> Result<ArrayRef>
where
    F::Native: std::fmt::Display,
{
    let made = values.as_primitive::<F>().iter().map(|of| match of {
        Some(of) => fits(value(of), of, to, how),
        None => Ok(None),
    });
    let made = made.collect::<Result<PrimitiveArray<T>>>()?.with_data_type(to.clone());
    Ok(Arc::new(made))
}

/// A double as Java shows it, with so many digits behind the point; none if it has too many before it.
pub(crate) fn decimal_of_double(number: f64, scale: i8) -> Option<i128> {
    decimal(&print::double(number), 38, scale)
}
