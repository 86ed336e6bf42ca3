use super::*;
use arrow::array::{ArrayRef, Float64Array, Int64Array, StringArray, TimestampMicrosecondArray};

#[derive(Clone, Default)]
struct Screen(Arc<Mutex<Vec<u8>>>);

impl Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What the console shows of an epoch whose partitions have these rows, the last partition written first.
async fn shown(settings: ConsoleSettings, partitions: Vec<RecordBatch>) -> String {
    let screen = Screen::default();
    let sink = ConsoleSink::new(settings, TimeZone::UTC, Box::new(screen.clone()));
    let begin =
        Begin { partitions: partitions.len() as u32, ..Begin::of("q", "console", 3, partitions[0].schema()) };
    let Begun::Writer(writer) = sink.begin(&begin).await.unwrap() else {
        panic!("the console stores nothing")
    };
    for (i, rows) in partitions.into_iter().enumerate().rev() {
        writer.write(Partition(i as u32), rows).await.unwrap();
    }
    assert!(screen.0.lock().unwrap().is_empty(), "nothing is shown before the commit");
    writer.commit().await.unwrap();
    let text = screen.0.lock().unwrap().clone();
    String::from_utf8(text).unwrap()
}

fn numbers(from: i64, to: i64) -> RecordBatch {
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(from..to));
    RecordBatch::try_from_iter([("n", numbers)]).unwrap()
}

#[tokio::test]
async fn an_epoch_looks_as_spark_prints_it() {
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("id", Arc::new(Int64Array::from(vec![Some(1), None]))),
        ("what", Arc::new(StringArray::from(vec!["a value of more than twenty characters", "two\u{1b}[2J"]))),
        ("at", Arc::new(TimestampMicrosecondArray::from(vec![0, 1_500_000]).with_timezone("UTC"))),
        ("x", Arc::new(Float64Array::from(vec![0.5, 1e9]))),
    ];
    let rows = RecordBatch::try_from_iter(columns).unwrap();
    let expected = r"
-------------------------------------------
Batch: 3
-------------------------------------------
+----+--------------------+--------------------+-----+
|  id|                what|                  at|    x|
+----+--------------------+--------------------+-----+
|   1|a value of more t...| 1970-01-01 00:00:00|  0.5|
|NULL|        two\u{1b}[2J|1970-01-01 00:00:...|1.0E9|
+----+--------------------+--------------------+-----+

";
    assert_eq!(shown(ConsoleSettings::default(), vec![rows]).await, expected.trim_start());
}

#[tokio::test]
async fn the_first_rows_are_those_of_the_first_partition() {
    let settings = ConsoleSettings { num_rows: 3, ..ConsoleSettings::default() };
    let text = shown(settings, vec![numbers(0, 2), numbers(2, 9)]).await;
    let body: Vec<_> = text.lines().skip(3).collect();
    assert_eq!(
        body,
        ["+---+", "|  n|", "+---+", "|  0|", "|  1|", "|  2|", "+---+", "only showing top 3 rows", ""]
    );
}

#[tokio::test]
async fn an_epoch_without_rows_is_a_table_without_rows() {
    let text = shown(ConsoleSettings::default(), vec![numbers(0, 0)]).await;
    assert!(text.ends_with("+---+\n|  n|\n+---+\n+---+\n\n"), "{text}");
}

#[tokio::test]
async fn uncut_values_are_aligned_to_the_left() {
    let words: ArrayRef = Arc::new(StringArray::from(vec!["a value of more than twenty characters", "日本"]));
    let rows = RecordBatch::try_from_iter([("w", words)]).unwrap();
    let settings = ConsoleSettings { truncate: Truncate::Whether(false), ..ConsoleSettings::default() };
    let text = shown(settings, vec![rows]).await;
    assert!(text.contains("|a value of more than twenty characters|\n"), "{text}");
    assert!(text.contains(&format!("|日本{}|\n", " ".repeat(34))), "{text}");
}

#[test]
fn truncate_is_a_switch_or_a_number() {
    let cut = |json: &str| serde_json::from_str::<ConsoleSettings>(json).unwrap().truncate.characters();
    assert_eq!(cut("{}"), Some(20));
    assert_eq!(cut(r#"{"truncate":false}"#), None);
    assert_eq!(cut(r#"{"truncate":7}"#), Some(7));
    assert!(serde_json::from_str::<ConsoleSettings>(r#"{"numRows":7}"#).is_err());
}
