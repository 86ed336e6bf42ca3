//! Casts that nobody writes: of a text to DOUBLE where a function is of numbers, of anything that can be printed to STRING
//! where it is of texts.

use super::strings::as_text;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion_common::Result;
use datafusion_expr::{
    AggregateUDF, ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
    Signature, Volatility,
    simplify::{ExprSimplifyResult, SimplifyContext},
    type_coercion::functions::{UDFCoercionExt, fields_with_udf},
};
use std::sync::Arc;

/// What a function expects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Of {
    Numbers,
    Texts,
}

/// Functions, and of how many of their first arguments that is true.
const IMPLIED: &[(Of, usize, &[&str])] = &[
    (
        Of::Numbers,
        1,
        &[
            "abs", "sqrt", "exp", "expm1", "ln", "log10", "log2", "log1p", "cbrt", "sin", "cos", "tan",
            "asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "cot", "degrees",
            "radians", "ceil", "floor", "round", "bround", "rint", "signum", "negative", "isnan",
        ],
    ),
    (Of::Numbers, 2, &["pow", "power", "atan2", "log", "hypot", "nanvl"]),
    (
        Of::Texts,
        1,
        &[
            "upper",
            "lower",
            "btrim",
            "trim",
            "ltrim",
            "rtrim",
            "length",
            "character_length",
            "bit_length",
            "octet_length",
            "substr",
            "substring",
            "repeat",
            "ascii",
        ],
    ),
    (
        Of::Texts,
        2,
        &[
            "contains",
            "starts_with",
            "ends_with",
            "startswith",
            "endswith",
            "instr",
            "strpos",
            "levenshtein",
            "overlay",
            "split_part",
            "substr_index",
            "substring_index",
            "find_in_set",
            "like",
            "ilike",
        ],
    ),
    (Of::Texts, 3, &["replace", "translate"]),
];

/// The function, with what it implies.
pub(super) fn implied(function: Arc<ScalarUDF>) -> Arc<ScalarUDF> {
    let known = IMPLIED.iter().find(|(.., names)| names.contains(&function.name()));
    let Some((of, first, _)) = known else { return function };
    let signature = Signature::user_defined(Volatility::Immutable);
    Arc::new(ScalarUDF::new_from_impl(Implied { inner: function, of: *of, first: *first, signature }))
}

/// The types that arguments of an aggregate of numbers are cast to.
pub(super) fn numbers(of: &[DataType], aggregate: &AggregateUDF) -> Result<Vec<DataType>> {
    coerced(of.iter().map(|of| Of::Numbers.cast(of)), aggregate)
}

fn coerced<F: UDFCoercionExt>(of: impl Iterator<Item = DataType>, function: &F) -> Result<Vec<DataType>> {
    let fields: Vec<FieldRef> = of.map(|of| Arc::new(Field::new("of", of, true))).collect();
    Ok(fields_with_udf(&fields, function)?.iter().map(|field| field.data_type().clone()).collect())
}

impl Of {
    fn cast(self, of: &DataType) -> DataType {
        match self {
            Of::Numbers if of.is_string() => DataType::Float64,
            Of::Texts if !of.is_string() && !of.is_null() => as_text(of).unwrap_or_else(|| of.clone()),
            _ => of.clone(),
        }
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Implied {
    inner: Arc<ScalarUDF>,
    of: Of,
    first: usize,
    signature: Signature,
}

impl ScalarUDFImpl for Implied {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        self.inner.schema_name(args)
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, of: &[DataType]) -> Result<Vec<DataType>> {
        let given = of.iter().enumerate();
        let given = given.map(|(at, of)| if at < self.first { self.of.cast(of) } else { of.clone() });
        coerced(given, &*self.inner)
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

    fn short_circuits(&self) -> bool {
        self.inner.short_circuits()
    }
}
