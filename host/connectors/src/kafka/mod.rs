//! Topics of Apache Kafka as a source and as a sink.
//!
//! The settings are there in every build; what talks to a broker is behind the feature `kafka`.

mod settings;
mod sink_settings;

#[cfg(feature = "kafka")]
mod connected;

pub use settings::{
    ClientSettings, Column, Columns, Format, KafkaSettings, MinRows, RegistrySettings, StartingOffset,
    StartingOffsets, Topics,
};
pub use sink_settings::{Delivery, KafkaSinkSettings, MissingMark, SinkFormat};

use crate::{files::sink::AtStep, source::SourceOptions};
use engine::{Clock, Result, Sink, Source};
use jiff::tz::TimeZone;
use std::sync::Arc;

/// What a Kafka sink needs to know beside its settings.
#[derive(Clone)]
pub struct KafkaSinkOptions {
    /// The zone that times are written in.
    pub time_zone: TimeZone,
    /// Whether rows are written as they come, without an epoch around them.
    pub continuous: bool,
    /// Tells how long something has been waited for.
    pub clock: Arc<dyn Clock>,
    /// Stops at the steps of a commit, for crash tests.
    pub at_step: Option<AtStep>,
}

/// A source called `name` of the pipeline `query`. [`engine::Kind::Invalid`] if a setting cannot be, or if this build has no Kafka.
#[cfg(feature = "kafka")]
pub fn source(
    query: &str,
    name: &str,
    settings: KafkaSettings,
    options: SourceOptions,
    clock: Arc<dyn Clock>,
) -> Result<Arc<dyn Source>> {
    Ok(Arc::new(connected::source::KafkaSource::new(query, name, settings, options, clock)?))
}

/// A sink. [`engine::Kind::Invalid`] if a setting cannot be, or if this build has no Kafka.
#[cfg(feature = "kafka")]
pub fn sink(settings: KafkaSinkSettings, options: KafkaSinkOptions) -> Result<Arc<dyn Sink>> {
    Ok(Arc::new(connected::sink::KafkaSink::new(settings, options)?))
}

#[cfg(not(feature = "kafka"))]
const ABSENT: &str = "this streamhost was built without `kafka`; build it with `--features kafka`";

/// A source called `name` of the pipeline `query`. [`engine::Kind::Invalid`] if a setting cannot be, or if this build has no Kafka.
#[cfg(not(feature = "kafka"))]
pub fn source(
    _: &str,
    _: &str,
    _: KafkaSettings,
    _: SourceOptions,
    _: Arc<dyn Clock>,
) -> Result<Arc<dyn Source>> {
    Err(engine::Error::invalid(ABSENT))
}

/// A sink. [`engine::Kind::Invalid`] if a setting cannot be, or if this build has no Kafka.
#[cfg(not(feature = "kafka"))]
pub fn sink(_: KafkaSinkSettings, _: KafkaSinkOptions) -> Result<Arc<dyn Sink>> {
    Err(engine::Error::invalid(ABSENT))
}
