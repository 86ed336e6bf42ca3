//! Rows that come once: lines of a socket or of standard input, decoded as they arrive.
//!
//! A thread cuts the input into lines, another decodes them; what is decoded waits, in bounded number, until an epoch
//! takes it and is released. What an earlier process took is gone.

use crate::formats::{
    lines::{Block, LineReader},
    rows::{LineFormat, LinePlace, RowDecoder, RowRules},
};
use engine::{Batch, BatchStream, Error, Offset, Planned, Range, Reach, Result};
use futures::stream;
use serde_json::json;
use std::{
    collections::VecDeque,
    io::{self, Read},
    sync::Arc,
    thread,
};
use tokio::sync::mpsc;

/// Blocks of lines that wait to be decoded, of up to 256 KiB each unless a line is longer.
const BLOCKS: usize = 16;

/// Batches that wait to be planned.
const BATCHES: usize = 64;

/// What a thread has read: whole lines, or the start of one that is too long.
pub(crate) enum Raw {
    /// Whole lines.
    Lines(Vec<u8>),
    /// The first bytes of a line that was skipped.
    TooLong(Vec<u8>),
}

/// Lines of an input, read on a thread of their own.
pub(crate) type RawLines = std::sync::mpsc::Receiver<io::Result<Raw>>;

/// Starts to read lines. The thread ends with the input, or when nobody listens any more and another line has come.
pub(crate) fn read_lines(input: impl Read + Send + 'static, longest: usize) -> Result<RawLines> {
    let (send, receive) = std::sync::mpsc::sync_channel(BLOCKS);
    let mut reader = LineReader::new(input, longest);
    let work = move || {
        loop {
            let raw = match reader.next() {
                Ok(Some(Block::Lines(lines))) => Ok(Raw::Lines(lines.to_vec())),
                Ok(Some(Block::TooLong(shown))) => Ok(Raw::TooLong(shown.to_vec())),
                Ok(None) => return,
                Err(e) => Err(e),
            };
            let failed = raw.is_err();
            if send.send(raw).is_err() || failed {
                return;
            }
        }
    };
    spawn("lines", work)?;
    Ok(receive)
}

/// Starts to decode lines: `first`, which were looked at already, then the others. `format` may take a header out of them
/// and says which number the next line has; it is called on the thread, as the header may be long in coming.
pub(crate) fn decode(
    mut first: Vec<Raw>,
    lines: RawLines,
    format: impl FnOnce(&mut Vec<Raw>, &RawLines) -> Result<(LineFormat, u64)> + Send + 'static,
    rules: RowRules,
    of: Arc<str>,
) -> Result<mpsc::Receiver<Result<Batch>>> {
    let (send, receive) = mpsc::channel(BATCHES);
    let work = move || {
        let decoded = format(&mut first, &lines).and_then(|(format, next)| {
            let decoder = RowDecoder::new(format, rules)?;
            Decoding { decoder, place: LinePlace { of, next }, send: &send }.all(first, &lines)
        });
        if let Err(error) = decoded {
            // Nobody listens any more: then nobody needs to know.
            let _ = send.blocking_send(Err(error));
        }
    };
    spawn("decode", work)?;
    Ok(receive)
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<()> {
    // Not a task of the runtime: a read that waits for a person to type must not keep the process from ending.
    let thread = thread::Builder::new().name(name.into()).spawn(work);
    thread.map(drop).map_err(|e| Error::internal("starting a thread").caused_by(e))
}

struct Decoding<'a> {
    decoder: RowDecoder,
    place: LinePlace,
    send: &'a mpsc::Sender<Result<Batch>>,
}

