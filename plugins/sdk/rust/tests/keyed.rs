//! Plugins that keep state, made with the attribute, in the harness.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, missing_docs, reason = "tests")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use streamhost::arrow::array::{Int64Array, StringArray};
use streamhost::arrow::datatypes::Schema;
use streamhost::keyed::{Before, Groups, Input, Output, Plan, State, Table, Timer};
use streamhost::prelude::*;
use streamhost::testing::{Job, bind_keyed};
use streamhost::{Interval, Keyed, Manifest, ddl};

#[derive(Row)]
struct User<'a> {
    user: &'a str,
}

#[derive(Row)]
struct Visit {
    at: Timestamp,
}

#[derive(Row, Clone)]
struct Open {
    start: Timestamp,
    end: Timestamp,
    n: i64,
}

#[derive(Row)]
struct Session<'a> {
    user: &'a str,
    start: Timestamp,
    end: Timestamp,
    n: i64,
}

const GAP: Duration = Duration::from_secs(120);

#[streamhost::keyed(expired = ended)]
fn sessions<'a>(
    _user: User<'a>,
    visits: Group<Visit>,
    open: &mut Option<Open>,
    timers: &mut Timers,
) -> Result<Option<Session<'a>>> {
    for Visit { at } in visits {
        let open = open.get_or_insert(Open { start: at, end: at, n: 0 });
        *open = Open { start: open.start.min(at), end: open.end.max(at), n: open.n + 1 };
    }
    if let Some(open) = open {
        timers.replace(Clock::EventTime, open.end + GAP)?;
    }
    Ok(None)
}

fn ended<'a>(
    user: User<'a>,
    _: Fired,
    open: &mut Option<Open>,
    _: &mut Timers,
) -> Result<Option<Session<'a>>> {
    Ok(open.take().map(|Open { start, end, n }| Session { user: user.user, start, end, n }))
}

const VISITS: &str = "user STRING, at TIMESTAMP";

fn job<P: Keyed>(config: &str) -> Job<P> {
    bind_keyed(config, VISITS, &["user"]).unwrap()
}

fn visits(of: &[(&str, &str)]) -> String {
    of.iter().map(|(user, at)| format!("{{\"user\": \"{user}\", \"at\": \"2025-03-01T{at}Z\"}}\n")).collect()
}

