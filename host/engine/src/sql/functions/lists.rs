//! Arrays made of others.

use super::function::{Gives, Run, function};
use crate::sql::types::array_of;
use arrow::{
    array::{Array, ArrayRef, AsArray, Date32Array, Int32Array, Int64Array, ListArray, new_null_array},
    buffer::{NullBuffer, OffsetBuffer},
    compute::interleave,
    datatypes::{DataType, Date32Type, Field, FieldRef, Int32Type, Int64Type},
};
use datafusion_common::{Result, exec_err};
use datafusion_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
    type_coercion::binary::comparison_coercion,
};
use std::sync::{Arc, LazyLock};

/// `concat(…)`, which `||` is too.
pub(super) static CONCAT: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
    super::bounded::bounded(Arc::new(ScalarUDF::new_from_impl(OfLists {
        name: "concat",
        texts: datafusion_spark::function::string::concat(),
        signature: Signature::user_defined(Volatility::Immutable),
    })))
});

pub(super) fn functions() -> Vec<Arc<ScalarUDF>> {
    let list = |of: &[DataType]| of.first().cloned().unwrap_or(DataType::Null);
    let function = |usage, takes, run: Run| function(usage, takes, list as Gives, run);
    vec![
        function("array_append(array, element)", list_and_element, |columns, _| {
            with_element(columns, |list, one| [list, &[one]].concat())
        }),
        function("array_prepend(array, element)", list_and_element, |columns, _| {
            with_element(columns, |list, one| [&[one], list].concat())
        }),
        function("array_insert(array, position, element)", inserted_types, |columns, _| inserted(columns)),
        super::function::function("flatten(array of arrays)", nested, item_type, |columns, _| {
            flattened(columns)
        }),
        super::function::function(
            "sequence(from, to[, step])",
            steps,
            |of| of.first().map_or(DataType::Null, |of| array_of(of.clone())),
            |columns, _| sequence(columns),
        ),
        CONCAT.clone(),
        Arc::new(ScalarUDF::new_from_impl(OfLists {
            name: REVERSE,
            texts: datafusion_functions::unicode::reverse(),
            signature: Signature::user_defined(Volatility::Immutable),
        })),
    ]
}

/// An element, by the column of its values and its place there.
type Place = (usize, usize);

/// Arrays of these elements; NULL where there are none.
fn built(values: &[&dyn Array], item: &FieldRef, rows: Vec<Option<Vec<Place>>>) -> Result<ArrayRef> {
    let nulls: NullBuffer = rows.iter().map(Option::is_some).collect::<Vec<_>>().into();
    let lengths = rows.iter().map(|row| row.as_ref().map_or(0, Vec::len));
    let offsets = OffsetBuffer::from_lengths(lengths);
    let places: Vec<Place> = rows.into_iter().flatten().flatten().collect();
    Ok(Arc::new(ListArray::try_new(item.clone(), offsets, interleave(values, &places)?, Some(nulls))?))
}

/// The places of a row's elements in the values of a list; none of NULL.
fn places(list: &ListArray, column: usize, row: usize) -> Option<Vec<Place>> {
    if list.is_null(row) {
        return None;
    }
    let offsets = list.value_offsets().get(row..row + 2)?;
    let [start, end] = offsets else { return None };
    Some((*start as usize..*end as usize).map(|at| (column, at)).collect())
}

fn item_of(list: &ArrayRef) -> Result<FieldRef> {
    match list.data_type() {
        DataType::List(item) => Ok(Arc::new(Field::clone(item).with_nullable(true))),
        other => exec_err!("an array is expected, not {other}"),
    }
}

fn list_and_element(of: &[DataType]) -> Option<Vec<DataType>> {
    match of {
        [list @ DataType::List(item), _] => Some(vec![list.clone(), item.data_type().clone()]),
        _ => None,
    }
}

fn inserted_types(of: &[DataType]) -> Option<Vec<DataType>> {
    match of {
        [list @ DataType::List(item), _, _] => {
            Some(vec![list.clone(), DataType::Int32, item.data_type().clone()])
        }
        _ => None,
    }
}

fn nested(of: &[DataType]) -> Option<Vec<DataType>> {
    match of {
        [DataType::List(item)] if matches!(item.data_type(), DataType::List(_)) => Some(of.to_vec()),
        _ => None,
    }
}

