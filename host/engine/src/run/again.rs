//! An epoch once more, for whoever wants to look at it: it reads what it read, with the state, the watermarks and the time that it had,
//! and nothing of it is stored.

use super::Run;
use crate::{
    Begin, Begun, Epoch, EpochWriter, Error, Guarantee, OutputMode, Partition, QueryId, Result, Sink, Token,
    checkpoint::{Checkpoint, OffsetRecord},
    dataflow::EpochRun,
    plan::{Dataflow, NamedSource},
    query::Query,
};
use arrow::{array::RecordBatch, datatypes::SchemaRef};
use async_trait::async_trait;
use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::AtomicBool},
};

impl Query {
    /// Runs a planned epoch of the checkpoint once more, and answers the steps that promise the same output for the same input and have
    /// put out something else than then. Nothing is stored, and a host that runs the query is not replaced.
    ///
    /// Kind `Invalid` if the epoch's plan, what it read, or the state that it began with is gone.
    pub async fn again(&self, epoch: Epoch) -> Result<Vec<String>> {
        let checkpoint = Checkpoint::new(self.store.clone());
        let place = checkpoint.location();
        let of = checkpoint.metadata().await?.map(|metadata| metadata.name);
        let other = of.filter(|of| *of != self.settings.name);
        self.look_again(checkpoint, epoch).await.map_err(|error| match other {
            None => error,
            Some(of) => {
                let name = &self.settings.name;
                error.while_doing(format!(
                    "checkpoint {place} is of query `{of}`, and the pipeline file of `{name}`"
                ))
            }
        })
    }

    async fn look_again(&self, checkpoint: Checkpoint, epoch: Epoch) -> Result<Vec<String>> {
        let never = AtomicBool::new(false);
        let record = kept(&checkpoint, epoch).await?;
        let mut run = Run::to_look_at(self, checkpoint, &never).await?;
        self.planner.pin(&record.releases, true).await?;
        run.replan(&record.sources).await?;
        run.flow.sinks.iter_mut().for_each(|named| named.sink = Arc::new(Nowhere));
        run.refuse_without_state(epoch).await?;
        run.recall(epoch.before()).await?;
        run.look_at(epoch, &record).await.map_err(|e| e.while_doing(format!("epoch {epoch}, again")))?;
        run.differing(epoch, &record).await
    }
}

/// The plan of an epoch that can run again.
async fn kept(checkpoint: &Checkpoint, epoch: Epoch) -> Result<OffsetRecord> {
    let place = checkpoint.location();
    if checkpoint.metadata().await?.is_none() {
        return Err(Error::invalid(format!("{place} is no checkpoint: it has no file `metadata`")));
    }
    let planned = checkpoint.planned().await?;
    if !planned.contains(&epoch) {
        let there = match (planned.first(), planned.last()) {
            (Some(first), Some(last)) => format!("it has those of epochs {first} to {last}"),
            _ => "it has none".into(),
        };
        return Err(Error::invalid(format!("checkpoint {place} has no plan of epoch {epoch}: {there}")));
    }
    let record = checkpoint.offsets(epoch).await?;
    match record.consumed.first() {
        None => Ok(record),
        Some(source) => Err(Error::invalid(format!(
            "epoch {epoch} cannot run again: what source `{source}` read is gone since (archived, deleted, or a stream that comes only once)"
        ))),
    }
}

