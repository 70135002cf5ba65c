//! The reflective path: base answer, the Critic's suggestions, refined answer. Only the last one goes to the client, streamed
//! if it asked so. Where a step fails, the base model answers the request as it came.

use std::sync::Arc;

use bytes::Bytes;
use hyper::Method;
use serde_json::{Map, Value, json};
use uno_learn::prompts;
use uno_types::{Lang, Message, Role};

use super::forward::request_headers;
use super::{Call, PATH, Peek, Sent, Talk, finish, is_ours_to_mend};
use crate::decision::{Decision, Reason};
use crate::gateway::Gateway;
use crate::http::{Reply, read};
use crate::sse::Answer;
use crate::upstream::Lease;

/// Longest answer of a step, bytes.
const LONGEST: usize = 4 << 20;

/// Fields of the request that shape a text; they go along with each step that the base model writes.
const SHAPE: [&str; 9] = [
    "temperature",
    "top_p",
    "seed",
    "max_tokens",
    "max_completion_tokens",
    "stop",
    "presence_penalty",
    "frequency_penalty",
    "top_k",
];

/// Answers along the Critic's path; `None` when a step failed.
pub(super) async fn answer(
    gateway: &Arc<Gateway>,
    call: &Call,
    peek: &Peek<'_>,
    talk: &Talk,
    decision: &Decision,
) -> Option<Result<Reply, Box<Reply>>> {
    match steps(gateway, call, peek, talk, decision).await {
        Ok(reply) => Some(Ok(reply)),
        Err(Failed(why)) => {
            tracing::warn!(decision = decision.id, "the Critic's path failed, the base model answers: {why}");
            None
        }
    }
}

struct Failed(String);

async fn steps(
    gateway: &Arc<Gateway>,
    call: &Call,
    peek: &Peek<'_>,
    talk: &Talk,
    decision: &Decision,
) -> Result<Reply, Failed> {
    let adapter = decision.adapter.as_deref().ok_or_else(|| Failed("there is no Critic".into()))?;
    // Leased first: a base answer is of no use when nobody can criticise it.
    let lease = gateway.replicas.pick_with(adapter).await;
    let lease = lease.ok_or_else(|| Failed(Reason::NotReady.as_str().into()))?;
    let sent = Sent::now(call);
    let steps = Steps { gateway, call, lease: &lease, adapter };
    let fields: Map<String, Value> = serde_json::from_slice(&call.body).map_err(|e| Failed(e.to_string()))?;
    let base =
        steps.ask(&with(&fields, &[("model", json!(gateway.base_model)), ("stream", json!(false))])).await?;
    // What is improved is the answer to the user's last turn; on the first turn that is the question that was routed.
    let last = talk.messages.iter().rev().find(|m| m.role == Role::User).map_or("", |m| &m.content);
    let system = talk.messages.iter().find(|m| m.role == Role::System).map(|m| m.content.as_str());
    let lang = Lang::detect(last);
    let suggest = json!({
        "model": adapter,
        "messages": turns(&prompts::suggest(lang, system, last, &base)),
        "temperature": fields.get("temperature").cloned().unwrap_or(json!(0.1)),
        "max_tokens": gateway.options.route.max_suggestion_tokens,
    });
    let suggestions = steps.ask(&suggest).await?;
    let mut refine: Map<String, Value> = fields
        .iter()
        .filter(|(k, _)| SHAPE.contains(&k.as_str()))
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect();
    for key in ["stream_options", "user", "logprobs", "response_format"] {
        refine.extend(fields.get(key).map(|v| (key.to_owned(), v.clone())));
    }
    refine.insert("model".into(), json!(gateway.base_model));
    refine.insert("stream".into(), json!(peek.stream));
    refine.insert("messages".into(), turns(&prompts::refine(lang, system, last, &base, &suggestions)));
    let body = Bytes::from(Value::Object(refine).to_string());
    let headers = request_headers(&call.headers, gateway.hides_keys());
    let reply = gateway.client.send(lease.replica(), Method::POST, PATH, &headers, body).await;
    let reply = reply.map_err(|e| Failed(e.to_string()))?;
    if is_ours_to_mend(reply.status().as_u16()) || reply.status().as_u16() >= 400 {
        return Err(Failed(format!("the refined answer: status {}", reply.status())));
    }
    Ok(finish(gateway, call, decision.clone(), sent, Some(lease), reply, true))
}

struct Steps<'a> {
    gateway: &'a Gateway,
    call: &'a Call,
    lease: &'a Lease,
    adapter: &'a str,
}

impl Steps<'_> {
    /// One whole answer.
    async fn ask(&self, body: &Value) -> Result<String, Failed> {
        let headers = request_headers(&self.call.headers, self.gateway.hides_keys());
        let bytes = Bytes::from(body.to_string());
        let sent = self.gateway.client.send(self.lease.replica(), Method::POST, PATH, &headers, bytes).await;
        let reply = sent.map_err(|e| Failed(e.to_string()))?;
        let status = reply.status().as_u16();
        let read = tokio::time::timeout(self.gateway.idle(), read::collect(reply.into_body(), LONGEST)).await;
        let bytes = match read {
            Ok(Ok(Some(bytes))) => bytes,
            Ok(Ok(None)) => return Err(Failed("a step's answer is too long".into())),
            Ok(Err(e)) => return Err(Failed(e.to_string())),
            Err(_) => return Err(Failed("a step's answer did not end in time".into())),
        };
        let answer = Answer::of_json(&bytes);
        if status != 200 || answer.text.trim().is_empty() {
            return Err(Failed(format!("a step of {} gave status {status} and no text", self.adapter)));
        }
        Ok(answer.text)
    }
}

/// The fields with others in their place.
fn with(fields: &Map<String, Value>, changes: &[(&str, Value)]) -> Value {
    let mut out = fields.clone();
    out.remove("stream_options");
    out.extend(changes.iter().map(|(k, v)| ((*k).to_owned(), v.clone())));
    Value::Object(out)
}

fn turns(messages: &[Message]) -> Value {
    messages.iter().map(|m| json!({"role": m.role.as_str(), "content": m.content})).collect()
}
