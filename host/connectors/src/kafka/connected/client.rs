//! A client of librdkafka: how it is set, what it says, and what its errors mean.

use crate::kafka::settings::ClientSettings;
use engine::{Clock, Error, Kind, Result};
use rdkafka::{
    ClientConfig, ClientContext, Message, TopicPartitionList,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, ConsumerContext},
    error::{KafkaError, KafkaResult, RDKafkaErrorCode as Code},
    message::DeliveryResult,
    producer::{NoCustomPartitioner, ProducerContext},
};
use std::{
    fmt,
    ops::Deref,
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc},
    thread,
    time::Duration,
};

/// How long a broker may be away before the query fails, to start again as `restart` says.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// How long one request may take before somebody looks whether there is hope.
const SLICE: Duration = Duration::from_millis(1000);

/// How long the closing of a consumer may take.
const CLOSE: Duration = Duration::from_secs(5);

/// Between two tries.
const PAUSE: Duration = Duration::from_millis(100);

/// The settings of a client: those of streamhost, which a user may change, and those that have to be as they are.
pub(super) fn config(
    servers: &str,
    given: &ClientSettings,
    usual: &[(&str, &str)],
    fixed: &[(&str, String)],
) -> Result<ClientConfig> {
    let mut config = ClientConfig::new();
    config.set_log_level(RDKafkaLogLevel::Info).set("bootstrap.servers", servers);
    for (name, value) in usual {
        config.set(*name, *value);
    }
    for (name, value) in &given.0 {
        if name == "bootstrap.servers" || fixed.iter().any(|(set, _)| set == name) {
            return Err(Error::invalid(format!(
                "client: `{name}` is set by streamhost itself; leave it out{}",
                match name.as_str() {
                    "bootstrap.servers" => ", and write `bootstrap-servers`",
                    "group.id" => ", and write `group`",
                    _ => "",
                }
            )));
        }
        config.set(name, value);
    }
    for (name, value) in fixed {
        config.set(*name, value);
    }
    Ok(config)
}

/// [`Kind::Invalid`] if librdkafka does not know a setting, or not its value.
pub(super) fn validate(config: &ClientConfig) -> Result<()> {
    config.create_native_config().map(drop).map_err(|error| not_made("Kafka", error))
}

/// What a client calls back.
pub(super) struct Context {
    /// Whose client it is, and of which brokers, for messages.
    of: String,
    said: Mutex<Said>,
}

/// What was heard of the brokers.
#[derive(Default)]
struct Said {
    /// Whether a broker has ever answered.
    answered: bool,
    /// The newest trouble since then.
    trouble: Option<Trouble>,
    /// Whether that has been warned of.
    warned: bool,
    /// The first message that could not be written.
    undelivered: Option<(Code, String)>,
}

#[derive(Clone)]
struct Trouble {
    code: Option<Code>,
    what: String,
}

impl Context {
    pub(super) fn new(of: String) -> Self {
        Context { of, said: Mutex::default() }
    }

    fn said(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note that a broker does what it is asked.
    pub(super) fn answered(&self) {
        let mut said = self.said();
        said.answered = true;
        said.trouble = None;
        if std::mem::take(&mut said.warned) {
            tracing::info!("{} answers again", self.of);
        }
    }

    /// Says, once, what is waited for.
    pub(super) fn waiting(&self) {
        let mut said = self.said();
        if !std::mem::replace(&mut said.warned, true) {
            let what = said.trouble.as_ref().map_or("it does not answer", |trouble| &trouble.what);
            tracing::warn!("waiting for {}: {what}", self.of);
        }
    }

    /// Whether something has gone wrong since a broker last answered.
    pub(super) fn in_trouble(&self) -> bool {
        self.said().trouble.is_some()
    }

    /// The trouble that will not pass by itself: what never worked is set wrongly.
    pub(super) fn hopeless(&self) -> Option<Error> {
        let said = self.said();
        let trouble = said.trouble.as_ref().filter(|_| !said.answered)?;
        let about_trust =
            matches!(trouble.code?, Code::Authentication | Code::SaslAuthenticationFailed | Code::SSL);
        about_trust.then(|| {
            let what =
                "does not let us in; look at \"security.protocol\", \"sasl.*\" and \"ssl.*\" in `client`, and whether its certificate is still good";
            Error::invalid(format!("{} {what}: {}", self.of, trouble.what))
        })
    }

    /// Nobody has answered for too long.
    pub(super) fn gone(&self) -> Error {
        let trouble = self.said().trouble.clone();
        let what = trouble.map_or_else(|| "no answer".to_owned(), |trouble| trouble.what);
        Error::new(Kind::Unavailable, format!("{} does not answer: {what}", self.of))
    }

    /// The error, with what was being done and where.
    pub(super) fn failed(&self, doing: &str, error: KafkaError) -> Error {
        let kind = kind_of(&error);
        let text = format!("{doing}, with {}", self.of);
        let trouble = self.said().trouble.clone().filter(|_| kind == Kind::Unavailable);
        match trouble {
            Some(trouble) => Error::new(kind, format!("{text}: {}", trouble.what)).caused_by(error),
            None => Error::new(kind, text).caused_by(error),
        }
    }

    /// Takes the first message that could not be written since the last call.
    pub(super) fn undelivered(&self) -> Option<(Code, String)> {
        self.said().undelivered.take()
    }

    /// Whether there is one.
    pub(super) fn has_undelivered(&self) -> bool {
        self.said().undelivered.is_some()
    }

    fn trouble(&self, code: Option<Code>, what: &str) {
        let mut said = self.said();
        // A log line says more than the error that comes of it, and an error says what kind it is.
        let code = code.or_else(|| said.trouble.as_ref().and_then(|known| known.code));
        said.trouble = Some(Trouble { code, what: what.to_owned() });
    }
}

impl fmt::Display for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.of)
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, fac: &str, message: &str) {
        let grave = !matches!(
            level,
            RDKafkaLogLevel::Warning
                | RDKafkaLogLevel::Notice
                | RDKafkaLogLevel::Info
                | RDKafkaLogLevel::Debug
        );
        if fac == "FAIL" || grave {
            self.trouble(None, plain(message));
        }
        tracing::debug!(of = self.of, fac, "{message}");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        match error.rdkafka_error_code() {
            // No trouble at all.
            Some(Code::PartitionEOF) => {}
            // Says nothing that the errors before it have not said.
            Some(Code::AllBrokersDown) => {}
            code => self.trouble(code, plain(reason)),
        }
    }
}

