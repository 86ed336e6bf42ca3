use crate::{
    choice::{self, Choice},
    formats::csv::decode::CsvInput,
    units::Interval,
};
use engine::Result;
use schemars::JsonSchema;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer, value::SeqAccessDeserializer},
};
use std::{collections::BTreeMap, fmt};

/// Messages of topics, a row each. Where a message was is told by `topic/partition, offset` in errors and dead letters. Without other
/// columns asked for, a row has the columns of the value.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(
    rename_all = "kebab-case",
    deny_unknown_fields,
    expecting = "a table such as { bootstrap-servers = \"localhost:9092\", topic = \"events\", value = \"json\" }"
)]
pub struct KafkaSettings {
    /// Some of the brokers, `host:port`, with commas between them.
    pub bootstrap_servers: String,
    /// The topic, or a list of them.
    pub topic: Option<Topics>,
    /// A regular expression: every topic whose whole name it matches, those that are made later too.
    pub pattern: Option<String>,
    /// Some partitions of topics: `{ events = [0, 1] }`.
    pub assignment: Option<BTreeMap<String, Vec<i32>>>,
    /// Where the query begins that has read nothing yet: `earliest` (default), `latest`, `{ timestamp = "2025-01-01T00:00:00Z" }`, or
    /// `{ offsets = { events = { 0 = 12, 1 = "latest" } } }`. Partitions that are found later, or not named, are read from their
    /// beginning.
    #[serde(default, deserialize_with = "choice::choice")]
    pub starting_offsets: StartingOffsets,
    /// What the value is: `string` (default), `raw`, `json`, `csv`, `avro` or `protobuf`. `string` and `raw` make one column, `value`;
    /// `json` and `csv` those of `schema`; the last two those of the newest schema in the registry.
    #[serde(default)]
    pub value: Format,
    /// What the key is, and that there is to be a column `key`. Where a key has several fields it is a STRUCT.
    pub key: Option<Format>,
    /// The fields of a key of `json` or `csv`, as Spark's DDL.
    pub key_schema: Option<String>,
    /// Add a column `headers`, ARRAY<STRUCT<key: STRING, value: BINARY>>.
    #[serde(default)]
    pub headers: bool,
    /// More columns: a list of `topic`, `partition`, `offset` and `timestamp`, or a table with the name that each is to have,
    /// `{ timestamp = "sent_at" }`.
    #[serde(default)]
    pub columns: Columns,
    /// For `csv`.
    pub csv: Option<CsvInput>,
    /// Where the schemas of `avro` and `protobuf` are.
    pub schema_registry: Option<RegistrySettings>,
    /// Whether the query ends with an error when messages that it had to read are gone: expired, or with their topic. Else it says so
    /// and goes on behind them; with the beginning of a topic that was made anew, if that is shorter than what was read of it.
    /// Default: true.
    #[serde(default = "yes")]
    pub fail_on_data_loss: bool,
    /// Wait for this many rows before an epoch, but not for ever: `{ rows = 10_000, max-delay = "1m" }`.
    pub min_per_trigger: Option<MinRows>,
    /// How often to look for new partitions and topics. Default: `10s`.
    #[serde(default = "ten_seconds")]
    pub discovery_interval: Interval,
    /// The consumer group that offsets are committed to after each epoch, so that tools can tell how far the query is; it does not
    /// start from them. Default: `streamhost-<query>-<source>`.
    pub group: Option<String>,
    /// Any setting of librdkafka, such as `"security.protocol"` and `"sasl.mechanism"`. A value may be `secret:name`.
    #[serde(default)]
    pub client: ClientSettings,
}

impl KafkaSettings {
    /// All of a topic, as text.
    pub fn of(bootstrap_servers: &str, topic: &str) -> Self {
        KafkaSettings {
            bootstrap_servers: bootstrap_servers.to_owned(),
            topic: Some(Topics::One(topic.to_owned())),
            pattern: None,
            assignment: None,
            starting_offsets: StartingOffsets::default(),
            value: Format::default(),
            key: None,
            key_schema: None,
            headers: false,
            columns: Columns::default(),
            csv: None,
            schema_registry: None,
            fail_on_data_loss: yes(),
            min_per_trigger: None,
            discovery_interval: ten_seconds(),
            group: None,
            client: ClientSettings::default(),
        }
    }

    /// The same, with what each value stands for that may be a secret.
    pub fn resolved(&self, resolve: impl Fn(&str) -> Result<String>) -> Result<Self> {
        let schema_registry =
            self.schema_registry.as_ref().map(|registry| registry.resolved(&resolve)).transpose()?;
        Ok(KafkaSettings { client: self.client.resolved(&resolve)?, schema_registry, ..self.clone() })
    }
}

