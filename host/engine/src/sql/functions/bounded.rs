//! Functions whose result may be much larger than what they are given, and how large it may become.

use arrow::{
    array::{Array, ArrayRef, AsArray},
    compute::cast,
    datatypes::{DataType, FieldRef, Int64Type},
};
use datafusion_common::{Result, exec_err};
use datafusion_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};
use std::sync::Arc;

/// Bytes that a function's result for the rows of one batch may take.
pub(in crate::sql) const MOST: u64 = 256 << 20;

/// Bytes that one value may take which stands for all rows of a batch, as that of constants does: beside a column it is
/// repeated for every row.
const MOST_CONSTANT: u64 = 256 << 10;

/// Functions by what their results take. Those that make texts little longer are here if they could be applied to
/// themselves: `hex(hex(…))`.
const BOUNDED: &[(&str, Size)] = &[
    ("repeat", Size::Times),
    ("array_repeat", Size::Times),
    ("space", Size::Number),
    ("lpad", Size::Padded),
    ("rpad", Size::Padded),
    ("array_insert", Size::Inserted),
    ("format_string", Size::Formatted),
    ("replace", Size::Replaced),
    (ARRAY_JOIN, Size::Joined),
    ("concat_ws", Size::Joined),
    ("concat", Size::Sum(1)),
    ("array", Size::Sum(1)),
    ("overlay", Size::Sum(1)),
    ("hex", Size::Sum(2)),
    ("quote", Size::Sum(2)),
    ("encode", Size::Sum(2)),
    ("url_encode", Size::Sum(3)),
    ("to_json", Size::Sum(2)),
];

/// What the library calls `array_join`.
const ARRAY_JOIN: &str = "array_to_string";

/// The function, if its results have bounds one that keeps to them.
pub(super) fn bounded(function: Arc<ScalarUDF>) -> Arc<ScalarUDF> {
    match BOUNDED.iter().find(|(name, _)| *name == function.name()) {
        Some((_, size)) => Arc::new(ScalarUDF::new_from_impl(Bounded { inner: function, size: *size })),
        None => function,
    }
}

/// Refuses a result of so many bytes.
pub(super) fn refuse(function: &str, bytes: u64, constant: bool) -> Result<()> {
    let (most, of) = match constant {
        true => (MOST_CONSTANT, "as a constant"),
        false => (MOST, "for the rows of one batch"),
    };
    if bytes > most {
        return exec_err!(
            "{function}(): the result would take {bytes} bytes {of}, and {most} is the most; make it shorter"
        );
    }
    Ok(())
}

/// What a result takes, from what the function is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Size {
    /// The first, so many times.
    Times,
    /// As many as the number says.
    Number,
    /// A text of so many characters.
    Padded,
    /// As many elements as the position says.
    Inserted,
    /// What a format and its arguments come to.
    Formatted,
    /// The first, with the third for every second.
    Replaced,
    /// All elements with the separator between any two.
    Joined,
    /// All of them, so many times.
    Sum(u64),
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Bounded {
    inner: Arc<ScalarUDF>,
    size: Size,
}

impl ScalarUDFImpl for Bounded {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        self.inner.schema_name(args)
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn coerce_types(&self, of: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(of)
    }

    fn return_type(&self, of: &[DataType]) -> Result<DataType> {
        self.inner.return_type(of)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        self.inner.return_field_from_args(args)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let given = Given::new(&args)?;
        let bytes = match self.size {
            Size::Sum(times) => given.sum().saturating_mul(times),
            size => (0..given.rows).fold(0, |all: u64, row| all.saturating_add(given.bytes(size, row))),
        };
        let name = if self.name() == ARRAY_JOIN { "array_join" } else { self.name() };
        refuse(name, bytes, given.constant)?;
        self.inner.invoke_with_args(args)
    }
}

/// What a function is given. A column of one value that stands for every row is not repeated for them.
struct Given {
    columns: Vec<ArrayRef>,
    rows: usize,
    constant: bool,
}

impl Given {
    fn new(args: &ScalarFunctionArgs) -> Result<Given> {
        let constant = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let rows = if constant { 1 } else { args.number_rows };
        let columns = args.args.iter().map(|arg| match arg {
            ColumnarValue::Array(column) => Ok(column.clone()),
            ColumnarValue::Scalar(value) => value.to_array(),
        });
        let columns = columns.map(|column| {
            let column = column?;
            // Numbers are of one type here.
            match column.data_type().is_integer() {
                true => Ok(cast(&column, &DataType::Int64)?),
                false => Ok(column),
            }
        });
        Ok(Given { columns: columns.collect::<Result<_>>()?, rows, constant })
    }

    fn at(&self, column: usize, row: usize) -> Option<(&ArrayRef, usize)> {
        let column = self.columns.get(column)?;
        let row = if column.len() == 1 { 0 } else { row };
        (row < column.len() && column.is_valid(row)).then_some((column, row))
    }

