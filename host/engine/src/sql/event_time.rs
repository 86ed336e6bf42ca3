//! Which columns are event time: Spark marks the attribute, we the field. The mark goes wherever the column goes
//! unchanged, and from a time to the window made of it.

use arrow::datatypes::{DataType, Field, Schema};

/// The key of a field's metadata. Its value is how many milliseconds the watermark stays behind.
const DELAY: &str = "streamhost.watermark-delay-ms";

/// The schema with `column` marked as event time.
pub fn with_delay(schema: &Schema, column: &str, delay: i64) -> Schema {
    let fields = schema.fields().iter().map(|field| match field.name() == column {
        true => {
            let mut metadata = field.metadata().clone();
            metadata.insert(DELAY.to_owned(), delay.to_string());
            Field::clone(field).with_metadata(metadata)
        }
        false => Field::clone(field),
    });
    Schema::new_with_metadata(fields.collect::<Vec<_>>(), schema.metadata().clone())
}

/// The delay of a column that is event time. A cast to another type takes the mark along, but what comes of it is no time.
pub(crate) fn delay(field: &Field) -> Option<i64> {
    if !matches!(field.data_type(), DataType::Timestamp(..)) && !is_window(field.data_type()) {
        return None;
    }
    field.metadata().get(DELAY)?.parse().ok()
}

/// `field` marked as `of` is.
pub(crate) fn marked_as(field: Field, of: &Field) -> Field {
    match of.metadata().get(DELAY) {
        Some(delay) => field.with_metadata([(DELAY.to_owned(), delay.clone())].into()),
        None => field,
    }
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
