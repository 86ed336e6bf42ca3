//! Requests by `wasi:http`.

use super::{Request, Response};
use crate::bindings::http::wasi::{
    http::{
        outgoing_handler,
        types::{
            ErrorCode, Fields, FutureIncomingResponse, HeaderError, IncomingResponse, Method, OutgoingBody,
            OutgoingRequest, RequestOptions, Scheme,
        },
    },
    io::streams::{InputStream, OutputStream, StreamError},
};
use crate::{Error, Result};

/// Bytes of a body that are asked for at once.
const PIECE: u64 = 64 << 10;

/// A request that is under way.
pub(super) struct Pending(FutureIncomingResponse);

pub(super) fn start(request: &Request) -> Result<Pending> {
    let options = options(request);
    let (outgoing, body) = outgoing(request)?;
    let future = outgoing_handler::handle(outgoing, options).map_err(|code| told(&code))?;
    if let Some((body, bytes)) = body {
        write(body, bytes)?;
    }
    Ok(Pending(future))
}

impl Pending {
    pub(super) fn finish(self) -> Result<Response> {
        loop {
            match self.0.get() {
                Some(Ok(Ok(response))) => return read(&response),
                Some(Ok(Err(code))) => return Err(told(&code)),
                Some(Err(())) => return Err(Error::permanent("the response was taken already")),
                None => self.0.subscribe().block(),
            }
        }
    }
}

fn options(request: &Request) -> Option<RequestOptions> {
    let nanos = u64::try_from(request.timeout?.as_nanos()).ok()?;
    let options = RequestOptions::new();
    options.set_first_byte_timeout(Some(nanos)).ok().map(|()| options)
}

type Body<'a> = (OutgoingBody, &'a [u8]);

/// The request, and the body that is written once it is on its way.
fn outgoing(request: &Request) -> Result<(OutgoingRequest, Option<Body<'_>>)> {
    let (scheme, authority, path) = parts(&request.url)?;
    let outgoing = OutgoingRequest::new(fields(request)?);
    outgoing.set_method(&method(&request.method)).map_err(wrong("method"))?;
    outgoing.set_scheme(Some(&scheme)).map_err(wrong("scheme"))?;
    outgoing.set_authority(authority).map_err(wrong("host"))?;
    outgoing.set_path_with_query(Some(path)).map_err(wrong("path"))?;
    let body = match &request.body {
        Some(bytes) => Some((outgoing.body().map_err(wrong("body"))?, bytes.as_slice())),
        None => None,
    };
    Ok((outgoing, body))
}

/// Why the host does not take a part of a request.
fn wrong(what: &'static str) -> impl FnOnce(()) -> Error {
    move |()| Error::permanent(format_args!("there can be no request with this {what}"))
}

fn fields(request: &Request) -> Result<Fields> {
    let given = request.headers.iter().map(|(name, value)| (name.clone(), value.clone().into_bytes()));
    // Servers that know no pieces want to know how much comes.
    let length =
        request.body.as_ref().map(|body| ("content-length".to_owned(), body.len().to_string().into_bytes()));
    let fields: Vec<_> = given.chain(length).collect();
    Fields::from_list(&fields).map_err(|error| {
        Error::permanent(match error {
            HeaderError::InvalidSyntax => "a header is malformed",
            HeaderError::Forbidden => "it has a header that is the host's to set",
            HeaderError::Immutable => "its headers cannot be set",
        })
    })
}

/// Scheme, host with port, and the rest. What is wrong with them the host says, who looks at them anyway.
fn parts(url: &str) -> Result<(Scheme, Option<&str>, &str)> {
    let (scheme, rest) = url.split_once("://").ok_or_else(|| {
        Error::permanent("a URL begins with http:// or https://, and says where to send the request")
    })?;
    let scheme = match scheme {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        other => Scheme::Other(other.to_owned()),
    };
    let rest = rest.split('#').next().unwrap_or_default();
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let path = if path.is_empty() { "/" } else { path };
    Ok((scheme, Some(authority).filter(|authority| !authority.is_empty()), path))
}

fn method(name: &str) -> Method {
    match name {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "DELETE" => Method::Delete,
        "OPTIONS" => Method::Options,
        "PATCH" => Method::Patch,
        "CONNECT" => Method::Connect,
        "TRACE" => Method::Trace,
        other => Method::Other(other.to_owned()),
    }
}

