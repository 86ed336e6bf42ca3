//! The tables that a plugin keeps by key.

use super::entry::{self, Item};
use crate::{
    Error, Kind, Result, ResultExt,
    operators::{Codec, as_key},
};
use arrow::{
    array::{ArrayRef, AsArray, RecordBatch, UInt32Array},
    datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef, UInt32Type},
};
use serde::{Deserialize, Serialize};
use std::{borrow::Cow, collections::HashSet, sync::Arc};

/// The time of what never leaves.
pub(super) const NEVER: i64 = i64::MAX;

/// A table as the plugin declares it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TableSpec {
    /// Its name among the step's tables.
    pub name: String,
    /// What it holds of a key.
    pub kind: TableKind,
    /// The columns of a value.
    pub value: Vec<FieldRef>,
    /// Raised when columns change.
    pub version: u32,
    /// So many microseconds after it was put a value leaves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<i64>,
}

/// What a table holds of a key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TableKind {
    /// One value.
    Value,
    /// A list of values.
    Sequence,
    /// Values by a second key of these columns.
    Mapping(Vec<FieldRef>),
}

impl TableKind {
    pub(crate) fn second(&self) -> &[FieldRef] {
        match self {
            TableKind::Mapping(second) => second,
            TableKind::Value | TableKind::Sequence => &[],
        }
    }

    fn name(&self) -> &'static str {
        match self {
            TableKind::Value => "value",
            TableKind::Sequence => "sequence",
            TableKind::Mapping(_) => "mapping",
        }
    }
}

/// A table, and how its entries are read and written.
pub struct Table {
    spec: TableSpec,
    second: Codec,
    value: Codec,
    entries: SchemaRef,
    of: SchemaRef,
}

impl Table {
    /// Of kind [`Plugin`](Kind::Plugin) if there can be none such.
    pub fn new(spec: TableSpec) -> Result<Self> {
        let refuse = |why: &str| Error::plugin(format!("its table `{}` {why}", spec.name));
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        if spec.name.is_empty() || spec.name.len() > 64 || !spec.name.chars().all(plain) {
            return Err(Error::plugin(
                "the name of a table has 1 to 64 letters, digits, `-` and `_`, and one of its has not",
            ));
        }
        if spec.value.is_empty() {
            return Err(refuse("has values of no columns"));
        }
        if spec.kind == TableKind::Mapping(Vec::new()) {
            return Err(refuse("has a second key of no columns"));
        }
        if spec.ttl.is_some_and(|ttl| ttl <= 0) {
            return Err(refuse("lets values go after no time"));
        }
        let codec = |fields: &[FieldRef]| Codec::new(fields.iter().map(|field| field.data_type()));
        let of_state =
            |codec: Result<Codec>| codec.map_err(|_| refuse("has a column of a type that state cannot have"));
        let (second, value) = (of_state(codec(spec.kind.second()))?, of_state(codec(&spec.value))?);
        let columns = |fields: &[&[FieldRef]]| {
            let key = Arc::new(Field::new("key", DataType::UInt32, false));
            let fields = fields.iter().flat_map(|fields| fields.iter().cloned());
            Arc::new(Schema::new([key].into_iter().chain(fields).collect::<Vec<_>>()))
        };
        let entries = columns(&[spec.kind.second(), &spec.value]);
        let of = columns(&[spec.kind.second()]);
        Ok(Table { spec, second, value, entries, of })
    }

    /// As it was declared.
    pub fn spec(&self) -> &TableSpec {
        &self.spec
    }

    /// The columns of an entry: the number of its key, the second key, the value.
    pub fn entries(&self) -> &SchemaRef {
        &self.entries
    }

    /// The same without the value.
    pub fn of(&self) -> &SchemaRef {
        &self.of
    }

    /// The columns of what [`Table::rewrite`] takes and gives: the second key, the value.
    pub fn stored(&self) -> SchemaRef {
        let fields = self.spec.kind.second().iter().chain(&self.spec.value).cloned();
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    }