#[test]
fn a_session_ends_when_the_watermark_passes_its_gap() {
    let mut job = job::<sessions>("");
    job.epoch(&visits(&[("b", "12:00:00"), ("a", "12:01:00"), ("b", "12:01:30")])).unwrap().expect("");
    job.watermark("2025-03-01T12:03:29Z")
        .unwrap()
        .epoch("")
        .unwrap()
        .expect(r#"{"user": "a", "start": "2025-03-01T12:01:00Z", "end": "2025-03-01T12:01:00Z", "n": 1}"#);
    assert_eq!(job.state("open").unwrap().len(), 1);
    job.watermark("2025-03-01T12:03:30Z")
        .unwrap()
        .epoch("")
        .unwrap()
        .expect(r#"{"user": "b", "start": "2025-03-01T12:00:00Z", "end": "2025-03-01T12:01:30Z", "n": 2}"#);
    assert!(job.state("open").unwrap().is_empty() && job.timers(Clock::EventTime).unwrap().is_empty());
}

#[test]
fn a_key_beyond_a_batch_finds_its_state_in_the_next_call() {
    let mut job = job::<sessions>("");
    let rows = visits(&[
        ("a", "12:00:01"),
        ("b", "12:00:00"),
        ("b", "12:00:02"),
        ("b", "12:00:01"),
        ("c", "12:00:00"),
    ]);
    job.batch_rows(2).epoch(&rows).unwrap();
    let state = job.state("open").unwrap();
    assert_eq!(state.iter().map(|row| row["n"].as_i64()).collect::<Vec<_>>(), [Some(1), Some(3), Some(1)]);
    assert_eq!(job.timers(Clock::EventTime).unwrap().len(), 3);
}

#[test]
fn rows_of_a_key_whose_function_fails_are_in_error_and_leave_its_state() {
    let mut job = job::<sessions>("");
    job.epoch(&visits(&[("a", "12:10:00")])).unwrap();
    job.watermark("2025-03-01T12:05:00Z").unwrap();
    let answer = job.epoch(&visits(&[("b", "12:00:00"), ("a", "12:11:00"), ("b", "12:01:00")])).unwrap();
    let why = "a timer at 2025-03-01T12:03:00Z is not after the watermark, 2025-03-01T12:05:00Z";
    assert_eq!(answer.errors, [format!("row 0: {why}"), format!("row 2: {why}")]);
    let state = job.state("open").unwrap();
    assert_eq!((state.len(), state[0]["n"].as_i64()), (1, Some(2)));
}

#[test]
fn a_row_that_cannot_be_read_is_in_error_and_the_others_go_on() {
    let mut job = job::<sessions>("");
    let answer = job.epoch("{\"user\": \"a\"}\n{\"user\": \"a\", \"at\": \"2025-03-01T12:00:00Z\"}\n{\"at\": \"2025-03-01T12:00:00Z\"}").unwrap();
    assert_eq!(answer.errors, ["row 0: `at` is null", "row 2: `user` is null"]);
    assert_eq!(job.state("open").unwrap()[0]["n"], 1);
}

#[derive(Row)]
struct Buy<'a> {
    item: &'a str,
    price: f64,
}

#[derive(Row, Clone)]
struct Price {
    price: f64,
}

#[derive(Row, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Item {
    item: String,
}

#[derive(Row)]
struct Told {
    total: f64,
    items: i64,
    bought: i64,
}

/// All kinds of tables, and no key: its columns come by themselves.
#[streamhost::keyed(tables(bought(ttl = "1h")))]
fn basket(
    buys: Group<Buy>,
    total: &mut Option<Price>,
    bought: &mut Vec<Price>,
    items: &mut BTreeMap<Item, Price>,
) -> Result<[Told; 1]> {
    buys.each(|Buy { item, price }| {
        if price < 0.0 {
            return Err(Error::permanent("a price is not negative"));
        }
        total.get_or_insert(Price { price: 0.0 }).price += price;
        bought.push(Price { price });
        match price == 0.0 {
            true => drop(items.remove(&Item { item: item.into() })),
            false => drop(items.insert(Item { item: item.into() }, Price { price })),
        }
        Ok(())
    });
    let sum = total.as_ref().map_or(0.0, |total| total.price);
    if sum > 100.0 {
        *total = None;
        bought.clear();
        items.clear();
    }
    Ok([Told { total: sum, items: items.len() as i64, bought: bought.len() as i64 }])
}

const BUYS: &str = "country STRING, id INT, item STRING, price DOUBLE";

fn buys(of: &[(i32, &str, f64)]) -> String {
    let row = |(id, item, price): &(i32, &str, f64)| {
        format!("{{\"country\": \"de\", \"id\": {id}, \"item\": \"{item}\", \"price\": {price}}}\n")
    };
    of.iter().map(row).collect()
}

