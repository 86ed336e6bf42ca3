//! A way past the host's own encoder, for tests of guests: they are handed bytes that no host sends.

use crate::{
    abi,
    bind::BindSettings,
    fault::Fault,
    http::Client,
    instance::{Call, Instance, KeyedInput},
    instances::Terms,
    ipc::{self, Encoder},
    keyed::{KeyedPlugin, KeyedSettings},
    load::Plugin,
    role::Role,
    voice::Speaker,
};
use engine::{EpochContext, Result, Timestamp, keyed::Key};

/// One instance of a plugin, which is handed bytes as they are. For tests.
pub struct Probe {
    instance: Instance,
    terms: Terms,
    schema: Vec<u8>,
    /// What says which tables it has, if it keeps state.
    keyed: Option<KeyedPlugin>,
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
    /// Starts an instance in a role with these settings, and has it agree on their columns. Kind `Plugin` if it does not. Of what
    /// keeps state, `keys` are the columns by which it does.
    pub async fn probe(&self, role: Role, settings: BindSettings, keys: &[&str]) -> Result<Probe> {
        role.require(&self.roles())?;
        let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
        let keyed = match role {
            Role::Keyed => {
                let settings = KeyedSettings { bind: settings.clone(), keys: keys.clone() };
                Some(self.bind_keyed(settings).await?)
            }
            _ => None,
        };
        let BindSettings { step: name, config, input, limits, http, .. } = settings;
        let schema = ipc::encode_schema(Encoder::new(&input)?.schema())?;
        let speaker = Speaker { plugin: self.description().name.clone(), step: name.clone() };
        let failed = |fault: Fault| engine::Error::plugin(format!("step {name}: {fault}"));
        let started =
            Instance::start(&self.0.core, &self.0.code, limits.clone(), speaker, &Client::none()).await;
        let mut instance = started.map_err(failed)?;
        let terms = Terms { role, name: name.clone(), config, input, keys, limits, http };
        instance.bind(&terms, &schema).await.map_err(failed)?;
        Ok(Probe { instance, terms, schema, keyed })
    }
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

    /// As a step, calls it with these bytes for record-batch messages.
    pub async fn process(&mut self, batch: &[u8]) -> Answer {
        let call = Call { cx: &EpochContext::alone(&self.terms.name), seed: 0 };
        match self.instance.process(call, &batch.to_vec()).await {
            Ok(abi::Outcome { main: abi::Rows::Replace(rows), .. }) => Answer::Rows(rows),
            Ok(_) => Answer::Other,
            Err(fault) => fault.into(),
        }
    }

    /// As functions, calls one with these bytes for its arguments.
    pub async fn call(&mut self, function: &str, arguments: &[u8]) -> Answer {
        self.instance.call(function, &arguments.to_vec(), Timestamp(0), 0).await.into()
    }

    /// As what keeps state, calls it with these bytes for keys and rows, of which nothing is kept yet. Kind `Internal` if it is none.
    pub async fn process_groups(&mut self, keys: &[u8], starts: &[u32], rows: &[u8]) -> Result<Answer> {
        let keyed = self.keyed.as_ref().ok_or_else(|| engine::Error::internal("it keeps no state"))?;
        let cx = EpochContext::alone(&self.terms.name);
        let mut state = keyed.without_state(&cx)?;
        state.begin((0..starts.len()).map(|key| Key::of(&key.to_be_bytes())).collect(), false);
        let (keys, rows) = (keys.to_vec(), rows.to_vec());
        let groups = abi::Groups { keys: &keys, starts, rows: &rows, more: false };
        let call = Call { cx: &cx, seed: 0 };
        let (said, _) = self.instance.keyed(call, state, KeyedInput::Rows(groups)).await;
        Ok(said.map(|outcome| outcome.main).into())
    }

    /// As what keeps state, has it rewrite these bytes for entries of a table, by these for their schema.
    pub async fn migrate(&mut self, table: &str, version: u32, before: &[u8], entries: &[u8]) -> Answer {
        self.instance.migrate(table, version, &before.to_vec(), &entries.to_vec()).await.into()
    }

    /// Bytes of its linear memory, which never shrinks.
    pub fn memory(&self) -> usize {
        self.instance.cost().memory
    }
}

impl From<Result<Vec<u8>, Fault>> for Answer {
    fn from(said: Result<Vec<u8>, Fault>) -> Self {
        said.map_or_else(Answer::from, Answer::Rows)
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
