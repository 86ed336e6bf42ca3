use super::Random;
use arrow::{
    array::{
        Array, ArrayRef, BooleanArray, FixedSizeBinaryArray, FixedSizeListArray, GenericBinaryArray,
        GenericListArray, GenericStringArray, Int32Array, IntervalDayTimeArray, IntervalMonthDayNanoArray,
        MapArray, NullArray, OffsetSizeTrait, RecordBatch, RecordBatchOptions, StructArray,
    },
    buffer::{NullBuffer, OffsetBuffer},
    compute::cast,
    datatypes::{
        DataType, Field, FieldRef, Fields, IntervalDayTimeType, IntervalMonthDayNanoType, IntervalUnit,
        Schema, SchemaRef, TimeUnit,
    },
};
use plugin::ipc::{Encoder, encode_schema};
use std::sync::Arc;

/// A schema message and up to three record-batch messages of it, all valid.
pub fn encoded(random: &mut Random) -> Vec<u8> {
    let schema = schema(random, false);
    let mut encoder = Encoder::new(&schema).expect("every type crosses");
    let mut out = encode_schema(encoder.schema()).expect("a schema encodes");
    for _ in 0..random.below(4) {
        let rows = random.below(20);
        let batch = batch(random, &schema, rows);
        encoder.encode_into(&batch, &mut out).expect("a batch of the schema encodes");
    }
    out
}

/// Up to five columns, nested up to two levels; with `all_types`, those too that are cast for a guest.
pub fn schema(random: &mut Random, all_types: bool) -> SchemaRef {
    let columns = random.below(6);
    let fields = (0..columns).map(|i| field(random, &format!("c{i}"), 2, all_types));
    Arc::new(Schema::new(fields.collect::<Fields>()))
}

/// `rows` random rows; as often as not a slice of more.
pub fn batch(random: &mut Random, schema: &SchemaRef, rows: usize) -> RecordBatch {
    let (before, after) = (random.below(20), random.below(5));
    let all = before + rows + after;
    let columns = schema.fields().iter().map(|field| array(random, field, all)).collect();
    let options = RecordBatchOptions::new().with_row_count(Some(all));
    let batch =
        RecordBatch::try_new_with_options(schema.clone(), columns, &options).expect("columns of the schema");
    batch.slice(before, rows)
}

fn field(random: &mut Random, name: &str, depth: usize, all_types: bool) -> FieldRef {
    let data_type = data_type(random, depth, all_types);
    let nullable = random.one_in(2) || data_type == DataType::Null;
    Arc::new(Field::new(name, data_type, nullable))
}

fn data_type(random: &mut Random, depth: usize, all_types: bool) -> DataType {
    if depth > 0 && random.one_in(3) {
        return nested(random, depth, all_types);
    }
    if all_types && random.one_in(3) {
        return to_be_cast(random);
    }
    let plain = [
        DataType::Null,
        DataType::Boolean,
        DataType::Int8,
        DataType::UInt16,
        DataType::Int32,
        DataType::UInt64,
        DataType::Float16,
        DataType::Float32,
        DataType::Float64,
        DataType::Utf8,
        DataType::Binary,
        DataType::FixedSizeBinary(1 + random.below(4) as i32),
        DataType::Date32,
        DataType::Date64,
        DataType::Time32(TimeUnit::Second),
        DataType::Time64(TimeUnit::Nanosecond),
        DataType::Timestamp(TimeUnit::Microsecond, None),
        DataType::Timestamp(TimeUnit::Millisecond, Some("+01:00".into())),
        DataType::Duration(TimeUnit::Second),
        DataType::Interval(IntervalUnit::DayTime),
        DataType::Interval(IntervalUnit::MonthDayNano),
        DataType::Decimal128(20, 2),
        DataType::Decimal256(40, 3),
    ];
    random.pick(&plain).cloned().unwrap_or(DataType::Null)
}

fn nested(random: &mut Random, depth: usize, all_types: bool) -> DataType {
    let mut child = |name| field(random, name, depth - 1, all_types);
    let (item, other) = (child("item"), child("other"));
    match random.below(if all_types { 5 } else { 4 }) {
        0 => DataType::List(item),
        1 => DataType::FixedSizeList(item, 1 + random.below(3) as i32),
        2 => DataType::Struct([item, other].into_iter().take(random.below(3)).collect()),
        3 => {
            let key = Arc::new(Field::new("key", DataType::Utf8, false));
            let entries = Field::new("entries", DataType::Struct([key, other].into_iter().collect()), false);
            DataType::Map(Arc::new(entries), false)
        }
        _ => DataType::LargeList(item),
    }
}

fn to_be_cast(random: &mut Random) -> DataType {
    let types = [
        DataType::LargeUtf8,
        DataType::Utf8View,
        DataType::BinaryView,
        DataType::Decimal64(12, 2),
        DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)),
    ];
    random.pick(&types).cloned().unwrap_or(DataType::LargeUtf8)
}

