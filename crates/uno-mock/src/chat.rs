//! `POST /v1/chat/completions`.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::State as Extract;
use axum::http::{Response, StatusCode};
use axum::response::IntoResponse;
use serde_json::{Value, json};

use crate::answer::{chat_answer, instance, logprob, tokens};
use crate::fault::{Refusal, error};
use crate::state::State;
use crate::stream;

pub(crate) async fn chat(Extract(state): Extract<Arc<State>>, Json(body): Json<Value>) -> Response<Body> {
    let busy = Busy::new(&state);
    if state.config.latency_ms > 0 {
        tokio::time::sleep(Duration::from_millis(state.config.latency_ms)).await;
    }
    answer(&state, &body, busy).unwrap_or_else(|(status, message)| error(status, &message))
}

/// Counts requests being generated.
pub(crate) struct Busy(Arc<State>);

impl Busy {
    fn new(state: &Arc<State>) -> Self {
        let mut inner = state.lock();
        inner.in_flight += 1;
        inner.most_in_flight = inner.most_in_flight.max(inner.in_flight);
        drop(inner);
        Busy(state.clone())
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.lock().in_flight -= 1;
    }
}

type Refused = (StatusCode, String);

fn answer(state: &State, body: &Value, busy: Busy) -> Result<Response<Body>, Refused> {
    let model = body["model"].as_str().unwrap_or_default();
    let Some(weights) = state.weights(model) else {
        return Err((StatusCode::NOT_FOUND, format!("The model `{model}` does not exist.")));
    };
    let prompt = body["messages"].to_string();
    let schema = constraint(state, body)?;
    let limit = state.config.context_length;
    let prompt_tokens = tokens(&prompt).len();
    let max_tokens = body["max_tokens"].as_u64().unwrap_or(16) as usize;
    if prompt_tokens + max_tokens > limit {
        return Err((
            StatusCode::BAD_REQUEST,
            format!(
                "This model's maximum context length is {limit} tokens. However, you requested {} tokens ({prompt_tokens} \
                 in the messages, {max_tokens} in the completion). Please reduce the length of the messages or completion.",
                prompt_tokens + max_tokens
            ),
        ));
    }
    let plain = chat_answer(&weights, &prompt, body["seed"].as_u64().unwrap_or(0));
    let text = schema.map_or(plain.clone(), |schema| instance(&schema, &plain).to_string());
    let all = tokens(&text);
    let shown: Vec<String> = all.iter().take(max_tokens).cloned().collect();
    let finish = if shown.len() < all.len() { "length" } else { "stop" };
    let usage = json!({"prompt_tokens": prompt_tokens, "completion_tokens": shown.len(),
                       "total_tokens": prompt_tokens + shown.len()});
    if body["stream"].as_bool() == Some(true) {
        return Ok(stream::words(shown, model, finish, &usage, state.config.pause_ms, busy));
    }
    let content: Vec<Value> = (0..shown.len())
        .map(|i| json!({"token": shown[i], "logprob": logprob(&weights, &shown[..=i]), "top_logprobs": []}))
        .collect();
    let logprobs =
        if body["logprobs"].as_bool() == Some(true) { json!({ "content": content }) } else { Value::Null };
    Ok(Json(json!({
        "id": "chatcmpl-mock", "object": "chat.completion", "model": model,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": shown.join(" ")},
                     "logprobs": logprobs, "finish_reason": finish}],
        "usage": usage,
    }))
    .into_response())
}

/// The schema to follow, or the 400 of a server that does not know this way of asking.
fn constraint(state: &State, body: &Value) -> Result<Option<Value>, Refused> {
    let refuses = |what: Refusal, field: &str| {
        if state.config.refuses.contains(&what) {
            Err((StatusCode::BAD_REQUEST, format!("{field} is not supported by this server")))
        } else {
            Ok(())
        }
    };
    let mut schema = None;
    match body["response_format"]["type"].as_str() {
        Some("json_schema") => {
            refuses(Refusal::JsonSchema, "response_format json_schema")?;
            schema = Some(body["response_format"]["json_schema"]["schema"].clone());
        }
        Some("json_object") => {
            refuses(Refusal::JsonObject, "response_format json_object")?;
            // A model that was told the schema in words follows it.
            let prompt = body["messages"].as_array().and_then(|m| m.last()).map(|m| m["content"].to_string());
            schema = prompt.and_then(|p| schema_in_words(&p));
        }
        _ => {}
    }
    if let Some(guide) = body.get("guided_json") {
        refuses(Refusal::GuidedJson, "guided_json")?;
        schema = Some(guide.clone());
    }
    Ok(if state.config.ignores_format { None } else { schema })
}

fn schema_in_words(quoted: &str) -> Option<Value> {
    let text: String = serde_json::from_str(quoted).ok()?;
    text.match_indices('{').find_map(|(at, _)| {
        let mut stream = serde_json::Deserializer::from_str(&text[at..]).into_iter::<Value>();
        stream.next()?.ok().filter(|v| v.get("type").is_some())
    })
}
