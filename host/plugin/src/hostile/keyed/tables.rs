//! What guests say of their tables.

use super::*;

fn with(tables: Vec<Said>) -> Attack {
    Attack { tables, ..Attack::default() }
}

#[tokio::test]
async fn tables_that_make_no_sense_are_refused_before_there_are_rows() {
    assert_eq!(refusal(&with(vec![value(), value()])).await, "it has two tables `t`");
    let name = "the name of a table has 1 to 64 letters, digits, `-` and `_`, and one of its has not";
    for wrong in ["", "a b", "../t", &"t".repeat(65)] {
        assert_eq!(refusal(&with(vec![value_of(wrong, &[("v", DataType::Int64)])])).await, name, "{wrong}");
    }
    assert_eq!(refusal(&with(vec![value_of("t", &[])])).await, "its table `t` has values of no columns");
    let no_second = Said { kind: (2, ipc::encode_schema(&Schema::empty()).unwrap()), ..value() };
    assert_eq!(refusal(&with(vec![no_second])).await, "its table `t` has a second key of no columns");
    let short = Said { ttl_ms: Some(0), ..value() };
    assert_eq!(refusal(&with(vec![short])).await, "its table `t` lets values go after no time");
    let for_ever = Said { ttl_ms: Some(u64::MAX), ..value() };
    assert!(try_bind(&with(vec![for_ever]), |_| {}).await.is_ok());
    let nonsense = Said { value: vec![1, 2, 3], ..value() };
    let said = refusal(&with(vec![nonsense])).await;
    assert!(said.starts_with("its table `t`: the plugin's Arrow schema is refused: "), "{said}");
    let many = (0..65).map(|n| value_of(&format!("t{n}"), &[("v", DataType::Int64)])).collect();
    assert_eq!(refusal(&with(many)).await, "it has 65 tables; 64 are allowed");
}

#[tokio::test]
async fn an_instance_with_other_tables_than_the_first_is_refused() {
    let import = r#"(import "wasi:clocks/monotonic-clock@0.2.0" "now" (func $now (result i64)))"#;
    let later =
        "(if (i64.gt_u (call $now) (i64.const 500000000)) (then (i32.store (i32.const 364) (i32.const 0))))";
    let attack = Attack { top: import.into(), on_tables: later.into(), ..Attack::new("unreachable") };
    let clock = Arc::new(ManualClock::new(Timestamp(0)));
    let step =
        try_bind_on(&runtime_with(clock.clone()), &attack, |_| {}).await.map_err(|e| e.report()).unwrap();
    let mut alone = Alone::new(Arc::new(step));
    run(&mut alone, 0, [5]).await.unwrap();
    clock.advance(std::time::Duration::from_secs(1));
    assert_eq!(remembered(&run(&mut alone, 2, [5]).await.unwrap()), [7], "the first instance goes on");
    assert!(run(&mut alone, 1, [5]).await.unwrap_err().contains("it crashed"));
    let said = run(&mut alone, 2, [5]).await.unwrap_err();
    assert!(
        said.ends_with("starting an instance: it broke the plugin contract: a new instance has other tables than the first"),
        "{said}"
    );
}
