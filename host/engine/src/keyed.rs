use crate::{
    EpochContext, Port, Result, StepFacts, Wanted,
    event_time::Watermark,
    operators::{LATE, Layout},
    shards::ShardState,
};
use arrow::array::RecordBatch;

/// Work by key, with state that is committed with the epoch.
///
/// # Life of an epoch
///
/// Each partition of each input has a [`Scatter`], which takes the rows as they come and sends what the shards need, a
/// piece for each shard. Once every input has ended, each shard's [`Operator`] takes its pieces, ordered by input,
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
    fn operator(&self, cx: &EpochContext) -> Result<Box<dyn Operator>>;

    /// Rows that came too late since the last call.
    fn take_late(&self) -> u64 {
        0
    }
}

/// One partition of an input on its way to the shards.
pub trait Scatter: Send {
    /// Takes rows, and appends what is to be sent by now.
    fn on_batch(&mut self, rows: &RecordBatch, out: &mut Scattered) -> Result<()>;

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
}

/// One shard in one epoch.
pub trait Operator: Send {
    /// Takes a piece of the input of this index.
    fn on_piece(&mut self, input: usize, piece: Piece) -> Result<()>;

    /// Every piece was taken: brings the state up to date, and appends what leaves, each with the index of its port.
    fn on_epoch_end(&mut self, state: &mut ShardState<'_>, out: &mut Vec<(usize, RecordBatch)>)
    -> Result<()>;
}
