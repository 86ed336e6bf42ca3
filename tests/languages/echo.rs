//! Plugins of each kind and language read every value of every type, write it anew, and the same comes back.

use super::{
    Language, corpus,
    host::{Bench, block_on, built, keyed, patient, runtime, stored},
};
use arrow::{
    array::{
        Array, ArrayRef, BooleanArray, Int64Array, RecordBatch, RecordBatchOptions, StringArray, UInt32Array,
    },
    compute::{cast, concat_batches, filter_record_batch, lexsort_to_indices, take_record_batch},
    datatypes::{DataType, Field, Schema, SchemaRef},
    error::ArrowError,
};
use engine::{Argument, Epoch, EpochContext, Error, Result, Timestamp, keyed::Alone};
use plugin::{FunctionSettings, Plugin};
use std::sync::Arc;

/// Rows of a key.
const ROWS_OF_A_KEY: usize = 8;

/// The types that SQL has, as the functions are named.
const OF_SQL: [&str; 18] = [
    "boolean",
    "int8",
    "int16",
    "int32",
    "int64",
    "float32",
    "float64",
    "decimal128",
    "date32",
    "timestamp_us",
    "timestamp_us_utc",
    "utf8",
    "binary",
    "list",
    "list_of_text",
    "list_of_lists",
    "struct",
    "map",
];

/// What a plugin gave, and what it should have.
struct Echo {
    given: RecordBatch,
    back: RecordBatch,
}

impl Echo {
    fn difference(&self) -> Option<String> {
        let Echo { given, back } = self;
        if given == back {
            return None;
        }
        if given.schema() != back.schema() {
            return Some(format!("columns {:?}, not {:?}", back.schema(), given.schema()));
        }
        let shared = 0..given.num_rows().min(back.num_rows());
        let first = shared.into_iter().find(|row| given.slice(*row, 1) != back.slice(*row, 1));
        let rows = first.map(|row| (back.slice(row, 1), given.slice(row, 1)));
        Some(format!(
            "{} of {} rows came back; row {first:?} differs: {rows:?}",
            back.num_rows(),
            given.num_rows()
        ))
    }
}

async fn transform(plugin: &Plugin, batch: RecordBatch) -> Result<Echo> {
    let back = Bench::of(plugin, &batch.schema(), "{}").await?.whole(&batch).await?;
    Ok(Echo { given: batch, back })
}

/// Those rows stay of which the column is not null.
async fn filter(plugin: &Plugin, batch: RecordBatch) -> Result<Echo> {
    let back = Bench::of(plugin, &batch.schema(), "{}").await?.whole(&batch).await?;
    let nulls = batch.column(0).logical_nulls();
    let is_there = |row| Some(nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row)));
    let kept: BooleanArray = (0..batch.num_rows()).map(is_there).collect();
    Ok(Echo { given: filter_record_batch(&batch, &kept).unwrap(), back })
}

/// Each column is there once more.
async fn map(plugin: &Plugin, batch: RecordBatch) -> Result<Echo> {
    let back = Bench::of(plugin, &batch.schema(), "{}").await?.whole(&batch).await?;
    let schema = batch.schema();
    let again = schema.fields().iter().map(|field| {
        Arc::new(field.as_ref().clone().with_name(format!("{}_again", field.name())).with_nullable(true))
    });
    let fields: Vec<_> = schema.fields().iter().cloned().chain(again).collect();
    let columns = [batch.columns(), batch.columns()].concat();
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    let schema = Arc::new(Schema::new(fields));
    Ok(Echo { given: RecordBatch::try_new_with_options(schema, columns, &options).unwrap(), back })
}

/// What an epoch has left in tables of each kind, the next one finds.
async fn keyed_rows(plugin: &Plugin, batch: RecordBatch) -> Result<Echo> {
    let rows = placed(batch.column(0));
    let step = keyed(plugin, &rows.schema(), "{}", &["key"]).await?;
    let mut alone = Alone::new(step);
    let first = alone.epoch(&epoch(0), &rows).await?;
    let before: usize = first.iter().map(|(_, rows)| rows.num_rows()).sum();
    if before > 0 {
        return Err(Error::internal(format!("{before} rows were there before any was kept")));
    }
    let starts = (0..rows.num_rows()).step_by(ROWS_OF_A_KEY).map(|row| row as u32);
    let starts = take_record_batch(&rows, &UInt32Array::from_iter_values(starts)).unwrap();
    let back = alone.epoch(&epoch(1), &starts).await?.into_iter().map(|(_, rows)| rows);
    let given = kept(&rows);
    let back = joined(&given.schema(), &back.collect::<Vec<_>>())?;
    Ok(Echo { given, back: sorted(&back) })
}

fn epoch(epoch: u64) -> EpochContext {
    EpochContext { epoch: Epoch(epoch), ..EpochContext::alone("tested") }
}

/// The values with the keys and the places of their rows.
fn placed(values: &ArrayRef) -> RecordBatch {
    let rows = 0..values.len();
    let keys = Int64Array::from_iter_values(rows.clone().map(|row| (row / ROWS_OF_A_KEY) as i64));
    let places = Int64Array::from_iter_values(rows.map(|row| row as i64));
    let fields = vec![
        Field::new("key", DataType::Int64, true),
        Field::new("place", DataType::Int64, true),
        Field::new("value", values.data_type().clone(), true),
    ];
    let columns: Vec<ArrayRef> = vec![Arc::new(keys), Arc::new(places), values.clone()];
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
}

fn joined(schema: &SchemaRef, rows: &[RecordBatch]) -> Result<RecordBatch> {
    concat_batches(schema, rows).map_err(unlike)
}

