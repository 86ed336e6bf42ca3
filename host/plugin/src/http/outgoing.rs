//! What a guest calls to send a request, and whether it may.

use super::{
    answer::Exchange,
    header::OF_THE_HOST,
    place::{Host, Place, Scheme},
    wire::Wire,
};
use crate::{guest::Guest, limits::Limits};
use http_body_util::BodyDataStream;
use reqwest::Url;
use std::{sync::Arc, time::Duration};
use tokio::sync::Semaphore;
use tracing::Level;
use wasmtime::{
    StoreContextMut,
    component::{Linker, Resource},
};
use wasmtime_wasi::runtime;
use wasmtime_wasi_http::{
    DEFAULT_FORBIDDEN_HEADERS, Error, RequestOptions, Result as Told, WasiBody, WasiHttp, WasiHttpCtx,
    WasiHttpCtxView, WasiHttpHooks, WasiHttpView,
    p2::{
        bindings::{
            LinkOptions,
            http::types::{self, ErrorCode},
        },
        types::{HostFutureIncomingResponse, HostOutgoingRequest},
    },
};

/// Calls of the host that one request may take, which are not counted among the guest's others.
const CALLS_A_REQUEST: u64 = 100;
/// Of a request's body the host holds two pieces of this size, whether the request is ever sent or not.
const BODY_PIECE: usize = 64 << 10;
/// Bytes of the headers of one request.
const MOST_HEADERS: usize = 16 << 10;

/// The interface of which `handle` is ours; the rest of `wasi:http` is wasmtime's.
const HANDLER: &str = "wasi:http/outgoing-handler@0.2.12";

/// The requests of one guest.
pub(crate) struct Outgoing {
    /// None without a grant.
    wire: Option<Arc<Wire>>,
    /// Whether it has been given rows. What it is and what it is bound to must not depend on a server.
    open: bool,
    /// Sent since the limits were armed last.
    sent: usize,
    slots: Arc<Semaphore>,
    ctx: WasiHttpCtx,
    hooks: Hooks,
}

/// A request that is not sent: what the guest is told, and what the log says.
struct Denied(ErrorCode, String);

/// A request that may be sent.
struct Admitted {
    wire: Arc<Wire>,
    index: usize,
    url: Url,
    method: http::Method,
}

pub(crate) fn add(l: &mut Linker<Guest>) -> wasmtime::Result<()> {
    let options = LinkOptions::default();
    types::add_to_linker::<_, WasiHttp>(l, &options.into(), |guest| guest.called().http())?;
    l.instance(HANDLER)?.func_wrap("handle", handle)
}

/// A request that would be given up before this would arrive in vain.
const SHORTEST: Duration = Duration::from_millis(1);

type Awaited = Resource<HostFutureIncomingResponse>;

fn handle(
    mut store: StoreContextMut<'_, Guest>,
    (request, options): (Resource<HostOutgoingRequest>, Option<Resource<RequestOptions>>),
) -> wasmtime::Result<(Result<Awaited, ErrorCode>,)> {
    Ok((store.data_mut().called().send(request, options)?,))
}

impl Outgoing {
    pub(crate) fn new(wire: Option<Arc<Wire>>, limits: &Limits) -> Self {
        let mut ctx = WasiHttpCtx::new();
        ctx.set_field_size_limit(MOST_HEADERS);
        let slots = Arc::new(Semaphore::new(limits.http_concurrent.min(Semaphore::MAX_PERMITS)));
        Outgoing { wire, open: false, sent: 0, slots, ctx, hooks: Hooks }
    }

    /// What is counted per call begins anew.
    pub(crate) fn arm(&mut self) {
        self.sent = 0;
    }

    /// A call with rows begins.
    pub(crate) fn open(&mut self) {
        self.open = true;
    }

    /// A call without rows begins.
    pub(crate) fn close(&mut self) {
        self.open = false;
    }

    /// Whether a request may be sent, by what it says of itself.
    fn admit(&self, asked: &HostOutgoingRequest) -> Result<Admitted, Denied> {
        let denied = |why: &str| Err(Denied(ErrorCode::HttpRequestDenied, why.to_owned()));
        let Some(wire) = &self.wire else {
            return denied(
                "this plugin was not granted HTTP; a step grants it with allow = { http = [\"host:port\"] }",
            );
        };
        if !self.open {
            return denied("requests are for calls with rows");
        }
        let (place, url) = destination(asked)?;
        let Some((index, _)) = wire.find(&place) else {
            return denied(&format!("{place} is not among the places in allow.http"));
        };
        let method: Option<http::Method> = asked.method.clone().try_into().ok();
        let method = method.filter(|method| ![http::Method::CONNECT, http::Method::TRACE].contains(method));
        let Some(method) = method else {
            return Err(Denied(ErrorCode::HttpRequestMethodInvalid, "no such method is sent".into()));
        };
        Ok(Admitted { wire: wire.clone(), index, url, method })
    }
}

