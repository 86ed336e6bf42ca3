//! The schema registry: schemas by id, and the newest of a subject.

use crate::kafka::settings::RegistrySettings;
use engine::{Clock, Error, Kind, Result, ResultExt};
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};
use tokio::runtime::{Handle, RuntimeFlavor};

/// How long the registry may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a schema that is not there is not asked for again: every message may name one.
const ABSENCE: Duration = Duration::from_secs(10);

/// A schema of the registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Schema {
    pub(super) id: u32,
    /// `AVRO`, `PROTOBUF` or another.
    pub(super) kind: String,
    pub(super) text: String,
    /// The texts of schemas that it imports, by name.
    pub(super) imports: Vec<(String, String)>,
}

/// A registry, and what it said. What an id stands for never changes once it stands for something.
pub(super) struct Registry {
    settings: RegistrySettings,
    clock: Arc<dyn Clock>,
    known: Mutex<HashMap<u32, Known>>,
}

#[derive(Clone)]
enum Known {
    Schema(Arc<Schema>),
    /// When it was not there.
    Absent(Duration),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    #[serde(default)]
    id: u32,
    #[serde(default)]
    schema: String,
    schema_type: Option<String>,
    #[serde(default)]
    references: Vec<Reference>,
}

#[derive(Deserialize)]
struct Reference {
    name: String,
    subject: String,
    version: u32,
}

impl Registry {
    pub(super) fn new(settings: RegistrySettings, clock: Arc<dyn Clock>) -> Self {
        Registry { settings, clock, known: Mutex::default() }
    }

    /// The schema of an id; none if there is none.
    pub(super) fn schema(&self, id: u32) -> Result<Option<Arc<Schema>>> {
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        match known().get(&id) {
            Some(Known::Schema(schema)) => return Ok(Some(schema.clone())),
            Some(Known::Absent(at)) if self.clock.monotonic().saturating_sub(*at) < ABSENCE => {
                return Ok(None);
            }
            _ => {}
        }
        let answer: Option<Answer> = self.ask(Method::GET, &format!("/schemas/ids/{id}"), None)?;
        let schema = answer.map(|answer| self.complete(Answer { id, ..answer })).transpose()?.map(Arc::new);
        let told = schema.clone().map_or_else(|| Known::Absent(self.clock.monotonic()), Known::Schema);
        known().insert(id, told);
        Ok(schema)
    }

    /// The newest schema of a subject. [`Kind::Invalid`] if there is none.
    pub(super) fn newest(&self, subject: &str) -> Result<Arc<Schema>> {
        let answer: Option<Answer> =
            self.ask(Method::GET, &format!("/subjects/{}/versions/latest", escaped(subject)), None)?;
        let answer = answer.ok_or_else(|| {
            Error::invalid(format!(
                "{} has no subject {subject:?}; register a schema, or name the subject in `schema-registry`",
                self.named()
            ))
        })?;
        let schema = Arc::new(self.complete(answer)?);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(schema.id, Known::Schema(schema.clone()));
        Ok(schema)
    }

    /// Adds a version to a subject, unless it has this schema; answers its id.
    pub(super) fn register(&self, subject: &str, schema: &str) -> Result<u32> {
        let body = json!({ "schema": schema, "schemaType": "AVRO" });
        let path = format!("/subjects/{}/versions", escaped(subject));
        let answer: Option<Answer> = self.ask(Method::POST, &path, Some(body))?;
        answer
            .map(|answer| answer.id)
            .ok_or_else(|| Error::invalid(format!("{} takes no schemas", self.named())))
    }

    fn complete(&self, answer: Answer) -> Result<Schema> {
        let mut imports = Vec::new();
        for Reference { name, subject, version } in answer.references {
            let path = format!("/subjects/{}/versions/{version}", escaped(&subject));
            let imported: Option<Answer> = self.ask(Method::GET, &path, None)?;
            let imported = imported.ok_or_else(|| {
                Error::invalid(format!("{} has no version {version} of subject {subject:?}", self.named()))
            })?;
            let imported = self.complete(imported)?;
            imports.extend(imported.imports);
            imports.push((name, imported.text));
        }
        // The registry leaves out what it takes for granted.
        let kind = answer.schema_type.unwrap_or_else(|| "AVRO".into());
        Ok(Schema { id: answer.id, kind, text: answer.schema, imports })
    }

    fn named(&self) -> String {
        format!("the schema registry at {}", self.settings.url)
    }

