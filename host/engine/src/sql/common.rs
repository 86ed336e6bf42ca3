//! The one type of values that stand beside each other: what Spark's ANSI mode finds for the branches of a `CASE`, the columns
//! of a union, what is looked for in a list.

use super::{
    event_time::{is_event_time, no_event_time},
    types::{name_of, timestamp},
};
use arrow::datatypes::{DataType, Field, FieldRef, Fields, TimeUnit};
use datafusion_common::{
    Column, DFSchema, Result, metadata::FieldMetadata, plan_err, tree_node::Transformed,
};
use datafusion_expr::{Expr, ExprSchemable, LogicalPlan, Projection, Union, cast};
use std::sync::Arc;

/// The type that values of all these types are given; none if some have nothing in common.
pub(super) fn common_type<'a>(of: impl IntoIterator<Item = &'a DataType>) -> Option<DataType> {
    of.into_iter().map(plain_type).try_fold(DataType::Null, |all, of| wider(&all, &of))
}

/// The type that Spark has for one of Arrow's that it has not.
pub(super) fn plain_type(of: &DataType) -> DataType {
    match of {
        DataType::Utf8View | DataType::LargeUtf8 => DataType::Utf8,
        DataType::BinaryView | DataType::LargeBinary => DataType::Binary,
        DataType::UInt64 | DataType::UInt32 => DataType::Int64,
        DataType::List(item) | DataType::LargeList(item) => match plain_type(item.data_type()) {
            plain if matches!(of, DataType::List(_)) && plain == *item.data_type() => of.clone(),
            plain => DataType::List(Arc::new(Field::clone(item).with_data_type(plain))),
        },
        of => of.clone(),
    }
}

fn wider(one: &DataType, other: &DataType) -> Option<DataType> {
    use DataType::*;
    Some(match (one, other) {
        (one, other) if one == other => one.clone(),
        (Null, of) | (of, Null) => of.clone(),
        (Utf8, of) | (of, Utf8) => beside_text(of)?,
        (Decimal128(p, s), Decimal128(q, t)) => wider_decimal((*p, *s), (*q, *t)),
        (Decimal128(..), of) | (of, Decimal128(..)) if of.is_floating() => Float64,
        (decimal @ Decimal128(..), of) | (of, decimal @ Decimal128(..)) => {
            wider(decimal, &super::functions::as_decimal(whole(of)?))?
        }
        (Float64, of) | (of, Float64) if of.is_numeric() => Float64,
        // A whole number may have more digits than a FLOAT can tell apart.
        (Float32, of) | (of, Float32) if of.is_integer() => Float64,
        (one, other) if one.is_integer() && other.is_integer() => {
            if one.primitive_width() < other.primitive_width() { other.clone() } else { one.clone() }
        }
        (Timestamp(_, None), Timestamp(_, None)) => Timestamp(TimeUnit::Microsecond, None),
        (Timestamp(..), Timestamp(_, Some(_))) | (Timestamp(_, Some(_)), Timestamp(..) | Date32) => {
            timestamp()
        }
        (Date32, time @ Timestamp(..)) | (time @ Timestamp(..), Date32) => match time {
            Timestamp(_, Some(_)) => timestamp(),
            _ => Timestamp(TimeUnit::Microsecond, None),
        },
        (List(one), List(other)) => List(common_field(one, other)?),
        (Map(one, _), Map(other, _)) => Map(common_field(one, other)?, false),
        (Struct(one), Struct(other)) => Struct(common_fields(one, other)?),
        _ => return None,
    })
}

/// Beside a number a text is one, beside anything else that has no parts it is that.
pub(super) fn beside_text(of: &DataType) -> Option<DataType> {
    Some(match of {
        of if of.is_integer() => DataType::Int64,
        of if of.is_numeric() => DataType::Float64,
        of if of.is_nested() => return None,
        of => of.clone(),
    })
}

fn whole(of: &DataType) -> Option<&DataType> {
    of.is_integer().then_some(of)
}

/// All digits of both; where these are more than 38, fewer behind the point.
fn wider_decimal((p, s): (u8, i8), (q, t): (u8, i8)) -> DataType {
    let before = (i16::from(p) - i16::from(s)).max(i16::from(q) - i16::from(t));
    let scale = i16::from(s.max(t));
    let too_many = (before + scale - 38).max(0);
    let digits = (before + scale).min(38);
    DataType::Decimal128(digits as u8, (scale - too_many).max(0) as i8)
}

fn common_field(one: &FieldRef, other: &FieldRef) -> Option<FieldRef> {
    let of = wider(&plain_type(one.data_type()), &plain_type(other.data_type()))?;
    let nullable = one.is_nullable() || other.is_nullable();
    Some(Arc::new(Field::clone(one).with_data_type(of).with_nullable(nullable)))
}

fn common_fields(one: &Fields, other: &Fields) -> Option<Fields> {
    let alike = |one: &Field, other: &Field| one.name().eq_ignore_ascii_case(other.name());
    if one.len() != other.len() {
        return None;
    }
    one.iter().zip(other).map(|(one, other)| alike(one, other).then(|| common_field(one, other))?).collect()
}

