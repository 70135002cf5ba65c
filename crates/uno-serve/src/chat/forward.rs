//! To the server and back: what is sent on, and what comes out of the answer.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use hyper::header::{
    ACCEPT, AUTHORIZATION, CONNECTION, CONTENT_TYPE, HeaderName, TRANSFER_ENCODING, USER_AGENT,
};
use hyper::{HeaderMap, Method, Response};

use super::Call;
use crate::decision::Decision;
use crate::gateway::Gateway;
use crate::http::reply::{self, Fault};
use crate::http::tee::{End, Watch};
use crate::http::{OutBody, Reply, Tee};
use crate::record::{AnswerWatch, Seen};
use crate::upstream::{Lease, SendError, UpReply};

/// Headers of clients that servers get to see.
const FORWARDED: [HeaderName; 8] = [
    CONTENT_TYPE,
    ACCEPT,
    USER_AGENT,
    HeaderName::from_static("x-request-id"),
    HeaderName::from_static("traceparent"),
    HeaderName::from_static("tracestate"),
    HeaderName::from_static("openai-organization"),
    HeaderName::from_static("openai-project"),
];

/// Headers that belong to a connection, not to an answer (RFC 9110 §7.6.1).
const HOP_BY_HOP: [HeaderName; 6] = [
    CONNECTION,
    TRANSFER_ENCODING,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("upgrade"),
    HeaderName::from_static("trailer"),
    HeaderName::from_static("te"),
];

/// The headers to send on. The client's own key goes on only when neither gateway nor servers have keys of their own.
pub fn request_headers(from: &HeaderMap, hides_keys: bool) -> HeaderMap {
    let mut out = HeaderMap::with_capacity(8);
    for name in &FORWARDED {
        if let Some(value) = from.get(name) {
            out.insert(name.clone(), value.clone());
        }
    }
    if let Some(value) = from.get(AUTHORIZATION).filter(|_| !hides_keys) {
        out.insert(AUTHORIZATION, value.clone());
    }
    out
}

/// When a request went to the server.
#[derive(Clone, Copy, Debug)]
pub struct Sent {
    at: Instant,
    overhead_us: u64,
}

impl Sent {
    /// Now: what passed since the request was there is the gateway's own time.
    pub fn now(call: &Call) -> Self {
        let at = Instant::now();
        Self { at, overhead_us: at.duration_since(call.started).as_micros() as u64 }
    }
}

/// Sends to a server; to another one when it cannot be reached. `adapter`: a model name that only some servers may have.
///
/// # Errors
/// The last failure.
pub async fn send_anywhere(
    gateway: &Gateway,
    path: &str,
    headers: &HeaderMap,
    body: Bytes,
    adapter: Option<&str>,
) -> Result<(Lease, UpReply), SendError> {
    let headers = request_headers(headers, gateway.hides_keys());
    let mut tried = Vec::new();
    let mut last = SendError::Unreachable("there is no server: set serve.upstreams or target.url".into());
    loop {
        let first = match adapter.filter(|_| tried.is_empty()) {
            Some(name) => gateway.replicas.pick_with(name).await,
            None => None,
        };
        let lease = match first {
            Some(lease) => Some(lease),
            None => gateway.replicas.pick(&tried).await,
        };
        let Some(lease) = lease else { return Err(last) };
        match gateway.client.send(lease.replica(), Method::POST, path, &headers, body.clone()).await {
            Ok(reply) => return Ok((lease, reply)),
            Err(error @ SendError::Slow(_)) => return Err(error),
            Err(error) => last = error,
        }
        tried.push(Arc::clone(lease.replica()));
    }
}

/// Lets a server's answer through to the client, with what was decided in its headers, and logs it when it ends.
pub fn finish(
    gateway: &Arc<Gateway>,
    call: &Call,
    decision: Decision,
    sent: Sent,
    lease: Option<Lease>,
    reply: UpReply,
    chat: bool,
) -> Reply {
    let (mut head, body) = reply.into_parts();
    for name in &HOP_BY_HOP {
        head.headers.remove(name);
    }
    decision.tell(&mut head.headers, sent.overhead_us);
    let kind = head.headers.get(CONTENT_TYPE).map(|v| v.as_bytes());
    let events = kind.is_some_and(|k| k.starts_with(b"text/event-stream"));
    let seen = seen(gateway, call, decision, sent, head.status.as_u16(), chat);
    let watch = AnswerWatch::new(Arc::clone(gateway), call.caller.clone(), seen, events, lease);
    let tee = Tee::new(body, Box::new(watch), gateway.idle(), events);
    Response::from_parts(head, OutBody::Tee(Box::new(tee)))
}

/// The reply when no server answers.
pub fn refuse(
    gateway: &Arc<Gateway>,
    call: &Call,
    decision: Decision,
    sent: Sent,
    error: &SendError,
    chat: bool,
) -> Reply {
    let fault = match error {
        SendError::Unreachable(_) | SendError::Broken(_) => Fault::Upstream,
        SendError::Slow(_) => Fault::UpstreamSlow,
    };
    tracing::warn!(decision = decision.id, "no answer: {error}");
    let mut reply = reply::error(fault, &error.to_string());
    decision.tell(reply.headers_mut(), sent.overhead_us);
    let seen = seen(gateway, call, decision, sent, fault.status().as_u16(), chat);
    AnswerWatch::new(Arc::clone(gateway), call.caller.clone(), seen, false, None).ended(End::Whole);
    reply
}

fn seen(gateway: &Gateway, call: &Call, decision: Decision, sent: Sent, status: u16, chat: bool) -> Seen {
    Seen {
        decision,
        key: call.caller.name().to_owned(),
        body: call.body.clone(),
        chat,
        started: call.started,
        overhead_us: sent.overhead_us,
        first_byte_us: sent.at.elapsed().as_micros() as u64,
        status,
        text: gateway.options.log.text,
        trace: call.trace.filter(|trace| trace.sampled),
    }
}