/// Where a request goes: the URL that is sent, and the place in it.
fn destination(asked: &HostOutgoingRequest) -> Result<(Place, Url), Denied> {
    let invalid = |why: &str| Denied(ErrorCode::HttpRequestUriInvalid, why.to_owned());
    let scheme = match &asked.scheme {
        None | Some(types::Scheme::Https) => "https",
        Some(types::Scheme::Http) => "http",
        Some(types::Scheme::Other(_)) => return Err(invalid("its scheme is neither http nor https")),
    };
    let authority = asked.authority.as_deref().unwrap_or_default();
    if authority.is_empty() {
        return Err(invalid("it names no host"));
    }
    if authority.contains('@') {
        return Err(invalid("it names a user"));
    }
    let path = asked.path_with_query.as_deref().unwrap_or("/");
    let slash = if path.starts_with('/') { "" } else { "/" };
    let url = Url::parse(&format!("{scheme}://{authority}{slash}{path}"));
    let url = url.map_err(|_| invalid("its parts make no URL"))?;
    let scheme = Scheme::parse(url.scheme());
    let host = url.host_str().and_then(Host::parse);
    match (scheme, host, url.port_or_known_default()) {
        (Some(scheme), Some(host), Some(port)) if url.username().is_empty() && url.password().is_none() => {
            Ok((Place { scheme, host, port }, url))
        }
        _ => Err(invalid("it has no host that could be granted")),
    }
}

impl Guest {
    /// Sends a request, or denies it. What is denied is said in the log: somebody may have forgotten to allow it.
    fn send(
        &mut self,
        request: Resource<HostOutgoingRequest>,
        options: Option<Resource<RequestOptions>>,
    ) -> wasmtime::Result<Result<Awaited, ErrorCode>> {
        self.meter.check_calls()?;
        let asked = self.table.delete(request)?;
        let options = options.map(|options| self.table.delete(options)).transpose()?;
        let admitted = self.http.admit(&asked).and_then(|admitted| {
            let exchange = self.exchange(&admitted.wire, options.unwrap_or_default())?;
            Ok((admitted, exchange))
        });
        match admitted {
            Ok((admitted, exchange)) => {
                self.http.sent += 1;
                self.meter.forgive_calls(CALLS_A_REQUEST);
                Ok(Ok(self.table.push(started(admitted, asked, exchange))?))
            }
            Err(Denied(code, why)) => {
                self.voice().say(Level::WARN, &format!("a request was denied: {why}"));
                Ok(Err(code))
            }
        }
    }

    /// Room for one more request, and how long it may take.
    fn exchange(&self, wire: &Wire, options: RequestOptions) -> Result<Exchange, Denied> {
        let limits = &self.meter.limits;
        let denied = |code, limit: &str| Denied(code, format!("there are too many already ({limit})"));
        if self.http.sent >= limits.http_requests {
            return Err(denied(ErrorCode::ConnectionLimitReached, "limits.http-requests"));
        }
        let slot = self.http.slots.clone().try_acquire_owned();
        let slot = slot.map_err(|_| denied(ErrorCode::ConnectionLimitReached, "limits.http-concurrent"))?;
        let patience = limits.http_wait.saturating_sub(self.stopwatch.served());
        if patience < SHORTEST {
            let why = "the call has waited for others for too long (limits.http-wait)";
            return Err(Denied(ErrorCode::HttpResponseTimeout, why.into()));
        }
        let clock = wire.clock().clone();
        let now = clock.monotonic();
        let deadline = now.saturating_add(limits.http_time.min(patience));
        let head = options.first_byte_timeout.or(options.connect_timeout).unwrap_or(Duration::MAX);
        Ok(Exchange {
            clock,
            deadline,
            head_deadline: now.saturating_add(head).min(deadline),
            most: limits.http_response,
            left: limits.http_response,
            _slot: slot,
            _away: self.stopwatch.away(deadline),
        })
    }
}