impl<'q> Run<'q> {
    async fn to_look_at(query: &'q Query, checkpoint: Checkpoint, never: &'q AtomicBool) -> Result<Run<'q>> {
        let metadata = checkpoint.metadata().await?;
        let metadata = metadata.ok_or_else(|| Error::internal("the checkpoint has gone"))?;
        let sources = query.planner.sources().await?;
        for NamedSource { name, source, .. } in &sources {
            let restored =
                source.restore(checkpoint.history(name).await?, query.settings.trigger.reach()).await;
            restored.map_err(|e| e.while_doing(format!("source `{name}`")))?;
        }
        // No host has this number, and none is asked whether it is still the owner.
        Ok(Run::new(query, checkpoint, metadata, u64::MAX, sources, never))
    }

    async fn refuse_without_state(&self, epoch: Epoch) -> Result<()> {
        let Some(before) = epoch.before().filter(|_| self.flow.remembers()) else { return Ok(()) };
        let kept = self.checkpoint.committed().await?;
        if kept.contains(&before) {
            return Ok(());
        }
        let first = kept.first().map_or_else(|| "none".into(), |first| format!("epoch {first}"));
        Err(Error::invalid(format!(
            "epoch {epoch} cannot run again: the state that it began with is gone; the oldest that checkpoint {} has is that after {first}",
            self.checkpoint.location()
        )))
    }

    async fn look_at(&mut self, epoch: Epoch, record: &OffsetRecord) -> Result<()> {
        self.hold_tables(record, 0).await?;
        self.in_force = record.watermarks;
        let context = self.context(epoch, 1, record);
        let (writing, _) = self.begin_sinks(&context, record.partitions, false).await?;
        let run = EpochRun {
            sources: &self.sources,
            flow: &self.flow,
            lanes: &self.lanes,
            states: &self.states,
            max_state: self.query.settings.max_state,
            context,
            partitions: record.partitions.max(1),
            writing,
        };
        run.run(&record.sources).await?;
        // Who looks on may count by what is asked once an epoch.
        self.plugins();
        Ok(())
    }

    /// Steps whose output is not what the commit says that it was, if the same code ran then.
    async fn differing(&self, epoch: Epoch, record: &OffsetRecord) -> Result<Vec<String>> {
        let Some(commit) = self.checkpoint.commit(epoch).await? else { return Ok(Vec::new()) };
        let digests: BTreeMap<String, String> = self.flow.digests().collect();
        let outputs = fingerprints(&self.flow);
        let differs = |(name, then): (&String, &String)| {
            let same_code = digests.get(name) == record.plugins.get(name);
            same_code && outputs.get(name).is_some_and(|now| now != then)
        };
        let steps = commit.outputs.iter().filter(|output| differs(*output));
        Ok(steps.map(|(name, _)| name.clone()).collect())
    }
}

/// What the steps have put out since this was asked last, of those that promise the same output for the same input.
pub(super) fn fingerprints(flow: &Dataflow) -> BTreeMap<String, String> {
    let stateless = flow.stateless().map(|(_, name, step)| (name, step.fingerprint()));
    let keyed = flow.keyed().map(|(_, name, step)| (name, step.fingerprint()));
    let mut sums: BTreeMap<String, u64> = BTreeMap::new();
    for (name, fingerprint) in stateless.chain(keyed) {
        if let Some(fingerprint) = fingerprint {
            let sum = sums.entry(name.to_owned()).or_default();
            *sum = sum.wrapping_add(fingerprint);
        }
    }
    sums.into_iter().map(|(name, sum)| (name, format!("{sum:016x}"))).collect()
}

/// Takes everything and keeps nothing.
struct Nowhere;

#[async_trait]
impl Sink for Nowhere {
    fn accepts(&self, _: OutputMode, _: &SchemaRef) -> Result<Guarantee> {
        Ok(Guarantee::BestEffort)
    }

    async fn open(&self, _: &QueryId, _: &str) -> Result<()> {
        Ok(())
    }

    async fn begin(&self, _: &Begin) -> Result<Begun> {
        Ok(Begun::Writer(Box::new(Nowhere)))
    }
}

#[async_trait]
impl EpochWriter for Nowhere {
    async fn write(&self, _: Partition, _: RecordBatch) -> Result<()> {
        Ok(())
    }

    async fn commit(self: Box<Self>) -> Result<Token> {
        Ok(Token::default())
    }
}
