//! `POST /v1/chat/completions`: decide, ask the server along the decided path, let the answer through.

mod critic;
mod forward;
mod peek;

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use hyper::HeaderMap;
use uno_types::Path;

pub use forward::{Sent, finish, refuse, request_headers, send_anywhere};
pub use peek::{Peek, Talk};

use crate::auth::Caller;
use crate::decision::{Decision, Reason, Served};
use crate::gateway::Gateway;
use crate::http::Reply;
use crate::http::reply::{self, Fault};
use crate::route::{Asked, decide};
use crate::trace::TraceContext;
use crate::upstream::{Lease, UpReply};

/// The path on the servers.
pub(crate) const PATH: &str = "/chat/completions";

/// A request, read.
#[derive(Clone, Debug)]
pub struct Call {
    /// Who asks.
    pub caller: Caller,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
    /// When it was there.
    pub started: Instant,
    /// Its place in its trace, where traces are on.
    pub trace: Option<TraceContext>,
}

/// Answers a chat request.
///
/// # Errors
/// The reply that says what is wrong.
pub async fn answer(gateway: &Arc<Gateway>, call: Call) -> Result<Reply, Box<Reply>> {
    let invalid = |message: String| Box::new(reply::error(Fault::Invalid, &message));
    let body = call.body.clone();
    let peek = Peek::parse(&body).map_err(invalid)?;
    let decision = if gateway.is_alias(&peek.model) {
        let talk = peek.talk().map_err(invalid)?;
        let asked = Asked {
            talk: &talk,
            many: peek.many,
            forced: forced(&call.headers).map_err(invalid)?,
            user: peek.user.as_deref().unwrap_or_default(),
            key: call.caller.name(),
        };
        let decision = decide(&asked, &gateway.plans, gateway.embedder.as_ref()).await;
        if decision.served == Served::Critic {
            if let Some(reply) = critic::answer(gateway, &call, &peek, &talk, &decision).await {
                return reply;
            }
            decision.instead(Reason::Failed)
        } else {
            decision
        }
    } else {
        Decision::new(Served::Direct, Reason::Named)
    };
    let decision = match decision.served {
        Served::Expert => match by_expert(gateway, &call, &peek, &decision).await {
            Ok((lease, reply, sent)) => {
                return Ok(finish(gateway, &call, decision, sent, lease, reply, true));
            }
            Err(reason) => decision.instead(reason),
        },
        _ => decision,
    };
    gateway.metrics.decided(&decision);
    let (adapter, body) = match decision.served {
        Served::Direct => (Some(peek.model.as_ref()), call.body.clone()),
        _ => (None, peek.with_model(&call.body, &gateway.base_model)),
    };
    let sent = Sent::now(&call);
    match send_anywhere(gateway, PATH, &call.headers, body, adapter).await {
        Ok((lease, reply)) => Ok(finish(gateway, &call, decision, sent, Some(lease), reply, true)),
        Err(error) => Ok(refuse(gateway, &call, decision, sent, &error, true)),
    }
}

/// The path that the client asks for.
fn forced(headers: &HeaderMap) -> Result<Option<Path>, String> {
    let Some(value) = headers.get("x-uno-path") else { return Ok(None) };
    match value.to_str().unwrap_or_default() {
        "auto" => Ok(None),
        "expert" => Ok(Some(Path::Expert)),
        "critic" => Ok(Some(Path::Critic)),
        "base" => Ok(Some(Path::Base)),
        other => Err(format!("x-uno-path: `{other}` is none of auto, expert, critic, base")),
    }
}

/// Asks the Expert. An error says why the base model must answer instead.
async fn by_expert(
    gateway: &Gateway,
    call: &Call,
    peek: &Peek<'_>,
    decision: &Decision,
) -> Result<(Option<Lease>, UpReply, Sent), Reason> {
    let adapter = decision.adapter.as_deref().ok_or(Reason::NotReady)?;
    let lease = gateway.replicas.pick_with(adapter).await.ok_or(Reason::NotReady)?;
    let body = peek.with_model(&call.body, adapter);
    let sent = Sent::now(call);
    let headers = forward::request_headers(&call.headers, gateway.hides_keys());
    let reply = gateway.client.send(lease.replica(), hyper::Method::POST, PATH, &headers, body).await;
    match reply {
        Ok(reply) if !is_ours_to_mend(reply.status().as_u16()) => Ok((Some(lease), reply, sent)),
        Ok(reply) => {
            tracing::warn!(
                adapter,
                status = reply.status().as_u16(),
                "the Expert failed, the base model answers"
            );
            Err(Reason::Failed)
        }
        Err(error) => {
            tracing::warn!(adapter, "the Expert failed, the base model answers: {error}");
            Err(Reason::Failed)
        }
    }
}

/// Whether a status may be the fault of an adapter: it is gone, or the server stumbled over it. Everything else (a wrong
/// request, too many requests) the base model would say, too.
pub(crate) fn is_ours_to_mend(status: u16) -> bool {
    status == 404 || status >= 500
}
