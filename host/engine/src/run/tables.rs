//! The tables of a run: in which version an epoch sees them is written down with it.

use super::Run;
use crate::{Result, checkpoint::OffsetRecord};
use serde_json::Value;
use std::collections::BTreeMap;

impl Run<'_> {
    /// Looks at every table, reads those that have changed, and answers their versions.
    pub(super) async fn refresh_tables(&self) -> Result<BTreeMap<String, Value>> {
        let mut versions = BTreeMap::new();
        for table in &self.flow.tables {
            versions.insert(table.name.clone(), table.refresh().await?);
        }
        Ok(versions)
    }

    /// Holds the tables in the versions of an epoch. A replay may come after one has changed: then it goes on with what there
    /// is, as it does with another version of a plugin.
    pub(super) async fn hold_tables(&self, record: &OffsetRecord, attempt: u32) -> Result<()> {
        for table in &self.flow.tables {
            let held = match record.tables.get(&table.name) {
                Some(version) => table.hold(version).await,
                None => table.refresh().await.map(drop),
            };
            let Err(error) = held else { continue };
            if attempt == 0 {
                return Err(error);
            }
            tracing::warn!(
                table = table.name,
                error = error.report(),
                "the table changed before this epoch was committed: sinks that have the epoch keep the old rows, the others get new ones"
            );
            table.refresh().await?;
        }
        Ok(())
    }
}
