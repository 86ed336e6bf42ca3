use super::{CheckpointStore, Created};
use crate::Result;
use async_trait::async_trait;
use bytes::Bytes;
use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

/// A checkpoint that ends with the process: for a query that was given none, and for simulations.
#[derive(Debug, Default)]
pub struct MemoryStore(Mutex<BTreeMap<String, Bytes>>);

impl MemoryStore {
    fn records(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Bytes>> {
        // Every critical section is one call on the map, so a poisoned map is still whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl CheckpointStore for MemoryStore {
    async fn read(&self, name: &str) -> Result<Option<Bytes>> {
        Ok(self.records().get(name).cloned())
    }

    async fn create(&self, name: &str, record: Bytes) -> Result<Created> {
        let mut records = self.records();
        if records.contains_key(name) {
            return Ok(Created::Lost);
        }
        records.insert(name.to_owned(), record);
        Ok(Created::Won)
    }

    async fn list(&self, folder: &str) -> Result<Vec<String>> {
        let prefix = format!("{folder}/");
        let names =
            self.records().keys().filter_map(|k| k.strip_prefix(&prefix).map(str::to_owned)).collect();
        Ok(names)
    }

    async fn delete(&self, name: &str) -> Result<()> {
        self.records().remove(name);
        Ok(())
    }

    fn location(&self) -> String {
        "memory".into()
    }
}