    /// Bytes of a value; 0 of NULL.
    fn width(&self, column: usize, row: usize) -> u64 {
        self.at(column, row).map_or(0, |(column, row)| width(column, row))
    }

    fn text(&self, column: usize, row: usize) -> &str {
        self.at(column, row).and_then(|(column, row)| text(column, row)).unwrap_or_default()
    }

    fn number(&self, column: usize, row: usize) -> u64 {
        let number = self.at(column, row);
        let number = number.and_then(|(of, row)| Some(of.as_primitive_opt::<Int64Type>()?.value(row)));
        number.map_or(0, i64::unsigned_abs)
    }

    /// Bytes of all values, those repeated that stand for every row.
    fn sum(&self) -> u64 {
        let of = |column: &ArrayRef| {
            let bytes = column.to_data().get_slice_memory_size().map_or(u64::MAX, |bytes| bytes as u64);
            let times = if column.len() == 1 { self.rows as u64 } else { 1 };
            bytes.saturating_mul(times)
        };
        self.columns.iter().map(of).fold(0, u64::saturating_add)
    }

    /// What the result for a row takes, or a little more.
    fn bytes(&self, size: Size, row: usize) -> u64 {
        match size {
            Size::Times => self.width(0, row).max(1).saturating_mul(self.positive(1, row)),
            Size::Number => self.positive(0, row),
            Size::Padded => {
                // One character has as many bytes as it has, and the text is there already.
                let with = self.text(2, row).chars().map(char::len_utf8).max().unwrap_or(1) as u64;
                self.width(0, row).saturating_add(self.positive(1, row).saturating_mul(with))
            }
            Size::Inserted => self.number(1, row).saturating_mul(ELEMENT).saturating_add(self.width(0, row)),
            Size::Formatted => self.formatted(row),
            Size::Replaced => {
                let (of, from) = (self.text(0, row), self.text(1, row));
                let times = if from.is_empty() { 0 } else { of.matches(from).count() as u64 };
                (of.len() as u64).saturating_add(times.saturating_mul(self.width(2, row)))
            }
            Size::Joined => self.joined(row),
            Size::Sum(_) => 0,
        }
    }

    fn positive(&self, column: usize, row: usize) -> u64 {
        let number = self.at(column, row);
        let number = number.and_then(|(of, row)| Some(of.as_primitive_opt::<Int64Type>()?.value(row)));
        number.and_then(|number| u64::try_from(number).ok()).unwrap_or(0)
    }

    /// Of `concat_ws(separator, …)` and of `array_join(array, separator[, null])`.
    fn joined(&self, row: usize) -> u64 {
        let mut elements = 0;
        let mut bytes = 0u64;
        let mut longest = 0;
        for column in 0..self.columns.len() {
            let Some((of, at)) = self.at(column, row) else { continue };
            bytes = bytes.saturating_add(width(of, at));
            match of.as_list_opt::<i32>() {
                Some(list) => elements += list.value_length(at) as u64,
                None => {
                    elements += 1;
                    longest = longest.max(width(of, at));
                }
            }
        }
        // Of concat_ws() the separator is the first, of array_join() any that is not the array stands between elements.
        let between = if self.columns.first().is_some_and(|of| of.as_list_opt::<i32>().is_some()) {
            longest
        } else {
            self.width(0, row)
        };
        bytes.saturating_add(between.saturating_mul(elements))
    }

    /// Of `format_string(format, …)`.
    fn formatted(&self, row: usize) -> u64 {
        let format = self.text(0, row);
        let mut bytes = format.len() as u64;
        let mut next = 1;
        for placed in format.split('%').skip(1) {
            let (index, least) = placeholder(placed);
            let argument = index.unwrap_or(next);
            if index.is_none() {
                next += 1;
            }
            let argument = NUMBER.max(self.width(argument, row));
            bytes = bytes.saturating_add(least.saturating_add(argument));
        }
        bytes
    }
}

/// Bytes that an element takes on its way into an array.
const ELEMENT: u64 = 16;

/// Bytes of a number as a text, at most.
const NUMBER: u64 = 400;

/// Of `2$-10.3f`, without the percent sign: whose argument it is, and how many characters it makes at least.
fn placeholder(of: &str) -> (Option<usize>, u64) {
    let split = |of: &str| of.find(|c: char| !c.is_ascii_digit()).unwrap_or(of.len());
    let (number, rest) = of.split_at(split(of));
    let (index, rest) = match (number.parse().ok(), rest.strip_prefix('$')) {
        (Some(index), Some(rest)) => (Some(index), rest),
        _ => (None, of),
    };
    let rest = rest.trim_start_matches(['-', '#', '+', ' ', '0', ',', '(', '<']);
    let (width, rest) = rest.split_at(split(rest));
    let precision = rest.strip_prefix('.').map_or("", |rest| rest.split_at(split(rest)).0);
    // A number that is no number any more is larger than all.
    let number = |of: &str| if of.is_empty() { 0 } else { of.parse().unwrap_or(u64::MAX) };
    (index, number(width).saturating_add(number(precision)))
}

