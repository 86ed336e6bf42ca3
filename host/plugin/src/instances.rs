use crate::{
    abi,
    fault::Fault,
    http::{Client, HttpGrant},
    instance::Instance,
    ipc::{self, Encoder},
    limits::Limits,
    load::Plugin,
    role::Role,
    voice::Speaker,
};
use arrow::datatypes::SchemaRef;
use engine::{Error, Kind, Result};
use std::sync::{Mutex, PoisonError};

/// What all instances of a plugin are bound to in one place of a pipeline.
pub(crate) struct Terms {
    pub(crate) role: Role,
    /// The step's or sink's name, for the log.
    pub(crate) name: String,
    /// JSON text.
    pub(crate) config: String,
    pub(crate) input: SchemaRef,
    /// The columns by which state is kept; none but in that role.
    pub(crate) keys: Vec<String>,
    pub(crate) limits: Limits,
    /// Where it may send requests.
    pub(crate) http: HttpGrant,
}

/// An instance, and whether nobody has used it before.
pub(crate) struct Started {
    pub(crate) instance: Instance,
    pub(crate) is_new: bool,
}

/// The instances of a plugin in one place of a pipeline. Each has agreed to the same as the first.
pub(crate) struct Instances {
    plugin: Plugin,
    terms: Terms,
    http: Client,
    /// The input's schema message.
    schema: Vec<u8>,
    said: abi::Binding,
    /// Instances that are ready, until somebody takes them.
    spare: Mutex<Vec<Instance>>,
}

impl Instances {
    pub(crate) async fn bind(plugin: Plugin, terms: Terms) -> Result<Self> {
        let schema = ipc::encode_schema(Encoder::new(&terms.input)?.schema())?;
        let http = Client::new(&terms.http, &plugin.0.core.clock);
        let mut instance = start(&plugin, &terms, &http).await.map_err(refusal)?;
        let said = instance.bind(&terms, &schema).await.map_err(refusal)?;
        Ok(Instances { plugin, terms, http, schema, said, spare: Mutex::new(vec![instance]) })
    }

    /// What the first instance agreed to.
    pub(crate) fn said(&self) -> &abi::Binding {
        &self.said
    }

    /// An instance that is ready for rows.
    pub(crate) async fn take(&self) -> Result<Instance, Fault> {
        Ok(self.take_or_start().await?.instance)
    }

    /// The same, with whether it was started for this.
    pub(crate) async fn take_or_start(&self) -> Result<Started, Fault> {
        let spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if let Some(instance) = spare {
            return Ok(Started { instance, is_new: false });
        }
        let mut instance = start(&self.plugin, &self.terms, &self.http).await?;
        let said = instance.bind(&self.terms, &self.schema).await?;
        match said == self.said {
            true => Ok(Started { instance, is_new: true }),
            false => Err(Fault::Breach("a new instance answered `bind` otherwise than the first".into())),
        }
    }

    /// Keeps an instance, which has not failed, for whoever asks next.
    pub(crate) fn keep(&self, instance: Instance) {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner).push(instance);
    }
}

async fn start(plugin: &Plugin, terms: &Terms, http: &Client) -> Result<Instance, Fault> {
    let speaker = Speaker { plugin: plugin.description().name.clone(), step: terms.name.clone() };
    Instance::start(&plugin.0.core, &plugin.0.code, terms.limits.clone(), speaker, http).await
}

/// What the guest refuses in `bind` is the pipeline's mistake; what it does wrong is its own.
fn refusal(fault: Fault) -> Error {
    match fault {
        Fault::Invalid(why) | Fault::Permanent(why) => Error::invalid(why),
        Fault::Transient(why) => Error::new(Kind::Unavailable, why),
        fault => Error::plugin(fault.to_string()),
    }
}
