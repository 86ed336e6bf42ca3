//! Rows that are given as text and not read from a place: JSON lines, by the decoder that reads files, so that they mean
//! what they mean there; but BINARY, which is for people to read, is hexadecimal digits.

use crate::{
    formats::{
        ddl,
        infer::{LineSampler, Shape, extended},
        json::decode::{Binary, JsonRow},
        lines::lines,
        rows::{LineFormat, LinePlace, RowDecoder, RowRules, Tally},
    },
    source::{OnBadData, SchemaOption, SourceOptions},
};
use arrow::{
    array::{AsArray, RecordBatch},
    compute::concat_batches,
    datatypes::{DataType, Field, Schema, SchemaRef},
};
use engine::{Error, Result, Wanted};
use jiff::tz::TimeZone;
use std::sync::Arc;

/// The columns of a source whose rows are `rows`: those that its DDL names, or else those that the rows have. If the
/// source evolves, the latter come behind the former. [`engine::Kind::Invalid`] if the DDL cannot be read.
pub fn columns(rows: &str, options: &SourceOptions) -> Result<Schema> {
    let schema = match &options.schema {
        Some(SchemaOption::Ddl(text)) => {
            let named = ddl::parse(text)?;
            let found = options.evolve.then(|| extended(&named, &inferred(rows))).flatten();
            found.unwrap_or(named)
        }
        Some(SchemaOption::Infer) | None => inferred(rows),
    };
    Ok(options.complete(&schema))
}

fn inferred(rows: &str) -> Schema {
    let (mut sampler, mut shape) = (LineSampler::json(), Shape::default());
    lines(rows.as_bytes()).for_each(|line| sampler.see(line, &mut shape));
    shape.schema()
}

/// `rows` as a source with these `options` reads them: what does not fit is NULL, left out or an error of kind
/// [`engine::Kind::Data`], as its `on-bad-data` says.
pub fn read(rows: &str, schema: &SchemaRef, options: &SourceOptions) -> Result<RecordBatch> {
    decode(
        rows,
        RowRules {
            schema: schema.clone(),
            on_bad_data: options.on_bad_data,
            rescue: options.rescue.clone(),
            time_zone: options.time_zone.clone(),
            tally: Tally::default(),
            wanted: Wanted::All,
        },
    )
}

/// `rows` of which every value must have a column and fit it; else the error, of kind [`engine::Kind::Data`], shows which
/// does not. `zone` is that of times that name none.
pub fn exact(rows: &str, schema: &SchemaRef, zone: &TimeZone) -> Result<RecordBatch> {
    const UNFIT: &str = "_unfit";
    let unfit = Arc::new(Field::new(UNFIT, DataType::Utf8, true));
    let rules = RowRules {
        schema: Arc::new(Schema::new(schema.fields().iter().cloned().chain([unfit]).collect::<Vec<_>>())),
        on_bad_data: OnBadData::Fail,
        rescue: Some(UNFIT.into()),
        time_zone: zone.clone(),
        tally: Tally::default(),
        wanted: Wanted::All,
    };
    let read = decode(rows, rules)?;
    refuse_unfit(&read, UNFIT)?;
    let columns: Vec<usize> = (0..schema.fields().len()).collect();
    read.project(&columns).map_err(|e| Error::internal("leaving a column out").caused_by(e))
}

fn refuse_unfit(rows: &RecordBatch, column: &str) -> Result<()> {
    let unfit = rows.column_by_name(column).and_then(|c| c.as_string_opt::<i32>());
    match unfit.and_then(|texts| texts.iter().flatten().next()) {
        None => Ok(()),
        Some(text) => Err(Error::data(format!("there is no column for {text}, or its type is another"))),
    }
}

