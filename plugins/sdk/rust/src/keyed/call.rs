//! What the host gives a plugin for one call.

use std::ops::Range;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;

use crate::{Error, Result, ipc};

use super::{Clock, Timer};

/// The columns that come in.
#[derive(Debug, Clone)]
pub struct Input {
    /// Those of the keys, in the order of the step's `keys`.
    pub keys: SchemaRef,
    /// Those of the rows, which the plugin reads.
    pub rows: SchemaRef,
}

/// The rows of some keys, in the order of the keys.
#[derive(Debug)]
pub struct Groups {
    keys: RecordBatch,
    starts: Vec<u32>,
    rows: RecordBatch,
    more: bool,
}

impl Groups {
    pub(crate) fn new(keys: RecordBatch, starts: Vec<u32>, rows: RecordBatch, more: bool) -> Result<Self> {
        let ordered = starts.first().is_none_or(|first| *first == 0)
            && starts.is_sorted()
            && starts.last().is_none_or(|last| *last as usize <= rows.num_rows());
        if starts.len() != keys.num_rows() || !ordered {
            return Err(Error::permanent("the host's groups do not fit their rows"));
        }
        Ok(Self { keys, starts, rows, more })
    }

    /// No keys and no rows.
    pub(crate) fn none(input: &Input) -> Result<Self> {
        Self::new(ipc::empty(&input.keys)?, Vec::new(), ipc::empty(&input.rows)?, false)
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.starts.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }

    /// A row for each key.
    pub fn keys(&self) -> &RecordBatch {
        &self.keys
    }

    /// The rows, of one key after the other; those of a key in the order in which they came.
    pub fn rows(&self) -> &RecordBatch {
        &self.rows
    }

    /// Which rows are those of the key at `key`.
    pub fn range(&self, key: usize) -> Range<usize> {
        let end = self.rows.num_rows();
        let start = |key: usize| self.starts.get(key).map_or(end, |start| *start as usize);
        start(key)..start(key + 1)
    }

    /// Whether more rows of the key at `key` follow in the next call, which is the same epoch's: only ever of the last key, and of one
    /// with more rows than a batch. What is put for it now is seen there.
    pub fn more(&self, key: usize) -> bool {
        self.more && key + 1 == self.len()
    }
}

/// Timers that are due. They are gone already.
#[derive(Debug)]
pub struct FiredTimers {
    clock: Clock,
    keys: RecordBatch,
    timers: Vec<Timer>,
}

impl FiredTimers {
    pub(crate) fn new(clock: Clock, keys: RecordBatch, timers: Vec<Timer>) -> Result<Self> {
        match timers.iter().find(|timer| timer.key as usize >= keys.num_rows()) {
            None => Ok(Self { clock, keys, timers }),
            Some(_) => Err(Error::permanent("the host's timers do not fit their keys")),
        }
    }

    /// No timers.
    pub(crate) fn none(input: &Input) -> Result<Self> {
        Self::new(Clock::EventTime, ipc::empty(&input.keys)?, Vec::new())
    }

    /// The clock that they were set on.
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// A row for each key that has one of them.
    pub fn keys(&self) -> &RecordBatch {
        &self.keys
    }

    /// The timers, by their time, and those of the same time by their key.
    pub fn timers(&self) -> &[Timer] {
        &self.timers
    }
}
