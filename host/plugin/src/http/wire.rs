//! The way to the servers: one client for each place, which connects to addresses that were checked and to no others.

use super::{
    HttpGrant, Outgoing,
    answer::{self, Exchange},
    grant::Allowed,
    place::{Place, Scheme},
};
use crate::limits::Limits;
use engine::Clock;
use reqwest::{
    dns::{Addrs, Name, Resolve, Resolving},
    header::{HeaderMap, HeaderValue},
    redirect,
};
use std::{
    error::Error as StdError,
    fmt, io,
    net::SocketAddr,
    sync::{Arc, OnceLock},
    time::Duration,
};
use wasmtime_wasi_http::{Error, WasiBody};

/// How long a connection is kept that nobody uses. A name that has moved on is noticed after that.
const IDLE: Duration = Duration::from_secs(20);

/// Sends what the instances of one place of a pipeline may send; nothing without a grant.
pub(crate) struct Client(Option<Arc<Wire>>);

/// What all requests of a grant share.
pub(crate) struct Wire {
    grant: Arc<HttpGrant>,
    clock: Arc<dyn Clock>,
    /// One for each place, made for its first request: the system's certificates take a while to read.
    clients: Vec<OnceLock<Result<reqwest::Client, String>>>,
}

impl Client {
    pub(crate) fn new(grant: &HttpGrant, clock: &Arc<dyn Clock>) -> Self {
        let clients = grant.places().iter().map(|_| OnceLock::new()).collect();
        let wire = || Arc::new(Wire { grant: Arc::new(grant.clone()), clock: clock.clone(), clients });
        Client((!grant.is_empty()).then(wire))
    }

    /// For who may send nothing.
    pub(crate) fn none() -> Self {
        Client(None)
    }

    /// What one guest has of it.
    pub(crate) fn outgoing(&self, limits: &Limits) -> Outgoing {
        Outgoing::new(self.0.clone(), limits)
    }
}

impl Wire {
    /// The place of these, and which of all it is; none if it is not allowed.
    pub(crate) fn find(&self, place: &Place) -> Option<(usize, &Allowed)> {
        self.grant.places().iter().enumerate().find(|(_, allowed)| allowed.place == *place)
    }

    /// Sends a request to the place of this number, and answers once the head of the response is there.
    pub(crate) async fn send(
        &self,
        index: usize,
        mut request: reqwest::Request,
        exchange: Exchange,
    ) -> Result<http::Response<WasiBody>, Error> {
        let allowed = self.grant.places().get(index).ok_or(Error::HttpRequestDenied)?;
        add_headers(request.headers_mut(), allowed);
        let client = self.client(index, &allowed.place)?;
        let response = exchange.before_its_time(client.execute(request)).await;
        let response = response.ok_or(Error::HttpResponseTimeout)?;
        answer::checked(response.map_err(|error| why(&error))?, exchange)
    }

    fn client(&self, index: usize, place: &Place) -> Result<&reqwest::Client, Error> {
        let slot = self.clients.get(index).ok_or(Error::HttpRequestDenied)?;
        let made = slot.get_or_init(|| client(&self.grant, place).map_err(|error| shown(&error)));
        made.as_ref().map_err(|why| {
            tracing::error!("no requests can be sent to {place}: {why}");
            Error::ConfigurationError
        })
    }

    pub(crate) fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }
}

/// Those of the pipeline are in the place of the guest's.
fn add_headers(headers: &mut HeaderMap, allowed: &Allowed) {
    for header in &allowed.headers {
        let name = http::HeaderName::from_bytes(header.name.as_bytes());
        let value = HeaderValue::from_str(header.expose());
        if let (Ok(name), Ok(mut value)) = (name, value) {
            value.set_sensitive(true);
            headers.insert(name, value);
        }
    }
}

fn client(grant: &Arc<HttpGrant>, place: &Place) -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder()
        .no_proxy()
        .redirect(redirect::Policy::none())
        .referer(false)
        .http1_only()
        .pool_idle_timeout(IDLE)
        .tls_built_in_root_certs(place.scheme == Scheme::Https)
        .dns_resolver(Arc::new(Checked { grant: grant.clone(), place: place.clone() }))
        .build()
}

/// Resolves names for connections to one place, and lets none through that leads where it must not.
struct Checked {
    grant: Arc<HttpGrant>,
    place: Place,
}

impl Resolve for Checked {
    fn resolve(&self, name: Name) -> Resolving {
        let (grant, place) = (self.grant.clone(), self.place.clone());
        Box::pin(async move {
            let addresses = addresses(&grant, &place, name.as_str()).await;
            addresses.map_err(|error| Box::new(error) as Box<dyn StdError + Send + Sync>)
        })
    }
}

async fn addresses(grant: &HttpGrant, place: &Place, name: &str) -> Result<Addrs, Unresolved> {
    let found = grant.names().addresses(name).await.map_err(|_| Unresolved::Unknown)?;
    if found.is_empty() {
        return Err(Unresolved::Unknown);
    }
    // One that must not be among them: whoever answers for this name is not to be trusted with the others.
    if let Some(what) = found.iter().find_map(|address| grant.refuses(place, *address)) {
        tracing::warn!("requests to {place} are refused: the name resolves to {what}, which is not allowed");
        return Err(Unresolved::Prohibited);
    }
    let port = place.port;
    Ok(Box::new(found.into_iter().map(move |address| SocketAddr::new(address, port))))
}

/// Why a name leads nowhere.
#[derive(Clone, Copy, Debug)]
enum Unresolved {
    Unknown,
    Prohibited,
}

impl fmt::Display for Unresolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Unresolved::Unknown => "the name is unknown",
            Unresolved::Prohibited => "the name leads where it must not",
        })
    }
}

impl StdError for Unresolved {}

/// What the guest is told of a request that failed.
fn why(error: &reqwest::Error) -> Error {
    if let Some(unresolved) = cause::<Unresolved>(error) {
        return match unresolved {
            Unresolved::Prohibited => Error::DestinationIpProhibited,
            Unresolved::Unknown => {
                Error::DnsError { rcode: Some("the name is unknown".into()), info_code: None }
            }
        };
    }
    if let Some(told) = cause::<Error>(error) {
        return match told {
            Error::HttpRequestBodySize(size) => Error::HttpRequestBodySize(*size),
            _ => Error::HttpProtocolError,
        };
    }
    let kind = cause::<io::Error>(error).map(kind);
    match kind {
        Some(io::ErrorKind::ConnectionRefused) => Error::ConnectionRefused,
        // What TLS complains about is data that is not as it should be.
        Some(io::ErrorKind::InvalidData) if error.is_connect() => Error::TlsCertificateError,
        Some(io::ErrorKind::TimedOut) => Error::ConnectionTimeout,
        _ if error.is_connect() => Error::DestinationUnavailable,
        _ => Error::ConnectionTerminated,
    }
}

/// Of the innermost: TLS is wrapped around TCP, and its errors around those.
fn kind(error: &io::Error) -> io::ErrorKind {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<io::Error>()) {
        Some(inner) => kind(inner),
        None => error.kind(),
    }
}

fn cause<'e, E: StdError + 'static>(error: &'e (dyn StdError + 'static)) -> Option<&'e E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<E>() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

/// An error of making a client, which has seen no request.
fn shown(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text = format!("{text}: {source}");
        next = source.source();
    }
    text
}