fn item_type(of: &[DataType]) -> DataType {
    match of.first() {
        Some(DataType::List(item)) => item.data_type().clone(),
        _ => DataType::Null,
    }
}

/// Each list and the element beside it.
fn with_element(columns: &[ArrayRef], place: impl Fn(&[Place], Place) -> Vec<Place>) -> Result<ArrayRef> {
    let [lists, elements] = columns else { return exec_err!("an array and an element are expected") };
    let list = lists.as_list::<i32>();
    let rows = (0..list.len()).map(|row| Some(place(&places(list, 0, row)?, (1, row))));
    built(&[list.values(), elements], &item_of(lists)?, rows.collect())
}

/// With an element at a position from 1, or from the end; what is between is NULL.
fn inserted(columns: &[ArrayRef]) -> Result<ArrayRef> {
    let [lists, positions, elements] = columns else {
        return exec_err!("array_insert(array, position, element)");
    };
    let (list, positions) = (lists.as_list::<i32>(), positions.as_primitive::<Int32Type>());
    let nothing = new_null_array(elements.data_type(), 1);
    let mut rows = Vec::with_capacity(list.len());
    for row in 0..list.len() {
        let (Some(mut places), true) = (places(list, 0, row), positions.is_valid(row)) else {
            rows.push(None);
            continue;
        };
        let position = positions.value(row);
        let at = position.unsigned_abs() as usize;
        match position {
            0 => return exec_err!("array_insert(): the first position is 1; there is none 0"),
            1.. => {
                let missing = (at - 1).saturating_sub(places.len());
                places.extend(std::iter::repeat_n((2, 0), missing));
                places.insert(at - 1, (1, row));
            }
            _ => {
                let missing = (at - 1).saturating_sub(places.len());
                places.splice(..0, std::iter::repeat_n((2, 0), missing));
                places.insert(places.len() + 1 - at, (1, row));
            }
        }
        rows.push(Some(places));
    }
    built(&[list.values(), elements, &nothing], &item_of(lists)?, rows)
}

/// The elements of the elements; NULL if one of these is.
fn flattened(columns: &[ArrayRef]) -> Result<ArrayRef> {
    let [lists] = columns else { return exec_err!("flatten(array of arrays)") };
    let list = lists.as_list::<i32>();
    let inner = list.values().as_list::<i32>();
    let rows = (0..list.len()).map(|row| {
        let all = places(list, 0, row)?;
        let parts: Option<Vec<_>> = all.into_iter().map(|(_, at)| places(inner, 0, at)).collect();
        Some(parts?.concat())
    });
    built(&[inner.values()], &item_of(list.values())?, rows.collect())
}

fn joined(columns: &[ArrayRef]) -> Result<ArrayRef> {
    let Some(first) = columns.first() else { return exec_err!("concat() of nothing") };
    let lists: Vec<&ListArray> = columns.iter().map(|list| list.as_list::<i32>()).collect();
    let rows = (0..first.len()).map(|row| {
        let parts = lists.iter().enumerate().map(|(column, list)| places(list, column, row));
        Some(parts.collect::<Option<Vec<_>>>()?.concat())
    });
    let values: Vec<&dyn Array> = lists.iter().map(|list| list.values().as_ref()).collect();
    built(&values, &item_of(first)?, rows.collect())
}

fn reversed(columns: &[ArrayRef]) -> Result<ArrayRef> {
    let [lists] = columns else { return exec_err!("reverse(array)") };
    let list = lists.as_list::<i32>();
    let rows =
        (0..list.len()).map(|row| places(list, 0, row).map(|places| places.into_iter().rev().collect()));
    built(&[list.values()], &item_of(lists)?, rows.collect())
}

fn steps(of: &[DataType]) -> Option<Vec<DataType>> {
    let (ends, step) = of.split_at_checked(2)?;
    let of = match ends {
        [DataType::Date32, DataType::Date32] if step.is_empty() => DataType::Date32,
        ends if ends.iter().chain(step).all(|of| of.is_integer() || of.is_null()) => {
            if of.contains(&DataType::Int64) { DataType::Int64 } else { DataType::Int32 }
        }
        _ => return None,
    };
    (step.len() < 2).then(|| vec![of; ends.len() + step.len()])
}

