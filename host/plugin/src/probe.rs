//! A way past the host's own encoder, for tests of guests: they are handed bytes that no host sends.

use crate::{
    abi,
    bind::BindSettings,
    fault::Fault,
    http::Client,
    instance::{Call, Instance},
    instances::Terms,
    ipc::{self, Encoder},
    limits::Limits,
    load::Plugin,
    role::Role,
    voice::Speaker,
};
use engine::{EpochContext, Result};

/// One instance of a plugin as a step, which is handed bytes as they are. For tests.
pub struct Probe {
    instance: Instance,
    terms: Terms,
    schema: Vec<u8>,
}

/// What an instance makes of bytes.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// It agreed on the columns.
    Bound,
    /// Whole rows: messages of the columns that it named.
    Rows(Vec<u8>),
    /// Anything else that leaves a step.
    Other,
    /// It says that it cannot be.
    Failure(String),
    /// It crashed, hit a limit or broke the contract, and must not be called again.
    Crash(String),
}

impl Plugin {
    /// Starts an instance with these settings, and has it agree on their columns. Kind `Plugin` if it does not.
    pub async fn probe(&self, settings: BindSettings) -> Result<Probe> {
        Role::Transform.require(&self.roles())?;
        let BindSettings { step, config, input, limits, http, .. } = settings;
        let schema = ipc::encode_schema(Encoder::new(&input)?.schema())?;
        let speaker = Speaker { plugin: self.description().name.clone(), step: step.clone() };
        let failed = |fault: Fault| engine::Error::plugin(format!("step {step}: {fault}"));
        let instance = start(self, limits.clone(), speaker).await.map_err(failed)?;
        let terms = Terms {
            role: abi::Role::Transform,
            name: step.clone(),
            config,
            input,
            keys: Vec::new(),
            limits,
            http,
        };
        let mut probe = Probe { instance, terms, schema };
        let schema = probe.schema.clone();
        probe.instance.bind(&probe.terms, &schema).await.map_err(failed)?;
        Ok(probe)
    }
}

async fn start(plugin: &Plugin, limits: Limits, speaker: Speaker) -> Result<Instance, Fault> {
    Instance::start(&plugin.0.core, &plugin.0.code, limits, speaker, &Client::none()).await
}

impl Probe {
    /// The schema message that it agreed on.
    pub fn schema(&self) -> &[u8] {
        &self.schema
    }

    /// Binds again, to these bytes for a schema message.
    pub async fn bind(&mut self, schema: &[u8]) -> Answer {
        match self.instance.bind(&self.terms, &schema.to_vec()).await {
            Ok(_) => Answer::Bound,
            Err(fault) => fault.into(),
        }
    }

    /// Calls it with these bytes for record-batch messages.
    pub async fn process(&mut self, batch: &[u8]) -> Answer {
        let call = Call { cx: &EpochContext::alone(&self.terms.name), seed: 0 };
        match self.instance.process(call, &batch.to_vec()).await {
            Ok(abi::Outcome { main: abi::Rows::Replace(rows), .. }) => Answer::Rows(rows),
            Ok(_) => Answer::Other,
            Err(fault) => fault.into(),
        }
    }

    /// Bytes of its linear memory, which never shrinks.
    pub fn memory(&self) -> usize {
        self.instance.cost().memory
    }
}

impl From<Fault> for Answer {
    fn from(fault: Fault) -> Self {
        match fault.is_fatal() {
            true => Answer::Crash(fault.to_string()),
            false => Answer::Failure(fault.to_string()),
        }
    }
}
