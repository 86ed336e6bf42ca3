use super::*;
use arrow::{
    array::{AsArray, Int64Array, StringArray},
    datatypes::Int64Type,
};

fn batch(rows: &[(&str, i64)]) -> RecordBatch {
    let names: StringArray = rows.iter().map(|(name, _)| Some(*name)).collect();
    let counts: Int64Array = rows.iter().map(|(_, n)| Some(*n)).collect();
    RecordBatch::try_from_iter([("k", Arc::new(names) as _), ("n", Arc::new(counts) as _)]).unwrap()
}

fn content(table: &LiveTable) -> Vec<(String, i64)> {
    let all = table.snapshot().rows;
    let rows = all.iter().flat_map(|rows| {
        let (names, counts) = (rows.column(0).as_string::<i32>(), rows.column(1).as_primitive::<Int64Type>());
        (0..rows.num_rows()).map(|i| (names.value(i).to_owned(), counts.value(i)))
    });
    rows.collect()
}

/// What the table has after epochs with these rows, one partition each.
async fn after(
    mode: OutputMode,
    settings: MemorySettings,
    epochs: &[&[(&str, i64)]],
) -> Result<Vec<(String, i64)>> {
    let tables = LiveTables::default();
    let sink = MemorySink::new(settings, mode, tables.table("live"))?;
    for (epoch, rows) in epochs.iter().enumerate() {
        let rows = batch(rows);
        let begin = Begin::of("q", "live", epoch as u64, rows.schema());
        sink.accepts(mode, &begin.schema)?;
        let Begun::Writer(writer) = sink.begin(&begin).await? else { panic!("stored already") };
        writer.write(Partition(0), rows).await?;
        writer.commit().await?;
        assert!(matches!(sink.begin(&begin).await?, Begun::Stored(_)), "a replay adds nothing");
    }
    Ok(content(&tables.table("live")))
}

fn rows(of: &[(&str, i64)]) -> Vec<(String, i64)> {
    of.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect()
}

#[tokio::test]
async fn append_and_update_add_rows_and_complete_replaces_them() {
    let epochs: [&[(&str, i64)]; 2] = [&[("a", 1), ("b", 1)], &[("a", 2)]];
    for mode in [OutputMode::Append, OutputMode::Update] {
        let has = after(mode, MemorySettings::default(), &epochs).await.unwrap();
        assert_eq!(has, rows(&[("a", 1), ("b", 1), ("a", 2)]));
    }
    let has = after(OutputMode::Complete, MemorySettings::default(), &epochs).await.unwrap();
    assert_eq!(has, rows(&[("a", 2)]));
}

#[tokio::test]
async fn with_keys_a_row_replaces_the_older_one_of_its_key() {
    let settings = MemorySettings { keys: vec!["K".into()], ..MemorySettings::default() };
    let epochs: [&[(&str, i64)]; 3] = [&[("a", 1), ("b", 1)], &[("a", 2), ("a", 3)], &[("c", 1)]];
    let has = after(OutputMode::Update, settings, &epochs).await.unwrap();
    assert_eq!(has, rows(&[("b", 1), ("a", 3), ("c", 1)]));
}

#[tokio::test]
async fn keys_that_are_no_columns_and_modes_without_changes_are_refused() {
    let settings = MemorySettings { keys: vec!["z".into()], ..MemorySettings::default() };
    let error = after(OutputMode::Update, settings.clone(), &[&[("a", 1)]]).await.unwrap_err();
    assert_eq!(error.report(), "keys: there is no column `z`; there are: k, n");
    let error = after(OutputMode::Append, settings, &[&[("a", 1)]]).await.unwrap_err();
    assert!(error.report().contains("leave `keys` out"), "{error:?}");
}

#[tokio::test]
async fn a_table_over_its_size_ends_the_query_with_what_to_do() {
    let settings = MemorySettings { max_size: ByteSize(1), ..MemorySettings::default() };
    let error = after(OutputMode::Append, settings, &[&[("a", 1)]]).await.unwrap_err();
    assert!(error.report().contains("after epoch 0, and `max-size` is 1; raise it"), "{error:?}");
}

#[tokio::test]
async fn many_small_epochs_are_few_batches() {
    let tables = LiveTables::default();
    let table = tables.table("live");
    for epoch in 0..1000 {
        let rows = batch(&[("a", epoch)]);
        table
            .store(
                Epoch(epoch as u64),
                rows.schema(),
                vec![rows],
                OutputMode::Append,
                &MemorySettings::default(),
            )
            .unwrap();
    }
    assert_eq!(table.snapshot().rows.len(), 1);
    assert_eq!(content(&table).len(), 1000);
}
