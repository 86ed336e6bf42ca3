use crate::{
    bind::{BindSettings, OnError},
    dead_letter::Sender,
    instances::{Instances, Terms},
    limits::{Limits, Share},
    load::Plugin,
    role::Role,
    schema::{Agreement, Main},
    tally::Tally,
    worker::Lane,
};
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use engine::{Batching, Epoch, Error, Port, Result, Step, StepFacts, StepProgress, Wanted, Worker};
use std::{fmt::Display, sync::Arc};

/// Rows that a call is given if there are that many: enough that entering the guest costs nothing, few enough that
/// what it works on stays in the processor's cache.
const TARGET_ROWS: usize = 16 << 10;
/// The most rows of a call.
const MOST_ROWS: usize = 64 << 10;
/// A batch may take one part in so many of a guest's memory: it decodes, works and encodes in the rest.
const SHARE_OF_MEMORY: usize = 8;

/// A plugin bound to a configuration and an input schema: a step of a plan.
pub struct PluginStep(Arc<Bound>);

/// What the lanes of a step share.
pub(crate) struct Bound {
    pub(crate) plugin: Plugin,
    pub(crate) settings: BindSettings,
    pub(crate) agreed: Agreement,
    pub(crate) sender: Sender,
    pub(crate) tally: Tally,
    pub(crate) instances: Instances,
}

impl PluginStep {
    pub(crate) async fn bind(plugin: Plugin, settings: BindSettings) -> Result<Self> {
        let within = format!("step {}: plugin {}", settings.step, plugin.title());
        bind(plugin, settings).await.map(PluginStep).map_err(|e| e.while_doing(within))
    }

    /// The plugin.
    pub fn plugin(&self) -> &Plugin {
        &self.0.plugin
    }

    /// The columns that it was bound to.
    pub fn input(&self) -> SchemaRef {
        self.0.settings.input.clone()
    }

    /// Which of the input's columns it reads, by index, in the order in which they cross.
    pub fn reads(&self) -> &[usize] {
        &self.0.agreed.reads.indices
    }

    /// What it reads of its input, and what becomes of the columns: a line each, for people.
    pub fn columns(&self) -> [String; 2] {
        self.0.columns()
    }

    /// Whether a copy of it works at all: it is given a batch without rows. Kind `Plugin` if it fails on that.
    pub async fn try_out(&self) -> Result<()> {
        Lane::new(self.0.clone(), self.batching())?.try_out().await
    }

    /// How near any call since the start came to each limit.
    pub fn shares(&self) -> Vec<Share> {
        self.0.tally.shares(&self.0.settings.limits)
    }
}

async fn bind(plugin: Plugin, settings: BindSettings) -> Result<Arc<Bound>> {
    Role::Transform.require(&plugin.roles())?;
    let settings = BindSettings { http: plugin.granted(&settings.http), ..settings };
    let terms = Terms {
        role: Role::Transform,
        name: settings.step.clone(),
        config: settings.config.clone(),
        input: settings.input.clone(),
        keys: Vec::new(),
        limits: settings.limits.clone(),
        http: settings.http.clone(),
    };
    let instances = Instances::bind(plugin.clone(), terms).await?;
    let dead_letters = settings.on_error == OnError::DeadLetter;
    let agreed = Agreement::check(instances.said(), &settings.input, dead_letters)?;
    let sender = Sender::of(&plugin);
    Ok(Arc::new(Bound { plugin, settings, agreed, sender, tally: Tally::default(), instances }))
}

impl Bound {
    /// An error of this plugin's own: who, where and why.
    pub(crate) fn blame(&self, epoch: Epoch, place: impl Display, why: impl Display) -> Error {
        Error::plugin(format!("{}: {why}", self.at(epoch, place)))
    }

    /// Who and where, for the start of a message.
    pub(crate) fn at(&self, epoch: Epoch, place: impl Display) -> String {
        format!("plugin {} (step {}), epoch {epoch}, {place}", self.plugin.title(), self.settings.step)
    }

    /// What it reads, and what becomes of the columns.
    fn columns(&self) -> [String; 2] {
        let output = match &self.agreed.main {
            Main::Rows(_) => "puts out rows of its own".into(),
            Main::Columns { added, .. } if added.schema().fields().is_empty() => "filters".into(),
            Main::Columns { added, .. } => format!("adds {}", names(added.schema())),
        };
        [format!("reads {}", self.agreed.reads.names()), output]
    }

    fn details(&self) -> Vec<String> {
        let mut details = Vec::from(self.columns());
        let asks = self.plugin.asks(&self.settings.http);
        details.extend([asks, self.settings.failures(), self.settings.limits.to_string()]);
        details.extend(self.settings.http.limits(&self.settings.limits));
        details
    }
}

/// How large the batches should be that cross to a guest of these limits.
pub(crate) fn batching(limits: &Limits) -> Batching {
    let max_bytes = limits.memory / SHARE_OF_MEMORY;
    Batching { target_rows: TARGET_ROWS, max_rows: MOST_ROWS, max_bytes }
}

fn names(schema: &arrow::datatypes::Schema) -> String {
    schema.fields().iter().map(|f| f.name().as_str()).collect::<Vec<_>>().join(", ")
}

#[async_trait]
impl Step for PluginStep {
    fn facts(&self) -> StepFacts {
        let plugin = &self.0.plugin;
        StepFacts {
            description: format!("plugin {} ({})", plugin.title(), plugin.digest()),
            // What depends on a server is not repeated by a replay, whatever the plugin says.
            deterministic: plugin.description().deterministic && self.0.settings.http.is_empty(),
            digest: Some(plugin.digest().to_owned()),
            details: self.0.details(),
        }
    }

    fn ports(&self) -> &[Port] {
        &self.0.agreed.ports
    }

    fn reads(&self, wanted: &[Wanted]) -> Wanted {
        self.0.agreed.needs(wanted)
    }

    fn batching(&self) -> Batching {
        batching(&self.0.settings.limits)
    }

    async fn worker(&self) -> Result<Box<dyn Worker>> {
        Ok(Box::new(Lane::new(self.0.clone(), self.batching())?))
    }

    fn progress(&self) -> StepProgress {
        self.0.tally.progress()
    }

    fn fingerprint(&self) -> Option<u64> {
        let answers = self.0.tally.fingerprint();
        self.0.plugin.description().deterministic.then_some(answers)
    }
}
