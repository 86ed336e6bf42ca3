//! What a commit to a Delta table costs as the table's log grows.

use crate::{
    process::Workshop,
    table::{self, median, micros, ratio},
};
use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use connectors::delta::{self, DeltaSinkOptions, DeltaSinkSettings};
use engine::{Begin, Begun, Clock, Error, Kind, OutputMode, Partition, Result, ResultExt, Sink, SystemClock};
use std::{sync::Arc, time::Duration};

const COMMITS: u64 = 2_000;
/// So many at the start are compared with as many at the end; the log is summed up once in each.
const SOME: usize = 100;

pub(crate) async fn rows(workshop: &Workshop) -> Result<()> {
    let settings = DeltaSinkSettings::new(workshop.path("delta"));
    let options = DeltaSinkOptions {
        mode: OutputMode::Append,
        clock: Arc::new(SystemClock::new()),
        environment: Default::default(),
        at_step: None,
    };
    let sink = delta::sink(settings, options)?;
    let mut times = Vec::new();
    for epoch in 0..COMMITS {
        times.push(commit(workshop, &*sink, epoch).await?);
    }
    let (first, last) =
        (times.get(..SOME).unwrap_or_default(), times.get(times.len() - SOME..).unwrap_or_default());
    let sum = |times: &[Duration]| times.iter().sum::<Duration>();
    let (medians, sums) =
        (ratio(median(last.iter().copied()), median(first.iter().copied())), ratio(sum(last), sum(first)));
    table::row(
        "2,000 commits of 100 rows to a Delta table: the last hundred beside the first, median and sum",
        &format!("{medians:.2} × and {sums:.2} × ({:.1} ms)", micros(median(last.iter().copied())) / 1e3),
        "≤ 1.3 ×",
        medians <= 1.3,
    );
    Ok(())
}

async fn commit(workshop: &Workshop, sink: &dyn Sink, epoch: u64) -> Result<Duration> {
    let start = workshop.clock.monotonic();
    let values: ArrayRef = Arc::new(Int64Array::from_iter_values(0..100));
    let rows = RecordBatch::try_from_iter([("n", values)]).doing(Kind::Internal, || "making rows")?;
    let begin = Begin::of("bench", "table", epoch, rows.schema());
    let Begun::Writer(writer) = sink.begin(&begin).await? else {
        return Err(Error::internal("an epoch is there before it was written"));
    };
    writer.write(Partition(0), rows).await?;
    writer.commit().await?;
    Ok(workshop.clock.monotonic() - start)
}
