use super::{
    super::groups::{Group, Work},
    *,
};
use arrow::{
    array::{ArrayRef, AsArray, BinaryArray, Int32Array, RecordBatch, StringArray},
    datatypes::{DataType, Field, Int32Type, Schema},
};
use engine::Place;

fn input() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("v", DataType::Int32, true)]))
}

fn bound(most: usize) -> (tempfile::TempDir, Bound) {
    let dir = tempfile::tempdir().unwrap();
    let scratch = dir.path().to_owned();
    (dir, Bound { most, scratch })
}

fn with_key(keys: BinaryArray, columns: Vec<ArrayRef>, input: &SchemaRef) -> Piece {
    let key = Arc::new(Field::new("key", DataType::Binary, false));
    let fields: Vec<_> = [key].into_iter().chain(input.fields().iter().cloned()).collect();
    let columns = [Arc::new(keys) as ArrayRef].into_iter().chain(columns).collect();
    let rows = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap();
    Piece::new(rows, Vec::new())
}

fn piece(rows: &[(&str, i32)]) -> Piece {
    let keys: BinaryArray = rows.iter().map(|(key, _)| Some(key.as_bytes())).collect();
    let values: Int32Array = rows.iter().map(|(_, value)| Some(*value)).collect();
    with_key(keys, vec![Arc::new(values)], &input())
}

/// The units that come of these pieces, each with its partition, where so much may be held.
async fn units(most_held: usize, pieces: &[(u32, Piece)], rows: usize) -> Vec<Unit> {
    let (_dir, bound) = bound(most_held);
    let mut sorter = Sorter::new(&input(), bound);
    for (partition, piece) in pieces {
        sorter.add(0, Partition(*partition), piece.clone()).await.unwrap();
    }
    let (mut sorted, _) = sorter.units(UnitSize { rows, bytes: usize::MAX }).await.unwrap();
    let mut units = Vec::new();
    while let Some(unit) = sorted.next().await.unwrap() {
        units.push(unit);
    }
    units
}

/// The same as text, held in memory and not.
async fn shown(pieces: &[(u32, Piece)], rows: usize) -> Vec<String> {
    let texts = |units: Vec<Unit>| units.iter().map(ToString::to_string).collect::<Vec<_>>();
    let held = texts(units(usize::MAX, pieces, rows).await);
    for most in [0, 100, 200] {
        assert_eq!(texts(units(most, pieces, rows).await), held, "with {most} bytes");
    }
    held
}

#[tokio::test]
async fn rows_are_by_key_and_within_a_key_by_partition() {
    let pieces = [
        (1, piece(&[("b", 3), ("a", 4)])),
        (0, piece(&[("a", 1), ("c", 5)])),
        (0, piece(&[("b", 7), ("a", 2)])),
    ];
    assert_eq!(shown(&pieces, 4).await, ["a124", "b73 c5"]);
}

#[tokio::test]
async fn a_key_is_never_divided_among_units() {
    let pieces = [(0, piece(&[("a", 1), ("b", 2), ("b", 3), ("b", 4), ("c", 5)]))];
    assert_eq!(shown(&pieces, 2).await, ["a1", "b234", "c5"]);
    assert_eq!(shown(&pieces, 4).await, ["a1 b234", "c5"]);
    assert_eq!(shown(&[], 4).await, [""; 0]);
}

/// Rows of keys that come again and again from two partitions, in many small pieces.
fn many() -> Vec<(u32, Piece)> {
    let key = |row: i32| format!("key {}", row.wrapping_mul(7919).rem_euclid(97));
    let piece_of = |number: i32| {
        let rows: Vec<(String, i32)> =
            (0..50).map(|row| (key(number * 50 + row), number * 50 + row)).collect();
        piece(&rows.iter().map(|(key, value)| (key.as_str(), *value)).collect::<Vec<_>>())
    };
    (0..200).map(|number| (number as u32 % 2, piece_of(number))).collect()
}

