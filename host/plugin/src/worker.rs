use crate::{
    bind::OnError,
    fault::Fault,
    fingerprint,
    instance::{Call, Instance},
    ipc::Encoder,
    outcome::{self, Applied, RowError, marked},
    policy::{self, Course, Piece, Stop, cut},
    step::Bound,
    tally::Cost,
    wasi::mixed,
};
use arrow::array::RecordBatch;
use async_trait::async_trait;
use engine::{Batch, Batching, EpochContext, Error, Kind, Origin, Place, Result, Worker};
use std::{sync::Arc, time::Duration};

/// One lane of a plugin step: an instance and what it needs to be fed.
pub(crate) struct Lane {
    bound: Arc<Bound>,
    batching: Batching,
    encoder: Encoder,
    /// None before the first batch, and after a fault until the next call. Taken out for the time of a call, so
    /// that a call which was abandoned half-way takes its instance with it.
    instance: Option<Instance>,
    message: Vec<u8>,
}

/// The work on one batch.
struct Job<'a> {
    cx: &'a EpochContext,
    /// What is left to do, next piece last.
    todo: Vec<Piece>,
    /// Time that failing calls have taken.
    searching: Duration,
    rows_out: usize,
    rejected: usize,
    out: &'a mut Vec<(usize, Batch)>,
}

impl Lane {
    pub(crate) fn new(bound: Arc<Bound>, batching: Batching) -> Result<Self> {
        let encoder = Encoder::of_columns(&bound.settings.input, &bound.agreed.reads.indices)?;
        Ok(Lane { bound, batching, encoder, instance: None, message: Vec::new() })
    }

    /// Whether a new instance takes a batch, one without rows, and answers it as it has agreed to. The instance is kept for the
    /// first batch that has rows.
    pub(crate) async fn try_out(&mut self) -> Result<()> {
        let cx = EpochContext::alone("health");
        let rows = RecordBatch::new_empty(self.bound.settings.input.clone());
        let answer = self.call(&cx, &Batch::read(rows, Place::Epoch)).await?.0;
        if let Some(instance) = self.instance.take() {
            self.bound.instances.keep(instance);
        }
        // Nobody is to count it among the work of an epoch.
        self.bound.tally.progress();
        self.bound.tally.fingerprint();
        answer.map(drop).map_err(|fault| self.bound.blame(cx.epoch, "a batch without rows", fault))
    }

    async fn work(&mut self, job: &mut Job<'_>) -> Result<()> {
        while let Some(piece) = job.todo.pop() {
            if !piece.wait.is_zero() {
                self.bound.plugin.0.core.clock.sleep(piece.wait).await;
            }
            match self.call(job.cx, &piece.batch).await? {
                (Ok(applied), _) => self.accept(job, piece, applied)?,
                (Err(fault), cost) => self.cope(job, piece, &fault, &cost)?,
            }
        }
        Ok(())
    }

    /// One call into the guest and the check of its answer, with what it cost. An error is the host's own.
    async fn call(&mut self, cx: &EpochContext, batch: &Batch) -> Result<(Result<Applied, Fault>, Cost)> {
        self.message.clear();
        self.encoder.encode_into(&batch.rows, &mut self.message)?;
        let mut instance = match self.instance.take() {
            Some(instance) => instance,
            None => match self.bound.instances.take().await {
                Ok(instance) => instance,
                Err(fault) => return Err(self.bound.blame(cx.epoch, "starting an instance", fault)),
            },
        };
        let seed = seed(cx, batch);
        let said = instance.process(Call { cx, seed }, &self.message).await;
        if let (Ok(said), true) = (&said, self.bound.plugin.description().deterministic) {
            self.bound.tally.answered(fingerprint::of(said, seed));
        }
        let limits = &self.bound.settings.limits;
        let applied = said.and_then(|said| outcome::apply(&self.bound.agreed, batch, said, limits));
        let cost = self.cost(&instance, &applied);
        self.bound.tally.call(&cost);
        self.bound.tally.metrics(instance.metrics());
        if !applied.as_ref().is_err_and(Fault::is_fatal) {
            self.instance = Some(instance);
        }
        Ok((applied, cost))
    }