fn write(body: OutgoingBody, bytes: &[u8]) -> Result<()> {
    let stream = body.write().map_err(|()| Error::permanent("the body was written already"))?;
    let written = write_all(&stream, bytes);
    // A body may be finished once nobody writes to it any more.
    drop(stream);
    match written {
        Ok(()) => OutgoingBody::finish(body, None).map_err(|code| told(&code)),
        // What became of the request, its response says.
        Err(StreamError::Closed) => Ok(()),
        Err(StreamError::LastOperationFailed(error)) => {
            Err(Error::transient(first_line(&error.to_debug_string())))
        }
    }
}

fn write_all(stream: &OutputStream, mut bytes: &[u8]) -> Result<(), StreamError> {
    while !bytes.is_empty() {
        let room = usize::try_from(stream.check_write()?).unwrap_or(usize::MAX);
        if room == 0 {
            stream.subscribe().block();
            continue;
        }
        let (piece, rest) = bytes.split_at(room.min(bytes.len()));
        stream.write(piece)?;
        bytes = rest;
    }
    Ok(())
}

fn read(response: &IncomingResponse) -> Result<Response> {
    let status = response.status();
    let shown = |value: Vec<u8>| String::from_utf8_lossy(&value).into_owned();
    let headers =
        response.headers().entries().into_iter().map(|(name, value)| (name, shown(value))).collect();
    let taken = |()| Error::permanent("the body was taken already");
    let body = response.consume().map_err(taken)?;
    let stream = body.stream().map_err(taken)?;
    let bytes = read_all(&stream)?;
    Ok(Response { headers, ..Response::new(status, bytes) })
}

fn read_all(stream: &InputStream) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    loop {
        match stream.read(PIECE) {
            Ok(piece) if piece.is_empty() => stream.subscribe().block(),
            Ok(piece) => bytes.extend(piece),
            Err(StreamError::Closed) => return Ok(bytes),
            Err(StreamError::LastOperationFailed(error)) => return Err(broken_off(&error.to_debug_string())),
        }
    }
}

/// Why a body has no end. There is no code for it, only the host's words.
fn broken_off(said: &str) -> Error {
    let said = first_line(said);
    match said.contains("size") {
        true => Error::permanent(format_args!("the response is too large (limits.http-response): {said}")),
        false => Error::transient(format_args!("the response broke off: {said}")),
    }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

/// What the host said, in words.
fn told(code: &ErrorCode) -> Error {
    let permanent = match code {
        ErrorCode::HttpRequestDenied => {
            "it was denied; the host's log says why, and `allow` in the step what is not"
        }
        ErrorCode::HttpRequestUriInvalid => "its URL names no host that could be asked",
        ErrorCode::HttpRequestMethodInvalid => "it has no method that is sent",
        ErrorCode::HttpRequestBodySize(_) => "its body has not the length that it says",
        ErrorCode::DestinationIpProhibited => "the host's name leads to an address that is not allowed",
        ErrorCode::TlsCertificateError | ErrorCode::TlsProtocolError | ErrorCode::TlsAlertReceived(_) => {
            "the server's certificate is not to be trusted"
        }
        ErrorCode::HttpResponseBodySize(_) => "the response is too large (limits.http-response)",
        ErrorCode::HttpResponseHeaderSectionSize(_) => "the headers of the response are too large",
        other => return transient(other),
    };
    Error::permanent(permanent)
}

fn transient(code: &ErrorCode) -> Error {
    let what = match code {
        ErrorCode::ConnectionRefused => "the connection was refused",
        ErrorCode::ConnectionTerminated | ErrorCode::HttpResponseIncomplete => "the connection broke",
        ErrorCode::ConnectionLimitReached => {
            "there are too many requests (limits.http-concurrent, limits.http-requests)"
        }
        ErrorCode::DestinationUnavailable | ErrorCode::DestinationNotFound => "the server cannot be reached",
        ErrorCode::DnsError(_) | ErrorCode::DnsTimeout => "the host's name is unknown",
        ErrorCode::ConnectionTimeout
        | ErrorCode::ConnectionReadTimeout
        | ErrorCode::ConnectionWriteTimeout
        | ErrorCode::HttpResponseTimeout => "the response took too long",
        other => return Error::permanent(format_args!("{other:?}")),
    };
    Error::transient(what)
}