fn yes() -> bool {
    true
}

fn ten_seconds() -> Interval {
    Interval::millis(10_000)
}

/// One topic or several.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "a topic, or a list of topics")]
pub enum Topics {
    /// One.
    One(String),
    /// Several.
    Several(Vec<String>),
}

impl Topics {
    /// Their names.
    pub fn names(&self) -> &[String] {
        match self {
            Topics::One(name) => std::slice::from_ref(name),
            Topics::Several(names) => names,
        }
    }
}

/// Where a query begins.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StartingOffsets {
    /// With the oldest message there is.
    #[default]
    Earliest,
    /// With the first message after the query's first start.
    Latest,
    /// With the first message of this time or later.
    Timestamp(
        #[serde(deserialize_with = "time")]
        #[schemars(with = "String")]
        jiff::Timestamp,
    ),
    /// By topic and partition.
    Offsets(BTreeMap<String, BTreeMap<i32, StartingOffset>>),
}

fn time<'de, D: Deserializer<'de>>(from: D) -> Result<jiff::Timestamp, D::Error> {
    let text = String::deserialize(from)?;
    text.parse().map_err(|_| {
        let what = format!("{text:?} is no time with its zone; write for example \"2025-01-01T00:00:00Z\"");
        serde::de::Error::custom(what)
    })
}

impl Choice for StartingOffsets {
    const WRITTEN: &'static str = "\"earliest\", \"latest\", { timestamp = \"2025-01-01T00:00:00Z\" } or { offsets = { events = { 0 = 12 } } }";
}

/// Where to begin in a partition.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "an offset, \"earliest\" or \"latest\"")]
pub enum StartingOffset {
    /// With this offset.
    At(u64),
    /// `earliest` or `latest`.
    Named(Named),
}

/// An end of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Named {
    /// The oldest message.
    Earliest,
    /// Behind the newest.
    Latest,
}

/// What the bytes of a key or a value are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Text.
    #[default]
    String,
    /// Bytes.
    Raw,
    /// A JSON object.
    Json,
    /// A line of comma-separated values.
    Csv,
    /// Avro, with the id of its schema in front.
    Avro,
    /// A message of Protocol Buffers, with the id of its schema in front.
    Protobuf,
}

impl Format {
    /// The name in a pipeline.
    pub fn name(self) -> &'static str {
        match self {
            Format::String => "string",
            Format::Raw => "raw",
            Format::Json => "json",
            Format::Csv => "csv",
            Format::Avro => "avro",
            Format::Protobuf => "protobuf",
        }
    }
}

/// Something that is known of a message beside its key and its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Column {
    /// STRING: its topic.
    Topic,
    /// INT: its partition.
    Partition,
    /// BIGINT: its offset.
    Offset,
    /// TIMESTAMP: when it was sent or, as the topic is set, when it arrived.
    Timestamp,
}

impl Column {
    /// The name of the column unless it is given another.
    pub fn name(self) -> &'static str {
        match self {
            Column::Topic => "topic",
            Column::Partition => "partition",
            Column::Offset => "offset",
            Column::Timestamp => "timestamp",
        }
    }
}

/// The columns that are added, with their names.
#[derive(Clone, Debug, Default, PartialEq, Eq, JsonSchema)]
#[schemars(with = "ColumnsAsWritten")]
pub struct Columns(pub Vec<(Column, String)>);

/// What the schema says of [`Columns`].
#[derive(JsonSchema)]
#[schemars(untagged)]
#[allow(dead_code, reason = "only its schema is used")]
enum ColumnsAsWritten {
    List(Vec<Column>),
    Table(BTreeMap<Column, String>),
}

impl<'de> Deserialize<'de> for Columns {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Written;
        impl<'de> Visitor<'de> for Written {
            type Value = Columns;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "a list such as [\"topic\", \"offset\"], or a table such as { timestamp = \"sent_at\" }",
                )
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Columns, A::Error> {
                let list = Vec::<Column>::deserialize(SeqAccessDeserializer::new(list))?;
                Ok(Columns(list.into_iter().map(|column| (column, column.name().to_owned())).collect()))
            }

            fn visit_map<A: MapAccess<'de>>(self, table: A) -> Result<Columns, A::Error> {
                let table = BTreeMap::<Column, String>::deserialize(MapAccessDeserializer::new(table))?;
                Ok(Columns(table.into_iter().collect()))
            }
        }
        from.deserialize_any(Written)
    }
}