    fn cost(&self, instance: &Instance, applied: &Result<Applied, Fault>) -> Cost {
        let (bytes_out, rows_out) = applied.as_ref().map_or((0, 0), |a| (a.bytes, a.rows_out()));
        Cost { bytes_in: self.message.len(), bytes_out, rows_out, ..instance.cost() }
    }

    /// Takes what a call put out, and decides on the rows it could not process.
    fn accept(&self, job: &mut Job<'_>, piece: Piece, applied: Applied) -> Result<()> {
        let retry = self.bound.settings.retry.wait(piece.tries);
        let (again, reject): (Vec<_>, Vec<_>) =
            applied.errors.iter().partition(|e: &&RowError| e.retry && retry.is_some());
        job.rows_out += applied.out.iter().map(|(_, batch)| batch.len()).sum::<usize>();
        job.out.extend(applied.out);
        self.reject(job, &piece.batch, &reject)?;
        if let (false, Some(wait)) = (again.is_empty(), retry) {
            let batch = pick(&piece.batch, again.iter().map(|e| e.row))?;
            job.todo.push(Piece { batch, ..piece }.again(wait));
        }
        Ok(())
    }

    /// Decides what comes after a failed call.
    fn cope(&self, job: &mut Job<'_>, piece: Piece, fault: &Fault, cost: &Cost) -> Result<()> {
        let settings = &self.bound.settings;
        match policy::course(fault, piece.batch.len(), piece.tries, settings.on_error, &settings.retry) {
            Course::Again(wait) => job.todo.push(piece.again(wait)),
            Course::Stop(stop) => return Err(self.stop(job, &piece.batch, stop, fault)),
            Course::Reject => {
                let error = RowError { row: 0, retry: false, message: fault.to_string() };
                self.reject(job, &piece.batch, &[&error])?;
            }
            Course::Halve => {
                self.search(job, &piece.batch, fault, cost)?;
                let [first, second] = piece.halves();
                job.todo.extend([second, first]);
            }
        }
        Ok(())
    }

    /// Bounds how long the bad rows of one batch are searched for: not by the number of calls, as a crash costs
    /// microseconds and an endless loop seconds, but by the time that failing calls took.
    fn search(&self, job: &mut Job<'_>, batch: &Batch, fault: &Fault, cost: &Cost) -> Result<()> {
        job.searching += cost.wall;
        let most = self.bound.settings.limits.search;
        if job.searching <= most {
            return Ok(());
        }
        let why = format!("gave up finding the rows it fails on after {most:?} of failing calls: {fault}");
        Err(self.bound.blame(job.cx.epoch, place(&batch.origin), why))
    }

    fn stop(&self, job: &Job<'_>, batch: &Batch, stop: Stop, fault: &Fault) -> Error {
        let kind = match stop {
            Stop::Invalid => Kind::Invalid,
            Stop::Plugin => Kind::Plugin,
            Stop::Data => Kind::Data,
            Stop::Unavailable => Kind::Unavailable,
        };
        Error::new(kind, format!("{}: {fault}", self.bound.at(job.cx.epoch, place(&batch.origin))))
    }

