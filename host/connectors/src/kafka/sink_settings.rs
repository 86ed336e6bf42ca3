use super::settings::{ClientSettings, RegistrySettings};
use crate::formats::encode::JsonOutput;
use engine::{Error, Result};
use schemars::JsonSchema;
use serde::Deserialize;

/// A message for each row. A column that a setting names `…-from-column` goes where that setting says, and is not in the value.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(
    rename_all = "kebab-case",
    deny_unknown_fields,
    expecting = "a table such as { bootstrap-servers = \"localhost:9092\", topic = \"results\" }"
)]
pub struct KafkaSinkSettings {
    /// Some of the brokers, `host:port`, with commas between them.
    pub bootstrap_servers: String,
    /// Where messages go whose topic no column says. Exactly-once delivery needs it, as that is where the mark of an epoch is kept.
    pub topic: Option<String>,
    /// A STRING column with the topic of each message.
    pub topic_from_column: Option<String>,
    /// The column that becomes the key: STRING and BINARY as they are, others as JSON has them. Default: there is no key.
    pub key_from_column: Option<String>,
    /// A column like the source's `headers`.
    pub headers_from_column: Option<String>,
    /// An INT column with the partition of each message. Default: by the key.
    pub partition_from_column: Option<String>,
    /// What the value is: `json` (default), an object of the remaining columns; `string` or `raw`, the only remaining column; `avro`, a
    /// record of the remaining columns, whose schema is put into the registry.
    #[serde(default)]
    pub value: SinkFormat,
    /// For `json`.
    pub json: Option<JsonOutput>,
    /// Where the schema of `avro` goes, as a version of the subject `<topic>-value`.
    pub schema_registry: Option<RegistrySettings>,
    /// `exactly-once`: an epoch is one transaction, and readers that read what is committed get each row once. `at-least-once`: without
    /// transactions; rows of an epoch that is run again come again. Default: `exactly-once`, but under the continuous trigger, which
    /// has at-least-once only.
    pub delivery: Option<Delivery>,
    /// What becomes of a query whose mark in `topic` is gone though its checkpoint says that there was one: `fail` (default), or `write`
    /// the epoch that was interrupted, perhaps for the second time. A broker forgets marks that were not renewed for
    /// `offsets.retention.minutes`.
    #[serde(default)]
    pub missing_mark: MissingMark,
    /// Any setting of librdkafka, such as `"compression.type"`; a value may be `secret:name`. An epoch has to fit into `"transaction.timeout.ms"`, 10 minutes unless
    /// set.
    #[serde(default)]
    pub client: ClientSettings,
}

impl KafkaSinkSettings {
    /// The same, with what each value stands for that may be a secret.
    pub fn resolved(&self, resolve: impl Fn(&str) -> Result<String>) -> Result<Self> {
        let schema_registry =
            self.schema_registry.as_ref().map(|registry| registry.resolved(&resolve)).transpose()?;
        Ok(KafkaSinkSettings { client: self.client.resolved(&resolve)?, schema_registry, ..self.clone() })
    }

    /// What is promised, under the continuous trigger or another one.
    ///
    /// # Errors
    ///
    /// [`engine::Kind::Invalid`] if exactly-once delivery is asked for and cannot be.
    pub fn delivery(&self, continuous: bool) -> Result<Delivery> {
        match (self.delivery, continuous) {
            (Some(Delivery::ExactlyOnce), true) => Err(Error::invalid(
                "delivery = \"exactly-once\" needs epochs that are written as a whole, and the continuous trigger writes rows as they come; \
                 use trigger = \"asap\" or { processing-time = \"1s\" }, or delivery = \"at-least-once\"",
            )),
            (None, true) => Ok(Delivery::AtLeastOnce),
            (Some(Delivery::AtLeastOnce), _) => Ok(Delivery::AtLeastOnce),
            (_, false) if self.topic.is_none() => Err(Error::invalid(
                "exactly-once delivery keeps the mark of an epoch in a topic: set `topic` beside `topic-from-column`, or delivery = \"at-least-once\"",
            )),
            (_, false) => Ok(Delivery::ExactlyOnce),
        }
    }
}

/// What the bytes of a value are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SinkFormat {
    /// A JSON object.
    #[default]
    Json,
    /// Text.
    String,
    /// Bytes.
    Raw,
    /// Avro, with the id of its schema in front.
    Avro,
}

/// What is promised after a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Delivery {
    /// Every row once.
    ExactlyOnce,
    /// Every row, some perhaps more than once.
    AtLeastOnce,
}

/// What a lost mark means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MissingMark {
    /// Somebody has to decide.
    #[default]
    Fail,
    /// Nothing was written.
    Write,
}