/// How few rows are not worth an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(
    rename_all = "kebab-case",
    deny_unknown_fields,
    expecting = "a table such as { rows = 10_000, max-delay = \"1m\" }"
)]
pub struct MinRows {
    /// So many rows are waited for,
    pub rows: u64,
    /// but no longer than this after the last epoch was planned. Default: `15m`.
    #[serde(default = "fifteen_minutes")]
    pub max_delay: Interval,
}

fn fifteen_minutes() -> Interval {
    Interval::millis(15 * 60 * 1000)
}

/// A schema registry with Confluent's API.
#[derive(Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(
    rename_all = "kebab-case",
    deny_unknown_fields,
    expecting = "a table such as { url = \"http://localhost:8081\" }"
)]
pub struct RegistrySettings {
    /// Where it is: `http://localhost:8081`.
    pub url: String,
    /// The user, if it asks for one.
    pub username: Option<String>,
    /// The user's password; best as `secret:name`.
    pub password: Option<String>,
    /// The subject that has the schemas of values. Default: `<topic>-value`.
    pub value_subject: Option<String>,
    /// The subject that has the schemas of keys. Default: `<topic>-key`.
    pub key_subject: Option<String>,
}

impl RegistrySettings {
    /// The same, with what the user and the password stand for.
    pub(super) fn resolved(&self, resolve: impl Fn(&str) -> Result<String>) -> Result<Self> {
        let within = |value: &Option<String>| value.as_deref().map(&resolve).transpose();
        let (username, password) = (within(&self.username)?, within(&self.password)?);
        Ok(RegistrySettings { username, password, ..self.clone() })
    }
}

impl fmt::Debug for RegistrySettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegistrySettings").field("url", &self.url).field("username", &self.username).finish()
    }
}

/// Settings of librdkafka, as text.
#[derive(Clone, Default, PartialEq, Eq, JsonSchema)]
#[schemars(with = "BTreeMap<String, Scalar>")]
pub struct ClientSettings(pub BTreeMap<String, String>);

/// A value of librdkafka's.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "a string, a number or true or false")]
enum Scalar {
    Bool(bool),
    Integer(i64),
    Number(f64),
    Text(String),
}

impl ClientSettings {
    /// Those that say how to get to the brokers, and as whom.
    pub fn of_connection(&self) -> Self {
        let ways = ["security.", "sasl.", "ssl.", "enable.ssl.", "enable.sasl."];
        let of_way = |(name, _): &(&String, &String)| ways.iter().any(|way| name.starts_with(way));
        ClientSettings(
            self.0.iter().filter(of_way).map(|(name, value)| (name.clone(), value.clone())).collect(),
        )
    }

    /// The same, with what each value stands for.
    pub(super) fn resolved(&self, resolve: impl Fn(&str) -> Result<String>) -> Result<Self> {
        let value = |(name, value): (&String, &String)| {
            let value = resolve(value).map_err(|e| e.while_doing(format!("client.{name:?}")))?;
            Ok((name.clone(), value))
        };
        Ok(ClientSettings(self.0.iter().map(value).collect::<Result<_>>()?))
    }
}

impl<'de> Deserialize<'de> for ClientSettings {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let values = BTreeMap::<String, Scalar>::deserialize(from)?;
        let text = |value| match value {
            Scalar::Bool(value) => value.to_string(),
            Scalar::Integer(value) => value.to_string(),
            Scalar::Number(value) => value.to_string(),
            Scalar::Text(value) => value,
        };
        Ok(ClientSettings(values.into_iter().map(|(name, value)| (name, text(value))).collect()))
    }
}

impl fmt::Debug for ClientSettings {
    /// Names only: values may be passwords and keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(json: &str) -> Vec<(Column, String)> {
        serde_json::from_str::<Columns>(json).unwrap().0
    }

    #[test]
    fn columns_are_a_list_or_a_table_with_names() {
        assert_eq!(columns("[\"offset\"]"), [(Column::Offset, "offset".to_owned())]);
        assert_eq!(columns("{\"timestamp\": \"sent_at\"}"), [(Column::Timestamp, "sent_at".to_owned())]);
        assert!(serde_json::from_str::<Columns>("[\"size\"]").is_err());
    }

    #[test]
    fn what_may_be_a_password_is_never_shown() {
        let client: ClientSettings =
            serde_json::from_str("{\"sasl.password\": \"quiet\", \"linger.ms\": 5}").unwrap();
        assert_eq!(client.0.get("linger.ms").map(String::as_str), Some("5"));
        assert_eq!(format!("{client:?}"), "{\"linger.ms\", \"sasl.password\"}");
    }
}