/// The request is on its way, in a task that ends when the guest lets go of it.
fn started(admitted: Admitted, asked: HostOutgoingRequest, exchange: Exchange) -> HostFutureIncomingResponse {
    let Admitted { wire, index, url, method } = admitted;
    let mut request = reqwest::Request::new(method, url);
    *request.headers_mut() = asked.headers.into();
    match asked.body {
        Some(body) => *request.body_mut() = Some(reqwest::Body::wrap_stream(BodyDataStream::new(body))),
        None => drop(request.headers_mut().remove(http::header::CONTENT_LENGTH)),
    }
    HostFutureIncomingResponse::Pending(runtime::spawn(async move {
        let response = wire.send(index, request, exchange).await?;
        Ok((response, runtime::spawn(async {})))
    }))
}

impl WasiHttpView for Guest {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { ctx: &mut self.http.ctx, table: &mut self.table, hooks: &mut self.http.hooks }
    }
}

/// What wasmtime leaves to the host of `wasi:http`.
struct Hooks;

impl WasiHttpHooks for Hooks {
    /// How a request is carried, and to whom, is said by the host alone.
    fn is_forbidden_header(&mut self, name: &http::HeaderName) -> bool {
        let own = OF_THE_HOST.contains(&name.as_str()) && *name != http::header::CONTENT_LENGTH;
        own || DEFAULT_FORBIDDEN_HEADERS.contains(name)
    }

    /// Requests do not come through here, but through [`handle`].
    fn send_request(
        &mut self,
        _: http::Request<WasiBody>,
        _: Option<RequestOptions>,
        _: Box<dyn Future<Output = Told<()>> + Send>,
    ) -> Box<dyn Future<Output = Told<(http::Response<WasiBody>, Io)>> + Send> {
        Box::new(async { Err(Error::HttpRequestDenied) })
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        BODY_PIECE
    }
}

/// What goes on beside a response; nothing here.
type Io = Box<dyn Future<Output = Told<()>> + Send>;

#[cfg(test)]
mod tests {
    use super::*;
    use wasmtime_wasi_http::FieldMap;

    fn asked(
        scheme: Option<types::Scheme>,
        authority: Option<&str>,
        path: Option<&str>,
    ) -> HostOutgoingRequest {
        HostOutgoingRequest {
            method: types::Method::Get,
            scheme,
            authority: authority.map(str::to_owned),
            path_with_query: path.map(str::to_owned),
            headers: FieldMap::default(),
            body: None,
        }
    }

    fn place(authority: &str, path: &str) -> String {
        let asked = asked(Some(types::Scheme::Http), Some(authority), Some(path));
        destination(&asked).map_or_else(|Denied(_, why)| why, |(place, _)| place.to_string())
    }

    #[test]
    fn the_place_of_a_request_is_that_of_the_url_that_is_sent() {
        assert_eq!(place("Scores.Internal:8080", "/x?y"), "http://scores.internal:8080");
        assert_eq!(place("scores.internal", "?y"), "http://scores.internal:80");
        // Other ways to write an address: a URL has the address itself.
        for written in ["127.1", "0x7f.0.0.1", "2130706433", "0177.0.0.1", "127.0.0.1"] {
            assert_eq!(place(&format!("{written}:80"), "/"), "http://127.0.0.1:80", "{written}");
        }
        assert_eq!(place("[::ffff:127.0.0.1]:80", "/"), "http://[::ffff:127.0.0.1]:80");
        assert_eq!(place("[::ffff:7f00:1]:80", "/"), "http://[::ffff:127.0.0.1]:80");
        let default = asked(None, Some("scores.internal"), None);
        assert_eq!(destination(&default).ok().unwrap().0.to_string(), "https://scores.internal:443");
    }

    #[test]
    fn a_request_that_names_no_host_or_a_user_has_no_place() {
        assert_eq!(place("", "/"), "it names no host");
        assert_eq!(place("", "//scores.internal/"), "it names no host");
        assert_eq!(place("granted:80@evil:80", "/"), "it names a user");
        assert_eq!(place("scores.internal.:80", "/"), "it has no host that could be granted");
        let none = asked(Some(types::Scheme::Http), None, Some("/"));
        assert!(matches!(destination(&none), Err(Denied(ErrorCode::HttpRequestUriInvalid, _))));
        let other = asked(Some(types::Scheme::Other("ftp".into())), Some("scores.internal"), None);
        assert!(matches!(destination(&other), Err(Denied(ErrorCode::HttpRequestUriInvalid, _))));
    }
}
