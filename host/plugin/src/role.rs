//! What a component can be used as, and the functions that it exports for it.

use crate::{abi, fault::Fault, guest::Guest};
use engine::{Error, Result};
use wasmtime::{
    Store,
    component::{Instance, InstancePre},
};

/// What a component can be used as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Stateless work on batches: world `stateless`.
    Transform,
    /// Work with state per key: world `stateful`.
    Keyed,
    /// The sink of an epoch: world `batch-sink`.
    BatchSink,
    /// Scalar functions for SQL: world `sql-functions`.
    Functions,
}

impl Role {
    const ALL: [Role; 4] = [Role::Transform, Role::Keyed, Role::BatchSink, Role::Functions];

    /// The interface that a component exports which can be used so.
    pub(crate) fn interface(self) -> &'static str {
        match self {
            Role::Transform => "transform",
            Role::Keyed => "keyed",
            Role::BatchSink => "foreach-batch",
            Role::Functions => "functions",
        }
    }

    /// Where in a pipeline it belongs.
    pub fn place(self) -> &'static str {
        match self {
            Role::Transform | Role::Keyed => "[steps]",
            Role::BatchSink => "[sinks]",
            Role::Functions => "[functions]",
        }
    }

    /// Those for which `exports` tells that the interface is there.
    pub(crate) fn among(exports: impl Fn(&str) -> bool) -> Vec<Role> {
        Role::ALL.into_iter().filter(|role| exports(role.interface())).collect()
    }

    /// Refuses a plugin of these roles for another one.
    pub(crate) fn require(self, roles: &[Role]) -> Result<()> {
        if roles.contains(&self) {
            return Ok(());
        }
        let names: Vec<&str> = roles.iter().map(|role| role.interface()).collect();
        let elsewhere: Vec<&str> =
            roles.iter().map(|role| role.place()).filter(|p| *p != self.place()).collect();
        let remedy = match elsewhere.first() {
            Some(place) => format!(": put it under {place}"),
            None => String::new(),
        };
        Err(Error::invalid(format!(
            "it cannot be used under {}: it exports {} and not `{}`{remedy}",
            self.place(),
            names.join(", "),
            self.interface()
        )))
    }
}

impl From<Role> for abi::Role {
    fn from(role: Role) -> Self {
        match role {
            Role::Transform => abi::Role::Transform,
            Role::Keyed => abi::Role::Keyed,
            Role::BatchSink => abi::Role::BatchSink,
            Role::Functions => abi::Role::Functions,
        }
    }
}

/// Where in a component its functions are. A role that it lacks, or that this host does not run yet, has none.
pub(crate) struct Exports {
    plugin: abi::plugin::GuestIndices,
    transform: Option<abi::transform::GuestIndices>,
    keyed: Option<abi::keyed::GuestIndices>,
    foreach_batch: Option<abi::foreach_batch::GuestIndices>,
    functions: Option<abi::functions::GuestIndices>,
}

/// The functions of an instance.
pub(crate) struct Functions {
    pub(crate) plugin: abi::plugin::Guest,
    transform: Option<abi::transform::Guest>,
    keyed: Option<abi::keyed::Guest>,
    foreach_batch: Option<abi::foreach_batch::Guest>,
    functions: Option<abi::functions::Guest>,
}

impl Exports {
    pub(crate) fn find(pre: &InstancePre<Guest>, roles: &[Role]) -> wasmtime::Result<Self> {
        let has = |role| roles.contains(&role).then_some(pre);
        Ok(Exports {
            plugin: abi::plugin::GuestIndices::new(pre)?,
            transform: has(Role::Transform).map(abi::transform::GuestIndices::new).transpose()?,
            keyed: has(Role::Keyed).map(abi::keyed::GuestIndices::new).transpose()?,
            foreach_batch: has(Role::BatchSink).map(abi::foreach_batch::GuestIndices::new).transpose()?,
            functions: has(Role::Functions).map(abi::functions::GuestIndices::new).transpose()?,
        })
    }

    /// The functions, whose types are checked here.
    pub(crate) fn load(&self, store: &mut Store<Guest>, instance: &Instance) -> wasmtime::Result<Functions> {
        let plugin = self.plugin.load(&mut *store, instance)?;
        let transform = self.transform.as_ref().map(|of| of.load(&mut *store, instance)).transpose()?;
        let keyed = self.keyed.as_ref().map(|of| of.load(&mut *store, instance)).transpose()?;
        let foreach_batch =
            self.foreach_batch.as_ref().map(|of| of.load(&mut *store, instance)).transpose()?;
        let functions = self.functions.as_ref().map(|of| of.load(&mut *store, instance)).transpose()?;
        Ok(Functions { plugin, transform, keyed, foreach_batch, functions })
    }
}

impl Functions {
    pub(crate) fn transform(&self) -> Result<&abi::transform::Guest, Fault> {
        self.transform.as_ref().ok_or_else(|| lacking(Role::Transform))
    }

    pub(crate) fn keyed(&self) -> Result<&abi::keyed::Guest, Fault> {
        self.keyed.as_ref().ok_or_else(|| lacking(Role::Keyed))
    }

    pub(crate) fn foreach_batch(&self) -> Result<&abi::foreach_batch::Guest, Fault> {
        self.foreach_batch.as_ref().ok_or_else(|| lacking(Role::BatchSink))
    }

    pub(crate) fn scalars(&self) -> Result<&abi::functions::Guest, Fault> {
        self.functions.as_ref().ok_or_else(|| lacking(Role::Functions))
    }
}

/// Roles are required when a plugin is bound, so no call gets this far without.
fn lacking(role: Role) -> Fault {
    Fault::Breach(format!("it does not export `{}`", role.interface()))
}
