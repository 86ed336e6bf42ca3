use super::PluginSink;
use crate::{
    fault::Fault,
    http::HttpGrant,
    instances::{Instances, Terms},
    limits::Limits,
    load::Plugin,
    role::Role,
    schema::SinkAgreement,
    tally::Tally,
};
use arrow::datatypes::SchemaRef;
use engine::{Error, Guarantee, Kind, OutputMode, Port, Result, Sink};
use std::{fmt::Display, sync::Arc};

/// What a plugin is bound to as a sink.
#[derive(Clone, Debug)]
pub struct SinkSettings {
    /// The sink's name, for messages.
    pub sink: String,
    /// The configuration as JSON text, as the plugin's schema has it.
    pub config: String,
    /// The columns that come in.
    pub input: SchemaRef,
    /// What one instance may use. Those of a call are armed again with each batch that it pulls.
    pub limits: Limits,
    /// Where it may send requests, if it asks for that.
    pub http: HttpGrant,
}

impl SinkSettings {
    /// An empty configuration, the default limits and no requests.
    pub fn new(sink: impl Into<String>, input: SchemaRef) -> Self {
        let (limits, http) = (Limits::default(), HttpGrant::default());
        SinkSettings { sink: sink.into(), config: "{}".into(), input, limits, http }
    }
}

/// A plugin that has agreed to be a sink, and has said what it writes to.
pub struct BoundSink {
    bound: Arc<Bound>,
    outputs: Vec<Port>,
}

/// A place that a plugin may write to.
pub struct Grant {
    /// As the plugin named it.
    pub name: String,
    /// What it is, for people: `FileSink[out]`.
    pub description: String,
    /// In which mode it stores what an epoch writes to it.
    pub mode: OutputMode,
    /// The place.
    pub sink: Arc<dyn Sink>,
}

/// What the epochs of a sink share.
pub(super) struct Bound {
    pub(super) plugin: Plugin,
    pub(super) settings: SinkSettings,
    pub(super) agreed: SinkAgreement,
    pub(super) tally: Tally,
    pub(super) instances: Instances,
}

impl BoundSink {
    pub(crate) async fn bind(plugin: Plugin, settings: SinkSettings) -> Result<Self> {
        let within = format!("plugin {}", plugin.title());
        let bound = bind(plugin, settings).await.map_err(|e| e.while_doing(within))?;
        let outputs = bound.agreed.outputs.iter();
        let outputs = outputs.map(|o| Port { name: o.name.clone(), schema: o.decoder.schema().clone() });
        Ok(BoundSink { outputs: outputs.collect(), bound: Arc::new(bound) })
    }

    /// What it writes to: names and columns.
    pub fn outputs(&self) -> &[Port] {
        &self.outputs
    }

    /// The names of the columns that it reads, for people.
    pub fn reads(&self) -> String {
        self.bound.agreed.reads.names()
    }

    /// Makes it a sink that writes to these places, one for each of its outputs, in whatever order. Fails with kind `Invalid` if
    /// one is missing or nobody writes to it.
    pub fn grant(self, mut grants: Vec<Grant>) -> Result<PluginSink> {
        let mut ordered = Vec::with_capacity(grants.len());
        for Port { name, .. } in &self.outputs {
            let Some(at) = grants.iter().position(|grant| grant.name == *name) else {
                return Err(Error::invalid(format!(
                    "it writes to an output `{name}`, which it was not granted"
                )));
            };
            ordered.push(grants.swap_remove(at));
        }
        match grants.first() {
            Some(grant) => Err(Error::invalid(format!("it has no output `{}`", grant.name))),
            None => Ok(PluginSink { bound: self.bound, grants: ordered }),
        }
    }
}

async fn bind(plugin: Plugin, settings: SinkSettings) -> Result<Bound> {
    Role::BatchSink.require(&plugin.roles())?;
    let settings = SinkSettings { http: plugin.granted(&settings.http), ..settings };
    let terms = Terms {
        role: Role::BatchSink,
        name: settings.sink.clone(),
        config: settings.config.clone(),
        input: settings.input.clone(),
        keys: Vec::new(),
        limits: settings.limits.clone(),
        http: settings.http.clone(),
    };
    let instances = Instances::bind(plugin.clone(), terms).await?;
    let agreed = SinkAgreement::check(instances.said(), &settings.input)?;
    Ok(Bound { plugin, settings, agreed, tally: Tally::default(), instances })
}

impl Grant {
    pub(super) fn accepts(&self, schema: &SchemaRef) -> Result<Guarantee> {
        self.sink.accepts(self.mode, schema).map_err(|e| self.blame(e))
    }

    pub(super) fn blame(&self, error: Error) -> Error {
        error.while_doing(format!("output `{}`", self.name))
    }

    /// A line for people.
    pub(super) fn explain(&self, schema: &SchemaRef) -> String {
        let promise = match self.sink.accepts(self.mode, schema) {
            Ok(Guarantee::ExactlyOnce) => "exactly once",
            Ok(Guarantee::AtLeastOnce) => "at least once",
            Ok(Guarantee::BestEffort) | Err(_) => "best effort",
        };
        format!("output `{}` → {}: mode {}, {promise}", self.name, self.description, self.mode)
    }
}

impl Bound {
    /// What follows from a call that failed.
    pub(super) fn failed(&self, fault: Fault) -> Error {
        let kind = match fault {
            Fault::Invalid(_) => Kind::Invalid,
            Fault::Transient(_) => Kind::Unavailable,
            Fault::Permanent(_) | Fault::Full(_) | Fault::Trap(_) | Fault::Overrun(_) | Fault::Breach(_) => {
                Kind::Plugin
            }
        };
        Error::new(kind, self.says(fault))
    }

    /// An error of this plugin's own.
    pub(super) fn blame(&self, why: impl Display) -> Error {
        Error::plugin(self.says(why))
    }

    /// `plugin <name> <version>: why`
    pub(super) fn says(&self, why: impl Display) -> String {
        format!("plugin {}: {why}", self.plugin.title())
    }
}