/// Rows of other columns came back.
fn unlike(error: ArrowError) -> Error {
    Error::internal(error.to_string())
}

/// What the tables have of these rows: all of them twice, and the last of each key.
fn kept(rows: &RecordBatch) -> RecordBatch {
    let last = |row: &usize| (row + 1).is_multiple_of(ROWS_OF_A_KEY) || row + 1 == rows.num_rows();
    let lasts = (0..rows.num_rows()).filter(last).map(|row| row as u32);
    let lasts = take_record_batch(rows, &UInt32Array::from_iter_values(lasts)).unwrap();
    let told = |table: &str, rows: &RecordBatch| {
        let names: ArrayRef = Arc::new(StringArray::from(vec![table; rows.num_rows()]));
        let fields = [Field::new("table", DataType::Utf8, true)].into_iter();
        let schema = rows.schema();
        let fields = fields.chain(schema.fields()[1..].iter().map(|field| field.as_ref().clone()));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let columns = [names].into_iter().chain(rows.columns()[1..].iter().cloned()).collect();
        RecordBatch::try_new(schema, columns).unwrap()
    };
    let all = [told("all", rows), told("by", rows), told("last", &lasts)];
    concat_batches(&all[0].schema(), &all).unwrap()
}

/// By table and place.
fn sorted(rows: &RecordBatch) -> RecordBatch {
    let by = rows.columns()[..2]
        .iter()
        .map(|column| arrow::compute::SortColumn { values: column.clone(), options: None });
    let order = lexsort_to_indices(&by.collect::<Vec<_>>(), None).unwrap();
    take_record_batch(rows, &order).unwrap()
}

async fn batch_sink(plugin: &Plugin, batch: RecordBatch) -> Result<Echo> {
    let back = stored(plugin, &batch).await?;
    let rows = joined(&batch.schema(), &back["rows"])?;
    Ok(Echo { given: batch, back: rows })
}

/// SQL's own names of what is in a map and a list are those that the function says.
async fn function(plugin: &Plugin, batch: RecordBatch) -> Result<Echo> {
    let named = batch.schema().field(0).name().replace('-', "_");
    let settings = FunctionSettings { limits: patient(), ..FunctionSettings::new("tested") };
    let function = plugin.bind_functions(settings).await?.function(&named)?;
    let values = cast(batch.column(0), function.signature().arguments[0].data_type()).map_err(unlike)?;
    let arguments = [Argument::Column(values.clone())];
    let results = function.results(&arguments, batch.num_rows(), Timestamp(0))?;
    let [given, back] = [values, results].map(|values| RecordBatch::try_from_iter([("value", values)]));
    Ok(Echo { given: given.map_err(unlike)?, back: back.map_err(unlike)? })
}

/// What of the corpus does not come back as it went in.
async fn differences(
    language: &Language,
    plugin: &str,
    echo: impl AsyncFn(&Plugin, RecordBatch) -> Result<Echo>,
) -> Vec<String> {
    let plugin = runtime().load(&built(&language.plugin(plugin))).await.unwrap();
    let of_sql = |name: &str| OF_SQL.contains(&name.replace('-', "_").as_str());
    let is_function = plugin.roles().contains(&plugin::Role::Functions);
    let columns = corpus::columns().into_iter().filter(|(name, _)| !is_function || of_sql(name));
    let mut all = Vec::new();
    for (name, values) in columns {
        for batch in corpus::batches(name, &values) {
            let rows = batch.num_rows();
            let difference = match echo(&plugin, batch).await {
                Ok(echo) => echo.difference(),
                Err(e) => Some(e.report()),
            };
            all.extend(difference.map(|what| format!("{name}, {rows} rows: {what}")));
        }
    }
    all
}

#[track_caller]
fn brings_everything_back(
    language: &Language,
    plugin: &str,
    echo: impl AsyncFn(&Plugin, RecordBatch) -> Result<Echo>,
) {
    let differences = block_on(differences(language, plugin, echo));
    assert!(differences.is_empty(), "{} {plugin}:\n{}", language.name, differences.join("\n"));
}

/// The tests of a language.
macro_rules! corpus {
    ($($name:ident $language:ident)*) => {$(
        mod $name {
            use super::*;
            use crate::languages::$language;

            #[test]
            fn a_transform_brings_every_value_of_every_type_back() {
                brings_everything_back(&$language, "echo", transform);
            }

            #[test]
            fn a_transform_brings_rows_without_columns_back() {
                let rows = RecordBatchOptions::new().with_row_count(Some(5));
                let rows = RecordBatch::try_new_with_options(Arc::new(Schema::empty()), vec![], &rows).unwrap();
                let echo = block_on(async {
                    let plugin = runtime().load(&built(&$language.plugin("echo"))).await.unwrap();
                    transform(&plugin, rows).await.unwrap()
                });
                assert_eq!(echo.difference(), None, "{}", $language.name);
            }

            #[test]
            fn a_filter_knows_every_null_of_every_type() {
                brings_everything_back(&$language, "echo-filter", filter);
            }

            #[test]
            fn a_map_adds_every_value_of_every_type() {
                brings_everything_back(&$language, "echo-map", map);
            }

            #[test]
            fn a_keyed_plugin_finds_every_value_of_every_type_in_its_tables() {
                brings_everything_back(&$language, "echo-keyed", keyed_rows);
            }

            #[test]
            fn a_sink_stores_every_value_of_every_type() {
                brings_everything_back(&$language, "echo-sink", batch_sink);
            }

            #[test]
            fn a_function_gives_every_value_of_every_type_back() {
                brings_everything_back(&$language, "echo-function", function);
            }
        }
    )*};
}

corpus! { rust RUST go GO js JS python PYTHON c C }
