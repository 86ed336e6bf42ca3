//! Functions that give one of their arguments back, or put them beside each other: these get one type, Spark's common one.

use crate::sql::common::{common_type, nothing_in_common};
use arrow::datatypes::{DataType, FieldRef};
use datafusion_common::{Result, plan_err};
use datafusion_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
    simplify::{ExprSimplifyResult, SimplifyContext},
};
use std::sync::{Arc, LazyLock};

/// `array(…)`.
pub(super) static ARRAY: LazyLock<Arc<ScalarUDF>> =
    LazyLock::new(|| super::bounded::bounded(alike(datafusion_spark::function::array::array(), 0)));

pub(super) fn functions() -> Vec<Arc<ScalarUDF>> {
    use datafusion_functions::core;
    vec![
        ARRAY.clone(),
        alike(core::coalesce(), 0),
        alike(core::greatest(), 0),
        alike(core::least(), 0),
        alike(core::nvl2(), 1),
        alike(datafusion_spark::function::conditional::r#if(), 1),
    ]
}

/// A function of arguments that are alike from the one at `from` on.
fn alike(inner: Arc<ScalarUDF>, from: usize) -> Arc<ScalarUDF> {
    let signature = Signature::user_defined(Volatility::Immutable);
    Arc::new(ScalarUDF::new_from_impl(Alike { inner, from, signature }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Alike {
    inner: Arc<ScalarUDF>,
    from: usize,
    signature: Signature,
}

impl ScalarUDFImpl for Alike {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, of: &[DataType]) -> Result<Vec<DataType>> {
        let Some((before, alike)) = of.split_at_checked(self.from) else {
            return plan_err!("{}(): there are too few arguments", self.name());
        };
        match (self.name(), before, alike) {
            ("if", [DataType::Boolean | DataType::Null], [_, _]) | ("nvl2", [_], [_, _]) => {}
            ("if", [condition], [_, _]) => {
                let condition = crate::sql::types::name_of(condition);
                return plan_err!("if(condition, then, otherwise): the condition is of type {condition}");
            }
            ("if", ..) => return plan_err!("there are three arguments: if(condition, then, otherwise)"),
            ("nvl2", ..) => return plan_err!("there are three arguments: nvl2(value, then, otherwise)"),
            ("greatest" | "least", _, [] | [_]) => {
                return plan_err!("{}() is of two values or more", self.name());
            }
            ("coalesce", _, []) => return plan_err!("coalesce() is of a value or more"),
            _ => {}
        }
        match common_type(alike) {
            Some(common) => {
                let before = if self.name() == "if" { vec![DataType::Boolean] } else { before.to_vec() };
                Ok([before, vec![common; alike.len()]].concat())
            }
            None => plan_err!("{}(): {}", self.name(), nothing_in_common(alike)),
        }
    }

    fn return_type(&self, of: &[DataType]) -> Result<DataType> {
        self.inner.return_type(of)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        self.inner.return_field_from_args(args)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        self.inner.invoke_with_args(args)
    }

    fn simplify(&self, args: Vec<Expr>, info: &SimplifyContext) -> Result<ExprSimplifyResult> {
        self.inner.simplify(args, info)
    }

    fn conditional_arguments<'a>(&self, args: &'a [Expr]) -> Option<(Vec<&'a Expr>, Vec<&'a Expr>)> {
        self.inner.conditional_arguments(args)
    }

    fn short_circuits(&self) -> bool {
        self.inner.short_circuits()
    }
}
