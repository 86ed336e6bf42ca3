//! Connections that a test cuts and slows.

use super::{Service, http::request, ports};
use serde_json::json;
use std::sync::OnceLock;

/// The proxy of this process.
#[derive(Debug)]
pub struct Toxiproxy {
    port: u16,
    service: Service,
}

/// A connection through the proxy.
#[derive(Debug)]
pub struct Link<'a> {
    proxy: &'a Toxiproxy,
    name: String,
}

/// The proxy of this process.
pub fn toxiproxy() -> &'static Toxiproxy {
    static PROXY: OnceLock<Toxiproxy> = OnceLock::new();
    PROXY.get_or_init(Toxiproxy::own)
}

impl Toxiproxy {
    /// A proxy of a test's own, which may be held.
    pub fn own() -> Self {
        let port = ports(1);
        let service = Service::start("toxiproxy.sh", &[("TOXIPROXY_PORT", port.to_string())]);
        Toxiproxy { port, service }
    }

    /// Passes nothing on any more, and keeps every connection: as a peer does that hangs.
    pub fn hold(&self) {
        self.service.signal("STOP");
    }

    /// Goes on where it was held.
    pub fn let_go(&self) {
        self.service.signal("CONT");
    }

    /// Whoever connects to port `from` is led to port `to`.
    pub fn link(&self, from: u16, to: u16) -> Link<'_> {
        let name = format!("link-{from}");
        let body = json!({
            "name": name, "listen": format!("127.0.0.1:{from}"), "upstream": format!("127.0.0.1:{to}"), "enabled": true
        });
        request("POST", self.port, "/proxies", &body.to_string());
        Link { proxy: self, name }
    }
}

impl Link<'_> {
    /// Cuts every connection and refuses new ones.
    pub fn cut(&self) {
        self.change(&json!({ "enabled": false }));
    }

    /// Lets connections in again.
    pub fn mend(&self) {
        self.change(&json!({ "enabled": true }));
    }

    /// Every answer takes so much longer.
    pub fn slow(&self, millis: u64) {
        let body = json!({ "type": "latency", "attributes": { "latency": millis } });
        request("POST", self.proxy.port, &format!("/proxies/{}/toxics", self.name), &body.to_string());
    }

    /// Lets nothing through any more, and does not say so: as when the other machine has lost its power.
    pub fn hush(&self) {
        for way in ["upstream", "downstream"] {
            let body =
                json!({ "name": way, "type": "timeout", "stream": way, "attributes": { "timeout": 0 } });
            request("POST", self.proxy.port, &format!("/proxies/{}/toxics", self.name), &body.to_string());
        }
    }

    /// Takes [`hush`](Self::hush) back. What was sent meanwhile is lost.
    pub fn speak(&self) {
        for way in ["upstream", "downstream"] {
            request("DELETE", self.proxy.port, &format!("/proxies/{}/toxics/{way}", self.name), "");
        }
    }

    fn change(&self, to: &serde_json::Value) {
        request("POST", self.proxy.port, &format!("/proxies/{}", self.name), &to.to_string());
    }
}
