use crate::{
    CheckpointStore, Created, Epoch, Error, Kind, Timestamp,
    checkpoint::{Checkpoint, CommitRecord, MemoryStore, Migration, OffsetRecord, StateRecord},
    operators::{Entries, Layout},
    state::{KeyGroups, StateTable},
};
use std::{collections::BTreeMap, sync::Arc};

fn offsets() -> OffsetRecord {
    OffsetRecord {
        time: Timestamp(0),
        partitions: 1,
        sources: BTreeMap::new(),
        positions: BTreeMap::new(),
        plugins: BTreeMap::new(),
        releases: BTreeMap::new(),
        consumed: Vec::new(),
        tables: BTreeMap::new(),
        idle: Vec::new(),
        watermarks: Default::default(),
    }
}

/// A checkpoint of two epochs with a step's state.
async fn checkpoint() -> (Arc<MemoryStore>, Checkpoint) {
    let store = Arc::new(MemoryStore::default());
    let checkpoint = Checkpoint::new(store.clone());
    checkpoint.open("numbers", BTreeMap::from([("in".into(), "numbers".into())])).await.unwrap();
    let steps = ["counts", "sums"];
    for step in steps {
        checkpoint.write_layout(step, &Layout::new(false, Entries::Count)).await.unwrap();
    }
    let tables = steps.map(|step| StateTable::new(step, KeyGroups::default()));
    for epoch in [Epoch(0), Epoch(1)] {
        assert_eq!(checkpoint.write_offsets(epoch, &offsets()).await.unwrap(), Created::Won);
        checkpoint.write_snapshot("in", epoch, format!("up to {epoch}").into()).await.unwrap();
        let mut state = BTreeMap::new();
        for (number, (step, table)) in (0u64..).zip(steps.iter().zip(&tables)) {
            table.group(0).unwrap().put(b"k", &(2 * epoch.0 + number).to_le_bytes()).unwrap();
            let files = table.commit(&*store, epoch, "5e1").await.unwrap();
            state.insert((*step).to_owned(), StateRecord { of: "counts".into(), files });
        }
        let commit = CommitRecord {
            time: Timestamp(0),
            rows: 1,
            sinks: BTreeMap::new(),
            watermarks: Default::default(),
            state,
            outputs: BTreeMap::new(),
        };
        assert_eq!(checkpoint.write_commit(epoch, &commit).await.unwrap(), Created::Won);
    }
    (store, checkpoint)
}

/// Writes `bytes` over a record.
async fn put(store: &MemoryStore, name: &str, bytes: bytes::Bytes) {
    store.delete(name).await.unwrap();
    assert_eq!(store.create(name, bytes).await.unwrap(), Created::Won);
}

/// Reads everything that a start, `checkpoint show` and `state show` read; answers the first error.
async fn read_all(store: &Arc<MemoryStore>) -> Option<Error> {
    let checkpoint = Checkpoint::new(store.clone());
    let read = async {
        checkpoint.metadata().await?;
        checkpoint.history("in").await?;
        checkpoint.epochs().await?;
        checkpoint.state(Some(Epoch(0))).await?;
        checkpoint.state(Some(Epoch(1))).await.map(drop)
    };
    read.await.err()
}

#[tokio::test]
async fn a_record_that_was_copied_over_another_is_named_with_what_it_is_and_the_way_back() {
    let copies = [
        ("offsets/0", "offsets/1", "it should be the plan of epoch 1 of", "and is the plan of epoch 0 of"),
        (
            "commits/1",
            "commits/0",
            "it should be the commit of epoch 0 of",
            "and is the commit of epoch 1 of",
        ),
        ("commits/1", "commits/0", "later epochs do not need it", "or delete it"),
        ("commits/0", "commits/1", "checkpoint reset memory --to 0", "put it back from a copy"),
        ("commits/0", "offsets/0", "the plan of epoch 0", "is the commit of epoch 0"),
        ("offsets/1", "commits/1", "the commit of epoch 1", "is the plan of epoch 1"),
        ("sources/in/0", "sources/in/1", "`in` remembers up to epoch 1", "or delete it"),
        ("state/counts/layout", "state/sums/layout", "of the state of step `sums`", "of step `counts`"),
        ("owners/0", "metadata", "it should be the metadata", "and is start 0"),
        ("state/counts/0-5e1.state", "state/counts/1-5e1.state", "1-5e1.state", "it was written by epoch 0"),
        ("state/sums/1-5e1.state", "state/counts/1-5e1.state", "counts", "it belongs to operator `sums`"),
    ];
    for (from, to, expected, found) in copies {
        let (store, checkpoint) = checkpoint().await;
        checkpoint.claim(1, Timestamp(0)).await.unwrap();
        assert!(read_all(&store).await.is_none());
        put(&store, to, store.read(from).await.unwrap().unwrap()).await;
        let error = read_all(&store).await.unwrap_or_else(|| panic!("{from} over {to} is believed"));
        let said = error.report();
        assert_eq!(error.kind(), Kind::Data, "{said}");
        let file = if to.ends_with(".state") { "memory/state" } else { to };
        assert!(said.contains(file) && said.contains(expected) && said.contains(found), "{from}: {said}");
    }
}