/// Casts to their common type what an expression compares, or gives one of.
pub(super) fn alike(mut expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let mut changed = false;
    let strict = matches!(expr, Expr::Case(_));
    for beside in operands(&mut expr) {
        let of: Result<Vec<DataType>> = beside.iter().map(|of| of.get_type(schema)).collect();
        // What has no type here names the variable of a lambda.
        let Ok(of) = of else { continue };
        let common = match common_type(&of) {
            Some(common) => common,
            None if strict => return plan_err!("CASE: {}", nothing_in_common(&of)),
            None => continue,
        };
        for (value, of) in beside.into_iter().zip(of) {
            if of != common && (strict || !of.is_null()) {
                *value = cast(std::mem::take(value), common.clone());
                changed = true;
            }
        }
    }
    changed |= doubles(&mut expr, schema) || liked(&mut expr, schema);
    Ok(if changed { Transformed::yes(expr) } else { Transformed::no(expr) })
}

/// What is wrong with values of types that have no common one.
pub(super) fn nothing_in_common(of: &[DataType]) -> String {
    let mut names: Vec<String> = of.iter().map(name_of).collect();
    names.dedup();
    format!("values of types {} cannot stand for each other; cast them to one type", names.join(", "))
}

/// Beside a double a decimal is one, as a number that is written down, `1.5`, is a decimal.
fn doubles(expr: &mut Expr, schema: &DFSchema) -> bool {
    let Expr::BinaryExpr(binary) = expr else { return false };
    let (Ok(left), Ok(right)) = (binary.left.get_type(schema), binary.right.get_type(schema)) else {
        return false;
    };
    let decimal: &mut Expr = match (left, right) {
        (left, right) if left.is_floating() && right.is_decimal() => &mut binary.right,
        (left, right) if left.is_decimal() && right.is_floating() => &mut binary.left,
        _ => return false,
    };
    *decimal = cast(std::mem::take(decimal), DataType::Float64);
    true
}

/// What is like a pattern is a text, or printed as one.
fn liked(expr: &mut Expr, schema: &DFSchema) -> bool {
    let Expr::Like(like) = expr else { return false };
    let printed =
        like.expr.get_type(schema).is_ok_and(|of| !of.is_string() && !of.is_null() && !of.is_nested());
    if printed {
        *like.expr = cast(std::mem::take(&mut *like.expr), DataType::Utf8);
    }
    printed
}

fn operands(expr: &mut Expr) -> Vec<Vec<&mut Expr>> {
    match expr {
        Expr::Between(between) => vec![vec![&mut between.expr, &mut between.low, &mut between.high]],
        Expr::InList(list) => {
            let of: &mut Expr = &mut list.expr;
            vec![[of].into_iter().chain(&mut list.list).collect()]
        }
        Expr::Case(case) => {
            let (when, then): (Vec<_>, Vec<_>) =
                case.when_then_expr.iter_mut().map(|(when, then)| (when.as_mut(), then.as_mut())).unzip();
            let compared = case.expr.as_deref_mut().map(|of| [of].into_iter().chain(when).collect());
            let given = then.into_iter().chain(case.else_expr.as_deref_mut()).collect();
            compared.into_iter().chain([given]).collect()
        }
        _ => Vec::new(),
    }
}

/// A union whose inputs have columns of the same types.
pub(super) fn union(plan: LogicalPlan) -> Result<LogicalPlan> {
    let LogicalPlan::Union(union) = plan else { return Ok(plan) };
    let Some(first) = union.inputs.first().cloned() else { return Ok(LogicalPlan::Union(union)) };
    let mut types = Vec::new();
    for (at, field) in first.schema().fields().iter().enumerate() {
        let of: Vec<DataType> = union.inputs.iter().filter_map(|input| column_type(input, at)).collect();
        match common_type(&of) {
            Some(common) => types.push(common),
            None => return plan_err!("UNION: column `{}`: {}", field.name(), nothing_in_common(&of)),
        }
    }
    let inputs = union.inputs.into_iter().map(|input| with_types(input, &types, first.schema()));
    let inputs = inputs.collect::<Result<Vec<_>>>()?;
    Ok(LogicalPlan::Union(Union::try_new_with_loose_types(inputs)?))
}

fn column_type(input: &LogicalPlan, at: usize) -> Option<DataType> {
    input.schema().fields().get(at).map(|field| field.data_type().clone())
}

/// The rows with columns of these types. As in Spark, a union's first input says which of its columns are event time: a date
/// that becomes a time beside one is one too, and what is one in another input alone is none.
fn with_types(input: Arc<LogicalPlan>, types: &[DataType], first: &DFSchema) -> Result<Arc<LogicalPlan>> {
    let mut changed = false;
    let columns =
        input.schema().iter().zip(types).zip(first.fields()).map(|(((table, field), of), first)| {
            let column = Expr::Column(Column::from((table, field)));
            let marks = marks(field, of, first);
            if field.data_type() == of && marks.is_none() {
                return column;
            }
            changed = true;
            let column = if field.data_type() == of { column } else { cast(column, of.clone()) };
            column.alias_qualified_with_metadata(table.cloned(), field.name(), marks)
        });
    let columns = columns.collect();
    if !changed {
        return Ok(input);
    }
    Ok(Arc::new(LogicalPlan::Projection(Projection::try_new(columns, input)?)))
}