impl Decoding<'_> {
    /// Decodes what there is, and sends it on as soon as there is no more at hand.
    fn all(&mut self, first: Vec<Raw>, lines: &RawLines) -> Result<()> {
        for raw in first {
            self.one(&raw)?;
        }
        self.flush()?;
        while let Ok(raw) = lines.recv() {
            self.next(raw)?;
            while let Ok(raw) = lines.try_recv() {
                self.next(raw)?;
            }
            self.flush()?;
        }
        Ok(())
    }

    /// The next lines; or the error that ends them, behind everything that came before it.
    fn next(&mut self, raw: io::Result<Raw>) -> Result<()> {
        match raw {
            Ok(raw) => self.one(&raw),
            Err(error) => self.flush().and(Err(lost(&self.place.of, error))),
        }
    }

    fn one(&mut self, raw: &Raw) -> Result<()> {
        let Decoding { decoder, place, send } = self;
        let mut out = |batch| send.blocking_send(Ok(batch)).map_err(|_| Error::internal("nobody reads on"));
        match raw {
            Raw::Lines(block) => decoder.block(block, place, &mut out),
            Raw::TooLong(shown) => decoder.too_long(shown, place, &mut out),
        }
    }

    fn flush(&mut self) -> Result<()> {
        match self.decoder.flush(&mut self.place)? {
            Some(batch) => self.send.blocking_send(Ok(batch)).map_err(|_| Error::internal("nobody reads on")),
            None => Ok(()),
        }
    }
}

pub(crate) fn lost(of: &str, error: io::Error) -> Error {
    Error::new(engine::Kind::Unavailable, format!("reading from {of}")).caused_by(error)
}

/// Batches that were decoded and are not released.
#[derive(Default)]
pub(crate) struct Feed {
    batches: VecDeque<Batch>,
    /// The number of the first row of `batches`, over all processes.
    first: u64,
    /// Where new batches come from; none before the start, after an error, and after the end.
    incoming: Option<mpsc::Receiver<Result<Batch>>>,
    /// What has ended the input before its time, to be said once all that came before it is planned.
    failed: Option<Error>,
    /// Whether the input has ended for good.
    pub(crate) ended: bool,
}

impl Feed {
    /// Numbers rows from where the newest of `ranges` ended.
    pub(crate) fn restore(&mut self, ranges: &[Range], reach: Reach) -> Result<()> {
        if reach == Reach::Once {
            let instead =
                "one epoch would have to hold all of an input that comes once; use the trigger available-now";
            return Err(Error::invalid(instead));
        }
        self.first = ranges.last().map_or(0, |range| rows_of(Some(&range.end)));
        Ok(())
    }

    /// Plans the rows that are there, at most `limit`. Where the reach has an end, that is the end of the input: then it
    /// waits until there are rows or no more can come.
    pub(crate) async fn plan(
        &mut self,
        start: Option<&Offset>,
        reach: Reach,
        limit: Option<u64>,
    ) -> Result<Option<Planned>> {
        if self.batches.is_empty() {
            // The record of the last range may be dropped by now: what comes next is numbered from where it ended.
            self.first = self.first.max(rows_of(start));
        }
        let from = rows_of(start).max(self.first);
        self.drain();
        if reach != Reach::Endless {
            self.wait_for_rows(from).await;
        }
        let there = self.end().saturating_sub(from);
        if there == 0 {
            return self.failed.take().map_or(Ok(None), Err);
        }
        let rows = there.min(limit.unwrap_or(u64::MAX).max(1));
        let range =
            Range { start: start.cloned(), end: offset(from + rows), detail: serde_json::Value::Null };
        Ok(Some(Planned { range, backlog: there - rows }))
    }

    /// Takes what has been decoded without waiting for more, unless a lot is there already.
    fn drain(&mut self) {
        while self.batches.len() < BATCHES {
            let Some(incoming) = &mut self.incoming else { return };
            match incoming.try_recv() {
                Ok(batch) => self.take(Some(batch)),
                Err(mpsc::error::TryRecvError::Empty) => return,
                Err(mpsc::error::TryRecvError::Disconnected) => self.take(None),
            }
        }
    }

    async fn wait_for_rows(&mut self, from: u64) {
        while self.end() <= from {
            let Some(incoming) = &mut self.incoming else { return };
            let batch = incoming.recv().await;
            self.take(batch);
        }
        self.drain();
    }

    /// Takes what has come in: a batch, an error, or the end.
    fn take(&mut self, batch: Option<Result<Batch>>) {
        match batch {
            Some(Ok(batch)) => self.batches.push_back(batch),
            Some(Err(error)) => (self.incoming, self.failed) = (None, Some(error)),
            None => (self.incoming, self.ended) = (None, true),
        }
    }

    /// Whether the input has ended and all of it is released.
    pub(crate) fn is_over(&self) -> bool {
        self.ended && self.batches.is_empty()
    }

