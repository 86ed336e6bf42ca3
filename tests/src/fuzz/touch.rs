use arrow::{
    array::{Array, BooleanArray, RecordBatch},
    compute::{concat_batches, filter_record_batch},
    datatypes::SchemaRef,
    error::ArrowError,
    ipc::writer::StreamWriter,
    util::display::{ArrayFormatter, FormatOptions},
};
use parquet::{arrow::ArrowWriter, errors::ParquetError};
use plugin::ipc::{Decoder, Encoder};

/// Does with batches whatever a pipeline may do with them.
///
/// An error is fine, as not every type can be written everywhere; a panic is not, nor a batch that changes when it
/// crosses again.
pub(super) fn all(schema: &SchemaRef, batches: &[RecordBatch]) -> Result<(), String> {
    for batch in batches {
        format(batch);
        filter(batch)?;
        cross_again(batch)?;
    }
    concat_batches(schema, batches).map_err(|e| format!("concatenating: {e}"))?;
    let _unwritable: Result<(), ArrowError> = write_ipc(schema, batches);
    let _unwritable: Result<(), ParquetError> = write_parquet(schema, batches);
    Ok(())
}

/// A date or a time of a guest may be one that no calendar has: the formatter then answers with an error.
fn format(batch: &RecordBatch) {
    let options = FormatOptions::new();
    for column in batch.columns() {
        let Ok(formatter) = ArrayFormatter::try_new(column.as_ref(), &options) else { continue };
        for row in 0..column.len() {
            let _impossible = formatter.value(row).try_to_string();
        }
    }
}

fn filter(batch: &RecordBatch) -> Result<(), String> {
    let odd: BooleanArray = (0..batch.num_rows()).map(|row| Some(row % 2 == 1)).collect();
    let kept = filter_record_batch(batch, &odd).map_err(|e| format!("filtering: {e}"))?;
    format(&kept.slice(kept.num_rows() / 2, kept.num_rows() - kept.num_rows() / 2));
    Ok(())
}

fn cross_again(batch: &RecordBatch) -> Result<(), String> {
    let mut encoder = Encoder::new(&batch.schema()).map_err(|e| e.report())?;
    if *encoder.schema() != batch.schema() {
        return encoder.encode(batch).map(drop).or(Ok(()));
    }
    let message = encoder.encode(batch).map_err(|e| e.report())?;
    let decoder = Decoder::new(batch.schema()).map_err(|e| e.report())?;
    let again = decoder.decode(message, super::CAPS).map_err(|e| e.report())?;
    if again != [batch.clone()] {
        return Err(format!("a batch changed when it crossed again: {batch:?} became {again:?}"));
    }
    Ok(())
}

fn write_ipc(schema: &SchemaRef, batches: &[RecordBatch]) -> Result<(), ArrowError> {
    let mut writer = StreamWriter::try_new(Vec::new(), schema)?;
    batches.iter().try_for_each(|batch| writer.write(batch))?;
    writer.finish()
}

fn write_parquet(schema: &SchemaRef, batches: &[RecordBatch]) -> Result<(), ParquetError> {
    let mut writer = ArrowWriter::try_new(Vec::new(), schema.clone(), None)?;
    batches.iter().try_for_each(|batch| writer.write(batch))?;
    writer.close().map(drop)
}
