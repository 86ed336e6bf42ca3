//! Elements of arrays, values of maps, fields of structs.

use super::function::function;
use arrow::buffer::NullBuffer;
use arrow::{
    array::{Array, ArrayRef, AsArray, Int32Array, ListArray, UInt32Array, make_comparator},
    compute::{SortOptions, take},
    datatypes::{DataType, Field, Int32Type},
};
use datafusion_common::{DFSchema, Result, exec_err, plan_err};
use datafusion_expr::{
    ColumnarValue, Expr, ExprSchemable, GetFieldAccess, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
    Signature, Volatility, lit, planner::RawFieldAccessExpr,
};
use std::{
    cmp::Ordering,
    sync::{Arc, LazyLock},
};

/// Where an element is counted from, and what happens when there is none.
#[derive(Clone, Copy)]
enum Count {
    /// From 0; none is an error.
    Zero,
    /// From 0; none is NULL.
    ZeroOrNull,
    /// From 1, or from the end; none is an error.
    One,
    /// From 1, or from the end; none is NULL.
    OneOrNull,
}

static SUBSCRIPT: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
    function("subscript(value, key)", value_and_key, element_type, |columns, _| element(columns, Count::Zero))
});

pub(super) fn functions() -> Vec<Arc<ScalarUDF>> {
    let int = |_: &[DataType]| DataType::Int32;
    vec![
        function("element_at(value, key)", value_and_key, element_type, |columns, _| {
            element(columns, Count::One)
        }),
        function("try_element_at(value, key)", value_and_key, element_type, |columns, _| {
            element(columns, Count::OneOrNull)
        }),
        function("get(array, index)", value_and_key, element_type, |columns, _| {
            element(columns, Count::ZeroOrNull)
        }),
        function("size(value)", one, int, |columns, _| size(columns)),
    ]
}

fn one(of: &[DataType]) -> Option<Vec<DataType>> {
    match of {
        [of @ (DataType::List(_) | DataType::Map(..) | DataType::Null)] => Some(vec![of.clone()]),
        _ => None,
    }
}

fn value_and_key(of: &[DataType]) -> Option<Vec<DataType>> {
    match of {
        [list @ DataType::List(_), key] if key.is_integer() || key.is_null() => {
            Some(vec![list.clone(), DataType::Int32])
        }
        [map @ DataType::Map(..), _] => {
            let (key, _) = entry(map)?;
            Some(vec![map.clone(), key])
        }
        _ => None,
    }
}

/// The types of a map's keys and values.
fn entry(of: &DataType) -> Option<(DataType, DataType)> {
    let DataType::Map(entries, _) = of else { return None };
    let DataType::Struct(fields) = entries.data_type() else { return None };
    let [key, value] = &fields[..] else { return None };
    Some((key.data_type().clone(), value.data_type().clone()))
}

fn element_type(of: &[DataType]) -> DataType {
    match of.first() {
        Some(DataType::List(item)) => item.data_type().clone(),
        Some(map) => entry(map).map_or(DataType::Null, |(_, value)| value),
        None => DataType::Null,
    }
}

fn element(columns: &[ArrayRef], count: Count) -> Result<ArrayRef> {
    let [values, keys] = columns else { return exec_err!("a value and a key are expected") };
    match values.data_type() {
        DataType::List(_) => of_list(values.as_list(), keys.as_primitive::<Int32Type>(), count),
        _ => of_map(values, keys),
    }
}

fn of_list(lists: &ListArray, keys: &Int32Array, count: Count) -> Result<ArrayRef> {
    let places = (0..lists.len()).map(|row| {
        if lists.is_null(row) || keys.is_null(row) {
            return Ok(None);
        }
        let length = lists.value_length(row);
        let start = lists.value_offsets().get(row).copied().unwrap_or_default();
        let at = place(keys.value(row), length, count)?;
        Ok(at.and_then(|at| u32::try_from(start + at).ok()))
    });
    Ok(take(lists.values(), &places.collect::<Result<UInt32Array>>()?, None)?)
}

/// The place of a key in a list of this length, from 0.
fn place(key: i32, length: i32, count: Count) -> Result<Option<i32>> {
    let at = match count {
        Count::Zero | Count::ZeroOrNull => key,
        Count::One | Count::OneOrNull if key == 0 => {
            return exec_err!("the first element is 1; there is none 0");
        }
        Count::One | Count::OneOrNull if key < 0 => length + key,
        Count::One | Count::OneOrNull => key - 1,
    };
    if (0..length).contains(&at) {
        return Ok(Some(at));
    }
    match count {
        Count::Zero => {
            exec_err!("there is no element [{key}] of an array of {length}; use get() to have NULL instead")
        }
        Count::One => exec_err!(
            "there is no element {key} of an array of {length}; use try_element_at() to have NULL instead"
        ),
        Count::ZeroOrNull | Count::OneOrNull => Ok(None),
    }
}