    /// Sends a request; none if there is no such thing.
    fn ask<T: DeserializeOwned + Send>(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Option<T>> {
        // A thread of its own: this may be called where a runtime is, and where none is.
        let asked = aside(|| thread::scope(|scope| scope.spawn(|| self.answer(method, path, body)).join()));
        let (status, text) = asked.map_err(|_| Error::internal("a thread that asks a schema registry"))??;
        let said = || format!("{} answers {status} to {path}: {}", self.named(), text.trim());
        match status {
            StatusCode::NOT_FOUND => Ok(None),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(Error::invalid(format!(
                "{}; look at `username` and `password` in `schema-registry`",
                said()
            ))),
            StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => {
                Err(Error::new(Kind::Unavailable, said()))
            }
            status if status.is_client_error() => Err(Error::invalid(said())),
            status if !status.is_success() => Err(Error::new(Kind::Unavailable, said())),
            _ => serde_json::from_str(&text).map(Some).doing(Kind::Unavailable, said),
        }
    }

    fn answer(&self, method: Method, path: &str, body: Option<Value>) -> Result<(StatusCode, String)> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.doing(Kind::Internal, || "starting a runtime")?;
        let away = || format!("{} does not answer", self.named());
        runtime.block_on(async {
            let client = Client::builder().timeout(PATIENCE).build().doing(Kind::Invalid, away)?;
            let response =
                self.request(&client, method, path, body).send().await.doing(Kind::Unavailable, away)?;
            let status = response.status();
            Ok((status, response.text().await.doing(Kind::Unavailable, away)?))
        })
    }

    fn request(&self, client: &Client, method: Method, path: &str, body: Option<Value>) -> RequestBuilder {
        let RegistrySettings { url, username, password, .. } = &self.settings;
        let mut request = client.request(method, format!("{}{path}", url.trim_end_matches('/')));
        if let Some(username) = username {
            request = request.basic_auth(username, password.as_ref());
        }
        match body {
            Some(body) => request.json(&body),
            None => request,
        }
    }
}

/// Waits, so that a runtime that has other threads goes on with them meanwhile.
fn aside<T>(wait: impl FnOnce() -> T) -> T {
    match Handle::try_current().map(|runtime| runtime.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(wait),
        _ => wait(),
    }
}

/// A name as part of a path.
fn escaped(name: &str) -> String {
    let kept = |b: u8| b.is_ascii_alphanumeric() || b"-_.~".contains(&b);
    name.bytes().map(|b| if kept(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

/// The id in front of a message, and what comes behind it.
pub(super) fn framed(message: &[u8]) -> Option<(u32, &[u8])> {
    let rest = message.strip_prefix(&[0])?;
    let (id, rest) = rest.split_first_chunk::<4>()?;
    Some((u32::from_be_bytes(*id), rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::{ManualClock, Timestamp};
    use std::{
        io::{BufRead, BufReader, Write},
        net::TcpListener,
    };

    /// A registry that gives these answers, one after the other.
    fn answering(answers: &'static [(&str, &str)], clock: Arc<dyn Clock>) -> Registry {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        thread::spawn(move || {
            for (status, body) in answers {
                let (mut asked, _) = listener.accept().unwrap();
                let head = BufReader::new(asked.try_clone().unwrap()).lines().map(Result::unwrap);
                assert!(head.take_while(|line| !line.is_empty()).count() > 0);
                let length = body.len();
                let head =
                    format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
                asked.write_all(format!("{head}{body}").as_bytes()).unwrap();
            }
        });
        let settings =
            RegistrySettings { url, username: None, password: None, value_subject: None, key_subject: None };
        Registry::new(settings, clock)
    }

    #[test]
    fn a_schema_that_is_not_there_is_asked_for_again_but_not_for_every_message() {
        let clock = Arc::new(ManualClock::new(Timestamp(0)));
        let answers = &[("404 Not Found", "{}"), ("200 OK", "{\"schema\":\"\\\"int\\\"\"}")];
        let registry = answering(answers, clock.clone());
        assert_eq!(registry.schema(7).unwrap(), None);
        // A second answer now would be the schema.
        assert_eq!(registry.schema(7).unwrap(), None);
        clock.advance(ABSENCE);
        let schema = registry.schema(7).unwrap().unwrap();
        assert_eq!((schema.id, schema.text.as_str()), (7, "\"int\""));
        // There is no third one.
        assert_eq!(registry.schema(7).unwrap().unwrap(), schema);
    }

    #[test]
    fn a_registry_that_has_too_much_to_do_is_asked_again_later() {
        let clock = Arc::new(ManualClock::new(Timestamp(0)));
        let registry = answering(&[("429 Too Many Requests", "slow down")], clock);
        let error = registry.schema(1).unwrap_err();
        assert_eq!(error.kind(), Kind::Unavailable);
        assert!(error.report().contains("answers 429 Too Many Requests"), "{}", error.report());
    }

    #[test]
    fn a_subject_is_escaped_and_a_message_begins_with_its_schema() {
        assert_eq!(escaped("a/b value"), "a%2Fb%20value");
        assert_eq!(framed(&[0, 0, 0, 1, 2, 9]), Some((258, &[9][..])));
        assert_eq!(framed(&[1, 0, 0, 1, 2, 9]), None);
        assert_eq!(framed(&[0, 0, 0, 1]), None);
    }
}
