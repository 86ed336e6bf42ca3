//! Questions that `bind` asks of schemas, answered so that the reader knows what to change.

use std::sync::Arc;

use arrow_schema::{Schema, SchemaRef};

use crate::{Error, Result, ddl};

/// The columns of these names, in the input's order; all of them without names.
pub(crate) fn project(input: &Schema, reads: Option<&[String]>) -> Result<SchemaRef> {
    let Some(reads) = reads else { return Ok(Arc::new(input.clone())) };
    if let Some(missing) = reads.iter().find(|name| input.column_with_name(name).is_none()) {
        return Err(missing_column(missing, input));
    }
    let fields = input.fields().iter().filter(|field| reads.contains(field.name()));
    Ok(Arc::new(Schema::new(fields.cloned().collect::<Vec<_>>())))
}

pub(crate) fn missing_column(name: &str, input: &Schema) -> Error {
    Error::invalid(format!("the input has no column `{name}`; its columns are {}", ddl::print(input)))
}

pub(crate) fn names(schema: &Schema) -> Vec<String> {
    schema.fields().iter().map(|field| field.name().clone()).collect()
}

/// The same columns, each of which may be null: what an empty batch shows says nothing of later ones.
pub(crate) fn nullable(schema: &Schema) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// Whether the names and types are the same, in order.
pub(crate) fn alike(one: &Schema, other: &Schema) -> bool {
    let mut pairs = one.fields().iter().zip(other.fields());
    one.fields().len() == other.fields().len()
        && pairs.all(|(one, other)| one.name() == other.name() && one.data_type() == other.data_type())
}

/// That a batch has the names and types, in order, of the empty batch's output.
pub(crate) fn same_columns(bound: &Schema, given: &Schema) -> Result<()> {
    if alike(bound, given) {
        return Ok(());
    }
    Err(Error::permanent(format!(
        "the columns are {}, and were {} for an empty batch: they must not depend on the rows",
        ddl::print(given),
        ddl::print(bound)
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input() -> Schema {
        ddl::parse("user_id INT, event STRING, value DOUBLE").expect("a schema")
    }

    #[test]
    fn a_projection_keeps_the_order_of_the_input() {
        let reads = ["value".to_owned(), "user_id".to_owned()];
        let projected = project(&input(), Some(&reads)).expect("columns that exist");
        assert_eq!(names(&projected), ["user_id", "value"]);
    }

    #[test]
    fn a_missing_column_is_named_with_the_columns_there_are() {
        let error = project(&input(), Some(&["val".to_owned()])).expect_err("no such column");
        assert_eq!(
            error.to_string(),
            "the input has no column `val`; its columns are user_id INT, event STRING, value DOUBLE"
        );
    }

    #[test]
    fn columns_that_change_with_the_rows_are_refused() {
        let other = ddl::parse("user_id BIGINT").expect("a schema");
        let error = same_columns(&input(), &other).expect_err("other columns");
        assert!(error.to_string().starts_with("the columns are user_id BIGINT, and were user_id INT, "));
    }
}
