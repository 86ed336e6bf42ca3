use super::{host::KeyedCall, run::Run, worker::Worker};
use crate::{
    abi,
    bind::{BindSettings, OnError},
    dead_letter::{self, Sender},
    fault::Fault,
    instance::Instance,
    instances::{Instances, Started, Terms},
    ipc,
    load::Plugin,
    role::Role,
    schema::{Agreement, Main},
    tally::Tally,
};
use arrow::datatypes::{FieldRef, SchemaRef};
use engine::{
    Epoch, EpochContext, Error, Keyed, OneShard, Outbox, Port, Result, Scatter, ShardEntries, ShardWorker,
    StepFacts, StepProgress, Timeline, Wanted,
    keyed::{ByKey, CallState, Migration, TableKind, TableSpec, Tables, timeline},
    operators::{Entries, LATE, Layout, TableLayout},
};
use std::sync::{Arc, Mutex, PoisonError};

/// Tables that a plugin may have.
const MOST_TABLES: usize = 64;
/// What stands in front of the tables in what a checkpoint keeps of a step.
const IN_TABLES: &str = " in tables ";

/// What a plugin that keeps state is bound to.
#[derive(Clone, Debug)]
pub struct KeyedSettings {
    /// As of any other step.
    pub bind: BindSettings,
    /// The columns by which state is kept.
    pub keys: Vec<String>,
}

/// A plugin that keeps state by key, bound to a configuration, an input schema and keys: a step of a plan.
pub struct KeyedPlugin(Arc<Bound>);

/// What the shards of a step share.
pub(super) struct Bound {
    pub(super) plugin: Plugin,
    pub(super) settings: BindSettings,
    pub(super) keys: Vec<String>,
    pub(super) by: ByKey,
    pub(super) agreed: Agreement,
    pub(super) ports: Vec<Port>,
    pub(super) sender: Sender,
    pub(super) tally: Tally,
    pub(super) instances: Instances,
    pub(super) tables: Arc<Tables>,
    /// What the first instance said of them.
    said: Vec<abi::TableDeclaration>,
    migrations: Mutex<Migrations>,
}

/// What has to be done with the state of before, and in which epoch.
#[derive(Default)]
struct Migrations {
    of: Arc<Vec<Migration>>,
    epoch: Option<Epoch>,
}

impl KeyedPlugin {
    pub(crate) async fn bind(plugin: Plugin, settings: KeyedSettings) -> Result<Self> {
        let within = format!("step {}: plugin {}", settings.bind.step, plugin.title());
        bind(plugin, settings)
            .await
            .map(|bound| KeyedPlugin(Arc::new(bound)))
            .map_err(|e| e.while_doing(within))
    }

    /// The plugin.
    pub fn plugin(&self) -> &Plugin {
        &self.0.plugin
    }

    /// The columns that it was bound to.
    pub fn input(&self) -> SchemaRef {
        self.0.settings.input.clone()
    }

    /// What it keeps of a key.
    pub fn tables(&self) -> &Tables {
        &self.0.tables
    }

    /// Whether an instance takes a call without keys, and answers it as was agreed. It is kept for the first call that has some.
    pub async fn try_out(&self) -> Result<()> {
        let (bound, cx) = (&*self.0, EpochContext::alone("health"));
        let mut out = Outbox::keeping();
        let mut run = Run::new(bound, &cx, self.without_state(&cx)?, Vec::new(), &mut out)?;
        run.try_out().await?;
        run.end();
        // Nobody is to count it among the work of an epoch.
        bound.tally.progress();
        bound.tally.fingerprint();
        Ok(())
    }

    /// What a call sees of which nothing is kept yet.
    pub(crate) fn without_state(&self, cx: &EpochContext) -> Result<KeyedCall> {
        let bound = &*self.0;
        let entries = ShardEntries::none(self)?;
        let state = CallState::new(bound.tables.clone(), entries, cx, bound.by.has_event_time());
        KeyedCall::new(state, &bound.settings.limits)
    }

    /// The work of one shard in one epoch.
    pub fn worker(&self, cx: &EpochContext) -> Box<dyn ShardWorker> {
        Box::new(Worker::new(self.0.clone(), cx.clone()))
    }

    /// The names of the columns that it reads, for people.
    pub fn column_names(&self) -> String {
        self.0.agreed.reads.names()
    }
}

