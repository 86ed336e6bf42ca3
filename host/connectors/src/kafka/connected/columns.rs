//! Which columns messages make, by the settings and the schemas of a registry.

use super::{
    avro,
    decode::{Rules, column_type, headers_type},
    part::{Origin, PartRules, single},
    protobuf,
    registry::{Registry, Schema as Registered},
};
use crate::{
    formats::{
        ddl,
        rows::{RowRules, Tally},
    },
    kafka::settings::{Format, KafkaSettings, Topics},
    source::{Limit, SchemaOption, SourceOptions},
};
use arrow::datatypes::{DataType, Field, FieldRef, Schema};
use engine::{Clock, Error, Kind, Result, Wanted};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// The schemas of the registry that columns are from: of the value, and of the key.
pub(super) type Ids = (Option<u32>, Option<u32>);

/// Makes rules for messages.
pub(super) struct ColumnPlan {
    settings: KafkaSettings,
    options: SourceOptions,
    registry: Option<Arc<Registry>>,
    clock: Arc<dyn Clock>,
    tally: Tally,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    rules: BTreeMap<Ids, Rules>,
    /// The newest schemas, and when they were asked for.
    newest: Option<(Ids, Duration)>,
}

/// A key or a value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Which {
    Key,
    Value,
}

impl Which {
    fn name(self) -> &'static str {
        match self {
            Which::Key => "key",
            Which::Value => "value",
        }
    }
}

impl ColumnPlan {
    /// [`Kind::Invalid`] if settings contradict each other, or are for other sources.
    pub(super) fn new(
        settings: KafkaSettings,
        options: SourceOptions,
        clock: Arc<dyn Clock>,
    ) -> Result<Self> {
        let registry = settings.schema_registry.clone();
        let registry = registry.map(|registry| Arc::new(Registry::new(registry, clock.clone())));
        let (tally, known) = (Tally::default(), Mutex::default());
        let plan = ColumnPlan { settings, options, registry, clock, tally, known };
        plan.check()?;
        if !plan.asks_registry() {
            plan.rules((None, None))?;
        }
        Ok(plan)
    }

    fn check(&self) -> Result<()> {
        let ColumnPlan { settings, options, .. } = self;
        let csv = settings.csv.clone().unwrap_or_default();
        csv.rules()?;
        let what = if csv.header {
            "csv: messages have no header; leave `header` out"
        } else if options.evolve && !self.asks_registry() {
            "evolve: only a schema registry can extend the columns of messages; use `rescue` to keep unknown fields"
        } else if !matches!(options.max_per_trigger, None | Some(Limit::Rows(_))) {
            "max-per-trigger: a Kafka source counts rows; write { rows = 100_000 }"
        } else if options.schema == Some(SchemaOption::Infer) {
            "a topic has no schema to infer; name the columns"
        } else if self.asks_registry() && self.registry.is_none() {
            "avro and protobuf need a registry with their schemas; set schema-registry = { url = \"http://localhost:8081\" }"
        } else {
            if self.asks_registry() {
                self.subject(Which::Value)?;
            }
            return Ok(());
        };
        Err(Error::invalid(what))
    }

    fn format(&self, which: Which) -> Option<Format> {
        match which {
            Which::Key => self.settings.key,
            Which::Value => Some(self.settings.value),
        }
    }

    fn is_registered(&self, which: Which) -> bool {
        matches!(self.format(which), Some(Format::Avro | Format::Protobuf))
    }

    fn asks_registry(&self) -> bool {
        self.is_registered(Which::Key) || self.is_registered(Which::Value)
    }

    /// The bad rows since the last call.
    pub(super) fn tally(&self) -> &Tally {
        &self.tally
    }