#[tokio::test]
async fn files_that_are_merged_several_times_have_the_rows_of_a_key_in_order() {
    let pieces = many();
    let expected = units(usize::MAX, &pieces, 300).await;
    for most in [1, 2_000, 20_000] {
        let merged = units(most, &pieces, 300).await;
        assert_eq!(merged.len(), expected.len());
        for (merged, expected) in merged.iter().zip(&expected) {
            assert_eq!(merged.to_string(), expected.to_string(), "with {most} bytes");
            let (Work::Rows { places: a, .. }, Work::Rows { places: b, .. }) = (&merged.work, &expected.work)
            else {
                panic!("timers")
            };
            assert_eq!(a, b);
        }
    }
}

#[tokio::test]
async fn a_row_says_of_which_piece_it_was() {
    let (_dir, bound) = bound(0);
    let mut sorter = Sorter::new(&input(), bound);
    for first in [10, 20] {
        let mut piece = piece(&[("b", 1), ("a", 2)]);
        let place = Place::At { of: "f".into(), unit: "line", first };
        piece.origin = Origin::at(place, 2);
        sorter.add(0, Partition(0), piece).await.unwrap();
    }
    let (mut sorted, origins) = sorter.units(UnitSize { rows: 9, bytes: usize::MAX }).await.unwrap();
    let unit = sorted.next().await.unwrap().unwrap();
    let Work::Rows { places, .. } = &unit.work else { panic!("timers") };
    let lines: Vec<u64> = places
        .values()
        .iter()
        .map(|place| origins[(place >> 32) as usize].position(*place as u32 as usize).first)
        .collect();
    assert_eq!(lines, [11, 21, 10, 20]);
}

/// Wide rows, several times as many as may be held.
#[tokio::test]
async fn an_epoch_larger_than_the_bound_is_held_within_it() {
    const MOST: usize = 4 << 20;
    let input: SchemaRef = Arc::new(Schema::new(vec![
        Field::new("v", DataType::Int32, true),
        Field::new("text", DataType::Utf8, true),
    ]));
    let (dir, bound) = bound(MOST);
    let mut sorter = Sorter::new(&input, bound);
    let (mut most_held, mut bytes) = (0, 0);
    for number in 0..400_i32 {
        let values = Int32Array::from_iter_values((0..256).map(|row| number * 256 + row));
        let keys = values.values().iter().map(|value| (value.wrapping_mul(7919) % 5_003).to_be_bytes());
        let keys = BinaryArray::from_iter_values(keys);
        let text = StringArray::from_iter_values((0..256).map(|_| "x".repeat(500)));
        let piece = with_key(keys, vec![Arc::new(values), Arc::new(text)], &input);
        bytes += piece.rows.get_array_memory_size();
        sorter.add(0, Partition(0), piece).await.unwrap();
        most_held = most_held.max(sorter.held().0);
    }
    assert!(bytes > 10 * MOST && sorter.held().1 > 9, "{bytes} bytes in {} files", sorter.held().1);
    assert!(most_held <= MOST, "{most_held} bytes are held");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "files have no names");
    let (mut sorted, _) = sorter.units(UnitSize { rows: 1_000, bytes: usize::MAX }).await.unwrap();
    let mut last: Option<Vec<u8>> = None;
    let mut rows_in_all = 0;
    while let Some(unit) = sorted.next().await.unwrap() {
        let Sorted::Merged(Some(merge)) = &sorted.sorted else { panic!("nothing was put into files") };
        assert!(merge.bytes() <= MOST, "{} bytes are read at once", merge.bytes());
        let Work::Rows { rows, groups, .. } = &unit.work else { panic!("timers") };
        assert!(rows.num_rows() <= 1_000);
        for Group { key, rows: of } in groups {
            assert!(last.as_deref().is_none_or(|last| last < &*key.bytes), "a key comes once");
            let values = rows.column(0).as_primitive::<Int32Type>().slice(of.start, of.len());
            assert!(values.values().is_sorted(), "in the order in which they came");
            last = Some(key.bytes.to_vec());
        }
        rows_in_all += rows.num_rows();
    }
    assert_eq!(rows_in_all, 400 * 256);
}

#[tokio::test]
async fn a_place_for_files_that_is_not_there_is_told() {
    let gone = Bound { most: 0, scratch: "/nowhere/at/all".into() };
    let mut sorter = Sorter::new(&input(), gone);
    let error = sorter.add(0, Partition(0), piece(&[("a", 1)])).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable);
    assert!(
        error.report().contains("are sorted in /nowhere/at/all, where there is to be room"),
        "{}",
        error.report()
    );
}
