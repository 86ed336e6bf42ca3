//! The input: events a millisecond apart, the same ones every time.

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use engine::{Kind, Result, ResultExt, Timestamp};
use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    path::Path,
    sync::Arc,
};

/// The columns of the files, as Spark's DDL.
pub(crate) const SCHEMA: &str =
    "user_id INT, event STRING, event_time TIMESTAMP, value DOUBLE, category STRING";

const FILES: u64 = 20;
const ROWS_OF_A_FILE: u64 = 100_000;
/// 2025-01-01, in microseconds since the Unix epoch.
const START: i64 = 1_735_689_600_000_000;
const KINDS: [&str; 6] = ["login", "view", "click", "search", "purchase", "logout"];

/// One row.
struct Event {
    user_id: u64,
    kind: &'static str,
    time: Timestamp,
    /// From 0.01 to 100.00, nine in ten of them above ten.
    value: f64,
    category: u64,
}

/// The event with this number.
fn event(number: u64) -> Event {
    let dice = mixed(number);
    let throw = |shift: u32, sides: u64| (((dice >> shift) & 0xffff) * sides) >> 16;
    Event {
        user_id: 1 + throw(0, 1_000),
        kind: KINDS.get(throw(16, KINDS.len() as u64) as usize).copied().unwrap_or_default(),
        time: Timestamp(START + number as i64 * 1_000),
        value: (1 + throw(32, 10_000)) as f64 / 100.0,
        category: throw(48, 10),
    }
}

/// Spreads the bits of a number: the finaliser of SplitMix64.
fn mixed(number: u64) -> u64 {
    let mut bits = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// Writes two million events to `folder`, as twenty files of JSON lines.
pub(crate) fn write(folder: &Path) -> Result<()> {
    let written = fs::create_dir_all(folder).and_then(|()| {
        (0..FILES).try_for_each(|file| {
            let mut out = BufWriter::new(File::create(folder.join(format!("events-{file:05}.json")))?);
            let first = file * ROWS_OF_A_FILE;
            (first..first + ROWS_OF_A_FILE).try_for_each(|number| line(&mut out, &event(number)))?;
            out.flush()
        })
    });
    written.doing(Kind::Unavailable, || format!("writing events to {}", folder.display()))
}

/// Writes the events as CSV with a header, as many files.
pub(crate) fn write_csv(folder: &Path) -> Result<()> {
    let written = fs::create_dir_all(folder).and_then(|()| {
        (0..FILES).try_for_each(|file| {
            let mut out = BufWriter::new(File::create(folder.join(format!("events-{file:05}.csv")))?);
            writeln!(out, "user_id,event,event_time,value,category")?;
            let first = file * ROWS_OF_A_FILE;
            for Event { user_id, kind, time, value, category } in (first..first + ROWS_OF_A_FILE).map(event) {
                writeln!(out, "{user_id},{kind},{time},{value:?},c{category}")?;
            }
            out.flush()
        })
    });
    written.doing(Kind::Unavailable, || format!("writing events to {}", folder.display()))
}

fn line(out: &mut impl Write, event: &Event) -> std::io::Result<()> {
    let Event { user_id, kind, time, value, category } = event;
    writeln!(
        out,
        r#"{{"user_id":{user_id},"event":"{kind}","event_time":"{time}","value":{value:?},"category":"c{category}"}}"#
    )
}

/// Makes `to` a folder with every file of `from` so many times, without taking more of the disk.
pub(crate) fn repeat(from: &Path, to: &Path, times: u32) -> Result<()> {
    let linked = fs::create_dir_all(to).and_then(|()| {
        fs::read_dir(from)?.try_for_each(|file| {
            let file = file?;
            let name = file.file_name();
            (0..times).try_for_each(|time| {
                fs::hard_link(file.path(), to.join(format!("{time:03}-{}", name.display())))
            })
        })
    });
    linked.doing(Kind::Unavailable, || format!("linking {} to {}", from.display(), to.display()))
}

/// The first events as a batch of four columns: a whole number, a text, a fraction and a time.
pub(crate) fn batch(rows: usize) -> Result<RecordBatch> {
    let events: Vec<Event> = (0..rows as u64).map(event).collect();
    let times = TimestampMicrosecondArray::from_iter_values(events.iter().map(|e| e.time.0));
    let columns: [(&str, ArrayRef); 4] = [
        ("user_id", Arc::new(Int64Array::from_iter_values(events.iter().map(|e| e.user_id as i64)))),
        ("event", Arc::new(StringArray::from_iter_values(events.iter().map(|e| e.kind)))),
        ("value", Arc::new(Float64Array::from_iter_values(events.iter().map(|e| e.value)))),
        ("event_time", Arc::new(times.with_timezone("UTC"))),
    ];
    RecordBatch::try_from_iter(columns).doing(Kind::Internal, || "making a batch of events")
}
