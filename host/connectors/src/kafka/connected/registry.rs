//! The schema registry: schemas by id, and the newest of a subject.

use crate::kafka::settings::RegistrySettings;
use engine::{Error, Kind, Result, ResultExt};
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

/// How long the registry may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

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

/// A registry, and what it said. What an id stands for never changes.
pub(super) struct Registry {
    settings: RegistrySettings,
    known: Mutex<HashMap<u32, Option<Arc<Schema>>>>,
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
    pub(super) fn new(settings: RegistrySettings) -> Self {
        Registry { settings, known: Mutex::default() }
    }

    /// The schema of an id; none if there is none.
    pub(super) fn schema(&self, id: u32) -> Result<Option<Arc<Schema>>> {
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(schema) = known().get(&id) {
            return Ok(schema.clone());
        }
        let answer: Option<Answer> = self.ask(Method::GET, &format!("/schemas/ids/{id}"), None)?;
        let schema = answer.map(|answer| self.complete(Answer { id, ..answer })).transpose()?.map(Arc::new);
        known().insert(id, schema.clone());
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
        known.insert(schema.id, Some(schema.clone()));
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
        let asked = thread::scope(|scope| scope.spawn(|| self.answer(method, path, body)).join());
        let (status, text) = asked.map_err(|_| Error::internal("a thread that asks a schema registry"))??;
        let said = || format!("{} answers {status} to {path}: {}", self.named(), text.trim());
        match status {
            StatusCode::NOT_FOUND => Ok(None),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(Error::invalid(format!(
                "{}; look at `username` and `password` in `schema-registry`",
                said()
            ))),
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

    #[test]
    fn a_subject_is_escaped_and_a_message_begins_with_its_schema() {
        assert_eq!(escaped("a/b value"), "a%2Fb%20value");
        assert_eq!(framed(&[0, 0, 0, 1, 2, 9]), Some((258, &[9][..])));
        assert_eq!(framed(&[1, 0, 0, 1, 2, 9]), None);
        assert_eq!(framed(&[0, 0, 0, 1]), None);
    }
}
