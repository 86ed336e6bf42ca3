//! Keyed steps: a task per partition of an input, which sends pieces to a task per shard.

use super::{EpochRun, Of, Outlet, Taker, Tasks, send_all};
use crate::{
    Batch, BatchStream, Keyed, Kind, OneShard, Operator, Origin, Partition, Piece, Place, Result, ResultExt,
    Scatter, Scattered,
    shards::{KeyedState, Shard, ShardEntries},
};
use arrow::{
    array::{BooleanBufferBuilder, RecordBatch, UInt32Array},
    compute::take_record_batch,
};
use futures::StreamExt;
use std::{collections::HashMap, sync::Arc};
use tokio::sync::mpsc;

/// Pieces that may wait in front of a shard: it only puts them aside until all have come.
const INBOX: usize = 8;

/// A piece, and what orders it among all the pieces of its epoch.
struct Sent {
    input: usize,
    partition: Partition,
    piece: Piece,
}

/// The senders to the shards of each keyed step, by the step's index.
#[derive(Default)]
pub(super) struct Inboxes(HashMap<usize, Vec<mpsc::Sender<Sent>>>);

impl EpochRun<'_> {
    /// Starts the shards of every keyed step.
    pub(super) fn start_shards(&self, tasks: &mut Tasks) -> Result<Inboxes> {
        let mut inboxes = Inboxes::default();
        let mut waiting = Vec::new();
        for (index, name, step) in self.flow.keyed() {
            let (senders, receivers): (Vec<_>, Vec<_>) =
                (0..self.partitions).map(|_| mpsc::channel(INBOX)).unzip();
            inboxes.0.insert(index, senders);
            waiting.push((index, name, step, receivers));
        }
        for (index, name, step, receivers) in waiting {
            for (shard, inbox) in receivers.into_iter().enumerate() {
                let partition = Partition(shard as u32);
                let shard = Shard { index: shard, of: self.partitions as usize };
                let ports = self.ports(tasks, &inboxes, (index, 0..step.shard_ports()), partition, 1)?;
                let task = ShardTask {
                    entries: ShardEntries::new(self.states.clone(), name, shard, self.max_state)?,
                    out: Outbox(To::Outlets(ports)),
                };
                let worker = step.shard(&self.context_of(index, partition))?;
                let name = name.to_owned();
                tasks.spawn(async move {
                    task.run(worker, inbox).await.map_err(|e| e.while_doing(format!("step `{name}`")))
                });
            }
        }
        Ok(inboxes)
    }

    pub(super) fn start_scatter(
        &self,
        tasks: &mut Tasks,
        inboxes: &Inboxes,
        (taker, name, step): (Taker, &str, &Arc<dyn Keyed>),
        of: Of,
        rows: BatchStream,
    ) -> Result<()> {
        let task = ScatterTask {
            scatter: step.scatter(taker.place, &self.context_of(taker.step, of.partition))?,
            to: Receivers {
                input: taker.place,
                partition: of.partition,
                state: self.states.of(name)?,
                shards: inboxes.0.get(&taker.step).cloned().unwrap_or_default(),
                first_port: step.shard_ports(),
                ports: self.ports(
                    tasks,
                    inboxes,
                    (taker.step, step.shard_ports()..step.ports().len()),
                    of.partition,
                    of.lanes,
                )?,
            },
        };
        let name = name.to_owned();
        tasks.spawn(async move { task.run(rows).await.map_err(|e| e.while_doing(format!("step `{name}`"))) });
        Ok(())
    }
}

struct ScatterTask {
    scatter: Box<dyn Scatter>,
    to: Receivers,
}

/// Who gets what a scatter sends.
struct Receivers {
    input: usize,
    partition: Partition,
    state: Arc<KeyedState>,
    shards: Vec<mpsc::Sender<Sent>>,
    /// The port of the first of `ports`.
    first_port: usize,
    /// Outlets by port, of those that no shard writes to.
    ports: Vec<Vec<Outlet>>,
}

impl ScatterTask {
    async fn run(mut self, mut rows: BatchStream) -> Result<()> {
        let mut out = Scattered::default();
        while let Some(batch) = rows.next().await {
            self.scatter.on_batch(&batch?, &mut out)?;
            if !self.to.send(&mut out).await? {
                return Ok(());
            }
        }
        self.scatter.on_end(&mut out)?;
        self.to.send(&mut out).await.map(drop)
    }
}

