//! A plugin as the sink of epochs: Spark's foreachBatch.
//!
//! ```text
//! partitions ──write──► PluginEpoch ══bounded channel══► Exchange ──next-rows──► guest
//!                                                        Exchange ◄─outputs.write─┘
//!                                                           └──► the writers of the outputs
//! ```
//!
//! Each epoch is one call of the guest, in a task of its own. The guest pulls the rows and writes to outputs, which are sinks
//! like any other. `commit` waits for the call to end, then commits the outputs one after the other.
//!
//! # Invariants
//!
//! - What fails in an output fails the epoch, whatever the guest makes of it.
//! - The writers of the outputs belong to the epoch, not to the call: whoever drops the epoch has abandoned them.
//! - On a replay an output that has the epoch swallows what is written to it; the others get the rows again.

mod bind;
mod epoch;
mod exchange;
mod host;

pub use bind::{BoundSink, Grant, SinkSettings};
pub(crate) use exchange::Exchange;

use self::{
    bind::Bound,
    epoch::{Opened, Place, PluginEpoch, output_name, tokens},
};
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use engine::{
    Begin, Begun, Error, Guarantee, OutputMode, QueryId, Result, Sink, StepFacts, StepProgress, Token,
};
use std::sync::Arc;

/// A plugin that stores epochs by writing to outputs that it was granted.
pub struct PluginSink {
    bound: Arc<Bound>,
    /// In the order in which the plugin named them.
    grants: Vec<Grant>,
}

#[async_trait]
impl Sink for PluginSink {
    /// In every mode: what the rows of an epoch are is the pipeline's business, and what becomes of them the plugin's.
    fn accepts(&self, _: OutputMode, schema: &SchemaRef) -> Result<Guarantee> {
        if *schema != self.bound.settings.input {
            return Err(Error::internal("the plugin was bound to other columns than come in"));
        }
        let promised = self.outputs().map(|(grant, schema)| grant.accepts(schema));
        // A plugin that writes nowhere promises nothing.
        promised.reduce(|all, one| Ok(all?.min(one?))).unwrap_or(Ok(Guarantee::BestEffort))
    }

    /// Each output is told what it answered itself: it may keep a mark that it has to miss.
    fn recall(&self, committed: &Token) {
        for grant in &self.grants {
            if let Some(token) = committed.0.get(&grant.name) {
                grant.sink.recall(&Token(token.clone()));
            }
        }
    }

    async fn open(&self, query: &QueryId, name: &str) -> Result<()> {
        for grant in &self.grants {
            let opened = grant.sink.open(query, &output_name(name, &grant.name)).await;
            opened.map_err(|e| grant.blame(e))?;
        }
        Ok(())
    }

    async fn begin(&self, epoch: &Begin) -> Result<Begun> {
        let mut outputs = Vec::with_capacity(self.grants.len());
        for (grant, schema) in self.outputs() {
            let begin = Begin {
                sink: output_name(&epoch.sink, &grant.name),
                partitions: 1,
                schema: schema.clone(),
                ..epoch.clone()
            };
            let place = match grant.sink.begin(&begin).await.map_err(|e| grant.blame(e))? {
                Begun::Stored(token) => Place::Stored(token),
                Begun::Writer(writer) => Place::Writing(writer),
            };
            outputs.push(Opened { name: grant.name.clone(), place });
        }
        match tokens(&outputs) {
            Some(token) => Ok(Begun::Stored(token)),
            None => Ok(Begun::Writer(Box::new(PluginEpoch::start(self.bound.clone(), epoch, outputs)?))),
        }
    }

    fn facts(&self) -> Option<StepFacts> {
        let plugin = &self.bound.plugin;
        let mut details = vec![format!("reads {}", self.bound.agreed.reads.names())];
        if self.grants.is_empty() {
            details.push("writes nowhere".into());
        }
        details.extend(self.outputs().map(|(grant, schema)| grant.explain(schema)));
        let http = &self.bound.settings.http;
        details.extend([plugin.asks(http), self.bound.settings.limits.to_string()]);
        details.extend(http.limits(&self.bound.settings.limits));
        Some(StepFacts {
            description: format!("plugin {} ({})", plugin.title(), plugin.digest()),
            deterministic: plugin.description().deterministic && http.is_empty(),
            digest: Some(plugin.digest().to_owned()),
            details,
        })
    }

    fn progress(&self) -> Option<StepProgress> {
        Some(self.bound.tally.progress())
    }
}

impl PluginSink {
    /// The outputs, each with the columns that the plugin writes to it.
    fn outputs(&self) -> impl Iterator<Item = (&Grant, &SchemaRef)> {
        self.grants.iter().zip(self.bound.agreed.outputs.iter().map(|side| side.decoder.schema()))
    }
}