/// The marks that a column of type `of` gets, if its own are not right beside the first input's.
fn marks(field: &FieldRef, of: &DataType, first: &FieldRef) -> Option<FieldMetadata> {
    let retyped = Field::clone(field).with_data_type(of.clone());
    match (is_event_time(first), is_event_time(&retyped)) {
        (true, false) => Some(FieldMetadata::from(first.as_ref())),
        (true, true) if field.data_type() != of => Some(FieldMetadata::from(first.as_ref())),
        (false, true) => Some(no_event_time()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::{Catalog, Sql, with_delay};
    use arrow::datatypes::Schema;

    #[test]
    fn numbers_have_the_type_that_holds_both() {
        use DataType::*;
        for (one, other, both) in [
            (Int32, Int64, Some(Int64)),
            (Int8, Int16, Some(Int16)),
            (Int64, Float32, Some(Float64)),
            (Float32, Float64, Some(Float64)),
            (Decimal128(2, 1), Float64, Some(Float64)),
            (Decimal128(2, 1), Int32, Some(Decimal128(11, 1))),
            (Decimal128(38, 10), Decimal128(38, 0), Some(Decimal128(38, 0))),
            (Int32, Boolean, None),
        ] {
            assert_eq!(common_type([&one, &other]), both, "{one} {other}");
            assert_eq!(common_type([&other, &one]), both, "{other} {one}");
        }
    }

    #[test]
    fn a_text_is_what_stands_beside_it_and_a_date_is_a_time_beside_one() {
        use DataType::*;
        let clock = Timestamp(TimeUnit::Microsecond, None);
        for (one, other, both) in [
            (Utf8View, Int32, Some(Int64)),
            (Utf8, Decimal128(3, 1), Some(Float64)),
            (Utf8, Boolean, Some(Boolean)),
            (Utf8, Date32, Some(Date32)),
            (Date32, timestamp(), Some(timestamp())),
            (Date32, clock.clone(), Some(clock.clone())),
            (clock, timestamp(), Some(timestamp())),
            (Date32, Int32, None),
        ] {
            assert_eq!(common_type([&one, &other]), both, "{one} {other}");
            assert_eq!(common_type([&other, &one]), both, "{other} {one}");
        }
    }

    #[test]
    fn a_date_beside_an_event_time_in_a_union_is_event_time_as_well() {
        let of = |sql: &str| {
            let fields = vec![Field::new("t", timestamp(), true), Field::new("x", DataType::Float64, true)];
            let schema = with_delay(&Schema::new(fields), "t", 1000);
            let catalog = Catalog::new([("rows".to_owned(), Arc::new(schema))].into(), "Asia/Tokyo");
            Sql::parse(sql).unwrap().plan(Arc::new(catalog)).unwrap().schema()
        };
        let schema = of("SELECT t, x FROM rows UNION ALL SELECT CAST(t AS DATE), 1.5 FROM rows");
        let types: Vec<&DataType> = schema.fields().iter().map(|field| field.data_type()).collect();
        assert_eq!(types, [&timestamp(), &DataType::Float64]);
        assert!(is_event_time(schema.field(0)));
        let schema = of("SELECT CAST(t AS DATE) AS t FROM rows UNION ALL SELECT t FROM rows");
        assert_eq!((schema.field(0).data_type(), is_event_time(schema.field(0))), (&timestamp(), false));
    }

    #[test]
    fn the_first_input_of_a_union_says_what_is_event_time() {
        let of = |sql: &str| {
            let plain = Schema::new(vec![Field::new("t", timestamp(), true)]);
            let tables = [
                ("plain".to_owned(), Arc::new(plain.clone())),
                ("one".to_owned(), Arc::new(with_delay(&plain, "t", 1000))),
                ("other".to_owned(), Arc::new(with_delay(&plain, "t", 2000))),
            ];
            let planned =
                Sql::parse(sql).unwrap().plan(Arc::new(Catalog::new(tables.into(), "UTC"))).unwrap();
            is_event_time(planned.schema().field(0))
        };
        for (inputs, is) in [
            (["plain", "one", "one"], false),
            (["plain", "plain", "one"], false),
            (["one", "plain", "plain"], true),
            (["one", "other", "plain"], true),
            (["other", "one", "one"], true),
        ] {
            let all = inputs.map(|table| format!("SELECT t FROM {table}")).join(" UNION ALL ");
            assert_eq!(of(&all), is, "{all}");
            assert_eq!(of(&format!("SELECT t AS x FROM ({all})")), is, "{all}");
        }
    }
}