impl Receivers {
    /// False if a receiver has failed: its own task says why.
    async fn send(&self, out: &mut Scattered) -> Result<bool> {
        for piece in out.pieces.drain(..) {
            for (shard, piece) in self.divided(piece)? {
                let Some(to) = self.shards.get(shard) else { continue };
                let sent = Sent { input: self.input, partition: self.partition, piece };
                if to.send(sent).await.is_err() {
                    return Ok(false);
                }
            }
        }
        for (port, rows) in out.side.drain(..) {
            let outlets = self.ports.get(port - self.first_port).map_or(&[][..], |outlets| outlets);
            if !send_all(outlets, made(rows)).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The part of each shard that gets any of it.
    fn divided(&self, piece: Piece) -> Result<Vec<(usize, Piece)>> {
        let shards = self.shards.len();
        if piece.hashes.is_empty() {
            return Ok(Vec::new());
        }
        if shards == 1 {
            return Ok(vec![(0, piece)]);
        }
        let mut indices: Vec<Vec<u32>> = vec![Vec::new(); shards];
        for (row, hash) in piece.hashes.iter().enumerate() {
            let shard = self.state.group_of(*hash) % shards;
            indices.iter_mut().skip(shard).take(1).for_each(|rows| rows.push(row as u32));
        }
        let taken = indices.into_iter().enumerate().filter(|(_, rows)| !rows.is_empty());
        taken.map(|(shard, rows)| Ok((shard, part(&piece, rows)?))).collect()
    }
}

/// These rows of a piece, ascending.
fn part(piece: &Piece, rows: Vec<u32>) -> Result<Piece> {
    let hashes = rows.iter().filter_map(|row| piece.hashes.get(*row as usize).copied()).collect();
    let origin = match piece.origin.rows() {
        0 => Origin::default(),
        all => {
            let mut bits = BooleanBufferBuilder::new(all);
            bits.append_n(all, false);
            rows.iter().for_each(|row| bits.set_bit(*row as usize, true));
            piece.origin.keep(&bits.finish())
        }
    };
    let rows = take_record_batch(&piece.rows, &UInt32Array::from(rows));
    Ok(Piece { rows: rows.doing(Kind::Internal, || "dividing rows by key")?, hashes, origin })
}

struct ShardTask {
    entries: ShardEntries,
    out: Outbox,
}

/// Where the rows of a shard go, by port.
pub struct Outbox(To);

enum To {
    Outlets(Vec<Vec<Outlet>>),
    /// Whoever asks for them.
    Kept(Vec<(usize, RecordBatch)>),
}

impl Outbox {
    /// One that keeps what it is given.
    pub fn keeping() -> Self {
        Outbox(To::Kept(Vec::new()))
    }

    /// What one that keeps was given.
    pub fn into_kept(self) -> Vec<(usize, RecordBatch)> {
        match self.0 {
            To::Kept(kept) => kept,
            To::Outlets(_) => Vec::new(),
        }
    }

    /// Sends rows of the port of this index. False if there is nobody left to take them: somebody else says why, and no more are
    /// wanted.
    pub async fn send(&mut self, port: usize, rows: RecordBatch) -> Result<bool> {
        match &mut self.0 {
            To::Outlets(ports) => {
                send_all(ports.get(port).map_or(&[][..], |outlets| outlets), made(rows)).await
            }
            To::Kept(kept) => {
                kept.push((port, rows));
                Ok(true)
            }
        }
    }
}

impl ShardTask {
    async fn run(mut self, worker: OneShard, mut inbox: mpsc::Receiver<Sent>) -> Result<()> {
        match worker {
            OneShard::Waiting(mut worker) => {
                while let Some(Sent { input, partition, piece }) = inbox.recv().await {
                    worker.on_piece(input, partition, piece).await?;
                }
                worker.on_epoch_end(self.entries, &mut self.out).await
            }
            OneShard::Operator(operator) => {
                let mut all = Vec::new();
                while let Some(sent) = inbox.recv().await {
                    all.push(sent);
                }
                for (port, rows) in self.work(operator, all)? {
                    if !self.out.send(port, rows).await? {
                        break;
                    }
                }
                Ok(())
            }
        }
    }

    fn work(&self, mut operator: Box<dyn Operator>, mut all: Vec<Sent>) -> Result<Vec<(usize, RecordBatch)>> {
        // Stable: what one partition sent stays in order.
        all.sort_by_key(|sent| (sent.input, sent.partition));
        for Sent { input, piece, .. } in all {
            operator.on_piece(input, piece)?;
        }
        let mut out = Vec::new();
        operator.on_epoch_end(&mut self.entries.open()?, &mut out)?;
        Ok(out)
    }
}

/// Rows of which only the epoch is known.
fn made(rows: RecordBatch) -> Batch {
    let origin = Origin::at(Place::Epoch, rows.num_rows());
    Batch { rows, origin }
}