    /// Appends what an entry holds at this time: `until` is the entry's own time.
    pub(super) fn items<'e>(
        &self,
        until: i64,
        bytes: &'e [u8],
        now: i64,
        to: &mut Vec<Item<'e>>,
    ) -> Result<()> {
        match self.spec.kind {
            TableKind::Value => {
                let put = self.spec.ttl.map_or(NEVER, |ttl| until.saturating_sub(ttl));
                let item = Item { second: &[], value: bytes, put };
                to.extend(Some(item).filter(|_| until > now));
            }
            TableKind::Sequence | TableKind::Mapping(_) => {
                to.extend(entry::items(bytes)?.into_iter().filter(|item| self.leaves(item.put) > now));
            }
        }
        Ok(())
    }

    /// When what was put then leaves.
    pub(super) fn leaves(&self, put: i64) -> i64 {
        self.spec.ttl.map_or(NEVER, |ttl| put.saturating_add(ttl))
    }

    /// Appends an entry that holds these, and answers its time; none if it holds nothing.
    pub(super) fn entry(&self, items: &[Item<'_>], to: &mut Vec<u8>) -> Result<Option<i64>> {
        let (Some(last), Some(first)) = (items.last(), items.iter().map(|item| item.put).min()) else {
            return Ok(None);
        };
        if self.spec.kind == TableKind::Value {
            to.extend_from_slice(last.value);
            return Ok(Some(self.leaves(last.put)));
        }
        for item in items {
            entry::append(to, *item)?;
        }
        Ok(Some(self.leaves(first)))
    }

    /// Items as rows of [`Table::entries`], each with the number of its key.
    pub(super) fn rows(&self, keys: Vec<u32>, items: &[Item<'_>]) -> Result<RecordBatch> {
        let mut columns: Vec<ArrayRef> = vec![Arc::new(UInt32Array::from(keys))];
        columns.extend(self.columns(items)?);
        RecordBatch::try_new(self.entries.clone(), columns).doing(Kind::Internal, || "entries as rows")
    }

    fn columns(&self, items: &[Item<'_>]) -> Result<Vec<ArrayRef>> {
        let mut columns = Vec::new();
        if !self.spec.kind.second().is_empty() {
            columns.extend(self.second.decode(items.iter().map(|item| item.second))?);
        }
        columns.extend(self.value.decode(items.iter().map(|item| item.value))?);
        Ok(columns)
    }

    /// Rows of [`Table::entries`], or of [`Table::of`], as bytes.
    pub(super) fn read(&self, rows: &RecordBatch) -> Result<Written> {
        let columns = rows.columns();
        let keys = columns.first().and_then(|keys| keys.as_primitive_opt::<UInt32Type>());
        let keys = keys.ok_or_else(|| Error::internal("entries without the numbers of their keys"))?;
        let (second, value) = columns.get(1..).unwrap_or_default().split_at(self.spec.kind.second().len());
        let second = second.iter().cloned().map(as_key).collect::<Result<Vec<_>>>()?;
        Ok(Written {
            keys: keys.values().to_vec(),
            second: (!second.is_empty()).then(|| self.second.encode(&second)).transpose()?,
            value: (!value.is_empty()).then(|| self.value.encode(value)).transpose()?,
        })
    }

    /// What entries of an older table hold, as rows of its [`Table::stored`].
    pub fn before(&self, entries: &[OldEntry]) -> Result<RecordBatch> {
        let mut items = Vec::new();
        for old in entries {
            self.items(old.time, &old.bytes, i64::MIN, &mut items)?;
        }
        RecordBatch::try_new(self.stored(), self.columns(&items)?)
            .doing(Kind::Internal, || "old entries as rows")
    }

    /// The entries of `before`, with these rows of [`Table::stored`] in the place of what they hold.
    pub fn rewrite(&self, before: &Table, entries: &mut [OldEntry], rows: &RecordBatch) -> Result<()> {
        let (second, value) = rows.columns().split_at(self.spec.kind.second().len());
        let second = second.iter().cloned().map(as_key).collect::<Result<Vec<_>>>()?;
        let second = (!second.is_empty()).then(|| self.second.encode(&second)).transpose()?;
        let value = self.value.encode(value)?;
        let mut values = value.iter();
        let mut seconds = second.iter().flat_map(|second| second.iter());
        let lost = || Error::internal("fewer rows than there were entries");
        for old in entries {
            let (mut there, mut items) = (Vec::new(), Vec::new());
            before.items(old.time, &old.bytes, i64::MIN, &mut there)?;
            for item in there {
                let second =
                    seconds.next().map_or(Cow::Borrowed(&[][..]), |second| second.data().to_vec().into());
                items.push((second, values.next().ok_or_else(lost)?, item.put));
            }
            if let TableKind::Mapping(_) = self.spec.kind {
                items.sort_by(|a, b| a.0.cmp(&b.0));
            }
            let items: Vec<Item<'_>> = items
                .iter()
                .map(|(second, value, put)| Item { second, value: value.data(), put: *put })
                .collect();
            let mut bytes = Vec::new();
            let time = self.entry(&items, &mut bytes)?.ok_or_else(lost)?;
            let time = if self.spec.kind == TableKind::Value { old.time } else { time };
            (old.time, old.bytes) = (time, bytes);
        }
        Ok(())
    }
}

/// Rows of entries as bytes.
pub(super) struct Written {
    pub(super) keys: Vec<u32>,
    second: Option<arrow::row::Rows>,
    value: Option<arrow::row::Rows>,
}

impl Written {
    /// The row of this index.
    pub(super) fn item(&self, row: usize, put: i64) -> Item<'_> {
        Item { second: bytes(self.second.as_ref(), row), value: bytes(self.value.as_ref(), row), put }
    }
}

fn bytes(rows: Option<&arrow::row::Rows>, row: usize) -> &[u8] {
    rows.map_or(&[], |rows| rows.row(row).data())
}

/// An entry of a table of an older version.
pub struct OldEntry {
    /// Its name.
    pub(super) name: Box<[u8]>,
    pub(super) time: i64,
    pub(super) bytes: Vec<u8>,
}

/// A table whose entries were written by an older version of it.
pub struct Migration {
    /// Which of the tables it is.
    pub table: usize,
    /// What it was.
    pub before: Table,
}

/// All tables of a step.
pub struct Tables(Vec<Table>);

impl Tables {
    /// Of kind [`Plugin`](Kind::Plugin) if there can be none such.
    pub fn new(specs: Vec<TableSpec>) -> Result<Self> {
        let mut names = HashSet::new();
        if let Some(twice) = specs.iter().find(|spec| !names.insert(spec.name.clone())) {
            return Err(Error::plugin(format!("it has two tables `{}`", twice.name)));
        }
        Ok(Tables(specs.into_iter().map(Table::new).collect::<Result<_>>()?))
    }

    /// The table of this index.
    pub fn at(&self, index: usize) -> Result<&Table> {
        self.0.get(index).ok_or_else(|| Error::internal(format!("there is no table {index}")))
    }

    /// The index of the table of this name.
    pub fn find(&self, name: &str) -> Option<usize> {
        self.0.iter().position(|table| table.spec.name == name)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Table> {
        self.0.iter()
    }

    /// What a checkpoint keeps of them.
    pub fn record(&self) -> String {
        let specs: Vec<&TableSpec> = self.0.iter().map(|table| &table.spec).collect();
        serde_json::to_string(&specs).unwrap_or_default()
    }

    /// What has to be done with entries of tables of which this was kept, before these can be used for them. An error says why
    /// they cannot be.
    pub fn since(&self, record: &str) -> Result<Vec<Migration>> {
        let before: Vec<TableSpec> = serde_json::from_str(record)
            .doing(Kind::Data, || "what the checkpoint has of the tables of a plugin")?;
        let mut migrations = Vec::new();
        for before in before {
            let refuse = |why: String| Err(Error::invalid(format!("its table `{}` {why}", before.name)));
            let Some((at, now)) = self.0.iter().enumerate().find(|(_, now)| now.spec.name == before.name)
            else {
                return refuse("is gone, with what it holds".into());
            };
            let now = &now.spec;
            let alike = same(&now.value, &before.value) && same(now.kind.second(), before.kind.second());
            if now.kind.name() != before.kind.name() {
                return refuse(format!(
                    "was a {} table, and is a {} table",
                    before.kind.name(),
                    now.kind.name()
                ));
            }
            match now.version.cmp(&before.version) {
                std::cmp::Ordering::Less => {
                    return refuse(format!(
                        "is of version {}, and was of version {} before",
                        now.version, before.version
                    ));
                }
                std::cmp::Ordering::Equal if alike => {}
                std::cmp::Ordering::Equal => {
                    return refuse(format!(
                        "has other columns than before, and is still of version {}: the plugin has to raise it, and migrate",
                        now.version
                    ));
                }
                std::cmp::Ordering::Greater => {
                    migrations.push(Migration { table: at, before: Table::new(before)? });
                }
            }
        }
        Ok(migrations)
    }
}

fn same(a: &[FieldRef], b: &[FieldRef]) -> bool {
    let types =
        |fields: &[FieldRef]| fields.iter().map(|field| field.data_type().clone()).collect::<Vec<_>>();
    types(a) == types(b) && Fields::from(a.to_vec()).iter().map(|f| f.name()).eq(b.iter().map(|f| f.name()))
}
