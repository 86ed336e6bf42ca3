//! Which columns are event time: Spark marks the attribute, we the field. The mark goes wherever the column goes
//! unchanged, and from a time to the window made of it.

use arrow::datatypes::{DataType, Field, Schema};

/// The key of a field's metadata that says it is event time. A union keeps what is the same in all of its parts.
const EVENT_TIME: &str = "streamhost.event-time";
/// The key of how many milliseconds the watermark stays behind.
const DELAY: &str = "streamhost.watermark-delay-ms";

/// The schema with `column` marked as event time.
pub fn with_delay(schema: &Schema, column: &str, delay: i64) -> Schema {
    let fields = schema.fields().iter().map(|field| match field.name() == column {
        true => {
            let mut metadata = field.metadata().clone();
            metadata.insert(EVENT_TIME.to_owned(), "true".to_owned());
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
    is_time(field.data_type()) && field.metadata().contains_key(EVENT_TIME)
}

/// The delay of a column that is event time; none behind a union of several.
pub(crate) fn delay(field: &Field) -> Option<i64> {
    is_time(field.data_type()).then(|| field.metadata().get(DELAY)?.parse().ok()).flatten()
}

fn is_time(of: &DataType) -> bool {
    matches!(of, DataType::Timestamp(..)) || is_window(of)
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