    /// The subject of the registry that has the schemas of keys or values.
    fn subject(&self, which: Which) -> Result<String> {
        let registry = self.settings.schema_registry.as_ref();
        let named = registry.and_then(|registry| match which {
            Which::Key => registry.key_subject.clone(),
            Which::Value => registry.value_subject.clone(),
        });
        let topic = match self.settings.topic.as_ref().map(Topics::names) {
            Some([topic]) => Some(topic),
            _ => None,
        };
        let name = which.name();
        named.or_else(|| topic.map(|topic| format!("{topic}-{name}"))).ok_or_else(|| {
            Error::invalid(format!(
                "schema-registry: of several topics nobody knows which one the columns are from; set {name}-subject = \"events-{name}\""
            ))
        })
    }

    /// The schemas that a range planned now has its columns from.
    pub(super) fn newest(&self) -> Result<Ids> {
        if !self.asks_registry() {
            return Ok((None, None));
        }
        let now = self.clock.monotonic();
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).newest;
        let fresh = |at: Duration| {
            !self.options.evolve || now.saturating_sub(at) < self.settings.discovery_interval.0
        };
        if let Some((ids, at)) = known
            && fresh(at)
        {
            return Ok(ids);
        }
        let asked = self.ask_newest(Which::Value).and_then(|value| Ok((value, self.ask_newest(Which::Key)?)));
        let ids = match (asked, known) {
            // What was the newest a moment ago will do.
            (Err(error), Some((ids, _))) if error.kind() == Kind::Unavailable => {
                tracing::warn!("{}", error.report());
                ids
            }
            (asked, _) => asked?,
        };
        self.known.lock().unwrap_or_else(PoisonError::into_inner).newest = Some((ids, now));
        Ok(ids)
    }

    fn ask_newest(&self, which: Which) -> Result<Option<u32>> {
        match &self.registry {
            Some(registry) if self.is_registered(which) => {
                Ok(Some(registry.newest(&self.subject(which)?)?.id))
            }
            _ => Ok(None),
        }
    }

    /// How messages become rows of columns that are from these schemas.
    pub(super) fn rules(&self, ids: Ids) -> Result<Rules> {
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(rules) = known().rules.get(&ids) {
            return Ok(rules.clone());
        }
        let rules = self.make(ids)?;
        known().rules.insert(ids, rules.clone());
        Ok(rules)
    }

    fn make(&self, (value, key): Ids) -> Result<Rules> {
        let ColumnPlan { settings, options, .. } = self;
        let value = self.part(Which::Value, settings.value, value)?;
        let key = settings.key.map(|format| self.part(Which::Key, format, key)).transpose()?;
        let mut fields: Vec<FieldRef> = Vec::new();
        if let Some(key) = &key {
            fields.push(Arc::new(Field::new("key", key_type(key), true)));
        }
        fields.extend(value.rows.schema.fields().iter().cloned());
        let added = settings.columns.0.iter();
        fields.extend(added.map(|(column, name)| Arc::new(Field::new(name, column_type(*column), true))));
        if settings.headers {
            fields.push(Arc::new(Field::new("headers", headers_type(), true)));
        }
        refuse_twins(&fields)?;
        Ok(Rules {
            schema: Arc::new(Schema::new(fields)),
            key,
            value,
            added: settings.columns.0.iter().map(|(column, _)| *column).collect(),
            headers: settings.headers,
            on_bad_data: options.on_bad_data,
            tally: self.tally.clone(),
        })
    }

    fn part(&self, which: Which, format: Format, id: Option<u32>) -> Result<PartRules> {
        let (schema, origin) = match format {
            Format::Avro | Format::Protobuf => self.registered(which, format, id)?,
            _ => (self.written(which, format)?, None),
        };
        let options = &self.options;
        let is_value = which == Which::Value;
        let schema = if is_value && origin.is_some() { options.complete(&schema) } else { schema };
        let rows = RowRules {
            schema: Arc::new(schema),
            on_bad_data: options.on_bad_data,
            rescue: options.rescue.clone().filter(|_| is_value),
            time_zone: options.time_zone.clone(),
            tally: self.tally.clone(),
            wanted: Wanted::All,
        };
        let one = match &origin {
            Some(origin) => origin.is_one,
            None => matches!(format, Format::String | Format::Raw),
        };
        Ok(PartRules {
            format,
            csv: self.settings.csv.clone().unwrap_or_default(),
            rows,
            origin,
            is_one: one,
        })
    }

    /// The columns that the settings say.
    fn written(&self, which: Which, format: Format) -> Result<Schema> {
        let (what, is_key) = (which.name(), which == Which::Key);
        let where_to = if is_key { "key-schema" } else { "schema" };
        let ddl = match (&self.options.schema, is_key) {
            (_, true) => self.settings.key_schema.as_deref(),
            (Some(SchemaOption::Ddl(ddl)), _) => Some(ddl.as_str()),
            _ => None,
        };
        match (format, ddl) {
            (Format::Json | Format::Csv, Some(ddl)) if is_key => Ok(nullable(&ddl::parse(ddl)?)),
            (Format::Json | Format::Csv, Some(ddl)) => self.options.columns(ddl),
            (Format::Json | Format::Csv, None) => Err(Error::invalid(format!(
                "set `{where_to}` to the fields of the {what}, such as \"id INT, name STRING\""
            ))),
            (_, None) => Ok(single(what, format)),
            (_, Some(_)) => Err(refuse_ddl(where_to, what, format)),
        }
    }

    /// The columns of a schema of the registry.
    fn registered(&self, which: Which, format: Format, id: Option<u32>) -> Result<(Schema, Option<Origin>)> {
        if which == Which::Value && self.options.schema.is_some() {
            return Err(refuse_ddl("schema", "value", format));
        }
        if self.settings.key_schema.is_some() && which == Which::Key {
            return Err(refuse_ddl("key-schema", "key", format));
        }
        let (Some(registry), Some(id)) = (&self.registry, id) else {
            return Err(Error::internal("a format of a registry without its schema"));
        };
        let schema = registry.schema(id)?.ok_or_else(|| {
            Error::invalid(format!(
                "the registry has no schema {id} any more, which a range was planned with"
            ))
        })?;
        let columns = columns_of(&schema, format)?;
        let is_one = format == Format::Avro && !avro::is_record(&schema);
        let origin = Origin { registry: registry.clone(), schema, is_one };
        Ok((columns, Some(origin)))
    }
}

