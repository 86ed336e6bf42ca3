//! Tables that change between versions of a plugin.

use super::*;

/// Tables `t` and `u` of this version, both of one number.
fn tables(version: u32, columns: &[(&str, DataType)]) -> Vec<Said> {
    ["t", "u"].map(|name| Said { version, ..value_of(name, columns) }).to_vec()
}

/// Puts 7 into `t`, and in epoch 1 into `u`.
fn first() -> Attack {
    let open = "(call $host_open (i32.const 900) (i32.const 1) (i32.const 700))";
    let name = "(i32.store8 (i32.const 900) (i32.const 117))";
    let number = [(0, 7)];
    Attack {
        tables: tables(1, &[("v", DataType::Int64)]),
        ..Attack::with(entries(&number), |bytes| {
            asks(&format!("{name}{open}(call $host_put (i32.load (i32.const 704)) {bytes} (i32.const 640))"))
        })
    }
}

/// A version whose values have other columns, and what it answers when it is asked to migrate.
fn second(migrate: &str) -> Attack {
    let columns = [("v", DataType::Int64), ("w", DataType::Int64)];
    let pair = Arc::new(of(&[("v", DataType::Int64), ("w", DataType::Int64)]));
    let migrated =
        message(&pair, vec![Arc::new(Int64Array::from(vec![8])), Arc::new(Int64Array::from(vec![9]))]);
    let stored = Arc::new(Schema::new(vec![
        Field::new("key", DataType::UInt32, false),
        Field::new("v", DataType::Int64, true),
        Field::new("w", DataType::Int64, true),
    ]));
    let entry = message(
        &stored,
        vec![
            Arc::new(UInt32Array::from(vec![0])),
            Arc::new(Int64Array::from(vec![1])),
            Arc::new(Int64Array::from(vec![2])),
        ],
    );
    let blobs = vec![entry, migrated];
    let migrate = migrate.replace("MIGRATED", &answer_migrated(&blob(&blobs, 1)));
    Attack {
        tables: tables(2, &columns),
        output: stored.as_ref().clone(),
        migrate,
        blobs,
        ..Attack::default()
    }
}

/// Answers these bytes to `migrate`, which has its list where `process` has the rows.
fn answer_migrated(bytes: &str) -> String {
    answer(bytes)
}

/// A query of the first version, with one entry in each table.
async fn before() -> Alone {
    let mut alone = Alone::new(bound(&first(), |_| {}).await);
    run(&mut alone, 1, [5]).await.unwrap();
    alone
}

/// How the second version fails in its first epoch; the first one goes on afterwards.
async fn migration_fails(migrate: &str) -> String {
    let mut alone = before().await.goes_on_with(bound(&second(migrate), |_| {}).await).await.unwrap();
    let said = run(&mut alone, 2, [5]).await.unwrap_err();
    let mut alone = alone.goes_on_with(bound(&first(), |_| {}).await).await.map_err(|e| e.report()).unwrap();
    assert_eq!(remembered(&run(&mut alone, 3, [5]).await.unwrap()), [7], "after {said}");
    let own = "Plugin: plugin hostile 0.0.1 (step guarded), epoch 2: migrating its table ";
    said.strip_prefix(own).unwrap_or_else(|| panic!("{said}")).to_owned()
}

#[tokio::test]
async fn a_migration_that_fails_half_way_leaves_all_as_it_was() {
    // The second table is `u`.
    let half = "(if (i32.eq (i32.load8_u (local.get $name)) (i32.const 117)) (then
        (i32.store8 (i32.const 384) (i32.const 1)) (i32.store8 (i32.const 388) (i32.const 2))
        (i32.store (i32.const 392) (i32.const 512)) (i32.store (i32.const 396) (i32.const 7))
        (return (i32.const 384))))
        MIGRATED";
    assert_eq!(migration_fails(half).await, "`u` from version 1 to 2: hostile");
}

#[tokio::test]
async fn a_migration_that_succeeds_is_kept_and_happens_once() {
    let once = "(if (i32.load (i32.const 600)) (then unreachable))
        (if (i32.eq (i32.load8_u (local.get $name)) (i32.const 117)) (then (i32.store (i32.const 600) (i32.const 1))))
        MIGRATED";
    let mut alone = before().await.goes_on_with(bound(&second(once), |_| {}).await).await.unwrap();
    assert_eq!(remembered(&run(&mut alone, 2, [5]).await.unwrap()), [8]);
    assert_eq!(remembered(&run(&mut alone, 3, [5]).await.unwrap()), [1]);
    // What it has kept is not for the first version any more.
    let back = alone.goes_on_with(bound(&first(), |_| {}).await).await.err().unwrap();
    assert_eq!(back.kind(), Kind::Invalid);
    assert_eq!(back.report(), "its table `t` is of version 1, and was of version 2 before");
}

#[tokio::test]
async fn answers_to_a_migration_that_make_no_sense_are_refused() {
    let rows = migration_fails("").await;
    assert_eq!(rows, "`t` from version 1 to 2: it answers 0 rows to 1");
    let same =
        "(i32.store (i32.const 388) (local.get $entries)) (i32.store (i32.const 392) (local.get $size))";
    let said = migration_fails(same).await;
    assert!(
        said.contains("the schema agreed on in `bind` has") || said.contains("Arrow is refused"),
        "{said}"
    );
    let garbage = "(i32.store (i32.const 388) (i32.const 512)) (i32.store (i32.const 392) (i32.const 12))";
    assert!(migration_fails(garbage).await.contains("Arrow is refused: message 0: "));
    let said = migration_fails("unreachable").await;
    assert!(said.starts_with("`t` from version 1 to 2: it crashed: "), "{said}");
    let open = "(call $host_open (i32.const 524) (i32.const 1) (i32.const 640)) MIGRATED";
    let said = migration_fails(open).await;
    assert!(said.contains("it calls what only work by key may call"), "{said}");
}

#[tokio::test]
async fn tables_that_do_not_follow_from_those_before_are_refused() {
    let refused = async |tables: Vec<Said>| {
        let next = bound(&Attack { tables, ..first() }, |_| {}).await;
        let error = before().await.goes_on_with(next).await.err().unwrap();
        assert_eq!(error.kind(), Kind::Invalid);
        error.report()
    };
    let number = [("v", DataType::Int64)];
    assert_eq!(refused(vec![value()]).await, "its table `u` is gone, with what it holds");
    assert_eq!(
        refused(tables(0, &number)).await,
        "its table `t` is of version 0, and was of version 1 before"
    );
    let others = tables(1, &[("v", DataType::Utf8)]);
    assert_eq!(
        refused(others).await,
        "its table `t` has other columns than before, and is still of version 1: the plugin has to raise it, and migrate"
    );
    let lists = tables(2, &number).into_iter().map(|table| Said { kind: (1, Vec::new()), ..table }).collect();
    assert_eq!(refused(lists).await, "its table `t` was a value table, and is a sequence table");
}
