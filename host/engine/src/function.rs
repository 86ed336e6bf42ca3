//! Functions that a pipeline's SQL may call beside Spark's own.

use crate::{Kind, Result, ResultExt, StepFacts, StepProgress, Timestamp, sql};
use arrow::{
    array::{Array, ArrayRef, BooleanArray, UInt32Array, new_empty_array, new_null_array},
    buffer::NullBuffer,
    compute::{filter, take},
    datatypes::{FieldRef, Fields},
};
use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

/// A function of the values of a row, which somebody else than the engine has: a plugin.
///
/// The result for a row follows from the arguments in that row. Rows with NULL for an argument that is not nullable have the
/// result NULL, and whoever has the function never gets them. If it says that it is deterministic, a call with constants is
/// worked out once, while the query is planned.
pub trait Function: Send + Sync {
    /// For `explain` and the offset log.
    fn facts(&self) -> StepFacts;

    /// What it takes and gives. Always the same.
    fn signature(&self) -> &FunctionSignature;

    /// The results for so many rows, at least one: a column of the type that it gives. `now` is the epoch's processing time, 0
    /// while a query is planned. It blocks the thread: expressions are worked out where their rows are.
    fn call(&self, arguments: &[Argument], rows: usize, now: Timestamp) -> Result<ArrayRef>;

    /// What happened since the last call; the engine asks once an epoch.
    fn progress(&self) -> StepProgress;
}

/// What a function takes and gives.
#[derive(Clone, Debug, PartialEq)]
pub struct FunctionSignature {
    /// Names and types of the arguments; one that is not nullable makes the result NULL where it is.
    pub arguments: Fields,
    /// The type of the result.
    pub returns: FieldRef,
}

impl dyn Function + '_ {
    /// The results for all rows, of which the function is asked for those that have a value wherever they need one.
    pub fn results(&self, arguments: &[Argument], rows: usize, now: Timestamp) -> Result<ArrayRef> {
        let doing = || "rows that have a value for each argument of a function";
        let gives = self.signature().returns.data_type();
        if rows == 0 {
            return Ok(new_empty_array(gives));
        }
        let asked = match Asked::of(arguments, &self.signature().arguments) {
            Asked::All => return self.call(arguments, rows, now),
            Asked::None => return Ok(new_null_array(gives, rows)),
            Asked::Some(asked) => asked,
        };
        let keep = BooleanArray::new(asked.inner().clone(), None);
        let kept = arguments.iter().map(|argument| match argument {
            Argument::Column(values) => {
                filter(values, &keep).map(Argument::Column).doing(Kind::Internal, doing)
            }
            Argument::Constant(value) => Ok(Argument::Constant(value.clone())),
        });
        let results = self.call(&kept.collect::<Result<Vec<_>>>()?, rows - asked.null_count(), now)?;
        let mut next = 0..;
        let places = asked.iter().map(|is| if is { next.next() } else { None });
        take(&results, &places.collect::<UInt32Array>(), None).doing(Kind::Internal, doing)
    }
}

/// Which rows a function is asked for.
enum Asked {
    All,
    Some(NullBuffer),
    None,
}

impl Asked {
    /// Those without NULL where there must not be one.
    fn of(arguments: &[Argument], takes: &Fields) -> Self {
        let mut nulls: Option<NullBuffer> = None;
        for (argument, _) in arguments.iter().zip(takes).filter(|(_, field)| !field.is_nullable()) {
            match argument {
                Argument::Constant(value) if value.is_null(0) => return Asked::None,
                Argument::Constant(_) => {}
                Argument::Column(values) => nulls = NullBuffer::union(nulls.as_ref(), values.nulls()),
            }
        }
        match nulls {
            Some(nulls) if nulls.null_count() == nulls.len() => Asked::None,
            Some(nulls) if nulls.null_count() > 0 => Asked::Some(nulls),
            _ => Asked::All,
        }
    }
}

/// The values of one argument, of exactly the type that the function takes.
#[derive(Clone, Debug)]
pub enum Argument {
    /// One for each row.
    Column(ArrayRef),
    /// One, the only element, which stands for every row.
    Constant(ArrayRef),
}

/// A function and its name in SQL.
pub struct NamedFunction {
    /// Its name, in the pipeline's spelling. SQL does not tell upper case from lower case.
    pub name: String,
    function: Arc<dyn Function>,
}

impl NamedFunction {
    /// Fails with kind `Invalid` if SQL cannot call it so, or has no word for a type of it.
    pub fn new(name: impl Into<String>, function: Arc<dyn Function>) -> Result<Self> {
        let name = name.into();
        sql::check_function_name(&name)?;
        sql::check_function_types(function.signature())?;
        Ok(NamedFunction { name, function })
    }

    /// The function.
    pub fn function(&self) -> &dyn Function {
        &*self.function
    }

    /// How it is called: `score(amount DOUBLE, country STRING)`.
    pub fn usage(&self) -> String {
        sql::function_usage(&self.name, &self.function.signature().arguments)
    }

    /// Its name where there are names of steps and sinks too, of which none has a dot behind `functions` and a letter there.
    pub(crate) fn key(&self) -> String {
        format!("functions.{}", self.name)
    }
}

impl fmt::Debug for NamedFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NamedFunction").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The functions of a query that runs, for whoever asks its tables. Clones are of the same query.
#[derive(Clone, Debug, Default)]
pub struct LiveFunctions(Arc<Mutex<Vec<Arc<NamedFunction>>>>);

impl LiveFunctions {
    /// The query was planned with these.
    pub fn set(&self, functions: Vec<Arc<NamedFunction>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = functions;
    }

    /// Those of the newest plan.
    pub fn all(&self) -> Vec<Arc<NamedFunction>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
