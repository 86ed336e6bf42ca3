//! The sinks of a start: opened, and with each epoch begun and committed.

use super::Run;
use crate::{
    Begin, Begun, Epoch, EpochContext, Error, Result, Token, checkpoint::Resume, dataflow::Writing,
    query::Step,
};
use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering::Relaxed},
};

impl Run<'_> {
    pub(super) async fn recover_sinks(&self, resume: Resume) -> Result<()> {
        let last = match resume {
            Resume::Fresh => None,
            Resume::Replay { first, .. } => first.before(),
            Resume::Continue(last) => Some(last),
        };
        self.open_sinks(last).await
    }

    /// Opens the sinks, each with what it wanted to be kept of the last epoch that was committed.
    pub(super) async fn open_sinks(&self, last: Option<Epoch>) -> Result<()> {
        let committed = match last {
            Some(last) => self.checkpoint.commit(last).await?,
            None => None,
        };
        for named in &self.flow.sinks {
            if let Some(token) = committed.as_ref().and_then(|commit| commit.sinks.get(&named.name)) {
                named.sink.recall(token);
            }
            let opened = named.sink.open(&self.id, &named.name).await;
            opened.map_err(|e| e.while_doing(format!("sink `{}`", named.name)))?;
        }
        Ok(())
    }

    pub(super) async fn begin_sinks(
        &self,
        context: &EpochContext,
        partitions: u32,
        marked: bool,
    ) -> Result<(Vec<Option<Writing>>, BTreeMap<String, Token>)> {
        let mut writing = Vec::with_capacity(self.flow.sinks.len());
        let mut tokens = BTreeMap::new();
        for named in &self.flow.sinks {
            let begin = Begin {
                query: self.id.clone(),
                sink: named.name.clone(),
                epoch: context.epoch,
                partitions: self.flow.width(named.input, partitions),
                schema: named.schema.clone(),
                marked,
                attempt: context.attempt,
                in_force: context.in_force,
                now: context.now,
            };
            let begun = named.sink.begin(&begin).await;
            writing.push(match begun.map_err(|e| e.while_doing(format!("sink `{}`", named.name)))? {
                Begun::Writer(writer) => Some(Writing { writer: Arc::new(writer), rows: Arc::default() }),
                Begun::Stored(token) => {
                    tokens.insert(named.name.clone(), token);
                    None
                }
            });
        }
        Ok((writing, tokens))
    }

    /// Commits every sink that was written to; answers rows by sink.
    pub(super) async fn commit_sinks(
        &self,
        epoch: Epoch,
        writing: Vec<Option<Writing>>,
        tokens: &mut BTreeMap<String, Token>,
    ) -> Result<Vec<u64>> {
        let mut rows = Vec::with_capacity(writing.len());
        for (index, (named, writing)) in self.flow.sinks.iter().zip(writing).enumerate() {
            rows.push(writing.as_ref().map_or(0, |w| w.rows.load(Relaxed)));
            let Some(Writing { writer, .. }) = writing else { continue };
            let writer = Arc::try_unwrap(writer)
                .map_err(|_| Error::internal("a task of the epoch still holds a sink's writer"))?;
            let token = writer.commit().await.map_err(|e| e.while_doing(format!("sink `{}`", named.name)))?;
            tokens.insert(named.name.clone(), token);
            self.reached(epoch, Step::SinkCommitted(index))?;
        }
        Ok(rows)
    }
}
