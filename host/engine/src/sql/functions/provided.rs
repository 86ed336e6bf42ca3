//! Functions that a pipeline provides, among those of SQL.

use super::{bounded, now::epoch_time};
use crate::{
    Argument, Error, FunctionSignature, NamedFunction, Result as Done, Timestamp,
    sql::{
        common::{common_type, plain_type},
        types::{is_sparks, name_of},
    },
};
use arrow::{
    array::{Array, ArrayRef},
    compute::cast,
    datatypes::{DataType, FieldRef, Fields},
};
use datafusion_common::{DataFusionError, Result, ScalarValue, plan_err};
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use std::{
    hash::{Hash, Hasher},
    sync::Arc,
};

/// How a function is called: `score(amount DOUBLE, country STRING)`.
pub(crate) fn function_usage(name: &str, arguments: &Fields) -> String {
    let argument = |field: &FieldRef| format!("{} {}", field.name(), name_of(field.data_type()));
    let arguments: Vec<String> = arguments.iter().map(argument).collect();
    format!("{name}({})", arguments.join(", "))
}

/// Refuses a function of types that SQL has no word for: nothing could be done with their values.
pub(crate) fn check_function_types(of: &FunctionSignature) -> Done<()> {
    let refused = |what: String, of: &DataType| {
        Err(Error::invalid(format!(
            "{what} is of type {of}, which SQL does not have; a function's types are those of Spark's SQL, such as BIGINT, DOUBLE, STRING, or TIMESTAMP in microseconds of UTC"
        )))
    };
    match of.arguments.iter().find(|field| !is_sparks(field.data_type())) {
        Some(field) => refused(format!("its argument `{}`", field.name()), field.data_type()),
        None if !is_sparks(of.returns.data_type()) => refused("its result".into(), of.returns.data_type()),
        None => Ok(()),
    }
}

/// The function as SQL's planner knows functions.
pub(in crate::sql) fn provided(named: Arc<NamedFunction>) -> Arc<ScalarUDF> {
    let deterministic = named.function().facts().deterministic;
    let volatility = if deterministic { Volatility::Immutable } else { Volatility::Volatile };
    Arc::new(ScalarUDF::new_from_impl(Provided {
        named,
        deterministic,
        signature: Signature::user_defined(volatility),
    }))
}

#[derive(Debug)]
struct Provided {
    named: Arc<NamedFunction>,
    deterministic: bool,
    signature: Signature,
}

impl PartialEq for Provided {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.named, &other.named)
    }
}

impl Eq for Provided {}

impl Hash for Provided {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.named.name.hash(state);
    }
}

impl ScalarUDFImpl for Provided {
    fn name(&self) -> &str {
        &self.named.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, of: &[DataType]) -> Result<Vec<DataType>> {
        let takes = &self.takes().arguments;
        let coerced = of.iter().zip(takes).map(|(of, to)| coerced(of, to.data_type()));
        match coerced.collect::<Option<Vec<_>>>() {
            Some(types) if of.len() == takes.len() => Ok(types),
            _ => {
                let of: Vec<String> = of.iter().map(name_of).collect();
                plan_err!("{} is called with ({})", self.named.usage(), of.join(", "))
            }
        }
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.gives().clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        // What is not deterministic gives each row a value of its own, of constants too.
        let once = self.deterministic && args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let rows = if once { 1 } else { args.number_rows };
        let takes = args.args.iter().zip(&self.takes().arguments);
        let arguments: Vec<Argument> =
            takes.map(|(arg, to)| argument(arg, to.data_type())).collect::<Result<_>>()?;
        let now = Timestamp(epoch_time().unwrap_or_default());
        let values = self.named.function().results(&arguments, rows, now);
        let values = values.map_err(|e| DataFusionError::External(Box::new(e)))?;
        bounded::refuse(self.name(), values.to_data().get_slice_memory_size()? as u64, once)?;
        Ok(if once { ScalarValue::try_from_array(&values, 0)?.into() } else { values.into() })
    }
}

impl Provided {
    fn takes(&self) -> &FunctionSignature {
        self.named.function().signature()
    }

    fn gives(&self) -> &DataType {
        self.takes().returns.data_type()
    }
}

/// The values of an argument, of exactly this type: what is cast here differs in the names of parts alone.
fn argument(of: &ColumnarValue, to: &DataType) -> Result<Argument> {
    let exact = |values: ArrayRef| if values.data_type() == to { Ok(values) } else { cast(&values, to) };
    Ok(match of {
        ColumnarValue::Array(values) => Argument::Column(exact(values.clone())?),
        ColumnarValue::Scalar(value) => Argument::Constant(exact(value.to_array()?)?),
    })
}

/// The type that an argument is cast to for one of type `to`, as Spark does where a function is called: of a number to a wider
/// one, of a date to a time, of a text to what has no parts and the other way round.
fn coerced(of: &DataType, to: &DataType) -> Option<DataType> {
    if alike(of, to) {
        return Some(of.clone());
    }
    let plain = plain_type(of);
    let wider = common_type([&plain, to]).is_some_and(|common| alike(&common, to));
    // A whole number is a FLOAT where one is asked for, though beside one it is a DOUBLE.
    let float = *to == DataType::Float32 && (plain.is_integer() || matches!(plain, DataType::Decimal128(..)));
    let text = (plain == DataType::Utf8 && !to.is_nested()) || (*to == DataType::Utf8 && is_printed(&plain));
    (alike(&plain, to) || wider || float || text).then(|| to.clone())
}

/// Whether a value is a text where one is asked for.
fn is_printed(of: &DataType) -> bool {
    !of.is_nested() && *of != DataType::Binary
}

/// Whether types are the same but for the names that nobody gave to the parts of arrays and maps, and for what may be NULL.
fn alike(one: &DataType, other: &DataType) -> bool {
    match (one, other) {
        (DataType::List(one), DataType::List(other)) => alike(one.data_type(), other.data_type()),
        (DataType::Map(one, _), DataType::Map(other, _)) => match (one.data_type(), other.data_type()) {
            (DataType::Struct(one), DataType::Struct(other)) => {
                let mut pairs = one.iter().zip(other);
                pairs.all(|(one, other)| alike(one.data_type(), other.data_type()))
            }
            _ => false,
        },
        (DataType::Struct(one), DataType::Struct(other)) => {
            let mut pairs = one.iter().zip(other);
            one.len() == other.len()
                && pairs.all(|(one, other)| {
                    one.name() == other.name() && alike(one.data_type(), other.data_type())
                })
        }
        (one, other) => one == other,
    }
}

#[cfg(test)]
mod tests;
