//! Rows of all partitions on their way to one shard.

use super::chain::Chain;
use crate::{Batch, EpochContext, Piece, Result, Scatter, Scattered, Timestamp, sql::EpochTime};
use std::sync::Arc;

/// The key that all rows have.
pub(super) const KEY: &[u8] = b"all";

/// Sends rows as they come.
pub(super) struct ToOneShard {
    before: Arc<Chain>,
    now: Timestamp,
    /// No more rows than these are wanted.
    left: usize,
}

impl ToOneShard {
    /// What `before` makes of rows, and of these the first `most`.
    pub(super) fn new(before: Arc<Chain>, most: usize, cx: &EpochContext) -> Self {
        ToOneShard { before, now: cx.now, left: most }
    }
}

impl Scatter for ToOneShard {
    fn on_batch(&mut self, batch: &Batch, out: &mut Scattered) -> Result<()> {
        if self.left == 0 {
            return Ok(());
        }
        let _now = EpochTime::set(self.now.0);
        let rows = self.before.run(&batch.rows)?;
        let rows = rows.slice(0, self.left.min(rows.num_rows()));
        self.left -= rows.num_rows();
        if rows.num_rows() > 0 {
            let hashes = vec![crate::hash(KEY); rows.num_rows()];
            out.pieces.push(Piece::new(rows, hashes));
        }
        Ok(())
    }

    fn on_end(&mut self, _: &mut Scattered) -> Result<()> {
        Ok(())
    }
}