#[tokio::test]
async fn a_record_of_another_query_is_refused_wherever_it_comes_to_lie() {
    let records = [
        "metadata",
        "offsets/0",
        "offsets/1",
        "commits/0",
        "commits/1",
        "sources/in/1",
        "state/counts/layout",
    ];
    for name in records {
        let (store, own) = checkpoint().await;
        let (other, others) = checkpoint().await;
        put(&store, name, other.read(name).await.unwrap().unwrap()).await;
        let error = read_all(&store).await.unwrap_or_else(|| panic!("{name} is believed"));
        assert_eq!(error.kind(), Kind::Data);
        let said = error.report();
        let own = own.known().await.unwrap().id;
        let others = others.known().await.unwrap().id;
        assert!(said.contains(&own.0) && said.contains(&others.0) && said.contains("is damaged"), "{said}");
    }
}

#[tokio::test]
async fn a_record_that_is_cut_off_or_of_another_version_is_named() {
    let names =
        ["metadata", "offsets/0", "offsets/1", "commits/0", "commits/1", "sources/in/1", "state/sums/layout"];
    for name in names {
        let (store, _) = checkpoint().await;
        let whole = store.read(name).await.unwrap().unwrap();
        put(&store, name, whole.slice(..20)).await;
        let error = read_all(&store).await.unwrap();
        let said = error.report();
        assert_eq!(error.kind(), Kind::Data, "{said}");
        assert!(said.contains(&format!("memory/{name} is damaged (20 bytes); put it back")), "{said}");

        let text = String::from_utf8(whole.to_vec()).unwrap();
        let newer = text.replacen("\"version\": 2", "\"version\": 9", 1).replacen(
            "\"version\":2",
            "\"version\":9",
            1,
        );
        put(&store, name, newer.into()).await;
        let error = read_all(&store).await.unwrap();
        let said = error.report();
        assert_eq!(error.kind(), Kind::Invalid, "{said}");
        assert!(said.contains(name) && said.contains("has format version 9"), "{said}");
    }
}

#[tokio::test]
async fn a_state_file_of_another_start_is_not_taken_for_this_ones() {
    let (store, _) = checkpoint().await;
    let (mine, theirs) = ("state/counts/1-5e1.state", "state/counts/1-f00.state");
    let table = StateTable::new("counts", KeyGroups::default());
    table.group(0).unwrap().put(b"k", &7u64.to_le_bytes()).unwrap();
    table.commit(&*store, Epoch(1), "f00").await.unwrap();
    put(&store, mine, store.read(theirs).await.unwrap().unwrap()).await;
    let said = read_all(&store).await.unwrap().report();
    assert!(said.contains("it was written by another start") && said.contains("`f00`"), "{said}");
}

#[tokio::test]
async fn records_stay_readable_when_the_query_gets_a_new_identity_and_when_it_moves() {
    let (store, checkpoint) = checkpoint().await;
    let old = checkpoint.known().await.unwrap().id;
    checkpoint.reset(Epoch(0), true, false, Timestamp(0)).await.unwrap();
    assert!(Checkpoint::new(store.clone()).epochs().await.unwrap().len() == 2);
    checkpoint.reset(Epoch(0), true, false, Timestamp(0)).await.unwrap();
    let metadata = Checkpoint::new(store.clone()).metadata().await.unwrap().unwrap();
    assert_eq!((metadata.former.len(), &metadata.former[0]), (2, &old));
    store.delete("offsets/1").await.unwrap();
    let moved = Arc::new(MemoryStore::default());
    let migration =
        Migration { renamed: BTreeMap::from([("sums".into(), "totals".into())]), ..Migration::default() };
    checkpoint.migrate(&Checkpoint::new(moved.clone()), &migration, Timestamp(0)).await.unwrap();
    let (_, state) = Checkpoint::new(moved.clone()).state(None).await.unwrap();
    let steps: Vec<_> = state.iter().map(|state| state.step.as_str()).collect();
    assert_eq!(steps, ["counts", "totals"]);
    assert_eq!(Checkpoint::new(moved).history("in").await.unwrap().snapshot.unwrap(), "up to 1");
}