/// A message of librdkafka without the thread it came from.
fn plain(message: &str) -> &str {
    message
        .split_once("]: ")
        .filter(|(thread, _)| thread.starts_with("[thrd:"))
        .map_or(message, |(_, rest)| rest)
}

impl ConsumerContext for Context {
    fn commit_callback(&self, result: KafkaResult<()>, _: &TopicPartitionList) {
        // Nobody starts from these offsets; the next epoch's stand for them too.
        if let Err(error) = result {
            tracing::warn!("{}: offsets of an epoch were not committed to the group: {error}", self.of);
        }
    }
}

impl ProducerContext<NoCustomPartitioner> for Context {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, message)) = result {
            let code = error.rdkafka_error_code().unwrap_or(Code::Fail);
            self.said().undelivered.get_or_insert_with(|| (code, message.topic().to_owned()));
        }
    }
}

/// Who must act on an error of librdkafka.
pub(super) fn kind_of(error: &KafkaError) -> Kind {
    if let KafkaError::ClientConfig(..) | KafkaError::ClientCreation(_) = error {
        return Kind::Invalid;
    }
    error.rdkafka_error_code().map_or(Kind::Unavailable, kind_of_code)
}

/// The same, of the code alone.
pub(super) fn kind_of_code(code: Code) -> Kind {
    match code {
        Code::Fenced | Code::ProducerFenced | Code::InvalidProducerEpoch => Kind::Fenced,
        Code::TopicAuthorizationFailed
        | Code::GroupAuthorizationFailed
        | Code::ClusterAuthorizationFailed
        | Code::TransactionalIdAuthorizationFailed
        | Code::MessageSizeTooLarge
        | Code::InvalidTopic
        | Code::InvalidTransactionTimeout => Kind::Invalid,
        _ => Kind::Unavailable,
    }
}

/// Asks until there is an answer, for as long as there is hope. `ask` gets the time it may take. A loss of data or of a topic is an
/// answer, and for the caller to judge.
pub(super) fn insist<T>(
    context: &Context,
    clock: &dyn Clock,
    doing: &str,
    poll: impl Fn(Duration),
    ask: impl Fn(Duration) -> KafkaResult<T>,
) -> Result<T> {
    let begun = clock.monotonic();
    loop {
        match ask(SLICE) {
            Ok(answer) => {
                context.answered();
                return Ok(answer);
            }
            Err(error) if !passes(&error) => return Err(context.failed(doing, error)),
            Err(error) => {
                // Errors of connections are heard of by polling.
                poll(PAUSE);
                if let Some(hopeless) = context.hopeless() {
                    return Err(hopeless);
                }
                if clock.monotonic().saturating_sub(begun) >= PATIENCE {
                    return Err(context.failed(doing, error));
                }
                context.waiting();
            }
        }
    }
}

fn passes(error: &KafkaError) -> bool {
    kind_of(error) == Kind::Unavailable
        && !matches!(error.rdkafka_error_code(), Some(Code::UnknownTopicOrPartition | Code::UnknownPartition))
}

/// A consumer by these settings.
pub(super) fn consumer(config: &ClientConfig, context: Context) -> Result<Closing> {
    let of = context.of.clone();
    let made = config.create_with_context(context).map_err(|error| not_made(&of, error))?;
    Ok(Closing(Some(Arc::new(made))))
}

/// A consumer that is closed with its last holder. That asks the brokers, and one that is gone may never answer: then nobody waits for
/// it longer than [`CLOSE`].
pub(super) struct Closing(Option<Arc<BaseConsumer<Context>>>);

impl Deref for Closing {
    type Target = Arc<BaseConsumer<Context>>;

    fn deref(&self) -> &Self::Target {
        self.0.as_ref().expect("taken by drop alone")
    }
}

impl Drop for Closing {
    fn drop(&mut self) {
        let consumer = self.0.take();
        let (done, closed) = mpsc::channel();
        thread::spawn(move || {
            drop(consumer);
            let _ = done.send(());
        });
        if closed.recv_timeout(CLOSE).is_err() {
            tracing::warn!(
                "a consumer of Kafka was not closed within {CLOSE:?}; going on without waiting for it"
            );
        }
    }
}

/// A client that could not be made: a setting is not known, or not what it has to be.
pub(super) fn not_made(of: &str, error: KafkaError) -> Error {
    match error {
        KafkaError::ClientConfig(_, why, name, _) => Error::invalid(format!("client: `{name}`: {why}")),
        error => Error::new(kind_of(&error), format!("making a client of {of}")).caused_by(error),
    }
}