fn array(random: &mut Random, field: &Field, rows: usize) -> ArrayRef {
    let nulls = (field.is_nullable() && *field.data_type() != DataType::Null && !random.one_in(3))
        .then(|| (0..rows).map(|_| !random.one_in(4)).collect::<NullBuffer>());
    match field.data_type() {
        DataType::Null => Arc::new(NullArray::new(rows)),
        DataType::Boolean => {
            Arc::new(BooleanArray::new((0..rows).map(|_| random.one_in(2)).collect(), nulls))
        }
        DataType::Utf8 => Arc::new(strings::<i32>(random, rows, nulls)),
        DataType::Binary => Arc::new(GenericBinaryArray::<i32>::from(strings::<i32>(random, rows, nulls))),
        DataType::FixedSizeBinary(width) => {
            let values: Vec<u8> = (0..rows * *width as usize).map(|_| random.bits() as u8).collect();
            let array = FixedSizeBinaryArray::try_new_with_len(*width, values.into(), nulls, rows);
            Arc::new(array.expect("as many bytes as rows need"))
        }
        DataType::List(item) => Arc::new(list::<i32>(random, item, rows, nulls)),
        DataType::LargeList(item) => Arc::new(list::<i64>(random, item, rows, nulls)),
        DataType::FixedSizeList(item, size) => {
            let items = array(random, item, rows * *size as usize);
            let list = FixedSizeListArray::try_new_with_length(item.clone(), *size, items, nulls, rows);
            Arc::new(list.expect("as many items as rows need"))
        }
        DataType::Struct(fields) => {
            let columns = fields.iter().map(|field| array(random, field, rows)).collect();
            let array = StructArray::try_new_with_length(fields.clone(), columns, nulls, rows);
            Arc::new(array.expect("columns of the struct's length"))
        }
        DataType::Map(entries, sorted) => {
            let (offsets, items) = offsets::<i32>(random, rows);
            let items = array(random, entries, items).as_any().downcast_ref::<StructArray>().cloned();
            let items = items.expect("entries are structs");
            Arc::new(MapArray::new(entries.clone(), offsets, items, nulls, *sorted))
        }
        DataType::Dictionary(..) | DataType::LargeUtf8 | DataType::Utf8View | DataType::BinaryView => {
            cast(&strings::<i32>(random, rows, nulls), field.data_type()).expect("a cast of text")
        }
        other => number(random, other, rows, nulls),
    }
}

/// Small numbers are times, dates and decimals of every kind.
fn number(random: &mut Random, to: &DataType, rows: usize, nulls: Option<NullBuffer>) -> ArrayRef {
    let mut small = || random.below(100) as i32;
    match to {
        DataType::Interval(IntervalUnit::DayTime) => {
            let values = (0..rows).map(|_| IntervalDayTimeType::make_value(small(), small()));
            Arc::new(IntervalDayTimeArray::new(values.collect(), nulls))
        }
        DataType::Interval(IntervalUnit::MonthDayNano) => {
            let values = (0..rows).map(|_| IntervalMonthDayNanoType::make_value(small(), small(), 7));
            Arc::new(IntervalMonthDayNanoArray::new(values.collect(), nulls))
        }
        _ => {
            let narrow = Int32Array::new((0..rows).map(|_| small()).collect(), nulls);
            // arrow casts integers of 32 bits to some of these types, and of 64 bits to the others.
            let wide = || cast(&cast(&narrow, &DataType::Int64)?, to);
            cast(&narrow, to).or_else(|_| wide()).expect("a type that integers cast to")
        }
    }
}

fn strings<O: OffsetSizeTrait>(
    random: &mut Random,
    rows: usize,
    nulls: Option<NullBuffer>,
) -> GenericStringArray<O> {
    let words = ["", "a", "Grüße", "日本", "a longer text of several words"];
    let array = GenericStringArray::<O>::from_iter_values(
        (0..rows).map(|_| random.pick(&words).copied().unwrap_or("")),
    );
    let (offsets, values, _) = array.into_parts();
    GenericStringArray::new(offsets, values, nulls)
}

fn list<O: OffsetSizeTrait>(
    random: &mut Random,
    item: &FieldRef,
    rows: usize,
    nulls: Option<NullBuffer>,
) -> GenericListArray<O> {
    let (offsets, items) = offsets::<O>(random, rows);
    GenericListArray::new(item.clone(), offsets, array(random, item, items), nulls)
}

/// Offsets of lists of up to three items, and how many items there are.
fn offsets<O: OffsetSizeTrait>(random: &mut Random, rows: usize) -> (OffsetBuffer<O>, usize) {
    let offsets = OffsetBuffer::<O>::from_lengths((0..rows).map(|_| random.below(4)));
    let items = offsets.last().map_or(0, |last| last.as_usize());
    (offsets, items)
}
