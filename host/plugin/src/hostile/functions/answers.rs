//! Answers that make no sense.

use super::*;
use arrow::array::StringArray;

/// A message of one column.
fn message(column: ArrayRef) -> Vec<u8> {
    let schema = Arc::new(schema(&[("y", column.data_type().clone(), true)]));
    let rows = RecordBatch::try_new(schema.clone(), vec![column]).unwrap();
    ipc::Encoder::new(&schema).unwrap().encode(&rows).unwrap()
}

fn wrong(said: &str) -> &str {
    said.strip_prefix("it broke the plugin contract: ").unwrap_or_else(|| panic!("{said}"))
}

#[tokio::test]
async fn another_number_of_results_than_rows_is_refused() {
    assert_eq!(wrong(&failure(&Attack::answering(&[])).await), "it answers 0 values for 64 rows");
    let few = message(Arc::new(Int64Array::from(vec![1; 63])));
    assert_eq!(wrong(&failure(&Attack::answering(&few)).await), "it answers 63 values for 64 rows");
    let many =
        [message(Arc::new(Int64Array::from(vec![1; 60]))), message(Arc::new(Int64Array::from(vec![1; 5])))];
    assert_eq!(wrong(&failure(&Attack::answering(&many.concat())).await), "it answers 65 values for 64 rows");
    let enough =
        [message(Arc::new(Int64Array::from(vec![1; 60]))), message(Arc::new(Int64Array::from(vec![2; 4])))];
    let results = call(&*function(&Attack::answering(&enough.concat())).await, 0..64).unwrap();
    assert_eq!(numbers(&results)[59..61], [1, 2], "several messages are one column");
}

#[tokio::test]
async fn bytes_that_are_no_arrow_are_refused() {
    let said = failure(&Attack::calling(&answer("(i32.const 512)", "(i32.const 12)"))).await;
    assert!(wrong(&said).contains("Arrow is refused: message 0: it does not start with the mark"), "{said}");
}

#[tokio::test]
async fn a_bitmap_of_another_length_is_refused() {
    let mut nulls = message(Arc::new((0..64).map(|n| (n % 2 == 0).then_some(n)).collect::<Int64Array>()));
    assert_eq!(call(&*function(&Attack::answering(&nulls)).await, 0..64).unwrap().null_count(), 32);
    // The bitmap is the first buffer, of 8 bytes at 0.
    let place = [0u64.to_le_bytes(), 8u64.to_le_bytes()].concat();
    let at = nulls.windows(16).position(|bytes| bytes == place).unwrap();
    nulls[at + 8] = 7;
    let said = failure(&Attack::answering(&nulls)).await;
    assert!(wrong(&said).ends_with("column `y`: buffer 0 has 7 bytes, its rows need 8"), "{said}");
}

#[tokio::test]
async fn a_column_of_another_type_than_was_said_is_refused() {
    let text = message(Arc::new(StringArray::from(vec!["a"; 64])));
    let said = failure(&Attack::answering(&text)).await;
    assert!(wrong(&said).contains("3 buffers, the schema agreed on in `bind` has 2"), "{said}");
    let narrow = message(Arc::new(arrow::array::Int32Array::from(vec![1; 64])));
    let said = failure(&Attack::answering(&narrow)).await;
    assert!(wrong(&said).contains("buffer 1 has 256 bytes, its rows need 512"), "{said}");
}

#[tokio::test]
async fn a_null_where_it_said_that_there_is_none_is_refused() {
    let nulls = message(Arc::new((0..64).map(|n| (n > 0).then_some(n)).collect::<Int64Array>()));
    let never =
        said("same", &schema(&[("x", DataType::Int64, true)]), &schema(&[("y", DataType::Int64, false)]));
    let attack = Attack { functions: vec![never], ..Attack::answering(&nulls) };
    let said = failure(&attack).await;
    assert!(wrong(&said).contains("non-null"), "{said}");
}

#[tokio::test]
async fn an_instance_that_crashed_is_thrown_away_and_the_next_call_has_a_new_one() {
    // 666 in the first row is fatal, and so is any call of an instance that has been called before with it.
    let call_or_crash = format!(
        "(if (i64.eq (i64.const 666) (i64.load (i32.add (local.get $message) (i32.sub (local.get $size) (i32.const 8)))))
           (then (i32.store (i32.const 600) (i32.const 1)) unreachable))
         (if (i32.load (i32.const 600)) (then unreachable))
         {}",
        answer("(local.get $message)", "(local.get $size)")
    );
    let same = function(&Attack::calling(&call_or_crash)).await;
    assert_eq!(numbers(&call(&*same, 1..9).unwrap()), (1..9).collect::<Vec<_>>());
    let said = call(&*same, [1, 2, 3, 4, 5, 6, 7, 666]).unwrap_err();
    assert!(said.starts_with("Plugin: plugin hostile 0.0.1, function `same`: it crashed: "), "{said}");
    assert_eq!(numbers(&call(&*same, 1..9).unwrap()), (1..9).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_a_function_refuses_is_the_end_and_what_may_pass_later_is_tried_again_by_the_query() {
    let failing = |kind: u8| {
        Attack::calling(&format!(
            "(i32.store8 (i32.const 384) (i32.const 1)) (i32.store8 (i32.const 388) (i32.const {kind}))
             (i32.store (i32.const 392) (i32.const 512)) (i32.store (i32.const 396) (i32.const 7))"
        ))
    };
    for (kind, says) in [(0, "Plugin"), (1, "Unavailable"), (2, "Plugin")] {
        let same = function(&failing(kind)).await;
        for _ in 0..2 {
            let said = call(&*same, 0..64).unwrap_err();
            assert_eq!(said, format!("{says}: plugin hostile 0.0.1, function `same`: hostile"));
        }
    }
}