/// The value of each row's key; NULL if the map has none of it.
fn of_map(maps: &ArrayRef, keys: &ArrayRef) -> Result<ArrayRef> {
    let maps = maps.as_map();
    let compare = make_comparator(maps.keys(), keys, SortOptions::default())?;
    let places = (0..maps.len()).map(|row| {
        let (false, false, Some([start, end])) =
            (maps.is_null(row), keys.is_null(row), maps.value_offsets().get(row..row + 2))
        else {
            return None;
        };
        let found = (*start..*end)
            .find(|at| usize::try_from(*at).is_ok_and(|at| compare(at, row) == Ordering::Equal));
        found.and_then(|at| u32::try_from(at).ok())
    });
    Ok(take(maps.values(), &places.collect::<UInt32Array>(), None)?)
}

fn size(columns: &[ArrayRef]) -> Result<ArrayRef> {
    let [values] = columns else { return exec_err!("size(value)") };
    let length = |row: usize| match values.data_type() {
        DataType::List(_) => Some(values.as_list::<i32>().value_length(row)),
        DataType::Map(..) => Some(values.as_map().value_length(row)),
        _ => None,
    };
    let sizes = (0..values.len()).map(|row| values.is_valid(row).then(|| length(row))?);
    Ok(Arc::new(sizes.collect::<Int32Array>()))
}

/// `value[key]` and `value.name`.
pub(super) fn access(expr: RawFieldAccessExpr, schema: &DFSchema) -> Result<Expr> {
    let RawFieldAccessExpr { field_access, expr } = expr;
    match field_access {
        GetFieldAccess::NamedStructField { name } => {
            let of = expr.get_type(schema)?;
            named(expr, &of, name.try_as_str().flatten().unwrap_or_default())
        }
        GetFieldAccess::ListIndex { key } => match expr.get_type(schema)? {
            DataType::Struct(_) => plan_err!("a field of a struct has a name: value['name']"),
            _ => Ok(SUBSCRIPT.call(vec![expr, *key])),
        },
        GetFieldAccess::ListRange { .. } => plan_err!("a part of an array is slice(array, from, length)"),
    }
}

/// The field of a struct, in any case; the value of a map; the fields of an array's structs.
pub(super) fn named(of: Expr, data_type: &DataType, name: &str) -> Result<Expr> {
    let get_field = |of, name: &str| datafusion_functions::core::get_field().call(vec![of, lit(name)]);
    match data_type {
        DataType::Struct(fields) => match field(fields.iter(), name) {
            Some(field) => Ok(get_field(of, field.name())),
            None => {
                let names: Vec<&str> = fields.iter().map(|field| field.name().as_str()).collect();
                plan_err!("there is no field `{name}`; there are: {}", names.join(", "))
            }
        },
        DataType::Map(..) => Ok(SUBSCRIPT.call(vec![of, lit(name)])),
        DataType::List(item) => match item.data_type() {
            DataType::Struct(fields) if field(fields.iter(), name).is_some() => Ok(each(of, name)),
            _ => plan_err!("an array has no field `{name}`"),
        },
        other => plan_err!("{} has no field `{name}`", crate::sql::types::name_of(other)),
    }
}

/// The type of a field that is named.
pub(super) fn type_of_named(data_type: &DataType, name: &str) -> DataType {
    match data_type {
        DataType::Struct(fields) => {
            field(fields.iter(), name).map_or(DataType::Null, |field| field.data_type().clone())
        }
        DataType::List(item) => {
            DataType::List(Arc::new(Field::clone(item).with_data_type(type_of_named(item.data_type(), name))))
        }
        map => entry(map).map_or(DataType::Null, |(_, value)| value),
    }
}

/// One field of every struct of an array.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Each {
    name: String,
    signature: Signature,
}

fn each(of: Expr, name: &str) -> Expr {
    let signature = Signature::any(1, Volatility::Immutable);
    ScalarUDF::new_from_impl(Each { name: name.to_owned(), signature }).call(vec![of])
}

impl ScalarUDFImpl for Each {
    fn name(&self) -> &str {
        "field_of_each"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, of: &[DataType]) -> Result<DataType> {
        Ok(of.first().map_or(DataType::Null, |of| type_of_named(of, &self.name)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Some(lists) = args.args.first() else { return exec_err!("an array is expected") };
        let lists = lists.to_array(args.number_rows)?;
        let lists = lists.as_list::<i32>();
        let structs = lists.values().as_struct();
        let at = structs.fields().iter().position(|field| field.name().eq_ignore_ascii_case(&self.name));
        let (Some(at), DataType::List(item)) = (at, args.return_field.data_type()) else {
            return exec_err!("the structs have no field {}", self.name);
        };
        // Of a struct that is NULL every field is.
        let values = mask(structs.column(at), structs.nulls())?;
        let lists =
            ListArray::try_new(item.clone(), lists.offsets().clone(), values, lists.nulls().cloned())?;
        Ok(ColumnarValue::Array(Arc::new(lists)))
    }
}

fn mask(values: &ArrayRef, nulls: Option<&NullBuffer>) -> Result<ArrayRef> {
    let nulls = NullBuffer::union(values.nulls(), nulls);
    Ok(arrow::array::make_array(values.to_data().into_builder().nulls(nulls).build()?))
}

fn field<'f>(mut fields: impl Iterator<Item = &'f Arc<Field>>, name: &str) -> Option<&'f Arc<Field>> {
    fields.find(|field| field.name().eq_ignore_ascii_case(name))
}
