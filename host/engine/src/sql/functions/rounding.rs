//! `round`, `bround`, `ceil` and `floor`: to so many digits behind the point, or, of a negative number of them, before it.

use super::cast::{How, cast, decimal_of_double};
use arrow::{
    array::{Array, ArrayRef, AsArray, Decimal128Array, Float64Array, Int64Array},
    datatypes::{DataType, Decimal128Type, Field, FieldRef, Float64Type, Int64Type},
};
use datafusion_common::{Result, ScalarValue, exec_datafusion_err, exec_err, plan_datafusion_err, plan_err};
use datafusion_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use std::sync::Arc;

pub(super) fn functions() -> Vec<Arc<ScalarUDF>> {
    let all = [
        ("round", &[][..], Mode::HalfUp),
        ("bround", &[], Mode::HalfEven),
        ("ceil", &["ceiling"], Mode::Up),
        ("floor", &[], Mode::Down),
    ];
    let function = |(name, aliases, mode): (&'static str, &[&str], Mode)| {
        let aliases = aliases.iter().map(|alias| (*alias).to_owned()).collect();
        let signature = Signature::user_defined(Volatility::Immutable);
        Arc::new(ScalarUDF::new_from_impl(Round { name, aliases, mode, signature }))
    };
    all.into_iter().map(function).collect()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Mode {
    HalfUp,
    HalfEven,
    Up,
    Down,
}

impl Mode {
    /// `of` divided by `by`, which is not negative.
    fn divide(self, of: i128, by: i128) -> i128 {
        let (down, rest) = (of.div_euclid(by), of.rem_euclid(by));
        let up = match self {
            Mode::Up => rest > 0,
            Mode::Down => false,
            // What is half way goes away from zero.
            Mode::HalfUp => {
                if of < 0 {
                    rest * 2 > by
                } else {
                    rest * 2 >= by
                }
            }
            Mode::HalfEven => rest * 2 > by || rest * 2 == by && down % 2 != 0,
        };
        down + i128::from(up)
    }

    fn is_half(self) -> bool {
        matches!(self, Mode::HalfUp | Mode::HalfEven)
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Round {
    name: &'static str,
    aliases: Vec<String>,
    mode: Mode,
    signature: Signature,
}

impl ScalarUDFImpl for Round {
    fn name(&self) -> &str {
        self.name
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, of: &[DataType]) -> Result<Vec<DataType>> {
        let (Some(first), rest) = (of.first(), of.get(1..).unwrap_or_default()) else {
            return plan_err!("{}(number[, digits])", self.name);
        };
        let first = match first {
            DataType::Null => DataType::Float64,
            text if text.is_string() => DataType::Float64,
            // Of a double with so many digits, Spark answers a decimal.
            float if float.is_floating() && !self.mode.is_half() && !rest.is_empty() => {
                DataType::Decimal128(30, 15)
            }
            DataType::Float32 if !self.mode.is_half() => DataType::Float64,
            whole if whole.is_integer() && !self.mode.is_half() && rest.is_empty() => DataType::Int64,
            whole if whole.is_integer() && !self.mode.is_half() => super::arithmetic::as_decimal(whole),
            number if number.is_numeric() => number.clone(),
            other => {
                return plan_err!(
                    "{}() is of a number, not of {}",
                    self.name,
                    crate::sql::types::name_of(other)
                );
            }
        };
        // As they are written, so that they are still seen to be constant.
        let digits = |of: &DataType| if of.is_integer() { of.clone() } else { DataType::Int32 };
        Ok([vec![first], rest.iter().map(digits).collect()].concat())
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        plan_err!("{}() needs to know its digits", self.name)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let of = args.arg_fields.first().map_or(&DataType::Null, |field| field.data_type());
        let digits = match args.scalar_arguments.get(1) {
            None => 0,
            Some(digits) => self.constant(*digits)?,
        };
        let of = match of {
            DataType::Decimal128(precision, scale) => rounded_type(*precision, *scale, digits),
            DataType::Float64 if !self.mode.is_half() => DataType::Int64,
            of => of.clone(),
        };
        Ok(Arc::new(Field::new(self.name, of, true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let constant = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let rows = if constant { 1 } else { args.number_rows };
        let digits = match args.args.get(1) {
            None => 0,
            Some(ColumnarValue::Scalar(digits)) => self.constant(Some(digits))?,
            Some(ColumnarValue::Array(_)) => self.constant(None)?,
        };
        let Some(values) = args.args.first() else { return exec_err!("{}(number)", self.name) };
        let how = How::new(&args.config_options, false)?;
        let rounded = self.rounded(&values.to_array(rows)?, digits, args.return_field.data_type(), &how)?;
        match constant {
            true => Ok(ScalarValue::try_from_array(&rounded, 0)?.into()),
            false => Ok(rounded.into()),
        }
    }
}

/// Spark's type of a rounded decimal: one more digit before the point, as 9.9 becomes 10.
fn rounded_type(precision: u8, scale: i8, digits: i32) -> DataType {
    let whole = i32::from(precision) - i32::from(scale) + 1;
    let (precision, scale) = match digits {
        0.. => (whole + digits.min(scale.into()), digits.min(scale.into())),
        _ => (whole.max(1 - digits), 0),
    };
    DataType::Decimal128(precision.min(38) as u8, scale as i8)
}

impl Round {
    fn rounded(&self, values: &ArrayRef, digits: i32, to: &DataType, how: &How) -> Result<ArrayRef> {
        match (values.data_type(), to) {
            (DataType::Decimal128(_, scale), DataType::Decimal128(precision, to)) => {
                let numbers = values.as_primitive::<Decimal128Type>().iter();
                let numbers = numbers
                    .map(|n| n.map(|n| self.digits(n, (*scale).into(), digits, (*to).into())).transpose());
                let numbers = numbers.collect::<Result<Decimal128Array>>()?;
                let numbers = numbers.with_precision_and_scale(*precision, *to)?;
                numbers.validate_decimal_precision(*precision)?;
                Ok(Arc::new(numbers))
            }
            (DataType::Float64, DataType::Int64) => {
                let numbers = values.as_primitive::<Float64Type>().iter();
                Ok(Arc::new(
                    numbers.map(|x| x.map(|x| self.whole(x)).transpose()).collect::<Result<Int64Array>>()?,
                ))
            }
            (DataType::Float32 | DataType::Float64, _) => {
                let shown = cast(values, &DataType::Float64, how)?;
                let doubles =
                    shown.as_primitive::<Float64Type>().iter().map(|x| x.map(|x| self.double(x, digits)));
                cast(&(Arc::new(doubles.collect::<Float64Array>()) as ArrayRef), to, how)
            }
            (_, to) => {
                let numbers = cast(values, &DataType::Int64, how)?;
                let numbers = numbers.as_primitive::<Int64Type>().iter();
                let numbers = numbers.map(|n| n.map(|n| self.digits(n.into(), 0, digits, 0)).transpose());
                let numbers =
                    numbers.map(|n| n?.map(i64::try_from).transpose().map_err(|_| self.too_large()));
                cast(&(Arc::new(numbers.collect::<Result<Int64Array>>()?) as ArrayRef), to, how)
            }
        }
    }

    fn constant(&self, digits: Option<&ScalarValue>) -> Result<i32> {
        let digits = match digits {
            Some(ScalarValue::Int32(Some(digits))) => Some(*digits),
            Some(ScalarValue::Int64(Some(digits))) => i32::try_from(*digits).ok(),
            _ => None,
        };
        digits.ok_or_else(|| plan_datafusion_err!("{}(number, digits): the digits are a constant", self.name))
    }

    fn too_large(&self) -> datafusion_common::DataFusionError {
        exec_datafusion_err!("{}(): the result is too large for its type", self.name)
    }

    /// A number with `scale` digits behind its point, rounded to `digits` of them, with `to` of them.
    fn digits(&self, number: i128, scale: i32, digits: i32, to: i32) -> Result<i128> {
        let drop = u32::try_from(scale - digits.min(scale)).unwrap_or(0);
        let kept = match 10_i128.checked_pow(drop) {
            Some(power) => self.mode.divide(number, power),
            None => 0,
        };
        let power = u32::try_from(to - digits.min(scale)).ok().and_then(|by| 10_i128.checked_pow(by));
        let kept = if kept == 0 { Some(0) } else { power.and_then(|power| kept.checked_mul(power)) };
        kept.ok_or_else(|| self.too_large())
    }

    /// A double as the decimal that it is shown as, rounded.
    fn double(&self, number: f64, digits: i32) -> f64 {
        const SCALE: i8 = 18;
        let Some(exact) = decimal_of_double(number, SCALE) else { return number };
        let to = digits.clamp(0, SCALE.into());
        match self.digits(exact, SCALE.into(), digits, to) {
            Ok(rounded) => format!("{rounded}e-{to}").parse().unwrap_or(number),
            Err(_) => number,
        }
    }

    fn whole(&self, number: f64) -> Result<i64> {
        let whole = if self.mode == Mode::Up { number.ceil() } else { number.floor() };
        if number.is_nan() {
            return Ok(0);
        }
        let fits = whole >= i64::MIN as f64 && whole < i64::MAX as f64;
        if fits { Ok(whole as i64) } else { Err(self.too_large()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_half_way_goes_where_the_mode_says() {
        for (mode, rounded) in [
            (Mode::HalfUp, [3, 2, -3, -2]),
            (Mode::HalfEven, [2, 2, -2, -2]),
            (Mode::Up, [3, 3, -2, -2]),
            (Mode::Down, [2, 2, -3, -3]),
        ] {
            assert_eq!([25, 21, -25, -21].map(|n| mode.divide(n, 10)), rounded, "{mode:?}");
        }
    }
}
