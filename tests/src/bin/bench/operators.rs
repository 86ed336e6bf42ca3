//! What aggregations, state and joins cost, in this process and without decoding.

use crate::{
    fed::{Fed, Table, What},
    process::{Workshop, own_processor_time},
    table::{self, median, micros, ratio},
};
use arrow::{
    array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray},
    datatypes::TimestampMicrosecondType,
};
use engine::{
    CheckpointStore, Clock, Error, Kind, OutputMode, Progress, Result, ResultExt,
    checkpoint::{LocalStore, MemoryStore},
};
use std::{collections::HashMap, sync::Arc, time::Duration};

/// Rows that are aggregated.
const ROWS: i64 = 2_000_000;
const BATCH: i64 = 8192;
const RUNS: usize = 5;
/// 2025-01-01, in microseconds.
const START: i64 = 1_735_689_600_000_000;
/// Microseconds of a second.
const SECOND: i64 = 1_000_000;

pub(crate) async fn rows(workshop: &Workshop) -> Result<()> {
    let events = epochs(1, ROWS, |n| (n * 7919 % 10, START + n * 1_000))?;
    tumbling(workshop, &events).await?;
    sliding(workshop, &events).await?;
    many_keys(workshop).await?;
    join(workshop).await
}

pub(crate) type Epochs = Arc<Vec<Vec<RecordBatch>>>;

/// Epochs of so many rows each: a category, a number and a time.
pub(crate) fn epochs(count: i64, rows: i64, row: impl Fn(i64) -> (i64, i64)) -> Result<Epochs> {
    let batch = |first: i64, end: i64| {
        let rows: Vec<(i64, i64)> = (first..end).map(&row).collect();
        let keys = Int64Array::from_iter_values(rows.iter().map(|(key, _)| *key));
        let names = StringArray::from_iter_values(rows.iter().map(|(key, _)| format!("c{key}")));
        let times = TimestampMicrosecondArray::from_iter_values(rows.iter().map(|(_, time)| *time));
        let columns: [(&str, ArrayRef); 3] = [
            ("k", Arc::new(keys)),
            ("category", Arc::new(names)),
            ("t", Arc::new(times.with_timezone("UTC"))),
        ];
        RecordBatch::try_from_iter(columns).doing(Kind::Internal, || "making rows")
    };
    let epoch = |epoch: i64| {
        let (from, to) = (epoch * rows, (epoch + 1) * rows);
        (from..to).step_by(BATCH as usize).map(|first| batch(first, (first + BATCH).min(to))).collect()
    };
    Ok(Arc::new((0..count).map(epoch).collect::<Result<_>>()?))
}

/// Rows of a table `events`, with a watermark 5 s behind.
fn events(epochs: &Epochs) -> Table {
    Table { name: "events", epochs: epochs.clone(), watermark: Some(("t", Duration::from_secs(5))) }
}

/// How long a query over the events takes, and how long it takes for the same rows if it keeps none of them.
async fn timed(workshop: &Workshop, events: &Table, sql: &str) -> Result<Duration> {
    let mut times = Vec::new();
    for _ in 0..RUNS {
        let fed =
            Fed { tables: vec![events.clone()], what: What::Sql(sql.to_owned()), mode: OutputMode::Append };
        let start = workshop.clock.monotonic();
        fed.run(Arc::new(MemoryStore::default())).await?;
        times.push(workshop.clock.monotonic() - start);
    }
    Ok(median(times))
}

async fn tumbling(workshop: &Workshop, epochs: &Epochs) -> Result<()> {
    let sql = "SELECT window(t, '10 seconds') AS w, category, count(*) AS n FROM events GROUP BY 1, 2";
    let ours = timed(workshop, &events(epochs), sql).await?;
    let mut times = Vec::new();
    for _ in 0..RUNS {
        let start = workshop.clock.monotonic();
        let groups = by_hand(epochs.iter().flatten())?;
        times.push(workshop.clock.monotonic() - start);
        if groups != 2000 {
            return Err(Error::internal(format!("{groups} groups by hand")));
        }
    }
    let hand = median(times);
    let beside = ratio(ours, hand);
    table::row(
        "windows of 10 s by category, 2 M rows in memory, beside a loop written by hand",
        &format!("{beside:.2} × ({:.0} ms, by hand {:.0} ms)", micros(ours) / 1e3, micros(hand) / 1e3),
        "≤ 2 ×",
        beside <= 2.0,
    );
    Ok(())
}

/// How many groups there are, counted by the plainest loop.
fn by_hand<'b>(batches: impl Iterator<Item = &'b RecordBatch>) -> Result<usize> {
    let mut counts: HashMap<(i64, &str), u64> = HashMap::new();
    for rows in batches {
        let names = rows.column(1).as_string::<i32>();
        let times = rows.column(2).as_primitive::<TimestampMicrosecondType>();
        for (name, time) in names.iter().zip(times) {
            let (Some(name), Some(time)) = (name, time) else { continue };
            *counts.entry((time - time.rem_euclid(10 * SECOND), name)).or_default() += 1;
        }
    }
    Ok(counts.len())
}

