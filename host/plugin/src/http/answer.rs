//! What comes back: bounded in bytes and in time, however the guest reads it.

use crate::stopwatch::Away;
use bytes::Bytes;
use engine::Clock;
use futures::{
    future::{Either, select},
    stream,
};
use http_body_util::BodyExt;
use std::{error::Error as StdError, fmt, pin::pin, sync::Arc, time::Duration};
use tokio::sync::OwnedSemaphorePermit;
use wasmtime_wasi_http::{Error, WasiBody};

/// The most bytes of the head of a response.
const MOST_HEADERS: usize = 32 << 10;

/// One request and its response, until the last byte of that was read or it is dropped.
pub(crate) struct Exchange {
    pub(crate) clock: Arc<dyn Clock>,
    /// Of the monotonic clock: when it is given up.
    pub(crate) deadline: Duration,
    /// When it is given up unless the response has begun.
    pub(crate) head_deadline: Duration,
    /// Bytes that the body may have, and how many of these are still to come.
    pub(crate) most: usize,
    pub(crate) left: usize,
    /// One of those that may be under way at once.
    pub(crate) _slot: OwnedSemaphorePermit,
    pub(crate) _away: Away,
}

/// Why the body of a response ends before its end.
#[derive(Clone, Copy, Debug)]
enum Ended {
    TooLarge(usize),
    Late,
    Broken,
}

impl Exchange {
    /// What comes of `work` up to the head of the response; none if that takes too long.
    pub(crate) async fn before_its_time<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        before(&*self.clock, self.head_deadline, work).await
    }

    fn take(&mut self, bytes: usize) -> Result<(), Ended> {
        self.left = self.left.checked_sub(bytes).ok_or(Ended::TooLarge(self.most))?;
        Ok(())
    }
}

async fn before<T>(clock: &dyn Clock, deadline: Duration, work: impl Future<Output = T>) -> Option<T> {
    let left = deadline.saturating_sub(clock.monotonic());
    match select(pin!(work), pin!(clock.sleep(left))).await {
        Either::Left((done, _)) => Some(done),
        Either::Right(_) => None,
    }
}

/// The response as the guest gets it. One that says itself that it is too large is refused before it is read.
pub(crate) fn checked(
    response: reqwest::Response,
    exchange: Exchange,
) -> Result<http::Response<WasiBody>, Error> {
    let head: usize = response.headers().iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if head > MOST_HEADERS {
        return Err(Error::HttpResponseHeaderSectionSize(Some(MOST_HEADERS as u32)));
    }
    if response.content_length().is_some_and(|bytes| bytes > exchange.most as u64) {
        return Err(Error::HttpResponseBodySize(Some(exchange.most as u64)));
    }
    let mut answer = http::Response::new(());
    *answer.status_mut() = response.status();
    *answer.headers_mut() = response.headers().clone();
    Ok(answer.map(|()| body(response, exchange)))
}

fn body(response: reqwest::Response, exchange: Exchange) -> WasiBody {
    let chunks = stream::try_unfold((response, exchange), |(mut response, mut exchange)| async move {
        let next = before(&*exchange.clock, exchange.deadline, response.chunk()).await;
        match next {
            None => Err(Ended::Late),
            Some(Err(_)) => Err(Ended::Broken),
            Some(Ok(None)) => Ok(None),
            Some(Ok(Some(bytes))) => {
                exchange.take(bytes.len())?;
                Ok::<_, Ended>(Some((bytes, (response, exchange))))
            }
        }
    });
    framed(chunks)
}

fn framed(chunks: impl stream::Stream<Item = Result<Bytes, Ended>> + Send + 'static) -> WasiBody {
    reqwest::Body::wrap_stream(chunks).map_err(|error| told(&error)).boxed_unsync()
}

/// What the guest is told of a body that ended early.
fn told(error: &reqwest::Error) -> Error {
    let mut next: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(error) = next {
        match error.downcast_ref::<Ended>() {
            Some(Ended::TooLarge(most)) => return Error::HttpResponseBodySize(Some(*most as u64)),
            Some(Ended::Late) => return Error::HttpResponseTimeout,
            Some(Ended::Broken) => return Error::HttpResponseIncomplete,
            None => next = error.source(),
        }
    }
    Error::HttpResponseIncomplete
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ended::TooLarge(most) => write!(f, "the response has more than {most} bytes"),
            Ended::Late => f.write_str("the response took too long"),
            Ended::Broken => f.write_str("the response broke off"),
        }
    }
}

impl StdError for Ended {}
