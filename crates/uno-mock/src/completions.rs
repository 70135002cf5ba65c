//! `POST /v1/completions`: prompt log-probs (`echo`), and the yes/no question of rerankers.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State as Extract;
use axum::http::{Response, StatusCode};
use axum::response::IntoResponse;
use serde_json::{Value, json};

use crate::answer::{logprob, tokens};
use crate::fault::error;
use crate::state::State;

pub(crate) async fn completions(
    Extract(state): Extract<Arc<State>>,
    Json(body): Json<Value>,
) -> Response<Body> {
    let model = body["model"].as_str().unwrap_or_default();
    let Some(weights) = state.weights(model) else {
        return error(StatusCode::NOT_FOUND, &format!("The model `{model}` does not exist."));
    };
    let choice = match body["prompt"].as_str() {
        Some(text) if text.contains("<Instruct>:") => yes_no(&state, text),
        Some(text) => echo(&weights, tokens(text)),
        None => {
            let ids = body["prompt"].as_array().into_iter().flatten();
            echo(&weights, ids.map(Value::to_string).collect())
        }
    };
    Json(json!({"object": "text_completion", "model": model, "choices": [choice]})).into_response()
}

fn echo(weights: &str, mut tokens: Vec<String>) -> Value {
    tokens.push("end".into());
    let logprobs: Vec<Value> = (0..tokens.len())
        .map(|i| if i == 0 { Value::Null } else { json!(logprob(weights, &tokens[..=i])) })
        .collect();
    json!({"index": 0, "text": tokens.join(" "), "finish_reason": "length",
           "logprobs": {"tokens": tokens, "token_logprobs": logprobs, "top_logprobs": []}})
}

/// "yes" when document and query share a long word, or four Chinese characters in a row.
fn yes_no(state: &State, prompt: &str) -> Value {
    let part = |from: &str, to: &str| {
        let rest = prompt.split_once(from).map_or("", |(_, rest)| rest);
        rest.split_once(to).map_or(rest, |(part, _)| part).to_lowercase()
    };
    let (query, document) = (part("<Query>:", "\n<Document>:"), part("<Document>:", "<|im_end|>"));
    let long = |text: &str| -> Vec<String> {
        let words = text.split(|c: char| !c.is_alphanumeric()).filter(|w| w.len() > 4);
        let pieces = words.flat_map(|word| {
            let chars: Vec<char> = word.chars().collect();
            let size = if word.is_ascii() { chars.len() } else { 4.min(chars.len()) };
            chars.windows(size).map(|run| run.iter().collect()).collect::<Vec<String>>()
        });
        pieces.collect()
    };
    let document = long(&document);
    let relevant = long(&query).iter().any(|w| document.contains(w));
    let yes: f64 = if state.config.broken_reranker { 0.5 } else { [0.002, 0.997][usize::from(relevant)] };
    let top = json!({"yes": yes.ln(), "no": (1.0 - yes).ln()});
    let (token, p) = if yes >= 0.5 { ("yes", yes) } else { ("no", 1.0 - yes) };
    json!({"index": 0, "text": token, "finish_reason": "length",
           "logprobs": {"tokens": [token], "token_logprobs": [p.ln()], "top_logprobs": [top]}})
}
