//! Rows that a plugin could not process, with what is known of the failure.

use crate::{
    load::{Description, Plugin},
    schema::assemble,
    text,
};
use arrow::{
    array::{ArrayRef, Int64Array, RecordBatch, StringArray},
    buffer::BooleanBuffer,
    compute::filter_record_batch,
    datatypes::{DataType, Field, Schema, SchemaRef},
    error::ArrowError,
};
use engine::{Batch, Epoch, Error, Result};
use std::sync::Arc;

/// The name of the side output.
pub const PORT: &str = "dead-letter";

/// What a dead letter has after the input's own columns: the plugin's name, version and digest, the epoch (BIGINT),
/// the row's place in its source as far as it is known, and what was wrong. All but `_epoch` are STRING.
pub const COLUMNS: [&str; 6] =
    ["_plugin", "_plugin_version", "_plugin_digest", "_epoch", "_position", "_error"];

/// What all letters of a step have in common.
pub(crate) struct Sender {
    pub(crate) plugin: String,
    pub(crate) version: String,
    pub(crate) digest: String,
}

/// The columns of a dead letter on a row of `input`.
pub(crate) fn schema(input: &SchemaRef) -> Result<SchemaRef> {
    if let Some(name) = COLUMNS.iter().find(|name| input.column_with_name(name).is_some()) {
        return Err(Error::invalid(format!(
            "its input has a column `{name}`, which dead letters add: rename that column in a step before"
        )));
    }
    let added = COLUMNS.iter().map(|name| {
        let kind = if *name == "_epoch" { DataType::Int64 } else { DataType::Utf8 };
        Arc::new(Field::new(*name, kind, false))
    });
    let fields: Vec<_> = input.fields().iter().cloned().chain(added).collect();
    Ok(Arc::new(Schema::new(fields)))
}

impl Sender {
    pub(crate) fn of(plugin: &Plugin) -> Self {
        let Description { name, version, .. } = plugin.description();
        Sender { plugin: name.clone(), version: version.clone(), digest: plugin.digest().to_owned() }
    }

    /// The rows of `batch` whose bit is set, each with its own reason.
    pub(crate) fn letters(
        &self,
        schema: &SchemaRef,
        batch: &Batch,
        bits: BooleanBuffer,
        reasons: &[&str],
        epoch: Epoch,
    ) -> Result<Batch> {
        let origin = batch.origin.keep(&bits);
        let rows = bits.count_set_bits();
        let positions = (0..rows).map(|row| origin.position(row).to_string());
        let failing = filter_record_batch(&batch.rows, &bits.into()).map_err(failed)?;
        Ok(Batch { rows: self.letters_of(schema, &failing, positions, reasons, epoch)?, origin })
    }

    /// These rows, each with where it was and with its own reason.
    pub(crate) fn letters_of(
        &self,
        schema: &SchemaRef,
        rows: &RecordBatch,
        positions: impl IntoIterator<Item = String>,
        reasons: &[&str],
        epoch: Epoch,
    ) -> Result<RecordBatch> {
        let count = rows.num_rows();
        let same =
            |text: &str| -> ArrayRef { Arc::new(StringArray::from_iter_values((0..count).map(|_| text))) };
        let added: [ArrayRef; 6] = [
            same(&self.plugin),
            same(&self.version),
            same(&self.digest),
            Arc::new(Int64Array::from_value(epoch.0 as i64, count)),
            Arc::new(StringArray::from_iter_values(positions)),
            Arc::new(StringArray::from_iter_values(
                reasons.iter().map(|why| text::shown(why, text::MESSAGE)),
            )),
        ];
        let columns = rows.columns().iter().cloned().chain(added).collect();
        assemble(schema, columns, count).map_err(failed)
    }
}

fn failed(error: ArrowError) -> Error {
    Error::internal("making dead letters").caused_by(error)
}