    /// Whether there is nothing that rows could still come from, and nothing to say about why.
    pub(crate) fn is_unconnected(&self) -> bool {
        self.incoming.is_none() && self.failed.is_none() && !self.ended
    }

    /// Takes new batches from here.
    pub(crate) fn connect(&mut self, incoming: mpsc::Receiver<Result<Batch>>) {
        self.incoming = Some(incoming);
    }

    /// The number of the row behind the last.
    fn end(&self) -> u64 {
        self.first + self.batches.iter().map(|b| b.len() as u64).sum::<u64>()
    }

    /// Returns once there may be more to plan.
    pub(crate) async fn wait(&mut self) {
        let Some(incoming) = &mut self.incoming else {
            if self.ended {
                std::future::pending::<()>().await;
            }
            return;
        };
        let batch = incoming.recv().await;
        self.take(batch);
    }

    /// The rows of a range, as one stream. Those that an earlier process took are gone, which is logged.
    pub(crate) fn read(&self, range: &Range, name: &str) -> Vec<BatchStream> {
        let (from, to) = (rows_of(range.start.as_ref()), rows_of(Some(&range.end)));
        if from < self.first {
            tracing::error!(
                source = name,
                rows = to.min(self.first) - from,
                "rows of an earlier process are lost"
            );
        }
        let mut at = self.first;
        let mut batches = Vec::new();
        for batch in &self.batches {
            let (start, end) = (at.max(from), (at + batch.len() as u64).min(to));
            if start < end {
                batches.push(Ok(slice(batch, (start - at) as usize, (end - start) as usize)));
            }
            at += batch.len() as u64;
        }
        vec![Box::pin(stream::iter(batches))]
    }

    /// Forgets the rows of a range.
    pub(crate) fn release(&mut self, range: &Range) {
        let to = rows_of(Some(&range.end));
        while let Some(batch) = self.batches.front_mut() {
            let rows = batch.len() as u64;
            if self.first + rows > to {
                let gone = to.saturating_sub(self.first);
                *batch = slice(batch, gone as usize, (rows - gone) as usize);
                self.first += gone;
                return;
            }
            self.first += rows;
            self.batches.pop_front();
        }
    }
}

fn slice(batch: &Batch, offset: usize, length: usize) -> Batch {
    if length == batch.len() {
        return batch.clone();
    }
    Batch { rows: batch.rows.slice(offset, length), origin: batch.origin.slice(offset, length) }
}

fn offset(rows: u64) -> Offset {
    Offset(json!({ "rows": rows }))
}

fn rows_of(offset: Option<&Offset>) -> u64 {
    offset.and_then(|o| o.0.get("rows")).and_then(serde_json::Value::as_u64).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, Int64Array, RecordBatch};
    use futures::StreamExt;

    fn batch(rows: i64) -> Batch {
        let values: ArrayRef = Arc::new(Int64Array::from_iter_values(0..rows));
        let place = engine::Place::At { of: "test".into(), unit: "line", first: 1 };
        Batch::read(RecordBatch::try_from_iter([("n", values)]).unwrap(), place)
    }

    #[tokio::test]
    async fn a_position_whose_record_is_gone_costs_no_line() {
        let (send, receive) = mpsc::channel(2);
        let mut feed = Feed::default();
        feed.restore(&[], Reach::Endless).unwrap();
        feed.connect(receive);
        send.try_send(Ok(batch(2))).unwrap();
        send.try_send(Ok(batch(3))).unwrap();
        let range = feed.plan(Some(&offset(100)), Reach::Endless, None).await.unwrap().unwrap().range;
        assert_eq!(range.end, offset(105));
        let stream = feed.read(&range, "in").into_iter().next().unwrap();
        let rows: Vec<usize> = stream.map(|batch| batch.unwrap().len()).collect().await;
        assert_eq!(rows, [2, 3]);
        feed.release(&range);
        assert!(feed.plan(Some(&range.end), Reach::Endless, None).await.unwrap().is_none());
        send.try_send(Ok(batch(1))).unwrap();
        let next = feed.plan(Some(&range.end), Reach::Endless, None).await.unwrap().unwrap();
        assert_eq!(next.range.end, offset(106));
    }
}
