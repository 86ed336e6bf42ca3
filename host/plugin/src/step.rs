use crate::{
    bind::{BindSettings, OnError},
    dead_letter::Sender,
    fault::Fault,
    instance::Instance,
    ipc::{self, Encoder},
    limits::Share,
    load::Plugin,
    schema::{Agreement, Main},
    tally::Tally,
    voice::Speaker,
    worker::Lane,
};
use async_trait::async_trait;
use engine::{Batching, Epoch, Error, Port, Result, Step, StepFacts, StepProgress, Wanted, Worker};
use std::{
    fmt::Display,
    sync::{Arc, Mutex, PoisonError},
};

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
    /// The input's schema message, for `bind` of further instances.
    schema: Vec<u8>,
    /// The instance that agreed, until a lane takes it.
    spare: Mutex<Option<Instance>>,
}

impl PluginStep {
    pub(crate) async fn bind(plugin: Plugin, settings: BindSettings) -> Result<Self> {
        let within = format!("step {}: plugin {}", settings.step, name(&plugin));
        bind(plugin, settings).await.map(PluginStep).map_err(|e| e.while_doing(within))
    }

    /// The plugin.
    pub fn plugin(&self) -> &Plugin {
        &self.0.plugin
    }

    /// Which of the input's columns it reads, by index, in the order in which they cross.
    pub fn reads(&self) -> &[usize] {
        &self.0.agreed.reads.indices
    }

    /// What it reads of its input, and what becomes of the columns: a line each, for people.
    pub fn columns(&self) -> [String; 2] {
        self.0.columns()
    }

    /// How near any call since the start came to each limit.
    pub fn shares(&self) -> Vec<Share> {
        self.0.tally.shares(&self.0.settings.limits)
    }
}

async fn bind(plugin: Plugin, settings: BindSettings) -> Result<Arc<Bound>> {
    let schema = ipc::encode_schema(Encoder::new(&settings.input)?.schema())?;
    let mut instance = start(&plugin, &settings).await.map_err(refusal)?;
    let said = instance.bind(&settings.config, &schema).await.map_err(refusal)?;
    let agreed = Agreement::check(said, &settings.input, settings.on_error == OnError::DeadLetter)?;
    let description = plugin.description();
    let sender = Sender {
        plugin: description.name.clone(),
        version: description.version.clone(),
        digest: plugin.digest().to_owned(),
    };
    let spare = Mutex::new(Some(instance));
    Ok(Arc::new(Bound { plugin, settings, agreed, sender, tally: Tally::default(), schema, spare }))
}

async fn start(plugin: &Plugin, settings: &BindSettings) -> Result<Instance, Fault> {
    let speaker = Speaker { plugin: plugin.description().name.clone(), step: settings.step.clone() };
    Instance::start(&plugin.0.core, &plugin.0.pre, settings.limits.clone(), speaker).await
}

/// What the guest refuses in `bind` is the pipeline's mistake; what it does wrong is its own.
fn refusal(fault: Fault) -> Error {
    match fault {
        Fault::Invalid(why) | Fault::Permanent(why) => Error::invalid(why),
        Fault::Transient(why) => Error::new(engine::Kind::Unavailable, why),
        fault => Error::plugin(fault.to_string()),
    }
}

fn name(plugin: &Plugin) -> String {
    format!("{} {}", plugin.description().name, plugin.description().version)
}

impl Bound {
    /// An instance that is ready for batches.
    pub(crate) async fn instance(&self) -> Result<Instance, Fault> {
        let spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(instance) = spare {
            return Ok(instance);
        }
        let mut instance = start(&self.plugin, &self.settings).await?;
        let said = instance.bind(&self.settings.config, &self.schema).await?;
        self.agreed.again(&said)?;
        Ok(instance)
    }

    /// An error of this plugin's own: who, where and why.
    pub(crate) fn blame(&self, epoch: Epoch, place: impl Display, why: impl Display) -> Error {
        Error::plugin(format!("{}: {why}", self.at(epoch, place)))
    }

    /// Who and where, for the start of a message.
    pub(crate) fn at(&self, epoch: Epoch, place: impl Display) -> String {
        format!("plugin {} (step {}), epoch {epoch}, {place}", name(&self.plugin), self.settings.step)
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
        let asks = &self.plugin.description().asks;
        let asks = match asks.is_empty() {
            true => "asks for nothing".into(),
            false => format!("asks for {}; gets nothing", asks.join(", ")),
        };
        let mut details = Vec::from(self.columns());
        details.extend([asks, self.settings.failures(), self.settings.limits.to_string()]);
        details
    }
}

fn names(schema: &arrow::datatypes::Schema) -> String {
    schema.fields().iter().map(|f| f.name().as_str()).collect::<Vec<_>>().join(", ")
}

#[async_trait]
impl Step for PluginStep {
    fn facts(&self) -> StepFacts {
        let plugin = &self.0.plugin;
        StepFacts {
            description: format!("plugin {} ({})", name(plugin), plugin.digest()),
            deterministic: plugin.description().deterministic,
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
        let max_bytes = self.0.settings.limits.memory / SHARE_OF_MEMORY;
        Batching { target_rows: TARGET_ROWS, max_rows: MOST_ROWS, max_bytes }
    }

    async fn worker(&self) -> Result<Box<dyn Worker>> {
        Ok(Box::new(Lane::new(self.0.clone(), self.batching())?))
    }

    fn progress(&self) -> StepProgress {
        self.0.tally.progress()
    }
}
