//! A function for each type of SQL, which gives its argument back.

/// The functions, named as the types: those over rows, then those of types that a row of the SDK does not have.
#[streamhost::functions]
#[allow(missing_docs, reason = "each is named as the type that it is of")]
pub mod echo {
    use streamhost::arrow::compute::take_rows;
    use streamhost::prelude::*;

    pub fn boolean(value: Option<bool>) -> Option<bool> {
        value
    }

    pub fn int8(value: Option<i8>) -> Option<i8> {
        value
    }

    pub fn int16(value: Option<i16>) -> Option<i16> {
        value
    }

    pub fn int32(value: Option<i32>) -> Option<i32> {
        value
    }

    pub fn int64(value: Option<i64>) -> Option<i64> {
        value
    }

    pub fn float32(value: Option<f32>) -> Option<f32> {
        value
    }

    pub fn float64(value: Option<f64>) -> Option<f64> {
        value
    }

    pub fn date32(value: Option<Date>) -> Option<Date> {
        value
    }

    pub fn timestamp_us_utc(value: Option<Timestamp>) -> Option<Timestamp> {
        value
    }

    pub fn utf8(value: Option<&str>) -> Option<&str> {
        value
    }

    pub fn binary(value: Option<&[u8]>) -> Option<&[u8]> {
        value
    }

    #[function(arguments = "value DECIMAL(38, 10)", returns = "DECIMAL(38, 10)")]
    pub fn decimal128(batch: &RecordBatch) -> Result<ArrayRef> {
        again(batch)
    }

    #[function(arguments = "value TIMESTAMP_NTZ", returns = "TIMESTAMP_NTZ")]
    pub fn timestamp_us(batch: &RecordBatch) -> Result<ArrayRef> {
        again(batch)
    }

    #[function(arguments = "value ARRAY<INT>", returns = "ARRAY<INT>")]
    pub fn list(batch: &RecordBatch) -> Result<ArrayRef> {
        again(batch)
    }

    #[function(arguments = "value ARRAY<STRING>", returns = "ARRAY<STRING>")]
    pub fn list_of_text(batch: &RecordBatch) -> Result<ArrayRef> {
        again(batch)
    }

    #[function(arguments = "value ARRAY<ARRAY<INT>>", returns = "ARRAY<ARRAY<INT>>")]
    pub fn list_of_lists(batch: &RecordBatch) -> Result<ArrayRef> {
        again(batch)
    }

    #[function(
        arguments = "value STRUCT<text: STRING, inner: STRUCT<n: BIGINT>>",
        returns = "STRUCT<text: STRING, inner: STRUCT<n: BIGINT>>"
    )]
    pub fn r#struct(batch: &RecordBatch) -> Result<ArrayRef> {
        again(batch)
    }

    #[function(arguments = "value MAP<STRING, BIGINT>", returns = "MAP<STRING, BIGINT>")]
    pub fn map(batch: &RecordBatch) -> Result<ArrayRef> {
        again(batch)
    }

    fn again(batch: &RecordBatch) -> Result<ArrayRef> {
        let column = batch.columns().first().ok_or_else(|| Error::invalid("there is no argument"))?;
        take_rows(column, &(0..batch.num_rows() as u32).collect::<Vec<_>>())
    }
}
