//! A table of a database as a static side for joins.

use super::{
    place::Place,
    read::{Batches, Rows, selected},
};
use crate::source::SourceOptions;
use crate::sql::SqlTableSettings;
use arrow::{array::RecordBatch, datatypes::SchemaRef};
use async_trait::async_trait;
use engine::{Clock, Error, Result, Table};
use futures::TryStreamExt;
use serde_json::{Value as Json, json};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// Rows that are read as a whole, when the query starts and whenever they are older than they may be.
pub(super) struct SqlTable {
    place: Place,
    rows: Rows,
    schema: SchemaRef,
    options: SourceOptions,
    refresh: Option<Duration>,
    clock: Arc<dyn Clock>,
    /// The version that was told last, and when.
    told: Mutex<Option<(Json, Duration)>>,
}

impl SqlTable {
    /// Asks the database for the columns, if the pipeline does not say them.
    pub(super) async fn new(
        settings: &SqlTableSettings,
        place: Place,
        options: SourceOptions,
        clock: Arc<dyn Clock>,
    ) -> Result<Self> {
        let rows = Rows::new(settings.table.as_ref(), settings.query.as_ref())?;
        let mut connection = place.connect().await?;
        let schema = rows.schema(&place, &mut *connection, options.schema.as_ref()).await;
        let schema = schema.map_err(|e| e.while_doing(place.shown.clone()))?;
        let refresh = settings.refresh.map(|interval| interval.0);
        Ok(SqlTable { place, rows, schema, options, refresh, clock, told: Mutex::default() })
    }
}

#[async_trait]
impl Table for SqlTable {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    /// The time of the last reading: what a database held earlier cannot be asked for, so a version of an earlier start is only
    /// known to be another one.
    async fn version(&self) -> Result<Json> {
        let now = self.clock.monotonic();
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = |at: Duration| self.refresh.is_none_or(|refresh| now.saturating_sub(at) < refresh);
        if let Some((version, at)) = &*told
            && fresh(*at)
        {
            return Ok(version.clone());
        }
        let version = json!({ "read": self.clock.now() });
        *told = Some((version.clone(), now));
        Ok(version)
    }

    async fn read(&self, version: &Json) -> Result<Vec<RecordBatch>> {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if told.is_none_or(|(told, _)| told != *version) {
            return Err(Error::data(
                "a database is only asked for the rows that it has now, not for those of an earlier start",
            ));
        }
        let read = async {
            let mut connection = self.place.connect().await?;
            let query = format!(
                "SELECT {} FROM {}",
                selected(&self.place, &self.schema),
                self.rows.from(&self.place)
            );
            let zone = self.options.time_zone.clone();
            let of = &self.place.shown;
            let mut batches = Batches::new(self.schema.clone(), zone, self.options.on_bad_data, of)?;
            let mut all = Vec::new();
            let mut rows = connection.query(&query);
            while let Some(row) = rows.try_next().await? {
                all.extend(batches.push(&row)?);
            }
            all.extend(batches.take()?);
            if batches.bad_rows.count > 0 {
                tracing::warn!(
                    table = of,
                    rows = batches.bad_rows.count,
                    "rows of the table do not fit its columns"
                );
            }
            Ok(all)
        };
        read.await.map_err(|e: Error| e.while_doing(self.place.shown.clone()))
    }
}
