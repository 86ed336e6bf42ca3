//! What guests say of their functions.

use super::*;

fn number(name: &str, null: bool) -> Schema {
    schema(&[(name, DataType::Int64, null)])
}

async fn refusal(functions: Vec<Said>) -> String {
    let bound = try_bind(Arc::new(SystemClock::new()), &Attack::of(functions), |_| {}).await;
    let report = bound.err().unwrap().report();
    report.strip_prefix("plugin hostile 0.0.1: ").unwrap_or_else(|| panic!("{report}")).to_owned()
}

#[tokio::test]
async fn functions_that_make_no_sense_are_refused_before_there_are_rows() {
    let named = |name: &str| said(name, &number("x", true), &number("y", true));
    assert_eq!(refusal(vec![]).await, "it has 0 functions; 1 to 256 are allowed");
    assert_eq!(refusal(vec![same(), named("SAME")]).await, "it has the function `SAME` twice");
    let no_name = "function `a b`: a name is made of letters, digits, `_` and `-`";
    assert_eq!(refusal(vec![named("a b")]).await, no_name);
    assert!(refusal(vec![named("")]).await.contains("a name is made of"));
    let two = schema(&[("a", DataType::Int64, true), ("b", DataType::Int64, true)]);
    let said_two = refusal(vec![said("same", &number("x", true), &two)]).await;
    assert_eq!(said_two, "function `same`: its result has 2 columns, and a value is one");
    let none = refusal(vec![said("same", &number("x", true), &Schema::empty())]).await;
    assert_eq!(none, "function `same`: its result has 0 columns, and a value is one");
    let names: Vec<String> = (0..65).map(|n| format!("x{n}")).collect();
    let many: Vec<_> = names.iter().map(|name| (name.as_str(), DataType::Int8, true)).collect();
    let many = refusal(vec![said("same", &schema(&many), &number("y", true))]).await;
    assert_eq!(many, "function `same`: it takes 65 arguments; 64 are allowed");
    let large =
        refusal(vec![said("same", &schema(&[("x", DataType::LargeUtf8, true)]), &number("y", true))]).await;
    assert!(large.contains("types that are given to no plugin"), "{large}");
}

#[tokio::test]
async fn a_schema_that_is_no_schema_is_refused() {
    let nonsense = Said { arguments: vec![1, 2, 3], ..same() };
    assert!(refusal(vec![nonsense]).await.starts_with("function `same`: the schema of its arguments: "));
    let nonsense = Said { returns: vec![], ..same() };
    assert!(refusal(vec![nonsense]).await.starts_with("function `same`: the schema of its result: "));
}

#[tokio::test]
async fn rows_that_leave_are_nothing_for_functions() {
    let attack = Attack { on_bind: "(i32.store8 (i32.const 336) (i32.const 1))".into(), ..Attack::default() };
    let bound = try_bind(Arc::new(SystemClock::new()), &attack, |_| {}).await;
    let report = bound.err().unwrap().report();
    assert_eq!(report, "plugin hostile 0.0.1: it says that rows leave it, and of functions none do");
}

#[tokio::test]
async fn a_plugin_may_have_several_functions_and_names_those_that_it_has() {
    let other = said("other", &Schema::empty(), &number("y", true));
    let bound = bound_functions(&Attack::of(vec![same(), Said { deterministic: false, ..other }])).await;
    assert_eq!(bound.names().collect::<Vec<_>>(), ["same", "other"]);
    assert!(!bound.function("other").unwrap().facts().deterministic);
    let missing = bound.function("Same").err().unwrap();
    assert_eq!(missing.report(), "plugin hostile 0.0.1 has no function `Same`; it has same, other");
    assert_eq!(missing.kind(), engine::Kind::Invalid);
}

#[tokio::test]
async fn a_new_instance_with_other_functions_than_the_first_is_refused() {
    let import = r#"(import "wasi:clocks/monotonic-clock@0.2.0" "now" (func $now (result i64)))"#;
    let later =
        "(if (i64.gt_u (call $now) (i64.const 500000000)) (then (i32.store (i32.const 388) (i32.const 0))))";
    let crash_on_one = format!(
        "(if (i64.eq (i64.const 1) (i64.load (i32.add (local.get $message) (i32.sub (local.get $size) (i32.const 8)))))
           (then unreachable)) {}",
        answer("(local.get $message)", "(local.get $size)")
    );
    let attack = Attack { top: import.into(), on_signatures: later.into(), ..Attack::calling(&crash_on_one) };
    let clock = Arc::new(ManualClock::new(Timestamp(0)));
    let bound = try_bind(clock.clone(), &attack, |_| {}).await.map_err(|e| e.report()).unwrap();
    let same = bound.function("same").unwrap();
    clock.advance(std::time::Duration::from_secs(1));
    assert!(call(&*same, [0]).is_ok(), "the first instance goes on");
    assert!(call(&*same, [1]).unwrap_err().contains("it crashed"));
    let said = call(&*same, [0]).unwrap_err();
    assert!(
        said.ends_with("it broke the plugin contract: a new instance has other functions than the first"),
        "{said}"
    );
}

#[tokio::test]
async fn a_plugin_without_functions_is_refused_with_where_it_belongs() {
    let runtime = runtime_with(Arc::new(SystemClock::new()));
    let plugin = load(&runtime, &Guest::default().component()).await.unwrap();
    let error = plugin.bind_functions(FunctionSettings::new("f")).await.err().unwrap();
    let expected = "plugin hostile 0.0.1: it cannot be used under [functions]: it exports transform and not `functions`: put it under [steps]";
    assert_eq!((error.kind(), error.report()), (engine::Kind::Invalid, expected.into()));
    let functions = load(&runtime, &Attack::default().component()).await.unwrap();
    let error = functions.bind(BindSettings::new("s", input())).await.err().unwrap();
    assert!(error.report().ends_with("put it under [functions]"), "{}", error.report());
}