async fn sliding(workshop: &Workshop, epochs: &Epochs) -> Result<()> {
    let mut times = Vec::new();
    for slides in [1, 6, 60] {
        let sql = format!(
            "SELECT window(t, '60 seconds', '{} seconds') AS w, category, count(*) AS n FROM events GROUP BY 1, 2",
            60 / slides
        );
        times.push(timed(workshop, &events(epochs), &sql).await?);
    }
    let [one, six, sixty] = times[..] else { return Ok(()) };
    let growth = ratio(sixty, one);
    table::row(
        "windows of 60 s that slide: 6 and 60 slides beside 1",
        &format!("{:.2} × and {growth:.2} × the time ({:.0} ms)", ratio(six, one), micros(one) / 1e3),
        "less than 6 × and 60 ×",
        ratio(six, one) < 6.0 && growth < 60.0,
    );
    Ok(())
}

/// A million keys, then each of them again, in epochs of ten thousand; then a restart.
async fn many_keys(workshop: &Workshop) -> Result<()> {
    const KEYS: i64 = 1_000_000;
    let store: Arc<dyn CheckpointStore> = Arc::new(LocalStore::new(workshop.path("keys")));
    let counted = |epochs: &Epochs| Fed {
        tables: vec![Table { name: "events", epochs: epochs.clone(), watermark: None }],
        what: What::Sql("SELECT k, count(*) AS n, max(t) AS last FROM events GROUP BY k".into()),
        mode: OutputMode::Update,
    };
    let all = epochs(200, 10_000, |n| (n * 7919 % KEYS, START + n))?;
    let before = own_processor_time()?;
    let said = counted(&all).run(store.clone()).await?;
    let took = own_processor_time()? - before;
    let key = micros(took) / (2 * KEYS) as f64;
    // While the keys are new the tables that hold them grow, all at about the same time.
    let (growing, steady) = said.split_at(said.len() / 2);
    let [(_, slowest_growing), (middle, slowest)] = [growing, steady].map(|epochs| {
        let mut millis: Vec<u64> = epochs.iter().map(|epoch| epoch.duration_ms.trigger_execution).collect();
        millis.sort_unstable();
        (at(&millis, 50), at(&millis, 99))
    });
    let state = said.last().and_then(|epoch: &Progress| epoch.state_operators.first());
    let bytes = state.map_or(0, |state| state.memory_used_bytes / state.num_rows_total.max(1));
    table::row(
        "1 M keys upserted twice in epochs of 10,000: processor time, planning and commits included",
        &format!("{key:.2} µs a key"),
        "≤ 2.5 µs",
        key <= 2.5,
    );
    table::row("state of a key", &format!("{bytes} bytes"), "≤ 300 bytes", (1..=300).contains(&bytes));
    table::row(
        "slowest epoch in a hundred beside the median, when no key is new; state has no background work",
        &format!(
            "{:.2} × ({slowest} ms, {middle} ms; {slowest_growing} ms while keys are new)",
            slowest as f64 / middle.max(1) as f64
        ),
        "≤ 2 ×",
        slowest <= 2 * middle,
    );
    let start = workshop.clock.monotonic();
    let said = counted(&all).run(store).await?;
    let restart = workshop.clock.monotonic() - start;
    table::row(
        "restart with 1 M keys in state",
        &format!("{:.2} s", restart.as_secs_f64()),
        "≤ 2 s",
        restart <= Duration::from_secs(2) && said.is_empty(),
    );
    Ok(())
}

/// The value that so many of a hundred are not above.
fn at(sorted: &[u64], of_hundred: usize) -> u64 {
    sorted.get((sorted.len() * of_hundred / 100).min(sorted.len().saturating_sub(1))).copied().unwrap_or(0)
}

/// Two streams of a million rows, each row of which has one match.
async fn join(workshop: &Workshop) -> Result<()> {
    const SIDE: i64 = 1_000_000;
    let side = |name, late: i64| -> Result<Table> {
        let epochs = epochs(10, SIDE / 10, |n| (n, START + n * 1_000 + late))?;
        Ok(Table { name, epochs, watermark: Some(("t", Duration::from_secs(60))) })
    };
    let fed = Fed {
        tables: vec![side("a", 0)?, side("b", SECOND)?],
        what: What::Sql(
            "SELECT a.k, a.t, b.t AS matched FROM a JOIN b ON a.k = b.k AND b.t BETWEEN a.t AND a.t + INTERVAL '10' MINUTE".into(),
        ),
        mode: OutputMode::Append,
    };
    let start = workshop.clock.monotonic();
    let said = fed.run(Arc::new(MemoryStore::default())).await?;
    let took = workshop.clock.monotonic() - start;
    let matched: u64 = said.iter().flat_map(|epoch| &epoch.sinks).map(|sink| sink.num_output_rows).sum();
    let bytes =
        |epoch: &Progress| epoch.state_operators.iter().map(|state| state.memory_used_bytes).sum::<u64>();
    let peak = said.iter().map(bytes).max().unwrap_or(0);
    table::row(
        "join of two streams, 1 M rows a side, 10 minutes",
        &format!("{:.2} s, {:.0} MB of state at most", took.as_secs_f64(), table::megabytes(peak)),
        "reported",
        matched == SIDE as u64,
    );
    Ok(())
}
