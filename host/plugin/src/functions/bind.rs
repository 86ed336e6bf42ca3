use super::{
    call::PluginFunction,
    signature::{self, Checked},
};
use crate::{
    abi,
    fault::Fault,
    http::HttpGrant,
    instance::Instance,
    instances::{Instances, Terms},
    limits::Limits,
    load::Plugin,
    role::Role,
};
use arrow::datatypes::Schema;
use engine::{Error, Kind, Result};
use std::sync::{Arc, Mutex, PoisonError, atomic::AtomicU64};

/// What a plugin is bound to as functions.
#[derive(Clone, Debug)]
pub struct FunctionSettings {
    /// The name that a pipeline has for it, for messages.
    pub name: String,
    /// The configuration as JSON text, as the plugin's schema has it.
    pub config: String,
    /// What one instance may use.
    pub limits: Limits,
}

impl FunctionSettings {
    /// An empty configuration and the default limits.
    pub fn new(name: impl Into<String>) -> Self {
        FunctionSettings { name: name.into(), config: "{}".into(), limits: Limits::default() }
    }
}

/// A plugin that has agreed on a configuration, and has said what functions it has.
pub struct BoundFunctions(Arc<Bound>);

/// What the functions of a plugin share.
pub(super) struct Bound {
    pub(super) plugin: Plugin,
    pub(super) settings: FunctionSettings,
    functions: Vec<Arc<Checked>>,
    /// Calls so far: what the guest's randomness follows from.
    pub(super) calls: AtomicU64,
    instances: Instances,
    /// What the first instance said of its functions.
    said: Vec<abi::Signature>,
    idle: Mutex<Vec<Instance>>,
}

impl BoundFunctions {
    pub(crate) async fn bind(plugin: Plugin, settings: FunctionSettings) -> Result<Self> {
        let within = format!("plugin {}", plugin.title());
        let bound = bind(plugin, settings).await.map_err(|e| e.while_doing(within))?;
        Ok(BoundFunctions(Arc::new(bound)))
    }

    /// The names of its functions, in its own order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.functions.iter().map(|function| function.name.as_str())
    }

    /// The function of this name; kind `Invalid` if it has none.
    pub fn function(&self, name: &str) -> Result<Arc<dyn engine::Function>> {
        let found = self.0.functions.iter().find(|function| function.name == name);
        let Some(of) = found else {
            let there: Vec<&str> = self.names().collect();
            return Err(Error::invalid(format!(
                "plugin {} has no function `{name}`; it has {}",
                self.0.plugin.title(),
                there.join(", ")
            )));
        };
        Ok(Arc::new(PluginFunction::new(self.0.clone(), of.clone())))
    }
}

async fn bind(plugin: Plugin, settings: FunctionSettings) -> Result<Bound> {
    Role::Functions.require(&plugin.roles())?;
    let terms = Terms {
        role: Role::Functions,
        name: settings.name.clone(),
        config: settings.config.clone(),
        input: Arc::new(Schema::empty()),
        keys: Vec::new(),
        limits: settings.limits.clone(),
        http: HttpGrant::default(),
    };
    let instances = Instances::bind(plugin.clone(), terms).await?;
    let agreed = instances.said();
    if agreed.output != abi::Output::Nothing || !agreed.side.is_empty() {
        return Err(Error::plugin("it says that rows leave it, and of functions none do"));
    }
    let failed = |fault: Fault| Error::plugin(format!("asking it for its functions: {fault}"));
    let mut first = instances.take().await.map_err(failed)?;
    let said = first.signatures().await.map_err(failed)?;
    Ok(Bound {
        functions: signature::check(&said)?.into_iter().map(Arc::new).collect(),
        plugin,
        settings,
        calls: AtomicU64::new(0),
        instances,
        said,
        idle: Mutex::new(vec![first]),
    })
}

impl Bound {
    /// An instance that nobody else uses.
    pub(super) async fn take(&self) -> Result<Instance, Fault> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if let Some(instance) = idle {
            return Ok(instance);
        }
        let mut instance = self.instances.take().await?;
        match instance.signatures().await? == self.said {
            true => Ok(instance),
            false => Err(Fault::Breach("a new instance has other functions than the first".into())),
        }
    }

    /// Keeps an instance that has not failed.
    pub(super) fn keep(&self, instance: Instance) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(instance);
    }

    /// What follows from a call of a function that failed.
    pub(super) fn failed(&self, function: &str, fault: &Fault) -> Error {
        let kind = match fault {
            Fault::Transient(_) => Kind::Unavailable,
            Fault::Invalid(_)
            | Fault::Permanent(_)
            | Fault::Full(_)
            | Fault::Trap(_)
            | Fault::Overrun(_)
            | Fault::Breach(_) => Kind::Plugin,
        };
        Error::new(kind, format!("plugin {}, function `{function}`: {fault}", self.plugin.title()))
    }
}
