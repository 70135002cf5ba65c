//! What a plan would answer to a question of the log. Only the judge gets to see it.

use bytes::Bytes;
use hyper::{HeaderMap, Method};
use serde_json::{Value, json};
use uno_learn::prompts;
use uno_learn::route::{Policy, place};
use uno_store::live::RequestRow;
use uno_types::{Lang, Message, Path, Role};

use crate::gateway::Gateway;
use crate::http::read;
use crate::route::Snapshot;
use crate::sse::Answer;
use crate::upstream::Lease;

/// The path on the servers.
const PATH: &str = "/chat/completions";
/// Longest answer, bytes.
const LONGEST: usize = 4 << 20;
/// Most tokens of an answer: the log does not hold the client's own bound.
const TOKENS: u64 = 1024;

/// The answer along the plan's path; `None` where it is the path that the row went, so that there is nothing to compare.
///
/// # Errors
/// Why there is none, in words.
pub(super) async fn answer(
    gateway: &Gateway,
    plan: &Snapshot,
    row: &RequestRow,
) -> Result<Option<String>, String> {
    let turn = |role| row.messages.iter().find(|m| m.role == role).map(|m| m.content.as_str());
    let embedder = gateway.embedder.as_ref().ok_or("there is no embedder")?;
    let vector = embedder.embed(turn(Role::User).unwrap_or_default()).await.map_err(|e| e.to_string())?;
    let route = place(vector.to_vec(), &plan.plan, &plan.centroids, Policy::Uno);
    let adapter = route.adapter.as_ref().map(|a| a.name.as_str()).filter(|_| route.path != Path::Base);
    let (path, name) = adapter.map_or((Path::Base, ""), |name| (route.path, name));
    if path.as_str() == row.path && name == row.adapter {
        return Ok(None);
    }
    let lease = match adapter {
        Some(name) => gateway.replicas.pick_with(name).await,
        None => gateway.replicas.pick(&[]).await,
    };
    let lease = lease.ok_or("no server is ready for it")?;
    // As long as the answer that it is compared with could have been.
    let tokens = row.completion_tokens.map_or(TOKENS, |n| (2 * n.unsigned_abs()).clamp(64, TOKENS));
    let base = gateway.base_model.as_str();
    let ask =
        |model: String, messages: Vec<Message>, tokens: u64| ask(gateway, &lease, model, messages, tokens);
    let text = match path {
        Path::Base => ask(base.to_owned(), row.messages.clone(), tokens).await?,
        Path::Expert => ask(name.to_owned(), row.messages.clone(), tokens).await?,
        Path::Critic => {
            let last = row.messages.iter().rev().find(|m| m.role == Role::User).map_or("", |m| &m.content);
            let (lang, system) = (Lang::detect(last), turn(Role::System));
            let first = ask(base.to_owned(), row.messages.clone(), tokens).await?;
            let most = gateway.options.route.max_suggestion_tokens as u64;
            let hints = ask(name.to_owned(), prompts::suggest(lang, system, last, &first), most).await?;
            ask(base.to_owned(), prompts::refine(lang, system, last, &first, &hints), tokens).await?
        }
    };
    Ok(Some(text))
}

async fn ask(
    gateway: &Gateway,
    lease: &Lease,
    model: String,
    messages: Vec<Message>,
    tokens: u64,
) -> Result<String, String> {
    let turns: Vec<Value> =
        messages.iter().map(|m| json!({"role": m.role.as_str(), "content": m.content})).collect();
    let body = json!({"model": model, "messages": turns, "max_tokens": tokens}).to_string();
    let mut headers = HeaderMap::new();
    headers.insert("content-type", hyper::header::HeaderValue::from_static("application/json"));
    let sent = gateway.client.send(lease.replica(), Method::POST, PATH, &headers, Bytes::from(body)).await;
    let reply = sent.map_err(|e| e.to_string())?;
    let status = reply.status();
    let read = tokio::time::timeout(gateway.idle(), read::collect(reply.into_body(), LONGEST)).await;
    let bytes = match read {
        Ok(Ok(Some(bytes))) => bytes,
        _ => return Err(format!("{model} did not end its answer")),
    };
    let answer = Answer::of_json(&bytes);
    if status != 200 || answer.text.trim().is_empty() {
        return Err(format!("{model} gave status {status} and no text"));
    }
    Ok(answer.text)
}
