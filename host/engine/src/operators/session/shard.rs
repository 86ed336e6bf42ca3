//! Sessions of the keys of one shard: what is stored, and what the epoch adds.

use super::{
    Plan, Span,
    spans::{self, KeySpan, Merged, Stored, merge},
};
use crate::{
    EpochContext, Error, Kind, Operator, OutputMode, Piece, Result, ResultExt, ShardState, Timeline,
    event_time::Watermark,
    operators::{chain::made, keys::KeyIndex, rows::Codec},
    sql::windows,
};
use arrow::{
    array::{ArrayRef, AsArray, RecordBatch, TimestampMicrosecondArray},
    datatypes::Int64Type,
};
use std::sync::Arc;

/// Keys whose sessions are turned into rows at once.
const CHUNK: usize = 4096;

pub(super) struct SessionShard {
    plan: Arc<Plan>,
    eviction: Watermark,
    keys: Codec,
    states: Codec,
    pieces: Vec<Piece>,
}

impl SessionShard {
    pub(super) fn new(plan: Arc<Plan>, cx: &EpochContext) -> Result<Self> {
        let (keys, states) = (plan.key_codec()?, plan.aggregates.codec()?);
        Ok(SessionShard { plan, eviction: cx.in_force.eviction, keys, states, pieces: Vec::new() })
    }

    /// Brings the sessions of every touched key up to date.
    fn update(&self, state: &mut ShardState<'_>) -> Result<()> {
        let mut index = KeyIndex::default();
        let mut added = Vec::new();
        for piece in &self.pieces {
            added.extend(sessions_of(piece, &mut index)?);
        }
        let keys = index.into_keys();
        if keys.is_empty() {
            return Ok(());
        }
        let mut accumulators = self.plan.aggregates.accumulators()?;
        let (mut all, mut states) = (Vec::new(), Vec::new());
        for (number, (hash, key)) in keys.iter().enumerate() {
            for Stored { span, state } in spans::stored(state.get(*hash, key)?.unwrap_or_default())? {
                all.push(KeySpan { key: number, span });
                states.push(state);
            }
        }
        all.extend(added);
        let Merged { of, sessions } = merge(&all);
        // What is stored comes first, then the pieces one after the other: so states are merged in a fixed order.
        let stored = (!states.is_empty()).then(|| self.states.decode(states)).transpose()?;
        let added = self.pieces.iter().map(|piece| piece.rows.columns().get(3..).unwrap_or_default());
        let all: Vec<&[ArrayRef]> = stored.as_deref().into_iter().chain(added).collect();
        accumulators.merge(&all, &of, sessions.len())?;
        let states = self.states.encode(&accumulators.take_states()?)?;
        let mut merged = sessions.iter().zip(&states).peekable();
        for (number, (hash, key)) in keys.iter().enumerate() {
            let mut list = Vec::new();
            while let Some((session, row)) = merged.next_if(|(session, _)| session.key == number) {
                list.push(Stored { span: session.span, state: row.data() });
            }
            self.put(state, *hash, key, &list)?;
        }
        Ok(())
    }

    /// Stores the sessions of a key: no entry if there is none.
    fn put(&self, state: &mut ShardState<'_>, hash: u64, key: &[u8], sessions: &[Stored<'_>]) -> Result<()> {
        let Some(first) = sessions.first() else { return state.remove(hash, key) };
        let mut bytes = Vec::new();
        for session in sessions {
            spans::append(&mut bytes, *session)?;
        }
        state.put(hash, key, &bytes, self.plan.timed().then_some(first.span.end))
    }

    /// Lets go of the sessions that are final, and emits them.
    fn evict(&self, state: &mut ShardState<'_>, out: &mut Vec<(usize, RecordBatch)>) -> Result<()> {
        let due = state.take_due(Timeline::EventTime, self.eviction.micros())?;
        for due in due.chunks(CHUNK) {
            let mut entries = Vec::with_capacity(due.len());
            for (_, key) in due {
                let value = state.get(crate::hash(key), key)?.unwrap_or_default();
                entries.push((&**key, value.to_vec()));
            }
            let mut closed = Vec::new();
            for (key, value) in &entries {
                let sessions = spans::stored(value)?;
                let open = sessions.partition_point(|session| self.eviction.covers(session.span.end));
                let (done, rest) = sessions.split_at_checked(open).unwrap_or_default();
                closed.extend(done.iter().map(|session| (*key, *session)));
                self.put(state, crate::hash(key), key, rest)?;
            }
            out.push((0, self.rows(&closed)?));
        }
        Ok(())
    }

    fn everything(&self, state: &ShardState<'_>, out: &mut Vec<(usize, RecordBatch)>) -> Result<()> {
        let mut entries: Vec<(&[u8], &[u8])> = state.scan().collect::<Result<_>>()?;
        entries.sort_unstable();
        for entries in entries.chunks(CHUNK) {
            let mut all = Vec::new();
            for (key, value) in entries {
                all.extend(spans::stored(value)?.into_iter().map(|session| (*key, session)));
            }
            out.push((0, self.rows(&all)?));
        }
        Ok(())
    }

    /// The rows that sessions come to.
    fn rows(&self, sessions: &[(&[u8], Stored<'_>)]) -> Result<RecordBatch> {
        let mut columns = match self.plan.keys.is_empty() {
            true => Vec::new(),
            false => self.keys.decode(sessions.iter().map(|(key, _)| *key))?,
        };
        let part = |of: fn(&Span) -> i64| {
            TimestampMicrosecondArray::from_iter_values(sessions.iter().map(|(_, session)| of(&session.span)))
        };
        let of = windows(&self.plan.of, part(|span| span.start), part(|span| span.end));
        columns.insert(self.plan.place.min(columns.len()), of.doing(Kind::Internal, || "sessions")?);
        let mut accumulators = self.plan.aggregates.accumulators()?;
        let states = self.states.decode(sessions.iter().map(|(_, session)| session.state))?;
        accumulators.merge(&[&states], &(0..sessions.len()).collect::<Vec<_>>(), sessions.len())?;
        columns.extend(accumulators.values()?);
        made(&self.plan.schema, columns, sessions.len())
    }
}

/// The sessions of a piece, by the numbers of their keys.
fn sessions_of<'p>(piece: &'p Piece, keys: &mut KeyIndex<'p>) -> Result<Vec<KeySpan>> {
    let wrong = || Error::internal("a piece lacks the columns of a session");
    let [key, start, end, ..] = piece.rows.columns() else { return Err(wrong()) };
    let [start, end] = [start, end].map(|column| column.as_primitive_opt::<Int64Type>());
    let (start, end) = start.zip(end).ok_or_else(wrong)?;
    let key = key.as_binary_opt::<i32>().ok_or_else(wrong)?;
    let spans = start.values().iter().zip(end.values()).map(|(start, end)| Span { start: *start, end: *end });
    let rows = piece.hashes.iter().zip(key.iter().flatten()).zip(spans);
    Ok(rows.map(|((hash, key), span)| KeySpan { key: keys.number(*hash, key), span }).collect())
}

impl Operator for SessionShard {
    fn on_piece(&mut self, _: usize, piece: Piece) -> Result<()> {
        self.pieces.push(piece);
        Ok(())
    }

    fn on_epoch_end(
        &mut self,
        state: &mut ShardState<'_>,
        out: &mut Vec<(usize, RecordBatch)>,
    ) -> Result<()> {
        self.update(state)?;
        match self.plan.mode {
            OutputMode::Complete => self.everything(state, out),
            _ => self.evict(state, out),
        }
    }
}