fn decode(rows: &str, rules: RowRules) -> Result<RecordBatch> {
    let schema = rules.schema.clone();
    let mut decoder = RowDecoder::new(LineFormat::Json(JsonRow::with(Binary::Hex)), rules)?;
    let mut place = LinePlace { of: "rows".into(), next: 1 };
    let mut batches = Vec::new();
    let mut keep = |batch: engine::Batch| {
        batches.push(batch.rows);
        Ok(())
    };
    decoder.block(rows.as_bytes(), &mut place, &mut keep)?;
    batches.extend(decoder.flush(&mut place)?.map(|batch| batch.rows));
    concat_batches(&schema, &batches).map_err(|e| Error::internal("joining given rows").caused_by(e))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::datatypes::{Int32Type, TimestampMicrosecondType};

    fn schema(text: &str) -> SchemaRef {
        Arc::new(ddl::parse(text).unwrap())
    }

    fn options(text: &str) -> SourceOptions {
        SourceOptions { schema: Some(text.to_owned().into()), ..SourceOptions::default() }
    }

    #[test]
    fn times_without_a_zone_are_those_of_the_sources_zone() {
        let tokyo =
            SourceOptions { time_zone: TimeZone::get("Asia/Tokyo").unwrap(), ..options("t TIMESTAMP") };
        let text = "{\"t\": \"1970-01-01 10:00:00\"}\n{\"t\": \"1970-01-01T10:00:00Z\"}\n";
        let rows = read(text, &schema("t TIMESTAMP"), &tokyo).unwrap();
        let hours: Vec<i64> = rows.column(0).as_primitive::<TimestampMicrosecondType>().values().to_vec();
        assert_eq!(hours.iter().map(|t| t / 3_600_000_000).collect::<Vec<_>>(), [1, 10]);
        assert_eq!(rows, exact(text, &schema("t TIMESTAMP"), &tokyo.time_zone).unwrap());
    }

    #[test]
    fn binary_is_hexadecimal_digits() {
        let binary = |text: &str| exact(text, &schema("b BINARY"), &TimeZone::UTC);
        let rows = binary("{\"b\": \"00fF\"}\n{\"b\": \"\"}\n{}").unwrap();
        let values: Vec<_> = rows.column(0).as_binary::<i32>().iter().collect();
        assert_eq!(values, [Some(&[0, 255][..]), Some(&[]), None]);
        assert!(binary("{\"b\": \"aGVsbG8=\"}").is_err());
    }

    #[test]
    fn bad_rows_are_what_the_source_makes_of_them() {
        let rows = |on_bad_data| {
            let options = SourceOptions { on_bad_data, ..options("a INT") };
            read("{\"a\": 1}\n{\"a\": \"x\"}\n\n{\"a\": 3}", &schema("a INT"), &options)
        };
        let values =
            |rows: RecordBatch| rows.column(0).as_primitive::<Int32Type>().iter().collect::<Vec<_>>();
        assert_eq!(values(rows(OnBadData::Permissive).unwrap()), [Some(1), None, Some(3)]);
        assert_eq!(values(rows(OnBadData::Drop).unwrap()), [Some(1), Some(3)]);
        let error = rows(OnBadData::Fail).unwrap_err().report();
        assert!(
            error.starts_with("rows, line 2, byte 7: column \"a\" is INT, but the value is no number"),
            "{error}"
        );
    }

    #[test]
    fn an_exact_row_has_nothing_that_is_in_no_column_and_nothing_of_another_type() {
        let exact = |text| exact(text, &schema("a INT, b STRING"), &TimeZone::UTC);
        assert_eq!(exact("{\"b\": \"x\", \"a\": 1}\n{}\n").unwrap().num_rows(), 2);
        assert_eq!(exact("").unwrap().num_rows(), 0);
        let error = exact("{\"a\": 1}\n{\"aa\": 1}").unwrap_err().report();
        assert_eq!(error, "there is no column for {\"aa\":1}, or its type is another");
        let error = exact("{\"a\": \"x\"}").unwrap_err().report();
        assert_eq!(error, "there is no column for {\"a\":\"x\"}, or its type is another");
    }

    #[test]
    fn columns_are_those_named_or_those_found_or_both_if_the_source_evolves() {
        let rows = "{\"b\": true}\n{\"a\": 1.5}\n";
        let printed = |options: &SourceOptions| ddl::print(&columns(rows, options).unwrap());
        assert_eq!(printed(&options("a INT NOT NULL")), "a INT");
        assert_eq!(printed(&options("infer")), "b BOOLEAN, a DOUBLE");
        assert_eq!(printed(&SourceOptions { evolve: true, ..options("a INT") }), "a INT, b BOOLEAN");
        assert_eq!(
            printed(&SourceOptions { rescue: Some("r".into()), ..options("a INT") }),
            "a INT, r STRING"
        );
    }
}