async fn bind(plugin: Plugin, settings: KeyedSettings) -> Result<Bound> {
    let KeyedSettings { bind: settings, keys } = settings;
    Role::Keyed.require(&plugin.roles())?;
    let settings = BindSettings { http: plugin.granted(&settings.http), ..settings };
    let by = ByKey::new(&settings.input, &keys)?;
    let terms = Terms {
        role: Role::Keyed,
        name: settings.step.clone(),
        config: settings.config.clone(),
        input: settings.input.clone(),
        keys: by.key_schema().fields().iter().map(|field| field.name().clone()).collect(),
        limits: settings.limits.clone(),
        http: settings.http.clone(),
    };
    let instances = Instances::bind(plugin.clone(), terms).await?;
    let dead_letters = settings.on_error == OnError::DeadLetter;
    let agreed = Agreement::check(instances.said(), &settings.input, dead_letters)?;
    if !matches!(agreed.main, Main::Rows(_)) {
        return Err(Error::plugin(
            "it says that it adds columns, and of what keeps state only rows of its own leave",
        ));
    }
    let said = said_tables(&instances).await?;
    let tables = Arc::new(tables(&said)?);
    let mut ports = agreed.ports.clone();
    if let Some(letters) = agreed.dead_letters().and_then(|port| ports.get_mut(port)) {
        letters.schema = dead_letter::schema(&by.with_keys_alone())?;
    }
    ports.extend(by.has_event_time().then(|| by.late_port()));
    let (by, sender) = (by.placed(dead_letters), Sender::of(&plugin));
    let (tally, migrations) = Default::default();
    Ok(Bound {
        plugin,
        settings,
        keys,
        by,
        agreed,
        ports,
        sender,
        tally,
        instances,
        tables,
        said,
        migrations,
    })
}

/// Asks an instance for the tables.
async fn said_tables(instances: &Instances) -> Result<Vec<abi::TableDeclaration>> {
    let blame = |fault| Error::plugin(format!("asking for its tables: {fault}"));
    let mut instance = instances.take().await.map_err(blame)?;
    let said = instance.tables().await.map_err(blame)?;
    instances.keep(instance);
    Ok(said)
}

fn tables(said: &[abi::TableDeclaration]) -> Result<Tables> {
    if said.len() > MOST_TABLES {
        return Err(Error::plugin(format!("it has {} tables; {MOST_TABLES} are allowed", said.len())));
    }
    Tables::new(said.iter().map(spec).collect::<Result<_>>()?)
}

fn spec(said: &abi::TableDeclaration) -> Result<TableSpec> {
    let name = crate::text::shown(&said.name, crate::text::NAME);
    let columns = |schema: &[u8]| -> Result<Vec<FieldRef>> {
        let schema = ipc::decode_schema(schema).map_err(|e| e.while_doing(format!("its table `{name}`")))?;
        // What crosses back may be NULL in every column, and the host checks nothing else of state.
        let nullable = |field: &FieldRef| Arc::new(field.as_ref().clone().with_nullable(true));
        Ok(schema.fields().iter().map(nullable).collect())
    };
    let kind = match &said.kind {
        abi::TableKind::Value => TableKind::Value,
        abi::TableKind::Sequence => TableKind::Sequence,
        abi::TableKind::Mapping(second) => TableKind::Mapping(columns(second)?),
    };
    let ttl = said.ttl_ms.map(|ms| i64::try_from(ms).unwrap_or(i64::MAX).saturating_mul(1000));
    Ok(TableSpec { value: columns(&said.value)?, name: said.name.clone(), kind, version: said.version, ttl })
}

impl Bound {
    /// An instance that is ready: the first ones were asked for their tables in `bind`, and a new one has to have the same.
    pub(super) async fn take(&self) -> Result<Instance, Fault> {
        let Started { mut instance, is_new } = self.instances.take_or_start().await?;
        match is_new && instance.tables().await? != self.said {
            true => Err(Fault::Breach("a new instance has other tables than the first".into())),
            false => Ok(instance),
        }
    }

    /// An error of this plugin's own.
    pub(super) fn blame(&self, at: impl std::fmt::Display, why: impl std::fmt::Display) -> Error {
        Error::plugin(format!("{}: {why}", self.at(at)))
    }

    /// Who and where, for the start of a message.
    pub(super) fn at(&self, at: impl std::fmt::Display) -> String {
        format!("plugin {} (step {}), {at}", self.plugin.title(), self.settings.step)
    }

    /// What has to be done in this epoch with the state of before: all of it in the first one.
    pub(super) fn migrations(&self, epoch: Epoch) -> Arc<Vec<Migration>> {
        let mut migrations = self.migrations.lock().unwrap_or_else(PoisonError::into_inner);
        match *migrations.epoch.get_or_insert(epoch) == epoch {
            true => migrations.of.clone(),
            false => Arc::default(),
        }
    }

