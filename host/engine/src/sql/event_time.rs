//! Which columns are event time: Spark marks the attribute, we the field. The mark goes wherever the column goes
//! unchanged, and from a time to the window made of it.

use super::expression::text;
use arrow::datatypes::{DataType, Field, Schema};
use datafusion_common::{DFSchema, ExprSchema, metadata::FieldMetadata};
use datafusion_expr::{Expr, ExprSchemable, LogicalPlan, logical_plan::Aggregate};
use std::collections::BTreeMap;

/// The key of a field's metadata that says it is event time. A union keeps what is the same in all of its parts.
const EVENT_TIME: &str = "streamhost.event-time";
/// The mark of a column that is event time. In a union another one may hide it.
const YES: &str = "true";
/// The key of how many milliseconds the watermark stays behind.
const DELAY: &str = "streamhost.watermark-delay-ms";

/// The schema with `column` marked as event time.
pub fn with_delay(schema: &Schema, column: &str, delay: i64) -> Schema {
    let fields = schema.fields().iter().map(|field| match field.name() == column {
        true => {
            let mut metadata = field.metadata().clone();
            metadata.insert(EVENT_TIME.to_owned(), YES.to_owned());
            metadata.insert(DELAY.to_owned(), delay.to_string());
            Field::clone(field).with_metadata(metadata)
        }
        false => Field::clone(field),
    });
    Schema::new_with_metadata(fields.collect::<Vec<_>>(), schema.metadata().clone())
}

/// Whether a column is event time, with a watermark. A cast to another type takes the mark along, but what comes of it is no
/// time.
pub(crate) fn is_event_time(field: &Field) -> bool {
    is_time(field.data_type()) && field.metadata().get(EVENT_TIME).is_some_and(|is| is == YES)
}

/// The delay of a column that is event time; none behind a union of several.
pub(crate) fn delay(field: &Field) -> Option<i64> {
    is_time(field.data_type()).then(|| field.metadata().get(DELAY)?.parse().ok()).flatten()
}

fn is_time(of: &DataType) -> bool {
    matches!(of, DataType::Timestamp(..)) || is_window(of)
}

/// What is put over the mark of a column that is event time, and is not to be one any more.
pub(super) fn no_event_time() -> FieldMetadata {
    let marks = [(EVENT_TIME, "false"), (DELAY, "")].map(|(key, value)| (key.to_owned(), value.to_owned()));
    FieldMetadata::from(BTreeMap::from(marks))
}

/// What is grouped by, or what that is made of, and was event time before something was done to it.
pub(super) fn lost(aggregate: &Aggregate) -> Option<String> {
    let keys = aggregate.group_expr.iter().find_map(|key| lost_in(key, aggregate.input.schema()));
    keys.or_else(|| lost_below(&aggregate.input))
}

fn lost_below(plan: &LogicalPlan) -> Option<String> {
    if let LogicalPlan::Projection(projection) = plan {
        let schema = projection.input.schema();
        let lost = projection.expr.iter().find_map(|expr| lost_in(expr, schema));
        if lost.is_some() {
            return lost;
        }
    }
    plan.inputs().into_iter().find_map(lost_below)
}

/// A time that is worked out from an event time and is none, if `expr` has one.
fn lost_in(expr: &Expr, schema: &DFSchema) -> Option<String> {
    match expr {
        Expr::Alias(alias) => lost_in(&alias.expr, schema),
        // Of a window the time is what counts.
        Expr::ScalarFunction(call) if call.args.first().is_some_and(|time| is_lost(time, schema)) => {
            call.args.first().map(text)
        }
        expr if is_lost(expr, schema) => Some(text(expr)),
        _ => None,
    }
}

fn is_lost(expr: &Expr, schema: &DFSchema) -> bool {
    let Ok((_, field)) = expr.to_field(schema) else { return false };
    if !is_time(field.data_type()) || is_event_time(&field) {
        return false;
    }
    expr.column_refs()
        .iter()
        .any(|column| schema.field_from_column(column).is_ok_and(|field| is_event_time(field)))
}

/// `field` marked as `of` is.
pub(crate) fn marked_as(field: Field, of: &Field) -> Field {
    let marks = of.metadata().iter().filter(|(key, _)| [EVENT_TIME, DELAY].contains(&key.as_str()));
    let marks = marks.map(|(key, value)| (key.clone(), value.clone())).collect();
    field.with_metadata(marks)
}

/// Whether a type is that of a window: a struct of its start and its end.
pub(crate) fn is_window(of: &DataType) -> bool {
    match of {
        DataType::Struct(fields) => match fields.as_ref() {
            [start, end] => {
                (start.name().as_str(), end.name().as_str()) == ("start", "end")
                    && [start, end].iter().all(|f| matches!(f.data_type(), DataType::Timestamp(..)))
            }
            _ => false,
        },
        _ => false,
    }
}
