use super::{bind::Bound, exchange::Exchange};
use crate::{
    instance::Call,
    step::batching,
    wasi::mixed,
    worker::{hashed, rows_per_piece},
};
use arrow::array::RecordBatch;
use async_trait::async_trait;
use engine::{Begin, EpochContext, EpochWriter, Error, Kind, Partition, Result, ResultExt, Token};
use serde_json::{Map, Value};
use std::sync::Arc;
use tokio::sync::{Mutex, mpsc};
use tokio_util::task::AbortOnDropHandle;

/// Batches that may wait for the guest: with those in the hands of whoever sends and of the guest, this bounds memory.
const CHANNEL: usize = 2;

/// One epoch on its way through a guest.
pub(super) struct PluginEpoch {
    bound: Arc<Bound>,
    rows: mpsc::Sender<RecordBatch>,
    guest: Mutex<Guest>,
    outputs: Arc<Vec<Opened>>,
}

/// An output of the epoch.
pub(super) struct Opened {
    pub(super) name: String,
    pub(super) place: Place,
}

impl Opened {
    /// What takes the rows; none if they are swallowed.
    pub(super) fn writer(&self) -> Option<&dyn EpochWriter> {
        match &self.place {
            Place::Stored(_) => None,
            Place::Writing(writer) => Some(&**writer),
        }
    }
}

pub(super) enum Place {
    /// It has the epoch already: what is written to it is swallowed.
    Stored(Token),
    Writing(Box<dyn EpochWriter>),
}

/// The call.
enum Guest {
    Running(AbortOnDropHandle<Result<()>>),
    Done,
    /// As it was told to who asked first.
    Failed(Kind, String),
}

impl PluginEpoch {
    /// Starts the guest on an epoch.
    pub(super) fn start(bound: Arc<Bound>, begin: &Begin, outputs: Vec<Opened>) -> Result<Self> {
        let (rows, receiver) = mpsc::channel(CHANNEL);
        let outputs = Arc::new(outputs);
        let exchange = Exchange::new(bound.clone(), receiver, Arc::downgrade(&outputs))?;
        let call = tokio::spawn(run(bound.clone(), begin.context(), exchange));
        let guest = Mutex::new(Guest::Running(AbortOnDropHandle::new(call)));
        Ok(PluginEpoch { bound, rows, guest, outputs })
    }
}

/// One call of the guest, from its first row to its answer.
async fn run(bound: Arc<Bound>, cx: EpochContext, exchange: Exchange) -> Result<()> {
    let starting = |fault| bound.blame(format!("starting an instance: {fault}"));
    let mut instance = bound.instances.take().await.map_err(starting)?;
    let seed = mixed(hashed(0, &cx.query.0) ^ mixed(cx.epoch.0));
    let (answer, exchange) = instance.foreach_batch(Call { cx: &cx, seed }, exchange).await;
    let exchange = exchange.ok_or_else(|| Error::internal("the epoch of a plugin is gone"))?;
    exchange.tally(instance.cost());
    bound.tally.metrics(instance.metrics());
    exchange.into_result()?;
    answer.map_err(|fault| bound.failed(fault))?;
    bound.instances.keep(instance);
    Ok(())
}

impl Guest {
    /// Waits for the end of the call. Each caller is told how it ended.
    async fn ended(&mut self) -> Result<()> {
        if let Guest::Running(call) = self {
            let ended = call.await.doing(Kind::Internal, || "the call of a plugin panicked")?;
            *self = match &ended {
                Ok(()) => Guest::Done,
                Err(error) => Guest::Failed(error.kind(), error.report()),
            };
            return ended;
        }
        match self {
            Guest::Failed(kind, why) => Err(Error::new(*kind, why.clone())),
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl EpochWriter for PluginEpoch {
    async fn write(&self, _: Partition, rows: RecordBatch) -> Result<()> {
        let most = rows_per_piece(&rows, &batching(&self.bound.settings.limits));
        for from in (0..rows.num_rows()).step_by(most) {
            let piece = rows.slice(from, most.min(rows.num_rows() - from));
            if self.rows.send(piece).await.is_err() {
                // It has ended before the rows have: by a fault, or because it wants no more of them.
                return self.guest.lock().await.ended().await;
            }
        }
        Ok(())
    }

    async fn commit(self: Box<Self>) -> Result<Token> {
        let PluginEpoch { rows, guest, outputs, .. } = *self;
        drop(rows);
        guest.into_inner().ended().await?;
        let outputs = Arc::try_unwrap(outputs)
            .map_err(|_| Error::internal("a call that has ended still writes to its outputs"))?;
        let mut tokens = Map::new();
        for Opened { name, place } in outputs {
            let token = match place {
                Place::Stored(token) => token,
                Place::Writing(writer) => {
                    writer.commit().await.map_err(|e| e.while_doing(format!("output `{name}`")))?
                }
            };
            tokens.insert(name, token.0);
        }
        Ok(Token(Value::Object(tokens)))
    }
}

/// The token of an epoch that all outputs have already; none if one has not, or if there is none.
pub(super) fn tokens(outputs: &[Opened]) -> Option<Token> {
    let stored = |output: &Opened| match &output.place {
        Place::Stored(token) => Some((output.name.clone(), token.0.clone())),
        Place::Writing(_) => None,
    };
    let tokens: Map<String, Value> = outputs.iter().map(stored).collect::<Option<_>>()?;
    (!tokens.is_empty()).then_some(Token(Value::Object(tokens)))
}

/// What an output is called where sinks have names.
pub(super) fn output_name(sink: &str, output: &str) -> String {
    format!("{sink}.{output}")
}