    /// The index of the port of late rows.
    fn late_port(&self) -> usize {
        self.ports.iter().rposition(|port| port.name == LATE).unwrap_or(self.ports.len())
    }

    fn head(&self) -> String {
        let types = self.by.key_schema();
        let types: Vec<String> = types.fields().iter().map(|field| field.data_type().to_string()).collect();
        format!("plugin {} by ({})", self.plugin.description().name, types.join(", "))
    }

    fn details(&self) -> Vec<String> {
        let tables: Vec<String> = self.tables.iter().map(|table| described(table.spec())).collect();
        let tables = if tables.is_empty() {
            "keeps timers alone".into()
        } else {
            format!("keeps {}", tables.join(", "))
        };
        let mut details = vec![
            format!("by {}", self.keys.join(", ")),
            format!("reads {}", self.agreed.reads.names()),
            tables,
            self.plugin.asks(&self.settings.http),
            self.settings.failures(),
            self.settings.limits.to_string(),
        ];
        details.extend(self.settings.http.limits(&self.settings.limits));
        details
    }
}

fn described(spec: &TableSpec) -> String {
    let kind = match spec.kind {
        TableKind::Value => "a value",
        TableKind::Sequence => "a list",
        TableKind::Mapping(_) => "a mapping",
    };
    let ttl = spec.ttl.map(|ttl| format!(" for {:?}", std::time::Duration::from_micros(ttl as u64)));
    format!("{kind} `{}`{}", spec.name, ttl.unwrap_or_default())
}

impl Keyed for KeyedPlugin {
    fn facts(&self) -> StepFacts {
        let plugin = &self.0.plugin;
        StepFacts {
            description: format!("plugin {} ({})", plugin.title(), plugin.digest()),
            deterministic: plugin.description().deterministic && self.0.settings.http.is_empty(),
            digest: Some(plugin.digest().to_owned()),
            details: self.0.details(),
        }
    }

    fn ports(&self) -> &[Port] {
        &self.0.ports
    }

    fn timed(&self) -> bool {
        true
    }

    fn timeline(&self) -> fn(&[u8]) -> Timeline {
        timeline
    }

    /// Another version of the plugin is the same step, if its tables fit.
    fn identity(&self) -> String {
        format!("{}{IN_TABLES}{}", self.0.head(), self.0.tables.record())
    }

    fn continues(&self, identity: &str) -> Result<bool> {
        let Some((head, tables)) = identity.split_once(IN_TABLES) else { return Ok(false) };
        if head != self.0.head() {
            return Ok(false);
        }
        let of = Arc::new(self.0.tables.since(tables)?);
        *self.0.migrations.lock().unwrap_or_else(PoisonError::into_inner) = Migrations { of, epoch: None };
        Ok(true)
    }

    fn reads(&self, _: usize, wanted: &[Wanted]) -> Wanted {
        let whole = [self.0.agreed.dead_letters(), Some(self.0.late_port())];
        let is_wanted = |port: usize| wanted.get(port).is_some_and(|wanted| !wanted.is_nothing());
        if whole.into_iter().flatten().any(is_wanted) {
            return Wanted::All;
        }
        self.0.agreed.reads.indices.iter().copied().chain(self.0.by.needs()).collect()
    }

    fn layout(&self) -> Layout {
        let tables = self.0.tables.iter().map(|table| {
            let TableSpec { name, kind, value, .. } = table.spec().clone();
            let single = kind == TableKind::Value;
            let second = if let TableKind::Mapping(second) = kind { second } else { Vec::new() };
            TableLayout { name, single, second, value }
        });
        let key = self.0.by.key_schema().fields().to_vec();
        Layout { timed: true, entries: Entries::Tables { key, tables: tables.collect() } }
    }

    fn scatter(&self, _: usize, cx: &EpochContext) -> Result<Box<dyn Scatter>> {
        self.0.by.scatter(cx, self.0.late_port())
    }

    fn shard(&self, cx: &EpochContext) -> Result<OneShard> {
        Ok(OneShard::Waiting(self.worker(cx)))
    }

    fn progress(&self) -> Option<StepProgress> {
        Some(self.0.tally.progress())
    }

    fn fingerprint(&self) -> Option<u64> {
        let answers = self.0.tally.fingerprint();
        self.0.plugin.description().deterministic.then_some(answers)
    }

    fn take_late(&self) -> u64 {
        self.0.by.take_late()
    }
}