fn text(column: &ArrayRef, row: usize) -> Option<&str> {
    match column.data_type() {
        DataType::Utf8 => Some(column.as_string::<i32>().value(row)),
        DataType::LargeUtf8 => Some(column.as_string::<i64>().value(row)),
        DataType::Utf8View => Some(column.as_string_view().value(row)),
        _ => None,
    }
}

fn width(column: &ArrayRef, row: usize) -> u64 {
    match text(column, row) {
        Some(text) => text.len() as u64,
        None => column.slice(row, 1).to_data().get_slice_memory_size().map_or(u64::MAX, |bytes| bytes as u64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ManualClock, Timestamp,
        sql::{Questions, Rows},
    };
    use arrow::array::{Int64Array, RecordBatch, StringArray};

    fn answer(sql: &str) -> Result<RecordBatch, String> {
        let texts: ArrayRef = Arc::new(StringArray::from(vec!["a", "bb", "ccc"]));
        let long: ArrayRef = Arc::new(StringArray::from(vec!["x".repeat(200_000); 3]));
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![2_000_000_000, 2, -3]));
        let rows = RecordBatch::try_from_iter([("s", texts), ("long", long), ("n", numbers)]).unwrap();
        let tables = [("t".to_owned(), Rows { schema: rows.schema(), batches: vec![rows] })].into();
        let clock = Arc::new(ManualClock::new(Timestamp(0)));
        let rows = Questions::default().ask(sql, tables, "UTC", clock).map_err(|e| e.error.report())?;
        Ok(rows.batches.into_iter().next().unwrap())
    }

    #[test]
    fn a_result_that_would_take_all_memory_is_an_error_that_names_the_function() {
        for (call, name) in [
            ("repeat(s, CAST(n AS INT))", "repeat"),
            ("repeat('x', 2000000000)", "repeat"),
            ("repeat(s, 2000000000)", "repeat"),
            ("space(CAST(n AS INT))", "space"),
            ("space(2147483647)", "space"),
            ("lpad(s, 2147483647, 'é')", "lpad"),
            ("rpad('a', 2147483647)", "rpad"),
            ("array_repeat(long, 2147483647)", "array_repeat"),
            ("array_repeat(1, 1000000000)", "array_repeat"),
            ("array_insert(array(1), 2147483647, 2)", "array_insert"),
            ("sequence(1, 100000000)", "sequence"),
            ("sequence(1L, n)", "sequence"),
            ("format_string('%2147483647d', 1)", "format_string"),
            ("printf('%1$2147483647d', n)", "format_string"),
            ("printf('%.99999999999999999999f', 1.0)", "format_string"),
            ("replace(long, 'x', long)", "replace"),
            ("regexp_replace(long, 'x', long)", "regexp_replace"),
            ("array_join(array_repeat('', 100000), long)", "array_join"),
            ("concat_ws(long, split(long, ''))", "concat_ws"),
            ("concat(repeat(long, 200), repeat(long, 250))", "concat"),
            ("repeat(long, 200) || repeat(long, 250)", "concat"),
            ("array(repeat(long, 200), repeat(long, 250))", "array"),
        ] {
            let said = answer(&format!("SELECT {call} AS x FROM t")).unwrap_err();
            assert!(said.contains(&format!("{name}(): the result would take")), "{call}: {said}");
            assert!(said.contains("is the most; make it shorter"), "{call}: {said}");
        }
    }

    #[test]
    fn what_is_within_its_bounds_is_what_it_was() {
        for (call, expected) in [
            ("repeat(s, 2)", "aa"),
            ("repeat(s, -1)", ""),
            ("lpad(s, 3, 'é')", "ééa"),
            ("space(2) || s", "  a"),
            ("printf('%5d|%-3s|%%', 42, s)", "   42|a  |%"),
            ("printf('%2$s %1$s', s, 'b')", "b a"),
            ("replace(s, 'a', 'xyz')", "xyz"),
            ("regexp_replace(s, '(a)', '<$1>')", "<a>"),
            ("concat_ws('-', s, array('b', 'c'))", "a-b-c"),
            ("array_join(array(s, 'b'), '-')", "a-b"),
            ("'x' || s || 1", "xa1"),
            ("'x' || NULL", "null"),
            ("CAST(size(sequence(1, 30000)) AS STRING)", "30000"),
        ] {
            let rows = answer(&format!("SELECT coalesce({call}, 'null') AS x FROM t ORDER BY s LIMIT 1"))
                .unwrap_or_else(|e| panic!("{call}: {e}"));
            assert_eq!(rows.column(0).as_string::<i32>().value(0), expected, "{call}");
        }
    }
}