#[test]
fn values_lists_and_maps_are_kept_for_each_key() {
    let mut job = bind_keyed::<basket>("", BUYS, &["country", "id"]).unwrap();
    let answer = job.epoch(&buys(&[(2, "x", 1.0), (1, "x", 2.0), (2, "y", -1.0), (2, "z", 4.0)])).unwrap();
    answer.expect(
        r#"
        {"country": "de", "id": 1, "total": 2, "items": 1, "bought": 1}
        {"country": "de", "id": 2, "total": 5, "items": 2, "bought": 2}
        "#,
    );
    assert_eq!(answer.errors, ["row 2: a price is not negative"]);
    job.epoch(&buys(&[(2, "z", 5.0), (2, "x", 0.0)]))
        .unwrap()
        .expect(r#"{"country": "de", "id": 2, "total": 10, "items": 1, "bought": 4}"#);
    let items = job.state("items").unwrap();
    assert_eq!(items[1].to_string(), r#"{"country":"de","id":2,"item":"z","price":5}"#);
    assert_eq!(items.len(), 2);
    job.epoch(&buys(&[(2, "x", 100.0)])).unwrap();
    assert_eq!(["total", "bought", "items"].map(|table| job.state(table).unwrap().len()), [1, 1, 1]);
}

#[test]
fn what_was_not_put_for_a_while_is_gone() {
    let mut job = bind_keyed::<basket>("", BUYS, &["id"]).unwrap();
    let mut bought = |now: &str| {
        let answer = job.now(now).unwrap().epoch(&buys(&[(1, "x", 1.0)])).unwrap();
        (answer.rows[0]["bought"].as_i64().unwrap(), answer.rows[0]["total"].as_i64().unwrap())
    };
    assert_eq!(bought("2025-03-01T12:00:00Z"), (1, 1));
    assert_eq!(bought("2025-03-01T12:59:59Z"), (2, 2));
    assert_eq!(bought("2025-03-01T13:00:00Z"), (2, 3));
    assert_eq!(bought("2025-03-01T15:00:00Z"), (1, 4));
}

#[streamhost::config]
struct Every {
    #[serde(default = "minute")]
    every: Interval,
    #[serde(default)]
    column: Option<String>,
}

fn minute() -> Interval {
    Interval(Duration::from_secs(60))
}

fn reads(config: &Every) -> Vec<String> {
    vec![config.column.clone().unwrap_or_else(|| "value".into())]
}

fn ttl(config: &Every) -> Duration {
    config.every.0 * 10
}

#[derive(Row)]
struct Value {
    value: i64,
}

#[derive(Row, Clone)]
struct Sum {
    sum: i64,
}

#[derive(Row)]
struct Tick {
    at: Timestamp,
    sum: i64,
}

/// Tells the sum every minute, from a column that the configuration names.
#[streamhost::keyed(expired = tick, reads = reads, ttl = ttl, tables(sum(ttl = ttl, version = 2)), migrate = migrate)]
fn ticks(
    values: Group<Value>,
    sum: &mut Option<Sum>,
    timers: &mut Timers,
    config: &Every,
    cx: &Context,
) -> Result<Vec<Tick>> {
    if sum.is_none() {
        timers.set(Clock::ProcessingTime, Timestamp(cx.now) + config.every.0)?;
        timers.set(Clock::ProcessingTime, Timestamp(cx.now) + config.every.0 * 2)?;
    }
    sum.get_or_insert(Sum { sum: 0 }).sum += values.map(|Value { value }| value).sum::<i64>();
    Ok(Vec::new())
}

fn tick(
    fired: Fired,
    sum: &mut Option<Sum>,
    timers: &mut Timers,
    config: &Every,
    cx: &Context,
) -> Result<Vec<Tick>> {
    let Some(sum) = sum else { return Ok(Vec::new()) };
    if sum.sum > 100 {
        return Err(Error::permanent("too much"));
    }
    sum.sum += 10;
    timers.replace(Clock::ProcessingTime, Timestamp(cx.now) + config.every.0)?;
    Ok(vec![Tick { at: fired.at, sum: sum.sum }])
}

#[derive(Row)]
struct OldSum {
    total: i32,
}

fn migrate(before: &Before) -> Result<RecordBatch> {
    match (before.table(), before.version()) {
        ("sum", 1) => before.each(|OldSum { total }| Ok(Sum { sum: total.into() })),
        _ => Err(before.unknown()),
    }
}

#[test]
fn timers_of_one_key_in_one_call_see_what_the_ones_before_left() {
    let mut job = bind_keyed::<ticks>(r#"{"column": "x"}"#, "id INT, x INT", &["id"]).unwrap();
    job.now("2025-03-01T12:00:00Z").unwrap();
    job.epoch("{\"id\": 2, \"x\": 5}\n{\"id\": 1, \"x\": 7}\n{\"id\": 3, \"x\": 200}").unwrap().expect("");
    assert_eq!(job.timers(Clock::ProcessingTime).unwrap().len(), 6);
    let answer = job.now("2025-03-01T12:02:00Z").unwrap().epoch("").unwrap();
    answer.expect(
        r#"
        {"id": 1, "at": "2025-03-01T12:01:00Z", "sum": 17}
        {"id": 2, "at": "2025-03-01T12:01:00Z", "sum": 15}
        {"id": 1, "at": "2025-03-01T12:02:00Z", "sum": 27}
        {"id": 2, "at": "2025-03-01T12:02:00Z", "sum": 25}
        "#,
    );
    assert_eq!(answer.errors, ["timer 2: too much", "timer 5: too much"]);
    assert_eq!(job.timers(Clock::ProcessingTime).unwrap().len(), 2);
}

#[test]
fn tables_of_an_older_version_are_migrated() {
    let job = bind_keyed::<ticks>("", "id INT, value INT", &["id"]).unwrap();
    let renewed = job.migrate("sum", 1, "total INT", "{\"total\": 3}\n{\"total\": 4}").unwrap();
    assert_eq!(renewed.iter().map(|row| row["sum"].as_i64()).collect::<Vec<_>>(), [Some(3), Some(4)]);
    let unknown = job.migrate("sum", 0, "total INT", "{\"total\": 3}").err().map(|error| error.to_string());
    let wanted = "table `sum` is stored in version 0, which the plugin does not know how to migrate";
    assert_eq!(unknown.as_deref(), Some(wanted));
}

#[test]
fn what_cannot_be_bound_is_refused() {
    let refused = |schema: &str, keys: &[&str]| {
        bind_keyed::<sessions>("", schema, keys).err().map(|error| error.to_string()).unwrap()
    };
    let without = refused(VISITS, &[]);
    assert!(without.ends_with("name the key's columns, as in keys = [\"user_id\"]"), "{without}");
    assert_eq!(
        refused(VISITS, &["id"]),
        "the input has no column `id`; its columns are user STRING, at TIMESTAMP"
    );
    assert_eq!(refused(VISITS, &["at"]), "the input has no column `user`; its columns are at TIMESTAMP");
    assert_eq!(
        refused("user STRING, at INT", &["user"]),
        "column `at` has type INT, and the plugin reads TIMESTAMP"
    );
}

#[test]
fn an_epoch_that_fails_leaves_everything_as_it_was() {
    let mut job = bind_keyed::<basket>("", BUYS, &["id"]).unwrap();
    job.epoch(&buys(&[(1, "x", 1.0)])).unwrap();
    let before = job.state("bought").unwrap();
    assert!(job.epoch("{\"id\": 1, \"price\": \"much\"}").is_err());
    assert_eq!(job.state("bought").unwrap(), before);
}

/// Does one thing with its state, for each call.
enum Probe {}

#[streamhost::config]
struct Does {
    does: String,
}

impl Keyed for Probe {
    const MANIFEST: Manifest =
        Manifest { name: "probe", version: "0.1.0", summary: "Probes.", deterministic: true, asks: &[] };
    type Config = Does;

    fn plan(_: &Does, input: &Input) -> Result<Plan> {
        let value = || ddl::parse("n BIGINT");
        let tables = vec![
            Table::value("value", value()?),
            Table::sequence("list", value()?),
            Table::mapping("map", ddl::parse("of STRING")?, value()?),
        ];
        Ok(Plan { tables, ..Plan::of(Schema::clone(&input.keys)) })
    }

    fn process(
        Does { does }: &Does,
        cx: &Context,
        groups: &Groups,
        state: &State<'_>,
        _: &mut RowErrors,
    ) -> Result<Output> {
        let numbers =
            |n: &[i64]| batch([("n", Arc::new(Int64Array::from(n.to_vec())) as ArrayRef)].into_iter());
        let of = |of: &[&str]| ("of", Arc::new(StringArray::from(of.to_vec())) as ArrayRef);
        let entries = |names: &[&str], n: &[i64]| {
            batch([of(names), ("n", Arc::new(Int64Array::from(n.to_vec())) as ArrayRef)].into_iter())
        };
        let (value, list, map) = (state.open("value")?, state.open("list")?, state.open("map")?);
        match does.as_str() {
            "reach-back" => {
                state.set_timers(Clock::ProcessingTime, &[Timer { key: 0, at: cx.now }])?;
            }
            "another-key" => value.remove(&[groups.len() as u32])?,
            "another-table" => {
                state.open("other")?;
            }
            "other-columns" => value.put(&[0], &batch([of(&["x"])].into_iter())?)?,
            "other-count" => value.put(&[0, 0], &numbers(&[1])?)?,
            "append-to-a-value" => value.append(&[0], &numbers(&[1])?)?,
            "find-in-a-list" => drop(list.find(&[0], &batch([of(&["x"])].into_iter())?)?),
            "find" => {
                list.append(&[0, 0], &numbers(&[1, 2])?)?;
                list.put(&[0, 0], &numbers(&[3, 4])?)?;
                list.append(&[0], &numbers(&[5])?)?;
                map.put(&[0, 0, 0], &entries(&["b", "a", "c"], &[2, 1, 3])?)?;
                map.remove_found(&[0, 0], &batch([of(&["c", "d"])].into_iter())?)?;
                let found = map.find(&[0, 0], &batch([of(&["z", "b"])].into_iter())?)?;
                assert_eq!((found.keys(), found.values()), (&[0][..], &numbers(&[2])?));
            }
            other => panic!("{other}"),
        }
        Ok(Output::default())
    }
}

fn batch<'a>(columns: impl Iterator<Item = (&'a str, ArrayRef)>) -> Result<RecordBatch> {
    Ok(RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true)))?)
}

