//! Values that a language has to bring through unchanged: of every type that crosses the boundary, ordinary and extreme.

use arrow::{
    array::{
        Array, ArrayRef, BinaryArray, BooleanArray, Decimal256Array, FixedSizeBinaryArray,
        FixedSizeListArray, Int32Array, Int64Array, ListArray, MapArray, NullArray, PrimitiveArray,
        RecordBatch, StringArray, StructArray,
    },
    buffer::{NullBuffer, OffsetBuffer, ScalarBuffer},
    compute::take_arrays,
    datatypes::{
        ArrowPrimitiveType, DataType, Date32Type, Date64Type, Decimal128Type, DurationMicrosecondType,
        DurationMillisecondType, DurationNanosecondType, DurationSecondType, Field, Fields, Float16Type,
        Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, IntervalDayTime,
        IntervalDayTimeType, IntervalMonthDayNano, IntervalMonthDayNanoType, IntervalYearMonthType, Schema,
        Time32MillisecondType, Time32SecondType, Time64MicrosecondType, Time64NanosecondType,
        TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
        UInt8Type, UInt16Type, UInt32Type, UInt64Type, i256,
    },
};
use std::sync::Arc;

/// How many rows batches of every type have.
pub(super) const ROWS: [usize; 4] = [0, 1, 9, 1_000];

/// How many rows a batch may have, and the types of which there is such a one: of each layout.
const MANY: usize = 65_536;
const OF_MANY: [&str; 7] =
    ["boolean", "int64", "float64", "decimal128", "timestamp-us-utc", "utf8", "list-of-structs"];

/// A column of each type, of some values of its own.
pub(super) fn columns() -> Vec<(&'static str, ArrayRef)> {
    let mut all = numbers();
    all.extend(times());
    all.extend(bytes());
    all.extend(nested());
    all
}

/// Batches of a column's values over and over, one for each of [`ROWS`] and perhaps one of [`MANY`].
pub(super) fn batches(name: &str, values: &ArrayRef) -> Vec<RecordBatch> {
    let field = Field::new(name, values.data_type().clone(), true);
    let schema = Arc::new(Schema::new(vec![field]));
    let batch = |rows: usize| {
        let rows = Int64Array::from_iter_values((0..rows).map(|row| (row % values.len()) as i64));
        RecordBatch::try_new(schema.clone(), take_arrays(std::slice::from_ref(values), &rows, None).unwrap())
            .unwrap()
    };
    let many = OF_MANY.contains(&name).then_some(MANY);
    ROWS.into_iter().chain(many).map(batch).collect()
}

/// A few rows of all columns that are wanted.
pub(super) fn together(wanted: impl Fn(&str) -> bool) -> RecordBatch {
    let columns = columns().into_iter().filter(|(name, _)| wanted(name));
    let batches: Vec<RecordBatch> =
        columns.map(|(name, values)| batches(name, &values).swap_remove(2)).collect();
    let fields: Vec<_> = batches.iter().flat_map(|batch| batch.schema().fields().to_vec()).collect();
    let columns = batches.iter().flat_map(|batch| batch.columns().to_vec()).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
}

fn of<T: ArrowPrimitiveType>(values: impl IntoIterator<Item = T::Native>) -> ArrayRef {
    let values = values.into_iter().map(Some).chain([None]);
    Arc::new(values.collect::<Vec<_>>().into_iter().collect::<PrimitiveArray<T>>())
}

fn numbers() -> Vec<(&'static str, ArrayRef)> {
    let half = |value: f32| <Float16Type as ArrowPrimitiveType>::Native::from_f32(value);
    let digits = 10_i128.pow(38) - 1;
    let wide = i256::from_string(&"9".repeat(76)).unwrap();
    vec![
        ("null", Arc::new(NullArray::new(3))),
        ("boolean", Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)]))),
        ("int8", of::<Int8Type>([0, 1, -1, i8::MIN, i8::MAX])),
        ("int16", of::<Int16Type>([0, 1, -1, i16::MIN, i16::MAX])),
        ("int32", of::<Int32Type>([0, 1, -1, i32::MIN, i32::MAX])),
        ("int64", of::<Int64Type>([0, 1, -1, i64::MIN, i64::MAX, (1 << 53) + 1])),
        ("uint8", of::<UInt8Type>([0, 1, u8::MAX])),
        ("uint16", of::<UInt16Type>([0, 1, u16::MAX])),
        ("uint32", of::<UInt32Type>([0, 1, u32::MAX])),
        ("uint64", of::<UInt64Type>([0, 1, u64::MAX, (1 << 63) + 1])),
        ("float16", of::<Float16Type>([0.0, -0.0, 1.5, -65_504.0, f32::INFINITY].map(half))),
        (
            "float32",
            of::<Float32Type>([0.0, -0.0, 0.1, f32::MIN, f32::MAX, f32::MIN_POSITIVE, f32::INFINITY]),
        ),
        (
            "float64",
            of::<Float64Type>([0.0, -0.0, 0.1, f64::MIN, f64::MAX, 5e-324, f64::NEG_INFINITY, f64::NAN]),
        ),
        ("decimal128", decimal128([0, 1, -1, digits, -digits])),
        ("decimal256", decimal256([i256::ZERO, i256::ONE, i256::MINUS_ONE, wide, -wide])),
    ]
}