    /// Does with rows that cannot be processed what the pipeline says.
    fn reject(&self, job: &mut Job<'_>, batch: &Batch, errors: &[&RowError]) -> Result<()> {
        let Some(first) = errors.first() else { return Ok(()) };
        let bound = &self.bound;
        job.rejected += errors.len();
        match (bound.settings.on_error, bound.agreed.dead_letters()) {
            (OnError::Fail, _) => {
                Err(bound.blame(job.cx.epoch, batch.origin.position(first.row), &first.message))
            }
            (OnError::DeadLetter, Some(port)) => {
                let bits = marked(batch.len(), errors.iter().map(|e| e.row));
                let reasons: Vec<&str> = errors.iter().map(|e| e.message.as_str()).collect();
                let schema = bound.agreed.ports.get(port).map(|p| &p.schema).ok_or_else(lost_port)?;
                let letters = bound.sender.letters(schema, batch, bits, &reasons, job.cx.epoch)?;
                job.out.push((port, letters));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Stops a plugin that fails on too many rows of a batch.
    fn judge(&self, cx: &EpochContext, origin: &Origin, rejected: usize) -> Result<()> {
        let rows = origin.rows();
        if !policy::too_many(rows, rejected, self.bound.settings.max_error_rate) {
            return Ok(());
        }
        let why = format!("{rejected} of {rows} rows are in error, more than max-error-rate allows");
        Err(self.bound.blame(cx.epoch, place(origin), why))
    }
}

#[async_trait]
impl Worker for Lane {
    async fn process(
        &mut self,
        cx: &EpochContext,
        batch: Batch,
        out: &mut Vec<(usize, Batch)>,
    ) -> Result<()> {
        if batch.is_empty() {
            return Ok(());
        }
        let rows = batch.len();
        let judged = self.bound.settings.max_error_rate.map(|_| batch.origin.clone());
        let todo = pieces(batch, &self.batching);
        let mut job = Job { cx, todo, searching: Duration::ZERO, rows_out: 0, rejected: 0, out };
        self.work(&mut job).await?;
        let rejected = job.rejected;
        self.bound.tally.batch(rows, job.rows_out, rejected);
        judged.map_or(Ok(()), |origin| self.judge(cx, &origin, rejected))
    }
}

/// The batch in pieces that a guest can take, the first one last.
fn pieces(batch: Batch, batching: &Batching) -> Vec<Piece> {
    let most = rows_per_piece(&batch.rows, batching);
    if batch.len() <= most {
        return vec![Piece::new(batch)];
    }
    let starts = (0..batch.len()).step_by(most).rev();
    starts.map(|from| Piece::new(cut(&batch, from, most.min(batch.len() - from)))).collect()
}

/// How many rows of a batch a guest can take at once.
pub(crate) fn rows_per_piece(rows: &RecordBatch, batching: &Batching) -> usize {
    let bytes = rows.get_array_memory_size();
    if bytes <= batching.max_bytes {
        return batching.max_rows;
    }
    // Slices count the whole of what they are cut from above; only here it is worth looking closer.
    let bytes: usize = rows.columns().iter().map(|c| c.to_data().get_slice_memory_size().unwrap_or(0)).sum();
    let pieces = bytes.div_ceil(batching.max_bytes).max(1);
    rows.num_rows().div_ceil(pieces).clamp(1, batching.max_rows)
}

/// The rows of `batch` in `rows`.
fn pick(batch: &Batch, rows: impl Iterator<Item = usize>) -> Result<Batch> {
    let bits = marked(batch.len(), rows);
    let origin = batch.origin.keep(&bits);
    let rows = arrow::compute::filter_record_batch(&batch.rows, &bits.into())
        .map_err(|e| Error::internal("picking rows to try again").caused_by(e))?;
    Ok(Batch { rows, origin })
}

/// Where the rows of a batch were, in words.
fn place(origin: &Origin) -> String {
    origin.span().map_or_else(|| "somewhere in it".into(), |span| span.to_string())
}

/// What the guest's randomness in a call follows from: the epoch, and where the first row was read. So a replay
/// sees the same, however the rows are spread over lanes.
fn seed(cx: &EpochContext, batch: &Batch) -> u64 {
    let at = batch.origin.position(0);
    let text = hashed(hashed(0, &cx.query.0), at.of.as_deref().unwrap_or_default());
    mixed(text ^ mixed(cx.epoch.0 ^ mixed(u64::from(cx.partition.0) ^ mixed(at.first))))
}

/// Eight bytes at a time: this is done at every call.
pub(crate) fn hashed(start: u64, text: &str) -> u64 {
    let (words, rest) = text.as_bytes().as_chunks::<8>();
    let hash = words.iter().fold(start, |hash, word| mixed(hash ^ u64::from_le_bytes(*word)));
    rest.iter().fold(hash, |hash, byte| mixed(hash ^ u64::from(*byte)))
}

fn lost_port() -> Error {
    Error::internal("the port of dead letters is gone")
}