fn probe(does: &str) -> (Job<Probe>, Result<streamhost::testing::Answer>) {
    let mut job = bind_keyed::<Probe>(&format!("{{\"does\": \"{does}\"}}"), "id INT", &["id"]).unwrap();
    let answer = job.now("2025-03-01T12:00:00Z").unwrap().epoch(r#"{"id": 1}"#);
    (job, answer)
}

#[test]
fn what_the_host_refuses_is_refused() {
    let why = |does: &str| probe(does).1.err().map(|error| error.to_string()).unwrap();
    assert_eq!(
        why("reach-back"),
        "it sets a timer at 2025-03-01T12:00:00Z, which the time of the epoch, 2025-03-01T12:00:00Z, has reached"
    );
    assert_eq!(why("another-key"), "table `value`: it names key 1, and the call has 1 keys");
    assert_eq!(why("another-table"), "the plugin did not declare a table `other`");
    assert_eq!(why("other-columns"), "table `value` takes n BIGINT, and is given of STRING");
    assert_eq!(why("other-count"), "table `value` is given 2 keys for 1 rows");
    assert_eq!(why("append-to-a-value"), "table `value` is no sequence, so nothing is appended to it");
    assert_eq!(
        why("find-in-a-list"),
        "table `list` is no mapping, so nothing is found in it by a second key"
    );
}

#[test]
fn entries_are_found_added_and_removed() {
    let (job, answer) = probe("find");
    answer.unwrap();
    let shown = |table: &str| job.state(table).unwrap().iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(shown("list"), [r#"{"id":1,"n":3}"#, r#"{"id":1,"n":4}"#, r#"{"id":1,"n":5}"#]);
    assert_eq!(shown("map"), [r#"{"id":1,"n":1,"of":"a"}"#, r#"{"id":1,"n":2,"of":"b"}"#]);
}
