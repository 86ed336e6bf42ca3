//! The schema registry.

use super::{Service, http::request, ports};
use serde_json::{Value, json};
use std::sync::OnceLock;

/// A registry, and where it is.
#[derive(Debug)]
pub struct Registry {
    port: u16,
    _service: Service,
}

/// The registry of this process.
pub fn registry() -> &'static Registry {
    static REGISTRY: OnceLock<Registry> = OnceLock::new();
    REGISTRY.get_or_init(Registry::start)
}

impl Registry {
    /// One of its own for a test.
    pub fn start() -> Registry {
        let port = ports(1);
        Registry { port, _service: Service::start("registry.sh", &[("REGISTRY_PORT", port.to_string())]) }
    }

    /// For settings.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}{PATH}", self.port)
    }

    /// Adds a version to a subject; `kind` is `AVRO` or `PROTOBUF`. Answers the schema's id.
    pub fn register(&self, subject: &str, kind: &str, schema: &str) -> u32 {
        let body = json!({ "schema": schema, "schemaType": kind }).to_string();
        let path = format!("{PATH}/subjects/{subject}/versions");
        let answer: Value = serde_json::from_str(&request("POST", self.port, &path, &body)).unwrap();
        answer["id"].as_u64().unwrap() as u32
    }
}

const PATH: &str = "/apis/ccompat/v7";
