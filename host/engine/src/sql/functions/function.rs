//! A function of a row's values, without the ceremony of DataFusion's trait.

use arrow::{array::ArrayRef, datatypes::DataType};
use datafusion_common::{Result, ScalarValue, config::ConfigOptions, plan_err};
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use std::{
    hash::{Hash, Hasher},
    sync::Arc,
};

/// The types that arguments of these types are cast to; none if the function is not of such arguments.
pub(super) type Takes = fn(&[DataType]) -> Option<Vec<DataType>>;
/// The type of the result for arguments of these types.
pub(super) type Gives = fn(&[DataType]) -> DataType;
/// The results for columns of arguments.
pub(super) type Run = fn(&[ArrayRef], &ConfigOptions) -> Result<ArrayRef>;

/// One function. What it is called like is in `usage`, `name(argument, …)`: an error shows it.
pub(super) fn function(usage: &'static str, takes: Takes, gives: Gives, run: Run) -> Arc<ScalarUDF> {
    let signature = Signature::user_defined(Volatility::Immutable);
    Arc::new(ScalarUDF::new_from_impl(Function { usage, takes, gives, run, signature }))
}

#[derive(Debug)]
struct Function {
    usage: &'static str,
    takes: Takes,
    gives: Gives,
    run: Run,
    signature: Signature,
}

impl PartialEq for Function {
    fn eq(&self, other: &Self) -> bool {
        self.usage == other.usage
    }
}

impl Eq for Function {}

impl Hash for Function {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.usage.hash(state);
    }
}

impl ScalarUDFImpl for Function {
    fn name(&self) -> &str {
        self.usage.split_once('(').map_or(self.usage, |(name, _)| name)
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, of: &[DataType]) -> Result<Vec<DataType>> {
        match (self.takes)(of) {
            Some(types) => Ok(types),
            None => {
                let of: Vec<String> = of.iter().map(crate::sql::types::name_of).collect();
                plan_err!("{} is called with ({})", self.usage, of.join(", "))
            }
        }
    }

    fn return_type(&self, of: &[DataType]) -> Result<DataType> {
        Ok((self.gives)(of))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let constant = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let rows = if constant { 1 } else { args.number_rows };
        let columns = args.args.iter().map(|arg| arg.to_array(rows)).collect::<Result<Vec<_>>>()?;
        let answer = (self.run)(&columns, &args.config_options)?;
        match constant {
            true => {
                let bytes = answer.to_data().get_slice_memory_size()?;
                super::bounded::refuse(self.name(), bytes as u64, true)?;
                Ok(ScalarValue::try_from_array(&answer, 0)?.into())
            }
            false => Ok(answer.into()),
        }
    }
}

/// Whether a value can stand for a text: one, or what is cast to one.
pub(super) fn is_text(of: &DataType) -> bool {
    of.is_string() || of.is_null()
}
