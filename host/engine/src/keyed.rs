//! Work by key: the seam of keyed steps, and what plugins keep by key.

mod alone;
mod by_key;
mod call;
mod changes;
mod due;
mod entry;
mod tables;

pub(crate) use self::entry::{Named, items, named, times};
pub use self::{
    alone::Alone,
    by_key::ByKey,
    call::{CallState, Key, Timer},
    due::{Fired, expire, old_entries, put_back, take_fired},
    entry::{TimerClock, timeline},
    tables::{Migration, OldEntry, Table, TableKind, TableSpec, Tables},
};

use crate::{
    Batch, EpochContext, Origin, Partition, Port, Result, StepFacts, StepProgress, Wanted,
    dataflow::Outbox,
    event_time::Watermark,
    operators::{LATE, Layout},
    shards::{ShardEntries, ShardState, Timeline},
};
use arrow::array::RecordBatch;
use async_trait::async_trait;

/// Work by key, with state that is committed with the epoch.
///
/// # Life of an epoch
///
/// Each partition of each input has a [`Scatter`], which takes the rows as they come and sends what the shards need, a
/// piece for each shard. Once every input has ended, [`OneShard`] takes the pieces of each, ordered by input,
/// partition and time of sending, and then the end of the epoch. So neither timing nor the number of shards shows.
///
/// Both are made anew for each epoch: what outlives one is in the state alone.
pub trait Keyed: Send + Sync {
    /// For the plan and `explain`.
    fn facts(&self) -> StepFacts;

    /// What leaves: the main output first, then side outputs by name.
    fn ports(&self) -> &[Port];

    /// How many of the ports the shards write to. The scatters write to the one behind them, of rows that come too late.
    fn shard_ports(&self) -> usize {
        let ports = self.ports();
        ports.iter().position(|port| port.name == LATE).unwrap_or(ports.len())
    }

    /// Whether every entry of its state has a time at which it is looked at again. Then state may become final because the
    /// watermark has risen, and an epoch without rows has something to do.
    fn timed(&self) -> bool {
        false
    }

    /// By which timeline the entry of a key has its time, if entries have times.
    fn timeline(&self) -> fn(&[u8]) -> Timeline {
        |_| Timeline::EventTime
    }

    /// What decides whether stored state is of this step, in words: what it does, by what, and to which types. Names of columns may
    /// change.
    fn identity(&self) -> String {
        let facts = self.facts();
        let main = self.ports().first();
        let types = main.map(|port| port.schema.fields().iter().map(|f| f.data_type().to_string()));
        let types: Vec<String> = types.into_iter().flatten().collect();
        format!("{} {} ({})", facts.description, facts.details.join(", "), types.join(", "))
    }

    /// Whether the state of a step of this identity can be gone on with; called before any of it is used. An error says why it
    /// cannot.
    fn continues(&self, identity: &str) -> Result<bool> {
        Ok(self.identity() == identity)
    }

    /// The watermark of what leaves, if that of what comes in is `input`: lower where rows wait for others before they leave.
    fn output_watermark(&self, input: Watermark) -> Watermark {
        input
    }

    /// Whether its rows are a result that each epoch changes. Sorting and cutting only pass one on.
    fn has_result(&self) -> bool {
        true
    }

    /// Which columns of the input of this index it has to see, if those are wanted that are given for each port.
    fn reads(&self, _input: usize, _wanted: &[Wanted]) -> Wanted {
        Wanted::All
    }

    /// What the entries of its state are.
    fn layout(&self) -> Layout;

    /// The work on one partition of the input of this index.
    fn scatter(&self, input: usize, cx: &EpochContext) -> Result<Box<dyn Scatter>>;

    /// The work of one shard.
    fn shard(&self, cx: &EpochContext) -> Result<OneShard>;

    /// What happened since the last call, of a plugin; the engine asks once an epoch.
    fn progress(&self) -> Option<StepProgress> {
        None
    }

    /// A hash of what it put out since the last call, if it promises the same output for the same input and state; the engine asks once
    /// an epoch.
    fn fingerprint(&self) -> Option<u64> {
        None
    }

    /// Rows that came too late since the last call.
    fn take_late(&self) -> u64 {
        0
    }
}

/// One partition of an input on its way to the shards.
pub trait Scatter: Send {
    /// Takes rows, and appends what is to be sent by now.
    fn on_batch(&mut self, batch: &Batch, out: &mut Scattered) -> Result<()>;

    /// The partition has ended: appends the rest.
    fn on_end(&mut self, out: &mut Scattered) -> Result<()>;
}

/// What a [`Scatter`] sends.
#[derive(Debug, Default)]
pub struct Scattered {
    /// To the shards.
    pub pieces: Vec<Piece>,
    /// To the ports of these indices.
    pub side: Vec<(usize, RecordBatch)>,
}

/// Rows for the shards. Which one gets a row follows from its hash.
#[derive(Clone, Debug)]
pub struct Piece {
    /// The rows.
    pub rows: RecordBatch,
    /// The stable hash of each row's key.
    pub hashes: Vec<u64>,
    /// Where each row was in its source; of no rows at all, if nobody is going to ask.
    pub origin: Origin,
}

impl Piece {
    /// Rows whose place in their source nobody is going to ask for.
    pub fn new(rows: RecordBatch, hashes: Vec<u64>) -> Self {
        Piece { rows, hashes, origin: Origin::default() }
    }
}

/// Who does the work of a shard in one epoch.
pub enum OneShard {
    /// Who never waits.
    Operator(Box<dyn Operator>),
    /// Who waits for a guest.
    Waiting(Box<dyn ShardWorker>),
}

impl<O: Operator + 'static> From<O> for OneShard {
    fn from(operator: O) -> Self {
        OneShard::Operator(Box::new(operator))
    }
}

/// One shard in one epoch, whose work may have to wait.
#[async_trait]
pub trait ShardWorker: Send {
    /// Takes a piece of the input of this index that this partition sent. Pieces of one partition come in the order in which it
    /// sent them, and those of several in no order: what is made of them must not depend on it.
    async fn on_piece(&mut self, input: usize, partition: Partition, piece: Piece) -> Result<()>;

    /// Every piece was taken: brings the state up to date, and sends what leaves.
    async fn on_epoch_end(&mut self, entries: ShardEntries, out: &mut Outbox) -> Result<()>;
}

/// One shard in one epoch, which never waits.
pub trait Operator: Send {
    /// Takes a piece of the input of this index.
    fn on_piece(&mut self, input: usize, piece: Piece) -> Result<()>;

    /// Every piece was taken: brings the state up to date, and appends what leaves, each with the index of its port.
    fn on_epoch_end(&mut self, state: &mut ShardState<'_>, out: &mut Vec<(usize, RecordBatch)>)
    -> Result<()>;
}
