//! Paths that are passed through: plain completions, embeddings, the model list.

use std::sync::Arc;

use bytes::Bytes;
use hyper::{HeaderMap, Method, StatusCode};
use serde_json::{Value, json};

use crate::chat::{Call, Peek, Sent, finish, refuse, send_anywhere};
use crate::decision::{Decision, Reason, Served};
use crate::gateway::Gateway;
use crate::http::reply::{self, Fault};
use crate::http::{OutBody, Reply, Tee, read};
use crate::record::SilentWatch;

/// `POST /v1/completions`: never routed, there is no question in it; logged without text.
///
/// # Errors
/// The reply that says what is wrong.
pub async fn completions(gateway: &Arc<Gateway>, call: Call) -> Result<Reply, Box<Reply>> {
    let body = call.body.clone();
    let peek = Peek::parse(&body).map_err(|e| Box::new(reply::error(Fault::Invalid, &e)))?;
    let alias = gateway.is_alias(&peek.model);
    let body = if alias { peek.with_model(&body, &gateway.base_model) } else { body.clone() };
    let decision = if alias {
        Decision::new(Served::Base, Reason::NoQuestion)
    } else {
        Decision::new(Served::Direct, Reason::Named)
    };
    let sent = Sent::now(&call);
    match send_anywhere(gateway, "/completions", &call.headers, body, Some(&peek.model)).await {
        Ok((lease, reply)) => Ok(finish(gateway, &call, decision, sent, Some(lease), reply, false)),
        Err(error) => Ok(refuse(gateway, &call, decision, sent, &error, false)),
    }
}

/// Any other path: through as it is, not logged.
///
/// # Errors
/// The reply when no server answers.
pub async fn through(gateway: &Arc<Gateway>, path: &str, call: Call) -> Result<Reply, Box<Reply>> {
    let sent = send_anywhere(gateway, path, &call.headers, call.body, None).await;
    let (lease, reply) = sent.map_err(|e| Box::new(reply::error(Fault::Upstream, &e.to_string())))?;
    let (mut head, body) = reply.into_parts();
    head.headers.remove("connection");
    head.headers.remove("transfer-encoding");
    let tee = Tee::new(body, Box::new(SilentWatch::new(Some(lease))), gateway.idle(), false);
    Ok(hyper::Response::from_parts(head, OutBody::Tee(Box::new(tee))))
}

/// `GET /v1/models`: the server's list with our aliases before it.
///
/// # Errors
/// The reply when no server answers.
pub async fn models(gateway: &Arc<Gateway>, headers: &HeaderMap) -> Result<Reply, Box<Reply>> {
    let upstream = |e: String| Box::new(reply::error(Fault::Upstream, &e));
    let Some(lease) = gateway.replicas.pick(&[]).await else {
        return Err(upstream("there is no server".into()));
    };
    let headers = crate::chat::request_headers(headers, gateway.hides_keys());
    let sent = gateway.client.send(lease.replica(), Method::GET, "/models", &headers, Bytes::new()).await;
    let reply = sent.map_err(|e| upstream(e.to_string()))?;
    let status = reply.status();
    let collected = tokio::time::timeout(gateway.idle(), read::collect(reply.into_body(), 4 << 20)).await;
    let Ok(Ok(Some(bytes))) = collected else { return Err(upstream("the model list broke off".into())) };
    if status != StatusCode::OK {
        return Ok(reply::bytes(status, "application/json", bytes.to_vec()));
    }
    let mut list: Value =
        serde_json::from_slice(&bytes).map_err(|e| upstream(format!("the model list: {e}")))?;
    let aliases = gateway.options.aliases.iter();
    let ours: Vec<Value> = aliases.map(|a| json!({"id": a, "object": "model", "owned_by": "uno"})).collect();
    if let Some(data) = list["data"].as_array_mut() {
        data.splice(0..0, ours);
    }
    Ok(reply::json(StatusCode::OK, &list))
}
