//! Where requests go: a scheme, a host and a port.

use async_trait::async_trait;
use engine::{Error, Result};
use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// Scheme, host and port: what a pipeline allows, and what a request is held against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) scheme: Scheme,
    pub(crate) host: Host,
    pub(crate) port: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    Http,
    Https,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    /// In lower case.
    Name(String),
    Address(IpAddr),
}

impl Place {
    /// `host:port`, which is https at port 443 and http at others; or with its scheme in front, `https://host:8443`.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let wrong = |why: &str| {
            Error::invalid(format!(
                "{text:?} {why}; write a host and a port, such as \"scores.internal:443\" or \"http://scores.internal:8080\""
            ))
        };
        let (scheme, rest) = match text.split_once("://") {
            Some((scheme, rest)) => {
                (Some(Scheme::parse(scheme).ok_or_else(|| wrong("is neither http nor https"))?), rest)
            }
            None => (None, text),
        };
        if rest.contains(['/', '?', '#', '@', '\\']) {
            return Err(wrong("is more than a place"));
        }
        let (host, port) = rest.rsplit_once(':').ok_or_else(|| wrong("has no port"))?;
        if host.contains('*') {
            return Err(wrong("is a pattern, and each host is named by itself"));
        }
        if host.contains(':') && !host.starts_with('[') {
            return Err(wrong("has an IPv6 address without brackets"));
        }
        let host = Host::parse(host).ok_or_else(|| wrong("has no host"))?;
        let port = port.parse().ok().filter(|port| *port > 0).ok_or_else(|| wrong("has no port"))?;
        let scheme = scheme.unwrap_or(if port == 443 { Scheme::Https } else { Scheme::Http });
        Ok(Place { scheme, host, port })
    }

    /// Whether a server at `address` may be meant because of what this place is called: the address itself, or this machine by the
    /// name that it has everywhere.
    pub(crate) fn names(&self, address: IpAddr) -> bool {
        match &self.host {
            Host::Address(named) => *named == address,
            Host::Name(name) => {
                address.is_loopback() && (name == "localhost" || name.ends_with(".localhost"))
            }
        }
    }
}

impl Scheme {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            "http" => Some(Scheme::Http),
            "https" => Some(Scheme::Https),
            _ => None,
        }
    }
}

impl Host {
    /// As it stands in a URL: an IPv6 address in brackets. A name of other letters is written in its ASCII form; one that is a number
    /// in disguise, as `127.1` or `0x7f000001`, is none.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if let Some(inner) = text.strip_prefix('[') {
            return inner.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(|v6| Host::Address(v6.into()));
        }
        if let Ok(v4) = text.parse::<Ipv4Addr>() {
            return Some(Host::Address(v4.into()));
        }
        let name = text.to_ascii_lowercase();
        let labels: Vec<&str> = name.split('.').collect();
        let good = |label: &&str| {
            !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        };
        let number = |label: &&str| label.starts_with("0x") || label.bytes().all(|b| b.is_ascii_digit());
        let is_name = labels.iter().all(good) && !labels.last().is_none_or(number) && name.len() <= 253;
        is_name.then_some(Host::Name(name))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.scheme {
            Scheme::Http => "http",
            Scheme::Https => "https",
        };
        match &self.host {
            Host::Address(IpAddr::V6(address)) => write!(f, "{scheme}://[{address}]:{}", self.port),
            Host::Address(address) => write!(f, "{scheme}://{address}:{}", self.port),
            Host::Name(name) => write!(f, "{scheme}://{name}:{}", self.port),
        }
    }
}

/// Turns the name of a host into its addresses. Asked once for each connection; what it answers is checked by whoever asks.
#[async_trait]
pub trait Names: Send + Sync {
    /// The addresses of `host`, best first.
    async fn addresses(&self, host: &str) -> std::io::Result<Vec<IpAddr>>;
}

/// The system's way: its files, its servers.
#[derive(Debug)]
pub struct SystemNames;

#[async_trait]
impl Names for SystemNames {
    async fn addresses(&self, host: &str) -> std::io::Result<Vec<IpAddr>> {
        Ok(tokio::net::lookup_host((host, 0)).await?.map(|address| address.ip()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_host_and_a_port_and_its_scheme_follows_from_the_port() {
        for (written, place) in [
            ("scores.internal:443", "https://scores.internal:443"),
            ("Scores.Internal:8080", "http://scores.internal:8080"),
            ("http://scores.internal:443", "http://scores.internal:443"),
            ("https://scores.internal:8443", "https://scores.internal:8443"),
            ("127.0.0.1:80", "http://127.0.0.1:80"),
            ("[::1]:443", "https://[::1]:443"),
        ] {
            assert_eq!(Place::parse(written).unwrap().to_string(), place);
        }
    }

    #[test]
    fn what_is_no_place_is_refused_with_the_reason() {
        for (written, why) in [
            ("scores.internal", "has no port"),
            ("scores.internal:", "has no port"),
            ("scores.internal:0", "has no port"),
            ("scores.internal:65536", "has no port"),
            (":443", "has no host"),
            ("*.internal:443", "is a pattern"),
            ("ftp://scores.internal:21", "is neither http nor https"),
            ("scores.internal:443/path", "is more than a place"),
            ("user@scores.internal:443", "is more than a place"),
            ("::1:443", "has an IPv6 address without brackets"),
            ("127.1:80", "has no host"),
            ("0x7f000001:80", "has no host"),
            ("2130706433:80", "has no host"),
            ("bücher.example:443", "has no host"),
            ("a..b:443", "has no host"),
            ("scores.internal.:443", "has no host"),
        ] {
            let report = Place::parse(written).unwrap_err().report();
            assert!(report.contains(why), "{written}: {report}");
        }
    }
}
