//! Tables, as a plugin declares them.

use std::time::Duration;

use arrow_schema::{DataType, Field, FieldRef, Schema, SchemaRef};

use crate::bindings::stateful::exports::streamhost::plugin::keyed::{
    TableDeclaration, TableKind as DeclaredKind,
};
use crate::{Result, ipc, schema};

/// What is kept for each key, under a name.
#[derive(Debug, Clone)]
pub struct Table {
    pub(crate) name: String,
    pub(crate) kind: TableKind,
    pub(crate) value: SchemaRef,
    pub(crate) ttl: Option<Duration>,
    pub(crate) version: u32,
}

/// What a table has of a key.
#[derive(Debug, Clone, PartialEq)]
pub enum TableKind {
    /// One value.
    Value,
    /// A list of values.
    Sequence,
    /// Values by a second key of these columns.
    Mapping(SchemaRef),
}

impl Table {
    /// A table of one value a key: Spark's `ValueState`. Names have letters, digits, `-` and `_`.
    pub fn value(name: impl Into<String>, value: Schema) -> Self {
        Self::new(name.into(), TableKind::Value, &value)
    }

    /// A table of a list of values a key: Spark's `ListState`.
    pub fn sequence(name: impl Into<String>, value: Schema) -> Self {
        Self::new(name.into(), TableKind::Sequence, &value)
    }

    /// A table of values by a second key: Spark's `MapState`.
    pub fn mapping(name: impl Into<String>, second: Schema, value: Schema) -> Self {
        Self::new(name.into(), TableKind::Mapping(schema::nullable(&second)), &value)
    }

    /// Columns may be null, so that a column that learns to be is no new version.
    fn new(name: String, kind: TableKind, value: &Schema) -> Self {
        Self { name, kind, value: schema::nullable(value), ttl: None, version: 1 }
    }

    /// Entries that were not put for this long, by the epoch's time, are removed.
    #[must_use]
    pub fn with_ttl(self, ttl: impl Into<Option<Duration>>) -> Self {
        Self { ttl: ttl.into(), ..self }
    }

    /// The version of its columns, 1 unless it is given: raise it when they change, and migrate what is stored.
    #[must_use]
    pub fn with_version(self, version: u32) -> Self {
        Self { version, ..self }
    }

    /// The second key's columns, of which only a mapping has some.
    pub(crate) fn second(&self) -> &[FieldRef] {
        match &self.kind {
            TableKind::Mapping(second) => second.fields(),
            TableKind::Value | TableKind::Sequence => &[],
        }
    }

    /// The columns of an entry but for its key.
    pub(crate) fn columns(&self) -> SchemaRef {
        let fields = self.second().iter().chain(self.value.fields()).cloned();
        Schema::new(fields.collect::<Vec<_>>()).into()
    }

    /// The columns of an entry.
    pub(crate) fn entry(&self) -> SchemaRef {
        with_key(&self.columns())
    }

    /// The columns by which an entry of a mapping is found.
    pub(crate) fn place(&self) -> SchemaRef {
        with_key(&Schema::new(self.second().to_vec()))
    }

    /// As the host is told of it.
    pub(crate) fn declaration(&self) -> TableDeclaration {
        TableDeclaration {
            name: self.name.clone(),
            kind: match &self.kind {
                TableKind::Value => DeclaredKind::Value,
                TableKind::Sequence => DeclaredKind::Sequence,
                TableKind::Mapping(second) => DeclaredKind::Mapping(ipc::encode_schema(second)),
            },
            value: ipc::encode_schema(&self.value),
            ttl_ms: self.ttl.map(|ttl| u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX)),
            version: self.version,
        }
    }

    /// That every type crosses the boundary.
    pub(crate) fn check(&self) -> Result<()> {
        let tried = ipc::empty(&self.entry()).map(drop);
        tried.map_err(|error| error.context(format_args!("table `{}`", self.name)))
    }
}

/// Names of columns do not matter in an entry; so that of the key may be a column's too.
fn with_key(columns: &Schema) -> SchemaRef {
    let key = std::sync::Arc::new(Field::new("key", DataType::UInt32, false));
    Schema::new([key].into_iter().chain(columns.fields().iter().cloned()).collect::<Vec<_>>()).into()
}
