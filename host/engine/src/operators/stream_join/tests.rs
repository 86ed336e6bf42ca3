//! Joins as SQL plans them, driven epoch by epoch: with one shard, with several, and with state that is read back after
//! every epoch. All three have to come to the same.

use crate::{
    Epoch, EpochContext, Keyed, OutputMode, Piece, Result, Scattered,
    checkpoint::MemoryStore,
    event_time::{InForce, Watermark},
    plan::{Dataflow, Input, Work},
    shards::{KeyedState, Shard, States},
    sql::{Catalog, Outputs, Sql, with_delay},
    state::KeyGroups,
};
use arrow::{
    array::{
        Array, ArrayRef, AsArray, Int32Array, RecordBatch, StringArray, TimestampMicrosecondArray,
        UInt32Array,
    },
    compute::take_record_batch,
    datatypes::{DataType, Field, Int32Type, Schema, SchemaRef, TimeUnit, TimestampMicrosecondType},
};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::{collections::BTreeMap, num::NonZeroU16, sync::Arc};

const MINUTE: i64 = 60_000_000;

/// Key, minute, and a word.
type Row = (Option<i32>, Option<i64>, &'static str);

/// What comes in one epoch, and with which watermarks, in minutes.
#[derive(Clone, Default)]
struct Rows {
    left: Vec<Row>,
    right: Vec<Row>,
    late: i64,
    eviction: i64,
}

fn row(key: i32, minute: i64, word: &'static str) -> Row {
    (Some(key), Some(minute), word)
}

fn schema(prefix: &str, watermark: bool) -> SchemaRef {
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let schema = Schema::new(vec![
        Field::new(format!("{prefix}k"), DataType::Int32, true),
        Field::new(format!("{prefix}t"), time, true),
        Field::new(format!("{prefix}a"), DataType::Utf8, true),
    ]);
    Arc::new(if watermark { with_delay(&schema, &format!("{prefix}t"), 0) } else { schema })
}

fn batch(schema: &SchemaRef, rows: &[Row]) -> RecordBatch {
    let minutes = rows.iter().map(|row| row.1.map(|minute| minute * MINUTE));
    let columns: [ArrayRef; 3] = [
        Arc::new(rows.iter().map(|row| row.0).collect::<Int32Array>()),
        Arc::new(minutes.collect::<TimestampMicrosecondArray>().with_timezone("UTC")),
        Arc::new(rows.iter().map(|row| Some(row.2)).collect::<StringArray>()),
    ];
    RecordBatch::try_new(schema.clone(), columns.into()).unwrap()
}

/// A query over the streams `l` and `r`, whose columns are `lk, lt, la` and `rk, rt, ra`.
fn flow(sql: &str, mode: OutputMode, watermarks: bool) -> Result<Dataflow> {
    let tables: BTreeMap<String, SchemaRef> =
        ["l", "r"].map(|name| (name.to_owned(), schema(name, watermarks))).into();
    let planned = Sql::parse(sql)?.plan(Arc::new(Catalog::new(tables, "UTC")))?;
    let inputs = [("l", 0), ("r", 1)].map(|(name, at)| (name.to_owned(), Outputs::alike(Input::Source(at))));
    let mut flow = Dataflow::default();
    planned.add_to(&mut flow, "joined", &inputs.into(), &[mode])?;
    Ok(flow)
}

fn refusal(sql: &str, mode: OutputMode, watermarks: bool) -> String {
    flow(sql, mode, watermarks).map(drop).unwrap_err().report()
}

/// The join of a query, and its state.
struct Joined {
    flow: Dataflow,
    states: States,
    shards: usize,
    watermarks: bool,
}

impl Joined {
    fn new(sql: &str, shards: usize, watermarks: bool) -> Self {
        let flow = flow(sql, OutputMode::Append, watermarks).unwrap();
        let states = States::empty(&flow, groups());
        Joined { flow, states, shards, watermarks }
    }

    fn step(&self) -> Arc<dyn Keyed> {
        self.flow.keyed().next().unwrap().2.clone()
    }

    fn state(&self) -> Arc<KeyedState> {
        self.states.of("joined").unwrap()
    }

    /// Runs an epoch, each side in two partitions, and answers what comes out of each port.
    fn epoch(&self, of: &Rows) -> [Vec<String>; 2] {
        let mut cx = EpochContext::alone("q");
        let minutes = |minutes: i64| Watermark(minutes * MINUTE / 1000);
        cx.in_force = InForce { late: minutes(of.late), eviction: minutes(of.eviction) };
        let mut ports = [Vec::new(), Vec::new()];
        let mut pieces = Vec::new();
        for (input, (prefix, rows)) in [("l", &of.left), ("r", &of.right)].into_iter().enumerate() {
            for part in rows.chunks(rows.len().div_ceil(2).max(1)) {
                let mut out = Scattered::default();
                let mut scatter = self.step().scatter(input, &cx).unwrap();
                let rows = batch(&schema(prefix, self.watermarks), part);
                scatter.on_batch(&crate::Batch::read(rows, crate::Place::Epoch), &mut out).unwrap();
                scatter.on_end(&mut out).unwrap();
                pieces.extend(out.pieces.into_iter().map(|piece| (input, piece)));
                out.side.iter().for_each(|(port, rows)| ports[*port].extend(texts(rows)));
            }
        }
        for index in 0..self.shards {
            for (port, rows) in self.shard(index, &pieces, &cx) {
                ports[port].extend(texts(&rows));
            }
        }
        ports.iter_mut().for_each(|rows| rows.sort());
        ports
    }

    fn shard(&self, index: usize, pieces: &[(usize, Piece)], cx: &EpochContext) -> Vec<(usize, RecordBatch)> {
        let state = self.state();
        let crate::OneShard::Operator(mut operator) = self.step().shard(cx).unwrap() else {
            panic!("it waits")
        };
        for (input, piece) in pieces {
            let own = |hash: &u64| state.group_of(*hash) % self.shards == index;
            let rows: Vec<u32> =
                (0..).zip(&piece.hashes).filter(|(_, hash)| own(hash)).map(|(row, _)| row).collect();
            let hashes = rows.iter().map(|row| piece.hashes[*row as usize]).collect();
            let rows = take_record_batch(&piece.rows, &UInt32Array::from(rows)).unwrap();
            operator.on_piece(*input, Piece::new(rows, hashes)).unwrap();
        }
        let mut out = Vec::new();
        operator.on_epoch_end(&mut state.shard(Shard { index, of: self.shards }).unwrap(), &mut out).unwrap();
        out
    }

    /// Writes the state down and reads it back.
    async fn resume(&mut self, store: &MemoryStore, epoch: u64) {
        let files = self.states.commit(store, Epoch(epoch), "test").await.unwrap();
        self.states = States::restore(&self.flow, groups(), store, &files).await.unwrap();
    }
}

fn groups() -> KeyGroups {
    KeyGroups::new(NonZeroU16::new(8).unwrap())
}

/// Rows as words: `1 5 x 1 6 y`; times in minutes, `-` for NULL.
fn texts(rows: &RecordBatch) -> Vec<String> {
    let cell = |column: &ArrayRef, row: usize| match column.data_type() {
        _ if column.is_null(row) => "-".to_owned(),
        DataType::Int32 => column.as_primitive::<Int32Type>().value(row).to_string(),
        DataType::Utf8 => column.as_string::<i32>().value(row).to_owned(),
        DataType::Struct(_) => "w".to_owned(),
        _ => (column.as_primitive::<TimestampMicrosecondType>().value(row) / MINUTE).to_string(),
    };
    let text = |row| rows.columns().iter().map(|column| cell(column, row)).collect::<Vec<_>>().join(" ");
    (0..rows.num_rows()).map(text).collect()
}

/// What comes out in each epoch, and how many rows wait at the end.
async fn run(sql: &str, watermarks: bool, epochs: &[Rows]) -> (Vec<Vec<String>>, u64) {
    let whole = Joined::new(sql, 1, watermarks);
    let sharded = Joined::new(sql, 3, watermarks);
    let mut resumed = Joined::new(sql, 1, watermarks);
    let store = MemoryStore::default();
    let mut out = Vec::new();
    for (number, epoch) in epochs.iter().enumerate() {
        let rows = whole.epoch(epoch);
        assert_eq!(rows, sharded.epoch(epoch), "several shards, epoch {number}");
        assert_eq!(rows, resumed.epoch(epoch), "resumed, epoch {number}");
        resumed.resume(&store, number as u64).await;
        out.push(rows[0].clone());
    }
    assert_eq!(whole.state().size().0, resumed.state().size().0);
    (out, whole.state().size().0)
}

async fn outputs<const N: usize>(sql: &str, epochs: [Rows; N]) -> [Vec<String>; N] {
    run(sql, true, &epochs).await.0.try_into().unwrap()
}

const WITHIN_5: &str = "ON lk = rk AND rt >= lt AND rt <= lt + INTERVAL 5 MINUTES";

fn join(kind: &str, on: &str) -> String {
    format!("SELECT * FROM l {kind} JOIN r {on}")
}

#[tokio::test]
async fn a_pair_comes_out_once_whichever_of_the_two_comes_first() {
    let epochs = [
        Rows {
            left: vec![row(1, 10, "a"), row(2, 10, "b")],
            right: vec![row(1, 11, "x")],
            ..Rows::default()
        },
        Rows { left: vec![row(1, 11, "c")], right: vec![row(2, 12, "y"), row(3, 1, "z")], ..Rows::default() },
        Rows::default(),
    ];
    let [first, second, third] = outputs(&join("INNER", WITHIN_5), epochs).await;
    assert_eq!(first, ["1 10 a 1 11 x"]);
    assert_eq!(second, ["1 11 c 1 11 x", "2 10 b 2 12 y"]);
    assert!(third.is_empty());
}

#[tokio::test]
async fn a_row_that_never_matched_comes_out_with_nulls_once_it_leaves_and_not_before() {
    let epochs = [
        Rows { left: vec![row(1, 10, "a"), row(2, 10, "b")], ..Rows::default() },
        Rows { right: vec![row(2, 14, "y")], late: 9, eviction: 15, ..Rows::default() },
        Rows { late: 15, eviction: 16, ..Rows::default() },
        Rows { late: 16, eviction: 60, ..Rows::default() },
    ];
    let [first, second, third, fourth] = outputs(&join("LEFT", WITHIN_5), epochs).await;
    assert!(first.is_empty());
    // At 15 minutes a row of minute 15 could still come: what leaves is a millisecond older than the range.
    assert_eq!(second, ["2 10 b 2 14 y"]);
    assert_eq!(third, ["1 10 a - - -"]);
    assert!(fourth.is_empty());
}

#[tokio::test]
async fn the_watermark_that_lets_a_row_go_still_lets_it_match_in_its_epoch() {
    let late = Rows { left: vec![row(1, 10, "a")], ..Rows::default() };
    let both =
        Rows { right: vec![row(1, 11, "x"), row(7, 11, "y")], late: 5, eviction: 60, ..Rows::default() };
    let [_, out] = outputs(&join("FULL", WITHIN_5), [late, both]).await;
    assert_eq!(out, ["- - - 7 11 y", "1 10 a 1 11 x"]);
}

#[tokio::test]
async fn rows_of_one_key_leave_one_by_one_and_the_others_still_match() {
    let minutes = [30, 10, 20, 40, 15, 35];
    let epochs = [
        Rows { left: minutes.map(|minute| row(1, minute, "a")).into(), ..Rows::default() },
        Rows { late: 10, eviction: 21, ..Rows::default() },
        Rows { late: 21, eviction: 21, left: vec![row(1, 22, "b")], ..Rows::default() },
        Rows { late: 21, eviction: 36, ..Rows::default() },
        Rows { late: 36, eviction: 36, right: vec![row(1, 40, "x")], ..Rows::default() },
        Rows { late: 36, eviction: 99, ..Rows::default() },
    ];
    let (out, waiting) = run(&join("LEFT", WITHIN_5), true, &epochs).await;
    assert_eq!(out[1], ["1 10 a - - -", "1 15 a - - -"]);
    assert_eq!(out[3], ["1 20 a - - -", "1 22 b - - -", "1 30 a - - -"]);
    assert_eq!(out[4], ["1 35 a 1 40 x", "1 40 a 1 40 x"]);
    assert!(out[5].is_empty());
    assert_eq!(waiting, 0);
}

#[tokio::test]
async fn a_late_row_is_dropped_and_counted_and_can_be_had_beside() {
    let joined = Joined::new(&join("LEFT", WITHIN_5), 1, true);
    let epoch = Rows {
        left: vec![row(1, 10, "a"), row(1, 11, "b"), (Some(1), None, "c")],
        right: vec![row(1, 10, "x")],
        late: 10,
        eviction: 10,
    };
    assert_eq!(joined.epoch(&epoch), [vec![], vec!["- - - 1 10 x".to_owned(), "1 10 a - - -".to_owned()]]);
    assert_eq!((joined.step().take_late(), joined.step().take_late()), (2, 0));
    assert_eq!(joined.state().size().0, 2);
}

#[tokio::test]
async fn null_is_equal_to_nothing_unless_it_is_asked_to_be() {
    let epoch =
        Rows { left: vec![(None, Some(10), "a")], right: vec![(None, Some(11), "x")], ..Rows::default() };
    let end = Rows { late: 60, eviction: 60, ..Rows::default() };
    let epochs = [epoch, end];
    let [now, then] = outputs(&join("FULL", WITHIN_5), epochs.clone()).await;
    assert!(now.is_empty());
    assert_eq!(then, ["- - - - 11 x", "- 10 a - - -"]);
    assert_eq!(run(&join("INNER", WITHIN_5), true, &epochs[..1]).await, (vec![vec![]], 0));
    let null_safe = WITHIN_5.replace("lk = rk", "lk <=> rk");
    let [now, then] = outputs(&join("FULL", &null_safe), epochs).await;
    assert_eq!((now, then.len()), (vec!["- 10 a - 11 x".to_owned()], 0));
}

#[tokio::test]
async fn a_row_for_which_the_condition_cannot_hold_waits_for_nothing() {
    let epoch = Rows {
        left: vec![row(1, 10, "a"), row(1, 10, "b")],
        right: vec![row(1, 10, "x"), row(1, 10, "y")],
        ..Rows::default()
    };
    let on = format!("{WITHIN_5} AND la <> 'a' AND ra <> 'x'");
    let [out] = outputs(&join("LEFT", &on), [epoch.clone()]).await;
    assert_eq!(out, ["1 10 a - - -", "1 10 b 1 10 y"]);
    assert_eq!(run(&join("INNER", &on), true, &[epoch]).await.1, 2);
}

#[tokio::test]
async fn a_row_of_a_semi_join_comes_out_on_its_first_match_and_is_forgotten() {
    let epochs = [
        Rows {
            left: vec![row(1, 10, "a"), row(2, 10, "b")],
            right: vec![row(1, 11, "x")],
            ..Rows::default()
        },
        Rows { right: vec![row(1, 12, "y"), row(2, 12, "z"), row(2, 13, "z")], ..Rows::default() },
        Rows { left: vec![row(2, 11, "c"), row(3, 11, "d")], ..Rows::default() },
        Rows { late: 60, eviction: 60, ..Rows::default() },
    ];
    let (out, waiting) = run(&join("LEFT SEMI", WITHIN_5), true, &epochs).await;
    assert_eq!(out, [vec!["1 10 a"], vec!["2 10 b"], vec!["2 11 c"], vec![]]);
    assert_eq!(waiting, 0);
}

#[tokio::test]
async fn windows_that_are_equal_leave_with_their_end() {
    let sql = "SELECT * FROM l LEFT JOIN r ON lk = rk AND window(lt, '5 minutes') = window(rt, '5 minutes')";
    let epochs = [
        Rows { left: vec![row(1, 10, "a"), row(2, 14, "b")], ..Rows::default() },
        Rows { right: vec![row(1, 14, "x"), row(2, 15, "y")], late: 10, eviction: 14, ..Rows::default() },
        Rows { late: 14, eviction: 15, ..Rows::default() },
    ];
    let (out, waiting) = run(sql, true, &epochs).await;
    assert_eq!(out, [vec![], vec!["1 10 a 1 14 x"], vec!["2 14 b - - -"]]);
    assert_eq!(waiting, 1);
}

#[tokio::test]
async fn without_watermarks_everything_is_kept_and_matched() {
    let epochs = [
        Rows { left: vec![row(1, 10, "a")], ..Rows::default() },
        Rows { right: vec![row(1, 11, "x"), (Some(1), None, "y")], late: 0, eviction: 0, ..Rows::default() },
    ];
    let sql = "SELECT * FROM l, r WHERE lk = rk AND (rt IS NULL OR rt > lt)";
    let (out, waiting) = run(sql, false, &epochs).await;
    assert_eq!(out[1], ["1 10 a 1 - y", "1 10 a 1 11 x"]);
    assert_eq!(waiting, 3);
    assert!(!Joined::new(sql, 1, false).step().timed());
}

#[tokio::test]
async fn more_pairs_than_are_looked_at_together_all_come_out() {
    let rows = |word| (0..100).map(|_| row(1, 10, word)).collect::<Vec<_>>();
    let [out] =
        outputs(&join("INNER", WITHIN_5), [Rows { left: rows("a"), right: rows("x"), ..Rows::default() }])
            .await;
    assert_eq!(out.len(), 10_000);
    let [out] = outputs(
        &join("LEFT SEMI", WITHIN_5),
        [Rows { left: rows("a"), right: rows("x"), ..Rows::default() }],
    )
    .await;
    assert_eq!(out.len(), 100);
}

#[tokio::test]
async fn exists_and_in_are_semi_joins() {
    let epoch = Rows {
        left: vec![row(1, 10, "a"), row(2, 10, "b")],
        right: vec![row(1, 11, "x"), row(1, 12, "y"), row(2, 9, "z")],
        ..Rows::default()
    };
    let within = WITHIN_5.trim_start_matches("ON ");
    for sql in [
        format!("SELECT * FROM l WHERE EXISTS (SELECT 1 FROM r WHERE {within})"),
        "SELECT * FROM l WHERE lk IN (SELECT rk FROM r WHERE rt >= lt AND rt <= lt + INTERVAL 5 MINUTES)"
            .into(),
    ] {
        let end = Rows { late: 60, eviction: 60, ..Rows::default() };
        let (out, waiting) = run(&sql, true, &[epoch.clone(), end]).await;
        assert_eq!(out, [vec!["1 10 a"], vec![]], "{sql}");
        assert_eq!(waiting, 0, "{sql}");
    }
}

/// The join of all rows at once.
fn at_once(epochs: &[Rows]) -> Vec<String> {
    let all = |of: fn(&Rows) -> &Vec<Row>| epochs.iter().flat_map(of).copied().collect::<Vec<Row>>();
    let (left, right) = (all(|epoch| &epoch.left), all(|epoch| &epoch.right));
    let matches = |l: &Row, r: &Row| l.0 == r.0 && (0..=5).contains(&(r.1.unwrap() - l.1.unwrap()));
    let text = |row: &Row| format!("{} {} {}", row.0.unwrap(), row.1.unwrap(), row.2);
    let mut out = Vec::new();
    for l in &left {
        let matching = right.iter().filter(|r| matches(l, r)).map(|r| format!("{} {}", text(l), text(r)));
        let before = out.len();
        out.extend(matching);
        if out.len() == before {
            out.push(format!("{} - - -", text(l)));
        }
    }
    out.extend(
        right.iter().filter(|r| !left.iter().any(|l| matches(l, r))).map(|r| format!("- - - {}", text(r))),
    );
    out.sort();
    out
}

#[tokio::test]
async fn over_all_epochs_a_full_join_is_that_of_all_rows_at_once() {
    for seed in 0..20 {
        let mut random = StdRng::seed_from_u64(seed);
        let mut epochs: Vec<Rows> = (0..8)
            .map(|epoch: i64| {
                let mut rows = |word| {
                    let count = random.random_range(0..12);
                    let row = |_| row(random.random_range(0..3), epoch * 4 + random.random_range(1..9), word);
                    (0..count).map(row).collect::<Vec<_>>()
                };
                // Nothing comes late: the watermark is where the next epoch's times begin.
                Rows { left: rows("a"), right: rows("x"), late: epoch * 4, eviction: epoch * 4 }
            })
            .collect();
        epochs.push(Rows { late: 32, eviction: 99, ..Rows::default() });
        let (out, waiting) = run(&join("FULL", WITHIN_5), true, &epochs).await;
        let mut all: Vec<String> = out.into_iter().flatten().collect();
        all.sort();
        assert_eq!((all, waiting), (at_once(&epochs), 0), "seed {seed}");
    }
}

#[test]
fn what_a_join_holds_back_holds_the_watermark_back_behind_it() {
    let sql = format!("SELECT window(lt, '5 minutes'), count(*) FROM l JOIN r {WITHIN_5} GROUP BY 1");
    let flow = flow(&sql, OutputMode::Append, true).unwrap();
    let counting = flow.keyed().map(|(index, _, _)| index).last().unwrap();
    let query = InForce { late: Watermark(200_000), eviction: Watermark(600_000) };
    assert_eq!(flow.in_force(counting, query), InForce { late: Watermark(0), eviction: Watermark(299_999) });
    let joining = flow.steps.iter().position(|step| matches!(step.work, Work::Keyed(_))).unwrap();
    assert_eq!(flow.in_force(joining, query), query);
}

#[test]
fn a_join_that_cannot_be_kept_is_refused_with_what_would_work() {
    use OutputMode::{Append, Complete, Update};
    let inner = join("INNER", WITHIN_5);
    for (sql, mode, watermarks, says) in [
        (join("LEFT", WITHIN_5), Append, false, "set `watermark` on both sources"),
        (join("LEFT", "ON lk = rk"), Append, true, "no condition bounds its time"),
        (
            join("FULL", "ON lk = rk AND rt <= lt + INTERVAL 5 MINUTES"),
            Append,
            true,
            "a row of the right side",
        ),
        (join("LEFT", WITHIN_5), Update, true, "mode = \"append\""),
        (inner.clone(), Complete, true, "mode = \"append\""),
        (join("LEFT ANTI", WITHIN_5), Append, true, "use LEFT JOIN with watermarks"),
        (
            "SELECT * FROM l WHERE lk NOT IN (SELECT rk FROM r)".into(),
            Append,
            true,
            "use LEFT JOIN with watermarks",
        ),
        (join("CROSS", ""), Append, true, "ON a.id = b.id"),
        (join("INNER", "ON lt < rt"), Append, true, "ON a.id = b.id"),
        ("SELECT a.lk, b.lk FROM l a JOIN l b ON a.lk = b.lk".into(), Append, true, "called `lk`"),
        (
            "SELECT * FROM (SELECT *, window(lt, '5 minutes') AS w FROM l) a JOIN r ON lk = rk".into(),
            Append,
            true,
            "several columns of event time: a.lt, a.w",
        ),
    ] {
        let said = refusal(&sql, mode, watermarks);
        assert!(said.contains(says), "{sql}: {said}");
    }
    assert!(flow(&inner, Update, true).is_ok());
}

#[test]
fn columns_of_one_name_are_told_apart_among_the_late_rows() {
    let sql = "SELECT a.la FROM l a JOIN l b USING (LK, lt)";
    let flow = flow(sql, OutputMode::Append, true).unwrap();
    let (_, _, step) = flow.keyed().next().unwrap();
    let names =
        |port: usize| step.ports()[port].schema.fields().iter().map(|f| f.name().clone()).collect::<Vec<_>>();
    assert_eq!(names(0), ["lk", "lt", "la", "lk", "lt"]);
    assert_eq!(names(1), ["a.lk", "a.lt", "la", "b.lk", "b.lt"]);
}

#[test]
fn a_key_that_is_only_made_of_event_time_lets_nothing_go() {
    let sql = "SELECT la FROM l JOIN r ON lk = rk AND CAST(lt AS DATE) = CAST(rt AS DATE)";
    assert!(!Joined::new(sql, 1, true).step().timed());
}

#[test]
fn explain_says_what_is_joined_and_when_rows_leave() {
    let facts = Joined::new(&join("LEFT", WITHIN_5), 1, true).step().facts();
    assert_eq!(facts.description, "left outer join");
    assert_eq!(facts.details[0], "on l.lk = r.rk");
    assert!(facts.details[1].starts_with("where r.rt >= l.lt AND r.rt <= l.lt + "), "{}", facts.details[1]);
    let leaves = facts.details[2..].join("; ");
    assert_eq!(
        leaves,
        "rows of the left leave state when the watermark is 300001 ms past their time; \
         rows of the right leave state when the watermark is 1 ms past their time"
    );
}