fn decimal128(values: [i128; 5]) -> ArrayRef {
    let values = values.into_iter().map(Some).chain([None]).collect::<PrimitiveArray<Decimal128Type>>();
    Arc::new(values.with_precision_and_scale(38, 10).unwrap())
}

fn decimal256(values: [i256; 5]) -> ArrayRef {
    let values = values.into_iter().map(Some).chain([None]).collect::<Decimal256Array>();
    Arc::new(values.with_precision_and_scale(76, 20).unwrap())
}

fn times() -> Vec<(&'static str, ArrayRef)> {
    let moments = [0, 1, -1, 1_735_725_600_123, i64::MIN, i64::MAX];
    let zoned = of::<TimestampMicrosecondType>(moments);
    let zoned = zoned.as_any().downcast_ref::<PrimitiveArray<TimestampMicrosecondType>>().unwrap();
    vec![
        ("date32", of::<Date32Type>([0, 1, -1, 20_089, i32::MIN, i32::MAX])),
        ("date64", of::<Date64Type>([0, 86_400_000, -86_400_000, 1_735_689_600_000])),
        ("time32-s", of::<Time32SecondType>([0, 1, 86_399])),
        ("time32-ms", of::<Time32MillisecondType>([0, 1, 86_399_999])),
        ("time64-us", of::<Time64MicrosecondType>([0, 1, 86_399_999_999])),
        ("time64-ns", of::<Time64NanosecondType>([0, 1, 86_399_999_999_999])),
        ("timestamp-s", of::<TimestampSecondType>([0, -1, 1_735_725_600])),
        ("timestamp-ms", of::<TimestampMillisecondType>(moments)),
        ("timestamp-us", of::<TimestampMicrosecondType>(moments)),
        ("timestamp-ns", of::<TimestampNanosecondType>(moments)),
        ("timestamp-us-utc", Arc::new(zoned.clone().with_timezone("UTC"))),
        ("timestamp-us-berlin", Arc::new(zoned.clone().with_timezone("Europe/Berlin"))),
        ("timestamp-us-nepal", Arc::new(zoned.clone().with_timezone("Asia/Kathmandu"))),
        ("timestamp-us-offset", Arc::new(zoned.clone().with_timezone("+05:30"))),
        ("timestamp-us-west", Arc::new(zoned.clone().with_timezone("-03:30"))),
        ("duration-s", of::<DurationSecondType>([0, 1, -1, i64::MAX])),
        ("duration-ms", of::<DurationMillisecondType>(moments)),
        ("duration-us", of::<DurationMicrosecondType>(moments)),
        ("duration-ns", of::<DurationNanosecondType>(moments)),
        ("interval-months", of::<IntervalYearMonthType>([0, 1, -1, i32::MAX])),
        (
            "interval-days",
            of::<IntervalDayTimeType>([
                IntervalDayTime::new(1, -2),
                IntervalDayTime::new(i32::MIN, i32::MAX),
            ]),
        ),
        (
            "interval-nanos",
            of::<IntervalMonthDayNanoType>([
                IntervalMonthDayNano::new(1, -2, 3),
                IntervalMonthDayNano::new(i32::MAX, i32::MIN, i64::MIN),
            ]),
        ),
    ]
}