fn sequence(columns: &[ArrayRef]) -> Result<ArrayRef> {
    let Some(first) = columns.first() else { return exec_err!("sequence(from, to)") };
    let of = first.data_type().clone();
    let columns = columns.iter().map(as_long).collect::<Result<Vec<_>>>()?;
    let mut rows = Vec::with_capacity(first.len());
    let mut elements = 0;
    for row in 0..first.len() {
        let values: Option<Vec<i64>> =
            columns.iter().map(|column| column.is_valid(row).then(|| column.value(row))).collect();
        rows.push(values.map(|values| numbers(&values, &mut elements)).transpose()?);
    }
    let lengths = rows.iter().map(|row| row.as_ref().map_or(0, Vec::len));
    let offsets = OffsetBuffer::from_lengths(lengths);
    let nulls: NullBuffer = rows.iter().map(Option::is_some).collect::<Vec<_>>().into();
    let numbers = rows.into_iter().flatten().flatten();
    let values: ArrayRef = match of {
        DataType::Int64 => Arc::new(numbers.collect::<Int64Array>()),
        DataType::Int32 => Arc::new(numbers.map(|n| n as i32).collect::<Int32Array>()),
        _ => Arc::new(Date32Array::from_iter_values(numbers.map(|n| n as i32))),
    };
    Ok(Arc::new(ListArray::try_new(Arc::new(Field::new_list_field(of, true)), offsets, values, Some(nulls))?))
}

fn as_long(column: &ArrayRef) -> Result<Int64Array> {
    Ok(match column.data_type() {
        DataType::Int64 => column.as_primitive::<Int64Type>().clone(),
        DataType::Int32 => column.as_primitive::<Int32Type>().unary(i64::from),
        _ => column.as_primitive::<Date32Type>().unary(i64::from),
    })
}

/// One more sequence, beside so many elements of others.
fn numbers(of: &[i64], elements: &mut u64) -> Result<Vec<i64>> {
    let [from, to, step @ ..] = of else { return exec_err!("sequence(from, to)") };
    let step = step.first().copied().unwrap_or(if from <= to { 1 } else { -1 });
    let wrong_way = step > 0 && from > to || step < 0 && from < to || step == 0 && from != to;
    if wrong_way {
        return exec_err!("sequence({from}, {to}, {step}) never ends");
    }
    let count = if step == 0 { 0 } else { to.saturating_sub(*from) / step };
    *elements = elements.saturating_add(count.unsigned_abs()).saturating_add(1);
    super::bounded::refuse("sequence", elements.saturating_mul(8), false)?;
    Ok((0..=count).map(|n| from + n * step).collect())
}

const REVERSE: &str = "reverse";

/// `concat` or `reverse`: functions of arrays that bear the names of those of texts.
#[derive(Debug, PartialEq, Eq, Hash)]
struct OfLists {
    name: &'static str,
    texts: Arc<ScalarUDF>,
    signature: Signature,
}

impl ScalarUDFImpl for OfLists {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, of: &[DataType]) -> Result<Vec<DataType>> {
        if !of.iter().any(|of| matches!(of, DataType::List(_))) {
            return Ok(vec![DataType::Utf8; of.len()]);
        }
        let common = of.iter().cloned().reduce(|a, b| comparison_coercion(&a, &b).unwrap_or(a));
        Ok(vec![common.unwrap_or(DataType::Null); of.len()])
    }

    fn return_type(&self, of: &[DataType]) -> Result<DataType> {
        Ok(match of.first() {
            Some(list @ DataType::List(_)) => list.clone(),
            _ => DataType::Utf8,
        })
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let of: Vec<DataType> = args.arg_fields.iter().map(|field| field.data_type().clone()).collect();
        Ok(Arc::new(Field::new(self.name, self.return_type(&of)?, true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        match args.return_field.data_type() {
            DataType::List(_) => {
                let columns =
                    args.args.iter().map(|arg| arg.to_array(args.number_rows)).collect::<Result<Vec<_>>>()?;
                Ok(ColumnarValue::Array(if self.name == REVERSE {
                    reversed(&columns)?
                } else {
                    joined(&columns)?
                }))
            }
            _ => self.texts.invoke_with_args(args)?.cast_to(&DataType::Utf8, None),
        }
    }
}
