//! Rows by the table that a column of theirs names.

use super::{
    cells::{misfit, shown},
    database::TableName,
};
use arrow::{
    array::{Array, AsArray, BooleanArray, RecordBatch},
    compute::{cast, filter_record_batch},
    datatypes::DataType,
};
use engine::{Error, Result};
use std::collections::BTreeSet;

/// Tables of this sort are not for rows.
const OURS: &str = "streamhost_";

/// The rows for each table that `column` names, in their order, without that column. A name has at most `longest` bytes.
pub(super) fn split(
    rows: &RecordBatch,
    column: &str,
    longest: usize,
) -> Result<Vec<(TableName, RecordBatch)>> {
    let failed = |e| Error::internal("dividing rows by table").caused_by(e);
    let index = rows.schema().index_of(column).map_err(failed)?;
    let names = cast(rows.column(index), &DataType::Utf8).map_err(failed)?;
    let names = names.as_string::<i32>();
    if names.null_count() > 0 {
        return Err(misfit(
            column,
            "NULL, which names no table; leave such rows out in a step before, or give them a name",
        ));
    }
    let others: Vec<usize> = (0..rows.num_columns()).filter(|other| *other != index).collect();
    let rows = rows.project(&others).map_err(failed)?;
    let distinct: BTreeSet<&str> = names.iter().flatten().collect();
    let mut parts = Vec::with_capacity(distinct.len());
    for name in distinct {
        let table = table(name, longest)
            .map_err(|why| misfit(column, &format!("{}, {why}; change it in a step before", shown(name))))?;
        let mine: BooleanArray = names.iter().map(|of| Some(of == Some(name))).collect();
        parts.push((table, filter_record_batch(&rows, &mine).map_err(failed)?));
    }
    Ok(parts)
}

/// A name from the data is that of a table, and of no schema and no table of ours.
fn table(name: &str, longest: usize) -> Result<TableName, &'static str> {
    match name {
        name if name.is_empty() || name.contains('\0') => Err("which names no table"),
        name if name.len() > longest => Err("which is longer than the name of a table may be"),
        name if name.to_lowercase().starts_with(OURS) => {
            Err("which is the name of a table of streamhost's own")
        }
        name => Ok(TableName::plain(name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, Date32Array, Int32Array, StringArray};
    use std::sync::Arc;

    fn rows(names: ArrayRef) -> RecordBatch {
        let numbers: ArrayRef = Arc::new(Int32Array::from_iter_values(0..names.len() as i32));
        RecordBatch::try_from_iter([("name", names), ("n", numbers)]).unwrap()
    }

    #[test]
    fn each_table_gets_its_rows_in_order_and_without_its_name() {
        let parts = split(&rows(Arc::new(Date32Array::from(vec![1, 0, 1]))), "name", 63).unwrap();
        let shown: Vec<(String, String)> =
            parts.iter().map(|(table, rows)| (table.to_string(), format!("{:?}", rows.column(0)))).collect();
        assert_eq!((shown.len(), shown[0].0.as_str(), shown[1].0.as_str()), (2, "1970-01-01", "1970-01-02"));
        assert_eq!(parts[1].1.column(0).as_primitive::<arrow::datatypes::Int32Type>().values(), &[0, 2]);
    }

    #[test]
    fn data_does_not_name_tables_of_ours_nor_none() {
        for (name, says) in [
            (Some("streamhost_epochs"), "of streamhost's own"),
            (Some("Streamhost_Epochs"), "of streamhost's own"),
            (Some(""), "names no table"),
            (Some(&*"x".repeat(64)), "longer than the name"),
            (None, "NULL, which names no table"),
        ] {
            let error = split(&rows(Arc::new(StringArray::from(vec![name]))), "name", 63).unwrap_err();
            assert!(
                error.kind() == engine::Kind::Data && error.report().contains(says),
                "{}",
                error.report()
            );
        }
        let parts = split(&rows(Arc::new(StringArray::from(vec!["a.b\"; DROP"]))), "name", 63).unwrap();
        assert_eq!(parts[0].0, TableName { schema: None, name: "a.b\"; DROP".into() });
    }
}