fn columns_of(schema: &Registered, format: Format) -> Result<Schema> {
    match (format, schema.kind.as_str()) {
        (Format::Avro, "AVRO") => avro::columns(schema),
        (Format::Protobuf, "PROTOBUF") => protobuf::columns(schema),
        (_, kind) => Err(Error::invalid(format!(
            "schema {} of the registry is {kind}, and the format is {}",
            schema.id,
            format.name()
        ))),
    }
}

fn refuse_ddl(setting: &str, what: &str, format: Format) -> Error {
    Error::invalid(format!(
        "`{setting}` names the fields of json or csv, and the {what} is {}; write {what} = \"json\", or leave it out",
        format.name()
    ))
}

/// Two columns of one name could not be told apart.
fn refuse_twins(fields: &[FieldRef]) -> Result<()> {
    let mut seen = BTreeSet::new();
    match fields.iter().find(|field| !seen.insert(field.name().to_lowercase())) {
        None => Ok(()),
        Some(twin) => Err(Error::invalid(format!(
            "two columns would be called {:?}: that of the value and one that was asked for beside it; give the second another name, as in columns = \
             {{ timestamp = \"sent_at\" }}",
            twin.name()
        ))),
    }
}

/// The type of the column `key`.
fn key_type(key: &PartRules) -> DataType {
    match (key.is_one, key.rows.schema.fields().first()) {
        (true, Some(only)) => only.data_type().clone(),
        _ => DataType::Struct(key.rows.schema.fields().clone()),
    }
}

fn nullable(schema: &Schema) -> Schema {
    Schema::new(schema.fields().iter().map(|f| f.as_ref().clone().with_nullable(true)).collect::<Vec<_>>())
}
