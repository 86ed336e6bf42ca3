use super::{bind::Bound, signature::Checked};
use crate::{
    fault::Fault,
    http::HttpGrant,
    ipc::{Caps, Encoder},
    outcome::MOST_BATCHES,
    schema::assemble,
    step::batching,
    tally::{Cost, Tally},
    wasi::mixed,
};
use arrow::{
    array::{Array, ArrayRef, RecordBatch, UInt32Array},
    compute::{concat, take},
};
use engine::{
    Argument, Function, FunctionSignature, Kind, Result, ResultExt, StepFacts, StepProgress, Timestamp,
};
use std::{
    ops::Range,
    sync::{Arc, Mutex, PoisonError, atomic::Ordering::Relaxed},
};

/// One function of a plugin.
pub(super) struct PluginFunction {
    bound: Arc<Bound>,
    of: Arc<Checked>,
    tally: Tally,
    /// What calls have left behind that others can use.
    desks: Mutex<Vec<Desk>>,
}

/// What a call works with: making it anew would cost as much as a small call.
struct Desk {
    encoder: Encoder,
    message: Vec<u8>,
}

impl PluginFunction {
    pub(super) fn new(bound: Arc<Bound>, of: Arc<Checked>) -> Self {
        PluginFunction { bound, of, tally: Tally::default(), desks: Mutex::default() }
    }

    /// The results for some of the rows.
    fn piece(&self, arguments: &[Argument], rows: Range<usize>, now: Timestamp) -> Result<ArrayRef> {
        let of = &*self.of;
        let columns = arguments.iter().map(|argument| column(argument, &rows)).collect::<Result<_>>()?;
        let count = rows.len();
        let given = assemble(&of.arguments, columns, count);
        let given = given.doing(Kind::Internal, || format!("the arguments of function `{}`", of.name))?;
        let mut desk = self.desk()?;
        desk.message.clear();
        desk.encoder.encode_into(&given, &mut desk.message)?;
        let called = self.bound.plugin.0.core.timers.wait(self.call(&desk.message, count, now))?;
        self.desks.lock().unwrap_or_else(PoisonError::into_inner).push(desk);
        called.map_err(|fault| self.bound.failed(&of.name, &fault))
    }

    fn desk(&self) -> Result<Desk> {
        match self.desks.lock().unwrap_or_else(PoisonError::into_inner).pop() {
            Some(desk) => Ok(desk),
            None => Ok(Desk { encoder: Encoder::new(&self.of.arguments)?, message: Vec::new() }),
        }
    }

    #[allow(clippy::ptr_arg, reason = "the generated bindings take a `Vec`")]
    async fn call(&self, message: &Vec<u8>, rows: usize, now: Timestamp) -> Result<ArrayRef, Fault> {
        let bound = &self.bound;
        let mut instance = bound.take().await?;
        let seed = mixed(bound.calls.fetch_add(1, Relaxed) ^ mixed(now.0 as u64));
        let said = instance.call(&self.of.name, message, now, seed).await;
        let bytes = said.as_ref().map_or(0, Vec::len);
        let results = said.and_then(|said| self.results(said, rows));
        let rows_out = if results.is_ok() { rows } else { 0 };
        self.tally.call(&Cost { bytes_in: message.len(), bytes_out: bytes, rows_out, ..instance.cost() });
        self.tally.metrics(instance.metrics());
        self.tally.batch(rows, rows_out, 0);
        if !results.as_ref().is_err_and(Fault::is_fatal) {
            bound.keep(instance);
        }
        results
    }

    /// The one column of an answer, which has a result for each row.
    fn results(&self, said: Vec<u8>, rows: usize) -> Result<ArrayRef, Fault> {
        let limits = &self.bound.settings.limits;
        let caps = Caps { bytes: limits.output_bytes, rows: limits.output_rows, batches: MOST_BATCHES };
        let batches = self.of.decoder.decode(said, caps).map_err(|e| Fault::Breach(e.report()))?;
        let answered: usize = batches.iter().map(RecordBatch::num_rows).sum();
        if answered != rows {
            return Err(Fault::Breach(format!("it answers {answered} values for {rows} rows")));
        }
        let columns: Vec<&dyn Array> =
            batches.iter().filter_map(|b| Some(b.columns().first()?.as_ref())).collect();
        match (&batches[..], &columns[..]) {
            ([one], [_]) => Ok(one.column(0).clone()),
            _ => concat(&columns).map_err(|e| Fault::Breach(e.to_string())),
        }
    }

    /// How many rows a guest can take at once.
    fn rows_per_call(&self, arguments: &[Argument], rows: usize) -> usize {
        let batching = batching(&self.bound.settings.limits);
        let bytes = |argument: &Argument| match argument {
            Argument::Column(values) => values.to_data().get_slice_memory_size().unwrap_or(usize::MAX),
            Argument::Constant(value) => {
                value.to_data().get_slice_memory_size().unwrap_or(usize::MAX).saturating_mul(rows)
            }
        };
        let bytes = arguments.iter().map(bytes).fold(0, usize::saturating_add);
        let pieces = bytes.div_ceil(batching.max_bytes.max(1)).max(1);
        rows.div_ceil(pieces).clamp(1, batching.max_rows)
    }
}

impl Function for PluginFunction {
    fn facts(&self) -> StepFacts {
        let Bound { plugin, settings, .. } = &*self.bound;
        let deterministic = self.of.deterministic;
        StepFacts {
            description: format!("plugin {} ({})", plugin.title(), plugin.digest()),
            deterministic,
            digest: Some(plugin.digest().to_owned()),
            details: vec![
                match deterministic {
                    true => "deterministic: of constants it is worked out once".into(),
                    false => "not deterministic: each row is worked out, and a replay may differ".into(),
                },
                plugin.asks(&HttpGrant::default()),
                settings.limits.to_string(),
            ],
        }
    }

    fn signature(&self) -> &FunctionSignature {
        &self.of.signature
    }

    fn call(&self, arguments: &[Argument], rows: usize, now: Timestamp) -> Result<ArrayRef> {
        let most = self.rows_per_call(arguments, rows);
        if rows <= most {
            return self.piece(arguments, 0..rows, now);
        }
        let pieces = (0..rows).step_by(most).map(|from| from..rows.min(from + most));
        let pieces = pieces.map(|rows| self.piece(arguments, rows, now)).collect::<Result<Vec<_>>>()?;
        let pieces: Vec<&dyn Array> = pieces.iter().map(AsRef::as_ref).collect();
        concat(&pieces).doing(Kind::Data, || {
            format!("the results of function `{}`; smaller batches may fit", self.of.name)
        })
    }

    fn progress(&self) -> StepProgress {
        self.tally.progress()
    }
}

/// The values of an argument for some rows.
fn column(argument: &Argument, rows: &Range<usize>) -> Result<ArrayRef> {
    match argument {
        Argument::Column(values) if rows.len() == values.len() => Ok(values.clone()),
        Argument::Column(values) => Ok(values.slice(rows.start, rows.len())),
        Argument::Constant(value) => {
            let first = UInt32Array::from(vec![0; rows.len()]);
            take(value, &first, None).doing(Kind::Data, || "a constant beside every row")
        }
    }
}