/// Texts of one to four bytes a character, a zero byte, what is written from right to left, and one that is long.
fn texts() -> StringArray {
    let long = "0123456789abcdeß".repeat(64);
    let texts = [
        "",
        "a",
        "ä",
        "€",
        "😀",
        "e\u{301}",
        "שלום",
        "a\0b",
        "line\nline\t\"quoted\" \\",
        "\u{feff}bom",
        &long,
    ];
    texts.into_iter().map(Some).chain([None]).collect()
}

fn bytes() -> Vec<(&'static str, ArrayRef)> {
    let all: Vec<u8> = (0..=255).collect();
    let binary = [Some(&b""[..]), Some(b"\0"), Some(b"\xff\xfe"), Some(&all), None];
    let fixed = [Some(b"abc"), None, Some(b"\0\xff\x80")].into_iter();
    vec![
        ("utf8", Arc::new(texts())),
        ("binary", Arc::new(BinaryArray::from(binary.to_vec()))),
        ("fixed-binary", Arc::new(FixedSizeBinaryArray::try_from_sparse_iter_with_size(fixed, 3).unwrap())),
    ]
}

fn nested() -> Vec<(&'static str, ArrayRef)> {
    let lists = list(
        &[0, 0, 2, 2, 5],
        Arc::new(Int32Array::from(vec![Some(1), None, Some(3), Some(i32::MIN), None])),
    );
    let texts: ArrayRef = Arc::new(texts());
    let of_texts = list(&[0, 3, 3, 5, 12], texts.clone());
    let of_lists = list(&[0, 1, 1, 3, 4], lists.clone());
    let structs = structs(texts.clone());
    let of_structs = list(&[0, 4, 4, 8, 12], structs.clone());
    vec![
        ("list", lists),
        ("list-of-text", of_texts),
        ("list-of-lists", of_lists),
        ("list-of-structs", of_structs),
        ("fixed-list", fixed_list()),
        ("struct", structs),
        ("map", map()),
    ]
}

/// Lists of these items, of which the second is null and empty.
fn list(offsets: &[i32], items: ArrayRef) -> ArrayRef {
    let item = Arc::new(Field::new("item", items.data_type().clone(), true));
    let nulls = (0..offsets.len() - 1).map(|row| row != 1).collect::<Vec<_>>();
    let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets.to_vec()));
    Arc::new(ListArray::new(item, offsets, items, Some(NullBuffer::from(nulls))))
}

fn fixed_list() -> ArrayRef {
    let items = Int32Array::from(vec![Some(1), Some(2), None, None, Some(5), None]);
    let item = Arc::new(Field::new("item", DataType::Int32, true));
    let nulls = NullBuffer::from(vec![true, false, true]);
    Arc::new(FixedSizeListArray::new(item, 2, Arc::new(items), Some(nulls)))
}

/// A text, and a struct in the struct; one of each is null and has values below it that nobody is to see.
fn structs(texts: ArrayRef) -> ArrayRef {
    let rows = texts.len();
    let numbers: ArrayRef =
        Arc::new((0..rows as i64).map(|n| (n % 3 > 0).then_some(n)).collect::<Int64Array>());
    let inner = Fields::from(vec![Field::new("n", DataType::Int64, true)]);
    let inner_nulls = NullBuffer::from((0..rows).map(|row| row != 2).collect::<Vec<_>>());
    let inner: ArrayRef = Arc::new(StructArray::new(inner, vec![numbers], Some(inner_nulls)));
    let fields = Fields::from(vec![
        Field::new("text", DataType::Utf8, true),
        Field::new("inner", inner.data_type().clone(), true),
    ]);
    let nulls = NullBuffer::from((0..rows).map(|row| row != 4).collect::<Vec<_>>());
    Arc::new(StructArray::new(fields, vec![texts, inner], Some(nulls)))
}

fn map() -> ArrayRef {
    let keys: ArrayRef = Arc::new(StringArray::from(vec!["a", "b", "ä", "a"]));
    let values: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None, Some(i64::MIN), Some(4)]));
    let fields = Fields::from(vec![
        Field::new("keys", DataType::Utf8, false),
        Field::new("values", DataType::Int64, true),
    ]);
    let entries = StructArray::new(fields, vec![keys, values], None);
    let field = Arc::new(Field::new("entries", entries.data_type().clone(), false));
    let offsets = OffsetBuffer::new(ScalarBuffer::from(vec![0, 2, 2, 2, 4]));
    let nulls = NullBuffer::from(vec![true, false, true, true]);
    Arc::new(MapArray::new(field, offsets, entries, Some(nulls), false))
}
